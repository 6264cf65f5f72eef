"""A memory layer that copies before it has learned anything: closed-form queries and outputs.

Without training, the copied query finds nothing in position-free keys (`engine/FINDINGS.md`). Two ridge
regressions over some frozen segments give a start that does:

    q_t ∝ Σ_K⁻¹ E[K_{t+1} | LN(H_t)]        the key that the next token would have, whitened, per head
    W_o ∝ E[u(token_s) | V_s]                a value back to what raises its own token's logit

so a token attends where the book went on as it may go on now, and what it reads there votes for that token.
The null key is the mean key and the null's bias the log of the bank's size and more: a real choice at once.

Where memory gives the tokens that followed, the query looks for the place itself and no output is needed:

    q_t ∝ Σ_K⁻¹ E[K_t | LN(H_t)]            the key of a place like this one

Where a slot gives the value of the token that followed it, it is looked for in the same way.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.backbone.backbone import Backbone
from engine.sidenet.attention import MemoryAttention, SlotAttention
from engine.sidenet.following import FollowingMemory
from engine.sidenet.sidenet import SideLayer, SideNet
from engine.training.activations import Frozen
from ingest.errors import BadInput

# Sharpness of the queries, and how it differs among the query heads that share one key head.
BETA, TEMPERATURES = 1.5, (1.0, 0.6, 1.5)
FOLLOWING_BETA, FOLLOWING_TEMPERATURES = 0.4, (1.0, 1.25, 1.5)
FOLLOWING_GATE, FOLLOWING_NULL = 0.07, 18.0  # a little of what fits well, else nothing
GATE_CARRIED = 2.0  # almost open: the null slot keeps memory back, and the window is not lost
RIDGE, SCALE = 0.1, 0.6  # of the regression; what the branch scale starts at
GATE_OPEN = 30.0  # sigmoid is 1: the branch reads memory alone


@dataclass
class Moments:
    """Running second moments of what the regressions need, one segment at a time."""

    width: int
    keys_width: int
    ahead: int = 1

    def __post_init__(self) -> None:
        zeros = torch.zeros
        self.count = self.all_count = 0
        self.h, self.k, self.y = zeros(self.width), zeros(self.keys_width), zeros(self.width)
        self.hh, self.hk = zeros(self.width, self.width), zeros(self.width, self.keys_width)
        self.kk, self.vv = zeros(self.keys_width, self.keys_width), zeros(self.keys_width, self.keys_width)
        self.vy, self.v = zeros(self.keys_width, self.width), zeros(self.keys_width)

    def add(self, states: Tensor, keys: Tensor, values: Tensor, votes: Tensor) -> None:
        """Take in states (time, width); keys, values (time, kv_heads · head_dim); votes (time, width).

        The key regressed on is that of `ahead` tokens later.
        """
        now, following = states[: len(states) - self.ahead], keys[self.ahead :]
        self.count += len(now)
        self.all_count += len(values)
        self.h += now.sum(0)
        self.k += following.sum(0)
        self.hh += now.T @ now
        self.hk += now.T @ following
        self.kk += following.T @ following
        self.v += values.sum(0)
        self.y += votes.sum(0)
        self.vv += values.T @ values
        self.vy += values.T @ votes


@torch.no_grad()
def copying_start(
    sidenet: SideNet,
    backbone: Backbone,
    segments: Iterable[Frozen],
    bank_tokens: int = 8192,
    beta: float | None = None,
) -> None:
    """Set every memory layer to copy, from the activations of some segments; leaves the MLPs off.

    beta: sharpness of the query, by default what measured best for the kind of memory. bank_tokens: the size
    at which the null slot weighs as much as a bank that fits badly.

    Raises
    ------
    BadInput
        The backbone norms its queries, so that their sharpness cannot be set.
    """
    if sidenet.layers[0].query_norm is not None:
        raise BadInput(f"{backbone.name} norms its queries; leave --copy-start out")
    votes = vote_directions(backbone)
    layers = [layer for layer in sidenet.layers if layer.memory is not None]
    moments = {
        layer.index: Moments(
            backbone.width, backbone.kv_heads * backbone.head_dim, 0 if finds_itself(layer, sidenet) else 1
        )
        for layer in layers
    }
    size, seen = 0.0, 0
    for frozen in segments:
        size += frozen.hidden[backbone.blocks].float().pow(2).mean(-1).sqrt().mean().item()
        seen += 1
        for layer in layers:
            block = sidenet.config.read_block(layer.index)
            entering = sidenet.config.states(layer.index)[1 if layer.carries else 0]
            states = layer.attention_norm(frozen.hidden[entering].float())
            keys, values = (x[block].float().flatten(1) for x in (frozen.keys, frozen.values))
            found = (states, keys, values, votes[frozen.ids.to(votes.device)])
            moments[layer.index].add(*(part.cpu() for part in found))
    for layer in layers:
        itself = finds_itself(layer, sidenet)
        sharpness = beta or (FOLLOWING_BETA if itself else BETA)
        temperatures = FOLLOWING_TEMPERATURES if itself else TEMPERATURES
        _set_query(layer, moments[layer.index], [sharpness * factor for factor in temperatures])
        if layer.memory.null_slot:
            layer.memory.null_bias.fill_(FOLLOWING_NULL if itself else math.log(bank_tokens) + 5.0)
            layer.memory.null_value.zero_()
        if isinstance(layer.memory, FollowingMemory):
            layer.memory.size.fill_(size / max(1, seen))
            layer.memory.gate.fill_(FOLLOWING_GATE)
        elif layer.carries:
            layer.memory.gate.fill_(GATE_CARRIED)
        else:
            _set_output(layer, moments[layer.index])
            layer.memory.gate.fill_(GATE_OPEN)


def finds_itself(layer: SideLayer, sidenet: SideNet) -> bool:
    """Tell whether a memory layer looks for places like this one, and not for what may come next."""
    return isinstance(layer.memory, FollowingMemory) or sidenet.config.values_follow


def vote_directions(backbone: Backbone) -> Tensor:
    """Return u (vocabulary, width): what added to `H_n` raises one token's logit against their mean."""
    weight = backbone.model.get_output_embeddings().weight.detach().float()
    directions = weight * backbone.final_norm.weight.detach().float()
    return directions - directions.mean(0)


def _set_query(layer: SideLayer, moments: Moments, betas: list[float]) -> None:
    n, dim = moments.count, layer.head_dim
    mean_h, mean_k = moments.h / n, moments.k / n
    hh = moments.hh / n - mean_h[:, None] * mean_h
    hk = moments.hk / n - mean_h[:, None] * mean_k
    kk = moments.kk / n - mean_k[:, None] * mean_k
    predicted = torch.linalg.solve(hh + RIDGE * hh.diagonal().mean() * torch.eye(len(hh)), hk)
    group = layer.heads // layer.kv_heads
    query = layer.query
    if isinstance(layer.memory, MemoryAttention) and layer.memory.query is not None:
        query = layer.memory.query
    if query.bias is not None:
        query.bias.zero_()
    for head in range(layer.heads):
        part = slice(head // group * dim, head // group * dim + dim)
        own = kk[part, part]
        whiten = torch.linalg.inv(own + 0.02 * own.diagonal().mean() * torch.eye(dim))
        sharp = betas[head % group % len(betas)] * math.sqrt(dim)
        query.weight[head * dim : head * dim + dim] = (predicted[:, part] @ whiten).T * sharp
        if isinstance(layer.memory, SlotAttention) and layer.memory.null_slot:
            layer.memory.null_key[head] = mean_k[part]


def _set_output(layer: SideLayer, moments: Moments) -> None:
    n, dim, group = moments.all_count, layer.head_dim, layer.heads // layer.kv_heads
    vy = moments.vy - moments.v[:, None] * (moments.y / n)
    for head in range(layer.heads):
        part = slice(head // group * dim, head // group * dim + dim)
        own = moments.vv[part, part]
        mean = moments.v[part] / n
        spread = (own.diagonal() / n).mean() - (mean**2).mean() + mean.var(correction=0)
        solved = torch.linalg.solve(own + 0.01 * n * spread * torch.eye(dim), vy[part])
        layer.output.weight[:, head * dim : head * dim + dim] = solved.T / group
    assert layer.attention_scale is not None
    layer.attention_scale.fill_(SCALE)

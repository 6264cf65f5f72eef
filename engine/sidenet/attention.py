"""Joint attention: the local window with positions, the memory without, one gate per head between them.

    A = softmax(q kᵀ/√d + position + causal) v                                 local
    M = softmax([q K̃ᵀ/√d, q·k_null/√d + b_null]) [Ṽ, v_null]                   memory and null slot
    O = (1 − σ(g_h)) · A + σ(g_h) · M                                          before W_o

The null slot lets a token take nothing, and makes the empty bank the same computation as a full one. Where
branches are carried memory has a query and an output of its own, and the null slot gives what the window
gave: a token that takes nothing from the bank keeps all of its window, however far the gate is open.

    O = W_o[(1 − σ(g_h)) · A + σ(g_h) · (M + m_null · A)] + W_m σ(g_h) · M,  W_m zero at first
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True)
class Retrieved:
    """What memory attention reads at one layer.

    keys, values: (batch, time or 1, kv_heads or heads, slots, head_dim); time 1 serves every token (dense).
    mask: (batch, time or 1, 1 or heads or kv_heads, slots) bool, True where a slot holds a token.
    bias: None or (batch, time, 1 or heads, slots), added to the scaled scores.
    chunks: None or (batch, time, heads or 1, k) the chunk ids behind the slots, −1 where too few.
    following: the token after each slot's, (batch, time or 1, 1 or heads, slots), where the memory gives
    tokens and no values; what has no follower is masked.
    """

    keys: Tensor
    values: Tensor | None
    mask: Tensor
    bias: Tensor | None = None
    chunks: Tensor | None = None
    following: Tensor | None = None

    @classmethod
    def nothing(cls, query: Tensor, kv_heads: int) -> "Retrieved":
        """Return what an empty bank gives for queries (batch, time, heads, head_dim)."""
        none = query.new_zeros(query.shape[0], 1, kv_heads, 0, query.shape[-1])
        mask = none.new_zeros(query.shape[0], 1, 1, 0, dtype=torch.bool)
        return cls(none, none, mask, following=mask.long())


def rotate(x: Tensor, cos_sin: tuple[Tensor, Tensor] | None) -> Tensor:
    """Apply rotary position to x (batch, heads, time, head_dim); dimensions beyond the rotary ones stay."""
    if cos_sin is None:
        return x
    cos, sin = (table.unsqueeze(1) for table in cos_sin)
    turned, rest = x[..., : cos.shape[-1]], x[..., cos.shape[-1] :]
    first, second = turned.chunk(2, dim=-1)
    turned = turned * cos + torch.cat((-second, first), dim=-1) * sin
    return torch.cat((turned, rest), dim=-1) if rest.shape[-1] else turned


def local_attention(query: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """Let the last `time` positions attend causally over the window.

    query (batch, heads, time, head_dim); keys, values (batch, kv_heads, window ≥ time, head_dim), with
    positions applied. Returns (batch, heads, time, head_dim).
    """
    time, window = query.shape[2], keys.shape[2]
    grouped = {"enable_gqa": query.shape[1] != keys.shape[1]}
    if time == window:
        return F.scaled_dot_product_attention(query, keys, values, is_causal=True, **grouped)
    if time == 1:
        return F.scaled_dot_product_attention(query, keys, values, **grouped)
    mask = torch.ones(time, window, dtype=torch.bool, device=query.device).tril(window - time)
    return F.scaled_dot_product_attention(query, keys, values, attn_mask=mask, **grouped)


class SlotAttention(nn.Module):
    """Attention mass over retrieved tokens and a learned null slot; what it weighs is the subclass's."""

    def __init__(self, heads: int, kv_heads: int, head_dim: int, null_slot: bool) -> None:
        super().__init__()
        self.heads, self.kv_heads, self.head_dim = heads, kv_heads, head_dim
        self.null_slot = null_slot
        if null_slot:
            self.null_key = nn.Parameter(torch.zeros(heads, head_dim))
            self.null_bias = nn.Parameter(torch.zeros(heads))

    def mass(self, query: Tensor, memory: Retrieved) -> Tensor:
        """Compute mass (batch, time, heads, slots + 1) for queries (batch, time, heads, head_dim).

        The queries have no position. The last column is the null slot, zero where the configuration has none.
        """
        scores = self._scores(query, memory)
        if not self.null_slot:
            # An empty bank contributes nothing, as in the paper's code.
            empty = ~memory.mask.any(-1, keepdim=True)
            mass = scores.masked_fill(empty, 0.0).softmax(-1).masked_fill(empty, 0.0)
            return F.pad(mass, (0, 1))
        products = (query * self.null_key).sum(-1, keepdim=True) / self.head_dim**0.5
        return torch.cat((scores, products + self.null_bias[:, None]), dim=-1).softmax(-1)

    def _grouped(self, x: Tensor, heads: int) -> Tensor:
        """See (batch, time, heads, …) as (batch, time, heads stored, query heads per stored head, …)."""
        return x.unflatten(2, (heads, self.heads // heads))

    def _scores(self, query: Tensor, memory: Retrieved) -> Tensor:
        stored = memory.keys.shape[2]
        grouped = self._grouped(query, stored)
        if memory.keys.shape[1] == 1:  # one bank for every token: (b, kv, g·t, d) @ (b, kv, d, slots)
            batch, time, _, group, dim = grouped.shape
            flat = grouped.permute(0, 2, 3, 1, 4).reshape(batch, stored, group * time, dim)
            scores = flat @ memory.keys[:, 0].transpose(-1, -2)
            scores = scores.view(batch, stored, group, time, -1).permute(0, 3, 1, 2, 4)
        else:
            scores = grouped @ memory.keys.transpose(-1, -2)
        scores = scores.flatten(2, 3) / self.head_dim**0.5
        if memory.bias is not None:
            scores = scores + memory.bias
        mask = memory.mask
        if mask.shape[2] not in (1, self.heads):
            mask = mask.repeat_interleave(self.heads // mask.shape[2], dim=2)
        return scores.masked_fill(~mask, float("-inf"))


class MemoryAttention(SlotAttention):
    """Attention over retrieved keys and values, and a gate per head between it and the local window.

    query: a map of its own from the normed state to the queries of memory, where branches are carried.
    """

    def __init__(
        self,
        heads: int,
        kv_heads: int,
        head_dim: int,
        null_slot: bool,
        gate_start: float,
        query: nn.Linear | None = None,
    ) -> None:
        super().__init__(heads, kv_heads, head_dim, null_slot)
        self.query, self.output = query, None
        if query is not None:
            self.output = nn.Linear(heads * head_dim, query.in_features, bias=False)
            nn.init.zeros_(self.output.weight)
        self.gate = nn.Parameter(torch.full((heads,), gate_start))
        if null_slot:
            self.null_value = nn.Parameter(torch.zeros(heads, head_dim))

    def openness(self) -> Tensor:
        """Return how much each head's reading counts (heads,): the share σ(g_h) of memory."""
        return self.gate.sigmoid()

    def forward(self, query: Tensor, memory: Retrieved) -> tuple[Tensor, Tensor]:
        """Return `M` (batch, time, heads, head_dim) and the mass (batch, time, heads, slots + 1).

        query: (batch, time, heads, head_dim) without position.
        """
        mass = self.mass(query, memory)
        read = self._read(mass[..., :-1], memory)
        return read + mass[..., -1:] * self.null_value if self.null_slot else read, mass

    def combine(self, local: Tensor, memory: Tensor, mass: Tensor | None = None) -> Tensor:
        """Mix `(1 − σ(g_h)) · A + σ(g_h) · M` over (batch, time, heads, head_dim).

        mass: as `forward` gave it; where branches are carried the null slot's goes back to the window.
        """
        gate = self.openness()[:, None]
        if self.query is not None and mass is not None:
            memory = memory + mass[..., -1:] * local
        return (1 - gate) * local + gate * memory

    def apart(self, memory: Tensor) -> Tensor | float:
        """Return what the output of its own adds to the block's (batch, time, width); memory: `M`."""
        return 0.0 if self.output is None else self.output((self.openness()[:, None] * memory).flatten(2))

    def _read(self, mass: Tensor, memory: Retrieved) -> Tensor:
        assert memory.values is not None
        stored = memory.values.shape[2]
        grouped = self._grouped(mass, stored)
        if memory.values.shape[1] == 1:
            batch, time, _, group, slots = grouped.shape
            flat = grouped.permute(0, 2, 3, 1, 4).reshape(batch, stored, group * time, slots)
            read = flat @ memory.values[:, 0]
            return read.view(batch, stored, group, time, -1).permute(0, 3, 1, 2, 4).flatten(2, 3)
        return (grouped @ memory.values).flatten(2, 3)

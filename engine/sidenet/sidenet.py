"""The SideNet: a residual network beside the frozen backbone that reads the memory bank.

    X_0 = H_0
    X_{i+1} = X_i + (H_{b(i+1)} − H_{b(i)}) + s_a ⊙ Attn_i(LN X_i) + s_m ⊙ MLP_i(LN X_i)
    logits = head(LN_side(X_n))

with b(i) = reduction · i. The backbone's residuals telescope, so X_i = H_{b(i)} + D_i where D only gathers
the side branches; that is how it is computed. The learned scales s start at zero: D = 0, X_n = H_n, and an
untrained SideNet *is* the backbone. A branch whose scale is still zero costs nothing when answering.

With branch_scale "carried" what values gave passes through the copied blocks f_i above as it would through
the backbone's own, whose part of the residual is already there:

    D_{i+1} = D_i + f_i(H_{b(i+1)−1} + D_i) − (H_{b(i+1)} − H_{b(i+1)−1})

so that it is understood by the blocks it was made for. A memory that gives nothing leaves D = 0 here too.
Votes for what followed need no blocks to be understood: they are added at the end, and a layer that votes
carries nothing (its query is no longer the block's).

Where the family runs attention and MLP one after the other, so does the side layer: its MLP reads
LN(X_i + s_a ⊙ Attn_i), as the copied weights expect.
"""

import copy
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor, nn

from engine.backbone.backbone import Backbone
from engine.backbone.families import per_head
from engine.sidenet.attention import MemoryAttention, Retrieved, local_attention, rotate
from engine.sidenet.block import CopiedBlock
from engine.sidenet.config import SideNetConfig
from engine.sidenet.following import FollowingMemory
from engine.sidenet.lexicon import Lexicon
from engine.sidenet.search import SearchMap


class MemoryReader(Protocol):
    """Whatever serves memory attention: banks on disk, or a ring of them while training."""

    def read(
        self, layer: int, query: Tensor, search: Tensor | None, chunks: Tensor | None = None
    ) -> Retrieved:
        """Fetch keys and values for one memory layer.

        query: (batch, time, heads, head_dim) before position. search: (batch, time, search_dim) queries of
        the learned map, or None where attention keys are searched. chunks: ids (batch, time, heads or 1, k)
        that an earlier layer found in the same block, to be read again; None searches.
        """

    def counts(self, vocabulary: int) -> Tensor | None:
        """Count the tokens that may be read: (rows, vocabulary); None where the window is not their text."""


@dataclass(frozen=True)
class LayerTrace:
    """Where one memory layer read.

    chunks: ids (batch, time, heads or 1, k). mass: (batch, time, heads, slots + 1), the null slot last.
    """

    layer: int
    chunks: Tensor | None
    mass: Tensor


@dataclass
class SideCache:
    """Positioned keys and values of every active side layer, (batch, kv_heads, window, head_dim) each."""

    position: int = 0
    layers: dict[int, tuple[Tensor, Tensor]] = field(default_factory=dict)

    def extend(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Append the new positions of one layer and return the whole window."""
        if layer in self.layers:
            old_keys, old_values = self.layers[layer]
            keys, values = torch.cat((old_keys, keys), dim=2), torch.cat((old_values, values), dim=2)
        self.layers[layer] = (keys, values)
        return keys, values


@dataclass(frozen=True)
class SideOutput:
    """normed: `LN_side(X_n)` (batch, time, width), ready for the head; traces: one per memory layer read.
    words: what the book's own words add to the logits of every position (batch, vocabulary), or None.
    """

    normed: Tensor
    traces: tuple[LayerTrace, ...]
    words: Tensor | None = None

    def logits(self, backbone: Backbone, at: Tensor | slice = slice(None)) -> Tensor:
        """Return float32 logits (positions, vocabulary) of some positions of the first row."""
        logits = backbone.head(self.normed[0, at].to(backbone.dtype)).float()
        return logits if self.words is None else logits + self.words[0]


class SideLayer(CopiedBlock):
    """One side layer, started as a copy of a backbone block."""

    def __init__(self, config: SideNetConfig, backbone: Backbone, layer: int, shared: bool = False) -> None:
        super().__init__(backbone, config.source_block(layer), shared)
        self.index = layer
        self.memory = memory_of(config, backbone, layer) if layer in config.memory_layers else None
        self.carries = config.carries(layer)
        self.carried_form = config.branch_scale == "carried"
        self.attention_scale = self.mlp_scale = None
        if config.branch_scale == "learned":
            self.attention_scale = nn.Parameter(torch.zeros(config.width))
            self.mlp_scale = nn.Parameter(torch.zeros(config.width))
        self.requires_grad_(True)
        self.attends = self.transforms = self.reads = True

    def note_inert_branches(self) -> None:
        """Find the branches that multiply by zero, so that answering can leave them out."""
        if self.carried_form:
            self.attends = self.transforms = self.carries
        else:
            self.attends = self.attention_scale is None or bool(self.attention_scale.any())
            self.transforms = self.mlp_scale is None or bool(self.mlp_scale.any())
        if isinstance(self.memory, FollowingMemory):
            self.reads = self.memory.is_open
        else:
            self.reads = self.memory is not None and self.attends

    @property
    def votes(self) -> bool:
        """Tell whether it adds votes for what followed."""
        return self.reads and isinstance(self.memory, FollowingMemory)

    @property
    def votes_apart(self) -> bool:
        """Tell whether its votes are added at the end, and not to its other branches."""
        return self.votes and self.carried_form

    @property
    def active(self) -> bool:
        return self.attends or self.transforms or self.reads

    def forward(
        self,
        x: Tensor,
        cos_sin: tuple[Tensor, Tensor] | None,
        memory: MemoryReader | None,
        search: Tensor | None,
        cache: SideCache | None,
        chunks: Tensor | None = None,
    ) -> tuple[Tensor, LayerTrace | None]:
        """Add up the branches (batch, time, width) for `X_i` (batch, time, width); give what memory gave too.

        Where branches are carried `X_i` is what enters the copied block, `H_{b(i+1)−1} + D_i`.
        """
        branches, trace = torch.zeros_like(x), None
        if self.attends:
            attended, trace = self._attention(self.attention_norm(x), cos_sin, memory, search, cache, chunks)
            branches = attended if self.attention_scale is None else self.attention_scale * attended
        if self.votes:
            followed, trace = self.followed(x, memory, search, chunks)
            branches = branches + followed
        if self.transforms:
            transformed = self.mlp(self.mlp_norm(x if self.parallel else x + branches))
            branches = branches + (transformed if self.mlp_scale is None else self.mlp_scale * transformed)
        return branches, trace

    def _attention(
        self,
        normed: Tensor,
        cos_sin: tuple[Tensor, Tensor] | None,
        memory: MemoryReader | None,
        search: Tensor | None,
        cache: SideCache | None,
        chunks: Tensor | None,
    ) -> tuple[Tensor, LayerTrace | None]:
        query, key, value = self.project(normed)
        keys, values = rotate(key.transpose(1, 2), cos_sin), value.transpose(1, 2)
        if cache is not None:
            keys, values = cache.extend(self.index, keys, values)
        attended = local_attention(rotate(query.transpose(1, 2), cos_sin), keys, values).transpose(1, 2)
        if isinstance(self.memory, MemoryAttention):
            if self.memory.query is not None:
                query = per_head(normed, self.memory.query, self.query_norm, self.head_dim)
            found = self._found(query, memory, search, chunks)
            read, mass = self.memory(query, found)
            trace = LayerTrace(self.index, found.chunks, mass.detach())
            attended, apart = self.memory.combine(attended, read, mass), self.memory.apart(read)
            return self.output(attended.flatten(2)) + apart, trace
        return self.output(attended.flatten(2)), None

    def followed(
        self, x: Tensor, memory: MemoryReader | None, search: Tensor | None, chunks: Tensor | None
    ) -> tuple[Tensor, LayerTrace]:
        """Return what the tokens that followed in the book add (batch, time, width), and the trace."""
        query = self.project(self.attention_norm(x))[0]
        found = self._found(query, memory, search, chunks)
        assert self.memory is not None
        followed, mass = self.memory(query, found)
        return followed, LayerTrace(self.index, found.chunks, mass.detach())

    def _found(
        self, query: Tensor, memory: MemoryReader | None, search: Tensor | None, chunks: Tensor | None
    ) -> Retrieved:
        """Read the memory; the empty bank gives no slots, and the same computation."""
        if memory is not None:
            return memory.read(self.index, query, search, chunks)
        return Retrieved.nothing(query, self.kv_heads)


def learns(part: nn.Module | nn.Parameter | None) -> bool:
    """Tell whether anything of a part of a layer is being trained."""
    if isinstance(part, nn.Module):
        return any(parameter.requires_grad for parameter in part.parameters())
    return part is not None and part.requires_grad


def memory_of(config: SideNetConfig, backbone: Backbone, layer: int) -> MemoryAttention | FollowingMemory:
    """Make what a memory layer reads with."""
    shape = (config.heads, config.kv_heads, config.head_dim, config.null_slot)
    if config.gives_values(layer):
        carried = config.branch_scale == "carried"
        query = copy.deepcopy(backbone.projections(config.source_block(layer)).query) if carried else None
        return MemoryAttention(*shape, config.gate_start, query)
    return FollowingMemory(*shape, backbone.head_weight, backbone.final_norm.weight)


class SideNet(nn.Module):
    """All side layers, their last norm and the search map. The head stays the backbone's.

    shared: layers that have learned nothing and never will; their weights are the backbone's own.
    """

    def __init__(self, config: SideNetConfig, backbone: Backbone, shared: Collection[int] = ()) -> None:
        config.require(backbone)
        super().__init__()
        self.config = config
        self.rotary, self.keys_of = backbone.rotary, backbone.keys_of
        self.layers = nn.ModuleList(
            SideLayer(config, backbone, i, i in shared) for i in range(config.side_layers)
        )
        self.norm = copy.deepcopy(backbone.final_norm).requires_grad_(True)
        self.search: SearchMap | None = None
        if config.search == "pooled":
            self.search = SearchMap(config.width, config.search_dim)
        self.lexicon = Lexicon(len(backbone.head_weight)) if config.lexicon else None

    def train(self, mode: bool = True) -> "SideNet":
        """Leave out the branches that are zero and, unless they are being trained, will stay so."""
        super().train(mode)
        for layer in self.layers:
            layer.note_inert_branches()
            if mode:
                layer.attends |= learns(layer.attention_scale)
                layer.transforms |= learns(layer.mlp_scale)
                layer.reads |= learns(layer.memory)
        return self

    @property
    def states(self) -> tuple[int, ...]:
        """Return the `H_j` that `forward` needs."""
        needed = {j for layer in self.layers if layer.active for j in self.config.states(layer.index)}
        needed.add(self.config.blocks)
        if self.config.search_block is not None and self.search is not None and self.reads_memory:
            needed.add(self.config.search_block)
        return tuple(sorted(needed))

    @property
    def reads_memory(self) -> bool:
        """Tell whether any memory layer is more than the backbone's own computation."""
        return any(layer.reads for layer in self.layers)

    @property
    def gates(self) -> dict[int, tuple[tuple[float, ...], bool]]:
        """Return {memory layer: (how much each head's reading counts, whether as a share of the whole)}.

        The whole is window and memory together.
        """
        return {
            layer.index: (tuple(layer.memory.openness().tolist()), isinstance(layer.memory, MemoryAttention))
            for layer in self.layers
            if layer.memory is not None
        }

    @property
    def pointwise(self) -> bool:
        """Tell whether no active branch attends to the local window: each position then stands alone."""
        return not any(layer.attends for layer in self.layers)

    def forward(
        self, hidden: dict[int, Tensor], memory: MemoryReader | None = None, cache: SideCache | None = None
    ) -> SideOutput:
        """Run beside the backbone's `{j: H_j}`, each (batch, time, width), after what `cache` holds."""
        last = hidden[self.config.blocks]
        start = cache.position if cache is not None else 0
        cos_sin = self.rotary(start, last.shape[1], last.device)
        search = None
        if self.config.reads_by_map and memory is not None and self.reads_memory:
            assert self.search is not None and self.config.search_block is not None
            search = self.search.queries(hidden[self.config.search_block])
        deviation: Tensor | None = None
        votes: list[Tensor] = []  # where branches are carried
        traces: list[LayerTrace] = []
        found: dict[tuple[int, bool], Tensor | None] = {}  # one search serves all layers that read alike
        for layer in self.layers:
            if not layer.active:
                continue
            alike = (self.config.read_block(layer.index), self.config.gives_values(layer.index))
            state, own = self._entering(layer, hidden)
            if layer.votes_apart:
                asking = deviated(state, deviation, *votes)
                followed, trace = layer.followed(asking, memory, search, found.get(alike))
                votes.append(followed)
            else:
                x = deviated(state, deviation)
                branches, trace = layer(x, cos_sin, memory, search, cache, found.get(alike))
                deviation = deviated(branches if own is None else branches - own, deviation)
            if trace is not None:
                traces.append(trace)
                found.setdefault(alike, trace.chunks)
        if cache is not None:
            cache.position = start + last.shape[1]
        words = None
        if self.lexicon is not None and memory is not None:
            counts = memory.counts(len(self.lexicon.usual))
            words = None if counts is None else self.lexicon(counts.to(last.device))
        return SideOutput(self.norm(deviated(last, deviation, *votes)), tuple(traces), words)

    def _entering(self, layer: SideLayer, hidden: dict[int, Tensor]) -> tuple[Tensor, Tensor | None]:
        """Return the state that a layer reads and, where it carries, what the residual has of its block."""
        bottom, top = self.config.boundaries[layer.index : layer.index + 2]
        if not layer.carries:
            return hidden[bottom], None
        state = hidden[self.config.source_block(layer.index)]
        return state, hidden[top] - state


def deviated(state: Tensor, *deviations: Tensor | None) -> Tensor:
    """Add to a state what deviations there are."""
    for deviation in deviations:
        state = state if deviation is None else state + deviation
    return state


def changed_tensors(sidenet: SideNet, start: SideNet) -> dict[str, Tensor]:
    """Return the tensors of `sidenet` that training moved away from `start`, for a checkpoint."""
    origin = start.state_dict()
    return {
        name: tensor
        for name, tensor in sidenet.state_dict().items()
        if not torch.equal(tensor.cpu(), origin[name].cpu())
    }

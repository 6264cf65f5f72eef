"""The SideNet: a residual network beside the frozen backbone that reads the memory bank.

    X_0 = H_0
    X_{i+1} = X_i + (H_{b(i+1)} − H_{b(i)}) + s_a ⊙ Attn_i(LN X_i) + s_m ⊙ MLP_i(LN X_i)
    logits = head(LN_side(X_n))

with b(i) = reduction · i. The backbone's residuals telescope, so X_i = H_{b(i)} + D_i where D only gathers
the side branches; that is how it is computed. The learned scales s start at zero: D = 0, X_n = H_n, and an
untrained SideNet *is* the backbone. A branch whose scale is still zero costs nothing when answering.

Where the family runs attention and MLP one after the other, so does the side layer: its MLP reads
LN(X_i + s_a ⊙ Attn_i), as the copied weights expect.
"""

import copy
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor, nn

from engine.backbone.backbone import Backbone
from engine.sidenet.attention import MemoryAttention, Retrieved, local_attention, rotate
from engine.sidenet.block import CopiedBlock
from engine.sidenet.config import SideNetConfig
from engine.sidenet.following import FollowingMemory
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
    """normed: `LN_side(X_n)` (batch, time, width), ready for the head; traces: one per memory layer read."""

    normed: Tensor
    traces: tuple[LayerTrace, ...]


class SideLayer(CopiedBlock):
    """One side layer, started as a copy of a backbone block."""

    def __init__(self, config: SideNetConfig, backbone: Backbone, layer: int) -> None:
        super().__init__(backbone, config.source_block(layer))
        self.index = layer
        self.memory = memory_of(config, backbone) if layer in config.memory_layers else None
        self.attention_scale = self.mlp_scale = None
        if config.branch_scale == "learned":
            self.attention_scale = nn.Parameter(torch.zeros(config.width))
            self.mlp_scale = nn.Parameter(torch.zeros(config.width))
        self.requires_grad_(True)
        self.attends = self.transforms = self.reads = True

    def note_inert_branches(self) -> None:
        """Find the branches that multiply by zero, so that answering can leave them out."""
        self.attends = self.attention_scale is None or bool(self.attention_scale.any())
        self.transforms = self.mlp_scale is None or bool(self.mlp_scale.any())
        if isinstance(self.memory, FollowingMemory):
            self.reads = self.memory.is_open
        else:
            self.reads = self.memory is not None and self.attends

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
        """Sum of the branches (batch, time, width) for `X_i` (batch, time, width), and what memory gave."""
        branches, trace = torch.zeros_like(x), None
        if self.attends:
            attended, trace = self._attention(self.attention_norm(x), cos_sin, memory, search, cache, chunks)
            branches = attended if self.attention_scale is None else self.attention_scale * attended
        if self.reads and isinstance(self.memory, FollowingMemory):
            followed, trace = self._following(x, memory, search, chunks)
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
        trace = None
        if isinstance(self.memory, MemoryAttention):
            found = self._found(query, memory, search, chunks)
            read, mass = self.memory(query, found)
            attended = self.memory.combine(attended, read)
            trace = LayerTrace(self.index, found.chunks, mass.detach())
        return self.output(attended.flatten(2)), trace

    def _following(
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
        none = query.new_zeros(query.shape[0], 1, self.kv_heads, 0, self.head_dim)
        mask = none.new_zeros(query.shape[0], 1, 1, 0, dtype=torch.bool)
        return Retrieved(none, none, mask, following=mask.long())


def learns(part: nn.Module | nn.Parameter | None) -> bool:
    """Tell whether anything of a part of a layer is being trained."""
    if isinstance(part, nn.Module):
        return any(parameter.requires_grad for parameter in part.parameters())
    return part is not None and part.requires_grad


def memory_of(config: SideNetConfig, backbone: Backbone) -> MemoryAttention | FollowingMemory:
    """Make what a memory layer reads with."""
    shape = (config.heads, config.kv_heads, config.head_dim, config.null_slot)
    if config.memory_values == "attention":
        return MemoryAttention(*shape, config.gate_start)
    return FollowingMemory(*shape, backbone.head_weight, backbone.final_norm.weight)


class SideNet(nn.Module):
    """All side layers, their last norm and the search map. The head stays the backbone's."""

    def __init__(self, config: SideNetConfig, backbone: Backbone) -> None:
        config.require(backbone)
        super().__init__()
        self.config = config
        self.rotary, self.keys_of = backbone.rotary, backbone.keys_of
        self.layers = nn.ModuleList(SideLayer(config, backbone, i) for i in range(config.side_layers))
        self.norm = copy.deepcopy(backbone.final_norm).requires_grad_(True)
        self.search: SearchMap | None = None
        if config.search == "pooled":
            self.search = SearchMap(config.width, config.search_dim)

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
        """The `H_j` that `forward` needs."""
        needed = {self.config.boundaries[layer.index] for layer in self.layers if layer.active}
        needed.add(self.config.blocks)
        if self.search is not None and self.reads_memory:
            needed.add(self.config.search_block)
        return tuple(sorted(needed))

    @property
    def reads_memory(self) -> bool:
        """Whether any memory layer is more than the backbone's own computation."""
        return any(layer.reads for layer in self.layers)

    @property
    def gates(self) -> dict[int, tuple[tuple[float, ...], bool]]:
        """{memory layer: (how much each head's reading counts, whether as a share of window and memory)}."""
        return {
            layer.index: (tuple(layer.memory.openness().tolist()), isinstance(layer.memory, MemoryAttention))
            for layer in self.layers
            if layer.memory is not None
        }

    @property
    def pointwise(self) -> bool:
        """Whether no active branch attends to the local window: each position then stands alone."""
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
        traces: list[LayerTrace] = []
        found: dict[int, Tensor | None] = {}  # by block: one search serves every layer that reads it
        for layer in self.layers:
            if not layer.active:
                continue
            state = hidden[self.config.boundaries[layer.index]]
            x = state if deviation is None else state + deviation
            block = self.config.read_block(layer.index)
            branches, trace = layer(x, cos_sin, memory, search, cache, found.get(block))
            deviation = branches if deviation is None else deviation + branches
            if trace is not None:
                traces.append(trace)
                found.setdefault(block, trace.chunks)
        if cache is not None:
            cache.position = start + last.shape[1]
        return SideOutput(self.norm(last if deviation is None else last + deviation), tuple(traces))


def changed_tensors(sidenet: SideNet, start: SideNet) -> dict[str, Tensor]:
    """Return the tensors of `sidenet` that training moved away from `start`, for a checkpoint."""
    origin = start.state_dict()
    return {
        name: tensor
        for name, tensor in sidenet.state_dict().items()
        if not torch.equal(tensor.cpu(), origin[name].cpu())
    }

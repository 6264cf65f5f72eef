"""Keys and values of one book in RAM, and what part of them a page may read.

Filled segment by segment as a bank on disk is (1,024 tokens, no earlier context, fp16), so what is measured
here is what answering reads; only the file format is left out.
"""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from engine.sidenet.attention import Retrieved
from engine.sidenet.config import SideNetConfig
from engine.sidenet.search import SearchMap
from engine.sidenet.sidenet import MemoryReader
from engine.training.activations import Frozen
from engine.training.ring import TensorReader


@dataclass
class TextBank:
    """keys, values: {block: (kv_heads, tokens, head_dim)}; ids: (tokens,); pooled: (chunks, width) or
    None, where chunks are found by their attention keys."""

    config: SideNetConfig
    keys: dict[int, Tensor] = field(default_factory=dict)
    values: dict[int, Tensor] = field(default_factory=dict)
    ids: Tensor = field(default_factory=lambda: torch.zeros(0, dtype=torch.int64))
    pooled: Tensor | None = None

    @property
    def tokens(self) -> int:
        return next(iter(self.keys.values())).shape[1] if self.keys else 0

    @classmethod
    def of(cls, config: SideNetConfig, segments: list[Frozen]) -> "TextBank":
        """Fill a bank with consecutive segments, each of whole chunks."""
        if not segments:
            return cls(config)
        keys, values = (
            {
                block: torch.cat([getattr(part, name)[block] for part in segments])
                .half()
                .float()
                .transpose(0, 1)
                for block in config.memory_blocks
            }
            for name in ("keys", "values")
        )
        pooled = None
        if config.reads_by_map:
            assert config.search_block is not None
            entering = torch.cat([part.hidden[config.search_block] for part in segments])
            pooled = entering.unflatten(0, (-1, config.chunk_size)).mean(1).half().float()
        device = next(iter(keys.values())).device
        return cls(config, keys, values, torch.cat([part.ids for part in segments]).to(device), pooled)

    def reader(
        self, until: int, size: int = 0, search_map: SearchMap | None = None, top_k: int | None = None
    ) -> TensorReader | None:
        """Return what a page beginning at token `until` may read: `size` tokens before it, 0 for all."""
        chunk = self.config.chunk_size
        last = min(until, self.tokens) // chunk * chunk
        first = max(0, last - size) // chunk * chunk if size else 0
        if last <= first:
            return None
        following = self.ids[first:last].roll(-1)
        following[-1] = -1
        return TensorReader(
            self.config,
            {block: keys[:, first:last] for block, keys in self.keys.items()},
            {block: values[:, first:last] for block, values in self.values.items()},
            following,
            None if self.pooled is None else self.pooled[first // chunk : last // chunk],
            "sparse",
            search_map,
            top_k,
        )


@dataclass(frozen=True)
class Batched:
    """Serves a batch from a memory of one row: every position asks for itself."""

    memory: MemoryReader

    def read(
        self, layer: int, query: Tensor, search: Tensor | None, chunks: Tensor | None = None
    ) -> Retrieved:
        """Read as `MemoryReader.read` does. query: (batch, time, heads, head_dim)."""
        shape = query.shape[:2]
        flat = None if search is None else search.flatten(0, 1)[None]
        known = None if chunks is None else chunks.flatten(0, 1)[None]
        found = self.memory.read(layer, query.flatten(0, 1)[None], flat, known)

        def back(x: Tensor | None) -> Tensor | None:
            if x is None:
                return None
            return x.expand(shape[0], *x.shape[1:]) if x.shape[1] == 1 else x[0].unflatten(0, shape)

        parts = (found.keys, found.values, found.mask, found.bias, found.chunks, found.following)
        return Retrieved(*map(back, parts))

    def counts(self, vocabulary: int) -> Tensor | None:
        return self.memory.counts(vocabulary)

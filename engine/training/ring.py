"""The memory of a training run: one ring of keys and values per row of the batch, in RAM.

A bank belongs to one document: a row is cleared when its book ends. The order is retrieve, then append, so a
segment never sees itself. Two ways to read: "dense" attends to every stored token, so that the gradient can
raise what a search would not have found; "sparse" attends to the top chunks of each token, as answering does.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from engine.sidenet.attention import Retrieved
from engine.sidenet.config import SideNetConfig
from engine.sidenet.lexicon import counted
from engine.sidenet.search import SearchMap

READINGS = ("dense", "sparse")
SCORES = 1 << 24  # held at a time while searching: 64 MB


class Ring:
    """Banks of several rows; the newest `capacity` tokens of each.

    Segments are written whole: capacity and segment length are multiples of the chunk size, and a segment
    that would cross the end of the ring goes on at its start.
    """

    def __init__(self, config: SideNetConfig, rows: int, capacity: int, device: torch.device | str = "cpu"):
        self.config, self.rows, self.capacity = config, rows, capacity
        self.chunks = capacity // config.chunk_size
        if capacity % config.chunk_size:
            raise ValueError("a ring holds whole chunks")
        shape = (rows, config.kv_heads, capacity, config.head_dim)
        self.keys = {block: torch.zeros(shape, device=device) for block in config.memory_blocks}
        self.values = {block: torch.zeros(shape, device=device) for block in config.memory_blocks}
        self.ids = torch.zeros(rows, capacity, dtype=torch.int64, device=device)
        self.pooled: Tensor | None = None
        if config.reads_by_map:
            self.pooled = torch.zeros(rows, self.chunks, config.width, device=device)
        self.written = [0] * rows

    def clear(self, row: int) -> None:
        """Forget a row: its book has ended."""
        self.written[row] = 0

    def tokens(self, row: int) -> int:
        """Return how many tokens a row holds."""
        return min(self.written[row], self.capacity)

    def append(
        self,
        row: int,
        ids: Tensor,
        keys: dict[int, Tensor],
        values: dict[int, Tensor],
        entering: Tensor | None = None,
    ) -> None:
        """Store a segment of one row.

        ids: (time,). keys, values: {block: (time, kv_heads, head_dim)}; entering: (time, width), the hidden
        states that enter the search block, if search is pooled. `time` is a multiple of the chunk size.
        """
        time, size = next(iter(keys.values())).shape[0], self.config.chunk_size
        if time % size:
            raise ValueError("a ring stores whole chunks")
        if time > self.capacity:
            raise ValueError("a segment is longer than the ring")
        at = (torch.arange(time, device=self.ids.device) + self.written[row]) % self.capacity
        self.ids[row, at] = ids.to(self.ids)
        for block in self.keys:
            # Rounded to fp16, as banks on disk are.
            self.keys[block][row, :, at] = keys[block].transpose(0, 1).half().to(self.keys[block])
            self.values[block][row, :, at] = values[block].transpose(0, 1).half().to(self.values[block])
        if self.pooled is not None and entering is not None:
            chunks = entering.to(self.pooled).unflatten(0, (-1, size)).mean(1)
            self.pooled[row, at[::size] // size] = chunks.half().to(chunks)
        self.written[row] += time

    def state(self) -> dict:
        """Return what a checkpoint needs to go on, on the CPU: only the filled part of every row."""
        rows = [self.tokens(row) for row in range(self.rows)]
        return {
            "written": list(self.written),
            "ids": [self.ids[row, :count].cpu().clone() for row, count in enumerate(rows)],
            "keys": {b: [k[r, :, :n].half().cpu() for r, n in enumerate(rows)] for b, k in self.keys.items()},
            "values": {
                b: [v[r, :, :n].half().cpu() for r, n in enumerate(rows)] for b, v in self.values.items()
            },
            "pooled": None
            if self.pooled is None
            else [self.pooled[r, : n // self.config.chunk_size].cpu() for r, n in enumerate(rows)],
        }

    def restore(self, state: dict) -> None:
        """Go back to a state made by `state()`."""
        self.written = list(state["written"])
        for row, part in enumerate(state["ids"]):
            self.ids[row, : part.shape[0]] = part
        for name in ("keys", "values"):
            for block, stored in getattr(self, name).items():
                for row, part in enumerate(state[name][block]):
                    stored[row, :, : part.shape[1]] = part.to(stored)
        if self.pooled is not None:
            for row, part in enumerate(state["pooled"]):
                self.pooled[row, : part.shape[0]] = part

    def reader(
        self,
        row: int,
        reading: str = "dense",
        search_map: SearchMap | None = None,
        top_k: int | None = None,
        beside: int | None = None,
    ) -> "TensorReader":
        """Serve memory attention from what a row holds now and, after it, what the row `beside` holds."""
        rows = [row] if beside is None else [row, beside]

        def held(stored: Tensor, size: int = 1) -> Tensor:
            parts = [stored[one].narrow(-2, 0, self.tokens(one) // size) for one in rows]
            return parts[0] if len(parts) == 1 else torch.cat(parts, dim=-2)

        return TensorReader(
            self.config,
            {block: held(keys) for block, keys in self.keys.items()},
            {block: held(values) for block, values in self.values.items()},
            torch.cat([self._following(one) for one in rows]),
            None if self.pooled is None else held(self.pooled, self.config.chunk_size),
            reading,
            search_map,
            top_k,
        )

    def _following(self, row: int) -> Tensor:
        """Return the token after each that a row holds, −1 after the newest."""
        count = self.tokens(row)
        following = self.ids[row, :count].roll(-1)
        if count:
            following[(self.written[row] - 1) % self.capacity] = -1
        return following


@dataclass(frozen=True)
class TensorReader:
    """Serves memory attention for one row (batch 1) from tensors; implements `MemoryReader`.

    keys, values: {block: (kv_heads, tokens, head_dim)}, whole chunks. following: (tokens,) the token after
    each, −1 where there is none. pooled: (chunks, width) mean states
    that enter the search block, or None. search_map: the SideNet's, where the search is pooled. top_k: chunks
    that a token reads when sparse, by default the configuration's.
    """

    config: SideNetConfig
    keys: dict[int, Tensor]
    values: dict[int, Tensor]
    following: Tensor
    pooled: Tensor | None = None
    reading: str = "dense"
    search_map: SearchMap | None = None
    top_k: int | None = None

    @property
    def chunks_read(self) -> int:
        """Return how many chunks a token reads when sparse."""
        tokens = self.following.shape[0]
        return min(self.top_k or self.config.top_k, tokens // self.config.chunk_size)

    def read(
        self, layer: int, query: Tensor, search: Tensor | None, chunks: Tensor | None = None
    ) -> Retrieved:
        """Return keys and values for a memory layer; query (1, time, heads, head_dim). See `MemoryReader`."""
        block = self.config.read_block(layer)
        keys, values = self.keys[block], self.values[block]
        if self.reading == "dense" or keys.shape[1] == 0:
            tokens = self.following[None, None, None]
            if not self.config.gives_values(layer):
                return Retrieved(keys[None, None], None, tokens >= 0, following=tokens.clamp(min=0))
            if self.config.values_follow:
                return Retrieved(keys[None, None], values.roll(-1, 1)[None, None], tokens >= 0)
            return Retrieved(keys[None, None], values[None, None], torch.ones_like(tokens, dtype=torch.bool))
        best = self._best(query, keys, search) if chunks is None else chunks[0]
        return self._gather(layer, best)

    def counts(self, vocabulary: int) -> Tensor:
        """Count the tokens that may be read, but for the first: (1, vocabulary)."""
        return counted(self.following, vocabulary)[None]

    @torch.no_grad()
    def _best(self, query: Tensor, keys: Tensor, search: Tensor | None) -> Tensor:
        """Find the top chunks of every token: (time, heads or 1, k)."""
        size, k = self.config.chunk_size, self.chunks_read
        if search is not None and self.search_map is not None:
            index = self.search_map.keys(self.pooled)
            return (search[0] @ index.T)[:, None].topk(k).indices
        means = keys.unflatten(1, (-1, size)).mean(2)
        kv_heads, heads = means.shape[0], query.shape[2]
        grouped = query[0].unflatten(1, (kv_heads, heads // kv_heads)).permute(1, 2, 0, 3).flatten(1, 2)
        at_once = max(1, SCORES // (kv_heads * means.shape[1]))
        parts = [(part @ means.transpose(1, 2)).topk(k).indices for part in grouped.split(at_once, dim=1)]
        found = torch.cat(parts, dim=1)  # (kv_heads, group · time, k)
        return found.view(kv_heads, heads // kv_heads, -1, k).flatten(0, 1).transpose(0, 1)

    def _gather(self, layer: int, chunk_ids: Tensor) -> Retrieved:
        """Fetch the tokens of the chosen chunks as slots."""
        block = self.config.read_block(layer)
        keys, values = self.keys[block], self.values[block]
        size = self.config.chunk_size
        steps = torch.arange(size, device=keys.device)
        slots = (chunk_ids[..., None] * size + steps).flatten(-2)  # (time, heads or 1, slots)

        def at(slots: Tensor, stored: Tensor) -> Tensor:
            if slots.shape[1] == 1:
                return stored[:, slots[:, 0]].transpose(0, 1)[None]
            owner = torch.arange(slots.shape[1], device=keys.device) // (slots.shape[1] // keys.shape[0])
            return stored[owner[None, :, None], slots][None]

        tokens, chunks = self.following[slots][None], chunk_ids[None]
        if not self.config.gives_values(layer):
            return Retrieved(at(slots, keys), None, tokens >= 0, chunks=chunks, following=tokens.clamp(min=0))
        if self.config.values_follow:
            after = (slots + 1) % keys.shape[1]
            return Retrieved(at(slots, keys), at(after, values), tokens >= 0, chunks=chunks)
        mask = torch.ones(1, slots.shape[0], 1, slots.shape[-1], dtype=torch.bool, device=keys.device)
        return Retrieved(at(slots, keys), at(slots, values), mask, chunks=chunks)

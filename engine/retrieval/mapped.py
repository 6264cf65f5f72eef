"""Search straight over the mapped file: no memory however long the book, at about twice the time."""

import numpy as np
import torch
from torch import Tensor

from engine.retrieval.index import Best, by_key_head, by_query, clipped, per_head

BLOCK_VALUES = 1 << 19  # keys turned to float32 at a time: 2 MB, for the cache
SCORES = 1 << 22  # held at a time: 16 MB


class MappedIndex:
    """Matrix product over blocks of the fp16 or fp32 keys (chunks, kv_heads, dim) as they lie on disk."""

    nbytes = 0

    def __init__(self, keys: np.ndarray) -> None:
        self._keys = per_head(keys)
        self.chunks, self.heads, self.dim = self._keys.shape

    def search(self, queries: Tensor, k: int, lo: int = 0, hi: int | None = None) -> tuple[Tensor, Tensor]:
        grouped = by_key_head(self, queries, k)
        lo, hi = clipped(lo, hi, self.chunks)
        rows = grouped.shape[1]
        best = Best(self.heads * rows, k)
        step = max(1024, BLOCK_VALUES // (self.heads * self.dim))
        width = step * max(1, SCORES // (self.heads * max(1, rows) * step))
        # One buffer each: fresh memory for every block would cost more than the product.
        exact = torch.empty(self.heads, step, self.dim)
        scores = torch.empty(self.heads, rows, min(width, max(hi - lo, 1)))
        for first in range(lo, hi, width):
            end = min(first + width, hi)
            for start in range(first, end, step):
                block = torch.from_numpy(np.asarray(self._keys[start : min(start + step, end)]))
                keys = exact[:, : len(block)].copy_(block.transpose(0, 1))
                columns = scores[..., start - first : start - first + len(block)]
                torch.matmul(grouped, keys.transpose(1, 2), out=columns)
            best.add(scores[..., : end - first].flatten(0, 1), first)
        return by_query(best.ids, queries, self.heads), by_query(best.scores, queries, self.heads)

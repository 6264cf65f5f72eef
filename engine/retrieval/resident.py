"""Search over a float32 copy in memory, one row per dimension: the fastest for a token at a time.

Transposed, the product with one query reads memory from front to back and converts nothing. A chunk of 128
dimensions takes 512 bytes: 128 MB for a million tokens in chunks of 4.
"""

import numpy as np
import torch
from torch import Tensor

from engine.retrieval.index import Best, by_key_head, by_query, clipped, per_head

ROWS_AT_ONCE = 1 << 14
QUERIES_AT_ONCE = 32


class ResidentIndex:
    """Matrix product over keys held as (kv_heads, dim, chunks) float32.

    A chunk is copied when a range that holds it is first searched: what lies outside is not even read.
    """

    def __init__(self, keys: np.ndarray) -> None:
        self._source = per_head(keys)
        self.chunks, self.heads, self.dim = self._source.shape
        self._keys = torch.empty(self.heads, self.dim, self.chunks)
        self._held = np.zeros(self.chunks, dtype=bool)

    @property
    def nbytes(self) -> int:
        return 4 * self.heads * self.dim * int(self._held.sum())

    def search(self, queries: Tensor, k: int, lo: int = 0, hi: int | None = None) -> tuple[Tensor, Tensor]:
        lo, hi = clipped(lo, hi, self.chunks)
        parts = [self._search(part, k, lo, hi) for part in queries.split(QUERIES_AT_ONCE)]
        return torch.cat([ids for ids, _ in parts]), torch.cat([scores for _, scores in parts])

    def _search(self, queries: Tensor, k: int, lo: int, hi: int) -> tuple[Tensor, Tensor]:
        grouped = by_key_head(self, queries, k)
        best = Best(self.heads, grouped.shape[1], k)
        for start in range(lo, hi, ROWS_AT_ONCE):
            best.add(grouped @ self._block(start, min(start + ROWS_AT_ONCE, hi)), start)
        return by_query(best.ids, queries), by_query(best.scores, queries)

    def _block(self, start: int, end: int) -> Tensor:
        """(kv_heads, dim, end − start), copied where it is not held yet."""
        held = self._held[start:end]
        if not held.all():
            for lo, hi in runs(~held):
                block = torch.from_numpy(np.asarray(self._source[start + lo : start + hi]))
                self._keys[:, :, start + lo : start + hi] = block.permute(1, 2, 0)
            held[:] = True
        return self._keys[:, :, start:end]


def runs(flags: np.ndarray) -> list[tuple[int, int]]:
    """Where flags (n,) are True, as ranges [lo, hi)."""
    edges = np.flatnonzero(np.diff(flags.astype(np.int8), prepend=0, append=0))
    return [(int(lo), int(hi)) for lo, hi in edges.reshape(-1, 2)]

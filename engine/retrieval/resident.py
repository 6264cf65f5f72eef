"""Search over a float32 copy in memory, one row per dimension: the fastest for a token at a time.

Transposed, the product with one query reads memory from front to back and converts nothing; in tiles, that
with many queries stays in the cache. A chunk of 128 dimensions takes 512 bytes: 128 MB for a million tokens.
"""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from engine.retrieval.index import Best, Held, by_key_head, by_query, clipped, per_head

TILE = 4096  # chunks
SCORES = 1 << 22  # held at a time: 16 MB
QUERIES_AT_ONCE = 128


class ResidentIndex:
    """Matrix product over keys held as (tiles, kv_heads, dim, 4096) float32.

    A chunk is copied when a range that holds it is first searched: what lies outside is not even read.
    """

    def __init__(self, keys: np.ndarray) -> None:
        self._source = per_head(keys)
        self.chunks, self.heads, self.dim = self._source.shape
        self._tiles = torch.empty(-(-self.chunks // TILE), self.heads, self.dim, TILE)
        self._held = Held(self.chunks, self._copy)

    @property
    def nbytes(self) -> int:
        return 4 * self.heads * self.dim * self._held.count

    def search(self, queries: Tensor, k: int, lo: int = 0, hi: int | None = None) -> tuple[Tensor, Tensor]:
        lo, hi = clipped(lo, hi, self.chunks)
        self._held.need(lo, hi)
        parts = [self._search(part, k, lo, hi) for part in queries.split(QUERIES_AT_ONCE)]
        return torch.cat([ids for ids, _ in parts]), torch.cat([scores for _, scores in parts])

    def _search(self, queries: Tensor, k: int, lo: int, hi: int) -> tuple[Tensor, Tensor]:
        grouped = by_key_head(self, queries, k)
        best = Best(self.heads * grouped.shape[1], k)
        at_once = max(1, SCORES // (TILE * max(1, len(best.scores))))
        for tiles, columns, first in pieces(lo, hi, at_once):
            # One batched product for all tiles: (tiles, kv_heads, rows, columns).
            scores = grouped @ self._tiles[tiles, :, :, columns]
            best.add(scores.permute(1, 2, 0, 3).flatten(0, 1).flatten(1), first)
        return by_query(best.ids, queries, self.heads), by_query(best.scores, queries, self.heads)

    def _copy(self, lo: int, hi: int) -> None:
        for tiles, columns, first in pieces(lo, hi, 1):
            count = columns.stop - columns.start
            block = torch.from_numpy(np.asarray(self._source[first : first + count]))
            self._tiles[tiles.start, :, :, columns] = block.permute(1, 2, 0)


def pieces(lo: int, hi: int, tiles_at_once: int) -> Iterator[tuple[slice, slice, int]]:
    """Yield [lo, hi) as tiles, columns of each, and the first chunk; whole tiles together, parts alone."""
    while lo < hi:
        tile, column = divmod(lo, TILE)
        whole = min((hi - lo) // TILE, tiles_at_once) if column == 0 else 0
        end = lo + whole * TILE if whole else min(hi, (tile + 1) * TILE)
        yield slice(tile, tile + max(whole, 1)), slice(column, TILE if whole else column + end - lo), lo
        lo = end

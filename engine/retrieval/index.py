"""Exact search of chunk keys: one small interface, and what the ways behind it (`kinds.py`) share.

    score(q, h, c) = q_h · K_c,h'      h' = h // (heads / kv_heads): query heads share the keys of their group

A range of chunks is a slice: rows outside are never read.
"""

from collections.abc import Callable
from threading import Lock
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from ingest.errors import BadInput


class SearchIndex(Protocol):
    """chunks: rows; heads: key heads; dim: of a key; nbytes: memory held beyond the mapped file."""

    chunks: int
    heads: int
    dim: int

    @property
    def nbytes(self) -> int: ...

    def search(self, queries: Tensor, k: int, lo: int = 0, hi: int | None = None) -> tuple[Tensor, Tensor]:
        """Find the k chunks of [lo, hi) with the largest inner product, best first.

        queries: (q, heads, dim) float32, heads a multiple of the key heads. Returns ids (q, heads, k) int64,
        −1 where there are fewer than k, and scores (q, heads, k) float32, −inf there. Raises BadInput for
        queries of another shape or k < 1.
        """


def per_head(keys: np.ndarray) -> np.ndarray:
    """Return keys as (chunks, kv_heads, dim)."""
    if keys.ndim not in (2, 3):
        raise BadInput(f"search keys are (chunks, dim) or (chunks, heads, dim), not {keys.shape}")
    return keys if keys.ndim == 3 else keys[:, None]


def by_key_head(index: SearchIndex, queries: Tensor, k: int) -> Tensor:
    """Group queries (q, heads, dim) by their key heads: (kv_heads, q · group, dim)."""
    if queries.ndim != 3 or queries.shape[2] != index.dim or queries.shape[1] % index.heads or k < 1:
        raise BadInput(
            f"queries are (q, a multiple of {index.heads}, {index.dim}) and k at least 1, "
            f"not {tuple(queries.shape)} and {k}"
        )
    grouped = queries.detach().float().unflatten(1, (index.heads, -1))
    return grouped.permute(1, 0, 2, 3).flatten(1, 2).contiguous()


def by_query(rows: Tensor, queries: Tensor, heads: int) -> Tensor:
    """Turn (kv_heads · q · group, k), flat or not, back into (q, heads, k)."""
    q, group = queries.shape[0], queries.shape[1] // heads
    return rows.reshape(heads, q, group, -1).transpose(0, 1).flatten(1, 2).contiguous()


def clipped(lo: int, hi: int | None, chunks: int) -> tuple[int, int]:
    """Clip a range to [0, chunks]; an empty one is (lo, lo)."""
    lo = min(max(lo, 0), chunks)
    return lo, chunks if hi is None else min(max(hi, lo), chunks)


class Held:
    """Which chunks an index has copied: each before it is first searched, and by one thread at a time.

    copy(lo, hi) copies a range; what lies outside the ranges that are needed is never read.
    """

    def __init__(self, chunks: int, copy: Callable[[int, int], None]) -> None:
        self._flags, self._copy, self._lock = np.zeros(chunks, dtype=bool), copy, Lock()

    @property
    def count(self) -> int:
        return int(self._flags.sum())

    @property
    def ranges(self) -> list[tuple[int, int]]:
        """Return what is held, as ranges [lo, hi)."""
        return runs(self._flags)

    def need(self, lo: int, hi: int) -> None:
        """Copy what of [lo, hi) is not held yet."""
        if self._flags[lo:hi].all():
            return
        with self._lock:
            for start, end in runs(~self._flags[lo:hi]):
                self._copy(lo + start, lo + end)
                self._flags[lo + start : lo + end] = True


def runs(flags: np.ndarray) -> list[tuple[int, int]]:
    """Find where flags (n,) are True, as ranges [lo, hi)."""
    edges = np.flatnonzero(np.diff(flags.astype(np.int8), prepend=0, append=0))
    return [(int(lo), int(hi)) for lo, hi in edges.reshape(-1, 2)]


class Best:
    """The k best of scores that come block by block, per row.

    Selection is exact and cheap: the k largest of a row lie within the k groups of columns whose maxima are
    largest, and a row whose block has nothing above its k-th best so far is left alone.
    """

    GROUP = 16

    def __init__(self, rows: int, k: int) -> None:
        self.k = k
        self.scores = torch.full((rows, k), float("-inf"))
        self.ids = torch.full((rows, k), -1, dtype=torch.int64)

    def add(self, block: Tensor, first: int) -> None:
        """Take in scores (rows, n) of the chunks from `first` on; the block may be overwritten after."""
        n = block.shape[1]
        whole = n - n % self.GROUP if n >= 4 * self.k * self.GROUP else 0
        if whole:
            # Columns a stride apart form a group: the maximum then runs along contiguous memory.
            maxima = block[:, :whole].unflatten(1, (self.GROUP, -1)).amax(1)
            rows = (maxima.amax(1) > self.scores[:, -1]).nonzero()
            columns = maxima[rows[:, 0]].topk(self.k, sorted=False).indices
            offsets = torch.arange(0, whole, maxima.shape[1])[:, None]
            columns = (columns[:, None] + offsets).flatten(1)
            self._merge(rows, block[rows, columns], columns + first)
        if whole < n:
            rows = torch.arange(len(block))[:, None]
            self._merge(rows, block[:, whole:], torch.arange(first + whole, first + n).expand(len(block), -1))

    def _merge(self, rows: Tensor, scores: Tensor, ids: Tensor) -> None:
        """Merge scores and ids (r, n) into those kept. rows (r, 1): which rows they belong to."""
        rows = rows[:, 0]
        scores = torch.cat((self.scores[rows], scores), dim=1)
        ids = torch.cat((self.ids[rows], ids), dim=1)
        top = scores.topk(self.k)
        self.scores[rows] = top.values
        self.ids[rows] = ids.gather(1, top.indices)

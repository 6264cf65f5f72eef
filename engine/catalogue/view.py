"""View: what a process has open of a catalogue, and the search in it: the index file, and the books since."""

from collections.abc import Mapping
from dataclasses import dataclass

import faiss
import numpy as np

from engine.catalogue import nearest

Allowed = Mapping[str, tuple[int, int | None]]  # the first and the last passage (not included) of a book


@dataclass(frozen=True)
class Row:
    """One book: its number, when it came to the shelf, its ids in the index, and how many words it has.

    ids: first … first + passages − 1. indexed: whether the index file holds them.
    """

    number: int
    id: str
    created: float
    first: int
    passages: int
    words: int
    indexed: int


@dataclass(frozen=True)
class Found:
    """A passage found: the book, the number of the passage there, and the likeness of its vector."""

    book: str
    passage: int
    score: float


class View:
    """Search over the rows of one state of a catalogue.

    index: of the indexed rows, None where there are none. ids: how many the index has given out.
    late: vectors (passages, dim) float32 of the other rows, one after the other.
    """

    def __init__(
        self, state: int, rows: list[Row], index: faiss.Index | None, ids: int, late: np.ndarray
    ) -> None:
        self.state, self.rows, self._index, self._ids = state, rows, index, ids
        self._late = late
        self._late_rows = [row for row in rows if not row.indexed]
        self._indexed = sorted((row for row in rows if row.indexed), key=lambda row: row.first)
        self._firsts = np.array([row.first for row in self._indexed], np.int64)
        self._is_whole = index is not None and index.ntotal == sum(row.passages for row in self._indexed)

    def nearest(self, queries: np.ndarray, k: int, allowed: Allowed | None) -> list[list[Found]]:
        """Find the k allowed passages most like each query (n, dim), best first; None allows all."""
        found: list[list[Found]] = [[] for _ in queries]
        if self._index is not None:
            scores, ids = nearest.search(self._index, queries, k, self._mask(allowed))
            for number, (some, which) in enumerate(zip(scores, ids, strict=True)):
                found[number] += self._named(some[which >= 0], which[which >= 0])
        if len(self._late):
            open_to = self._late_mask(allowed)
            likeness = np.where(open_to, queries @ self._late.T, -np.inf)
            for number, some in enumerate(likeness):
                found[number] += self._named_late(some, min(k, int(open_to.sum())))
        return [sorted(some, key=lambda one: -one.score)[:k] for some in found]

    def _mask(self, allowed: Allowed | None) -> np.ndarray | None:
        """Mark the ids that may be found; None where that is all of them."""
        if allowed is None and self._is_whole:
            return None
        mask, passages = np.zeros(self._ids, bool), 0
        for row in self._indexed:
            lo, hi = _bounds(row, allowed)
            mask[row.first + lo : row.first + hi] = True
            passages += row.passages
        return None if self._is_whole and mask.sum() == passages else mask

    def _late_mask(self, allowed: Allowed | None) -> np.ndarray:
        mask, start = np.zeros(len(self._late), bool), 0
        for row in self._late_rows:
            lo, hi = _bounds(row, allowed)
            mask[start + lo : start + hi] = True
            start += row.passages
        return mask

    def _named(self, scores: np.ndarray, ids: np.ndarray) -> list[Found]:
        rows = [self._indexed[at] for at in np.searchsorted(self._firsts, ids, side="right") - 1]
        every = zip(rows, ids.tolist(), scores.tolist(), strict=True)
        return [Found(row.id, one - row.first, score) for row, one, score in every]

    def _named_late(self, scores: np.ndarray, k: int) -> list[Found]:
        ends = np.cumsum([row.passages for row in self._late_rows])
        found = []
        for place in np.argsort(-scores, kind="stable")[:k].tolist():
            which = int(np.searchsorted(ends, place, side="right"))
            row = self._late_rows[which]
            found.append(Found(row.id, place - int(ends[which]) + row.passages, float(scores[place])))
        return found


def _bounds(row: Row, allowed: Allowed | None) -> tuple[int, int]:
    """Return the first and the last passage (not included) of a book that may be found."""
    if allowed is None:
        return 0, row.passages
    lo, hi = allowed.get(row.id, (0, 0))
    hi = row.passages if hi is None else min(hi, row.passages)
    return min(lo, hi), hi

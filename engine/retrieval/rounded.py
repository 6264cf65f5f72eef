"""Search over keys rounded to bytes, then exactly over what the rounding leaves possible.

A key is k = c + s ⊙ (r + e): centre and scale per head and dimension, r a byte, e what rounding lost; a
query scaled by s is s ⊙ q = t (p + d) likewise. A score is then q·c + t p·r within |s ⊙ q| |e| + t |d| |r|:
chunks whose rough score lies that far below the k-th best exact one cannot be among the best, and the result
is exact. A processor that multiplies bytes by itself (VNNI) takes half the time of float32, in a quarter of
the memory.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from engine.retrieval.index import Best, Held, by_key_head, by_query, clipped, per_head

LARGEST = 127
CANDIDATES = 128  # scored exactly at first; four times as many where the bound asks for more
ROWS_AT_ONCE = 1 << 14
FEW = 8_192  # so many chunks take less time by the keys themselves,
MANY, FEW_FOR_MANY = 16, 24_576  # and so many where the queries of a key head are many
QUERIES_AT_ONCE = 16  # products of more rows at once are slower by the row
SCORES = 1 << 24  # held at a time: 64 MB
SLACK = 1e-5  # of the bound and of a score, for what float32 itself rounds
TINY = 1e-30
CUT_OFF = 0.505  # of √dim: more than half a step in every dimension is not lost by rounding


@dataclass
class Rounding:
    """centre, scale: (kv_heads, dim). error, norm: (kv_heads,), the largest |e| and |r| of what is held."""

    centre: Tensor
    scale: Tensor
    error: Tensor
    norm: Tensor

    @classmethod
    def fitted(cls, blocks: Iterable[Tensor]) -> "Rounding":
        """Fit a rounding to keys of blocks (chunks, kv_heads, dim); other keys are cut off: `cuts_off`."""
        lows, highs = zip(*(block.aminmax(dim=0) for block in blocks), strict=True)
        low, high = torch.stack(lows).amin(0), torch.stack(highs).amax(0)
        none = torch.zeros(len(low))
        return cls((low + high) / 2, ((high - low) / (2 * LARGEST)).clamp(min=TINY), none, none.clone())

    def rounded(self, keys: Tensor) -> Tensor:
        """Round float32 keys to bytes (chunks, kv_heads, dim); `error` and `norm` take note of them."""
        exact = (keys - self.centre) / self.scale
        made = exact.round().clamp(-LARGEST, LARGEST)
        self.error = torch.maximum(self.error, (exact - made).norm(dim=-1).amax(0))
        self.norm = torch.maximum(self.norm, made.norm(dim=-1).amax(0))
        return made.to(torch.int8)

    @property
    def cuts_off(self) -> bool:
        """Tell whether some key lies so far outside what was fitted that the bound rules out little."""
        return bool((self.error > CUT_OFF * self.centre.shape[1] ** 0.5).any())


def are_few(chunks: int, queries: int) -> bool:
    """Tell whether rounding keys would take longer than it saves. queries: of one key head."""
    return chunks <= (FEW if queries < MANY else FEW_FOR_MANY)


class RoundedIndex:
    """Bytes held as (kv_heads, chunks, dim); a chunk is read when a range that holds it is first searched."""

    def __init__(self, keys: np.ndarray) -> None:
        self._source = per_head(keys)
        self.chunks, self.heads, self.dim = self._source.shape
        self._held = Held(self.chunks, self._copy)
        # Replaced as one: a search under way goes on with what it began with.
        self._rounding_and_bytes: tuple[Rounding, Tensor] | None = None

    @property
    def nbytes(self) -> int:
        return self.heads * self.dim * self._held.count

    def search(self, queries: Tensor, k: int, lo: int = 0, hi: int | None = None) -> tuple[Tensor, Tensor]:
        grouped = by_key_head(self, queries, k)
        lo, hi = clipped(lo, hi, self.chunks)
        at_once = max(1, SCORES // max(1, self.heads * (hi - lo)))
        best = self._best_of_few
        if not are_few(hi - lo, grouped.shape[1]):
            self._held.need(lo, hi)
            at_once, best = min(QUERIES_AT_ONCE, at_once), self._best
        found = [best(part, k, lo, hi) for part in grouped.split(at_once, dim=1)]
        ids, scores = (torch.cat(parts, dim=1) for parts in zip(*found, strict=True))
        return by_query(ids, queries, self.heads), by_query(scores, queries, self.heads)

    def _best_of_few(self, queries: Tensor, k: int, lo: int, hi: int) -> tuple[Tensor, Tensor]:
        """Find what `_best` finds, without rounding anything."""
        heads, rows, _ = queries.shape
        keys = torch.from_numpy(np.asarray(self._source[lo:hi])).float().permute(1, 2, 0)
        best = Best(heads * rows, k)
        best.add((queries @ keys).flatten(0, 1), lo)
        return best.ids.view(heads, rows, k), best.scores.view(heads, rows, k)

    def _best(self, queries: Tensor, k: int, lo: int, hi: int) -> tuple[Tensor, Tensor]:
        """Find ids and scores (kv_heads, rows, k) for queries (kv_heads, rows, dim)."""
        heads, rows, _ = queries.shape
        assert self._rounding_and_bytes is not None  # what is needed was copied
        rounding, made = self._rounding_and_bytes
        rough, step, lost = _rough(queries, rounding, made[:, lo:hi])
        offset = (queries @ rounding.centre[:, :, None])[..., 0]
        count = max(k, min(CANDIDATES, hi - lo))
        while True:
            near = Best(heads * rows, count)
            near.add(rough, lo)
            ids = near.ids.view(heads, rows, count)
            best = self._exact(queries, ids, lo).topk(k)
            others = offset + step * near.scores[:, -1].view(heads, rows)
            others += lost + SLACK * (lost + others.abs())
            if count >= hi - lo or (best.values[..., -1] >= others).all():
                return ids.gather(2, best.indices), best.values
            count = min(4 * count, hi - lo)

    def _exact(self, queries: Tensor, ids: Tensor, lo: int) -> Tensor:
        """Score by the keys themselves (kv_heads, rows, candidates), −inf where there is no candidate."""
        heads = np.arange(self.heads)[:, None, None]
        keys = torch.from_numpy(self._source[ids.clamp(min=lo).numpy(), heads]).float()
        return (keys @ queries[..., None])[..., 0].masked_fill(ids < 0, float("-inf"))

    def _copy(self, lo: int, hi: int) -> None:
        """Round what is new; where that lies outside what was fitted, all that is held anew."""
        held = self._rounding_and_bytes
        if held is not None:
            self._round(*held, lo, hi)
            if not held[0].cuts_off:
                return
        ranges = [*self._held.ranges, (lo, hi)]
        fitted = Rounding.fitted(block for start, end in ranges for block in self._blocks(start, end))
        made = fitted, torch.empty(self.heads, self.chunks, self.dim, dtype=torch.int8)
        for start, end in ranges:
            self._round(*made, start, end)
        self._rounding_and_bytes = made

    def _round(self, rounding: Rounding, made: Tensor, lo: int, hi: int) -> None:
        for block in self._blocks(lo, hi):
            made[:, lo : lo + len(block)] = rounding.rounded(block).transpose(0, 1)
            lo += len(block)

    def _blocks(self, lo: int, hi: int) -> Iterator[Tensor]:
        """Yield the keys of [lo, hi) in float32, some at a time."""
        for first in range(lo, hi, ROWS_AT_ONCE):
            yield torch.from_numpy(np.asarray(self._source[first : min(first + ROWS_AT_ONCE, hi)])).float()


def _rough(queries: Tensor, rounding: Rounding, made: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Compute p·r as int32 (kv_heads · rows, chunks); its unit t and its greatest error (kv_heads, rows)."""
    scaled = queries * rounding.scale[:, None]
    step = scaled.abs().amax(2, keepdim=True).clamp(min=TINY) / LARGEST
    rounded = (scaled / step).round()
    lost = scaled.norm(dim=2) * rounding.error[:, None]
    lost += (scaled - step * rounded).norm(dim=2) * rounding.norm[:, None]
    rough = torch.empty(*rounded.shape[:2], made.shape[1], dtype=torch.int32)
    for head, rows in enumerate(rounded.to(torch.int8)):
        # A private name, but torch is pinned, and no public product of bytes takes keys as they lie.
        torch._int_mm(rows, made[head].T, out=rough[head])
    return rough.flatten(0, 1), step[..., 0], lost

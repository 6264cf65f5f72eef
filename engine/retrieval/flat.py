"""Search by faiss: exact as well, since its fp16 storage holds fp16 keys unchanged.

Kept for comparison and for machines where it wins; its one-query search uses one thread.
"""

import faiss
import numpy as np
import torch
from torch import Tensor

from engine.retrieval.index import by_key_head, by_query, clipped, per_head

ROWS_AT_ONCE = 1 << 14


class FlatIndex:
    """One faiss index per key head: fp16 storage for fp16 keys, float32 otherwise."""

    def __init__(self, keys: np.ndarray) -> None:
        keys = per_head(keys)
        self.chunks, self.heads, self.dim = keys.shape
        half = keys.dtype == np.float16
        self.nbytes = keys.size * (2 if half else 4)
        self._indexes = [self._empty(half) for _ in range(self.heads)]
        for lo in range(0, self.chunks, ROWS_AT_ONCE):
            block = keys[lo : lo + ROWS_AT_ONCE].astype(np.float32)
            for head, index in enumerate(self._indexes):
                index.add(np.ascontiguousarray(block[:, head]))

    def search(self, queries: Tensor, k: int, lo: int = 0, hi: int | None = None) -> tuple[Tensor, Tensor]:
        grouped = by_key_head(self, queries, k)
        lo, hi = clipped(lo, hi, self.chunks)
        options = {}
        if (lo, hi) != (0, self.chunks):
            options["params"] = faiss.SearchParameters(sel=faiss.IDSelectorRange(lo, hi))  # type: ignore[call-arg]
        found = [
            index.search(rows.numpy(), k, **options)
            for index, rows in zip(self._indexes, grouped, strict=True)
        ]
        scores = torch.from_numpy(np.stack([scores for scores, _ in found]))
        ids = torch.from_numpy(np.stack([ids for _, ids in found]))
        scores = scores.masked_fill(ids < 0, float("-inf"))
        return by_query(ids, queries, self.heads), by_query(scores, queries, self.heads)

    def _empty(self, half: bool):
        if not half:
            return faiss.IndexFlatIP(self.dim)
        return faiss.IndexScalarQuantizer(self.dim, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT)

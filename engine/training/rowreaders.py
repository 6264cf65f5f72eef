"""Rows of a batch that read side by side, each from a bank of its own."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.sidenet.attention import Retrieved
from engine.sidenet.sidenet import MemoryReader
from engine.training.ring import TensorReader

SLOTS = 3  # the axis of the slots in every part of `Retrieved`
# What stands in each part where a row has fewer slots than another.
ABSENT = {"keys": 0.0, "values": 0.0, "mask": False, "chunks": -1, "following": 0}


def together(readers: Sequence[TensorReader | None]) -> MemoryReader | None:
    """Make one reader for a batch of rows; None stands for a row, or a whole batch, that reads nothing."""
    if all(reader is None for reader in readers):
        return None
    return readers[0] if len(readers) == 1 else RowReaders(readers)


@dataclass(frozen=True)
class RowReaders:
    """Serves memory attention for as many rows as there are readers; implements `MemoryReader`."""

    readers: Sequence[TensorReader | None]

    def read(
        self, layer: int, query: Tensor, search: Tensor | None, chunks: Tensor | None = None
    ) -> Retrieved:
        """Read for queries (rows, time, heads, head_dim); rows with fewer slots get masked ones."""
        found: list[Retrieved | None] = []
        for row, reader in enumerate(self.readers):
            own = slice(row, row + 1)
            if reader is None:
                found.append(None)
                continue
            known = None if chunks is None else chunks[own, ..., : reader.chunks_read]
            found.append(reader.read(layer, query[own], None if search is None else search[own], known))
        fullest = max((one for one in found if one is not None), key=lambda one: one.keys.shape[3])
        return Retrieved(
            **{
                name: _joined([one and getattr(one, name) for one in found], getattr(fullest, name), absent)
                for name, absent in ABSENT.items()
            }
        )

    def counts(self, vocabulary: int) -> Tensor:
        """Count the tokens that each row may read: (rows, vocabulary)."""
        like = next(reader for reader in self.readers if reader is not None).counts(vocabulary)
        none = like.new_zeros(like.shape)
        return torch.cat([none if one is None else one.counts(vocabulary) for one in self.readers])


def _joined(parts: Sequence[Tensor | None], like: Tensor | None, absent: float) -> Tensor | None:
    """Join parts of shape (1, …) to one batch in the shape of the fullest, `like`."""
    if like is None:
        return None
    whole = like.new_full((len(parts), *like.shape[1:]), absent)
    for row, part in enumerate(parts):
        if part is not None and part.shape[SLOTS]:
            whole[row].narrow(SLOTS - 1, 0, part.shape[SLOTS]).copy_(part[0])
    return whole

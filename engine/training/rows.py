"""Which segment each row of the batch reads next: consecutive segments of one book, then the next book.

Books are dealt to rows as they fall free, in an order shuffled once per epoch. The position is a handful of
numbers, so a run goes on exactly where it was.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from engine.training.activations import Frozen, Place, Source


@dataclass(frozen=True)
class Step:
    """The next segment of one row; `fresh` where a book begins and the row's bank has to be cleared."""

    frozen: Frozen | None
    fresh: bool
    book: int


class Rows:
    """Deals books to rows.

    Raises
    ------
    ValueError
        No book has a whole segment.
    """

    def __init__(self, source: Source, rows: int, seed: int) -> None:
        self.source, self.seed = source, seed
        self.epoch = 0
        self.dealt = 0
        self.places: list[Place | None] = [None] * rows

    def next(self, read: Sequence[int]) -> list[Step]:
        """Deal the next segment of every row; of a row that is not to be read it is None."""
        turns = [self._turn(row) for row in range(len(self.places))]
        found = self.source.segments([turns[row][0] for row in read])
        frozen = dict(zip(read, found, strict=True))
        return [Step(frozen.get(row), fresh, place[0]) for row, (place, fresh) in enumerate(turns)]

    def _turn(self, row: int) -> tuple[Place, bool]:
        """Return a row's next place, in its book or at the start of the next in the deal, and which it is."""
        place = self.places[row]
        fresh = place is None or place[1] >= self.source.length(place[0])
        book, index = (self._deal(), 0) if place is None or fresh else place
        self.places[row] = (book, index + 1)
        return (book, index), fresh

    def _deal(self) -> int:
        for _ in range(2 * len(self.source.names)):
            if self.dealt == len(self.source.names):
                self.epoch, self.dealt = self.epoch + 1, 0
            order = list(range(len(self.source.names)))
            random.Random(f"{self.seed} {self.epoch}").shuffle(order)
            self.dealt += 1
            if self.source.length(order[self.dealt - 1]):
                return order[self.dealt - 1]
        raise ValueError("no book has a whole segment")

    def state(self) -> dict:
        return {"epoch": self.epoch, "dealt": self.dealt, "places": list(self.places)}

    def restore(self, state: dict) -> None:
        self.epoch, self.dealt, self.places = state["epoch"], state["dealt"], list(state["places"])

"""Which pages of which books are scored: all of them, or a fixed subset that a CPU can do.

A page is one segment (1,024 tokens). The subset: the first `books` of every length split in the order of a
hash of their names, and in each `pages` pages evenly spaced over the second half of what is read, its last
whole page among them. It depends on names and lengths only, so every row of a table scores the same tokens.
"""

import hashlib
from dataclasses import dataclass

SPLITS = (
    ("below 5k", 0, 5_000),
    ("5-10k", 5_000, 10_000),
    ("10-100k", 10_000, 100_000),
    ("100-500k", 100_000, 500_000),
    ("500k-1M", 500_000, 1_000_000),
    ("above 1M", 1_000_000, 1 << 60),
)


@dataclass(frozen=True)
class ChosenBook:
    """A book of the evaluation: index in its source, split, segments read, and the pages to score."""

    index: int
    name: str
    split: str
    pages: tuple[int, ...]


def split_of(tokens: int) -> str:
    """Return the length split of a book: split_of(7000) = "5-10k"."""
    return next(name for name, low, high in SPLITS if low <= tokens < high)


def spaced(first: int, last: int, count: int) -> tuple[int, ...]:
    """Space up to `count` numbers from first to last, both included: spaced(10, 20, 3) = (10, 15, 20)."""
    if count <= 0 or last < first:
        return ()
    if count == 1:
        return (last,)
    steps = {round(first + (last - first) * n / (count - 1)) for n in range(count)}
    return tuple(sorted(steps))


def chosen_pages(segments: int, count: int) -> tuple[int, ...]:
    """Choose pages of a book that has so many whole segments; count 0 takes all but the first (no past)."""
    if segments < 2:
        return ()
    if count == 0:
        return tuple(range(1, segments))
    return spaced(max(1, segments // 2), segments - 1, count)


def choose_books(
    lengths: dict[str, int], segments: dict[str, int], books: int, pages: int
) -> list[ChosenBook]:
    """Choose the books and pages to score.

    lengths: tokens of every book, for its split. segments: whole segments that are read of it. books: how
    many of a split, 0 for all. pages: how many of a book, 0 for all.
    """
    taken: dict[str, int] = {}
    chosen = []
    order = sorted(lengths, key=lambda name: hashlib.blake2b(name.encode()).digest())
    for name in order:
        split, scored = split_of(lengths[name]), chosen_pages(segments[name], pages)
        if not scored or (books and taken.get(split, 0) >= books):
            continue
        taken[split] = taken.get(split, 0) + 1
        chosen.append(ChosenBook(list(lengths).index(name), name, split, scored))
    return chosen

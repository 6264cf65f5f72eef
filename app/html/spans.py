"""Spans: stretches of a text that lie over one another, as stretches that do not."""

from collections.abc import Iterable
from itertools import pairwise

Span = tuple[int, int, str]


def flat(spans: Iterable[Span], begin: int, end: int) -> list[Span]:
    """Cut spans (start, end, kind) to [begin, end), and where they overlap keep the later of them.

    flat([(0, 9, "a"), (2, 4, "b")], 0, 6) is [(0, 2, "a"), (2, 4, "b"), (4, 6, "a")].
    """
    inside = [(max(first, begin), min(last, end), kind) for first, last, kind in spans
              if first < end and last > begin and first < last]  # fmt: skip
    cuts = sorted({cut for first, last, _ in inside for cut in (first, last)})
    made: list[Span] = []
    for first, last in pairwise(cuts):
        kind = next((kind for one, other, kind in reversed(inside) if one <= first and last <= other), None)
        if kind is None:
            continue
        if made and made[-1][1:] == (first, kind):
            made[-1] = (made[-1][0], last, kind)
        else:
            made.append((first, last, kind))
    return made

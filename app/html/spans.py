"""Spans: stretches of a text that lie over one another, as stretches that do not."""

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Sequence
from heapq import heappop, heappush
from itertools import pairwise
from typing import TypeVar

Span = tuple[int, int, str]
T = TypeVar("T")


def flat(spans: Iterable[Span], begin: int, end: int) -> list[Span]:
    """Cut spans (start, end, kind) to [begin, end), and where they overlap keep the later of them.

    flat([(0, 9, "a"), (2, 4, "b")], 0, 6) is [(0, 2, "a"), (2, 4, "b"), (4, 6, "a")].
    """
    inside = sorted(
        (max(first, begin), min(last, end), -number, kind) for number, (first, last, kind) in enumerate(spans)
        if first < end and last > begin and first < last
    )  # fmt: skip
    waiting = deque(inside)
    laid: list[tuple[int, int, str]] = []  # a heap: the latest of those that are laid comes first
    made: list[Span] = []
    for first, last in pairwise(sorted({cut for one in inside for cut in one[:2]})):
        while waiting and waiting[0][0] <= first:
            _, stop, number, kind = waiting.popleft()
            heappush(laid, (number, stop, kind))
        while laid and laid[0][1] <= first:
            heappop(laid)
        if not laid:
            continue
        kind = laid[0][2]
        if made and made[-1][1:] == (first, kind):
            made[-1] = (made[-1][0], last, kind)
        else:
            made.append((first, last, kind))
    return made


def covered(
    spans: Iterable[tuple[int, int, str, T]], edges: Sequence[int]
) -> Iterator[tuple[int, int, dict[str, T]]]:
    """Yield each stretch between two edges, and of each kind what lies over it: what began last.

    spans: (start, end, kind, what); each begins and ends at an edge, or outside of them all.
    """
    waiting = deque(sorted(spans, key=lambda one: one[0]))
    laid: dict[str, list[tuple[int, T]]] = defaultdict(list)
    for first, last in pairwise(edges):
        while waiting and waiting[0][0] <= first:
            _, end, kind, what = waiting.popleft()
            laid[kind].append((end, what))
        for of_kind in laid.values():
            while of_kind and of_kind[-1][0] <= first:
                of_kind.pop()
        yield first, last, {kind: of_kind[-1][1] for kind, of_kind in laid.items() if of_kind}

"""Contents: entries whose title, leader dots and page number a PDF sets apart, put together in one line."""

import re
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import replace

from ingest.pdf.line import Line, overlap

_DOTS = re.compile(r"(?:[.·…_] ?){5,}")
_LED = " …"  # closes a title whose dots stand in its line
_NUMBER = re.compile(r"\d{1,4}|[ivxlc]{1,7}")
_WINDOW = 20  # lines above and below in which the pieces of an entry are looked for
_FARTHEST = 4  # of the size: the white between two of them


def join_entries(lines: list[Line]) -> list[Line]:
    """Put dots between the title on their left and the number on their right; what has no title stays."""
    leaders = [line for line in lines if _DOTS.match(line.text) or line.text.endswith(_LED)]
    if not leaders:
        return lines
    rows = sorted(lines, key=lambda line: line.y0)
    heights = [line.y0 for line in rows]
    changed: dict[int, Line | None] = {}  # by id: what stands in the place of a line
    for dots in leaders:
        at = bisect_left(heights, dots.y0)
        near = [line for line in rows[max(0, at - _WINDOW) : at + _WINDOW] if id(line) not in changed]
        title = dots if dots.text.endswith(_LED) else _title_before(dots, near)
        if title is not None:
            number = _number_behind(dots, near)
            changed |= {id(dots): None, id(number): None, id(title): _entry(title, dots, number)}
    kept = (changed.get(id(line), line) for line in lines)
    return [line for line in kept if line is not None]


def _title_before(dots: Line, lines: Iterable[Line]) -> Line | None:
    return max((line for line in lines if _meet(line, dots)), key=lambda line: line.x1, default=None)


def _number_behind(dots: Line, lines: Iterable[Line]) -> Line | None:
    """Return the page number that stands apart behind dots; None where they have one, or none follows."""
    if not dots.text.endswith(_LED) and _DOTS.sub("", dots.text, count=1).strip():
        return None
    right = (line for line in lines if _meet(dots, line) and _NUMBER.fullmatch(line.text))
    return min(right, key=lambda line: line.x0, default=None)


def _entry(title: Line, dots: Line, number: Line | None) -> Line:
    rest = number.text if number else "" if title is dots else _DOTS.sub("", dots.text, count=1)
    return replace(
        title, text=f"{title.text.removesuffix(_LED)} … {rest}".strip(), x1=(number or dots).x1, cells=2
    )


def _meet(left: Line, right: Line) -> bool:
    """Tell whether one line ends where another begins, on its height."""
    gap = right.x0 - left.x1
    return overlap(left, right) > 0.5 and -1 <= gap <= _FARTHEST * max(left.size, right.size)

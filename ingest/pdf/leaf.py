"""Leaf: the lines of one page, turned so that most of its text is upright."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain

import pymupdf

from ingest.pdf.contents import join_entries
from ingest.pdf.line import UNREAD, Line, read_line
from ingest.pdf.mending import is_to_mend, mend
from ingest.pdf.minus import name_minus_signs
from ingest.pdf.pieces import whole_lines
from ingest.pdf.spelled import spell

_FLAGS = (pymupdf.TEXT_PRESERVE_WHITESPACE | pymupdf.TEXT_MEDIABOX_CLIP) & ~pymupdf.TEXT_PRESERVE_LIGATURES
# of another direction: fewer are a stamp in the margin or the label of an axis
_LEAST_LINES = 3
_LEAST_LETTERS = 60


@dataclass
class Leaf:
    """`turned` are the lines of every other direction, each group upright in its own way; `left_out` counts
    the letters of directions that hold next to nothing. `removed` are texts of running heads and numbers."""

    lines: list[Line] = field(default_factory=list)
    height: float = 1.0
    turned: list[list[Line]] = field(default_factory=list)
    left_out: int = 0
    removed: list[str] = field(default_factory=list)
    plain: str = ""  # all text of the page in the order of the file
    sure: int | None = None  # percent, of a page whose text was recognised

    @property
    def every_line(self) -> Iterator[Line]:
        return chain(self.lines, *self.turned)

    @cached_property
    def letters(self) -> int:
        """Return the number of letters and figures of the page as it was read."""
        return _letters(self.every_line)


def read_leaf(page: pymupdf.Page) -> Leaf:
    """Read the lines of a page in the order of the file. Raises what pymupdf raises for damaged pages."""
    found: dict[tuple[int, int], list[Line]] = {}
    plain = []
    blocks = page.get_text("dict", flags=_FLAGS)["blocks"]
    _mend(page, blocks)
    for line in whole_lines([line for block in blocks for line in block.get("lines", ())]):
        plain += [span["text"] for span in line["spans"]]
        made = read_line(line)
        if made:
            found.setdefault((round(line["dir"][0]), round(line["dir"][1])), []).append(made)
    width, height = page.cropbox.width, page.cropbox.height
    if not found:
        return Leaf(height=height)
    upright = max(found, key=lambda key: sum(len(line.text) for line in found[key]))
    leaf = Leaf(height=width if upright[1] else height, plain="".join(plain))
    for direction, lines in found.items():
        lines = _without_doubles([_turn(line, direction, width, height) for line in lines])
        if direction == upright:
            leaf.lines = join_entries(lines)
        elif len(lines) >= _LEAST_LINES or _letters(lines) >= _LEAST_LETTERS:
            leaf.turned.append(lines)
        else:
            leaf.left_out += _letters(lines)
    return leaf


def _mend(page: pymupdf.Page, blocks: list[dict]) -> None:
    """Mend what letters one by one tell better than their lines, where a page has such."""
    lines = (line for block in blocks for line in block.get("lines", ()))
    text = "".join(span["text"] for line in lines for span in line["spans"])
    unread = UNREAD in text
    if not unread and not is_to_mend(text):
        return
    spelled = spell(page, blocks, _FLAGS)
    if unread:
        name_minus_signs(page, spelled)
    mend(spelled)


def _letters(lines: Iterable[Line]) -> int:
    return sum(letter.isalnum() for line in lines for letter in line.text)


def _turn(line: Line, direction: tuple[int, int], width: float, height: float) -> Line:
    x0, y0, x1, y1 = line.x0, line.y0, line.x1, line.y1
    if direction == (0, -1):
        line.x0, line.y0, line.x1, line.y1 = height - y1, x0, height - y0, x1
    elif direction == (0, 1):
        line.x0, line.y0, line.x1, line.y1 = y0, width - x1, y1, width - x0
    elif direction == (-1, 0):
        line.x0, line.y0, line.x1, line.y1 = width - x1, height - y1, width - x0, height - y0
    return line


def _without_doubles(lines: list[Line]) -> list[Line]:
    """Leave out lines printed twice on one spot, as for shadows and poor man's bold."""
    seen = set()
    kept = []
    for line in lines:
        key = (line.text, round(line.x0 / 3), round(line.y0 / 3))
        if key not in seen:
            seen.add(key)
            kept.append(line)
    return kept

"""Line: what one printed line of a PDF page says and where it stands (points, y grows downwards)."""

import re
from dataclasses import dataclass

import pymupdf

from ingest.cleaning import clean, typeset

_FLAGS = (pymupdf.TEXT_PRESERVE_WHITESPACE | pymupdf.TEXT_MEDIABOX_CLIP) & ~pymupdf.TEXT_PRESERVE_LIGATURES
_LEADERS = re.compile(r"(?:\s?[.·…_]){6,}\s*")  # from a title to its page number in a table of contents
_BOLD = 1 << 4
_MONO = 1 << 3


@dataclass
class Line:
    """Text in one direction on one baseline; `cells` > 1 when it is a row of separate pieces."""

    x0: float
    y0: float
    x1: float
    y1: float
    text: str
    size: float
    bold: bool = False
    mono: bool = False
    cells: int = 1

    @property
    def height(self) -> float:
        return self.y1 - self.y0


def page_lines(page: pymupdf.Page) -> tuple[list[Line], float, float]:
    """(lines in the order of the file, width, height) with the page turned so that most text is upright."""
    found: dict[tuple[int, int], list[Line]] = {}
    for block in page.get_text("dict", flags=_FLAGS)["blocks"]:
        for line in block.get("lines", ()):
            direction = (round(line["dir"][0]), round(line["dir"][1]))
            made = _line(line)
            if made:
                found.setdefault(direction, []).append(made)
    if not found:
        return [], page.rect.width, page.rect.height
    upright = max(found, key=lambda key: sum(len(line.text) for line in found[key]))
    width, height = page.cropbox.width, page.cropbox.height
    lines = [_turn(line, upright, width, height) for line in found.pop(upright)]
    if upright[1]:
        width, height = height, width
    # what runs another way is a stamp in the margin or a label of a figure; long ones are text all the same
    for others in found.values():
        lines += [
            Line(0, height + 1, width, height + 2, line.text, line.size)
            for line in others
            if len(line.text) > 60
        ]
    return _without_doubles(lines), width, height


def _line(line: dict) -> Line | None:
    spans = [span for span in line["spans"] if span["text"]]
    text = typeset(clean("".join(span["text"] for span in spans)))
    text = re.sub(r"[ \n]+", " ", text).strip()
    leaders = _LEADERS.search(text)
    if leaders:
        text = _LEADERS.sub(" … ", text).strip()
    if not text or not spans:
        return None
    largest = max(spans, key=lambda span: len(span["text"].strip()))
    x0, y0, x1, y1 = line["bbox"]
    return Line(
        x0, y0, x1, y1, text, largest["size"],
        bold=bool(largest["flags"] & _BOLD), mono=bool(largest["flags"] & _MONO), cells=2 if leaders else 1,
    )  # fmt: skip


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
    """Shadows and poor man's bold print the same line twice on one spot."""
    seen = set()
    kept = []
    for line in lines:
        key = (line.text, round(line.x0 / 3), round(line.y0 / 3))
        if key not in seen:
            seen.add(key)
            kept.append(line)
    return kept

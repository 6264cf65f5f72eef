"""Minus signs of fonts that do not name them: a bar before a number, seen by its ink."""

from itertools import pairwise

import pymupdf

from ingest.pdf.line import UNREAD
from ingest.pdf.spelled import Spelled, respell

_MOST_SIGNS = 200  # of a page
_SCALE = 6.0  # pixels for a point
_INKED = bytes(grey < 128 for grey in range(256))  # 1 where a pixel is dark
_LARGEST = 150  # points of a letter that is looked at
# of the size of the letters: how thick a bar is at most, how wide at least, and where it may lie
_THICK, _WIDE, _HIGHEST, _LOWEST = 0.16, 0.3, 0.25, 0.85
_MINUS = "\u2212"


def name_minus_signs(page: pymupdf.Page, spelled: list[Spelled]) -> None:
    """Put a minus sign into the spans of a page for each unread sign before a figure that looks like one."""
    looked = 0
    for line, signs in spelled:
        minus: dict[int, str] = {}
        for at, (char, after) in enumerate(pairwise(signs)):
            if char["c"] == UNREAD and after["c"].isdigit() and looked < _MOST_SIGNS:
                looked += 1
                if _is_bar(page, pymupdf.Rect(char["bbox"])):
                    minus[at] = _MINUS
        respell(line, minus)


def _is_bar(page: pymupdf.Page, box: pymupdf.Rect) -> bool:
    """Tell whether the ink in a box is one flat bar at the height of a minus sign."""
    if max(box.width, box.height) > _LARGEST:
        return False
    picture = page.get_pixmap(
        matrix=pymupdf.Matrix(_SCALE, _SCALE), clip=box, colorspace=pymupdf.csGRAY, alpha=False
    )
    if not picture.width or not picture.height:  # a box without room, or outside of the page
        return False
    ink = picture.samples.translate(_INKED)  # asked for again, they are copied again
    dark = [ink.count(1, at, at + picture.width) for at in range(0, len(ink), picture.stride)]
    inked = [number for number, dots in enumerate(dark) if dots]
    if not inked:
        return False
    widest = max(dark)
    thick = (inked[-1] - inked[0] + 1) / picture.height
    high, low = inked[0] / picture.height, inked[-1] / picture.height
    flat = thick <= _THICK and high >= _HIGHEST and low <= _LOWEST
    return flat and widest >= max(_WIDE * box.height * _SCALE, 3 * (inked[-1] - inked[0] + 1))

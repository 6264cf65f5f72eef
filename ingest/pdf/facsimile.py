"""Facsimile: a page of a PDF as it is printed, drawn as a picture, with words of the text marked on it."""

import base64
import json
import math
import os
from contextlib import suppress
from itertools import accumulate

import pymupdf

from ingest.errors import BadInput
from ingest.pdf.damage import TROUBLE

_WIDEST = 1_400  # points of the picture from edge to edge
_MOST_POINTS = 6_000_000
_LARGEST = 2.5  # points of the picture for one of the page
_LONGEST = 6_000  # letters that are marked


def draw_page(path: str | os.PathLike, number: int, marked: str = "") -> str:
    """Draw page `number` (from 0 on) with the words `marked`; return the PNG as JSON, in base64.

    Raises BadInput for what is no PDF that opens without a password, and for a page that it has not.
    """
    pymupdf.TOOLS.mupdf_display_errors(False)
    pymupdf.TOOLS.mupdf_display_warnings(False)
    try:
        with pymupdf.open(path, filetype="pdf") as book:
            if book.needs_pass or not 0 <= number < book.page_count:
                raise BadInput("there is no such page to be shown")
            page = book[number]
            with suppress(*TROUBLE, ValueError):
                if places := find_words(page, marked[:_LONGEST]):
                    page.add_highlight_annot(quads=places)
            picture = page.get_pixmap(matrix=pymupdf.Matrix(*[_scale(page.rect)] * 2), alpha=False)
            return json.dumps(base64.b64encode(picture.tobytes("png")).decode())
    except TROUBLE as error:
        raise BadInput("this page is damaged and cannot be shown") from error


def _scale(page: pymupdf.Rect) -> float:
    width, height = max(1.0, page.width), max(1.0, page.height)
    return min(_LARGEST, _WIDEST / width, math.sqrt(_MOST_POINTS / (width * height)))


def find_words(page: pymupdf.Page, marked: str) -> list[pymupdf.Quad]:
    """Find where words stand on a page, by their letters alone; also those that go over its edge."""
    words = page.get_text("words")
    pieces = [_letters(word[4]) for word in words]
    ends = list(accumulate(map(len, pieces)))
    page_letters, wanted = "".join(pieces), _letters(marked)
    first, last = _overlap(page_letters, wanted)
    return [
        pymupdf.Rect(word[:4]).quad
        for word, piece, end in zip(words, pieces, ends, strict=True)
        if piece and end > first and end - len(piece) < last
    ]


def _overlap(text: str, wanted: str) -> tuple[int, int]:
    """Return where wanted letters stand; of those that go over an edge, the part on the page."""
    at = text.find(wanted) if wanted else -1
    if at >= 0:
        return at, at + len(wanted)
    for size in range(len(wanted) - 1, 19, -1):
        if text.endswith(wanted[:size]):
            return len(text) - size, len(text)
        if text.startswith(wanted[-size:]):
            return 0, size
    return 0, 0


def _letters(words: str) -> str:
    return "".join(filter(str.isalnum, words)).casefold()

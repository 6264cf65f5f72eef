"""Facsimile: a page of a PDF as it is printed, drawn as a picture, with words of the text marked on it."""

import base64
import json
import math
import os
import re
from contextlib import suppress
from itertools import accumulate
from pathlib import Path

import pymupdf

from ingest.errors import BadInput
from ingest.pdf.book import load_page, open_page
from ingest.pdf.trouble import TROUBLE
from ingest.recognition.sheet import Sheet, read_sheets
from ingest.source import read_source

_WIDEST = 1_400  # points of the picture from edge to edge
_MOST_POINTS = 6_000_000
_LARGEST = 2.5  # points of the picture for one of the page
_LONGEST = 6_000  # letters that are marked


def draw_page(
    path: str | os.PathLike, number: int, marked: str = "", sheets: str | os.PathLike | None = None
) -> str:
    """Draw page `number` (from 0 on) with the words `marked`; return the PNG as JSON, in base64.

    The words are looked for among those of the page, or those that were recognised on it, which the folder
    `sheets` keeps. Raises BadInput for what does not open without a password, and for a page that it has not.
    """
    book, at = open_page(read_source(path), number)
    try:
        with book:
            if not 0 <= at < book.page_count:
                raise BadInput("there is no such page to be shown")
            page = load_page(book, at)
            with suppress(*TROUBLE, ValueError):
                sheet = read_sheets(Path(sheets) if sheets else None).get(number)
                words = _recognised(sheet) if sheet else page.get_text("words")
                if places := find_words(words, marked[:_LONGEST]):
                    page.add_highlight_annot(quads=places)
            picture = page.get_pixmap(matrix=pymupdf.Matrix(*[_scale(page.rect)] * 2), alpha=False)
            return json.dumps(base64.b64encode(picture.tobytes("png")).decode())
    except TROUBLE as error:
        raise BadInput("this page is damaged and cannot be shown: read its text instead") from error


def _scale(page: pymupdf.Rect) -> float:
    width, height = max(1.0, page.width), max(1.0, page.height)
    return min(_LARGEST, _WIDEST / width, math.sqrt(_MOST_POINTS / (width * height)))


def find_words(words: list[tuple], marked: str) -> list[pymupdf.Quad]:
    """Find words among those of a page (x0, y0, x1, y1, letters, …) by their letters alone; also those that
    go over its edge."""
    pieces = [_letters(word[4]) for word in words]
    ends = list(accumulate(map(len, pieces)))
    page_letters, wanted = "".join(pieces), _letters(marked)
    first, last = _overlap(page_letters, wanted)
    return [
        pymupdf.Rect(word[:4]).quad
        for word, piece, end in zip(words, pieces, ends, strict=True)
        if piece and end > first and end - len(piece) < last
    ]


def _recognised(sheet: Sheet) -> list[tuple]:
    """Return the words of recognised lines; where one stands in its line is told by its letters."""
    found = []
    for row in sheet.read:
        letter = (row.x1 - row.x0) / len(row.text)
        found += [
            (row.x0 + word.start() * letter, row.y0, row.x0 + word.end() * letter, row.y1, word[0])
            for word in re.finditer(r"\S+", row.text)
        ]
    return found


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

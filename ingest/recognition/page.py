"""Which pages of a PDF need an engine, and one page read by it: each asked of a process of its own."""

import json
import math
import os

import pymupdf

from ingest.album import find_album
from ingest.cleaning import one_line
from ingest.errors import named
from ingest.limits import Limits
from ingest.parsers import pdf
from ingest.pdf.book import load_page, open_book, open_page
from ingest.pdf.reading import find_unread
from ingest.recognition.engines import ENGINES
from ingest.recognition.sheet import Row, Sheet
from ingest.source import read_source

_DOTS_PER_INCH = 300  # engines are made for it
_MOST_POINTS = 12_000_000


def unread_pages(path: str | os.PathLike, limits: dict, **given: str | None) -> str:
    """List as JSON the pages, from 0 on, that show something of which no letters tell; only a PDF or an
    album has some.

    Raises BadInput for what does not open.
    """
    source = read_source(path, limits=Limits(**limits), **given)
    if not (find_album(source) or pdf.accepts(source)):
        return "[]"
    with named(one_line(source.name)), open_book(source) as book:
        return json.dumps(find_unread(book, source.limits))


def recognise_page(
    path: str | os.PathLike, limits: dict, number: int, engine: str, language: str, **given: str | None
) -> str:
    """Recognise page `number`, from 0 on, and return its Sheet as JSON."""
    source = read_source(path, limits=Limits(**limits), **given)
    book, number = open_page(source, number)
    with book:
        page = load_page(book, number)
        scale = min(
            _DOTS_PER_INCH / 72, math.sqrt(_MOST_POINTS / max(1.0, page.rect.width * page.rect.height))
        )
        picture = page.get_pixmap(matrix=pymupdf.Matrix(scale, scale), colorspace=pymupdf.csGRAY, alpha=False)
    rows = next(one for one in ENGINES if engine == one.NAME).recognise(picture, language)
    return Sheet(tuple(_on_page(row, scale) for row in rows)).to_json()


def _on_page(row: Row, scale: float) -> Row:
    """Return a row that was read on a picture as it stands on the page."""
    x0, y0, x1, y1 = (round(at / scale, 2) for at in (row.x0, row.y0, row.x1, row.y1))
    return Row(x0, y0, x1, y1, row.text, round(row.sure, 1))

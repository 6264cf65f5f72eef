"""Book: a PDF, or an album of pictures, as MuPDF opens it."""

import re

import pymupdf

from ingest.album import find_album
from ingest.errors import BadInput
from ingest.pdf.objects import check_objects, highest_object, without_endless_table
from ingest.pdf.trouble import TROUBLE
from ingest.source import Source

# what a protection calls itself in the file -> its name
_SCHEMES = ((b"EBX_HANDLER", "Adobe ADEPT"), (b"FOPN_f", "FileOpen"), (b"Adobe.PubSec", "a certificate"))
_NUMBER = re.compile(r"-?\d*\.?\d+")


def _refuse_protected(source: Source) -> None:
    """Raise BadInput for a PDF that no password opens; it names the scheme."""
    for mark, name in _SCHEMES:
        if b"/" + mark in source.data:
            raise BadInput(
                f"this PDF is protected (DRM: {name}), its text cannot be read: get a copy without protection"
            )


def open_book(source: Source) -> pymupdf.Document:
    """Open a PDF, or an album as one of its pages without what they show, which `open_page` draws.

    Raises BadInput for what is damaged, or locked without the right password.
    """
    pymupdf.TOOLS.mupdf_display_errors(False)
    pymupdf.TOOLS.mupdf_display_warnings(False)
    if album := find_album(source):
        return _drawn(album.sizes())
    check_objects(highest_object(source.data), source.limits)
    try:
        book = pymupdf.open(stream=without_endless_table(source.data), filetype="pdf")
        if book.needs_pass:
            _refuse_protected(source)
            if source.password is None:
                raise BadInput("this PDF is encrypted: give its password (--password)")
            if not book.authenticate(source.password):
                raise BadInput("the password does not open this PDF: try another (--password)")
        if book.page_count == 0:
            raise BadInput("this PDF has no pages: get another copy")
    except BadInput:
        raise
    except TROUBLE as error:
        _refuse_protected(source)
        raise BadInput("this PDF is damaged and cannot be opened: get another copy") from error
    return book


def open_page(source: Source, number: int) -> tuple[pymupdf.Document, int]:
    """Open what shows page `number`, from 0 on; returns the book and the page's number in it.

    Raises BadInput as `open_book` does, and for a page that is not there.
    """
    album = find_album(source)
    if album is None:
        return open_book(source), number
    sizes = album.sizes()
    if not 0 <= number < len(sizes):
        raise BadInput("there is no such page")
    picture = album.picture(number)
    shown = pymupdf.Pixmap(pymupdf.csRGB, picture.width, picture.height, picture.tobytes(), False)
    return _drawn([sizes[number]], shown), 0


def load_page(book: pymupdf.Document, number: int) -> pymupdf.Page:
    """Load a page; a crop that leaves nothing of it does not count. Raises what `TROUBLE` names."""
    page = book[number]
    if not page.xref:  # it stands in the list of pages itself
        return page
    kind, words = book.xref_get_key(page.xref, "CropBox")
    corners = _NUMBER.findall(words) if kind == "array" else []
    if len(corners) != 4:
        return page
    if not (pymupdf.Rect(*map(float, corners)).normalize() & page.mediabox).is_empty:
        return page
    book.xref_set_key(page.xref, "CropBox", "null")
    return book.reload_page(page)


def _drawn(sizes: list[tuple[float, float]], picture: pymupdf.Pixmap | None = None) -> pymupdf.Document:
    """Make a book of a picture on each page; of a point where it is not wanted."""
    book, known = pymupdf.open(), 0
    picture = picture or pymupdf.Pixmap(pymupdf.csGRAY, pymupdf.IRect(0, 0, 1, 1))
    for width, height in sizes:
        page = book.new_page(width=width, height=height)
        known = page.insert_image(page.rect, pixmap=picture, xref=known, keep_proportion=False)
    return book

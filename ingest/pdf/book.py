"""Book: a PDF, or an album of pictures, as MuPDF opens it."""

import pymupdf

from ingest.album import album_kind
from ingest.errors import BadInput
from ingest.pdf.damage import TROUBLE
from ingest.source import Source

# what a protection calls itself in the file -> its name
_SCHEMES = ((b"EBX_HANDLER", "Adobe ADEPT"), (b"FOPN_f", "FileOpen"), (b"Adobe.PubSec", "a certificate"))


def _refuse_protected(source: Source) -> None:
    """Raises BadInput for a PDF that no password opens; it names the scheme."""
    for mark, name in _SCHEMES:
        if b"/" + mark in source.data:
            raise BadInput(
                f"this PDF is protected (DRM: {name}), its text cannot be read: get a copy without protection"
            )


def open_book(source: Source) -> pymupdf.Document:
    """Raises BadInput for what is damaged, or locked without the right password."""
    pymupdf.TOOLS.mupdf_display_errors(False)
    pymupdf.TOOLS.mupdf_display_warnings(False)
    try:
        book = pymupdf.open(stream=source.data, filetype=album_kind(source) or "pdf")
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

"""Book: a PDF as MuPDF opens it."""

import pymupdf

from ingest.errors import BadInput
from ingest.pdf.damage import TROUBLE
from ingest.source import Source


def open_book(source: Source) -> pymupdf.Document:
    """Raises BadInput for what is damaged, or locked without the right password."""
    pymupdf.TOOLS.mupdf_display_errors(False)
    pymupdf.TOOLS.mupdf_display_warnings(False)
    try:
        book = pymupdf.open(stream=source.data, filetype="pdf")
        if book.needs_pass:
            if source.password is None:
                raise BadInput("this PDF is encrypted: give its password (--password)")
            if not book.authenticate(source.password):
                raise BadInput("the password does not open this PDF: try another (--password)")
        if book.page_count == 0:
            raise BadInput("this PDF has no pages: get another copy")
    except BadInput:
        raise
    except TROUBLE as error:
        raise BadInput("this PDF is damaged and cannot be opened: get another copy") from error
    return book

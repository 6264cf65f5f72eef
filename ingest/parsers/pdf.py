"""PDF: text by its place on the page, put in reading order, with page labels and the outline as chapters."""

import re

from ingest.document import Document
from ingest.source import Source

NAME = "pdf"

_HEAD = b"%PDF-"
_LATE_HEAD = re.compile(rb"[\r\n]%PDF-\d")  # behind what a server or a mailer put before it
_HEAD_REACH = 1024  # bytes in which readers look for it
_OBJECT = re.compile(rb"(?<!\d)\d{1,8}\s{1,4}\d{1,5}\s{1,4}obj\b")
_OBJECT_END = b"endobj"
_OBJECTS_SHARE = 0.5  # of the bytes; a text about PDF has words around those that it shows
_MARKS = (_OBJECT_END, b"endstream", b"startxref", b"trailer")  # inside every PDF, one or the other
_TEXT_SUFFIXES = (".txt", ".text", ".md", ".markdown", ".html", ".htm", ".xhtml")


def accepts(source: Source) -> bool:
    """Decide by the head of the file; where that is unsound or late, by its name and the marks inside."""
    data = source.data
    at_start = data[:64].lstrip(b"\xef\xbb\xbf\0\t\r\n ").startswith(_HEAD)
    if at_start and source.suffix not in _TEXT_SUFFIXES:
        return True
    if not _OBJECT.search(data):
        return False
    if at_start or _is_made_of_objects(data):
        return True
    if source.suffix in _TEXT_SUFFIXES:
        return False  # a text may well speak of "%PDF-1.4"
    named = source.suffix == ".pdf" or _LATE_HEAD.search(data, 0, _HEAD_REACH)
    return bool(named) and any(mark in data for mark in _MARKS)


def _is_made_of_objects(data: bytes) -> bool:
    """Tell a PDF whose head is broken: most of it are objects, and it ends as a PDF or is no text at all."""
    if data.startswith(b"PK") or not _OBJECT.search(data, 0, _HEAD_REACH):  # an archive may hold one as it is
        return False
    inside, at = 0, 0
    while begun := _OBJECT.search(data, at):
        at = data.find(_OBJECT_END, begun.end())
        if at < 0:
            break
        inside += at - begun.start()
    return inside > _OBJECTS_SHARE * len(data) and (
        data.rstrip().endswith(b"%%EOF") or "\ufffd" in data.decode("utf-8", "replace")
    )


def parse(source: Source) -> Document:
    """Parse a PDF. Raises BadInput for what is damaged, locked, scanned or in fonts without letters."""
    from ingest.pdf.document import read_document  # PyMuPDF takes time to load, and most files are no PDF

    return read_document(source, NAME)

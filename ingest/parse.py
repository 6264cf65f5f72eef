"""parse: one file in, one Document out. The content decides which parser reads it, never the name alone."""

from collections.abc import Callable
from dataclasses import replace

from ingest.archive import Archive
from ingest.cleaning import one_line
from ingest.document import Document
from ingest.errors import BadInput
from ingest.limits import Limits
from ingest.parsers import docx, epub, html, markdown, pdf, text
from ingest.source import Source, read_source

# equals, asked in this order; text comes last because it takes whatever is left
PARSERS = (pdf, epub, docx, html, markdown, text)
SUFFIXES = {
    ".pdf": "pdf", ".epub": "epub", ".docx": "docx", ".html": "html", ".htm": "html", ".xhtml": "html",
    ".md": "markdown", ".markdown": "markdown", ".txt": "text", ".text": "text",
}  # fmt: skip
NAMES = {
    "pdf": "a PDF", "epub": "an EPUB", "docx": "a Word document (DOCX)", "html": "an HTML page",
    "markdown": "Markdown", "text": "plain text",
}  # fmt: skip

# (offset, bytes, what it is, what to do): files that people try and that are no text
_FOREIGN = (
    (0, b"\x89PNG", "a PNG picture", "give a document with text"),
    (0, b"\xff\xd8\xff", "a JPEG picture", "give a document with text"),
    (0, b"GIF8", "a GIF picture", "give a document with text"),
    (0, b"II*\0", "a TIFF picture", "run text recognition (OCR) first"),
    (0, b"MM\0*", "a TIFF picture", "run text recognition (OCR) first"),
    (60, b"BOOKMOBI", "a Kindle book (MOBI/AZW)", "convert it to EPUB first"),
    (0, b"AT&TFORM", "a DjVu file", "convert it to PDF with text first"),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1", "an old or locked Office file", "save it as DOCX without a password"),
    (0, b"{\\rtf", "a rich text file (RTF)", "save it as DOCX or plain text"),
    (0, b"\x1f\x8b", "a gzip archive", "unpack it first"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", "unpack it first"),
    (0, b"Rar!", "a RAR archive", "unpack it first"),
    (0, b"BZh", "a bzip2 archive", "unpack it first"),
    (0, b"\xfd7zXZ", "an xz archive", "unpack it first"),
    (257, b"ustar", "a tar archive", "unpack it first"),
    (0, b"%!PS", "a PostScript file", "convert it to PDF first"),
    (0, b"SQLite format 3\0", "a database", "give a document with text"),
    (0, b"\x7fELF", "a program", "give a document with text"),
    (0, b"MZ\x90", "a program", "give a document with text"),
)  # fmt: skip
_ZIP_KINDS = (
    ("xl/", "an Excel workbook", "save it as PDF or text first"),
    ("ppt/", "a PowerPoint presentation", "save it as PDF first"),
    ("content.xml", "an OpenDocument file", "save it as DOCX or PDF first"),
)


def parse(
    path,
    *,
    name: str | None = None,
    password: str | None = None,
    encoding: str | None = None,
    limits: Limits | None = None,
    waiting: Callable[[], None] | None = None,
) -> Document:
    """Read any supported file, here; `ingest.apart` does the same in a process of its own.

    `name` is what its owner calls the file, where it lies under another one: a title where the text has none,
    and the name in messages. `password` opens an encrypted PDF; `encoding` overrides the guess for text,
    Markdown and HTML. Raises BadInput, whose message is one line that says what is wrong and what to do, for
    everything that is not a readable document: whatever goes wrong inside a parser is such a line too.
    `waiting` is called before the file is parsed, and may raise to give up.
    """
    if waiting is not None:
        waiting()
    source = read_source(path, name=name, password=password, encoding=encoding, limits=limits)
    _refuse_foreign(source)
    parser = choose_parser(source)
    try:
        document = parser.parse(source)
    except BadInput as error:
        raise BadInput(f"{one_line(source.name)}: {one_line(str(error))}") from error
    except MemoryError:  # which says nothing of the file
        raise
    except Exception as error:
        # a file that breaks a library is a damaged file to its owner; --debug shows the cause
        raise BadInput(
            f"{one_line(source.name)}: {NAMES[parser.NAME]} that is damaged or built in a way that cannot be "
            "read: get another copy or convert it"
        ) from error
    return _with_name_warning(document, source)


def choose_parser(source: Source):
    """The first parser that accepts the content. Raises BadInput for ZIP archives of another kind."""
    for parser in PARSERS:
        if parser.accepts(source):
            if parser is text and source.data.startswith(b"PK\x03\x04"):
                _refuse_zip(source)
            return parser
    raise AssertionError("the text parser accepts everything")


def _refuse_foreign(source: Source) -> None:
    for offset, mark, what, advice in _FOREIGN:
        if source.data[offset : offset + len(mark)] == mark:
            raise BadInput(
                f"{one_line(source.name)}: this is {what}, not a document that can be read: {advice}"
            )


def _refuse_zip(source: Source) -> None:
    names = Archive(source.data, source.limits, "archive").names()
    for beginning, what, advice in _ZIP_KINDS:
        if any(name.startswith(beginning) for name in names):
            raise BadInput(f"{one_line(source.name)}: this is {what}: {advice}")
    raise BadInput(f"{one_line(source.name)}: this is a ZIP archive: unpack it and add the files inside")


def _with_name_warning(document: Document, source: Source) -> Document:
    expected = SUFFIXES.get(source.suffix)
    if expected in (None, document.format) or {expected, document.format} == {"markdown", "text"}:
        return document
    words = f"the name ends in {source.suffix}, but the file is {NAMES[document.format]} and was read as such"
    return replace(document, warnings=(words, *document.warnings))

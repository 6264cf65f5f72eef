"""parse: one file in, one Document out. The content decides which parser reads it, never the name alone."""

import os
import posixpath
import re
from collections.abc import Callable
from dataclasses import replace
from types import ModuleType

from ingest.album import COMIC, Album, find_album
from ingest.archive import Archive
from ingest.cleaning import one_line
from ingest.document import Document
from ingest.errors import BadInput, named
from ingest.formats import NAMES, PARSERS, SUFFIXES
from ingest.limits import Limits
from ingest.parsers import pdf, text
from ingest.recognition.sheet import read_sheets
from ingest.source import Source, read_source

_HEIC = (b"heic", b"heix", b"hevc", b"mif1", b"msf1")  # what telephones write
_OFFICE = b"\xd0\xcf\x11\xe0\xa1\xb1"
# (offset, bytes, what it is, what to do): files that people try and that are no text
_FOREIGN = (
    *((4, b"ftyp" + kind, "a HEIC picture", "save it as JPEG or PNG first") for kind in _HEIC),
    (0, b"\0\0\0\x0cJXL ", "a JPEG XL picture", "save it as JPEG or PNG first"),
    (0, b"\0\0\0\x0cjP  ", "a JPEG 2000 picture", "save it as JPEG or PNG first"),
    (0, b"TPZ0", "a Kindle book of an old form (Topaz)", "convert it to EPUB first"),
    (0, b"\xeaDRMION\xee", "a Kindle book that is protected (DRM)", "get a copy without protection"),
    (0, b"CONT\2\0", "a Kindle book of a closed form (KFX)", "convert it to EPUB first"),
    (0, b"AT&TFORM", "a DjVu file", "convert it to PDF with text first"),
    (0, _OFFICE, "an old or locked Office file", "save it as DOCX without a password"),
    (0, b"\x78\x9f\x3e\x22", "a message in Outlook's own form", "save it as EML or text first"),
    (0, b"!BDN", "a mailbox of Outlook (PST)", "save the messages as EML or text first"),
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
_OUTLOOK = "__substg1.0_".encode("utf-16-le")  # in the names of what such a message keeps
_ZIP, _EMPTY_ZIP = b"PK\x03\x04", b"PK\x05\x06"
_JUNK = re.compile(r"(?:^|/)(?:__MACOSX/|\.|desktop\.ini$|Thumbs\.db$)")  # what systems leave in archives
_ZIP_KINDS = (
    ("xl/", "an Excel workbook", "save it as PDF or text first"),
    ("content.xml", "an OpenDocument table or drawing", "save it as PDF first"),
)


def parse(
    path,
    *,
    name: str | None = None,
    password: str | None = None,
    encoding: str | None = None,
    limits: Limits | None = None,
    pictures: str | os.PathLike | None = None,
    sheets: str | os.PathLike | None = None,
    waiting: Callable[[], None] | None = None,
) -> Document:
    """Read any supported file, here; `ingest.apart` does the same in a process of its own.

    `name` is what its owner calls the file, where it lies under another one: a title where the text has none,
    and the name in messages. `password` opens an encrypted PDF; `encoding` overrides the guess for text,
    Markdown and HTML; `pictures` is the folder in which the document's pictures are written, `sheets` the one
    with what was recognised on its pages (`ingest.apart.recognise`). Raises BadInput, whose message is one
    line that says what is wrong and what to do, for everything that is not a readable document: whatever goes
    wrong inside a parser is such a line too.
    `waiting` is called before the file is parsed, and may raise to give up.
    """
    if waiting is not None:
        waiting()
    source = read_source(
        path,
        name=name,
        password=password,
        encoding=encoding,
        limits=limits,
        pictures=pictures,
        sheets=sheets,
    )
    source = replace(source, limits=source.limits.of_size(len(source.data)))  # in it, more is packed
    with named(one_line(source.name)):
        if album := find_album(source):
            return _recognised(album)
        source = _out_of_zip(source)
        _refuse_foreign(source)
        document = _parsed(source, choose_parser(source))
    return _with_name_warning(document, source)


def _recognised(album: Album) -> Document:
    """Read what was recognised on pictures; of themselves they have no text."""
    if read_sheets(album.source.sheets):
        return _parsed(album.source, pdf)
    article = "an" if album.kind == "AVIF" else "a"
    what = (
        "these are pictures of pages without text (a comic, CBZ)"
        if album.kind == COMIC
        else f"this is {article} {album.kind} picture, not a document that can be read"
    )
    raise BadInput(f"{what}: let text recognition (OCR) read it (--ocr)")


def _parsed(source: Source, parser: ModuleType) -> Document:
    try:
        return parser.parse(source)
    except BadInput as error:
        raise BadInput(one_line(str(error))) from error
    except MemoryError:  # which says nothing of the file
        raise
    except Exception as error:
        # a file that breaks a library is a damaged file to its owner; --debug shows the cause
        raise BadInput(
            f"{NAMES[parser.NAME]} that is damaged or built in a way that cannot be read: get another copy "
            "or convert it"
        ) from error


def choose_parser(source: Source):
    """Choose the first parser that accepts the content; the text parser accepts everything."""
    return next(parser for parser in PARSERS if parser.accepts(source))


def _refuse_foreign(source: Source) -> None:
    if source.data.startswith(_OFFICE) and _OUTLOOK in source.data:
        raise BadInput("this is a message in Outlook's own form (MSG): save it as EML or text first")
    for offset, mark, what, advice in _FOREIGN:
        if source.data[offset : offset + len(mark)] == mark:
            raise BadInput(f"this is {what}, not a document that can be read: {advice}")


def is_plain_archive(source: Source) -> bool:
    """Tell whether a file is a ZIP archive, and not a document that is one."""
    return source.data.startswith(_ZIP) and choose_parser(source) is text


def _out_of_zip(source: Source) -> Source:
    """Take the one file out of a ZIP archive that is no document itself; else return what was given.

    Raises BadInput for archives of several files or of none, and for those of another program.
    """
    if source.data.startswith(_EMPTY_ZIP) and choose_parser(source) is text:
        raise _empty_archive()
    if not is_plain_archive(source):
        return source
    archive = Archive(source.data, source.limits, "ZIP archive")
    names = [name for name in archive.names() if not _JUNK.search(name)]
    for beginning, what, advice in _ZIP_KINDS:
        if any(name.startswith(beginning) for name in names):
            raise BadInput(f"this is {what}: {advice}")
    if not names:
        raise _empty_archive()
    data = archive.read(names[0]) if len(names) == 1 else None
    if data is None or is_plain_archive(replace(source, data=data)):
        raise BadInput(f"this is a ZIP archive of {len(names):,} files: unpack it and add the files inside")
    return replace(source, name=posixpath.basename(names[0]), data=data)


def _empty_archive() -> BadInput:
    return BadInput("this ZIP archive is empty: get another copy, or add the files themselves")


def _with_name_warning(document: Document, source: Source) -> Document:
    expected = SUFFIXES.get(source.suffix)
    if expected in (None, document.format) or {expected, document.format} == {"markdown", "text"}:
        return document
    words = f"the name ends in {source.suffix}, but the file is {NAMES[document.format]} and was read as such"
    return replace(document, warnings=(words, *document.warnings))

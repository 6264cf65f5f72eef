"""The formats that are read, one row each: their parsers, endings of names, and what they are called.

A new format is a file in `ingest/parsers`, its row here and its rows in the tests.
"""

from dataclasses import dataclass
from types import ModuleType

from ingest import album
from ingest.parsers import docx, epub, fb2, html, mail, markdown, mhtml, mobi, odt, pdf, pptx, rtf, text


@dataclass(frozen=True)
class Format:
    """`short` is shown on the shelf, `words` stand in messages; suffixes are hints, the content decides."""

    parser: ModuleType
    short: str
    words: str
    suffixes: tuple[str, ...]


# equals, asked in this order; text comes last because it takes whatever is left
FORMATS = (
    Format(pdf, "PDF", "a PDF", (".pdf",)),
    Format(epub, "EPUB", "an EPUB", (".epub",)),
    Format(docx, "Word", "a Word document (DOCX)", (".docx", ".docm", ".dotx", ".dotm")),
    Format(odt, "OpenDocument", "an OpenDocument text (ODT)", (".odt", ".ott", ".fodt")),
    Format(pptx, "PowerPoint", "a presentation (PPTX)", (".pptx", ".pptm", ".ppsx", ".potx")),
    Format(rtf, "RTF", "a rich text file (RTF)", (".rtf",)),
    Format(mobi, "Kindle", "a Kindle book (MOBI)", (".mobi", ".azw", ".azw3", ".prc")),
    Format(fb2, "FB2", "a FictionBook (FB2)", (".fb2",)),
    Format(mail, "Mail", "a mail", (".eml", ".emlx", ".mbox")),
    Format(mhtml, "Web page", "a saved web page (MHTML)", (".mht", ".mhtml")),
    Format(html, "HTML", "an HTML page", (".html", ".htm", ".xhtml")),
    Format(markdown, "Markdown", "Markdown", (".md", ".markdown")),
    Format(text, "Text", "plain text", (".txt", ".text")),
)
PARSERS = tuple(format.parser for format in FORMATS)
SUFFIXES = {suffix: format.parser.NAME for format in FORMATS for suffix in format.suffixes}
NAMES = {format.parser.NAME: format.words for format in FORMATS}
SHORT = {format.parser.NAME: format.short for format in FORMATS}
ARCHIVES = (".zip", ".cbz")  # what is in them decides
PICTURES = album.SUFFIXES  # which text recognition reads, where it is asked to

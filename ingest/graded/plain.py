"""Plain readings: all letters of a file as another library finds them, without order, chapters or places."""

import io
import re
import zipfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from lxml import etree, html

from ingest.errors import BadInput
from ingest.parse import parse

SUFFIXES = (".epub", ".docx")
_PAGES = (".xhtml", ".html", ".htm")
_WORD_PARTS = re.compile(r"word/(?:document|footnotes|endnotes)\.xml")


@dataclass(frozen=True)
class Kept:
    """What a document has of the `letters` of a plain reading, as a share; whether it warns of anything."""

    share: float
    letters: int
    warned: bool


def kept(path: Path) -> Kept | str:
    """Return what our reading of a file keeps, or why it was refused."""
    try:
        document = parse(path)
    except BadInput as error:
        return str(error)
    plain, ours = _letters(plain_reading(path)), _letters(document.text)
    lost = sum((plain - ours).values())
    return Kept(1 - lost / max(1, plain.total()), plain.total(), bool(document.warnings))


def plain_reading(path: Path) -> str:
    """Gather the words of an EPUB's pages without its contents, or of a Word document and its notes."""
    with zipfile.ZipFile(io.BytesIO(path.read_bytes())) as archive:
        if path.suffix.lower() == ".docx":
            parts = [archive.read(name) for name in archive.namelist() if _WORD_PARTS.fullmatch(name)]
            return "".join(item.text or "" for part in parts for item in etree.fromstring(part).iter("{*}t"))
        pages = [
            archive.read(name) for name in dict.fromkeys(archive.namelist()) if name.lower().endswith(_PAGES)
        ]
    return "".join(_page_text(page) for page in pages if page.strip())


def _page_text(page: bytes) -> str:
    try:
        root = html.document_fromstring(page)
    except (etree.ParserError, ValueError):
        return ""
    for element in root.xpath("//script | //style | //head | //nav"):
        element.drop_tree()
    return root.text_content()


def _letters(text: str) -> Counter[str]:
    counts = Counter(text.casefold())
    return Counter({letter: count for letter, count in counts.items() if letter.isalnum()})

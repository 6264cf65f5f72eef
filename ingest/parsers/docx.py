"""Word documents: body in order, headings as chapters, tables row by row, notes behind their paragraph.

The parts are read from the archive directly: what python-docx leaves out (notes, text boxes, tracked changes,
automatic numbers) is a reader's text too, and the caps on the archive hold.
"""

from dataclasses import replace

from ingest.archive import Archive
from ingest.document import Document
from ingest.errors import BadInput
from ingest.manuscript import Manuscript
from ingest.opc import Package
from ingest.parsers.html import write_blocks
from ingest.pictures import LARGEST, Gallery
from ingest.source import Source
from ingest.word.document import MAIN, WHAT, beside, read_blocks, text_parts
from ingest.xmlparts import value

NAME = "docx"

_LEFT_OUT = "words of fields, of tables drawn twice and what the document hides"

_SUFFIXES = (".docx", ".docm", ".dotx", ".dotm")


def accepts(source: Source) -> bool:
    if not source.data.startswith(b"PK") or any(name.startswith(("ppt/", "xl/")) for name in source.entries):
        return False
    return source.suffix in _SUFFIXES or any(name.startswith("word/") for name in source.entries)


def parse(source: Source) -> Document:
    """Parse a Word document. Raises BadInput for a damaged file and for one without text."""
    package = Package(source, WHAT)
    pictures = Archive(source.data, replace(source.limits, entry_bytes=LARGEST), WHAT)

    def picture(part: str, relation: str) -> bytes | None:
        name = package.target(package.main(MAIN), relation)
        return pictures.read(name) if name else None

    manuscript = Manuscript(source.limits, Gallery(source.pictures, picture))
    found = read_blocks(package, manuscript.warn)
    for part in text_parts(package):
        manuscript.expect(part, _LEFT_OUT)
    if not found:
        why = "the parts that hold it cannot be read" if manuscript.warnings else "pictures only?"
        raise BadInput(f"there is no text in this Word document ({why}): choose another copy")
    title = write_blocks(found, manuscript)
    properties = package.xml(package.related("", "core-properties") or "docProps/core.xml")
    return manuscript.document(
        title=_property(properties, "title") or title or source.stem,
        author=_property(properties, "creator"),
        language=_property(properties, "language") or _default_language(package),
        format=NAME,
    )


def _property(root, name: str) -> str:
    element = None if root is None else root.find(f"{{*}}{name}")
    return "" if element is None else (element.text or "")


def _default_language(package: Package) -> str:
    styles = package.xml(beside(package, "styles"))
    return "" if styles is None else value(styles.find("{*}docDefaults//{*}lang"))

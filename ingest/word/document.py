"""A Word document as blocks, with the documents of other formats that it was put together from."""

from collections import Counter
from collections.abc import Callable, Iterator

from lxml import etree

from ingest.charset import decode
from ingest.cleaning import one_line
from ingest.errors import BadInput
from ingest.form import Block
from ingest.markup import Book, blocks
from ingest.message import Part
from ingest.opc import Package
from ingest.parsers.mhtml import Page, pages_of
from ingest.reflow import reflow
from ingest.rtf import Reader
from ingest.source import Source
from ingest.word.body import Body, read_notes
from ingest.word.numbering import Numbering
from ingest.word.styles import Styles

WHAT = "Word document"
MAIN = "word/document.xml"
# a drawing in a newer form is there in an older one again
_WRITTEN = etree.XPath("//*[local-name()='t'][not(ancestor::*[local-name()='Fallback'])]/text()")
_EMBEDDED = ("package", "oleObject")  # a workbook, a presentation, another document
_NAMED, _LONGEST_NAME = 5, 60  # of them in a warning, and letters of each
_DEEPEST = 3  # documents in documents in documents
_MOST_TIMES = 10  # that one of them is read


def read_blocks(package: Package, warn: Callable[[str], None], depth: int = 0) -> list[Block]:
    """Read all text of a Word document. Raises BadInput where its text part is missing or above a limit."""
    main = package.main(MAIN)
    root = package.xml(main)
    if root is None:
        named = package.related("", "officeDocument") or main
        raise _unreadable(*((main, "cannot be read") if main in package.archive else (named, "is missing")))
    styles = Styles(package.xml(beside(package, "styles")))
    parts = {kind: package.xml(beside(package, f"{kind}s")) for kind in ("footnote", "endnote")}
    met: Counter[str] = Counter()

    def chunk(relation: str) -> list[Block]:
        name = package.target(main, relation)
        met[name] += 1
        if met[name] > _MOST_TIMES:
            warn(f"a part of the document ({name}) comes again and again: {_MOST_TIMES} times it was read")
            return []
        return _chunk(package, name, warn, depth + 1)

    body = Body(
        styles,
        Numbering(package.xml(beside(package, "numbering")), styles),
        read_notes(parts),
        package.limits,
        part=lambda relation: package.xml(package.target(main, relation)),
        chunk=chunk,
    )
    found = body.blocks(root)
    if not found and main in package.damaged:
        raise _unreadable(main, "is not well-formed XML")
    for name in dict.fromkeys(package.damaged):
        warn(
            f"a part of the document ({name}) is damaged; text behind the damage may be missing: "
            "save it anew in Word"
        )
    if embedded := _embedded(package, main):
        some = ", ".join(embedded[:_NAMED]) + (", …" if len(embedded) > _NAMED else "")
        warn(
            f"files that are embedded in the document are not read ({some}): open them in it, save each "
            "apart, and add it by itself"
        )
    return found


def _embedded(package: Package, main: str) -> list[str]:
    """Name the files that a document shows as a picture, and keeps whole."""
    kept = {
        one.target for one in package.relations(main).values() if one.kind in _EMBEDDED and not one.external
    }
    return sorted(one_line(name.rpartition("/")[2])[:_LONGEST_NAME] for name in kept)


def text_parts(package: Package) -> Iterator[str]:
    """Yield the words of the text part and of the notes as they stand in the file."""
    main = package.main(MAIN)
    for name in (main, beside(package, "footnotes"), beside(package, "endnotes")):
        root = package.xml(name)
        if root is not None:
            yield "".join(_WRITTEN(root))


def _unreadable(main: str, what: str) -> BadInput:
    return BadInput(f"this Word document is damaged (its text part, {main}, {what}): save it again as DOCX")


def beside(package: Package, kind: str) -> str:
    """Name the part of a kind that the text part refers to, or the one of the usual name."""
    main = package.main(MAIN)
    return package.related(main, kind) or f"{main.rpartition('/')[0]}/{kind}.xml".lstrip("/")


def _chunk(package: Package, name: str, warn: Callable[[str], None], depth: int) -> list[Block]:
    """Read the blocks of a part that is a document in its own format; what cannot be read is warned of."""
    data = package.archive.read(name) if name else None
    found: list[Block] = []
    if data and depth <= _DEEPEST:
        source = Source(name, data, limits=package.limits)
        found = _blocks_of(source, warn, depth)
    if not found:
        warn(
            f"a part of the document ({name or 'outside the file'}) could not be read; the rest was read: "
            "save it anew as one document"
        )
    return found


def _blocks_of(source: Source, warn: Callable[[str], None], depth: int) -> list[Block]:
    if source.data.startswith(b"PK"):
        return read_blocks(Package(source, WHAT), warn, depth)
    if source.data.startswith(b"{\\rtf"):
        return Reader(source.data, source.limits).blocks()
    if source.suffix == ".txt":
        return [Block(paragraph.text) for paragraph in reflow(decode(source.data)[0])]
    page = next(pages_of(Part.whole(source.data).walk()), Page(source.data))
    root, _ = page.tree(source)
    return [] if root is None else blocks(root, book=Book(source.limits))

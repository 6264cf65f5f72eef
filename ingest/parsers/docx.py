"""Word documents: body in order, headings as chapters, tables row by row, footnotes behind their paragraph.

The parts are read from the archive directly: what python-docx leaves out (notes, text boxes, tracked changes)
is a reader's text too, and the caps on the archive hold.
"""

import re

from ingest.archive import Archive
from ingest.document import Document
from ingest.errors import BadInput
from ingest.manuscript import Manuscript
from ingest.markup import LAYOUT_CELL, Block, local_name, parse_markup
from ingest.parsers.html import write_blocks
from ingest.source import Source

NAME = "docx"

_HEADING = re.compile(r"heading\s*([1-6])|title", re.IGNORECASE)
_SKIP = frozenset(
    ["del", "movefrom", "fallback", "instrtext", "ppr", "rpr", "sectpr", "deltext", "txbxcontent"]
)


def accepts(source: Source) -> bool:
    return source.data.startswith(b"PK") and (
        b"word/document.xml" in source.data or (source.suffix == ".docx" and b"xl/" not in source.data)
    )


def parse(source: Source) -> Document:
    """Raises BadInput for a damaged file and for one without text."""
    archive = Archive(source.data, source.limits, "Word document")
    root = _part(archive, "word/document.xml")
    if root is None:
        raise BadInput("this Word document is damaged (its text part is missing): save it again as DOCX")
    reader = _Reader(_styles(archive), _notes(archive))
    body = root.find("{*}body")
    found = reader.blocks(root if body is None else body)
    if not found:
        raise BadInput("there is no text in this Word document (pictures only?): choose another copy")
    manuscript = Manuscript(source.limits)
    title = write_blocks(found, manuscript)
    properties = _part(archive, "docProps/core.xml")
    return manuscript.document(
        title=_property(properties, "title") or title or source.stem,
        author=_property(properties, "creator"),
        language=_property(properties, "language") or _default_language(archive),
        format=NAME,
    )


def _part(archive: Archive, name: str):
    data = archive.read(name)
    return None if data is None else parse_markup(data.decode("utf-8", errors="replace"), strict=True)


def _property(root, name: str) -> str:
    element = None if root is None else root.find(f"{{*}}{name}")
    return "" if element is None else (element.text or "")


def _value(element, name: str = "val") -> str:
    return next((value for key, value in element.attrib.items() if key.rpartition("}")[2] == name), "")


def _styles(archive: Archive) -> dict[str, int]:
    """Style id -> heading level (1 to 7; "Title" is 1 and pushes the others down)."""
    root = _part(archive, "word/styles.xml")
    levels: dict[str, int] = {}
    for style in () if root is None else root.iter("{*}style"):
        name = style.find("{*}name")
        match = _HEADING.fullmatch(_value(name).strip()) if name is not None else None
        if match:
            levels[_value(style, "styleId")] = int(match[1]) + 1 if match[1] else 1
    return levels


def _default_language(archive: Archive) -> str:
    root = _part(archive, "word/styles.xml")
    element = None if root is None else root.find("{*}docDefaults//{*}lang")
    return "" if element is None else _value(element)


def _notes(archive: Archive) -> dict[tuple[str, str], str]:
    """(kind, id) -> text of the footnotes and endnotes."""
    notes = {}
    for kind in ("footnote", "endnote"):
        root = _part(archive, f"word/{kind}s.xml")
        for note in () if root is None else root.iter(f"{{*}}{kind}"):
            text = " ".join(_raw_text(note).split())
            if text and not _value(note, "type"):
                notes[kind, _value(note, "id")] = text
    return notes


class _Reader:
    """Paragraphs and tables to blocks; footnotes are counted as they are met."""

    def __init__(self, styles: dict[str, int], notes: dict[tuple[str, str], str]):
        self.styles = styles
        self.notes = notes
        self.count = 0
        self.pending: list[str] = []

    def blocks(self, body) -> list[Block]:
        found: list[Block] = []
        for element in body:
            name = local_name(element)
            if name == "p":
                found += self._paragraph(element)
            elif name == "tbl":
                found += self._table(element)
            elif name == "sdt":
                for content in element.iterchildren("{*}sdtContent"):
                    found += self.blocks(content)
            elif name in ("ins", "moveto", "customxml", "smarttag"):
                found += self.blocks(element)
        return found

    def _paragraph(self, element) -> list[Block]:
        text = self._text(element).strip()
        found = []
        if text:
            style = element.find("{*}pPr/{*}pStyle")
            level = self.styles.get(_value(style), 0) if style is not None else 0
            if not level and element.find("{*}pPr/{*}numPr") is not None:
                text = f"• {text}"
            found.append(Block(" ".join(text.split()) if level else text, min(level, 6)))
        for box in _outermost(element, "txbxcontent"):
            found += self.blocks(box)
        found += [Block(note) for note in self.pending]
        self.pending = []
        return found

    def _text(self, element) -> str:
        """Text of a paragraph: runs, tabs, line ends and note marks; deleted and drawn text left out."""
        parts: list[str] = []
        stack = list(reversed(element))
        while stack:
            item = stack.pop()
            name = local_name(item)
            if name in _SKIP:
                continue
            if name == "t":
                parts.append(item.text or "")
            elif name in ("tab", "ptab"):
                parts.append(" ")
            elif name in ("br", "cr"):
                parts.append("\n" if _value(item, "type") not in ("page", "column") else " ")
            elif name == "nobreakhyphen":
                parts.append("-")
            elif name in ("footnotereference", "endnotereference"):
                parts.append(self._mark(name.removesuffix("reference"), _value(item, "id")))
            else:
                stack += reversed(item)
        return "".join(parts)

    def _mark(self, kind: str, identity: str) -> str:
        note = self.notes.get((kind, identity))
        if note is None:
            return ""
        self.count += 1
        self.pending.append(f"[{self.count}] {note}")
        return f"[{self.count}]"

    def _table(self, table) -> list[Block]:
        """Rows as lines; a table of one column, or with long cells, lays out paragraphs."""
        rows = [list(_cells(row)) for row in table.iter("{*}tr") if _owner(row) is table]
        nested = any(inner is not table for inner in table.iter("{*}tbl"))
        long = any(len(_raw_text(cell)) > LAYOUT_CELL for row in rows for cell in row)
        if nested or long or max(map(len, rows), default=0) < 2:
            return [block for row in rows for cell in row for block in self.blocks(cell)]
        lines = [" | ".join(filter(None, map(self._cell, row))) for row in rows]
        notes, self.pending = self.pending, []
        text = "\n".join(filter(None, lines))
        return ([Block(text)] if text else []) + [Block(note) for note in notes]

    def _cell(self, cell) -> str:
        return " ".join(" ".join(self._text(paragraph).split()) for paragraph in cell.iter("{*}p")).strip()


def _raw_text(element) -> str:
    return "".join(part.text or "" for part in element.iter("{*}t"))


def _cells(row):
    for child in row:
        if local_name(child) == "tc":
            yield child
        elif local_name(child) == "sdt":
            yield from child.iter("{*}tc")


def _owner(row):
    return next(row.iterancestors("{*}tbl"), None)


def _outermost(element, name: str):
    """Elements of a name (text boxes) in no other of it; alternatives for old programs are left out."""
    for item in element.iter():
        if local_name(item) == name and not any(
            local_name(parent) in (name, "fallback")
            for parent in item.iterancestors()
            if parent is not element
        ):
            yield item

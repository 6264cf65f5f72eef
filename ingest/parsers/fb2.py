"""FictionBook: sections with titles are the chapters; notes of the notes body follow what refers to them."""

from collections.abc import Iterator

from ingest.cleaning import one_line
from ingest.document import Document
from ingest.errors import BadInput
from ingest.form import Block
from ingest.limits import Limits, check_nesting
from ingest.manuscript import Manuscript
from ingest.parsers.html import write_blocks
from ingest.source import Source
from ingest.tree import every_word, local_name, raised_sign
from ingest.xmlparts import read_xml, value

NAME = "fb2"

_DEEPEST_LEVEL = 6
_LINES = frozenset(["p", "v", "subtitle", "text-author", "date"])
_SKIP = frozenset(["image", "binary", "empty-line", "description", "stylesheet"])
_NOTE_BODIES = frozenset(["notes", "comments", "footnotes"])
_OPENING, _CLOSING = b"<binary", b"</binary>"


def accepts(source: Source) -> bool:
    wide = source.head.replace(b"\0", b"")  # as UTF-16 writes it
    return b"<FictionBook" in wide and wide.lstrip(b"\xef\xbb\xbf\xff\xfe \r\n\t").startswith(b"<")


def parse(source: Source) -> Document:
    """Parse a FictionBook. Raises BadInput for what is not XML at all and for a book without text."""
    root, sound = read_xml(_without_pictures(source.data), source.limits)
    if root is None:
        raise BadInput("this FictionBook is damaged (it is no XML): get another copy")
    manuscript = Manuscript(source.limits)
    if not sound:
        manuscript.warn("the file is damaged; text behind the damage may be missing: get another copy")
    bodies = [element for element in root.iter("{*}body") if element.getparent() is root]
    written = [body for body in bodies if body.get("name") not in _NOTE_BODIES]
    reader = _Reader(source.limits, [body for body in bodies if body not in written])
    found = [block for body in written for block in reader.section(body, 1)] + reader.rest()
    if not found:
        raise BadInput("there is no text in this FictionBook (pictures only?): choose another copy")
    for body in bodies:
        manuscript.expect(every_word(body), "titles of notes and what stands in no section")
    title = write_blocks(found, manuscript)
    about = root.find("{*}description/{*}title-info")
    return manuscript.document(
        title=_words(about, "book-title") or title or source.stem,
        author=", ".join(filter(None, map(_name, () if about is None else about.iterchildren("{*}author")))),
        language=_words(about, "lang"),
        format=NAME,
    )


def _without_pictures(data: bytes) -> bytes:
    """Cut the pictures, which are most of it and no text, out of a file."""
    kept, at = [], 0
    while (begin := data.find(_OPENING, at)) >= 0:
        end = data.find(_CLOSING, begin)
        if end < 0:
            break
        kept.append(data[at:begin])
        at = end + len(_CLOSING)
    return b"".join([*kept, data[at:]]) if at else data


def _words(element, name: str) -> str:
    found = None if element is None else element.find(f"{{*}}{name}")
    return "" if found is None else one_line("".join(found.itertext()))


def _name(author) -> str:
    parts = [_words(author, name) for name in ("first-name", "middle-name", "last-name")]
    return " ".join(filter(None, parts)) or _words(author, "nickname")


class _Reader:
    """Sections to blocks; each note is written once, after the paragraph that first refers to it."""

    def __init__(self, limits: Limits, bodies: list):
        self.limits = limits
        self.notes = {section.get("id"): section for body in bodies for section in _notes(body)}
        self.bodies = bodies
        self.used: set[str] = set()
        self.waiting: list[tuple[str, str]] = []  # mark and id

    def section(self, element, level: int) -> list[Block]:
        """Read the blocks of a body, a section or a part of one. Raises BadInput where it nests too deep."""
        check_nesting("sections", level, self.limits)
        found: list[Block] = []
        for child in element:
            name = local_name(child)
            if name == "title":
                depth = 0 if local_name(element) == "poem" else min(level, _DEEPEST_LEVEL)
                found += self._with_notes(Block(self._title(child), depth))
            elif name in _LINES:
                found += self._with_notes(Block(self._line(child)))
            elif name == "stanza":
                found += self._with_notes(Block("\n".join(map(self._line, _lines(child)))))
            elif name == "table":
                found += self._with_notes(Block("\n".join(map(self._row, child.iter("{*}tr")))))
            elif name and name not in _SKIP and not self._is_written(child):
                found += self.section(child, level + 1)
        return found

    def _is_written(self, element) -> bool:
        identity = element.get("id")
        return identity in self.used and self.notes[identity] is element

    def rest(self) -> list[Block]:
        """Read the notes that nothing refers to, and what else their bodies hold."""
        found: list[Block] = []
        for body in self.bodies:
            left = self.section(body, 1)
            found += left if any(not block.level for block in left) else []
        return found

    def _title(self, element) -> str:
        joined = ""
        for part in filter(None, map(self._line, _lines(element))):
            joined += ("" if not joined else " " if joined[-1] in ".:!?" else ": ") + part
        return joined

    def _row(self, row) -> str:
        return " | ".join(
            filter(None, (self._line(cell) for cell in row if local_name(cell) in ("td", "th")))
        )

    def _line(self, element) -> str:
        """Read the words of a paragraph on one line, references to notes as "[1]"."""
        parts: list[str] = []
        stack: list = [element]
        while stack:
            item = stack.pop()
            if isinstance(item, str):
                parts.append(item)
                continue
            name = local_name(item)
            if item is not element and item.tail:
                stack.append(item.tail)
            if name == "" or name in _SKIP:
                continue
            target = value(item, "href").removeprefix("#") if name == "a" else ""
            if target in self.notes:
                parts.append(self._mark(item, target))
                continue
            linked = name == "sup" and item.find(".//{*}a") is not None
            sign = None if linked else raised_sign(item, parts)
            if sign is not None:
                parts.append(sign)
                continue
            for child in reversed(item):
                stack.append(child)
            stack.append(item.text or "")
        return one_line("".join(parts))

    def _mark(self, element, target: str) -> str:
        mark = one_line("".join(element.itertext())).strip("[](){}") or "note"
        if target not in self.used:
            self.used.add(target)
            self.waiting.append((mark, target))
        return f"[{mark}]"

    def _with_notes(self, block: Block) -> list[Block]:
        found = [block] if block.text.strip() else []
        while self.waiting:
            mark, identity = self.waiting.pop(0)
            lines = [line for line in map(self._line, _note_lines(self.notes[identity])) if line]
            found += [Block(f"[{mark}] {line}" if at == 0 else line) for at, line in enumerate(lines)]
        return found


def _lines(element) -> Iterator:
    return (child for child in element if local_name(child) in _LINES)


def _notes(body) -> Iterator:
    """Find the sections that are notes; what stands in one belongs to it, named or not."""
    stack = list(reversed(body))
    while stack:
        item = stack.pop()
        if local_name(item) == "section" and item.get("id"):
            yield item
        else:
            stack += reversed(item)


def _note_lines(section) -> Iterator:
    """Read the lines of a note, without titles."""
    stack = list(reversed(section))
    while stack:
        item = stack.pop()
        name = local_name(item)
        if name in _LINES:
            yield item
        elif name != "title":
            stack += reversed(item)

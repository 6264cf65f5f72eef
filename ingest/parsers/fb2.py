"""FictionBook: sections with titles are the chapters; notes of the notes body follow what refers to them."""

from collections.abc import Iterator

from ingest.cleaning import layout, one_line
from ingest.document import Document
from ingest.errors import BadInput
from ingest.form import Block, Piece
from ingest.limits import Limits, check_nesting
from ingest.manuscript import Manuscript
from ingest.parsers.html import write_blocks
from ingest.source import Source
from ingest.tree import every_word, local_name, raised_sign
from ingest.xmlparts import read_xml, value

NAME = "fb2"

_DEEPEST_LEVEL = 6
_LINES = frozenset(["p", "v", "subtitle", "text-author", "date"])
_INLINE = frozenset(["a", "code", "emphasis", "strikethrough", "strong", "style", "sub", "sup"])
_SKIP = frozenset(["image", "binary", "empty-line", "description", "stylesheet"])
_APART = _LINES | {"empty-line"}  # whose words are never those of their neighbour
_PART, _WORDS, _CODE = "part", "words", "code"
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
        for kind, run in _runs(element):
            if kind != _PART:
                found += self._with_notes(self._code(run) if kind == _CODE else Block(self._words(run)))
                continue
            child, name = run[0], local_name(run[0])
            if name == "title":
                depth = 0 if local_name(element) == "poem" else min(level, _DEEPEST_LEVEL)
                found += self._with_notes(Block(self._title(child), depth))
            elif name in _LINES:
                found += self._with_notes(Block(self._line(child)))
            elif name == "stanza":
                found += self._with_notes(Block("\n".join(map(self._line, _lines(child)))))
            elif name == "table" and any(len(_cells(row)) > 1 for row in child.iter("{*}tr")):
                found += self._with_notes(Block("\n".join(map(self._row, child.iter("{*}tr")))))
            elif name not in _SKIP and not self._is_written(child):
                found += self.section(child, level + 1)
        return found

    def _code(self, run: list) -> Block:
        """Make one block of lines of code, of which each is a paragraph."""
        lines = ["".join(line.itertext()).strip("\n") for line in run if not isinstance(line, str)]
        if len(lines) == 1:
            return Block(self._words(run))
        text = layout("\n".join(lines))
        return Block(text, keep_layout=True, form=[Piece("code", 0, len(text))])

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
        return " | ".join(filter(None, map(self._line, _cells(row))))

    def _line(self, element) -> str:
        """Read the words of a paragraph on one line."""
        return self._words(_pieces(element))

    def _words(self, run: list) -> str:
        """Read texts and elements on one line, references to notes as "[1]"."""
        parts: list[str] = []
        stack = list(reversed(run))
        while stack:
            item = stack.pop()
            if isinstance(item, str):
                parts.append(item)
                continue
            name = local_name(item)
            parts.append(apart := " " if name in _APART else "")
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
            stack += [apart, *reversed(_pieces(item))]
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


def _runs(element) -> Iterator[tuple[str, list]]:
    """Split what an element holds into runs: loose words, lines of code; each other part is one by itself."""
    run: list = []
    before = ""
    for piece in _pieces(element):
        kind = _kind(piece)
        if run and kind and (kind != before or _is_link(piece) and _is_link(run[-1])):
            yield before, run
            run = []
        if kind == _PART:
            yield kind, [piece]
        elif kind or run:
            run.append(piece)
        before = kind or before
    if run:
        yield before, run


def _pieces(element) -> list:
    """List the texts and the elements right inside an element, in order."""
    found = [element.text]
    for child in element:
        found += [child, child.tail]
    return [piece for piece in found if piece is not None and piece != ""]


def _kind(piece) -> str:
    """Name the kind of run that a piece belongs to; "" for what belongs to any."""
    if isinstance(piece, str):
        return _WORDS if piece.strip() else ""
    name = local_name(piece)
    if name in ("", "image"):
        return ""
    return _CODE if _is_code(piece) else _WORDS if name in _INLINE else _PART


def _is_link(piece) -> bool:
    return not isinstance(piece, str) and local_name(piece) == "a"


def _is_code(element) -> bool:
    """Tell a paragraph that holds code and nothing else."""
    inside = element[0] if local_name(element) == "p" and len(element) == 1 else None
    if inside is None or local_name(inside) != "code":
        return False
    return not ((element.text or "") + (inside.tail or "")).strip()


def _cells(row) -> list:
    return [cell for cell in row if local_name(cell) in ("td", "th")]


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

"""Form: how the author set the text: spans beside it that never change a character of it.

A parser sees an element's letters before their blanks are put in order, and a paragraph may be moved: so a
block carries pieces, counted in its own text, and `Binding` makes spans of a document out of them.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

# of letters inside a paragraph
INLINE = frozenset(["italic", "bold", "smallcaps", "mono", "link", "reference"])
# of whole paragraphs; "table", "row", "header" and "cell" divide one
BLOCKWISE = frozenset(
    ["heading", "quote", "verse", "item", "code", "note", "caption", "table", "row", "header", "cell"]
)
_LEADING = frozenset(["link", "reference"])  # whose value is the offset that they lead to
_BREAK = 2  # letters between two paragraphs


@dataclass(frozen=True, slots=True)
class Span:
    """What `text[start:end]` is; `value` is the level of a heading, the depth of an item, the columns of a
    cell, or the offset that a link or a reference to a note leads to."""

    kind: str
    start: int
    end: int
    value: int = 0


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture that stands before the character `at`: its name in the document's own store, "" where it is
    not kept there, and what its author says that it shows."""

    at: int
    name: str
    words: str = ""


@dataclass(frozen=True, slots=True)
class Piece:
    """A span inside one block. Pieces of one element that goes over several blocks have one `key`."""

    kind: str
    start: int
    end: int
    value: int = 0
    target: str = ""
    key: int = 0


@dataclass
class Block:
    """One paragraph, heading (`level` 1 to 6), table, code block or note, as plain text.

    `anchors` are the ids that stood in it or right before it; `refs` the (id, mark) of notes it refers to;
    `note` the id of the footnote it belongs to; `breaks` where in it a printed page begins, and its label;
    `form` how it is set; `pictures` (offset, address, words) of what stands in it.
    """

    text: str
    level: int = 0
    keep_layout: bool = False
    anchors: list[str] = field(default_factory=list)
    refs: list[tuple[str, str]] = field(default_factory=list)
    note: str | None = None
    breaks: list[tuple[int, str]] = field(default_factory=list)
    form: list[Piece] = field(default_factory=list)
    pictures: list[tuple[int, str, str]] = field(default_factory=list)

    def take_in(self, words: str, other: "Block | None" = None) -> None:
        """Add words at the end, with the form of the block that they are from."""
        if other is not None:
            by = len(self.text) + len(words) - len(other.text)
            self.form += moved(other.form, by)
            self.pictures += [(at + by, address, said) for at, address, said in other.pictures]
        self.text += words

    def put_before(self, words: str) -> None:
        """Add words in front; what is of the whole block is of them too."""
        size = len(words)
        self.form = [
            replace(one, start=one.start + size * (one.start > 0 or one.kind in INLINE), end=one.end + size)
            for one in self.form
        ]
        self.pictures = [(at and at + size, address, said) for at, address, said in self.pictures]
        self.text = words + self.text


def moved(form: list[Piece], by: int) -> list[Piece]:
    """Return pieces as they stand behind so many more letters."""
    return [replace(one, start=one.start + by, end=one.end + by) for one in form]


Resolve = Callable[[str, str], tuple[str, str]]


def resolve_here(part: str, address: str) -> tuple[str, str]:
    """Return (part, id) that an address means in a document of one part; ("", "") for all outside of it."""
    return (part, address[1:]) if address.startswith("#") else ("", "")


class Binding:
    """Gathers the form of blocks as they are written, until all places are known that links lead to."""

    def __init__(self) -> None:
        self.resolve: Resolve = resolve_here
        self._anchors: dict[tuple[str, str], int] = {}
        self._spans: list[Span] = []
        self._targets: dict[int, tuple[str, str]] = {}  # index into the spans -> where it leads
        self._open: dict[tuple[str, int], int] = {}  # element -> index of its span so far

    def anchor(self, part: str, identity: str, at: int) -> None:
        """Remember where an id stands; the first of its name counts."""
        self._anchors.setdefault((part, identity), at)

    def add(self, block: Block, start: int, end: int, part: str) -> None:
        """Take over the form of a block that stands at [start, end) of the text."""
        size = end - start
        if block.level:
            self._spans.append(Span("heading", start, end, block.level))
        for one in block.form:
            first, last = start + min(one.start, size), start + min(one.end, size)
            if last <= first and one.kind not in ("cell", "header"):
                continue
            known = self._open.get((part, one.key)) if one.key and one.kind in BLOCKWISE else None
            if known is not None and (span := self._spans[known]).end + _BREAK == first:
                self._spans[known] = Span(span.kind, span.start, last, span.value)
                continue
            if one.key:
                self._open[part, one.key] = len(self._spans)
            if one.kind in _LEADING:
                self._targets[len(self._spans)] = self.resolve(part, one.target)
            self._spans.append(Span(one.kind, first, last, one.value))

    def spans(self) -> list[Span]:
        """Return all spans by where they begin; links that lead nowhere inside the document are none."""
        return sorted(self._led(), key=lambda span: span.start)

    def _led(self) -> Iterator[Span]:
        for index, span in enumerate(self._spans):
            if index not in self._targets:
                yield span
            elif (target := self._anchors.get(self._targets[index])) is not None:
                yield replace(span, value=target)


def attach_footnotes(found: list[Block]) -> list[Block]:
    """Move each footnote behind the paragraph that refers to it, marked "[1]" as it is there."""
    notes: dict[str, list[Block]] = {}
    for block in found:
        if block.note:
            notes.setdefault(block.note, []).append(block)
    referred = {target for block in found for target, _ in block.refs if block.note is None}
    placed: list[Block] = []
    pages: list[tuple[int, str]] = []  # that begin with a note which goes elsewhere
    for block in found:
        if block.note in referred:
            pages += [(0, label) for _, label in block.breaks]
            block.breaks = []
            continue
        block.breaks, pages = [*pages, *block.breaks], []
        placed.append(block)
        for target, mark in block.refs:
            note = notes.pop(target, [])
            if note and not note[0].text.startswith((mark, f"[{mark}")):
                note[0].put_before(f"[{mark}] ")
            placed += note
    return placed

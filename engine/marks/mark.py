"""Mark: what one reader noted at one place of one book, with the words that find the place again."""

import secrets
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from engine.shelf.identifiers import SHAPE
from engine.shelf.titles import one_line
from ingest.document import Document
from ingest.errors import BadInput

KINDS = ("highlight", "note", "bookmark")
COLOURS = ("yellow", "green", "blue", "rose")
LONGEST = 20_000
AROUND = 160
# characters of the text that stand for a bookmark, which marks a point
BOOKMARKED = 120


@dataclass(frozen=True)
class Mark:
    """One highlight, note or bookmark. Offsets count characters of the document's text; times as `Entry`'s.

    `book` is the id of the document it was made in, `document` the same while that is on the shelf.
    `share`: how far into the book it stood, from 0 to 1. `lost`: its words are not in the text (any more).
    """

    book: str
    kind: str
    start: int
    end: int
    quote: str
    before: str = ""
    after: str = ""
    place: str = ""
    share: float = 0.0
    title: str = ""
    author: str = ""
    colour: str = ""
    note: str = ""
    owner: str = ""
    document: str | None = None
    lost: bool = False
    id: str = field(default_factory=lambda: secrets.token_hex(8))
    created: float = field(default_factory=time.time)
    changed: float = field(default_factory=time.time)

    @property
    def address(self) -> str:
        """Return where the mark stands, as the page's address says it."""
        return f"#book={self.book}&at={self.start}"

    def record(self) -> dict[str, Any]:
        """Return what an export says of it: all but whose it is, and what the shelf knows better."""
        values = asdict(self)
        return {name: values[name] for name in RECORDED} | {"address": self.address}


RECORDED = tuple(one.name for one in fields(Mark) if one.name not in ("owner", "document", "lost"))


def stands(document: Document, start: int, end: int) -> dict[str, Any]:
    """Return what a mark says of the characters [start, end) of a document. Raises BadInput outside of it."""
    text = document.text
    if not 0 <= start < len(text) or not start <= end <= len(text):
        raise BadInput("this place is not in the book (any more); open it again")
    if end - start > LONGEST:
        raise BadInput(f"that is too much to mark at once: choose {LONGEST:,} characters at most")
    shown = end if end > start else _reach(text, start)
    return {
        "start": start,
        "end": end,
        "quote": text[start:shown],
        "before": text[max(0, start - AROUND) : start],
        "after": text[shown : shown + AROUND],
        "place": str(document.place(start, end if end > start else None)),
        "share": start / max(1, len(text)),
    }


def _reach(text: str, start: int) -> int:
    """Find the end of the words that stand for a point: a line, or some words of it."""
    line = text.find("\n\n", start + 1)
    end = min(len(text) if line < 0 else line, start + BOOKMARKED)
    space = text.rfind(" ", start + BOOKMARKED // 2, end)
    return space if space > 0 and end == start + BOOKMARKED else end


def look(kind: str, colour: str, note: str) -> dict[str, Any]:
    """Return what a reader chose, as a mark keeps it. Raises BadInput for what there is not."""
    if kind not in KINDS or colour not in ("", *COLOURS):
        raise BadInput(f"a mark is one of {', '.join(KINDS)}, its colour one of {', '.join(COLOURS)}")
    if len(note) > LONGEST:
        raise BadInput(f"a note has {LONGEST:,} letters at most")
    if kind == "note" and not note.strip():
        raise BadInput("the note is empty; write something")
    return {
        "kind": kind,
        "colour": colour or ("" if kind == "bookmark" else COLOURS[0]),
        "note": note.strip(),
    }


def read(record: object) -> Mark:
    """Read what `Mark.record` gave, out of a file that may be hostile. Raises BadInput naming the fault."""
    if not isinstance(record, dict):
        raise BadInput("it is no mark: { … } with book, start, end and quote is one")
    checks: dict[str, Callable[[Any], bool]] = {
        "book": lambda value: isinstance(value, str) and bool(SHAPE.fullmatch(value)),
        "id": lambda value: isinstance(value, str) and bool(SHAPE.fullmatch(value)),
        "share": lambda value: _is_number(value) and 0 <= value <= 1,
    }
    checks |= dict.fromkeys(("start", "end"), lambda value: type(value) is int and 0 <= value < 2**53)
    checks |= dict.fromkeys(("created", "changed"), lambda value: _is_number(value) and 0 <= value < 2**40)
    texts = ("kind", "quote", "before", "after", "place", "title", "author", "colour", "note")
    checks |= dict.fromkeys(texts, lambda value: isinstance(value, str) and len(value) <= LONGEST)
    given = {name: record[name] for name in checks if name in record}
    for name in ("book", "kind", "start", "end", "quote"):
        if name not in given:
            raise BadInput(f"it has no {name}")
    for name, value in given.items():
        if not checks[name](value):
            raise BadInput(f"its {name} cannot be")
    given |= look(given["kind"], given.get("colour", ""), given.get("note", ""))
    lines: dict[str, Any] = {
        name: one_line(given[name]) for name in ("title", "author", "place") if name in given
    }
    if given["end"] < given["start"]:
        raise BadInput("its end stands before its start")
    return Mark(**given | lines)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)

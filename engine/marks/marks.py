"""Marks: highlights, notes and bookmarks of one reader, kept in the shelf's database by account and book.

The reader (`owner`, '' without accounts) sees no other's; as books come and change, all readers' are moved.
"""

import string
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from time import time
from typing import Any

from engine.marks.mark import Mark, look, stands
from engine.shelf.connections import Connections
from engine.shelf.words import words
from ingest.document import Document
from ingest.editions import Edition, Quote
from ingest.errors import BadInput

SIGNS = string.punctuation + "“”‘’«»„‚…—– \n"
ORDER = "ORDER BY title, book, start, created"


class Marks:
    """One reader's marks."""

    def __init__(self, connections: Connections, owner: str = "") -> None:
        self.connections, self.owner = connections, owner

    def add(
        self,
        identifier: str,
        document: Document,
        start: int,
        end: int,
        *,
        kind: str = "highlight",
        colour: str = "",
        note: str = "",
    ) -> Mark:
        """Mark the characters [start, end) of a document (of a bookmark: start alone counts).

        The same place marked again in the same way takes the new colour and note. Raises BadInput.
        """
        chosen = look(kind, colour, note)
        found = stands(document, start, start if kind == "bookmark" else end)
        if kind != "bookmark" and not found["quote"].strip():
            raise BadInput("nothing is selected; select some words of the book first")
        with self.connections.writing() as db:
            row = db.execute("SELECT title, author FROM documents WHERE id = ?", [identifier]).fetchone()
            if row is None:
                raise BadInput("this book is not on the shelf any more")
            title, author = row
            mark = Mark(
                book=identifier,
                document=identifier,
                title=title,
                author=author,
                owner=self.owner,
                **found,
                **chosen,
            )
            same = "document = ? AND owner = ? AND kind = ? AND start = ? AND end = ?"
            known = self._rows(
                f"SELECT * FROM marks WHERE {same}", [identifier, self.owner, kind, mark.start, mark.end]
            )
            if known:
                mark = replace(known[0], colour=mark.colour, note=mark.note or known[0].note, changed=time())
            self._put(mark)
        return mark

    def get(self, identifier: str) -> Mark:
        """Return a mark. Raises BadInput where there is no such mark, or it is another reader's."""
        for mark in self._rows("SELECT * FROM marks WHERE id = ? AND owner = ?", [identifier, self.owner]):
            return mark
        raise BadInput("there is no such mark (any more)")

    def change(self, identifier: str, note: str) -> Mark:
        """Give a mark another note; a note makes a note of a highlight, and no note undoes that."""
        with self.connections.writing():
            mark = self.get(identifier)
            words = note.strip()
            kind = mark.kind if mark.kind == "bookmark" else "note" if words else "highlight"
            mark = replace(mark, **look(kind, mark.colour, words), changed=time())
            self._put(mark)
        return mark

    def delete(self, identifier: str) -> None:
        """Delete a mark. Raises BadInput where there is none."""
        with self.connections.writing() as db:
            self.get(identifier)
            db.table("marks").delete(identifier)

    def of(self, book: str) -> list[Mark]:
        """List a reader's marks in a book, in its order; also of one that left the shelf."""
        return self._rows(f"SELECT * FROM marks WHERE book = ? AND owner = ? {ORDER}", [book, self.owner])

    def all(self) -> list[Mark]:
        """List all of a reader's marks, book after book."""
        return self._rows(f"SELECT * FROM marks WHERE owner = ? {ORDER}", [self.owner])

    def books(self) -> set[str]:
        """Return the ids of the books that a reader has marks in."""
        rows = self.connections.db.execute("SELECT DISTINCT book FROM marks WHERE owner = ?", [self.owner])
        return {book for (book,) in rows.fetchall()}

    def search(self, query: str, book: str | None = None) -> list[Mark]:
        """List the marks that hold all words of a query, or the beginnings of words; '' lists all."""
        wanted = [word.word for word in words(query)]
        marks = self.all() if book is None else self.of(book)
        return [mark for mark in marks if _holds(mark, wanted)]

    # as books come, change and go

    def settle(self, identifier: str, document: Document) -> None:
        """Find all readers' marks of a book in its text as it now is, and join those that wait for it."""
        edition = Edition(document.text)
        with self.connections.writing() as db:
            for mark in self._rows("SELECT * FROM marks WHERE book = ?", [identifier]):
                settled = _settled(mark, identifier, document, edition)
                if settled != mark:
                    db.table("marks").update(mark.id, _row(settled))

    def hand_over(self, old: str, new: str, document: Document) -> int:
        """Give all readers' marks of one book to another edition of it; returns how many were found there."""
        with self.connections.writing() as db:
            db.execute("UPDATE marks SET book = ?, document = ? WHERE book = ?", [new, new, old])
            self.settle(new, document)
            return db.table("marks").count_where("book = ? AND NOT lost", [new])

    def take(self, marks: Iterable[Mark], documents: dict[str, Document]) -> tuple[int, int]:
        """Take marks from elsewhere; returns how many are new or newer, and how many were there already.

        documents: the books of the shelf that they may stand in, by the id that the marks call them.
        """
        editions = {identifier: Edition(document.text) for identifier, document in documents.items()}
        taken = there = 0
        with self.connections.writing() as db:
            titles = {row["id"]: row for row in db.query("SELECT id, title, author FROM documents")}
            for mark in marks:
                known = self._rows("SELECT * FROM marks WHERE id = ?", [mark.id])
                if known and known[0].owner != self.owner:
                    # another account's: the same export, read by two
                    mark, known = replace(mark, id=Mark(mark.book, mark.kind, 0, 0, "").id), []
                if known and known[0].changed >= mark.changed or self._is_there(mark):
                    there += 1
                    continue
                if mark.book in documents:
                    mark = _settled(mark, mark.book, documents[mark.book], editions[mark.book])
                    mark = replace(mark, title=titles[mark.book]["title"], author=titles[mark.book]["author"])
                self._put(replace(mark, owner=self.owner))
                taken += 1
        return taken, there

    def _is_there(self, mark: Mark) -> bool:
        same = (mark.kind, mark.quote, mark.note, mark.colour)
        found = (one for one in self.of(mark.book) if one.id != mark.id)
        return any((one.kind, one.quote, one.note, one.colour) == same and
                   abs(one.share - mark.share) < 0.01 for one in found)  # fmt: skip

    def _put(self, mark: Mark) -> None:
        self.connections.db.table("marks").upsert(_row(mark), pk="id")

    def _rows(self, sql: str, values: Sequence[Any]) -> list[Mark]:
        rows = list(self.connections.db.query(sql, values))
        return [Mark(**row | {"lost": bool(row["lost"])}) for row in rows]


def _row(mark: Mark) -> dict[str, Any]:
    values = {name: _storable(value) for name, value in asdict(mark).items()}
    return values | {"lost": int(mark.lost)}


def _storable(value: Any) -> Any:
    """Replace half surrogate pairs, which SQLite does not take."""
    return value.encode("utf-8", "replace").decode("utf-8") if isinstance(value, str) else value


def _settled(mark: Mark, identifier: str, document: Document, edition: Edition) -> Mark:
    """Return the mark as it stands in that text; lost, with its old place, where its words are not there."""
    text, is_point = document.text, mark.start == mark.end
    if text[mark.start : mark.start + len(mark.quote)] == mark.quote and mark.quote:
        found: tuple[int, int] | None = (mark.start, mark.start + len(mark.quote))
    else:
        found = edition.find(Quote(mark.quote, mark.before, mark.after, mark.share))
    if found is None:
        return replace(mark, document=identifier, lost=True)
    start, end = with_signs(text, found, mark.quote)
    moved = stands(document, start, start if is_point else end)
    return replace(mark, document=identifier, lost=False, **moved)


def with_signs(text: str, span: tuple[int, int], quote: str) -> tuple[int, int]:
    """Take the signs that a quotation begins and ends with along, where they stand in the text too."""
    start, end = span
    head = quote[: len(quote) - len(quote.lstrip(SIGNS))]
    tail = quote[len(quote.rstrip(SIGNS)) :]
    if head and text[max(0, start - len(head)) : start] == head:
        start -= len(head)
    if tail and text[end : end + len(tail)] == tail:
        end += len(tail)
    return start, end


def _holds(mark: Mark, wanted: list[str]) -> bool:
    said = [word.word for word in words(f"{mark.quote} {mark.note} {mark.title} {mark.author} {mark.place}")]
    return all(any(word.startswith(start) for word in said) for start in wanted)

"""Marks desk: what the page and the command line ask about highlights, notes and bookmarks."""

from collections.abc import Sequence
from dataclasses import asdict

from engine.library import Library
from engine.marks import export
from engine.marks.mark import Mark
from engine.shelf.titles import folded
from ingest.document import Document
from ingest.errors import BadInput

ENDINGS = {"markdown": "md", "json": "json", "epub": "epub"}


def exported(marks: Sequence[Mark], form: str, base: str = "") -> bytes:
    """Write marks in a form out of `ENDINGS`. Raises BadInput where there are none."""
    if not marks:
        raise BadInput("there are no notes to export yet; mark something first")
    if form == "epub":
        from app.desk.marks_epub import written  # EbookLib is needed for this alone

        return written(marks)
    text = export.as_json(marks) if form == "json" else export.markdown(marks, base)
    return text.encode("utf-8", "replace")


def imported(library: Library, content: bytes, owner: str = "") -> tuple[int, int]:
    """Read marks that were exported as JSON; returns how many came, and how many were there already.

    A mark of a book that is not on the shelf goes to one of the same title and author, else it waits.
    """
    marks = export.from_json(content, owner)
    shelf = library.shelf
    entries = [entry for entry in shelf.entries(owner) if shelf.is_stored(entry.id)]
    ids = {entry.id for entry in entries}
    titles = {(folded(entry.title), folded(entry.author)): entry.id for entry in entries}
    named = [
        mark if mark.book in ids else Mark(**asdict(mark) | {"book": titles.get(_title(mark), mark.book)})
        for mark in marks
    ]
    documents: dict[str, Document] = {
        book: library.document(book) for book in {mark.book for mark in named} & ids
    }
    return shelf.marks.take(named, documents, owner)


def _title(mark: Mark) -> tuple[str, str]:
    return folded(mark.title), folded(mark.author)

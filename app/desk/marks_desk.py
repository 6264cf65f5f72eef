"""Marks desk: what the page and the command line ask about highlights, notes and bookmarks."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from app.desk import uploads
from app.desk.reading_desk import ReadingDesk
from app.desk.state import View
from app.html import marks_html
from engine.marks import export
from engine.marks.mark import Mark
from engine.shelf.titles import folded
from engine.texts import Texts
from ingest.document import Document
from ingest.editions import Edition, Quote
from ingest.errors import BadInput

NEAR = 2_000  # characters around a selection in which its words are looked for
ASKED = 300
ENDINGS = {"markdown": "md", "json": "json", "epub": "epub"}


def exported(marks: Sequence[Mark], form: str, base: str = "") -> bytes:
    """Write marks in a form out of `ENDINGS`. Raises BadInput where there are none."""
    if not marks:
        raise BadInput("there are no notes to export yet; mark something first")
    if form == "epub":
        from app.desk.epubs import of_marks  # EbookLib is needed for this alone

        return of_marks(marks)
    text = export.as_json(marks) if form == "json" else export.markdown(marks, base)
    return text.encode("utf-8", "replace")


def imported(library: Texts, content: bytes) -> tuple[int, int]:
    """Read marks that were exported as JSON; returns how many came, and how many were there already.

    A mark of a book that is not on the shelf goes to one of the same title and author, else it waits.
    """
    marks = export.from_json(content)
    shelf = library.shelf
    entries = [entry for entry in shelf.entries() if shelf.is_stored(entry.id)]
    ids = {entry.id for entry in entries}
    titles = {(folded(entry.title), folded(entry.author)): entry.id for entry in entries}
    named = [
        mark if mark.book in ids else Mark(**asdict(mark) | {"book": titles.get(_title(mark), mark.book)})
        for mark in marks
    ]
    documents: dict[str, Document] = {
        book: library.document(book) for book in {mark.book for mark in named} & ids
    }
    return shelf.marks.take(named, documents)


def _title(mark: Mark) -> tuple[str, str]:
    return folded(mark.title), folded(mark.author)


class MarksDesk:
    """One reader's marks: a selection becomes one, and leaves and lists show them."""

    def __init__(self, reading: ReadingDesk, read_only: bool = False) -> None:
        self.reading, self.read_only = reading, read_only
        self.library = reading.assistant.library
        self.shelf, self.books = reading.shelf, reading.books

    def changeable(self) -> None:
        """Raise BadInput where the page is for reading only."""
        if self.read_only:
            raise BadInput("this page was opened with --read-only: nothing can be marked here")

    def span(self, view: View, values: dict) -> tuple[int, int]:
        """Find the characters that a browser says are selected, by their words where it counts otherwise."""
        text = self.books.document(view.document).text
        start, end = int(values["start"]), int(values["end"])
        words = str(values.get("words", ""))
        if not 0 <= start <= end <= len(text):
            raise ValueError("outside of the book")
        if words and words.split() != text[start:end].split():
            low = max(0, start - NEAR)
            near = text[low : end + NEAR]
            found = Edition(near).find(Quote(words, share=(start - low) / max(1, len(near))))
            if found is not None:
                return low + found[0], low + found[1]
        return start, end

    def add(self, view: View, kind: str, values: dict) -> None:
        """Mark what is selected."""
        self.changeable()
        start, end = self.span(view, values)
        document = self.books.document(view.document)
        colour, note = str(values.get("colour") or ""), str(values.get("answer") or "")
        self.shelf.marks.add(view.document, document, start, end, kind=kind, colour=colour, note=note)

    def bookmark(self, view: View) -> None:
        """Bookmark the chosen paragraph, or the place in view."""
        self.changeable()
        at = view.cursor if view.cursor is not None else max(view.at, self.books.leaf(view).start)
        document = self.books.document(view.document)
        self.shelf.marks.add(view.document, document, at, at, kind="bookmark")

    def unmark(self, view: View, values: dict) -> None:
        """Delete the marks that lie over the words selected."""
        self.changeable()
        start, end = self.span(view, values)
        marks = self.shelf.marks
        for mark in marks.of(view.document):
            if mark.start < max(end, start + 1) and start < max(mark.end, mark.start + 1):
                marks.delete(mark.id)

    def quoted(self, view: View, values: dict) -> str:
        """Return the words selected, with the book and the place they stand at."""
        document = self.books.document(view.document)
        start, end = self.span(view, values)
        parts = [part for part in (document.author, document.title, str(document.place(start, end))) if part]
        return f"“{document.text[start:end].strip()}”\n({', '.join(parts)})"

    def asked(self, view: View, values: dict) -> str:
        """Begin a question about the words selected."""
        document = self.books.document(view.document)
        start, end = self.span(view, values)
        words = " ".join(document.text[start:end].split())
        return f"“{words if len(words) <= ASKED else words[:ASKED] + '…'}”: "

    def listed(self, view: View, query: str, of_one_book: bool) -> str:
        """Write the list of marks as HTML."""
        one = of_one_book and bool(view.document)
        marks = self.shelf.marks.search(query, view.document if one else None)
        return marks_html.listed(marks, query, one)

    def exported(self, view: View, form: str, query: str, of_one_book: bool, base: str) -> Path:
        """Write the marks that are listed into a file to be downloaded."""
        book = view.document if of_one_book and view.document else None
        content = exported(self.shelf.marks.search(query, book), form, base)
        path = uploads.outgoing(f"notes.{ENDINGS[form]}")
        path.write_bytes(content)
        return path

    def imported(self, path: Path) -> str:
        """Take in a file of marks that was uploaded, and say what came."""
        self.changeable()
        try:
            taken, there = imported(self.library, uploads.inside(path).read_bytes())
        finally:
            uploads.discard(path)
        return f"{taken} {'note' if taken == 1 else 'notes'} came, {there} were here already."

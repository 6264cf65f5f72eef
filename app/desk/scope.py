"""Scope: what an answer may read, by the bound that the reader chose."""

from typing import Any

from app.desk.reading_desk import ReadingDesk
from app.desk.state import View
from engine.answering.scope import READ
from engine.shelf.entry import Entry
from ingest.errors import BadInput


def scope(desk: ReadingDesk, view: View) -> tuple[str | None, dict[str, Any]]:
    """Return (document, None for the whole shelf; the bounds that `Assistant.ask` takes).

    Raises BadInput where nothing lies within the bound: no book, no text yet, nothing read, no chapter.
    """
    if view.is_shelf:
        return None, {"until": READ} if view.bound == "shelf-read" else {}
    entry = still_there(desk, view)
    if entry is None:
        raise BadInput("open a book first, or choose to ask all books")
    if not entry.characters:
        raise BadInput("this book has no text yet; once its first words are shown, ask it")
    if view.bound == "read":
        if not entry.position:
            raise BadInput("you have not read anything yet: read on, or press “I have read to here”")
        return entry.id, {"until": f"char {entry.position}"}
    if view.bound == "chapter":
        return entry.id, {"within": desk.books.document(entry.id).chapter_names[_chapter(desk, view)]}
    return entry.id, {}


def still_there(desk: ReadingDesk, view: View) -> Entry | None:
    """Return the document of a view; None where none is open. Raises BadInput for one removed since."""
    entry = desk.entry(view)
    if entry is None and view.document:
        raise BadInput("this book is not on the shelf any more; open another one")
    return entry


def _chapter(desk: ReadingDesk, view: View) -> int:
    """Return the chapter at the chosen place; before the first, the one that begins on the leaf in view."""
    document, leaf = desk.books.document(view.document), desk.books.leaf(view)
    chapter = document.place(view.cursor if view.cursor is not None else max(view.at, leaf.start)).chapter
    if chapter is None:
        begun = (n for n, one in enumerate(document.chapters) if leaf.start <= one.start < leaf.end)
        chapter = next(begun, None)
    if chapter is None:
        raise BadInput("no chapter begins here or before: read on, or choose another bound")
    return chapter

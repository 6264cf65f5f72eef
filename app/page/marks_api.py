"""API of marks: the public events of what a reader keeps; see app.page.api."""

from typing import Any

import gradio as gr

from app.desk.desk import Desk
from app.page.api import publish, saying
from app.tabs.frame import visit_of
from ingest.errors import BadInput
from ingest.position import find_start


def declare(desk: Desk) -> None:
    """Register the public events in the Blocks under construction."""

    def notes(request: gr.Request, document: str = "", query: str = "") -> list[dict[str, Any]]:
        """List one's own highlights, notes and bookmarks: id, kind, quote, note, colour, place, start, end.

        Parameters:
            document: its id, an unambiguous start of that, or its title; empty: of all
            query: only those that hold these words; empty: all
        """
        with saying():
            mine = visit_of(desk, request).shelf
            marks = mine.marks.search(query, mine.find(document).id if document else None)
            return [mark.record() | {"document": mark.document} for mark in marks]

    def add_note(
        request: gr.Request, document: str, place: str, words: str = "", note: str = "", colour: str = ""
    ) -> dict[str, Any]:
        """Mark words of a document, or bookmark a place of it; answers with the new mark.

        Parameters:
            document: its id, an unambiguous start of that, or its title
            place: e.g. "page 12", "Chapter 3, paragraph 4", "45%"
            words: those that stand there or next after it; empty: a bookmark
            note: what to say of them; empty: a highlight
            colour: yellow, green, blue or rose; empty: yellow
        """
        with saying():
            desk.changeable()
            mine = visit_of(desk, request).shelf
            entry = mine.find(document)
            whole = desk.books.document(entry.id)
            start = find_start(whole, place)
            kind = "bookmark" if not words else "note" if note else "highlight"
            at = whole.text.find(words, start) if words else start
            if at < 0:
                raise BadInput(
                    "these words do not stand at that place or after it: give them as the book has them"
                )
            mark = mine.marks.add(entry.id, whole, at, at + len(words), kind=kind, colour=colour, note=note)
            return mark.record() | {"document": mark.document}

    def delete_note(request: gr.Request, note: str) -> dict[str, Any]:
        """Delete one of one's own highlights, notes or bookmarks.

        Parameters:
            note: its id, as `notes` lists it
        """
        with saying():
            desk.changeable()
            marks = visit_of(desk, request).shelf.marks
            marks.delete(marks.get(note).id)
            return {"deleted": note}

    for name, function in {"notes": notes, "add_note": add_note, "delete_note": delete_note}.items():
        publish(name, function)

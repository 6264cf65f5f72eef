"""API of what a book holds: who is who, the story so far, terms and dates; see app.page.api."""

from typing import Any

import gradio as gr

from app.desk import records
from app.desk.desk import Desk
from app.page.api import publish, saying
from app.tabs.frame import visit_of
from engine.cast.person import Cast
from engine.cast.story import story_so_far as story_told
from ingest.document import Document
from ingest.position import find_position


def declare(desk: Desk) -> None:
    """Register the public events in the Blocks under construction."""

    def known(request: gr.Request, document: str, until: str) -> tuple[Document, Cast, int]:
        """Return a document, what it holds, and the character up to which that may be told."""
        entry = visit_of(desk, request).shelf.find(document)
        whole = desk.books.document(entry.id)
        return whole, desk.books.cast(entry.id), find_position(whole, until) if until else entry.position

    def who_is_who(request: gr.Request, document: str, until: str = "") -> list[dict[str, Any]]:
        """List who and what a document names, as far as it was read: kind, name, aliases, mentions, sentence.

        Each has its first and last mention, the sentence that introduces it, and who appears with it.

        Parameters:
            document: its id, an unambiguous start of that, or its title
            until: as far as this place instead, e.g. "page 12", "45%", "end"; empty: as far as was read
        """
        with saying():
            return records.cast(*known(request, document, until))

    def story_so_far(request: gr.Request, document: str, until: str = "") -> list[dict[str, Any]]:
        """Tell what happened chapter by chapter, in the book's own sentences, as far as it was read.

        Parameters:
            document: its id, an unambiguous start of that, or its title
            until: as far as this place instead, e.g. "page 12", "45%", "end"; empty: as far as was read
        """
        with saying():
            whole, cast, end = known(request, document, until)
            return records.story(whole, story_told(whole, cast, end))

    def list_terms(request: gr.Request, document: str, until: str = "") -> list[dict[str, Any]]:
        """List the words that a document explains, as far as it was read: term, explained (a sentence).

        Parameters:
            document: its id, an unambiguous start of that, or its title
            until: as far as this place instead, e.g. "page 12", "45%", "end"; empty: as far as was read
        """
        with saying():
            return records.terms(*known(request, document, until))

    def list_dates(request: gr.Request, document: str, until: str = "") -> list[dict[str, Any]]:
        """List the dates that a document names, as far as it was read, the earliest first.

        Each has date (as the text has it), year, month, day (0: not told; years before Christ below zero)
        and told (its sentence).

        Parameters:
            document: its id, an unambiguous start of that, or its title
            until: as far as this place instead, e.g. "page 12", "45%", "end"; empty: as far as was read
        """
        with saying():
            return records.dates(*known(request, document, until))

    for name, function in {
        "who": who_is_who, "story": story_so_far, "terms": list_terms, "dates": list_dates,
    }.items():  # fmt: skip
        publish(name, function)

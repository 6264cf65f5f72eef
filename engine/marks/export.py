"""Marks as Markdown for people and as JSON for programs, and JSON back.

Books and notes are hostile here as in a talk's transcript: every sign of Markdown is escaped.
"""

import json
from collections.abc import Sequence
from itertools import groupby

from engine.marks.mark import Mark, read
from engine.shelf.transcript import literal, quote
from ingest.errors import BadInput

FORMAT = "longmem-marks"
VERSION = 1
MOST = 100_000
LARGEST = 200 * 1024 * 1024


def by_book(marks: Sequence[Mark]) -> list[tuple[Mark, list[Mark]]]:
    """Group marks by their book: (one that tells its title, all of it)."""
    groups = [list(group) for _, group in groupby(marks, key=lambda mark: mark.book)]
    return [(group[0], group) for group in groups]


def markdown(marks: Sequence[Mark], base: str = "") -> str:
    """Write marks as Markdown, book after book. base: the page's address, which makes links of places."""
    parts = ["# Notes"]
    for book, group in by_book(marks):
        author = f", {literal(book.author)}" if book.author else ""
        parts.append(f"## {literal(book.title) or 'A book'}{author}")
        for mark in group:
            parts.append(quote({"text": mark.quote, "place": mark.place}))
            parts.append(literal(mark.note))
            label = mark.kind if mark.kind == "bookmark" else mark.colour
            where = f" [open]({base}{mark.address})" if base else ""
            parts.append(f"({label}{', not found in this edition' if mark.lost else ''}){where}")
    return "\n\n".join(part for part in parts if part) + "\n"


def as_json(marks: Sequence[Mark]) -> str:
    """Write marks so that `from_json` reads them back."""
    record = {"format": FORMAT, "version": VERSION, "marks": [mark.record() for mark in marks]}
    return json.dumps(record, ensure_ascii=False, indent=1) + "\n"


def from_json(content: bytes) -> list[Mark]:
    """Read marks that were exported. Raises BadInput, with the number of the mark, for anything else."""
    advice = "give a JSON file that “Export” wrote"
    if len(content) > LARGEST:
        raise BadInput(f"the file is too large for notes: {advice}")
    try:
        record = json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise BadInput(f"the file is no JSON: {advice}") from error
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise BadInput(f"the file holds no notes of this program: {advice}")
    if record.get("version") != VERSION:
        raise BadInput("the notes were exported by another version of this program: update it")
    marks = record.get("marks")
    if not isinstance(marks, list) or len(marks) > MOST:
        raise BadInput(f"the file has no list of notes, or one of more than {MOST:,}")
    found = []
    for number, one in enumerate(marks, 1):
        try:
            found.append(read(one))
        except BadInput as error:
            raise BadInput(f"note {number} of the file: {error}; nothing was imported") from error
    return found

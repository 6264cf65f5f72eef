"""Editions: a newer file of a book takes the place of an older one, and readers keep what they had in it.

Marks, places read and what talks cite are found again by their words; tags go over as they are. What is not
found keeps its words, and the place it had in the older edition.
"""

import json
from typing import Any

from engine.errors import Failure
from engine.library import Library
from engine.marks.marks import with_signs
from engine.shelf.sqlite import sqlite_utils
from ingest.document import Document
from ingest.editions import Edition, quote
from ingest.errors import BadInput


def replace(library: Library, old: str, new: str) -> tuple[int, int]:
    """Give the marks, places, tags and talks of one document to another, then delete the first.

    Returns (how many marks were found in the new text, the bytes freed). Raises BadInput where both are the
    same, Failure while the new one has not been read yet; nothing is changed then.
    """
    if old == new:
        raise BadInput("this is the same file: there is nothing to replace")
    shelf = library.shelf
    if not shelf.is_stored(new):
        raise Failure(
            f'"{shelf.get(new).title}" has not been read yet; wait a moment, then replace the older one'
        )
    former, document = library.document(old), library.document(new)
    with shelf.connections.writing() as db:
        passage = _Passage(old, new, former, document)
        _hand_over_places(db, old, new, passage)
        _hand_over_talks(db, old, new, passage)
        found = shelf.marks.hand_over(old, new, document)
    return found, library.remove(old)


class _Passage:
    """The way from the text of one edition to that of another."""

    def __init__(self, old: str, new: str, former: Document, document: Document) -> None:
        self.old, self.new, self.former, self.document = old, new, former, document
        self._edition = Edition(document.text)

    def find(self, start: int, end: int | None = None) -> tuple[int, int] | None:
        """Return the span of `former.text[start:end]` in the new text; None where nothing like it is."""
        return self._edition.find(quote(self.former.text, start, end))

    def near(self, at: int) -> int:
        """Return where a character would stand if both texts ran alike."""
        return round(min(1.0, at / max(1, len(self.former.text))) * len(self.document.text))

    def cited(self, citation: dict[str, Any]) -> dict[str, Any]:
        """Return what a talk cites as it stands in the new text; citations of other documents as they are."""
        if citation.get("document") != self.old:
            return citation
        found = self.find(citation["start"], citation["end"])
        if found is None:
            at, place = self.near(citation["start"]), f"{citation['place']} of the older edition"
            return citation | {"document": self.new, "start": at, "end": at, "place": place}
        start, end = with_signs(self.document.text, found, citation["text"])
        place = str(self.document.place(start, end))
        text = self.document.text[start:end]
        return citation | {"document": self.new, "text": text, "start": start, "end": end, "place": place}


def _hand_over_places(db: sqlite_utils.Database, old: str, new: str, passage: _Passage) -> None:
    for row in list(db.query("SELECT * FROM readings WHERE document = ?", [old])):
        at = min(row["position"], len(passage.former.text))
        found = passage.find(at) if at else (0, 0)
        known = db.execute(
            "SELECT position FROM readings WHERE document = ? AND owner = ?", [new, row["owner"]]
        ).fetchone()
        position = max(found[0] if found else passage.near(at), known[0] if known else 0)
        values = row | {"document": new, "position": position}
        db.table("readings").upsert(values, pk=("document", "owner"))


def _hand_over_talks(db: sqlite_utils.Database, old: str, new: str, passage: _Passage) -> None:
    """Give the talks about the old text to the new one; so go the citations of it in any other talk."""
    db.execute(
        "DELETE FROM traces WHERE message IN"  # where in the old text an answer was read, token by token
        " (SELECT messages.id FROM messages JOIN talks ON talks.id = talk WHERE document = ?)",
        [old],
    )
    db.execute("UPDATE talks SET document = ? WHERE document = ?", [new, old])
    sql = "SELECT id, citations, settings FROM messages WHERE instr(citations || settings, ?)"
    for row in list(db.query(sql, [json.dumps(old)])):
        citations, settings = json.loads(row["citations"]), json.loads(row["settings"])
        if looked := settings.get("looked"):
            settings["looked"] = [passage.cited(one) for one in looked]
        changed = {"citations": [passage.cited(one) for one in citations], "settings": settings}
        db.table("messages").update(row["id"], {name: json.dumps(one) for name, one in changed.items()})

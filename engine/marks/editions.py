"""Editions: a newer file of a book takes the place of an older one, and readers keep what they had in it.

Marks and places read are found again by their words; tags go over as they are. Talks stay with the old text:
their citations are exact places of it.
"""

from engine.errors import Failure
from engine.library import Library
from engine.shelf.sqlite import sqlite_utils
from ingest.document import Document
from ingest.editions import Edition, quote
from ingest.errors import BadInput


def replace(library: Library, old: str, new: str) -> tuple[int, int]:
    """Give the marks, places and tags of one document to another, then delete the first with its talks.

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
        _hand_over_places(db, old, new, former, document)
        found = shelf.marks.hand_over(old, new, document)
    return found, library.remove(old)


def _hand_over_places(
    db: sqlite_utils.Database, old: str, new: str, former: Document, document: Document
) -> None:
    edition, size = Edition(document.text), max(1, len(former.text))
    for row in list(db.query("SELECT * FROM readings WHERE document = ?", [old])):
        at = min(row["position"], len(former.text))
        found = edition.find(quote(former.text, at)) if at else (0, 0)
        moved = found[0] if found else round(at / size * len(document.text))
        known = db.execute(
            "SELECT position FROM readings WHERE document = ? AND owner = ?", [new, row["owner"]]
        ).fetchone()
        position = max(moved, known[0] if known else 0)
        values = row | {"document": new, "position": position}
        db.table("readings").upsert(values, pk=("document", "owner"))

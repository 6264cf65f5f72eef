"""Leaving: an account takes its place from a book that others keep (`engine.shelf.holders`)."""

from engine.shelf.holders import left
from engine.shelf.shelf import Shelf


def leave(shelf: Shelf, identifier: str, keep_marks: bool = False) -> None:
    """Take a document, with talks, marks and place, from the shelf's reader; one more has to hold it.

    keep_marks: the marks stay.
    """
    talks = [talk.id for talk in shelf.talks.about(identifier)]
    with shelf.connections.writing() as db:
        shelf.set_settings(identifier, left(shelf.get(identifier).settings, shelf.owner))
        for table in ("readings",) if keep_marks else ("readings", "marks"):
            db.execute(f"DELETE FROM {table} WHERE document = ? AND owner = ?", [identifier, shelf.owner])
    for talk in talks:
        shelf.talks.delete(talk)

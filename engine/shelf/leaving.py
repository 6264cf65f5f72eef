"""Leaving: an account takes its place from a book that others keep (`engine.shelf.holders`)."""

from engine.shelf.holders import left
from engine.shelf.shelf import Shelf


def leave(shelf: Shelf, identifier: str, account: str, keep_marks: bool = False) -> None:
    """Take a document, with talks, marks and place, from an account; one more at least has to hold it.

    keep_marks: its marks stay.
    """
    talks = [talk.id for talk in shelf.talks.about(identifier, account)]
    with shelf.connections.writing() as db:
        shelf.set_settings(identifier, left(shelf.get(identifier).settings, account))
        for table in ("readings",) if keep_marks else ("readings", "marks"):
            db.execute(f"DELETE FROM {table} WHERE document = ? AND owner = ?", [identifier, account])
    for talk in talks:
        shelf.talks.delete(talk, account)

"""Documents that were stored without their form get it later, and keep their text."""

import json

import pytest

from engine.form import lacks_form, renew_form
from engine.library import Library
from engine.paths import Paths
from engine.shelf.shelf import _text_sum
from ingest.parse import parse
from tests.ingest.test_form import DATA

BOOK = f"# One\n\nSo *odd* it was.\n\n![Tom]({DATA})\n\nThe end.\n"


@pytest.fixture
def stored(tmp_path) -> tuple[Library, str]:
    """A book as this version reads it, not encoded."""
    library = Library(Paths(tmp_path / "home"), parse)
    path = tmp_path / "book.md"
    path.write_text(BOOK)
    entry, _ = library.shelf.add(path)
    library.keep(entry.id, library.intake.read(entry.id))
    return library, entry.id


def grow_old(library: Library, identifier: str, **changes: object) -> None:
    """Store a book as versions before form did."""
    path = library.paths.parsed(identifier)
    record = json.loads(path.read_text()) | {"version": 1} | changes
    for name in ("spans", "pictures", "cover"):
        del record[name]
    path.write_text(json.dumps(record))
    sum_of_it = _text_sum(path.read_text())
    with library.shelf.connections.writing() as db:
        db.execute("UPDATE documents SET text_sum = ? WHERE id = ?", [sum_of_it, identifier])
    library.shelf.configure(identifier, form=None)
    library._documents.clear()


def test_what_is_stored_now_has_its_form_and_its_pictures(stored):
    library, identifier = stored
    document = library.document(identifier)
    assert [one.kind for one in document.spans] == ["heading", "italic"]
    assert (library.paths.pictures(identifier) / document.pictures[0].name).is_file()
    assert not lacks_form(library, identifier)


def test_an_older_document_opens_and_gets_its_form(stored):
    library, identifier = stored
    whole = library.document(identifier)
    grow_old(library, identifier)
    assert library.document(identifier).text == whole.text and not library.document(identifier).spans
    assert lacks_form(library, identifier)
    assert renew_form(library, identifier)
    assert library.document(identifier) == whole and not lacks_form(library, identifier)


def test_pictures_that_are_gone_come_back(stored):
    library, identifier = stored
    picture = library.paths.pictures(identifier) / library.document(identifier).pictures[0].name
    picture.unlink()
    assert lacks_form(library, identifier) and renew_form(library, identifier)
    assert picture.is_file()


def test_a_text_that_would_come_out_otherwise_stays_as_it_was_stored(stored):
    library, identifier = stored
    grow_old(library, identifier, text="Another text.", paragraphs=[[0, 13]], chapters=[])
    assert not renew_form(library, identifier)
    assert library.document(identifier).text == "Another text."
    assert not lacks_form(library, identifier)

"""What an answer may read, without a model."""

from types import SimpleNamespace

import pytest

from app.desk.scope import scope
from app.desk.state import Line, View
from app.html import leaves
from ingest.errors import BadInput
from tests.app.made import document, entry, novel_document


def test_a_book_that_was_removed_while_it_was_open_is_said_to_be_gone():
    desk = SimpleNamespace(entry=lambda view: None)
    for view, says in ((View("n"), "not on the shelf any more"), (View(), "open a book first")):
        with pytest.raises(BadInput, match=says):
            scope(desk, view)


@pytest.mark.parametrize("bound, says", [("shelf", {}), ("shelf-read", {"until": "read"})])
def test_of_all_books_everything_or_what_was_read(bound, says):
    assert View(bound=bound).is_shelf
    assert scope(None, View(bound=bound)) == (None, says)


def test_this_chapter_is_the_one_read_or_the_first_that_begins_on_the_leaf():
    novel = novel_document()
    front = novel.chapters[0].start
    starts = leaves.leaf_starts(novel)

    def within(at: int, cursor: int | None = None, chapters: int = 9) -> str:
        shown = document(novel.text, chapters=novel.chapters[:chapters])
        books = SimpleNamespace(
            document=lambda _: shown, leaf=lambda view: leaves.leaf_of(starts, len(novel.text), view.at)
        )
        desk = SimpleNamespace(entry=lambda view: entry(state="ready"), books=books)
        return scope(desk, View("n", Line(at), cursor=cursor, bound="chapter"))[1]["within"]

    assert front > 0
    assert within(0) == within(0, cursor=front - 1) == "Chapter 1"
    assert within(novel.chapters[2].start) == "Chapter 3"
    with pytest.raises(BadInput, match="no chapter begins here or before"):
        within(0, chapters=0)

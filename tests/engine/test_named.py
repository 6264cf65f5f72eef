"""Questions that name a chapter or a page read only there."""

import pytest

from engine.answering.named import named_range, without_place
from engine.answering.passages import is_matter
from engine.shelf.fulltext import Hit
from ingest.document import Chapter, Document, Page

TEXT = "The Mill, by A. Nonymous.\nChapter I\nA goose sat.\nChapter II\nA hen sat.\nIndex\nGoose, hen."
ONE, TWO, INDEX = TEXT.index("Chapter I\n"), TEXT.index("Chapter II"), TEXT.index("Index")
DOCUMENT = Document(
    "The Mill", "A. Nonymous", "en", "text", TEXT,
    chapters=(
        Chapter("Titlepage", 0, ONE, kind="front"), Chapter("Chapter I", ONE, TWO),
        Chapter("Chapter II", TWO, INDEX), Chapter("Index", INDEX, len(TEXT), kind="back"),
    ),
    pages=(Page("xi", 0, TWO), Page("12", TWO, len(TEXT))),
)  # fmt: skip


@pytest.mark.parametrize(
    ("question", "found"),
    [
        ("Who sat in chapter 2?", (TWO, INDEX)),
        ("What happens in Chapter II?", (TWO, INDEX)),
        ("Who sits in the first chapter?", (ONE, TWO)),
        ("Who sits in the last chapter?", (TWO, INDEX)),
        ("Summarize chapter 2", (TWO, INDEX)),
        ("Chapter II summary", (TWO, INDEX)),
        ("What is said on page 12?", (TWO, len(TEXT))),
        ("What is said on page xi?", (0, TWO)),
        ("What is said on page 99?", None),
        ("Who sat in chapter 9?", None),
        ("Why did she sit, in part because of him?", None),
        ("Which chapter is the longest?", None),
    ],
)
def test_the_place_that_a_question_names(question, found):
    assert named_range(question, DOCUMENT) == found


@pytest.mark.parametrize(
    ("question", "rest"),
    [
        ("What happens in chapter 2?", "What happens ?"),
        ("Summarise the last chapter, please", "Summarise, please"),
        ("Page 12: who sits?", ": who sits?"),
        ("Who sits?", "Who sits?"),
    ],
)
def test_what_is_asked_of_the_place_that_was_named(question, rest):
    assert without_place(question) == rest


@pytest.mark.parametrize(("start", "matter"), [(0, True), (ONE + 12, False), (INDEX + 6, True)])
def test_title_pages_and_indexes_are_no_text_of_the_book(start, matter):
    assert is_matter(DOCUMENT, Hit("mill", 0, start, start + 4, 1.0, "", ())) is matter

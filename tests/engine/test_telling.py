"""Who somebody is and what happens in a chapter, told in the book's own sentences."""

import pytest

from engine.answering.telling import figure_called, telling
from engine.cast.casting import make_cast
from ingest.document import Document
from tests.engine.test_cast import BOOK, CHAPTERS, HALF, TEXT


@pytest.fixture(scope="module")
def cast():
    return make_cast(BOOK)


def told(question: str, cast, low: int = 0, high: int = len(TEXT), bounded: bool = False) -> str:
    return " ".join(TEXT[slice(*span)] for span in telling(question, BOOK, lambda: cast, low, high, bounded))


@pytest.mark.parametrize(
    ("question", "holds"),
    [
        ("Who is Anne?", "the youngest daughter of the miller"),
        ("And who was Anne?", "the youngest daughter of the miller"),
        ("who exactly is anne", "the youngest daughter of the miller"),
        ("Tell me about Anne.", "the youngest daughter of the miller"),
        ("Who is Tom?", "who kept the ferry"),
    ],
)
def test_who_somebody_is(cast, question, holds):
    assert holds in told(question, cast)


@pytest.mark.parametrize(
    "question",
    [
        "Who is Captain Brand?",
        "Who is the second mate?",
        "Who is he?",
        "Who laughed?",
        "What happens?",
        "Is Anne rich?",
        "Who is?",
    ],
)
def test_other_questions_are_left_to_the_reading_layers(cast, question):
    assert told(question, cast) == ""


def test_nothing_is_told_from_outside_the_range(cast):
    assert told("Who is Anne?", cast, high=30) == ""
    assert told("Who is Anne?", cast, low=HALF) == ""
    assert figure_called("Captain Brand", cast, HALF) is None


def test_what_happens_in_a_part_that_was_named(cast):
    second = told("What happens in chapter 2?", cast, HALF, len(TEXT), bounded=True)
    assert second and all(piece in TEXT[HALF:] for piece in second.split(". ")[:1])
    assert told("What happens in chapter 1?", cast, 0, HALF, bounded=True) in TEXT[:HALF]


def test_the_story_so_far_is_that_of_the_last_chapters(cast):
    assert told("What has happened so far?", cast, high=HALF) in TEXT[:HALF] != ""
    assert len(CHAPTERS) == 2


def test_a_document_without_names_tells_nobody():
    document = Document("T", "", "en", "text", "a hen sat. it rained.")
    assert telling("Who is Anne?", document, lambda: make_cast(document), 0, 21, False) == ()

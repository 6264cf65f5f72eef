"""Who somebody is and what happens in a chapter, told in the book's own sentences."""

import pytest

from engine.answering.telling import BEYOND, WHICH, figure_called, spread, telling
from engine.cast.casting import make_cast
from ingest.document import Document
from tests.engine.test_cast import BOOK, CHAPTERS, HALF, TEXT


@pytest.fixture(scope="module")
def cast():
    return make_cast(BOOK)


def told(question: str, cast, low: int = 0, high: int = len(TEXT), bounded: bool = False) -> str:
    found = telling(question, BOOK, lambda: cast, low, high, bounded)
    if found is None:
        return ""
    return found.words or " ".join(TEXT[slice(*span)] for span in found.sentences)


@pytest.mark.parametrize(
    ("question", "holds"),
    [
        ("Who is Anne?", "the youngest daughter of the miller"),
        ("And who was Anne?", "the youngest daughter of the miller"),
        ("who exactly is anne", "the youngest daughter of the miller"),
        ("Tell me about Anne.", "the youngest daughter of the miller"),
        ("Describe Anne!", "the youngest daughter of the miller"),
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
        "What happens to Anne?",
        "What happened when Hale came?",
        "What is the captain about to do?",
        "Who are the people who live at the ferry?",
        "Describe the fire.",
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
    assert telling("Who is Anne?", document, lambda: make_cast(document), 0, 21, False) is None
    assert telling("Who are the characters?", document, lambda: make_cast(document), 0, 21, False) is None


@pytest.mark.parametrize(
    ("question", "who"),
    [
        ("Who are the main characters?", "Named most often: Anne, Robert Hale"),
        ("List all characters of the book.", "Named most often: Anne, Robert Hale"),
        ("Who is the main character?", "Named most often: Anne."),
        ("And who is the hero of this story?", "Named most often: Anne."),
    ],
)
def test_who_appears_is_who_is_named_most_often(cast, question, who):
    assert told(question, cast).startswith(who)
    assert "Brand" not in told(question, cast, high=HALF)


@pytest.mark.parametrize(
    "question",
    [
        "What happens?",
        "What happens in the book?",
        "Summarize this story",
        "Can you give me a short summary of the whole book?",
        "What is the plot of the novel?",
        "sum up the book for me",
        "What are the main points?",
    ],
)
def test_a_whole_book_is_told_by_a_sentence_of_each_chapter(cast, question):
    found = telling(question, BOOK, lambda: cast, 0, len(TEXT), False)
    assert [span[0] < HALF for span in found.sentences] == [True, False]


@pytest.mark.parametrize(
    "question", ["What is it about?", "What's the book about", "Tell me what it is about"]
)
def test_what_a_book_is_about_stands_at_its_beginning(cast, question):
    assert told(question, cast)[:60] in TEXT[:HALF] and told(question, cast) != ""


@pytest.mark.parametrize("question", ["How does the book end?", "What happens at the end?", "how it ends"])
def test_the_end_is_told_to_who_may_read_it(cast, question):
    (span, *_) = telling(question, BOOK, lambda: cast, 0, len(TEXT), False).sentences
    assert span[0] > HALF
    assert told(question, cast, high=HALF, bounded=True) == BEYOND


def test_how_it_begins(cast):
    assert told("How does the story begin?", cast)[:40] in TEXT[:HALF]


def test_a_chapter_that_is_not_named_is_asked_for(cast):
    assert told("Summarize this chapter", cast) == WHICH
    assert told("Summarize this chapter", cast, HALF, bounded=True) in TEXT[HALF:] != ""


def test_of_many_chapters_some_are_told_from_the_first_to_the_last():
    chapters = [((number, number + 1), (0, 0)) for number in range(30)]
    assert [one[0][0] for one in spread(chapters)] == [0, 4, 8, 12, 17, 21, 25, 29]
    assert spread(chapters[:1]) == [chapters[0][:1]] and spread([]) == []

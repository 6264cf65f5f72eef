"""Questions to begin and to go on with: each is answered by the book, and none tells of what was not read."""

import pytest

from engine.answering.suggestions import SO_FAR, further, suggestions
from engine.answering.telling import telling
from engine.cast.casting import make_cast
from ingest.document import Chapter, Document

TOLD = (
    "Ukridge was a tall man who kept chickens by the sea. “Well,” said Ukridge. Ukridge laughed. "
    "Phyllis was the daughter of a professor. “No,” said Phyllis. Phyllis went home with Ukridge. "
)
LATER = (
    "The Professor was an angry old man who fished for trout. The Professor saw Phyllis. The Professor left. "
)


def book(told: str, author: str = "", chapters: tuple[str, ...] = ()) -> Document:
    """Make a book that is told once, or once in each chapter."""
    text, made = "" if chapters else told, []
    for title in chapters:
        start, text = len(text), text + f"{title}\n\n{told}\n\n"
        made.append(Chapter(title, start, len(text)))
    return Document("T", author, "en", "text", text, made)


@pytest.mark.parametrize(
    ("document", "end", "expected"),
    [
        (book(TOLD * 2, "A"), None, ["Who is Ukridge?", "Who is Phyllis?", "Who wrote this book?"]),
        (book(TOLD * 20, "A", ("Preface", "I", "II")), None,
         ["Who is Ukridge?", "Who is Phyllis?", "What happens in chapter 1?",
          "How many chapters are there?"]),
        (book(TOLD * 60), 6000, ["Who is Ukridge?", "Who is Phyllis?", SO_FAR]),
        (book("It rained. " * 9 + TOLD * 9), 90, []),
        (book("He said. She said. They asked. " * 9), None, []),
    ],
)  # fmt: skip
def test_questions_are_offered_that_the_book_answers(document, end, expected):
    cast, until = make_cast(document), len(document.text) if end is None else end
    assert suggestions(document, cast, end) == expected
    for question in expected:
        if question.startswith("Who is"):
            assert telling(question, document, lambda: cast, 0, until, False)


def test_one_goes_on_with_those_whom_an_answer_names():
    document = book(TOLD * 3 + LATER * 3)
    cast, said = make_cast(document), "Phyllis went home with Ukridge. The Professor saw Phyllis."
    assert further(document, cast, said, ["Who is Ukridge?"]) == ["Who is Phyllis?", "Who is the Professor?"]
    assert further(document, cast, said, ["Who is Ukridge?"], len(TOLD * 3)) == ["Who is Phyllis?"]
    assert further(document, cast, "It rained.", []) == []

"""Questions to begin with."""

import pytest

from engine.answering.suggestions import suggestions
from ingest.document import Chapter, Document

SAID = "“Well,” said Ukridge. “No,” said Mr. Garnet. "


@pytest.mark.parametrize(
    ("text", "author", "chapters", "expected"),
    [
        (SAID * 3 + "Ukridge asked. Then said no more.", "A", 0,
         ["Who is Ukridge?", "Who is Mr. Garnet?", "Who wrote this book?"]),
        (SAID * 2, "", 2, ["How many chapters are there?", "What is the first chapter called?"]),
        ("He said. She said. They asked. " * 9, "", 0, []),
        (SAID * 9, "A", 3, ["Who is Ukridge?", "Who is Mr. Garnet?", "Who wrote this book?",
                            "How many chapters are there?"]),
    ],
)  # fmt: skip
def test_questions_are_offered_that_a_book_can_answer(text, author, chapters, expected):
    made = [Chapter(f"Chapter {n}", n, len(text)) for n in range(chapters)]
    assert suggestions(Document("T", author, "en", "text", text, made)) == expected


def test_nobody_is_named_before_the_reader_has_met_them():
    text = "It rained. " * 9 + SAID * 9
    assert suggestions(Document("T", "", "en", "text", text), 90) == []

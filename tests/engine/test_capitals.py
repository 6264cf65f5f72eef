"""Questions typed in small letters get the capitals of the book's names."""

import pytest

from engine.answering.capitals import with_capitals
from engine.cast.casting import make_cast
from tests.engine.test_cast import BOOK, HALF, TEXT


@pytest.mark.parametrize(
    ("typed", "asked"),
    [
        ("who is with anne", "Who is with Anne?"),
        ("Who met captain brand?", "Who met Captain Brand?"),
        ("does robert hale laugh?", "Does Robert Hale laugh?"),
        ("Where is Norton and who is anne", "Where is Norton and who is anne"),  # capitals were meant
        ("who kept the ferry?", "Who kept the ferry?"),
        ("  ", "  "),
        ("?", "?"),
    ],
)
def test_names_get_their_capitals(typed, asked):
    assert with_capitals(typed, lambda: make_cast(BOOK), len(TEXT)) == asked


def test_a_name_from_ahead_is_not_known():
    assert with_capitals("who is captain brand?", lambda: make_cast(BOOK), HALF) == "Who is captain brand?"


def test_nobody_is_looked_up_for_a_question_with_capitals():
    assert with_capitals("Who is Anne?", pytest.fail, 0) == "Who is Anne?"

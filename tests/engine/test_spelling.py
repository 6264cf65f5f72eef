"""Searching with one wrong letter."""

import pytest

from engine.paths import Paths
from engine.shelf.fulltext import FullText
from engine.shelf.spelling import one_letter_apart

ROWS = ["The keeper Marigold lit the lamp.", "A gull slept on the lamp room.", "The boat came late."]


@pytest.fixture
def fulltext(tmp_path):
    paths = Paths(tmp_path)
    paths.document("a" * 12).mkdir(parents=True)
    made = FullText(paths)
    made.index("a" * 12, [(n, 100 * n, 100 * n + len(text), text) for n, text in enumerate(ROWS)])
    return made


@pytest.mark.parametrize(
    ("typed", "query", "total"),
    [
        ("Marigold", "Marigold", 1),
        ("Marigodl lit", "marigold lit", 1),
        ("keper", "keeper", 1),
        ("lampp", "lamp", 2),
        ("the bpat cam", "the boat cam", 1),
        ("zebra", "zebra", 0),
        ("Maigodl", "Maigodl", 0),
        ("", "", 0),
    ],
)
def test_a_search_forgives_one_wrong_letter_a_word(fulltext, typed, query, total):
    found = fulltext.search_forgiving(typed, "a" * 12)
    assert (found.query, found.total, len(found.hits)) == (query, total, total)


@pytest.mark.parametrize(
    ("one", "other", "apart"),
    [("boat", "boar", True), ("boat", "bot", True), ("bot", "boat", True), ("boat", "baot", True),
     ("boat", "boats", True), ("boat", "goats", False), ("boat", "ta", False), ("ab", "ba", True)],
)  # fmt: skip
def test_words_one_letter_apart(one, other, apart):
    assert one_letter_apart(one, other) is apart

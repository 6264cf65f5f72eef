"""Words of one edition found again in another: unchanged, respelt, moved, or gone."""

import random

import pytest

from ingest.editions import Edition, quote

WORDS = """
harbour bell keeper lantern mill river winter bridge letter captain orchard window stone barley sparrow market
thunder candle ferry shepherd velvet copper meadow garden violin mirror anchor pepper
"""


def story(seed: int, sentences: int = 120) -> list[str]:
    draw = random.Random(seed)
    return [
        " ".join(draw.choices(WORDS.split(), k=draw.randint(7, 14))).capitalize() + "."
        for _ in range(sentences)
    ]


LINES = story(1)
OLD = " ".join(LINES)


def moved(lines: list[str]) -> str:
    return " ".join([*lines[80:], *lines[:80]])


# a newer edition -> what it makes of the sentence in the middle (None: its words as they were)
EDITIONS = {
    "the same": (OLD, None),
    "a preface before it": ("A new preface, never seen before. " * 60 + OLD, None),
    "other lines and marks": ("\n\n".join(LINES).replace(" ", "\n").replace(".", " .”"), None),
    "hyphens at line ends": (OLD.replace("harbour", "har-\nbour").replace("candle", "can\u00ad\ndle"), None),
    "capitals and accents": (OLD.upper().replace("E", "É"), None),
    "parts in another order": (moved(LINES), None),
    "a word changed": (OLD.replace(LINES[60], LINES[60].replace(" ", " quite ", 1)), 1),
    "neighbours rewritten": (" ".join([*LINES[:58], *story(2, 2), LINES[60], *story(3, 2)]), None),
}


def plain(text: str) -> str:
    return "".join(letter for letter in text.casefold().replace("é", "e") if letter.isalnum())


@pytest.mark.parametrize("name", EDITIONS)
def test_a_sentence_is_found_in_a_newer_edition(name):
    text, changed = EDITIONS[name]
    start = OLD.index(LINES[60])
    found = Edition(text).find(quote(OLD, start, start + len(LINES[60])))
    assert found is not None
    words = plain(text[slice(*found)])
    assert words == plain(LINES[60]) if changed is None else "quite" in words
    assert words.startswith(plain(LINES[60])[:5]) and words.endswith(plain(LINES[60])[-5:])


@pytest.mark.parametrize(
    "name", ["the same", "a preface before it", "other lines and marks", "a word changed"]
)
def test_a_position_is_found_in_a_newer_edition(name):
    text = EDITIONS[name][0]
    at = OLD.index(LINES[60])
    found = Edition(text).find(quote(OLD, at))
    assert found is not None and found[0] == found[1]
    assert plain(text[found[0] :]).startswith(plain(LINES[60])[:5])


def test_what_is_not_there_is_not_found():
    other = Edition(" ".join(story(9)))
    start = OLD.index(LINES[60])
    assert other.find(quote(OLD, start, start + len(LINES[60]))) is None
    assert other.find(quote(OLD, start)) is None
    assert Edition("").find(quote(OLD, 5, 9)) is None
    assert Edition(OLD).find(quote("", 0)) is None


def test_of_equal_words_the_place_with_the_old_neighbours_is_taken():
    text = "One said yes to the miller. Two said yes to the ferryman. Three said yes to the shepherd."
    start = text.index("yes", text.index("Two"))
    newer = "Nobody said yes in this preface. " + text
    found = Edition(newer).find(quote(text, start, start + 3))
    assert found is not None and newer[found[0] - 9 : found[1]] == "Two said yes"

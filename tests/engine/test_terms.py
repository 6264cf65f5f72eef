"""A glossary and a timeline out of a text: what was written down is found, a story explains nothing."""

import pytest

from engine.cast.casting import make_cast
from engine.cast.person import Cast
from engine.cast.terms import find_terms
from engine.cast.timeline import find_dates
from engine.paths import SAMPLES
from ingest.document import Chapter, Document
from ingest.parse import parse
from tests.engine.lighthouse_lists import DATES, TERMS

LIGHTHOUSES = SAMPLES / "a-short-book-of-lighthouses.md"


@pytest.fixture(scope="module")
def book() -> Document:
    return parse(LIGHTHOUSES)


def plainly(book: Document, start: int, end: int) -> str:
    return " ".join(book.text[start:end].split()).replace("’", "'")


def test_a_glossary_has_what_was_written_down(book):
    found = {one.word: plainly(book, one.start, one.end) for one in find_terms(book)}
    right = [word for word, words in TERMS.items() if words in found.get(word, "")]
    assert len(right) >= 0.9 * len(TERMS), sorted(TERMS.keys() - right)
    assert len(right) >= 0.95 * len(found), sorted(found.keys() - TERMS.keys())


def test_a_timeline_has_what_was_written_down(book):
    found = [(one.when, plainly(book, one.start, one.end)) for one in find_dates(book)]
    right = [when for when, words in DATES.items() if any(when == at and words in said for at, said in found)]
    assert len(right) >= 0.95 * len(DATES), sorted(DATES.keys() - right)
    assert {when for when, _ in found} <= DATES.keys()
    assert found == sorted(found, key=lambda one: one[0])


def test_nothing_comes_from_behind_the_place_that_was_read_to(book):
    cast = make_cast(book)
    assert cast.terms and Cast.from_json(cast.to_json()) == cast
    for until in range(0, len(book.text), 1500):
        lists = (cast.explained(until), cast.dated(until))
        assert all(one.end <= until for lines in lists for one in lines)
    assert (cast.explained(0), cast.dated(0)) == ([], [])
    assert len(cast.explained(len(book.text))) == len(cast.terms)


# a sentence and the terms, the dates that it gives
ROWS = [
    ("A sonnet is a poem of fourteen lines.", ["sonnet"], []),
    ("Entropy: a measure of disorder. Entropy grows; entropy never falls.", ["entropy"], []),
    ("By “a priori” is meant what is known before.", [], []),
    ("The man was a sailor who lived by the sea.", [], []),
    ("“A gentleman is a man of honour,” said he.", [], []),
    ("He was called away in the night.", [], []),
    ("The reason is that which moves the will.", [], []),
    ("His friend was called John Smith.", [], []),
    ("The ship carried 1800 men and 1,500 barrels.", [], []),
    ("No. 1703 was drawn, at 1850 feet.", [], []),
    ("From 1914 to 1918 there was war.", [], [(1914, 0, 0), (1918, 0, 0)]),
    ("It rained on the 3rd of May, 1832, and in 1832 it rained much.", [], [(1832, 5, 3)]),
    ("On June 6, 1944 they landed.", [], [(1944, 6, 6)]),
    ("He ruled until 44 B.C. at Rome.", [], [(-44, 0, 0)]),
    ("In the 19th century, and the fifth century BC.", [], [(-500, 0, 0), (1801, 0, 0)]),
    (
        "In the twenty-first century; last century, the zeroth century and a century ago are none.",
        [],
        [(2001, 0, 0)],
    ),
    ("", [], []),
]


@pytest.mark.parametrize(("text", "terms", "dates"), ROWS)
def test_a_sentence_explains_or_dates_what_it_says(text, terms, dates):
    document = Document("T", "", "en", "text", text)
    assert [one.word for one in find_terms(document)] == terms
    assert [one.when for one in find_dates(document)] == dates


def test_headings_and_imprints_are_not_the_books_words():
    title = "A preface is a part of a book"
    text = f"{title}\n\nPrinted in 1913.\n\nII\n\nIn 1914 it began."
    first, second = text.index("Printed"), text.index("II")
    chapters = [
        Chapter(title, 0, first),
        Chapter("", first, second, kind="front"),
        Chapter("II", second, len(text)),
    ]
    document = Document("T", "", "en", "text", text, chapters)
    assert find_terms(document) == ()
    assert [one.when for one in find_dates(document)] == [(1914, 0, 0)]

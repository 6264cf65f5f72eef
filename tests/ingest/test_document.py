"""Places and the words that name them."""

import pytest

from ingest.document import Chapter, Document, Page, split_paragraphs
from ingest.errors import BadInput
from ingest.headings import read_heading, short_name
from ingest.limits import Limits
from ingest.manuscript import Manuscript
from ingest.numerals import numeral
from ingest.position import find_chapter, find_position
from tests.ingest.invariants import check_document


def book(*parts: tuple[int, str, str]) -> Document:
    """A Document of (level, title, paragraphs); level 0 is text before any chapter."""
    text, opened = "", []
    for level, title, body in parts:
        text += "\n\n" if text else ""
        if level:
            opened.append((title, level, len(text)))
            text += title + ("\n\n" if body else "")
        text += body
    chapters = []
    for index, (title, level, start) in enumerate(opened):
        later = (begin for _, other, begin in opened[index + 1 :] if other <= level)
        chapters.append(Chapter(title, start, next(later, len(text)), level))
    return Document("A Book", "A. Writer", "en", "text", text, chapters)


PARTS = book(
    (0, "", "Before it all.\n\nStill before."),
    (1, "PART ONE", ""),
    (2, "I. The Start", "Alpha.\n\nBeta."),
    (2, "II. The Middle", "Gamma."),
    (1, "PART TWO", ""),
    (2, "I. The Return", "Delta."),
    (1, "Epilogue", "Omega."),
)
STORIES = book(
    (1, "A Scandal", "One."),
    (2, "I", "a"),
    (2, "II", "b"),
    (1, "The League", "Two."),
    (1, "A Case", "Three."),
)


def read_until(document: Document, words: str) -> str:
    """The last line that was read."""
    return document.text[: find_position(document, words)].rstrip().rpartition("\n")[2]


@pytest.mark.parametrize(
    ("words", "last"),
    [
        ("chapter 2", "Gamma."),
        ("Chapter II", "Gamma."),
        ("ch. 2", "Gamma."),
        ("II", "Gamma."),
        ("the middle", "Gamma."),
        ("middle", "Gamma."),
        ("Part 1", "Gamma."),
        ("part two", "Delta."),
        ("Part 2, Chapter 1", "Delta."),
        ("Part Two, Chapter I", "Delta."),
        ("part one, chapter one, paragraph 1", "Alpha."),
        ("Part One, Chapter I, paragraphs 1–2", "Beta."),
        ("Chapter II, heading", "II. The Middle"),
        ("paragraph 2", "Still before."),
        ("epilogue", "Omega."),
        ("start", ""),
        ("END", "Omega."),
        ("100%", "Omega."),
        ("char 14", "Before it all."),
        ("line 3", "Still before."),
    ],
)
def test_position_is_after_the_named_place(words, last):
    assert read_until(PARTS, words) == last


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("chapter 9", "its 6 chapters|its chapters are 'Part One'"),
        ("chapter 1", "could be any of 'Part One, Chapter I', 'Part Two, Chapter I'"),
        ("page 3", "its chapters|its 6 chapters"),
        ("Chapter II, paragraph 7", "no paragraph 7 in Chapter II: it has 1"),
        ("paragraph 9", "no paragraph 9 before the first chapter: it has 2"),
        ("120%", "beyond the end"),
        ("char 99999", "this document has"),
        ("line 400", "lines"),
        ("no such thing\nat all", "no place called 'no such thing at all'"),
        ("", "no place called ''"),
    ],
)
def test_unknown_places_say_what_exists(words, said):
    with pytest.raises(BadInput, match=said) as caught:
        find_position(PARTS, words)
    assert "\n" not in str(caught.value)


def test_until_a_percentage_never_exceeds_the_text():
    assert find_position(PARTS, "0%") == 0
    assert find_position(PARTS, "50 %") == -(-len(PARTS.text) // 2)
    assert find_position(PARTS, "12,5%") == -(-len(PARTS.text) // 8)


def test_numbered_sections_of_stories_are_not_chapters():
    assert find_chapter(STORIES, "chapter 2").title == "The League"
    assert find_chapter(STORIES, "last chapter").title == "A Case"
    assert str(STORIES.place(STORIES.text.index("b\n"))) == "A Scandal, II, paragraph 1"
    assert read_until(STORIES, "A Scandal, II, paragraph 1") == "b"


def test_chapters_hold_their_sub_chapters():
    part = find_chapter(PARTS, "part 1")
    assert PARTS.text[part.start : part.end].strip().endswith("Gamma.")
    with pytest.raises(BadInput, match="no chapter called 'Chapter 44'"):
        find_chapter(PARTS, "Chapter 44")


def test_same_titles_get_names_of_their_own():
    document = book(
        (1, "1660", ""),
        (2, "January", "a"),
        (1, "1661", ""),
        (2, "January", "b"),
        (1, "Note", "c"),
        (1, "Note", "d"),
    )
    assert document.chapter_names == ("1660", "1660, January", "1661", "1661, January", "Note", "Note (2)")
    check_document(document)


def test_titles_that_look_like_places_are_titles():
    document = book(
        (1, "Preface", "a"),
        (1, "45%", "b"),
        (1, "The End", "c"),
        (1, "Page 3", "d"),
        (1, "A – B", "e"),
        (1, "Paragraph 2", "f"),
    )
    check_document(document)
    assert read_until(document, "45%") == "b" and read_until(document, "the end") == "c"
    assert read_until(document, "page 3") == "d" and read_until(document, "pref") == "a"


def test_spans_over_borders_name_both_ends():
    alpha, gamma = PARTS.text.index("Alpha"), PARTS.text.index("Gamma.") + 6
    words = str(PARTS.place(alpha, gamma))
    assert words == "Part One, Chapter I, paragraph 1 – Chapter II, paragraph 1"
    assert find_position(PARTS, words) == gamma


def test_pages_name_the_place_and_gaps_belong_to_what_precedes():
    document = Document(
        "T",
        "",
        "",
        "pdf",
        "one\n\ntwo\n\nthree",
        pages=[Page("i", 0, 5), Page("1", 5, 10), Page("A-2", 10, 15)],
    )
    assert [str(document.place(offset)) for offset in (0, 4, 5, 12)] == [
        "page i",
        "page i",
        "page 1",
        "page A-2",
    ]
    assert str(document.place(0, 15)) == "pages i–A-2"
    assert find_position(document, "pages i–A-2") == 15 and find_position(document, "p. 1") == 10
    check_document(document)


def test_json_round_trip_and_refusal():
    assert Document.from_json(PARTS.to_json()) == PARTS
    assert "\n" not in PARTS.to_json()
    for broken in (
        "",
        "{}",
        "[1]",
        PARTS.to_json()[:-9],
        PARTS.to_json().replace('"version": 2', '"version": 0'),
    ):
        with pytest.raises(BadInput, match="add the file again"):
            Document.from_json(broken)


def test_paragraphs_are_found_at_blank_lines():
    text = "one\ntwo\n\nthree\n\n\nfour"
    assert [text[start:end] for start, end in split_paragraphs(text)] == ["one\ntwo", "three", "four"]


def test_paragraphs_are_bounded(monkeypatch):
    limits = Limits(paragraphs=2)
    monkeypatch.setattr("ingest.document._LIMITS", limits)
    manuscript = Manuscript(limits)
    for word in ("One.", "Two."):
        manuscript.paragraph(word)
    with pytest.raises(BadInput, match="more than 2 paragraphs: split the file"):
        manuscript.paragraph("Three.")
    with pytest.raises(BadInput, match="more than 2 paragraphs: split the file"):
        split_paragraphs("One.\n\nTwo.\n\nThree.")


def test_lookups_do_not_grow_with_the_book():
    import time

    text = "\n\n".join(f"Paragraph {number} of it." for number in range(200_000))
    document = Document("T", "", "", "text", text)
    document.place(0)
    begin = time.process_time()
    for offset in range(0, len(text), len(text) // 5000):
        document.place(offset, offset + 400)
    assert time.process_time() - begin < 2


@pytest.mark.parametrize(
    ("words", "value"),
    [("12", 12), ("XIV", 14), ("xiiii", 14), ("twelve", 12), ("the twelfth", 12), ("Twenty-Third", 23),
     ("forty", 40), ("3rd", 3), ("mmxxiv", 2024), ("last", -1),
     ("iix", None), ("civil", None), ("ten twelve", None), ("", None)],
)  # fmt: skip
def test_numerals(words, value):
    assert numeral(words) == value


@pytest.mark.parametrize(
    ("title", "kind", "number", "name"),
    [
        ("CHAPTER XII. In which it rains", "chapter", 12, "Chapter XII"),
        ("XII: A Letter", "chapter", 12, "Chapter XII"),
        ("iv", "chapter", 4, "Chapter IV"),
        ("Chapter the Third", "chapter", 3, "Chapter the Third"),
        ("Chapter twenty three: On", "chapter", 23, "Chapter Twenty Three"),
        ("BOOK II", "book", 2, "Book II"),
        ("Act 3, Scene 1", "act", 3, "Act 3"),
    ],
)
def test_headings(title, kind, number, name):
    heading = read_heading(title)
    assert (heading.kind, heading.number, heading.name) == (kind, number, name)


@pytest.mark.parametrize(
    "title", ["Preface", "I am born", "C. Dickens", "Part of the way", "1984 was a year", "Mix"]
)
def test_titles_without_a_number(title):
    assert read_heading(title) is None
    assert short_name(title) == title

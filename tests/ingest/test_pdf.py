"""PDFs typeset on the spot: reading order, furniture, hyphens, labels, outlines, locks."""

import random

import pymupdf
import pytest

from ingest.errors import BadInput
from ingest.limits import Limits
from ingest.position import find_position
from tests.ingest.build import printed, storybook

WORDS = [
    "morning",
    "river",
    "under",
    "window",
    "letter",
    "between",
    "garden",
    "silver",
    "yellow",
    "candle",
    "summer",
    "gentle",
    "mother",
    "captain",
    "little",
    "market",
    "answer",
    "people",
    "winter",
    "forest",
    "number",
    "simple",
    "travel",
    "wonder",
    "evening",
    "corner",
    "pocket",
    "music",
]


NAME = "book.pdf"


def tell(seed: int, paragraphs: int) -> list[str]:
    chance = random.Random(seed)
    made = []
    for _ in range(paragraphs):
        sentences = [
            " ".join(chance.choices(WORDS, k=chance.randint(5, 18))) for _ in range(chance.randint(2, 6))
        ]
        made.append(" ".join(sentence.capitalize() + "." for sentence in sentences))
    return made


def test_a_typeset_book_comes_back_word_for_word(read):
    stories = [
        ("The First Tale", tell(1, 30)),
        ("The Second Tale", tell(2, 30)),
        ("A Short Third", tell(3, 8)),
    ]
    document = read(storybook("Three Tales", "Ann Author", "Public domain.", stories))
    assert (document.title, document.author, document.language) == ("Three Tales", "Ann Author", "en")
    assert [chapter.title for chapter in document.chapters] == [name for name, _ in stories]
    assert [page.label for page in document.pages][:3] == ["i", "1", "2"]
    told = [text for name, paragraphs in stories for text in (name, *paragraphs)]
    written = document.text[document.chapters[0].start :].split("\n\n")
    assert written == told
    for page in document.pages[1:]:
        # headers and page numbers are gone: each page begins and ends inside the story
        assert "Ann Author" not in document.text[page.start : page.end]


def test_places_are_printed_labels(read):
    document = read(storybook("Tales", "Ann Author", "", [("One", tell(4, 40)), ("Two", tell(5, 10))]))
    assert str(document.place(0)) == "page i"
    second = document.chapters[1].start
    label = document.place(second).page
    assert find_position(document, f"p. {label}") == find_position(document, f"page {label}") > second
    assert find_position(document, "chapter 1") == second
    with pytest.raises(BadInput, match="its pages run from i to"):
        find_position(document, "page 400")


def column(x: float, y: float, lines: list[str]) -> list[tuple[float, float, str]]:
    return [(x, y + 14 * number, line) for number, line in enumerate(lines)]


LEFT = [
    "The hall was cold and the exam-",
    "ple of the elder brother did not",
    "help. They spoke of the well-",
    "known",
    "stories and of nothing else at all",
]
RIGHT = [
    "until the well-known clock struck",
    "twelve and somebody said that an",
    "example was all that he had ever",
    "wanted from them. Then they went.",
    "Nobody looked back at the old hall.",
]


TITLES = [
    "A title that runs over both columns",
    "Another one for the page after",
    "The last of all of the titles",
]


def two_columns() -> list[list[tuple[float, float, str]]]:
    """Three pages: a title across the page, two columns with their lines side by side, header and number."""
    pages = []
    for number in range(1, 4):
        lines = [(40, 30, f"Journal of Halls, vol. {number}"), (205, 570, str(number + 40))]
        lines += [(90, 70, TITLES[number - 1])]
        lines += column(40, 110, LEFT) + column(220, 110, RIGHT)
        pages.append(lines)
    return pages


def test_two_columns_are_read_one_after_the_other(read):
    document = read(printed(two_columns()))
    first = document.text[: document.pages[0].end]
    assert "an example was all that he had ever wanted from them. Then they went." in first
    assert first.index("stories and of nothing else") < first.index("until the well-known clock")
    assert first.index("A title that runs") < first.index("The hall was cold")


def test_headers_and_page_numbers_are_removed(read):
    text = read(printed(two_columns())).text
    assert "Journal of Halls" not in text
    assert not any(str(number) in text for number in (41, 42, 43))


def test_page_numbers_above_a_deep_margin_are_removed_and_a_last_line_of_text_is_not(read):
    """Between the columns, well above the foot of the page; a number in the rhythm of the lines is text."""
    pages = [[*column(40, 110, LEFT), *column(220, 110, RIGHT), (205, 460, str(n))] for n in (1, 2, 3)]
    text = read(printed(pages)).text
    assert not any(digit in text for digit in "123")
    pages = [
        column(40, 110, [*RIGHT[:4], "and of the old hall they told chapter", str(n)]) for n in (1, 2, 3)
    ]
    assert all(f"told chapter {n}" in read(printed(pages)).text for n in (1, 2, 3))


def test_hyphens_at_line_ends_are_joined_but_compounds_keep_theirs(read):
    text = read(printed(two_columns())).text
    assert "the example of the elder brother" in text and "exam-" not in text
    assert "the well-known stories" in text and "wellknown" not in text


def test_ligatures_are_taken_apart(read):
    book = pymupdf.open()
    book.new_page().insert_htmlbox(
        (50, 50, 400, 200), "<p>The \ufb01rst o\ufb03ce was dif\ufb01cult to \ufb02ee from.</p>"
    )
    assert "The first office was difficult to flee from." in read(book.tobytes()).text


def test_chapter_headings_at_the_head_of_pages_are_no_furniture(read):
    pages = [
        [(150, 50, f"Chapter {number}"), *column(40, 90, [f"This is told in part {word}.", "And more."])]
        for number, word in enumerate(["one", "two", "three", "four"], 1)
    ]
    document = read(printed(pages))
    assert [chapter.title for chapter in document.chapters] == [f"Chapter {number}" for number in range(1, 5)]


def test_a_paragraph_runs_over_the_page_break(read):
    first = column(
        40,
        100,
        [
            "He walked along the river until he came to the bridge and there he",
            "stopped because he had seen some-",
        ],
    )
    second = column(
        40, 100, ["thing that he had not expected. It was a boat with a red sail on it.", "Then it was gone."]
    )
    document = read(printed([first, second]))
    assert "he had seen something that he had not expected." in document.text
    border = document.pages[1].start
    assert document.text[border:].startswith("thing that")
    assert document.place(border - 1).page == "1" and document.place(border).page == "2"


def test_rows_of_a_table_stay_rows(read):
    lines = [(40 + 120 * x, 100 + 16 * y, f"cell{y}{x}") for y in range(4) for x in range(3)]
    assert "cell00 | cell01 | cell02\ncell10 | cell11 | cell12" in read(printed([lines])).text


def test_turned_pages_are_read_upright(read):
    book = pymupdf.open()
    leaf = book.new_page(width=400, height=600)
    for number, line in enumerate(
        ["Turned by ninety degrees and", "still read from its first line to", "the very last of the lines."]
    ):
        leaf.insert_text((60 + 16 * number, 500), line, rotate=90)
    assert "and still read from its first line to the very last" in read(book.tobytes()).text


def test_repeated_labels_fall_back_to_numbers(read):
    book = pymupdf.open("pdf", printed([column(40, 100, [f"This is the page number {n}."]) for n in "abcd"]))
    book.set_page_labels([{"startpage": 0, "style": "D"}, {"startpage": 2, "style": "D"}])
    assert [page.label for page in read(book.tobytes()).pages] == ["1", "2", "3", "4"]


DAMAGED = [printed(two_columns()), storybook("Tales", "Ann Author", "", [("One", tell(6, 12))])]
LOCKED = {"encryption": pymupdf.PDF_ENCRYPT_AES_256, "user_pw": "open sesame", "owner_pw": "owner"}
LINE = [[(40, 100, "A line of text that can be read.")]]


def test_a_locked_file_asks_for_its_password(read):
    data = printed(LINE, **LOCKED)
    with pytest.raises(BadInput, match="encrypted: give its password"):
        read(data)
    with pytest.raises(BadInput, match="does not open this PDF"):
        read(data, password="sesame")
    assert "A line of text" in read(data, password="open sesame").text


def picture_page(book: pymupdf.Document) -> None:
    pixels = pymupdf.Pixmap(pymupdf.csGRAY, pymupdf.IRect(0, 0, 40, 60))
    pixels.clear_with(200)
    book.new_page().insert_image(pymupdf.Rect(0, 0, 400, 600), pixmap=pixels)


def test_scans_are_named_with_their_count(read):
    book = pymupdf.open("pdf", printed(LINE * 3))
    for _ in range(57):
        picture_page(book)
    with pytest.raises(BadInput, match="looks scanned: 3 of 60 pages have text"):
        read(book.tobytes())


def test_a_few_scanned_pages_are_a_warning(read):
    book = pymupdf.open("pdf", printed(LINE * 2))
    picture_page(book)
    picture_page(book)
    assert "2 of 4 pages have text" in read(book.tobytes()).warnings[0]


@pytest.mark.parametrize("seed", range(40))
def test_damage_never_shows_a_traceback(read, seed):
    chance = random.Random(seed)
    data = bytearray(DAMAGED[seed % 2])
    for _ in range(chance.choice([1, 8, 60])):
        data[chance.randrange(len(data))] = chance.randrange(256)
    try:
        read(bytes(data[: chance.randrange(len(data) // 2, len(data))]))
    except BadInput as error:
        assert "built in a way" not in str(error), repr(error.__cause__)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"%PDF-1.7\nnothing of a PDF follows", "damaged|no pages"),
        (printed(LINE)[:300], "damaged|no pages|no text"),
        (printed([[]]), "no text in this PDF"),
    ],
    ids=["junk", "cut off", "empty page"],
)
def test_what_cannot_be_read_says_why(read, data, words):
    with pytest.raises(BadInput, match=words):
        read(data)


def test_pages_are_limited(read):
    with pytest.raises(BadInput, match="too many pages \\(5; the limit is 4\\)"):
        read(printed(LINE * 5), limits=Limits(pages=4))

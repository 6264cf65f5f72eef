"""PDFs as they are met in the field: damaged, turned, numbered, oddly labelled; one recipe a kind."""

import random
import re

import pymupdf
import pytest

from ingest.errors import BadInput
from ingest.limits import Limits
from ingest.pdf.line import read_line
from ingest.pdf.objects import without_endless_table
from ingest.position import find_position
from tests.ingest.build import Piece, printed, typeset

STORY = [
    "The harbour master slept while the tide came in,",
    "and nobody who passed his window that night had",
    "the heart to wake him. At six the first boats went",
    "out under a grey sky, and the gulls went after them",
    "as they had done on every other morning of the year.",
    "Only the clerk stayed behind, with the keys in his",
    "pocket and the long letter that he had not read.",
]


NAME = "book.pdf"


def block(
    y: float, lines: list[str] = STORY, x: float = 60, step: float = 14, size: float = 11
) -> list[Piece]:
    return [Piece(x, y + step * number, line, size) for number, line in enumerate(lines)]


def lines_of(count: int, word: str) -> list[str]:
    return [f"{word} line {n} tells of boats, of ropes, of tides." for n in range(count)]


# --- damage ---


def two_compressed_pages() -> bytes:
    pages = [
        [(40, 60 + 14 * n, f"Line {n} of {word}: ships, ropes, tides.") for n in range(30)]
        for word in ("one", "two")
    ]
    book = pymupdf.open("pdf", printed(pages))
    for leaf in book:
        leaf.clean_contents()  # one stream a page
    return book.tobytes(deflate=True)


def spoil(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :]


def streams(data: bytes) -> list[tuple[int, int]]:
    found = [match.span(1) for match in re.finditer(rb"stream\r?\n(.*?)\r?\nendstream", data, re.DOTALL)]
    return [span for span in found if span[1] - span[0] > 200]


def test_a_damaged_page_is_named(read):
    data = two_compressed_pages()
    start, end = streams(data)[0]
    document = read(spoil(data, (start + end) // 2))
    assert document.warnings == (
        "page 1 of the PDF is damaged; part of its text may be missing: get another copy",
    )
    assert "Line 29 of two" in document.text


def test_a_wrong_checksum_alone_is_no_damage(read):
    data = two_compressed_pages()
    end = streams(data)[0][1]
    document = read(spoil(data, end - 1))
    assert document.text.count("ships, ropes, tides.") == 60
    assert not document.warnings


@pytest.mark.parametrize("seed", range(40))
def test_no_letters_are_lost_to_damage_without_a_word(read, seed):
    chance = random.Random(seed)
    data = bytearray(two_compressed_pages())
    start, end = chance.choice(streams(data))
    for _ in range(chance.choice([1, 3])):
        data[chance.randrange(start, end)] = chance.randrange(256)
    try:
        document = read(bytes(data))
    except BadInput:
        return
    letters = sum(map(str.isalnum, document.text))
    assert letters >= 0.9 * 60 * len("Line10ofoneshipsropestides") or "damaged" in " ".join(document.warnings)


@pytest.mark.parametrize("page", [1, 4])
def test_a_page_that_the_list_of_pages_has_lost_is_named(read, page):
    data = printed([[(40, 100, f"This is page {n} of the book.")] for n in range(5)])
    lost = pymupdf.open("pdf", data)[page - 1].xref
    data = data.replace(b"\n%d 0 obj" % lost, b"\n%d 0 xxx" % lost)
    document = read(data)
    assert f"page {page} of the PDF" in " ".join(document.warnings)


# --- running heads ---


def story_pages(count: int, heads: dict[int, Piece]) -> list[list[Piece]]:
    return [
        [*([heads[n]] if n in heads else []), *block(150, lines_of(12, f"page{n}"))] for n in range(count)
    ]


def test_a_title_at_the_top_of_a_few_pages_stays_once(read):
    title = Piece(60, 40, "Grain received at the three mills", 11)
    text = read(typeset(story_pages(7, dict.fromkeys(range(3), title)))).text
    assert text.count("Grain received at the three mills") == 1


def test_an_equal_sentence_at_the_top_of_two_pages_stays(read):
    sentence = Piece(60, 40, "Whoever enters the hall leaves the keys with the porter.", 11)
    text = read(typeset(story_pages(2, dict.fromkeys(range(2), sentence)))).text
    assert text.count("leaves the keys with the porter") >= 1


@pytest.mark.parametrize(
    ("word", "bold", "size"),
    [("Lesson", False, 16), ("Day", False, 16), ("Story", True, 11), ("Übung", False, 14)],
)
def test_large_or_bold_lines_with_a_number_are_headings(read, word, bold, size):
    heads = {n: Piece(60, 45, f"{word} {n + 1}", size, bold) for n in range(6)}
    document = read(typeset(story_pages(6, heads)))
    assert [f"{word} {n}" in document.text for n in range(1, 7)] == [True] * 6
    if size > 11:
        assert [chapter.title for chapter in document.chapters] == [f"{word} {n}" for n in range(1, 7)]


def test_a_refrain_in_the_margin_is_text(read):
    refrain = Piece(60, 40, "And the mill went round and round", 11)
    pages = story_pages(6, dict.fromkeys(range(4), refrain))
    for page in pages:
        page.append(Piece(60, 400, "And the mill went round and round", 11))
    assert read(typeset(pages)).text.count("And the mill went round and round") == 10


def test_running_heads_with_page_numbers_go(read):
    heads = {n: Piece(60, 30, f"{n + 12} The Mill", 9) for n in range(8)}
    document = read(typeset(story_pages(8, heads)))
    assert "The Mill" not in document.text


def test_a_running_head_is_no_heading_and_no_title(read):
    heads = dict.fromkeys(range(8), Piece(60, 30, "ANNALS OF THE HARBOUR BOARD", 13))
    pages = story_pages(8, heads)
    pages[0].insert(1, Piece(60, 110, "On Tides", 20))
    document = read(typeset(pages))
    assert document.title == "On Tides"
    assert document.text.count("ANNALS OF THE HARBOUR BOARD") <= 1


def test_a_page_whose_letters_are_drawn_is_told_of(read):
    book = pymupdf.open()
    page = book.new_page()
    page.insert_text((72, 72), "The one heading that has letters stands above many lines of drawn ones.")
    strokes = page.new_shape()
    for row in range(50):
        for column in range(60):
            strokes.draw_line((60 + 8 * column, 100 + 13 * row), (63 + 8 * column, 107 + 13 * row))
    strokes.finish(width=1.5)
    strokes.commit()
    document = read(book.tobytes())
    assert document.text.startswith("The one heading")
    assert "page 1 of the PDF shows far more than its letters say" in document.warnings[0]


# --- directions ---


def test_a_turned_table_is_written_after_the_text(read):
    rows = [Piece(200 + 14 * n, 560, f"oats in row {n}", 9, turn=90) for n in range(12)]
    document = read(typeset([[*block(60, lines_of(18, "upright")), *rows]]))
    assert [f"oats in row {n}" in document.text for n in range(12)] == [True] * 12
    assert document.text.index("upright line 17") < document.text.index("oats in row 0")
    assert "oats in row 3\noats in row 4\n" in document.text
    assert not document.warnings


def test_a_stamp_that_is_left_out_is_said(read):
    document = read(typeset([[*block(60), Piece(15, 400, "arXiv:1234.5678", 9, turn=90)]]))
    assert "arXiv" not in document.text
    assert "page 1 of the PDF has a line that is printed sideways" in document.warnings[0]


# --- the margin ---


def numbered_pages(lines: list[str], numbers) -> bytes:
    return typeset(
        [
            [
                piece
                for n, line in enumerate(lines)
                for piece in (Piece(40, 60 + 14 * n, str(numbers(page, n)), 9), Piece(70, 60 + 14 * n, line))
            ]
            for page in range(3)
        ]
    )


PROSE = (STORY[:-1] * 3)[:18]


@pytest.mark.parametrize(
    "numbers",
    [lambda page, n: n + 1, lambda page, n: 18 * page + n + 1],
    ids=["from 1 on each page", "through"],
)
def test_numbers_of_lines_go_and_sentences_flow(read, numbers):
    document = read(numbered_pages(PROSE, numbers))
    assert "nobody who passed his window that night had the heart to wake him." in document.text
    assert " | " not in document.text and not re.search(r"\d", document.text)


@pytest.mark.parametrize(
    "lines",
    [
        ["oats", "barley", "rye", "wheat", "maize", "hay"] * 3,
        [f"Clause {n} binds the miller and his heirs for ever." for n in range(18)],
        STORY[:3],
    ],
    ids=["words", "clauses", "three rows"],
)
@pytest.mark.parametrize("step", [1, 5])
def test_numbers_of_rows_and_of_items_stay(read, lines, step):
    document = read(numbered_pages(lines, lambda page, n: step * (n + 1)))
    assert all(re.search(rf"(?m)^{step * (n + 1)}\b", document.text) for n in range(len(lines)))


VERSE = ["So it was in the days of old,", "when the rye was sold", "for gold,", "and nobody came by night."]


@pytest.mark.parametrize("lines", [STORY * 3, VERSE * 5], ids=["prose", "verse"])
@pytest.mark.parametrize("x", [30, 370], ids=["left", "right"])
def test_numbers_of_every_fifth_line_go(read, lines, x):
    counted = [Piece(x, 60 + 14 * n, str(n + 1), 8) for n in range(4, len(lines), 5)]
    text = read(typeset([[*block(60, lines), *counted]])).text
    assert "|" not in text and " ".join(text.split()) == " ".join(lines)


def test_a_table_of_numbers_stays(read):
    cells = [
        Piece(60 + 80 * x, 80 + 14 * y, str(y + 1 if not x else 17 * y * x))
        for y in range(12)
        for x in range(4)
    ]
    text = read(typeset([cells])).text
    assert "5 | 68 | 136 | 204\n6 | 85 | 170 | 255" in text


def rows_at(page: int, x: list[float], words: str) -> list[Piece]:
    """Rows from the upper edge of a page down to the lower one, of cells at some places."""
    cells = [words.format(n=7 * page + n, m=31 * page + 17 * n % 29).split("|") for n in range(26)]
    return [
        Piece(at, 40 + 20 * n, cell) for n, row in enumerate(cells) for at, cell in zip(x, row, strict=True)
    ]


@pytest.mark.parametrize(
    ("x", "words", "head", "count"),
    [
        ([60, 140, 220], "{n}|{m}|3", [], 26),
        ([60, 220], "rye|{m}", [], 26),
        ([60, 140, 220], "{n}|{m}|3", [Piece(60, 560, "Carried"), Piece(220, 560, "91")], 27),
        ([60, 140, 220], "{n}|{m}|3", [Piece(60, 14, "14"), Piece(340, 14, "THE MILL")], 26),
    ],
    ids=["numbers", "words", "sums below", "under a running head"],
)
def test_rows_of_a_table_over_many_pages_stay(read, x, words, head, count):
    document = read(typeset([[*rows_at(page, x, words), *head] for page in range(6)]))
    assert len(re.findall(r"(?m)^.+ \| .+$", document.text)) == 6 * count


@pytest.mark.parametrize("gap", [0, 2, 4])
@pytest.mark.parametrize(
    ("initial", "rest", "read_as"),
    [("T", "he boats", "The boats"), ("'W", "HEN all", "'WHEN all"), ("A", "   boat", "A boat"),
     ("B", "   Results", "B Results")],
)  # fmt: skip
def test_a_large_initial_that_stands_on_the_line_belongs_to_its_word(read, initial, rest, read_as, gap):
    x = 60 + pymupdf.get_text_length(initial, "helv", 33) + gap
    document = read(typeset([[Piece(60, 60, initial, 33), Piece(x, 60, rest), *block(74), *block(200)]]))
    assert document.text.startswith(f"{read_as} The harbour")


@pytest.mark.parametrize(
    ("initial", "rest", "known", "read_as"),
    [("A", "ll that", "we saw all of it", "All that"), ("'I", "t was late", "so it was", "'It was late"),
     ("O", "nce more", "at once", "Once more"), ("A", "ll that", "we saw some of it", "A ll that"),
     ("A", "long time", "all along and a long way", "A long time"),
     ("A", "lone man", "we met alone a lone man", "A lone man"),
     ("A", "LL that", "all of it", "A LL that"), ("A", "boat", "no word of it", "A boat")],
)  # fmt: skip
def test_an_initial_that_is_a_word_belongs_to_one_that_the_document_has(read, initial, rest, known, read_as):
    x = 60 + pymupdf.get_text_length(initial, "helv", 33) + 5
    pages = [[Piece(60, y, initial, 33), Piece(x, y, rest), *block(y + 14)] for y in (60, 200)]
    document = read(typeset([*pages, [Piece(60, 60, f"On that day {known} and went home.")]]))
    assert document.text.startswith(f"{read_as} The harbour") and document.text.count(read_as) == 2


@pytest.mark.parametrize("y", [94, 88], ids=["hanging", "raised"])
@pytest.mark.parametrize(
    ("initial", "rest", "word"), [("T", "he", "The"), ("'T", "he", "'The"), ("A", "ll that", "All that")]
)
def test_a_large_initial_belongs_to_its_word(read, initial, rest, word, y):
    right = 62 + pymupdf.get_text_length(initial, "helv", 44)
    pieces = [
        Piece(60, y, initial, 44),
        Piece(right, 66, f"{rest} harbour master slept while the tide", 11),
    ]
    pieces += [Piece(right, 80, "came in, and nobody who passed his wind-", 11)]
    pieces += block(
        94,
        [
            "ow that night had the heart to wake him up, although",
            "the lamp was lit. They went on, all of them.",
        ],
    )
    pieces += block(150)
    text = read(typeset([pieces])).text
    assert text.startswith(
        f"{word} harbour master slept while the tide came in, and nobody who passed his window that"
    )
    assert text.split("\n\n")[0].endswith("all of them.")


# --- notes ---

BEFORE = [
    "It was told in the village that a stranger had come",
    "to the mill, and that he had sworn that he would return the",
]
AFTER = ["stolen bell before midsummer, whoever might ask for it.", "Nobody believed him, and he knew it."]
WHOLE = "sworn that he would return the stolen bell before midsummer, whoever might ask for it."


@pytest.mark.parametrize(
    ("below", "above"),
    [
        ([Piece(60, 560, "1 See the roll of 1702, folio 12.", 8)], []),
        (
            [Piece(60, 548, "1 See the roll of 1702, where", 8), Piece(60, 560, "it is told at length.", 8)],
            [],
        ),
        ([], [Piece(60 + 90 * x, 60 + 14 * y, f"cell{x}{y}") for y in range(3) for x in range(3)]),
        ([], [Piece(60, 60, "Figure 3: The mill in the year of the flood.")]),
        ([Piece(60, 520, "Table 2. Bells of the county.")], []),
    ],
    ids=["a note", "a note of two lines", "a table", "a caption above", "a caption below"],
)
def test_what_stands_between_does_not_cut_a_sentence(read, below, above):
    first = [*block(60), *block(180, BEFORE), *below]
    second = [*above, *block(150, AFTER), *block(220)]
    document = read(typeset([first, second]))
    assert WHOLE in document.text
    for piece in (*below, *above):
        assert document.text.count(piece.text.split(" ", 1)[-1]) == 1
    at = document.text.index("return the stolen")
    assert document.place(at).page == "1" and document.place(at + 12).page == "2"


def test_the_first_line_of_a_paragraph_at_the_end_of_a_page_goes_on(read):
    first = [
        *block(60),
        Piece(60, 190, "It was told that he had sworn to return the"),
        Piece(60, 560, "1 Folio 12.", 8),
    ]
    text = read(typeset([first, [*block(60, AFTER), *block(150)]])).text
    assert "It was told that he had sworn to return the stolen bell before midsummer" in text


def test_a_word_that_is_broken_at_the_end_of_a_page_is_whole(read):
    first = [*block(60), Piece(60, 190, "It was told that he would re-")]
    text = read(typeset([first, [*block(60, ["turn the bell to the town."]), *block(150)]])).text
    assert "he would return the bell to the town." in text


def test_files_that_a_pdf_carries_along_are_told_of(read):
    book = pymupdf.open("pdf", GOOD)
    book.embfile_add("roll.txt", b"The roll of 1702.")
    assert "1 attachment was left out (roll.txt): save what you need" in read(book.tobytes()).warnings[0]


def test_a_note_under_a_column_does_not_cut_its_sentence(read):
    left = [
        *block(60, [line[:28] for line in STORY * 3], x=40),
        *block(380, ["he had sworn that he would", "at last return the"], x=40),
    ]
    left += [Piece(40, 500, "1 See the roll of 1702.", 8)]
    right = block(
        60,
        ["stolen bell before the great", "midsummer feast. And then", *[line[:26] for line in STORY * 3]],
        x=230,
    )
    assert (
        "at last return the stolen bell before the great midsummer feast."
        in read(typeset([[*left, *right]])).text
    )


# --- pages and bookmarks ---


def labelled(count: int, heads=None, labels=(), bookmarks=()) -> bytes:
    book = pymupdf.open("pdf", typeset(story_pages(count, heads or {})))
    if labels:
        book.set_page_labels(list(labels))
    book.set_toc(list(bookmarks))
    return book.tobytes()


def test_a_page_label_beats_a_bookmark_of_that_name(read):
    data = labelled(9, bookmarks=[[1, "Page 1", 1], [1, "Page 2", 4], [1, "Page 3", 7]])
    document = read(data)
    assert len(document.chapters) == 3
    for page in document.pages:
        assert find_position(document, f"page {page.label}") == page.end
        assert find_position(document, str(document.place(page.start))) == page.end


@pytest.mark.parametrize("dash", ["A-", "A–", "Page ", "§"])
def test_spans_of_odd_labels_read_back(read, dash):
    document = read(labelled(6, labels=[{"startpage": 0, "prefix": dash, "style": "D", "firstpagenum": 7}]))
    for first in document.pages:
        for last in document.pages:
            if first.start <= last.start:
                place = document.place(first.start, last.end)
                assert find_position(document, str(place)) == last.end, str(place)


def test_printed_numbers_beat_labels_without_sense(read):
    heads = {n: Piece(200, 30, str(162 + n), 9) for n in range(3)}
    book = pymupdf.open("pdf", labelled(3, heads))
    book.xref_set_key(book.pdf_catalog(), "PageLabels", "<</Nums[0<</S/D/St 0>>]>>")
    document = read(book.tobytes())
    assert [page.label for page in document.pages] == ["162", "163", "164"]
    assert str(document.place(0)) == "page 162"
    assert find_position(document, "page 163") == find_position(document, "page 1") == document.pages[1].end
    assert type(document).from_json(document.to_json()) == document


def test_printed_numbers_are_found_beside_pages_that_are_counted(read):
    document = read(labelled(9, {n: Piece(200, 30, str(162 + n), 9) for n in range(9)}))
    assert (document.pages[3].label, document.pages[3].alias) == ("4", "165")
    assert find_position(document, "page 165") == find_position(document, "page 4") == document.pages[3].end


def test_labels_that_agree_with_the_printed_numbers_stay(read):
    heads = {n: Piece(200, 30, str(n + 1), 9) for n in range(6)}
    labels = [{"startpage": 0, "prefix": "B-", "style": "D", "firstpagenum": 1}]
    assert read(labelled(6, heads, labels)).pages[2].label == "B-3"


@pytest.mark.parametrize(
    ("bookmarks", "titles"),
    [
        ([[1, "Tides", 1], [1, "Boats", 1], [1, "Ropes", 3]], ["Tides / Boats", "Ropes"]),
        ([[1, "Tides", 1], [2, "Boats", 1], [1, "Ropes", 3]], ["Tides", "Boats", "Ropes"]),
        ([[1, "One", 1], [2, "Tides", 3], [1, "Two", 3], [2, "Boats", 4]], ["One", "Tides / Two", "Boats"]),
        ([[1, "Tides", 1], [1, "Tides", 1], [1, "Ropes", 3]], ["Tides", "Ropes"]),
    ],
)
def test_no_bookmark_makes_an_empty_chapter(read, bookmarks, titles):
    document = read(labelled(4, bookmarks=bookmarks))
    assert [chapter.title for chapter in document.chapters] == titles
    assert all(document.text[chapter.start : chapter.end].strip() for chapter in document.chapters)


# --- the head of the file ---


GOOD = printed([[(40, 100, "A line of text that can be read.")]])
NOTE = (
    "How a PDF begins: with %PDF-1.4 and a line of bytes.\nThen come its objects, as in 1 0 obj … endobj.\n"
    * 3
)


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (GOOD.replace(b"%PDF-1.7", b"%PDF1.4", 1), "a.pdf"),
        (GOOD.replace(b"%PDF-1.7", b"", 1), "a.pdf"),
        (b"\xef\xbb\xbf\n" + GOOD, "a"),
        (b"HTTP/1.1 200 OK\r\n\r\n" + GOOD, "download"),
        (b"x" * 3000 + GOOD, "a.pdf"),
    ],
    ids=["no dash", "no head", "a mark before it", "a line before it", "far inside"],
)
def test_a_pdf_without_a_sound_head_is_read_as_one(read, data, name):
    document = read(data, name)
    assert (document.format, document.text) == ("pdf", "A line of text that can be read.")


@pytest.mark.parametrize("name", ["note.txt", "note.md", "note.html", "note"])
def test_a_text_about_pdf_is_text(read, name):
    assert "How a PDF begins" in read(NOTE.encode(), name).text


def test_a_text_that_begins_like_a_pdf_is_text(read):
    assert read(b"%PDF-1.4 is how a PDF begins.\n", "note.txt").format == "text"
    assert read(GOOD, "note.txt").format == "pdf"


def test_a_pdf_without_any_sense_is_refused_and_not_shown(read):
    with pytest.raises(BadInput, match="damaged|no pages"):
        read(b"%PDF1.4\n1 0 obj\n<< /Type /Catalog\nendobj\n", "a.pdf")


# --- raised letters, leaders, hyphens ---


@pytest.mark.parametrize(
    ("before", "raised", "after", "text"),
    [
        ("about 10", "5", " ships", "about 10^5 ships"),
        ("some 10", "-3", " of it", "some 10^-3 of it"),
        ("an area of 12 m", "2", " and more", "an area of 12 m^2 and more"),
        ("modern physics", "1,2", " and after", "modern physics[1,2] and after"),
        ("it was said.", "14", " Then", "it was said.[14] Then"),
        ("on the 19", "th", " of May", "on the 19th of May"),
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    ("small", "rise", "gap"),
    [(7, 4, 0), (7, 3, 2), (5, 4, 0), (5, 5, 1), (6, 6, 2), (9, 4, 2)],
    ids=["usual", "apart", "smaller", "higher", "smaller, higher, apart", "larger"],
)
def test_raised_letters_are_told_apart(read, before, raised, after, text, small, rise, gap):
    pieces, x = [], 60.0
    for words, size, y in ((before, 11, 100), (raised, small, 100 - rise), (after, 11, 100)):
        pieces.append(Piece(x, y, words, size))
        x += pymupdf.get_text_length(words, "helv", size) + gap
    assert text in read(typeset([[*pieces, *block(200)]])).text


def test_the_number_of_a_verse_is_no_power(read):
    pieces = [Piece(60, 100, "in the tent of 10 ", 11), Piece(146, 96, "5", 7), Piece(150, 100, "And he", 11)]
    assert "of 10 5 And he" in read(typeset([[*pieces, *block(200)]])).text


@pytest.mark.parametrize(
    ("printed", "read"),
    [
        ("The Mill ........... 12", "The Mill … 12"),
        ("The Mill" + "\ufffd" * 30 + "12", "The Mill … 12"),
        ("The Mill" + " \ufffd" * 6 + " xiv", "The Mill … xiv"),
        ("The Mill\ufffd\ufffd 12", "The Mill\ufffd\ufffd 12"),
        ("Of Mills " + "\ufffd" * 7 + " and", "Of Mills " + "\ufffd" * 7 + " and"),
    ],
)  # fmt: skip
def test_leaders_need_no_letters(printed, read):
    span = {"text": printed, "size": 11, "flags": 0, "origin": (0, 10), "bbox": (0, 0, 9, 9)}
    line = read_line({"spans": [span], "bbox": (0, 0, 9, 9), "dir": (1, 0)})
    assert line.text == read and not line.is_unread


def test_a_soft_hyphen_at_a_line_end_joins_the_word(read):
    text = read(
        typeset([block(60, ["The lamp stood in the win\u00ad", "dow until the morn\u00ad", "ing came."])])
    ).text
    assert text == "The lamp stood in the window until the morning came."


@pytest.mark.parametrize(
    ("first", "second", "text"),
    [
        ("The file lies in /var/log/", "installer/syslog after that.", "/var/log/installer/syslog after"),
        ("The third part of the disk is /dev/", "sda3 on this machine.", "is /dev/sda3 on"),
        ("Fetch it from http://example.org/", "books.txt and read on.", "http://example.org/books.txt and"),
        ("It is best to copy all of /home/", "to another disk first.", "all of /home/ to another"),
        ("One may take the former and/or/", "both/neither of them.", "and/or/ both/neither"),
    ],
)  # fmt: skip
def test_a_path_broken_at_a_slash_is_whole(read, first, second, text):
    assert text in read(typeset([block(60, [first, second])])).text


# --- limits and speed ---


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        (Limits(pages=2), "too many pages \\(3; the limit is 2\\): split the file"),
        (Limits(characters=300), "the text is too long \\(more than 300 characters\\): split the file"),
        (Limits(objects=5), "too many parts \\(\\d+; the limit is 5\\)"),
    ],
)
def test_limits_are_one_clear_line(read, limits, words):
    with pytest.raises(BadInput, match=words):
        read(typeset(story_pages(3, {})), limits=limits)


def test_unbroken_letters_cost_what_they_are(read):
    pieces = [Piece(10, 100, "x" * 100_000, 1), Piece(10, 110, "and a line after it", 1)]
    document = read(typeset([pieces], width=60_000))
    assert document.text.count("x") == 100_000


@pytest.mark.parametrize(
    "named",
    [
        b"3112314 0 ",
        b"+03112314 61794932050726 ",
        b"3112314\0%a remark\r0 % and one\n",
        b"3112314" + b" " * 99 + b"-1\r",
    ],
    ids=["plain", "generation", "remarks", "white"],
)
def test_a_file_that_names_an_object_beyond_all_others_is_refused_before_it_is_repaired(read, named):
    with pytest.raises(BadInput, match=r"too many parts \(3,112,314; the limit is 2,000,000\): split"):
        read(b"%PDF-1.7\n" + named + b"obj\n<</Type/Catalog>>\nendobj\n")


def test_a_table_of_objects_is_read_as_it_is_or_not_at_all():
    sound = typeset([block(60)])
    assert without_endless_table(sound) is sound
    for between in (b"0 0 " * 400, b"0 0\n0 0 " + b"0 0 " * 400):
        endless = sound.replace(b"xref\n", b"xref\n" + between, 1)
        assert b"startxref" in endless and b"startxref" not in without_endless_table(endless)
    on_one_line = re.sub(rb"xref\n(\d+ \d+)\n", rb"xref\n\1 ", sound, count=1)
    assert without_endless_table(on_one_line) is on_one_line


# --- pages that are cropped to nothing ---


@pytest.mark.parametrize("crop", ["[0 0 0 0]", "[900 900 1200 1300]", "[-90 -90 -10 -10]"])
def test_a_crop_that_shows_nothing_of_its_page_does_not_count(read, crop):
    book = pymupdf.open("pdf", typeset([block(60), block(60, lines_of(7, "Second"))]))
    book.xref_set_key(book[1].xref, "CropBox", crop)
    document = read(book.tobytes())
    assert "Second line 6 tells of boats" in document.text
    assert not document.warnings


def test_a_page_that_stands_in_the_list_of_pages_itself_is_read(read):
    data = typeset([block(60)])
    kids = re.search(rb"/Kids\s*\[\s*(\d+) 0 R\s*\]", data)
    page = re.search(rb"\n%s 0 obj\s*(<<.*?>>)\s*endobj" % kids[1], data, re.DOTALL)
    assert STORY[0] in read(data.replace(kids[0], b"/Kids[%s]" % page[1])).text


# --- forms ---


@pytest.mark.parametrize("words", ["Short words.", "Words that go on " * 40], ids=["whole", "cut"])
def test_a_field_that_shows_only_the_beginning_of_its_words_is_said(read, words):
    book = pymupdf.open("pdf", typeset([block(60)]))
    field = pymupdf.Widget()
    field.field_type, field.field_name = pymupdf.PDF_WIDGET_TYPE_TEXT, "remarks"
    field.rect, field.field_value = pymupdf.Rect(60, 300, 260, 320), words
    field.text_fontsize = 10
    book[0].add_widget(field)
    document = read(book.tobytes())
    assert words[:8] in document.text
    assert ("boxes show only the beginning" in "".join(document.warnings)) == (len(words) > 20)


# --- verse ---


STANZAS = [
    ["The bell of the tower is cracked and old,", "And rings when the wind is high,", "The sexton is deaf,",
     "and the church is cold,", "And nobody asks him why."],
    ["The boats go out in the morning grey,", "And home when the lamps are lit,", "And over the bay",
     "The gulls go by, and sit."],
]  # fmt: skip


@pytest.mark.parametrize("between", [[], STORY], ids=["verse alone", "between prose"])
def test_verse_stays_lines(read, between):
    pieces = [*block(60, between), *block(180, STANZAS[0]), *block(270, STANZAS[1]), *block(350, between)]
    document = read(typeset([pieces]))
    prose = [" ".join(STORY)] if between else []
    assert document.text.split("\n\n") == [*prose, *map("\n".join, STANZAS), *prose]


@pytest.mark.parametrize("margins", [(0, 14), (0, 0, 14), (14, 0), (0, 14, 28, 14)], ids=str)
@pytest.mark.parametrize("between", [[], STORY], ids=["verse alone", "between prose"])
def test_verse_whose_lines_are_set_in_stays_lines(read, between, margins):
    stanzas = [
        Piece(60 + margins[n % len(margins)], y + 14 * n, line)
        for y, stanza in zip((180, 270), STANZAS, strict=True)
        for n, line in enumerate(stanza)
    ]
    document = read(typeset([[*block(60, between), *stanzas, *block(350, between)]]))
    prose = [" ".join(STORY)] if between else []
    assert document.text.split("\n\n") == [*prose, *map("\n".join, STANZAS), *prose]


def test_short_turns_of_a_conversation_stay_paragraphs(read):
    turns = ["“Who is it?”", "“Only Tobias.”", "“At this hour?”", "Nobody answered him.", "“So be it.”"]
    plain = [turn.translate({8220: '"', 8221: '"'}) for turn in turns]
    lines = [*block(60), *(Piece(74, 172 + 14 * n, turn) for n, turn in enumerate(plain)), *block(256)]
    assert read(typeset([lines])).text.split("\n\n")[1:-1] == plain


def test_references_whose_second_lines_are_set_in_are_no_verse(read):
    listed = [
        ("Baltes, B. (2003), -Use of selection-,", 60), ("Journal of Rye, Vol. 88, pp. 5-18.", 74),
        ("Barling, J. (1990), Mills and Families,", 60), ("Wiley, Chichester and", 74), ("New York.", 74),
    ]  # fmt: skip
    pieces = [Piece(x, 60 + 14 * n, text) for n, (text, x) in enumerate(listed)]
    assert "(2003), -Use of selection-, Journal of Rye, Vol. 88" in read(typeset([pieces])).text


def test_lines_of_prose_that_begin_with_capitals_flow(read):
    """German nouns do; a line breaks where the next word has no room."""
    lines = [
        "Der Hafenmeister schlief, während die Flut kam und das",
        "Wasser stieg. Niemand weckte ihn, und um sechs liefen die",
        "Boote unter grauem Himmel aus, wie an jedem anderen",
        "Morgen. Nur der Schreiber blieb mit den Schlüsseln und dem",
        "Brief zurück, den er nicht gelesen hatte.",
    ]
    assert read(typeset([block(60, lines)])).text == " ".join(lines)

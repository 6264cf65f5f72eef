"""Prose of PDFs: lines that one sentence runs through stay one paragraph, whatever they look like."""

import pymupdf
import pytest

from ingest.cleaning import typeset as named
from ingest.pdf.line import Line, read_line
from ingest.pdf.paragraphs import Vocabulary, build_paragraphs
from ingest.pdf.type import Type
from tests.ingest.build import Piece, typeset

NAME = "book.pdf"

FULL = "The harbour master slept in his chair while the tide came in and he"
ITEM = "rope: a thing of hemp or of wire by which boats are tied to what is"


def page(lines: list[tuple[float, str]], size: float = 11) -> bytes:
    """Make a page of lines, each from an x on, between two paragraphs that show the edges."""
    edge = [
        (40.0, "And nobody who passed his window that night had the heart to go in."),
        (40.0, "So it was."),
    ]
    rows = [*edge, *lines, *edge]
    return typeset([[Piece(x, 60 + 14 * number, text, size) for number, (x, text) in enumerate(rows)]])


@pytest.mark.parametrize(
    "lines",
    [
        [(40, FULL), (55, "woke late that morning.")],
        [(60, ITEM[:59]), (90, "what stands at the quay, or the ship."), (60, "It goes on.")],
        [(40, FULL), (40, "woke late."), (40, FULL), (55, "woke late again.")],
    ],
    ids=["set in", "hanging", "twice"],
)
def test_a_sentence_runs_from_a_full_line_into_one_that_begins_small(read, lines):
    text = read(page(lines)).text
    assert f"{lines[0][1]} {lines[1][1]}" in text


@pytest.mark.parametrize(
    "lines",
    [
        [
            (40, "The harbour master slept in his chair while the tide came in there."),
            (55, "woke late that day."),
        ],
        [(40, FULL), (55, "a) woke late that morning.")],
        [(40, "The harbour master slept"), (55, "woke late that morning.")],
    ],
    ids=["ended", "item", "short"],
)
def test_a_line_set_in_begins_a_paragraph_otherwise(read, lines):
    assert f"{lines[0][1]} {lines[1][1]}" not in read(page(lines)).text


def test_a_line_at_the_edge_goes_on_with_an_open_one_beside_lines_set_in(read):
    lines = [
        (40.0, FULL),
        (58.0, "Clerk of the town, who slept until the clock had struck, and"),
        (40.0, FULL),
    ]
    text = read(page([*lines, (40.0, "Senate sat.")] * 3)).text
    assert f"{FULL} Senate sat." in text


CODE, TEXT = "cour", "helv"


@pytest.mark.parametrize(
    ("lines", "whole"),
    [
        ([[(CODE, "\\newwatermark{one}"), (TEXT, " is named by ships")], [(TEXT, "that pass by.")]], True),
        ([[(TEXT, "See")], [(CODE, "http://example.org/boats"), (TEXT, " there.")]], True),
        ([[(CODE, "for boat in boats:")], [(CODE, "    sail(boat)")]], False),
        ([[(TEXT, "10 "), (CODE, "for boat in boats:")], [(TEXT, "20 "), (CODE, "sail(boat)")]], False),
    ],
    ids=["command", "address", "code", "numbered code"],
)
def test_lines_of_code_are_those_whose_letters_are(read, lines, whole):
    book = pymupdf.open()
    leaf = book.new_page(width=420, height=595)
    for number, pieces in enumerate(lines):
        x = 40
        for font, words in pieces:
            leaf.insert_text((x, 80 + 13 * number), words, fontname=font, fontsize=10)
            x += pymupdf.get_text_length(words, font, 10)
    leaf.insert_text((40, 80 + 13 * len(lines)), "And nobody who passed his window had the heart to go in.")
    first = "".join(words for _, words in lines[0])
    following = "".join(words for _, words in lines[1]).strip()
    assert (f"{first} {following}" in read(book.tobytes()).text) == whole


@pytest.mark.parametrize(
    ("font", "flags", "mono"),
    [
        ("CMTT10", 4, True),
        ("LMMono10-Regular", 4, True),
        ("Courier-Bold", 16, True),
        ("Anything", 8, True),
        ("GlyphLessFont", 8, False),  # behind a picture whose text was recognised
        ("MonotypeCorsiva", 4, False),
        ("AdvTT16f3b945.B", 4, False),
    ],
)
def test_letters_of_a_typewriter_are_known_by_flag_or_name(font, flags, mono):
    origin, box = (40.0, 80.0), (40.0, 70.0, 200.0, 82.0)
    span = {"text": "boats", "font": font, "flags": flags, "size": 10.0, "origin": origin, "bbox": box}
    assert read_line({"spans": [span], "dir": (1.0, 0.0), "bbox": box}).mono == mono


DOTS = ". " * 30


@pytest.mark.parametrize(
    ("entry", "shown"),
    [
        ([(40, "2.1 Of boats"), (120, DOTS), (300, "17")], "2.1 Of boats … 17"),
        ([(40, "2.1 Of boats"), (120, f"{DOTS} 17")], "2.1 Of boats … 17"),
        ([(40, "2.1 Of boats"), (120, DOTS), (300, "xvii")], "2.1 Of boats … xvii"),
        ([(40, DOTS)], ". . . . . ."),  # a line to write on
    ],
    ids=["apart", "number with dots", "roman", "no title"],
)
def test_leader_dots_that_stand_apart_lead_from_a_title_to_its_page(read, entry, shown):
    rows = [[Piece(x, 80 + 14 * number, text, 10) for x, text in entry] for number in range(4)]
    last = Piece(40, 200, "Sign above this line.", 10)
    text = read(typeset([[*(piece for row in rows for piece in row), last]])).text
    assert text.count(shown) >= 4 and ("… ." in text or ". ." in text) == (". ." in shown)


@pytest.mark.parametrize("mark", ["б) ", "γ. ", "▶", "▸ ", "a) "])
def test_an_item_is_known_by_its_mark_in_any_script(mark):
    lines = [
        Line(40, 80 + 14 * at, 300, 92 + 14 * at, f"{mark}boats that lie at the quay", 11) for at in range(3)
    ]
    assert len(build_paragraphs([lines], 0, Vocabulary(), Type(11, False))) == 3


@pytest.mark.parametrize(
    ("before", "after", "joined"),
    [
        ("written on 2020-", "02-28 in", "written on 2020-02-28 in"),
        ("on pages 983\u2013", "987 of", "on pages 983\u2013987 of"),
        ("in the year 1990 -", "02 or so", "in the year 1990 - 02 or so"),
        ("ΠΑ-", "ΡΑΡΤΗΜΑ", "ΠΑΡΑΡΤΗΜΑ"),
        ("XML-", "RPC", "XML-RPC"),
    ],
)
def test_what_is_broken_at_a_hyphen_is_put_together(before, after, joined):
    vocabulary = Vocabulary()
    vocabulary.add("παράρτημα, ΠΑΡΑΡΤΗΜΑ, XML and RPC")
    assert "".join(vocabulary.join(before, after)) == joined


@pytest.mark.parametrize(
    ("private", "public"),
    [
        ("T\uf765\uf778\uf774 \uf731\uf739\uf735\uf734", "Text 1954"),
        ("\uf8eb\uf8ed\uf8ec a \uf8f6\uf8f8", "( a )"),
        ("c\u20dd 1999", "© 1999"),
        ("\uf7e9t\uf7e9", "été"),
    ],
)
def test_private_places_get_the_letters_that_are_meant(private, public):
    assert named(private) == public


def test_an_index_with_leader_dots_is_read_column_by_column(read):
    words = [["ale", "bay", "cod", "dam", "eel", "fen", "gar", "ham"], ["ice", "jar", "keg", "log", "mud"]]
    columns = zip((40, 230), words, strict=True)
    pieces = [
        piece
        for x, column in columns
        for at, word in enumerate(column)
        for piece in (
            Piece(x, 80 + 14 * at, word, 10),
            Piece(x + 25, 80 + 14 * at, ". " * 19, 10),
            Piece(x + 150, 80 + 14 * at, str(at + 2), 10),
        )
    ]
    text = read(typeset([pieces])).text
    assert "|" not in text and text.index("ham") < text.index("ice")

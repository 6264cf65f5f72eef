"""Prose of PDFs: lines that one sentence runs through stay one paragraph, whatever they look like."""

import pytest

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

"""Pages of the ordinary kinds with known truth: columns, notes, tables, captions, heads and headings.

A kind sets its paragraphs and says how they read; every kind is made of other words three times.
"""

import random
import re
from collections.abc import Callable

import pymupdf
import pytest

from ingest.parse import parse
from tests.ingest.build import Piece, typeset
from tests.ingest.invariants import check_document

WORDS = re.findall(
    r"\w+",
    "harbour mill river window letter garden silver candle summer captain market winter forest corner pocket "
    "morning evening bridge lantern orchard chapel meadow barrel kettle saddle thunder blanket shutter",
)
LEFT, RIGHT, TOP, BOTTOM = 50, 370, 60, 520
COLUMNS = ((40, 200), (220, 380))


class Sheets:
    """Pages being set: `put` wraps text into a column, `truth` is what must be read, in order."""

    def __init__(self, seed: int):
        self.chance = random.Random(seed)
        self.pages: list[list[Piece]] = [[]]
        self.truth: list[str] = []
        self.y = TOP

    def prose(self, words: int = 40) -> str:
        """A paragraph that ends with a full stop, of words in an order that comes once."""
        return " ".join(self.chance.choices(WORDS, k=words)).capitalize() + "."

    def put(self, text: str, x: float = LEFT, right: float = RIGHT, size: float = 10, **more) -> list[str]:
        """Set a paragraph below the last; its lines are returned. `most` cuts it after so many lines."""
        bold, indent, most = more.get("bold", False), more.get("indent", 0), more.get("most", 999)
        font = "hebo" if bold else "helv"
        lines: list[str] = []
        words = text.split()
        while words and len(lines) < most:
            start = x + (0 if lines else indent)
            count = 1
            while count < len(words) and (
                start + pymupdf.get_text_length(" ".join(words[: count + 1]), font, size) <= right
            ):
                count += 1
            lines.append(" ".join(words[:count]))
            self.pages[-1].append(Piece(start, self.y, lines[-1], size, bold))
            words = words[count:]
            self.y += 1.3 * size
        return [*lines, " ".join(words)]

    def read(self, text: str, **more) -> None:
        """Set a paragraph that is read as it is."""
        self.put(text, **more)
        self.truth.append(text)
        self.y += more.get("gap", 8)

    def turn(self) -> None:
        self.pages.append([])
        self.y = TOP

    def table(self, x: float = LEFT, step: float = 80) -> None:
        rows = [[f"{word} {n}" for n in range(4)] for word in self.chance.sample(WORDS, 4)]
        for row in rows:
            for number, cell in enumerate(row):
                self.pages[-1].append(Piece(x + step * number, self.y, cell, 10))
            self.y += 13
        self.truth.append("\n".join(" | ".join(row) for row in rows))
        self.y += 12


def one_column(sheets: Sheets) -> None:
    for _ in range(5):
        sheets.read(sheets.prose())


def indented(sheets: Sheets) -> None:
    for _ in range(6):
        sheets.read(sheets.prose(), indent=14, gap=0)


def two_columns(sheets: Sheets) -> None:
    for x, right in COLUMNS:
        sheets.y = TOP
        for _ in range(3):
            sheets.read(sheets.prose(), x=x, right=right)


def title_over_columns(sheets: Sheets) -> None:
    sheets.read("Of the harbour and of its lanterns", size=16, gap=20)
    top = sheets.y
    for x, right in COLUMNS:
        sheets.y = top
        for _ in range(3):
            sheets.read(sheets.prose(), x=x, right=right)


def column_runs_on(sheets: Sheets) -> None:
    text = sheets.prose(60)
    (x, right), (second, edge) = COLUMNS
    sheets.read(sheets.prose(), x=x, right=right)
    rest = sheets.put(text, x=x, right=right, most=7)[-1]
    sheets.truth.append(text)
    sheets.y = TOP
    sheets.put(rest, x=second, right=edge)
    sheets.y += 8
    sheets.read(sheets.prose(), x=second, right=edge)


def column_begins_higher(sheets: Sheets) -> None:
    """A drawing stands above the one column, beside the first lines of the other."""
    for (x, right), top in zip(COLUMNS, (TOP + 45, TOP), strict=True):
        sheets.y = top
        for _ in range(3):
            sheets.read(sheets.prose(), x=x, right=right)


def notes(sheets: Sheets) -> None:
    for _ in range(4):
        sheets.read(sheets.prose())
    sheets.y = BOTTOM
    sheets.read("1 " + sheets.prose(20), size=8, gap=2)
    sheets.read("2 " + sheets.prose(9), size=8)


def notes_at_a_page_break(sheets: Sheets) -> None:
    sheets.read(sheets.prose())
    text = sheets.prose(60)
    rest = sheets.put(text, most=4)[-1]
    sheets.truth.append(text)
    sheets.y = BOTTOM
    sheets.read("1 " + sheets.prose(12), size=8)
    sheets.turn()
    sheets.put(rest)
    sheets.y += 8
    sheets.read(sheets.prose())


def table(sheets: Sheets) -> None:
    sheets.read(sheets.prose())
    sheets.table()
    sheets.read(sheets.prose())


def table_under_its_title(sheets: Sheets) -> None:
    sheets.read(sheets.prose())
    sheets.read("Table 3. Barrels and kettles of the chapel")
    sheets.table()
    sheets.read(sheets.prose())


def caption_at_a_page_break(sheets: Sheets) -> None:
    text = sheets.prose(60)
    sheets.read(sheets.prose())
    rest = sheets.put(text, most=4)[-1]
    sheets.truth.append(text)
    sheets.turn()
    sheets.y += 150  # a drawing
    sheets.read("Figure 2: The bridge and the orchard in winter.", size=9, gap=20)
    sheets.put(rest)
    sheets.y += 8
    sheets.read(sheets.prose())


def running_heads(sheets: Sheets) -> None:
    sheets.read("The lantern", size=18, gap=20)
    for number in range(4):
        if number:
            sheets.turn()
            sheets.pages[-1].append(Piece(150, 30, "THE LANTERN", 8))
        sheets.pages[-1].append(Piece(205, 570, str(number + 1), 9))
        sheets.y = max(sheets.y, TOP)
        for _ in range(3):
            sheets.read(sheets.prose())


def headings(sheets: Sheets) -> None:
    for name in ("The mill", "The meadow"):
        sheets.read(name, size=16, bold=True, gap=14)
        for section in ("Of barrels", "Of kettles"):
            sheets.read(f"{section} in {name.lower()}", size=13, bold=True, gap=10)
            sheets.read(sheets.prose(30))


KINDS: list[Callable[[Sheets], None]] = [
    one_column, indented, two_columns, title_over_columns, column_runs_on, column_begins_higher, notes,
    notes_at_a_page_break, table, table_under_its_title, caption_at_a_page_break, running_heads, headings,
]  # fmt: skip


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_pages_read_as_they_were_set(tmp_path, kind, seed):
    sheets = Sheets(seed)
    kind(sheets)
    path = tmp_path / "page.pdf"
    path.write_bytes(typeset(sheets.pages))
    document = parse(path)
    check_document(document)
    assert document.text.split("\n\n") == sheets.truth
    assert not document.warnings


def test_headings_of_two_sizes_are_chapters_and_sections(tmp_path):
    sheets = Sheets(1)
    headings(sheets)
    path = tmp_path / "page.pdf"
    path.write_bytes(typeset(sheets.pages))
    levels = [(chapter.title, chapter.level) for chapter in parse(path).chapters]
    assert levels == [
        ("The mill", 1), ("Of barrels in the mill", 2), ("Of kettles in the mill", 2),
        ("The meadow", 1), ("Of barrels in the meadow", 2), ("Of kettles in the meadow", 2),
    ]  # fmt: skip

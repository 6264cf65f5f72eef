"""Thirty pages of the ordinary kinds, set here so that their reading order, headings and tables are known.

Six documents of five pages: one column, two columns, notes, tables, captions, running heads. Their words are
drawn by a seed; paragraphs run over columns and pages, long words are divided at line ends.
"""

import functools
import random
from collections.abc import Iterator
from dataclasses import dataclass, field

import pymupdf

PAGES = 5
_WIDTH, _HEIGHT, _TOP, _BOTTOM, _SIDE = 420.0, 595.0, 64.0, 540.0, 54.0
_LEADING = 1.25
_ROOM = 150.0  # of a long paragraph across the page
_BODY, _SMALL, _LARGE = 10.0, 8.0, 15.0
_FONT, _BOLD = "tiro", "tibo"
_DIVIDED = 9  # letters of a word that may be divided at a line's end
_WORDS = """
harbour bell keeper lantern mill river winter bridge letter captain orchard window stone barley sparrow
market thunder candle ferry shepherd velvet copper meadow garden violin mirror anchor pepper the of and with
under after before a this every no old small quiet broken northern because although settlement
neighbourhood understanding correspondence ordinary remembered carpenter apprentice inheritance schoolmaster
""".split()  # noqa: SIM905


def _width(line: str, font: str, size: float) -> float:
    words = line.split(" ")
    spaces = (len(words) - 1) * _word_width(" ", font, size)
    return spaces + sum(_word_width(word, font, size) for word in words)


@functools.cache
def _word_width(word: str, font: str, size: float) -> float:
    return pymupdf.get_text_length(word, font, size)


@dataclass
class Specimen:
    """A PDF and its truth: `text` are the paragraphs in reading order, `rows` the cells of table rows."""

    name: str
    data: bytes = b""
    text: list[str] = field(default_factory=list)
    headings: list[str] = field(default_factory=list)
    rows: list[tuple[str, ...]] = field(default_factory=list)


class _Setter:
    """Sets paragraphs line by line down the columns of page after page."""

    def __init__(self, columns: int = 1, head: str = "", reserve: float = 0.0) -> None:
        self.book = pymupdf.open()
        self._gap = 20.0
        self._measure = (_WIDTH - 2 * _SIDE - self._gap * (columns - 1)) / columns
        self._columns, self._head, self._bottom = columns, head, _BOTTOM - reserve
        self._column, self.y = columns, 0.0

    @property
    def page(self) -> pymupdf.Page:
        """Return the page that is set now."""
        return self.book[-1]

    def room(self, height: float) -> None:
        """Go on to the next column or page where less than `height` is left."""
        if self._column < self._columns and self.y + height <= self._bottom:
            return
        self._column, self.y = self._column + 1, _TOP
        if self._column >= self._columns:
            self._column = 0
            self.book.new_page(width=_WIDTH, height=_HEIGHT)
            if self._head:
                number = self.book.page_count
                self.put(_SIDE, 40, self._head if number % 2 else "The Millers of Harrow", _SMALL)
                self.put(_WIDTH / 2, 570, str(number + 11), _SMALL)

    def put(self, x: float, y: float, words: str, size: float, font: str = _FONT) -> None:
        """Put words at a place of the page."""
        self.page.insert_text((x, y), words, fontsize=size, fontname=font)

    def line(self, words: str, size: float, font: str = _FONT, indent: float = 0.0) -> None:
        """Set one line in the column."""
        self.room(size * _LEADING)
        self.y += size * _LEADING
        left = _SIDE + self._column * (self._measure + self._gap)
        self.put(left + indent, self.y, words, size, font)

    def paragraph(self, words: str, size: float = _BODY, font: str = _FONT, indent: float = 12.0) -> None:
        """Set a paragraph with an indented first line."""
        for number, line in enumerate(self.broken(words, size, font, indent)):
            self.line(line, size, font, 0 if number else indent)

    def broken(self, words: str, size: float, font: str, indent: float) -> Iterator[str]:
        """Yield the lines of a paragraph; a long word that does not fit is divided."""
        line, room = "", self._measure - indent
        for word in words.split():
            longer = f"{line} {word}".strip()
            if _width(longer, font, size) <= room:
                line = longer
                continue
            half = len(word) // 2
            divided = f"{line} {word[:half]}-"
            fits = _width(divided, font, size) <= room
            if len(word) >= _DIVIDED and word.isalpha() and fits:
                line, word = divided, word[half:]
            yield line
            line, room = word, self._measure
        yield line

    @property
    def is_full(self) -> bool:
        """Tell whether another paragraph may need another page."""
        last = self.book.page_count == PAGES and self._column == self._columns - 1
        return last and self.y > self._bottom - _ROOM * self._columns

    def space(self, height: float) -> None:
        """Leave white space."""
        self.y += height


class _Writer:
    """Draws sentences and paragraphs by a seed."""

    def __init__(self, seed: int) -> None:
        self._draw = random.Random(seed)

    def sentence(self) -> str:
        return " ".join(self._draw.choices(_WORDS, k=self._draw.randint(8, 16))).capitalize() + "."

    def paragraph(self) -> str:
        return " ".join(self.sentence() for _ in range(self._draw.randint(3, 5)))

    def title(self) -> str:
        return " ".join(self._draw.sample(_WORDS[:28], k=2)).title()

    def number(self) -> str:
        return f"{self._draw.randint(100, 9999):,}"


def specimens() -> list[Specimen]:
    """Make the six documents."""
    return [
        _chapters("one column", 1), _chapters("two columns", 2), _notes(), _tables(), _captions(),
        _chapters("running heads", 1, head="Chronicle of the Northern Mills"),
    ]  # fmt: skip


def _heading(setter: _Setter, made: Specimen, title: str, level_size: float = _LARGE) -> None:
    setter.room(level_size * 4)
    setter.space(level_size)
    setter.line(title, level_size, _BOLD)
    setter.space(level_size / 2)
    made.text.append(title)
    made.headings.append(title)


def _body(setter: _Setter, made: Specimen, words: str) -> None:
    setter.paragraph(words)
    made.text.append(words)


def _chapters(name: str, columns: int, head: str = "") -> Specimen:
    """Make chapters with a heading every few paragraphs, as many as five pages hold."""
    made, setter, writer = Specimen(name), _Setter(columns, head), _Writer(len(name))
    while not setter.is_full:
        if len(made.text) % 7 == 0:
            _heading(setter, made, f"{len(made.headings) + 1} {writer.title()}")
        _body(setter, made, writer.paragraph())
    return _done(made, setter)


def _notes() -> Specimen:
    """Make pages whose last paragraph runs on over a note at the foot of each."""
    made, setter, writer = Specimen("notes"), _Setter(reserve=60), _Writer(3)
    while not setter.is_full:
        if len(made.text) % 10 == 0:
            _heading(setter, made, writer.title())
        before = setter.book.page_count
        _body(setter, made, writer.paragraph())
        if setter.book.page_count > before > 0:
            made.text.append(_foot(setter, before, f"{before} {writer.sentence()}"))
    return _done(made, setter)


def _foot(setter: _Setter, number: int, note: str) -> str:
    """Set a note below the text of a page."""
    page = setter.book[number - 1]
    page.draw_line((_SIDE, 500), (_SIDE + 80, 500))
    for at, line in enumerate(setter.broken(note, _SMALL, _FONT, 0)):
        page.insert_text((_SIDE, 514 + 10 * at), line, fontsize=_SMALL, fontname=_FONT)
    return note


def _tables() -> Specimen:
    """Draw a heading, a paragraph and a ruled table on every page; every other table without rules."""
    made, setter, writer = Specimen("tables"), _Setter(), _Writer(5)
    for number in range(PAGES):
        setter.room(_BOTTOM)
        _heading(setter, made, writer.title())
        _body(setter, made, writer.paragraph())
        rows: list[tuple[str, ...]] = [("Mill", "Barley", "Oats", "Wheat")]
        rows += [(_WORDS[n + number].title(), *(writer.number() for _ in range(3))) for n in range(6)]
        setter.space(10)
        for row in rows:
            if number % 2 == 0:
                setter.page.draw_line((_SIDE, setter.y + 4), (_WIDTH - _SIDE, setter.y + 4))
            setter.y += 16
            for at, cell in enumerate(row):
                setter.put(_SIDE + 4 + 78 * at, setter.y, cell, _BODY, _BOLD if row is rows[0] else _FONT)
        made.rows += rows
        made.text += [" ".join(row) for row in rows]
        setter.space(14)
        for _ in range(2):
            _body(setter, made, writer.paragraph())
    return _done(made, setter)


def _captions() -> Specimen:
    """Draw a drawing with a caption between paragraphs on every page."""
    made, setter, writer = Specimen("captions"), _Setter(), _Writer(7)
    for number in range(PAGES):
        setter.room(_BOTTOM)
        _heading(setter, made, writer.title())
        for _ in range(2):
            _body(setter, made, writer.paragraph())
        top = setter.y + 12
        setter.page.draw_rect((_SIDE + 40, top, _WIDTH - _SIDE - 40, top + 90), fill=(0.8, 0.85, 0.9))
        setter.space(112)
        caption = f"Figure {number + 1}. {writer.sentence()}"
        setter.paragraph(caption, _SMALL, indent=0)
        made.text.append(caption)
        setter.space(10)
        _body(setter, made, writer.paragraph())
    return _done(made, setter)


def _done(made: Specimen, setter: _Setter) -> Specimen:
    made.data = setter.book.tobytes()
    setter.book.close()
    return made

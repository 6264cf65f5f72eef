"""Recognition: what an engine read on the pages of a PDF, as leaves in letters of like size."""

from statistics import median

from ingest.manuscript import Manuscript
from ingest.pdf.leaf import Leaf
from ingest.pdf.line import Line, letters_of
from ingest.recognition.sheet import Row, Sheet

# a line's ink goes from its baseline up to the middle, or to the top of tall letters, and below it: in sizes
_MIDDLE, _TALL, _BELOW = 0.5, 0.22, 0.21
_TALL_LETTERS, _LOW_LETTERS = frozenset("bdfhklt"), frozenset("gjpqy")
_ASCENT, _DESCENT = 0.9, 0.25  # of a line that a font describes
# of the usual size: what an engine measures differs by that from line to line, and most in short ones
_ALIKE, _NEARLY_ALIKE, _FEW_LETTERS = 0.25, 0.4, 12


class Recognition:
    """What was recognised of a book's pages, as leaves in letters of like size."""

    def __init__(self, sheets: dict[int, Sheet]) -> None:
        self.sheets = sheets
        self._usual = median(
            [_size(row) for sheet in sheets.values() for row in sheet.read for _ in row.text] or [1.0]
        )

    def leaf(self, number: int, height: float) -> Leaf | None:
        """Return the lines of a page that was recognised, or None."""
        sheet = self.sheets.get(number)
        if sheet is None:
            return None
        lines = [self._line(row) for row in sheet.read]
        return Leaf(lines, height, plain="".join(line.text for line in lines), sure=sheet.sure)

    def warn(self, manuscript: Manuscript) -> None:
        """Say that text was recognised, how sure that is, and what of it was not to be read."""
        if not self.sheets:
            return
        read = [sheet for sheet in self.sheets.values() if sheet.read]
        pages = "1 page" if len(read) == 1 else f"{len(read):,} pages"
        if read:
            sure = round(sum(sheet.sure for sheet in read) / len(read))
            manuscript.warn(
                f"the text of {pages} was recognised in pictures (OCR), {sure} % sure: it may hold mistakes"
            )
        if gone := [str(number + 1) for number, sheet in sorted(self.sheets.items()) if sheet.trouble]:
            manuscript.warn(
                f"text recognition gave up on page {', '.join(gone[:8])}: nothing of it was read; "
                "add it again to try once more"
            )
        unsure = sum(len(sheet.rows) - len(sheet.read) for sheet in self.sheets.values())
        if unsure:
            lines = "1 recognised line was" if unsure == 1 else f"{unsure:,} recognised lines were"
            manuscript.warn(f"{lines} too unsure to be text and left out: a sharper copy helps")

    def _line(self, row: Row) -> Line:
        size = _size(row)
        foot = row.y1 - _BELOW * size * _is_low(row.text)
        text = " ".join(row.text.split())
        alike = _ALIKE if len(text) > _FEW_LETTERS else _NEARLY_ALIKE
        if abs(size - self._usual) <= alike * self._usual:
            size = self._usual
        return Line(
            row.x0,
            foot - _ASCENT * size,
            row.x1,
            foot + _DESCENT * size,
            text,
            size,
            letters=letters_of(text),
        )


def _size(row: Row) -> float:
    tall = any(letter in _TALL_LETTERS or letter.isupper() or letter.isdigit() for letter in row.text)
    return (row.y1 - row.y0) / (_MIDDLE + _TALL * tall + _BELOW * _is_low(row.text))


def _is_low(text: str) -> bool:
    return not _LOW_LETTERS.isdisjoint(text)

"""Type: the letters that most of a document is set in, which tell what is larger, bolder or smaller."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from ingest.pdf.line import Line

LARGE = 1.15  # of the body's letters: a heading
_SMALL = 0.92  # a note


@dataclass(frozen=True)
class Type:
    """`size` in points, `bold` whether most of the text is."""

    size: float
    bold: bool

    def stands_out(self, line: Line) -> bool:
        """Tell whether a line is larger or bolder than the text, as headings are."""
        bolder = line.bold and not self.bold and line.size >= 0.95 * self.size
        return line.size >= LARGE * self.size or bolder

    def is_small(self, size: float) -> bool:
        """Tell whether letters of this size are those of a note."""
        return size <= _SMALL * self.size


def body_type(lines: Iterable[Line]) -> Type:
    """Find the size that most letters have, to a quarter of a point."""
    sizes: Counter[float] = Counter()
    bold: Counter[bool] = Counter()
    for line in lines:
        sizes[round(4 * line.size) / 4] += len(line.text)
        bold[line.bold] += len(line.text)
    size = sizes.most_common(1)[0][0] if sizes else 0.0
    return Type(size, bold[True] > bold[False])

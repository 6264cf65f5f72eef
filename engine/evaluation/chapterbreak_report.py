"""The chapter-break table: accuracy of every row in percent, and points against the first row, over books."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.evaluation.bootstrap import Total, interval, mean_loss
from engine.report import keep, table

LEGEND = (
    "right: the likeliest beginning is the true one; by gain: the one whose likelihood the context raised "
    "most is, against the beginning after one token alone"
)


@dataclass(frozen=True)
class Score:
    """Right answers of one row in one book, of the questions it was asked.

    right: by likelihood, as the benchmark defines it; raised: by what the context adds to it.
    """

    right: int
    raised: int
    asked: int

    @classmethod
    def of(cls, answers: Sequence[tuple[bool, bool]]) -> "Score":
        """Count (right, raised) question by question."""
        return cls(sum(right for right, _ in answers), sum(raised for _, raised in answers), len(answers))

    def total(self, name: str) -> Total:
        """Return `right` or `raised` as a loss of percent, to resample books."""
        return Total(100 * getattr(self, name), self.asked)


def write_result(folder: Path, names: Sequence[str], results: Sequence[Sequence[Score]], choices: int) -> str:
    """Write chapterbreak.md and .json; returns the Markdown. results: one list of scores a book.

    A row that was asked fewer questions is not compared with the first row.
    """
    questions = sum(scores[0].asked for scores in results)
    heads = ("", "questions:", "right (%)", f"points against {names[0]}", "by gain (%)", "points")
    values, lines = [], []
    for number, name in enumerate(names):
        asked = sum(scores[number].asked for scores in results)
        if not asked:
            continue
        row, cells = {"name": name, "questions": asked}, []
        for kind in ("right", "raised"):
            mine = [scores[number].total(kind) for scores in results if scores[number].asked]
            share, against = Share.of(mine), None
            if asked == questions:
                against = Share.of(mine, [scores[0].total(kind) for scores in results])
            row[kind] = share.values() | ({"points": against.values()} if against else {})
            cells += [f"{share}", f"{against:+}" if against else "-"]
        lines.append((name, str(asked), *cells))
        values.append(row)
    what = f"{questions} questions from {len(results)} books; chance {100 / choices:.1f} %; {LEGEND}"
    content = {"questions": questions, "books": len(results), "rows": values}
    return keep(folder, "chapterbreak", f"{what}\n\n{table(heads, lines)}\n", content)


@dataclass(frozen=True)
class Share:
    """A percentage or a difference of two, with its 95 % interval over books (NaN for one book)."""

    mean: float
    low: float
    high: float

    @classmethod
    def of(cls, mine: Sequence[Total], against: Sequence[Total] | None = None) -> "Share":
        """Take the mean over all questions; against: the same books in another row."""
        base = mean_loss(against) if against else 0.0
        return cls(mean_loss(mine) - base, *interval(mine, against))

    def values(self) -> dict:
        """Return the numbers for JSON, where NaN has no place."""
        known = self.low == self.low
        return {"mean": self.mean, "interval": [self.low, self.high] if known else None}

    def __format__(self, sign: str) -> str:
        words = f"{self.mean:{sign}.1f}"
        return words if self.low != self.low else f"{words} [{self.low:{sign}.1f}, {self.high:{sign}.1f}]"

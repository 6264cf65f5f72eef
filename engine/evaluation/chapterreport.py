"""The chapter-break table: accuracy of every row in percent, and points against the first row, over books."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.evaluation.bootstrap import Total, interval, mean_loss


@dataclass(frozen=True)
class Score:
    """Right answers of one row in one book, of the questions it was asked."""

    right: int
    asked: int

    @property
    def total(self) -> Total:
        """As a loss of percent, to resample books."""
        return Total(100 * self.right, self.asked)


def write_result(folder: Path, names: Sequence[str], results: Sequence[Sequence[Score]], choices: int) -> str:
    """Write chapterbreak.md and .json; returns the Markdown. results: one list of scores a book.

    A row that was asked fewer questions is not compared with the first row.
    """
    questions = sum(scores[0].asked for scores in results)
    lines = [
        f"{questions} questions from {len(results)} books; chance {100 / choices:.1f} %\n",
        f"| | questions | right (%) | 95 % over books | points against {names[0]} | 95 % |",
        "|---|---:|---|---|---|---|",
    ]
    values = []
    first = [scores[0].total for scores in results]
    for number, name in enumerate(names):
        mine = [scores[number].total for scores in results if scores[number].asked]
        if not mine:
            continue
        asked, share = sum(total.tokens for total in mine), mean_loss(mine)
        low, high = interval(mine)
        row = {"name": name, "questions": asked, "right": share, "interval": _known(low, high)}
        cells = [f"{asked}", f"{share:.1f}", _words(low, high)]
        if asked == questions:
            low, high = interval(mine, first)
            row |= {"points": share - mean_loss(first), "points_interval": _known(low, high)}
            cells += [f"{row['points']:+.1f}", _words(low, high)]
        else:
            cells += ["-", "-"]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
        values.append(row)
    folder.mkdir(parents=True, exist_ok=True)
    text = "\n".join(lines) + "\n"
    (folder / "chapterbreak.md").write_text(text)
    content = {"questions": questions, "books": len(results), "rows": values}
    (folder / "chapterbreak.json").write_text(json.dumps(content, indent=2) + "\n")
    return text


def _known(low: float, high: float) -> list[float] | None:
    return [low, high] if low == low else None  # one book gives NaN


def _words(low: float, high: float) -> str:
    return f"{low:.1f} to {high:.1f}" if low == low else "-"

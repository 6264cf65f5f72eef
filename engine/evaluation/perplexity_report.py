"""The result of the perplexity evaluation, three ways: Markdown tables, JSON, a plot.

Every row stands against two others: the backbone with the window alone (in perplexity: the total), and the
same model with less context (in nats: what the memory or the dense context alone is worth). A row scored on
fewer pages is compared on those pages.
"""

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from engine import report
from engine.evaluation.bootstrap import Total, interval, mean_loss

GOAL = (
    "total: 1.62 of perplexity below the backbone; memory alone: at least what dense 8192 gives, and growing"
)

HEADS = ("", "tokens scored:", "loss (nats)", "perplexity", "total: perplexity against the backbone",
         "95 % over books", "memory or context alone (nats)", "95 % over books")  # fmt: skip
GOAL_HEADS = ("split", "total", "95 %", "memory alone: smallest", "largest",
              "largest, on the pages of dense", "dense", "MemTRM total", "alone")  # fmt: skip
DENSE = "backbone, dense"  # how the names of those rows begin


@dataclass(frozen=True)
class Scored:
    """One book: targets of a page, and per row and page the summed loss, None where it was left out."""

    split: str
    tokens: int
    losses: list[list[float | None]]

    def totals(self, row: int, like: int, where: int | None = None) -> tuple[Total, Total] | None:
        """Sum two rows over the pages that both scored. where: a third row that has to have scored them."""
        third = self.losses[row if where is None else where]
        pairs = [
            (a, b) for a, b, c in zip(self.losses[row], self.losses[like], third, strict=True)
            if a is not None and b is not None and c is not None
        ]  # fmt: skip
        if not pairs:
            return None
        tokens = self.tokens * len(pairs)
        return Total(sum(a for a, _ in pairs), tokens), Total(sum(b for _, b in pairs), tokens)


@dataclass(frozen=True)
class Row:
    """One row of one split. Losses in nats per token, intervals over books.

    total: perplexity against the backbone with the window alone. alone: nats against the row `base`;
    alone_where_dense: over the pages that the last row of dense context scored, NaN without one.
    """

    name: str
    base: str
    split: str
    books: int
    tokens: int
    loss: float
    loss_interval: tuple[float, float]
    total: float
    total_interval: tuple[float, float]
    alone: float
    alone_interval: tuple[float, float]
    alone_where_dense: float = math.nan

    @property
    def perplexity(self) -> float:
        return math.exp(self.loss)


def table(rows: Sequence[tuple[str, str]], results: Sequence[Scored]) -> list[Row]:
    """Make one row per (name, base) and split, and over all books; the first row is the backbone alone."""
    names = [name for name, _ in rows]
    dense = max((at for at, name in enumerate(names) if name.startswith(DENSE)), default=None)
    made = []
    for split in dict.fromkeys([*(book.split for book in results), "all"]):
        inside = [book for book in results if split in ("all", book.split)]
        for number, (name, base) in enumerate(rows):
            with_first = [pair for book in inside if (pair := book.totals(number, 0))]
            with_base = [pair for book in inside if (pair := book.totals(number, names.index(base)))]
            if not with_first:
                continue
            mine, first = zip(*with_first, strict=True)
            same, less = zip(*with_base, strict=True)
            there = [pair for book in inside if (pair := book.totals(number, names.index(base), dense))]
            made.append(
                Row(
                    name, base, split, len(mine), sum(total.tokens for total in mine), mean_loss(mine),
                    interval(mine), math.exp(mean_loss(mine)) - math.exp(mean_loss(first)),
                    interval(mine, first, scale=math.exp), _difference(with_base),
                    interval(same, less), math.nan if dense is None else _difference(there),
                )
            )  # fmt: skip
    return made


def _difference(pairs: Sequence[tuple[Total, Total]]) -> float:
    """Return the mean loss of the first of each pair less that of the second; NaN of nothing."""
    if not pairs:
        return math.nan
    first, second = zip(*pairs, strict=True)
    return mean_loss(first) - mean_loss(second)


def span(interval: tuple[float, float], digits: int = 4) -> str:
    """Write an interval as words: "[-0.0120, -0.0040]", or a dash where there is none."""
    if any(math.isnan(end) for end in interval):
        return "-"
    return f"[{interval[0]:+.{digits}f}, {interval[1]:+.{digits}f}]"


def markdown(rows: list[Row]) -> str:
    """Write the table, one part per split, then the goals."""
    lines = []
    for split in dict.fromkeys(row.split for row in rows):
        part = [row for row in rows if row.split == split]
        cells = [
            (row.name, f"{row.tokens:,}", f"{row.loss:.4f}", f"{row.perplexity:.2f}", f"{row.total:+.2f}",
             span(row.total_interval, 2), f"{row.alone:+.4f}", span(row.alone_interval))
            for row in part
        ]  # fmt: skip
        lines += [f"\n{split} ({part[0].books} books)\n", report.table(HEADS, cells)]
    return "\n".join([*lines, *goals(rows)]).lstrip() + "\n"


def goals(rows: list[Row]) -> list[str]:
    """Write one line a split: total and memory alone of the largest memory, beside dense and MemTRM.

    Dense context may be scored on fewer pages: beside it stands what memory is worth on the same ones.
    """
    found = {(row.split, row.name): row for row in rows}
    lines = []
    for split in dict.fromkeys(row.split for row in rows):
        names = [name for where, name in found if where == split]
        read = [found[split, name] for name in names if name.startswith("SideNet, memory ")][1:]
        dense = [found[split, name] for name in names if name.startswith(DENSE)]
        other = [found[split, name] for name in names if name.startswith("MemTRM")]
        if not read:
            continue
        cells = [f"{read[-1].total:+.2f}", span(read[-1].total_interval, 2), f"{read[0].alone:+.4f}"]
        cells += [f"{read[-1].alone:+.4f}"]
        cells += [f"{read[-1].alone_where_dense:+.4f}", f"{dense[-1].alone:+.4f}"] if dense else ["-", "-"]
        cells += [f"{other[-1].total:+.2f}", f"{other[-1].alone:+.4f}"] if other else ["-", "-"]
        lines.append([split, *cells])
    return [f"\nGoals ({GOAL})\n", report.table(GOAL_HEADS, lines)] if lines else []


def write_report(folder: Path, name: str, setup: dict, rows: list[Row]) -> str:
    """Write `name`.md, .json and .png to a folder; returns the Markdown."""
    values = [{**dataclasses.asdict(row), "perplexity": row.perplexity} for row in rows]
    text = report.keep(folder, name, markdown(rows), {"setup": setup, "rows": values})
    draw(rows, folder / f"{name}.png")
    return text


def draw(rows: list[Row], picture: Path) -> None:
    """Draw the total and the memory alone of every row, over all books, with intervals."""
    part = [row for row in rows if row.split == "all"]
    with report.drawing(picture, (12, 0.4 * len(part) + 1.2), ncols=2, sharey=True) as axes:
        panels = (
            ("perplexity against the backbone (left is better)", "total"),
            ("nats against the same with less context (left is better)", "alone"),
        )
        for axis, (title, field) in zip(axes, panels, strict=True):
            for place, row in enumerate(part):
                low, high = getattr(row, f"{field}_interval")
                axis.plot([getattr(row, field)], [place], "o", color="tab:blue")
                if not math.isnan(low):
                    axis.plot([low, high], [place, place], color="tab:blue")
            axis.axvline(0, color="grey", linewidth=0.8)
            axis.set_xlabel(title)
        axes[0].set_yticks(range(len(part)), [row.name for row in part])
        axes[0].invert_yaxis()

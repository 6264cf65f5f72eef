"""The result of an evaluation, three ways: a Markdown table, JSON, a plot."""

import dataclasses
import json
import math
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Row:
    """One row of one split: loss in nats per token, its interval over books, and against "memory off"."""

    name: str
    split: str
    books: int
    tokens: int
    loss: float
    loss_interval: tuple[float, float]
    against_off: float
    against_off_interval: tuple[float, float]

    @property
    def perplexity(self) -> float:
        return math.exp(self.loss)


def span(interval: tuple[float, float], digits: int = 4) -> str:
    """An interval as words: "[-0.0120, -0.0040]", or a dash where there is none."""
    if any(math.isnan(end) for end in interval):
        return "-"
    return f"[{interval[0]:+.{digits}f}, {interval[1]:+.{digits}f}]"


def markdown(rows: list[Row]) -> str:
    """The table, one part per split."""
    lines = []
    for split in dict.fromkeys(row.split for row in rows):
        part = [row for row in rows if row.split == split]
        lines += [
            f"\n{split} ({part[0].books} books, {part[0].tokens:,} tokens scored)\n",
            "| | loss (nats) | perplexity | against memory off (nats) | 95 % over books |",
            "|---|---|---|---|---|",
        ]
        lines += [
            f"| {row.name} | {row.loss:.4f} | {row.perplexity:.2f} | {row.against_off:+.4f} "
            f"| {span(row.against_off_interval)} |"
            for row in part
        ]
    return "\n".join(lines).lstrip() + "\n"


def write_report(folder: Path, name: str, setup: dict, rows: list[Row]) -> str:
    """Write `name`.md, .json and .png to a folder; returns the Markdown."""
    folder.mkdir(parents=True, exist_ok=True)
    text = markdown(rows)
    (folder / f"{name}.md").write_text(text)
    values = [{**dataclasses.asdict(row), "perplexity": row.perplexity} for row in rows]
    (folder / f"{name}.json").write_text(
        json.dumps({"setup": setup, "rows": _plain(values)}, indent=2) + "\n"
    )
    draw(rows, folder / f"{name}.png")
    return text


def _plain(value):
    """NaN has no place in JSON: None."""
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def draw(rows: list[Row], picture: Path) -> None:
    """Difference to "memory off" of every row, over all books, with intervals."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    part = [row for row in rows if row.split == "all"]
    figure, axis = pyplot.subplots(figsize=(8, 0.5 * len(part) + 1.2))
    for place, row in enumerate(part):
        low, high = row.against_off_interval
        axis.plot([row.against_off], [place], "o", color="tab:blue")
        if not math.isnan(low):
            axis.plot([low, high], [place, place], color="tab:blue")
    axis.set_yticks(range(len(part)), [row.name for row in part])
    axis.invert_yaxis()
    axis.axvline(0, color="grey", linewidth=0.8)
    axis.set_xlabel("nats per token against the same SideNet with memory off (left is better)")
    figure.tight_layout()
    figure.savefig(picture, dpi=110)
    pyplot.close(figure)

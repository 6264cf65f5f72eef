"""The log of a run: one CSV line a step, the pictures of its curves."""

import csv
import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from engine.report import drawing

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


class StepLog:
    """`log.csv` of a run. Going on from a checkpoint drops the lines after it, so no step appears twice.

    report: the dataclass whose fields are the columns; `step` is one of them.
    """

    def __init__(self, file: Path, report: type["DataclassInstance"], done: int = 0) -> None:
        self.file = file
        self.fields = [field.name for field in dataclasses.fields(report)]
        kept = [row for row in read_log(file) if int(row["step"]) <= done] if file.is_file() else []
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("w", newline="") as out:
            writer = csv.DictWriter(out, self.fields)
            writer.writeheader()
            writer.writerows(kept)

    def add(self, report: "DataclassInstance") -> None:
        """Append one step; on disk at once."""
        values = {
            name: "" if value is None else f"{value:.6g}" if isinstance(value, float) else value
            for name, value in dataclasses.asdict(report).items()
        }
        with self.file.open("a", newline="") as out:
            csv.DictWriter(out, self.fields).writerow(values)


def read_log(file: Path) -> list[dict[str, str]]:
    """Read the lines of a log, as text."""
    with file.open(newline="") as lines:
        return list(csv.DictReader(lines))


def smoothed(values: list[float], over: int) -> list[float]:
    """Return the running mean of up to `over` values: smoothed([1, 3, 5], 2) = [1, 2, 4]."""
    return [
        sum(part) / len(part) for part in (values[max(0, i + 1 - over) : i + 1] for i in range(len(values)))
    ]


def draw_curves(file: Path, picture: Path) -> None:
    """Draw loss, gate, null mass and speed over the steps of a log."""
    rows = read_log(file)
    if not rows:
        return
    steps = [int(row["step"]) for row in rows]
    panels = {
        "loss (nats)": [float(row["loss"]) for row in rows],
        "null mass": [float(row["null_mass"]) for row in rows],
        "gate": [float(row["gate"]) for row in rows],
        "tokens/s": [int(row["tokens"]) / max(1e-9, float(row["seconds"])) for row in rows],
    }
    with drawing(picture, (10, 6), nrows=2, ncols=2, sharex=True) as axes:
        for axis, (title, values) in zip(axes.flat, panels.items(), strict=True):
            axis.plot(steps, values, linewidth=0.5, alpha=0.4)
            axis.plot(steps, smoothed(values, max(1, len(values) // 25)), linewidth=1.5)
            axis.set_title(title)
        kl = [(int(row["step"]), float(row["kl"])) for row in rows if row["kl"]]
        if kl:
            twin = axes.flat[0].twinx()
            twin.plot(*zip(*kl, strict=True), color="tab:red", linewidth=0.7)
            twin.set_ylabel("KL to the backbone (nats)", color="tab:red")
        for axis in axes[-1]:
            axis.set_xlabel("step")


def draw_scores(file: Path, picture: Path) -> None:
    """Draw loss, exact match and F1 over the steps of a log."""
    rows = read_log(file)
    steps = [int(row["step"]) for row in rows]
    with drawing(picture, (10, 4), ncols=2) as (left, right):
        left.plot(steps, [float(row["loss"]) for row in rows])
        left.set_title("loss (nats)")
        for name in ("exact", "f1"):
            right.plot(steps, [float(row[name]) for row in rows], label=name)
        right.set_title("held-out passages")
        right.legend()

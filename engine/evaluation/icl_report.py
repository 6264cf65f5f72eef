"""The result of `evaluate icl`: a Markdown table, JSON, and accuracy over the number of demonstrations."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engine.report import drawing, keep, table


@dataclass(frozen=True)
class Score:
    """Accuracy of one row for one task and seed. memory: demonstrations in memory ("all": the whole pool).

    full: whether the window holds as many shots as fit.
    """

    task: str
    kind: str
    scoring: str
    shots: int
    seed: int
    memory: int | str
    accuracy: float
    tests: int
    full: bool = False

    @property
    def row(self) -> str:
        """Return its name in the table."""
        return f"{self.kind} {self.memory}" if self.memory else self.kind

    @property
    def window(self) -> str:
        """Return the part of the table that it stands in: shots in the window, or "full"."""
        return "full" if self.full else str(self.shots)


@dataclass(frozen=True)
class Summary:
    """Percent: per task the mean over seeds; average over tasks, and its deviation over seeds.

    texts: of all tasks together, that each seed was tested on.
    """

    row: str
    scoring: str
    shots: str
    tasks: dict[str, float]
    average: float
    deviation: float
    seeds: int
    texts: int


def summaries(scores: Sequence[Score]) -> list[Summary]:
    """Sum up in one line each row, scoring and number of shots, in the order of measurement."""
    made = []
    keys = dict.fromkeys((one.window, one.scoring, one.row) for one in scores)
    for shots, scoring, row in sorted(
        keys, key=lambda key: (key[0] == "full", key[0].zfill(4), key[1] == "full")
    ):
        part = [one for one in scores if (one.window, one.scoring, one.row) == (shots, scoring, row)]
        tasks = {
            task: 100 * float(np.mean([one.accuracy for one in part if one.task == task]))
            for task in dict.fromkeys(one.task for one in part)
        }
        by_seed = [
            100 * np.mean([one.accuracy for one in part if one.seed == seed])
            for seed in dict.fromkeys(one.seed for one in part)
        ]
        average, deviation = float(np.mean(list(tasks.values()))), float(np.std(by_seed))
        texts = sum(max(one.tests for one in part if one.task == task) for task in tasks)
        made.append(Summary(row, scoring, shots, tasks, average, deviation, len(by_seed), texts))
    return made


def markdown(found: Sequence[Summary]) -> str:
    """Write one part for each number of shots and scoring."""
    lines = []
    for shots, scoring in dict.fromkeys((one.shots, one.scoring) for one in found):
        part = [one for one in found if (one.shots, one.scoring) == (shots, scoring)]
        tasks = list(dict.fromkeys(task for one in part for task in one.tasks))
        what = "among the labels, calibrated" if scoring == "labels" else "over the whole vocabulary"
        lines += [f"\n{shots} shots in the window, scored {what} (accuracy %)\n"]
        rows = []
        for one in part:
            cells = [f"{one.tasks[task]:.1f}" if task in one.tasks else "-" for task in tasks]
            deviation = f"{one.deviation:.1f}" if one.seeds > 1 else "-"
            cells += [f"{one.average:.1f}", deviation, str(one.seeds), f"{one.texts:,}"]
            rows.append([one.row, *cells])
        lines.append(table(["", *tasks, "average", "± over seeds", "seeds", "texts"], rows))
    return "\n".join(lines).lstrip() + "\n"


def write_report(folder: Path, scores: Sequence[Score], times: dict, setup: dict) -> str:
    """Write icl.md, icl.json and icl.png; returns the Markdown."""
    found = summaries(scores)
    text = markdown(found) + "\nMedian seconds for one text beside a window that is read already:\n\n"
    for task, parts in times.items():
        ratio = parts["classify"] / parts["backbone"]
        text += (
            f"* {task}: backbone {parts['backbone']:.3f}, classify {parts['classify']:.3f} ({ratio:.2f}×)\n"
        )
    content = {
        "setup": setup,
        "seconds": times,
        "rows": [dataclasses.asdict(one) for one in found],
        "scores": [dataclasses.asdict(one) for one in scores],
    }
    keep(folder, "icl", text, content)
    draw(scores, folder / "icl.png")
    return text


def draw(scores: Sequence[Score], picture: Path) -> None:
    """Draw accuracy over the number of demonstrations in memory, at the most shots in the window."""
    shots = max(one.shots for one in scores if not one.full)
    part = [one for one in scores if one.scoring == "labels" and (one.shots == shots or one.full)]
    with drawing(picture, (8, 5)) as axis:
        sizes = sorted({one.memory for one in part if one.memory}, key=lambda size: (size == "all", size))
        at = {size: place for place, size in enumerate(sizes, 1)}
        kinds = dict.fromkeys(one.kind for one in part if one.memory)
        for kind in kinds:
            same = [one for one in part if one.kind == kind]
            means = [
                100 * np.mean([one.accuracy for one in same if one.memory == size] or [np.nan])
                for size in sizes
            ]
            axis.plot([at[size] for size in sizes], means, "o-", label=kind.rstrip(","))
        for row in dict.fromkeys(one.row for one in part if not one.memory):
            mean = 100 * np.mean([one.accuracy for one in part if one.row == row])
            axis.axhline(mean, linestyle="--", linewidth=0.8, color="grey")
            axis.annotate(row, (0.6, mean), fontsize=7, va="bottom")
        axis.set_xlim(0.5, len(sizes) + 0.5)
        axis.set_xticks(list(at.values()), [str(size) for size in sizes])
        axis.set_xlabel(f"demonstrations in memory ({shots} in the window)")
        axis.set_ylabel("accuracy, mean over tasks and seeds (%)")
        axis.legend(fontsize=8)

"""`train-reader`: teach the reading layers to answer from states of the frozen backbone.

The backbone runs once over every text; its states stay on disk (`--states`) and serve every later run. A run
goes on where it was killed, with the same losses. What it writes to `--out`: `reader.safetensors` and
`reader.json` (the mean of the weights over the last steps), `state.pt` (to go on), `log.csv`, `curve.png`.
"""

import argparse
import dataclasses
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from engine.arguments import natural, positive, thread_count
from engine.backbone.backbone import Backbone
from engine.backbone.load import load_backbone
from engine.paths import Paths
from engine.sidenet.reading import ReadingLayers, load_reader, save_reader
from engine.training.answers import Exercise, exercises, grouped, story_exercises
from engine.training.checkpoint import keep_options, read_state, write_state
from engine.training.curves import StepLog, read_log
from engine.training.neighbours import Neighbours
from engine.training.readingloss import Reading, batch_loss, gold_passage_scores, reading_of, scores_of
from engine.training.states import StateStore
from ingest.errors import BadInput

LOG_FILE = "log.csv"
LESSON = 1500  # passages whose states are computed before the questions on them are read
SORTED = 32  # batches among which questions are sorted by length
PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}
DAMPED = 0.25  # held-out F1 at the start: .673 with 0, .661 with .25, .605 with 1
NEW_PARTS = ("role", "span", "null", "kind")


@dataclass(frozen=True)
class ReadingSettings:
    """block, layers: which states are read, by how many layers. questions, passages: of one step, of one
    question (the first is its own). window: tokens of a passage that are read. rate: of copied weights; three
    times that of new ones. steady: share of the steps before the rate falls to zero. average: of weights,
    kept from step to step.
    """

    block: int = 7
    layers: int = 8
    questions: int = 16
    passages: int = 1
    window: int = 256
    steps: int = 4000
    rate: float = 3e-4
    warmup: int = 100
    steady: float = 0.6
    weight_decay: float = 0.01
    average: float = 0.998
    seed: int = 1

    def factor(self, step: int) -> float:
        """Return the factor of the learning rate at a step: rising, steady, then falling to zero."""
        falling = (self.steps - step) / max(1.0, self.steps * (1 - self.steady))
        return max(0.0, min((step + 1) / self.warmup, 1.0, falling))


@dataclass(frozen=True)
class ReadingReport:
    """A line of the log: mean loss since the line before, held-out scores, seconds since the start."""

    step: int
    loss: float
    exact: float
    f1: float
    seconds: float


class ReadingRun:
    """One run of training, step by step."""

    def __init__(
        self, layers: ReadingLayers, store: StateStore, settings: ReadingSettings, precision: torch.dtype
    ) -> None:
        self.layers, self.store, self.settings, self.precision = layers, store, settings, precision
        self.step = 0
        new = [value for name, value in layers.named_parameters() if name.startswith(NEW_PARTS)]
        copied = [value for name, value in layers.named_parameters() if not name.startswith(NEW_PARTS)]
        groups = [{"params": copied, "lr": settings.rate}, {"params": new, "lr": 3 * settings.rate}]
        self.optimiser = torch.optim.AdamW(groups, weight_decay=settings.weight_decay, fused=True)
        self.rates = [group["lr"] for group in self.optimiser.param_groups]
        self.average = {name: value.detach().clone() for name, value in layers.named_parameters()}

    def take(self, rows: Sequence[Reading]) -> float:
        """Take one optimiser step on the rows of a batch; return its loss."""
        for group, rate in zip(self.optimiser.param_groups, self.rates, strict=True):
            group["lr"] = rate * self.settings.factor(self.step)
        with torch.autocast("cpu", self.precision, enabled=self.precision != torch.float32):
            scores = scores_of(self.layers, self.store, rows)
        loss = batch_loss(scores, rows)
        self.optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.layers.parameters(), 1.0)
        self.optimiser.step()
        self.step += 1
        keep = min(self.settings.average, self.step / (self.step + 10))
        with torch.no_grad():
            for name, value in self.layers.named_parameters():
                self.average[name].lerp_(value, 1 - keep)
        return loss.item()

    def averaged(self) -> ReadingLayers:
        """Return the layers with the mean of the weights so far."""
        layers = ReadingLayers(self.store.backbone, self.settings.block, self.settings.layers)
        layers.load_state_dict(self.average)
        return layers.eval()

    def save(self, folder: Path) -> None:
        """Keep all that the run needs to go on; an interrupted write leaves what was kept before."""
        state = {
            "step": self.step, "layers": self.layers.state_dict(),
            "optimiser": self.optimiser.state_dict(), "average": self.average,
        }  # fmt: skip
        write_state(folder, state)

    def restore(self, folder: Path) -> None:
        """Go on where `save` was called last."""
        if (state := read_state(folder)) is not None:
            self.step, self.average = state["step"], state["average"]
            self.layers.load_state_dict(state["layers"])
            self.optimiser.load_state_dict(state["optimiser"])


def texts_of(lesson: Sequence[Exercise]) -> list[str]:
    """Return the passages of exercises, and those that do not tell."""
    return [text for one in lesson for text in (one.passage, *one.beside)]


def lessons(groups: Sequence[list[Exercise]], store: StateStore) -> Iterator[list[Exercise]]:
    """Yield the exercises on some passages after the others, again and again, once their states are there."""
    while True:
        for first in range(0, len(groups), LESSON):
            lesson = [one for group in groups[first : first + LESSON] for one in group]
            store.add([one.question for one in lesson], texts_of(lesson))
            yield lesson


def batches(
    groups: Sequence[list[Exercise]], store: StateStore, settings: ReadingSettings
) -> Iterator[list[Reading]]:
    """Yield the rows of one step after another; the same settings give the same rows."""
    near = Neighbours(group[0].passage for group in groups) if settings.passages > 1 else None
    for number, lesson in enumerate(lessons(groups, store)):
        rng = random.Random(f"{settings.seed} {number}")
        rng.shuffle(lesson)
        size = settings.questions * SORTED
        for first in range(0, len(lesson), size):
            part = sorted(lesson[first : first + size], key=lambda one: len(one.passage))
            steps = [part[at : at + settings.questions] for at in range(0, len(part), settings.questions)]
            rng.shuffle(steps)
            for step in steps:
                rows = rows_of(step, store, near, settings.passages)
                yield [row.cut(len(store.spans(row.passage)), rng, settings.window) for row in rows]


def rows_of(
    step: Sequence[Exercise], store: StateStore, near: Neighbours | None, passages: int
) -> list[Reading]:
    """Return the exercises of a step as rows, each followed by passages that do not answer it."""
    rows: list[Reading] = []
    for number, exercise in enumerate(step):
        own = reading_of(store, exercise, number)
        if own is None:
            continue
        rows.append(own)
        if near is not None and own.kind == "span":
            others = exercise.beside or [one for one in near.of(exercise, passages + 2) if one in store.texts]
            rows += [Reading(number, exercise.question, one, (), "span") for one in others[: passages - 1]]
    return rows


def train(
    run: ReadingRun, groups: Sequence[list[Exercise]], held_out: Sequence[Exercise], folder: Path, every: int
) -> None:
    """Train to the last step; write the log, the state and the mean of the weights every so many steps."""
    settings, began = run.settings, time.monotonic()
    log = StepLog(folder / LOG_FILE, ReadingReport, run.step)
    losses: list[float] = []
    for number, rows in enumerate(batches(groups, run.store, settings)):
        if number < run.step:
            continue
        if run.step >= settings.steps:
            break
        losses.append(run.take(rows))
        if run.step % every and run.step < settings.steps:
            continue
        averaged = run.averaged()
        with torch.autocast("cpu", run.precision, enabled=run.precision != torch.float32):
            exact, f1 = gold_passage_scores(averaged, run.store, held_out)
        report = ReadingReport(run.step, sum(losses) / len(losses), exact, f1, time.monotonic() - began)
        log.add(report)
        print(f"step {report.step}: loss {report.loss:.3f}, exact match {exact:.3f}, F1 {f1:.3f}", flush=True)
        losses = []
        run.save(folder)
        save_reader(averaged, run.store.backbone, folder)
    draw_scores(log.file, folder / "curve.png")


def draw_scores(file: Path, picture: Path) -> None:
    """Draw loss, exact match and F1 over the steps of a log."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    rows = read_log(file)
    steps = [int(row["step"]) for row in rows]
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(10, 4))
    left.plot(steps, [float(row["loss"]) for row in rows])
    left.set_title("loss (nats)")
    for name in ("exact", "f1"):
        right.plot(steps, [float(row[name]) for row in rows], label=name)
    right.set_title("held-out passages")
    right.legend()
    figure.tight_layout()
    figure.savefig(picture, dpi=110)
    pyplot.close(figure)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument(
        "--answers",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="rows of passage and question",
    )
    parser.add_argument(
        "--stories", nargs=2, type=Path, action="append", default=[], metavar=("DOCUMENTS", "QUESTIONS"),
        help="documents in sections, and questions that name them",
    )  # fmt: skip
    parser.add_argument("--states", type=Path, required=True, metavar="DIR", help="keep frozen states here")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="the run's folder")
    parser.add_argument("--start", type=Path, metavar="DIR", help="begin with this reader's weights")
    parser.add_argument("--only-states", action="store_true", help="compute the states of all texts and end")
    parser.add_argument("--every", type=positive, default=100, metavar="N", help="steps between checkpoints")
    parser.add_argument(
        "--held-out", type=natural, default=300, metavar="N", help="questions that are scored"
    )
    parser.add_argument("--precision", choices=PRECISIONS, default="float32", help="of products")
    parser.add_argument("--threads", type=thread_count, metavar="N", help="processor threads")
    parser.add_argument("--model", help="hub name, folder or GGUF file (default: the one that comes along)")
    for name, value in dataclasses.asdict(ReadingSettings()).items():
        parser.add_argument("--" + name, type=type(value), default=value, metavar=str(value))


def run(arguments: argparse.Namespace) -> int:
    """Compute states, train, save; return the exit code 0."""
    names = [field.name for field in dataclasses.fields(ReadingSettings)]
    settings = ReadingSettings(**{name: getattr(arguments, name) for name in names})
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    rows = [one for file in arguments.answers for one in exercises(file)]
    rows += [one for pair in arguments.stories for one in story_exercises(*pair)]
    everything = grouped(rows, settings.seed)
    groups = [group for group in everything if not group[0].held_out]
    if not groups:
        raise BadInput("there are no questions to learn from; name files with --answers or --stories")
    backbone = load_backbone(Paths.default(), arguments.model)
    precision = PRECISIONS[arguments.precision]
    store = StateStore(arguments.states, backbone, settings.block, precision)
    if arguments.only_states:
        for first in range(0, len(groups), LESSON):
            part = [one for group in groups[first : first + LESSON] for one in group]
            store.add([one.question for one in part], texts_of(part))
            print(f"{first + LESSON} of {len(groups)} passages", flush=True)
        return 0
    keep_options(arguments.out, dataclasses.asdict(settings))
    kept = [one for group in everything if group[0].held_out for one in group if one.spans]
    held_out = kept[: arguments.held_out]
    store.add([one.question for one in held_out], [one.passage for one in held_out])
    torch.manual_seed(settings.seed)
    layers = starting_layers(backbone, settings, arguments.start)
    training = ReadingRun(layers, store, settings, precision)
    training.restore(arguments.out)
    train(training, groups, held_out, arguments.out, arguments.every)
    return 0


def starting_layers(backbone: Backbone, settings: ReadingSettings, start: Path | None) -> ReadingLayers:
    """Return copies of the backbone's blocks, or the layers of an earlier run.

    Where that run had fewer, the layers above them begin as copies that add `DAMPED` of what their block
    adds, so that the reader starts near the one it grows out of.

    Raises
    ------
    BadInput
        The earlier run's layers stand above another block, or are more.
    """
    layers = ReadingLayers(backbone, settings.block, settings.layers)
    if start is None:
        return layers
    trained = load_reader(start, backbone)
    if trained.block != settings.block or len(trained.layers) > settings.layers:
        raise BadInput(
            f"the reader in {start} has {len(trained.layers)} layers above block {trained.block}; "
            f"give --block {trained.block} --layers {len(trained.layers)}"
        )
    layers.load_state_dict(trained.state_dict(), strict=False)
    with torch.no_grad():
        for layer in layers.layers[len(trained.layers) :]:
            last = [part for part in layer.mlp.modules() if hasattr(part, "weight")][-1]
            for value in (*layer.output.parameters(), *last.parameters()):
                value.mul_(DAMPED)
    return layers

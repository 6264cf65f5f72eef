"""`train-reader`: teach the reading layers to answer from states of the frozen backbone.

The backbone runs once over every text; its states stay on disk (`--states`) and serve every later run. A run
goes on where it was killed, with the same losses. What it writes to `--out`: `reader.safetensors` and
`reader.json` (the mean of the weights over the last steps), `state.pt` (to go on), `log.csv`, `curve.png`.
"""

import argparse
import dataclasses
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from engine.backbone.backbone import Backbone
from engine.backbone.load import load_backbone
from engine.paths import Paths
from engine.sidenet.reading import ReadingLayers, load_reader, save_reader
from engine.training.answers import Exercise
from engine.training.averagedrun import PRECISIONS, AveragedRun, Descent, add_run_arguments, begin
from engine.training.checkpoint import keep_options
from engine.training.neighbours import Neighbours
from engine.training.readingloss import Reading, batch_loss, gold_passage_scores, reading_of, scores_of
from engine.training.states import StateStore
from ingest.errors import BadInput

LESSON = 1500  # passages whose states are computed before the questions on them are read
SORTED = 32  # batches among which questions are sorted by length
DAMPED = 0.25  # held-out F1 at the start: .673 with 0, .661 with .25, .605 with 1


@dataclass(frozen=True)
class ReadingSettings(Descent):
    """block, layers: which states are read, by how many layers. questions, passages: of one step, of one
    question (the first is its own). window: tokens of a passage that are read. rate: of copied weights; three
    times that of new ones.
    """

    block: int = 7
    layers: int = 8
    questions: int = 16
    passages: int = 1
    window: int = 256


def texts_of(lesson: Sequence[Exercise], passages: int) -> list[str]:
    """Return what is read of exercises: their passages, and those that do not tell, `passages` for each."""
    return [text for one in lesson for text in (one.passage, *one.beside[: passages - 1])]


def lessons(groups: Sequence[list[Exercise]], store: StateStore, passages: int) -> Iterator[list[Exercise]]:
    """Yield the exercises on some passages after the others, again and again, once their states are there."""
    while True:
        for first in range(0, len(groups), LESSON):
            lesson = [one for group in groups[first : first + LESSON] for one in group]
            store.add([one.question for one in lesson], texts_of(lesson, passages))
            yield lesson


def batches(
    groups: Sequence[list[Exercise]], store: StateStore, settings: ReadingSettings
) -> Iterator[list[Reading]]:
    """Yield the rows of one step after another; the same settings give the same rows."""
    near = Neighbours(group[0].passage for group in groups) if settings.passages > 1 else None
    for number, lesson in enumerate(lessons(groups, store, settings.passages)):
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


class ReadingRun(AveragedRun[ReadingLayers, list[Reading]]):
    """The reading layers in training. store: their states. held_out: exercises that are scored."""

    faster = ("role", "span", "null", "kind")

    def __init__(
        self, layers: ReadingLayers, descent: Descent, store: StateStore, held_out: Sequence[Exercise]
    ) -> None:
        super().__init__(layers, descent, store.precision)
        self.store, self.held_out = store, held_out

    def loss(self, batch: list[Reading]) -> Tensor:
        return batch_loss(scores_of(self.trained, self.store, batch), batch)

    def scores(self) -> tuple[float, float]:
        return gold_passage_scores(self.trained, self.store, self.held_out)

    def ship(self, folder: Path) -> None:
        save_reader(self.trained, self.store.backbone, folder)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    add_run_arguments(parser, ReadingSettings())
    parser.add_argument("--states", type=Path, required=True, metavar="DIR", help="keep frozen states here")
    parser.add_argument("--start", type=Path, metavar="DIR", help="begin with this reader's weights")
    parser.add_argument("--only-states", action="store_true", help="compute the states of all texts and end")
    parser.add_argument("--model", help="hub name, folder or GGUF file (default: the one that comes along)")


def run(arguments: argparse.Namespace) -> int:
    """Compute states, train, save; return the exit code 0."""
    settings, groups, held_out = begin(arguments, ReadingSettings)
    backbone = load_backbone(Paths.default(), arguments.model)
    store = StateStore(arguments.states, backbone, settings.block, PRECISIONS[arguments.precision])
    if arguments.only_states:
        for first in range(0, len(groups), LESSON):
            part = [one for group in groups[first : first + LESSON] for one in group]
            store.add([one.question for one in part], texts_of(part, settings.passages))
            print(f"{first + LESSON} of {len(groups)} passages", flush=True)
        return 0
    keep_options(arguments.out, dataclasses.asdict(settings))
    store.add([one.question for one in held_out], [one.passage for one in held_out])
    torch.manual_seed(settings.seed)
    layers = starting_layers(backbone, settings, arguments.start)
    training = ReadingRun(layers, settings, store, held_out)
    training.restore(arguments.out)
    training.train(batches(groups, store, settings), arguments.out, arguments.every)
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

"""A run of training that goes on where it was killed, and gives the mean of its last weights."""

import argparse
import itertools
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn

from engine import heap
from engine.arguments import add_settings, natural, positive, settings_of, thread_count
from engine.training.answers import Exercise, exercises, grouped
from engine.training.checkpoint import read_state, write_state
from engine.training.curves import StepLog, draw_scores
from engine.training.stories import story_exercises
from ingest.errors import BadInput

LOG_FILE = "log.csv"
PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}

Trained = TypeVar("Trained", bound=nn.Module)
Batch = TypeVar("Batch")


@dataclass(frozen=True)
class Descent:
    """rate: of learning. warmup: steps over which it rises. steady: share of the steps before it falls to 0.
    average: of weights, kept from step to step.
    """

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
class Report:
    """A line of the log: mean loss since the line before, held-out scores, seconds since the start."""

    step: int
    loss: float
    exact: float
    f1: float
    seconds: float


Settings = TypeVar("Settings", bound=Descent)


class AveragedRun(ABC, Generic[Trained, Batch]):
    """What is trained, step by step.

    faster: beginnings of the names of new parts, which learn at three times the rate.
    """

    faster: tuple[str, ...] = ()

    def __init__(self, trained: Trained, descent: Descent, precision: torch.dtype) -> None:
        self.trained, self.descent, self.precision = trained, descent, precision
        self.step = 0
        rates: dict[float, list[nn.Parameter]] = {descent.rate: [], 3 * descent.rate: []}
        for name, value in trained.named_parameters():
            if value.requires_grad:
                rates[descent.rate * (3 if name.startswith(self.faster) else 1)].append(value)
        groups = [{"params": some, "lr": rate} for rate, some in rates.items() if some]
        self.optimiser = torch.optim.AdamW(groups, weight_decay=descent.weight_decay, fused=True)
        self.rates = [rate for rate, some in rates.items() if some]
        self.average = {name: value.detach().clone() for name, value in trained.named_parameters()}

    @abstractmethod
    def loss(self, batch: Batch) -> Tensor:
        """Return the loss of a batch, a mean."""

    @abstractmethod
    def scores(self) -> tuple[float, float]:
        """Return exact match and F1 of what is held out."""

    @abstractmethod
    def ship(self, folder: Path) -> None:
        """Write what answering loads."""

    def train(self, batches: Iterable[Batch], folder: Path, every: int) -> None:
        """Train to the last step; every so many score and ship the mean of the weights, and log and save."""
        began = time.monotonic()
        log = StepLog(folder / LOG_FILE, Report, self.step)
        losses: list[float] = []
        for batch in itertools.islice(batches, self.step, self.descent.steps):
            losses.append(self.take(batch))
            if self.step % every and self.step < self.descent.steps:
                continue
            with self.averaged():
                with self.multiplying():
                    exact, f1 = self.scores()
                report = Report(self.step, sum(losses) / len(losses), exact, f1, time.monotonic() - began)
                log.add(report)
                print(
                    f"step {self.step}: loss {report.loss:.3f}, exact match {exact:.3f}, F1 {f1:.3f}",
                    flush=True,
                )
                self.ship(folder)
            losses = []
            self.save(folder)
        draw_scores(log.file, folder / "curve.png")

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Put the mean of the weights in the place of those that learn."""
        learned = {name: value.detach().clone() for name, value in self.trained.named_parameters()}
        self.trained.load_state_dict(self.average, strict=False)
        yield
        self.trained.load_state_dict(learned, strict=False)

    def multiplying(self) -> torch.autocast:
        """Return the context in which products are taken in the run's precision."""
        return torch.autocast("cpu", self.precision, enabled=self.precision != torch.float32)

    def take(self, batch: Batch) -> float:
        """Take one optimiser step; return its loss."""
        for group, rate in zip(self.optimiser.param_groups, self.rates, strict=True):
            group["lr"] = rate * self.descent.factor(self.step)
        with self.multiplying():
            loss = self.loss(batch)
        self.optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.trained.parameters(), 1.0)
        self.optimiser.step()
        self.step += 1
        keep = min(self.descent.average, self.step / (self.step + 10))
        with torch.no_grad():
            for name, value in self.trained.named_parameters():
                self.average[name].lerp_(value, 1 - keep)
        return loss.item()

    def save(self, folder: Path) -> None:
        """Keep all that the run needs to go on; an interrupted write leaves what was kept before."""
        state = {
            "step": self.step, "weights": self.trained.state_dict(),
            "optimiser": self.optimiser.state_dict(), "average": self.average,
        }  # fmt: skip
        write_state(folder, state)

    def restore(self, folder: Path) -> None:
        """Go on where `save` was called last."""
        if (state := read_state(folder)) is not None:
            self.step, self.average = state["step"], state["average"]
            self.trained.load_state_dict(state["weights"])
            self.optimiser.load_state_dict(state["optimiser"])


def add_run_arguments(parser: argparse.ArgumentParser, settings: Descent) -> None:
    """Add what every such run is told: the questions to learn from, its folder, its settings."""
    parser.add_argument(
        "--answers", type=Path, action="append", default=[], metavar="FILE",
        help="rows of passage and question",
    )  # fmt: skip
    parser.add_argument(
        "--stories", nargs=2, type=Path, action="append", default=[], metavar=("DOCUMENTS", "QUESTIONS"),
        help="documents in sections, and questions that name them",
    )  # fmt: skip
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="the run's folder")
    parser.add_argument("--every", type=positive, default=100, metavar="N", help="steps between checkpoints")
    parser.add_argument(
        "--held-out", type=natural, default=300, metavar="N", help="questions that are scored"
    )
    parser.add_argument("--precision", choices=PRECISIONS, default="float32", help="of products")
    parser.add_argument("--threads", type=thread_count, metavar="N", help="processor threads")
    add_settings(parser, settings)


def begin(
    arguments: argparse.Namespace, kind: type[Settings], more: Iterable[Exercise] = ()
) -> tuple[Settings, list[list[Exercise]], list[Exercise]]:
    """Return the settings of a run, the exercises to learn from by passage, and those that are scored.

    more: exercises that this kind of run learns from beside the others.

    Raises
    ------
    BadInput
        There are none to learn from.
    """
    settings = settings_of(arguments, kind)
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    heap.keep()
    rows = [one for file in arguments.answers for one in exercises(file)]
    rows += [one for pair in arguments.stories for one in story_exercises(*pair)]
    rows += more
    everything = grouped(rows, settings.seed)
    groups = [group for group in everything if not group[0].held_out]
    if not groups:
        raise BadInput("there are no questions to learn from; name files with --answers or --stories")
    kept = [one for group in everything if group[0].held_out for one in group if one.spans]
    return settings, groups, kept[: arguments.held_out]

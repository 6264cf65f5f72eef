"""Mixture of the vote and the label likelihoods: log p = v·vote + l·likelihood.

Both weights come from examples of the library itself that were left out of window and memory for the purpose.
"""

import contextlib
import json
from collections.abc import Callable
from dataclasses import astuple, dataclass
from pathlib import Path

import numpy as np

from engine.demonstrations.vote import log_loss, log_softmax
from engine.whole import write_whole

VOTE_WEIGHTS = (0.0, 0.5, 1.0, 1.5)
LIKELIHOOD_WEIGHTS = (0.0, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0)
HELD_OUT = 64
LEAST_HELD_OUT = 16
KEPT = 8  # mixtures of one library


@dataclass(frozen=True)
class Mixture:
    """Weights of the two."""

    vote: float
    likelihood: float

    def scores(self, vote: np.ndarray, likelihood: np.ndarray) -> np.ndarray:
        """Mix vote and likelihood into log p (texts, labels)."""
        return log_softmax(self.vote * vote + self.likelihood * likelihood)


VOTE_ALONE = Mixture(1.0, 0.0)
LIKELIHOOD_ALONE = Mixture(0.0, 1.0)
UNFITTED = Mixture(1.0, 0.5)


def fit_mixture(vote: np.ndarray, likelihood: np.ndarray, labels: np.ndarray) -> Mixture:
    """Fit the weights with the least log loss on held-out examples (n, labels); few keep the default."""
    if len(labels) < LEAST_HELD_OUT:
        return UNFITTED
    pairs = [Mixture(v, w) for v in VOTE_WEIGHTS for w in LIKELIHOOD_WEIGHTS if v or w]
    return min(pairs, key=lambda one: log_loss(one.scores(vote, likelihood), labels))


def kept_mixture(file: Path, key: str, fit: Callable[[], Mixture]) -> Mixture:
    """Return the mixture that `file` keeps under `key`; else fit it, which reads some examples, and keep it.

    A file that cannot be read is written anew; where none can be written, the next program fits again.
    """
    kept: dict[str, list[float]] = {}
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
        kept = dict(json.loads(file.read_text()))
        return Mixture(*map(float, kept[key]))
    made = fit()
    newest = [*kept.items(), (key, list(astuple(made)))][-KEPT:]
    with contextlib.suppress(OSError):
        write_whole(file, json.dumps(dict(newest)))
    return made

"""How good a library is on its held-out part: accuracy with an interval, and what is mistaken for what."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Event

from engine.demonstrations.classifier import Classifier
from engine.demonstrations.store import Example
from ingest.errors import BadInput

BATCH = 16
SHOWN = 50


@dataclass(frozen=True)
class HeldOut:
    """confusion[true][predicted]: counts, in the order of `labels`. interval: 95 %, Wilson's. majority: the
    accuracy of always saying the commonest label. wrong: (text, true, predicted), the first fifty."""

    examples: int
    right: int
    labels: tuple[str, ...]
    confusion: tuple[tuple[int, ...], ...]
    majority: float
    wrong: tuple[tuple[str, str, str], ...]

    @property
    def accuracy(self) -> float:
        return self.right / self.examples

    @property
    def interval(self) -> tuple[float, float]:
        return wilson(self.right, self.examples)


def wilson(right: int, count: int, z: float = 1.96) -> tuple[float, float]:
    """Return the interval of a share: wilson(8, 10) = (0.49, 0.94)."""
    share, square = right / count, z * z
    middle = (share + square / (2 * count)) / (1 + square / count)
    half = z * math.sqrt(share * (1 - share) / count + square / (4 * count * count)) / (1 + square / count)
    return max(0.0, middle - half), min(1.0, middle + half)


def evaluate(
    classifier: Classifier,
    held: Sequence[Example],
    stop: Event | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> HeldOut:
    """Classify held-out examples, none of which is in window or memory; `stop` ends early with what is done.

    Raises BadInput when there is none.
    """
    if not held:
        raise BadInput("there are too few examples to hold some out for testing: add more of each label")
    labels = classifier.task.labels
    place = {label: at for at, label in enumerate(labels)}
    confusion = [[0] * len(labels) for _ in labels]
    wrong = []
    for lo in range(0, len(held), BATCH):
        if lo and stop is not None and stop.is_set():
            break
        batch = held[lo : lo + BATCH]
        for example, found in zip(batch, classifier.classify([one.text for one in batch]), strict=True):
            confusion[place[example.label]][place[found.label]] += 1
            if found.label != example.label:
                wrong.append((example.text, example.label, found.label))
        progress(min(lo + BATCH, len(held)), len(held))
    count = sum(map(sum, confusion))
    right = sum(confusion[at][at] for at in range(len(labels)))
    return HeldOut(
        count,
        right,
        labels,
        tuple(map(tuple, confusion)),
        max(map(sum, confusion)) / count,
        tuple(wrong[:SHOWN]),
    )

"""How much of what was asked and answered stands in a piece of text: rare words count more than common ones.

The weight of a stem is log((N + 1) / (n + ½)), n of N candidate passages holding it. A stem that none holds
weighs like one that a single passage holds: "sell" is not missing from a book that says "sold".
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from engine.shelf.terms import question_terms, stems
from engine.shelf.words import words


def stems_of(text: str) -> frozenset[str]:
    """Stems of all words of a text."""
    return frozenset(stems(tuple(word.word for word in words(text))))


def content_stems(text: str) -> frozenset[str]:
    """Stems of the content words of a question or an answer."""
    return frozenset(term.text for term in question_terms(text))


@dataclass(frozen=True)
class Weights:
    """Rarity of stems among candidate passages."""

    counts: dict[str, int]
    passages: int

    @classmethod
    def among(cls, terms: Iterable[str], candidates: Sequence[frozenset[str]]) -> "Weights":
        """In how many of the candidates (stems of a passage each) every term stands."""
        return cls({term: sum(term in held for held in candidates) for term in terms}, len(candidates))

    def of(self, term: str) -> float:
        """The rarer among the candidates, the heavier: ln((n + 1) / (count + ½)) + 0.1."""
        return math.log((self.passages + 1) / (max(1, self.counts.get(term, 0)) + 0.5)) + 0.1

    def coverage(self, wanted: Iterable[str], held: frozenset[str]) -> float:
        """Share of the weight of `wanted` that `held` holds, 0 to 1; 0 when nothing is wanted."""
        wanted = list(wanted)
        total = sum(self.of(term) for term in wanted)
        return sum(self.of(term) for term in wanted if term in held) / total if total > 0 else 0.0


# the search map (its fingerprint) whose scores `told` and `sure` were fitted with; any other is left out
CALIBRATED = "f974681fa2ec8683"
LEAST_TOLD = 0.4
LEAST_SURE = 0.5


@dataclass(frozen=True)
class Likeness:
    """Scores of passages by the search map: the best, how far it stands above the mean of the next five.

    agreed: full-text search puts the same passage first.
    """

    best: float
    margin: float
    agreed: bool

    @classmethod
    def of(cls, remembered: Sequence[float], agreed: bool) -> "Likeness | None":
        """From scores, best first; None where there are none."""
        if not remembered:
            return None
        following = remembered[1:6] or remembered[:1]
        return cls(remembered[0], remembered[0] - sum(following) / len(following), agreed)


# Both formulas were fitted on 150 questions about every second story of FairytaleQA's validation part, each
# asked of its story and of all stories, for `told` also of another story and of its own up to the answer.


def told(first: float, together: float, likeness: Likeness | None) -> float:
    """How probable it is (0 to 1) that a document answers the question for which passages were chosen.

    first, together: coverage of the question by the best passage and by all chosen. Without the map 0.4 is
    where all together cover a quarter.
    """
    return logistic(4.9 * together - 1.6 if likeness is None else 3.6 * first + 21 * likeness.best - 8.5)


def sure(first: float, likeness: Likeness | None) -> float:
    """How probable it is (0 to 1) that the best passage is the one that answers.

    Without the map 0.5 is where it covers half of the question.
    """
    if likeness is None:
        return logistic(4 * first - 2)
    return logistic(1.9 * first + 15.4 * likeness.margin + 1.1 * likeness.agreed - 2.8)


def logistic(evidence: float) -> float:
    """Evidence in nats as a probability."""
    return 1 / (1 + math.exp(-evidence))

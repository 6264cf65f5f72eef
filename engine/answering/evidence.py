"""How much of what was asked and answered stands in a piece of text: rare words count more than common ones.

The weight of a stem is log((N + 1) / (n + ½)), n of N candidate passages holding it. A stem that none holds
weighs like one that a single passage holds: "sell" is not missing from a book that says "sold".

What a model without reading layers is cited by; with them, the reading itself says what was read where.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from engine.shelf.terms import question_terms, stems
from engine.shelf.words import words

LEAST_TOLD = 0.6  # of the question's weight that all passages found hold together


def stems_of(text: str) -> frozenset[str]:
    """Return the stems of all words of a text."""
    return frozenset(stems(tuple(word.word for word in words(text))))


def content_stems(text: str) -> frozenset[str]:
    """Return the stems of the content words of a question or an answer."""
    return frozenset(term.text for term in question_terms(text))


@dataclass(frozen=True)
class Weights:
    """Rarity of stems among candidate passages."""

    counts: dict[str, int]
    passages: int

    @classmethod
    def among(cls, terms: Iterable[str], candidates: Sequence[frozenset[str]]) -> "Weights":
        """Count in how many of the candidates (stems of a passage each) every term stands."""
        return cls({term: sum(term in held for held in candidates) for term in terms}, len(candidates))

    def of(self, term: str) -> float:
        """Weigh a term, the rarer among the candidates the heavier: ln((n + 1) / (count + ½)) + 0.1."""
        return math.log((self.passages + 1) / (max(1, self.counts.get(term, 0)) + 0.5)) + 0.1

    def coverage(self, wanted: Iterable[str], held: frozenset[str]) -> float:
        """Return the share of the weight of `wanted` that `held` holds, 0 to 1; 0 when nothing is wanted."""
        wanted = list(wanted)
        total = sum(self.of(term) for term in wanted)
        return sum(self.of(term) for term in wanted if term in held) / total if total > 0 else 0.0

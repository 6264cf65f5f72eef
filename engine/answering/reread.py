"""Choosing the passages that the local window holds again beside the memory.

One function, `choose_passages`. Until retrieval is trained the ranking is that of full-text search (BM25);
a trained memory ranking joins it by reciprocal rank fusion.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from engine.answering.evidence import Weights, content_stems, stems_of
from engine.shelf.fulltext import FullText, Hit

CANDIDATES = 40
FUSION_CONSTANT = 10.0
Ranges = Mapping[str, tuple[int, int | None]]


@dataclass(frozen=True)
class Chosen:
    """Passages for one question, best first; coverage: how much of the question they hold (0 to 1)."""

    passages: tuple[Hit, ...]
    question: frozenset[str]
    weights: Weights
    coverage: float


def choose_passages(
    question: str, fulltext: FullText, ranges: Ranges, votes: Sequence[Hit] = (), count: int = 3
) -> Chosen:
    """The `count` best passages of the documents in `ranges` (id -> characters that may be read).

    votes: passages ranked by the memory, best first.
    """
    asked = content_stems(question)
    ranked = fulltext.rank(question, ranges, limit=CANDIDATES) if asked else []
    held = [stems_of(hit.text) for hit in ranked]
    weights = Weights.among(asked, held)
    best = fused(ranked, votes)[:count]
    together = frozenset().union(*(stems_of(hit.text) for hit in best))
    return Chosen(tuple(best), asked, weights, weights.coverage(asked, together))


def fused(*rankings: Sequence[Hit]) -> list[Hit]:
    """Reciprocal rank fusion: a passage scores Σ 1 / (10 + its rank) over the rankings that hold it."""
    scores: dict[tuple[str, int], float] = {}
    hits: dict[tuple[str, int], Hit] = {}
    for ranking in rankings:
        for rank, hit in enumerate(ranking):
            key = (hit.document, hit.index)
            scores[key] = scores.get(key, 0.0) + 1.0 / (FUSION_CONSTANT + rank)
            hits.setdefault(key, hit)
    return [hits[key] for key in sorted(scores, key=lambda key: (-scores[key], key))]

"""Choosing the passages that the local window holds again beside the memory.

One function, `choose_passages`: full-text search (BM25) and the memory's trained search map each rank the
passages, and reciprocal rank fusion joins them. Without a trained map full-text search ranks alone.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from engine.answering.evidence import Weights, content_stems, stems_of
from engine.library import Library
from engine.retrieval.votes import bank_scores, question_states
from engine.shelf.fulltext import Hit

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


def choose_passages(question: str, library: Library, ranges: Ranges, count: int = 3) -> Chosen:
    """The `count` best passages of the documents in `ranges` (id -> characters that may be read)."""
    asked = content_stems(question)
    ranked = library.shelf.fulltext.rank(question, ranges, limit=CANDIDATES) if asked else []
    held = [stems_of(hit.text) for hit in ranked]
    weights = Weights.among(asked, held)
    best = fused(ranked, memory_ranking(question, library, ranges) if asked else [])[:count]
    together = frozenset().union(*(stems_of(hit.text) for hit in best))
    return Chosen(tuple(best), asked, weights, weights.coverage(asked, together))


def memory_ranking(question: str, library: Library, ranges: Ranges, limit: int = CANDIDATES) -> list[Hit]:
    """Passages ranked by the trained search map, best first; none where the checkpoint has no map."""
    search, block = library.sidenet.search, library.sidenet.config.search_block
    if search is None:
        return []
    states = question_states(library.backbone, question, block)
    hits: list[Hit] = []
    for document, (start, end) in ranges.items():
        every = library.passages(document)
        first = bisect_left(every, start, key=lambda one: one.start)
        last = len(every) if end is None else bisect_right(every, end, key=lambda one: one.end)
        inside = every[first:last]
        if not inside:
            continue
        scores = bank_scores(search, states, library.bank(document), inside)
        text = library.document(document).text
        for number in scores.argsort()[::-1][:limit].tolist():
            if scores[number] == -np.inf:
                break
            one = inside[number]
            words = text[one.start : one.end]
            hits.append(Hit(document, one.index, one.start, one.end, float(scores[number]), words, ()))
    return sorted(hits, key=lambda hit: -hit.score)[:limit]


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

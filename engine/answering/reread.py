"""Choosing the passages that the local window holds again beside the memory.

One function, `choose_passages`: full-text search (BM25) and the memory's trained search map each rank the
passages, and reciprocal rank fusion joins them. Without a trained map full-text search ranks alone.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from engine.answering.evidence import CALIBRATED, Likeness, Weights, content_stems, stems_of, sure, told
from engine.library import Library
from engine.retrieval.votes import bank_scores, question_states
from engine.shelf.fulltext import Hit

CANDIDATES = 40
FUSION_CONSTANT = 10.0
Ranges = Mapping[str, tuple[int, int | None]]


@dataclass(frozen=True)
class Chosen:
    """Passages for one question, best first.

    told, sure: how probable it is (0 to 1) that the document answers it, and that the first passage does.
    """

    passages: tuple[Hit, ...]
    question: frozenset[str]
    weights: Weights
    told: float
    sure: float


def choose_passages(question: str, library: Library, ranges: Ranges, count: int = 3) -> Chosen:
    """The `count` best passages of the documents in `ranges` (id -> characters that may be read)."""
    asked = content_stems(question)
    if not asked:
        return Chosen((), asked, Weights({}, 0), 0.0, 0.0)
    ranked = library.shelf.fulltext.rank(question, ranges, limit=CANDIDATES)
    remembered = memory_ranking(question, library, ranges)
    likeness = None
    if remembered and library.sidenet.search.fingerprint() == CALIBRATED:
        first = remembered[0].document, remembered[0].index
        agreed = bool(ranked) and (ranked[0].document, ranked[0].index) == first
        likeness = Likeness.of([hit.score for hit in remembered], agreed)
    return chosen_from(question, ranked, fused(ranked, remembered), count, likeness)


def chosen_from(
    question: str,
    ranked: Sequence[Hit],
    best: Sequence[Hit],
    count: int = 3,
    likeness: Likeness | None = None,
) -> Chosen:
    """The first `count` of `best`. ranked: what the rarity of words is counted over, by full-text search.

    likeness: scores of the search map, if it is the one that `told` and `sure` were fitted with.
    """
    asked = content_stems(question)
    weights = Weights.among(asked, [stems_of(hit.text) for hit in ranked])
    kept = tuple(best[:count])
    held = [stems_of(hit.text) for hit in kept]
    coverage = weights.coverage(asked, held[0] if held else frozenset())
    together = weights.coverage(asked, frozenset().union(*held))
    return Chosen(kept, asked, weights, told(coverage, together, likeness), sure(coverage, likeness))


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

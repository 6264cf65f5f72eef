"""Finding the passages that a question is answered from.

Full-text search (BM25) and the memory's trained search map each rank the passages, and reciprocal rank fusion
joins them. Without a trained map, or while a bank is being made, full-text search ranks alone. Of more books
those come first that hold the question's words as wholes (a name stands in few books, and often in its own),
and those of which memory finds most.
"""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from engine.answering.evidence import Weights, content_stems, stems_of
from engine.library import Library
from engine.retrieval.votes import ballot, bank_scores, question_states
from engine.shelf.fulltext import Hit
from ingest.document import Document

CANDIDATES = 40
FUSION_CONSTANT = 10.0
# of the book whose words fit best, and of that where memory finds most; the first place in a ranking is 0.1.
# Of 334 questions about 30 novels the right book comes first for 296 (for 263 where no book weighs anything);
# chosen on them, from 0.3 to 0.6 and 0.15 to 0.3 for 292 to 297
BOOK_WORDS, BOOK_MEMORY = 0.4, 0.2
REREAD = 6  # passages that the local window holds again for a model that answers in its own words, at most
Ranges = Mapping[str, tuple[int, int | None]]


@dataclass(frozen=True)
class Chosen:
    """Passages for one question, best first, and how much of it they hold.

    question: its stems. told: share of their weight, 0 to 1, that all passages hold together.
    """

    passages: tuple[Hit, ...]
    question: frozenset[str]
    weights: Weights
    told: float


def find_passages(question: str, library: Library, ranges: Ranges) -> list[Hit]:
    """Rank the passages of the documents in `ranges` (id -> characters that may be read), best first.

    Title pages, imprints and indexes come last: they name people whom the book does not tell of.
    """
    if not content_stems(question):
        return []
    ranked, books = library.shelf.fulltext.rank_both(question, ranges, limit=CANDIDATES)
    remembered = memory_ranking(question, library, ranges)
    found = fused(ranked, remembered, books=book_weights(books, remembered))
    return sorted(found, key=lambda hit: is_matter(library.document(hit.document), hit))


def is_matter(document: Document, hit: Hit) -> bool:
    """Tell whether a passage stands on a title page, in an imprint, an index or the like, not in the text."""
    number = document.place(hit.start).chapter
    return number is not None and document.chapters[number].kind != "body"


def chosen(question: str, ranked: Sequence[Hit]) -> Chosen:
    """Weigh the first of the passages found against the question."""
    asked = content_stems(question)
    weights = Weights.among(asked, [stems_of(hit.text) for hit in ranked])
    kept = tuple(ranked[:REREAD])
    held = frozenset().union(*(stems_of(hit.text) for hit in kept))
    return Chosen(kept, asked, weights, weights.coverage(asked, held))


def memory_ranking(question: str, library: Library, ranges: Ranges) -> list[Hit]:
    """Rank passages by the trained search map, best first; none where there is no map, or no bank yet."""
    search, block = library.model.sidenet.search, library.model.sidenet.config.search_block
    if search is None or block is None:
        return []
    asked = ballot(search, question_states(library.model.backbone, question, block))
    hits: list[Hit] = []
    for document, (start, end) in ranges.items():
        source = library.ready_bank(document)
        every = library.passages(document)
        first = bisect_left(every, start, key=lambda one: one.start)
        last = len(every) if end is None else bisect_right(every, end, key=lambda one: one.end)
        inside = every[first:last]
        if not inside or source is None:
            continue
        scores = bank_scores(asked, source, inside)
        text = library.document(document).text
        for number in scores.argsort()[::-1][:CANDIDATES].tolist():
            if scores[number] == -np.inf:
                break
            one = inside[number]
            words = text[one.start : one.end]
            hits.append(Hit(document, one.index, one.start, one.end, float(scores[number]), words, ()))
    return sorted(hits, key=lambda hit: -hit.score)[:CANDIDATES]


def book_weights(by_words: Mapping[str, float], remembered: Sequence[Hit]) -> dict[str, float]:
    """Weigh books: the best by its words has `BOOK_WORDS`, the best by memory `BOOK_MEMORY`; others a share.

    by_words: scores of whole books. remembered: memory's ranking of passages.
    """
    by_memory: dict[str, float] = defaultdict(float)
    for rank, hit in enumerate(remembered):
        by_memory[hit.document] += 1.0 / (FUSION_CONSTANT + rank)
    weights: dict[str, float] = defaultdict(float)
    for scores, most in ((by_words, BOOK_WORDS), (by_memory, BOOK_MEMORY)):
        best = max(scores.values(), default=0.0) or 1.0
        for book, score in scores.items():
            weights[book] += most * score / best
    return weights


def fused(*rankings: Sequence[Hit], books: Mapping[str, float] | None = None) -> list[Hit]:
    """Join rankings: a passage scores Σ 1 / (10 + its rank) over those that hold it, and its book weighs."""
    books = books or {}
    scores: dict[tuple[str, int], float] = {}
    hits: dict[tuple[str, int], Hit] = {}
    for ranking in rankings:
        for rank, hit in enumerate(ranking):
            key = (hit.document, hit.index)
            scores[key] = scores.get(key, books.get(hit.document, 0.0)) + 1.0 / (FUSION_CONSTANT + rank)
            hits.setdefault(key, hit)
    return [hits[key] for key in sorted(scores, key=lambda key: (-scores[key], key))]

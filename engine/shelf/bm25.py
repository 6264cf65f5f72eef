"""BM25 (Robertson and Zaragoza 2009): what a term weighs in a passage, or in a book taken as one passage."""

import math
from collections.abc import Iterable, Mapping
from typing import TypeVar

K1, B = 1.2, 0.75
Book = TypeVar("Book", str, int)


def bm25(frequency: int, length: int, mean_length: float, rows: int, rows_with: int) -> float:
    """Weigh one term in one passage.

    idf · f (k1 + 1) / (f + k1 (1 - b + b · length / mean length)), idf = ln(1 + (N - n + ½) / (n + ½)), which
    stays positive for words in more than half of all passages. 2 of 100 passages, once, mean length: 3.70.
    """
    idf = math.log(1 + (rows - rows_with + 0.5) / (rows_with + 0.5))
    return idf * frequency * (K1 + 1) / (frequency + K1 * (1 - B + B * length / mean_length))


def score_books(counts: Iterable[Mapping[Book, int]], lengths: Mapping[Book, int]) -> dict[Book, float]:
    """Score books by BM25 as if each were one passage; those without any of the stems are left out.

    counts: of each stem, how often it stands in which book. lengths: words of every book.
    """
    mean = sum(lengths.values()) / max(1, len(lengths)) or 1.0
    scores: dict[Book, float] = {}
    for held in counts:
        for book, count in held.items():
            score = bm25(count, lengths[book], mean, len(lengths), len(held))
            scores[book] = scores.get(book, 0.0) + score
    return scores

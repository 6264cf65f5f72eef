"""Confidence intervals by resampling books: pages of one book are not independent, books are."""

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

DRAWS = 2000


@dataclass(frozen=True)
class Total:
    """Summed loss in nats over `tokens` scored tokens of one book."""

    loss: float
    tokens: int


def mean_loss(books: Sequence[Total]) -> float:
    """Return the nats per token over all books: mean_loss([Total(2, 1), Total(10, 3)]) = 3.0."""
    return sum(book.loss for book in books) / sum(book.tokens for book in books)


def interval(
    books: Sequence[Total],
    against: Sequence[Total] | None = None,
    scale: Callable[[float], float] = float,
) -> tuple[float, float]:
    """Return the 95 % bootstrap interval of the mean loss, or of its difference to `against` (paired).

    against: the same books. scale: what is taken of a mean loss, such as math.exp for perplexity.
    One book gives no interval: both ends are NaN.
    """
    if len(books) < 2:
        return math.nan, math.nan
    choose, values = random.Random(0), []
    for _ in range(DRAWS):
        picked = [choose.randrange(len(books)) for _ in books]
        value = scale(mean_loss([books[i] for i in picked]))
        if against is not None:
            value -= scale(mean_loss([against[i] for i in picked]))
        values.append(value)
    values.sort()
    cut = int(0.025 * DRAWS)
    return values[cut], values[-cut - 1]

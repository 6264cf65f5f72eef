"""Exact match and F1 of words as SQuAD scores answers, the best of several accepted ones."""

import re
import string
from collections.abc import Sequence

from engine.training.answers import overlap

PUNCTUATION = str.maketrans("", "", string.punctuation + "‘’“”—–…")


def normal(text: str) -> str:
    """Normalise as SQuAD does: lower case, no punctuation (nor typographic), no articles, single blanks."""
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", text.lower().translate(PUNCTUATION)).split())


def exact(answer: str, accepted: Sequence[str]) -> float:
    """Return 1 where the answer is one of those accepted, else 0."""
    return float(normal(answer) in {normal(one) for one in accepted})


def f1(answer: str, accepted: Sequence[str]) -> float:
    """Compute the harmonic mean of the words' precision and recall, against the nearest accepted answer.

    f1("the red fox", ["a fox"]) = 2/3.
    """
    return max((overlap(normal(answer).split(), normal(one).split()) for one in accepted), default=0.0)

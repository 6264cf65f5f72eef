"""Questions in long documents: texts with known passages joined, then padded with books.

One haystack serves every length: shorter documents are ranges of it, as when a reader asks within a chapter
or up to where he has read. Passages are those of the product; a passage is right when it shares half
of itself with a section that the question names (or holds half of a short section).
"""

import random
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from engine.training.questions import Reading, apart, flowing, joined
from ingest.document import Chapter, Document
from ingest.passages import passages


@dataclass(frozen=True)
class Needle:
    """A question, its right passages (indices into the haystack's), its reading, and accepted answers."""

    question: str
    gold: tuple[int, ...]
    kind: str
    reading: int
    answers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Haystack:
    """A long document, every reading a chapter; spans (passages, 2) characters of its passages.

    borders: where its readings start, then where the last one ends.
    """

    name: str
    document: Document = field(repr=False)
    spans: np.ndarray = field(repr=False)
    needles: tuple[Needle, ...] = field(repr=False)
    borders: tuple[int, ...]

    @property
    def text(self) -> str:
        return self.document.text

    def of(self, questions: int, seed: int = 0) -> "Haystack":
        """Draw so many of its questions by the seed, left in order; 0 leaves all."""
        if not 0 < questions < len(self.needles):
            return self
        return self.only(sorted(random.Random(seed).sample(range(len(self.needles)), questions)))

    def only(self, numbers: Iterable[int]) -> "Haystack":
        """Return the same with these of its questions."""
        return replace(self, needles=tuple(self.needles[number] for number in numbers))


@dataclass(frozen=True)
class Range:
    """Characters [start, end) that make a document of about so many tokens, and the needles asked in it."""

    start: int
    end: int
    needles: tuple[int, ...]


def haystack(name: str, readings: Sequence[Reading], padding: Iterable[str], characters: int) -> Haystack:
    """Join readings and pad with books to `characters`; books that share text with a reading are left out."""
    whole = joined(readings)
    text, borders = whole.text, _borders(readings)
    starts = list(borders[:-1])
    for book in padding:
        if len(text) >= characters:
            break
        book = flowing(book)
        if apart([Reading("book", book, (), ())], readings):
            starts.append(len(text) + 2)
            text += "\n\n" + book
    # every reading and book is a chapter, so that no passage runs from one into the next
    chapters = [
        Chapter(f"{number}", start, end, 1)
        for number, (start, end) in enumerate(zip(starts, [*starts[1:], len(text)], strict=True))
    ]
    document = Document(name, "", "en", "text", text, chapters)
    found = passages(document)
    spans = np.array([(one.start, one.end) for one in found]).reshape(-1, 2)
    needles = []
    for question in whole.questions:
        gold = []
        for section in question.gold:
            gold += overlapping(spans, *whole.spans[section])
        reading = bisect_right(borders, whole.spans[question.gold[0]][0]) - 1
        needles.append(Needle(question.text, tuple(gold), question.kind, reading, question.answers))
    kept = tuple(needle for needle in needles if needle.gold)
    return Haystack(name, document, spans, kept, borders)


def overlapping(spans: np.ndarray, start: int, end: int) -> list[int]:
    """Find the passages that share with [start, end) at least half of the shorter of the two."""
    shared = np.minimum(spans[:, 1], end) - np.maximum(spans[:, 0], start)
    shorter = np.minimum(spans[:, 1] - spans[:, 0], end - start)
    return np.flatnonzero(2 * shared >= shorter).tolist()


def _borders(readings: Sequence[Reading]) -> tuple[int, ...]:
    borders, at = [], 0
    for reading in readings:
        borders.append(at)
        at += len(reading.text) + 2
    return (*borders, at - 2)


def ranges(hay: Haystack, token_ends: np.ndarray, tokens: int) -> list[Range]:
    """Choose documents of about `tokens` tokens: groups of readings, or all of them with padding.

    token_ends: (tokens,) where each token of the haystack ends, in characters.
    """
    starts = np.searchsorted(token_ends, np.array(hay.borders), side="right")
    if tokens >= starts[-1] - starts[0]:
        end = len(hay.text) if tokens >= len(token_ends) else int(token_ends[tokens - 1])
        return [Range(0, end, tuple(range(len(hay.needles))))]
    made, first = [], 0
    readings = len(hay.borders) - 1
    while first < readings:
        last = first + 1
        while last < readings and starts[last + 1] - starts[first] <= tokens:
            last += 1
        inside = tuple(i for i, needle in enumerate(hay.needles) if first <= needle.reading < last)
        made.append(Range(hay.borders[first], hay.borders[last], inside))
        first = last
    return made

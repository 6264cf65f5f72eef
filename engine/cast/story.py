"""The story so far: of each chapter that was read, the few sentences that carry it, in the book's own words.

A sentence counts by how much of the chapter's own words it holds: those frequent here and rare in the rest of
the book, and the people who appear. Speech counts half. One that says what is said already is passed over.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from engine.cast.person import Cast
from engine.cast.terms import LONGEST
from ingest.document import Document
from ingest.passages import each_sentence

MOST = 4  # sentences of a chapter
MOST_CHAPTERS, MOST_LETTERS = 1_500, 8_000_000
_LEAST_LETTERS = 1_200  # a chapter with fewer is carried by one sentence
_SHORTEST, _LONGEST = 8, 45  # words of a sentence
_WORD = re.compile(r"[^\W\d_]{3,}")
_ALIKE = 0.4  # words that two sentences share before one is passed over


@dataclass(frozen=True)
class Told:
    """What is told of one chapter: its index (None where there are none), and spans of sentences."""

    chapter: int | None
    sentences: tuple[tuple[int, int], ...]


def story_so_far(document: Document, cast: Cast, until: int) -> list[Told]:
    """Tell the chapters up to a character, in their own sentences; nothing behind it is looked at.

    Of a library in one file, the last volumes read.
    """
    least = until - MOST_LETTERS
    parts = [(chapter, start, min(end, until)) for chapter, start, end in _parts(document)
             if least <= start < until][-MOST_CHAPTERS:]  # fmt: skip
    words = [_frequencies(document.text[start:end]) for _, start, end in parts]
    spread = Counter(word for one in words for word in one)
    names = {
        word.lower() for figure in cast.known(until) for name in figure.names for word in _WORD.findall(name)
    }
    told = []
    for (chapter, start, end), counts in zip(parts, words, strict=True):
        weights = {
            word: (1 + math.log(count)) * (math.log((1 + len(parts)) / spread[word]) + 0.3 + (word in names))
            for word, count in counts.items()
            if count > 1
        }
        most = MOST if end - start >= _LEAST_LETTERS else 1
        if chosen := _chosen(document, start, end, weights, most):
            told.append(Told(chapter, chosen))
    return told


def _parts(document: Document) -> Iterable[tuple[int | None, int, int]]:
    """Yield (chapter, start, end) of the text that stands directly in each chapter, below its heading."""
    chapters = document.chapters
    if not chapters:
        yield None, 0, len(document.text)
    for index, chapter in enumerate(chapters):
        end = chapters[index + 1].start if index + 1 < len(chapters) else len(document.text)
        start = document.heading_end(chapter)
        if chapter.kind == "body" and start < end:
            yield index, start, end


def _frequencies(text: str) -> Counter[str]:
    return Counter(word.lower() for word in _WORD.findall(text))


def _chosen(
    document: Document, start: int, end: int, weights: dict[str, float], most: int
) -> tuple[tuple[int, int], ...]:
    """Choose the sentences with most weight, each unlike those before it, in the order of the book."""
    text = document.text
    scored = []
    opened = closed = start - 1
    looked = start
    for first, last in each_sentence(text, start, end):
        opened = max(opened, text.rfind("“", looked, first + 1))
        closed = max(closed, text.rfind("”", looked, first))
        looked = first
        words = [] if last - first > LONGEST else _WORD.findall(text[first:last])
        if not _SHORTEST <= len(words) <= _LONGEST or text[last - 1] not in '.!?…”’"':
            continue
        known = {word.lower() for word in words}
        weight = sum(weights.get(word, 0.0) for word in known) / (len(known) + 6)
        scored.append((weight * (0.5 if opened > closed else 1.0), first, last, known))
    scored.sort(key=lambda one: -one[0])
    chosen: list[tuple[int, int]] = []
    taken: list[set[str]] = []
    for _, first, last, known in scored:
        if all(len(known & other) < _ALIKE * min(len(known), len(other)) for other in taken):
            chosen.append((first, last))
            taken.append(known)
        if len(chosen) == most:
            break
    return tuple(sorted(chosen))

"""Questions as readers put them about whole books, beside the passages that full text finds for them.

Some tell where in the book their answer stands. Of the others it is not known which of the passages that hold
an accepted word answers: the run takes the one that it finds likeliest. The passages without one show what
looks like an answer and is none.
"""

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from engine.answering.windows import widened
from engine.cast.names import find_names
from engine.training.answers import Exercise
from engine.training.neighbours import FoundPassages
from engine.training.questions import read_rows
from ingest.document import Document
from ingest.errors import BadInput
from ingest.passages import passages

FOUND, FIRST = 40, 20  # passages that are looked at; of the first, those without a word come beside
HOLDING, BESIDE = 5, 8
EVERYWHERE = 24  # passages of `FOUND`: a word in more of them tells nothing
LONGEST_NAME = 4  # words

Span = tuple[int, int]


def reader_exercises(questions: Path, books: Path, parse: Callable[[Path], Document]) -> Iterator[Exercise]:
    """Yield an exercise for every question whose accepted words stand in a few of the passages found.

    questions: JSON lines of book, question, accept; `before` and `after`, where they are given, are the words
    of the book around the first accepted words, at the place that answers. books: the folder of the files
    that they name.

    Raises
    ------
    BadInput
        A file that is named is not there.
    """
    asked: dict[str, list[dict]] = {}
    for row in read_rows(questions):
        if row.get("answerable", True):
            asked.setdefault(row["book"], []).append(row)
    for book, rows in asked.items():
        if not (books / book).is_file():
            raise BadInput(
                f"there is no {book} in {books}; name the folder of the books that are asked about"
            )
        yield from _of_book(parse(books / book), book, rows)


def _of_book(document: Document, book: str, rows: Sequence[dict]) -> Iterator[Exercise]:
    text = document.text
    windows = [widened(text, one.start, one.end, 0, len(text)) for one in passages(document)]
    names = sorted((one.start, one.end) for one in find_names(text))
    index = FoundPassages(text[slice(*window)] for window in windows)
    for row in rows:
        held: list[tuple[str, tuple[Span, ...]]] = []
        beside = []
        for rank, number in enumerate(index.numbers(row["question"], FOUND)):
            spans = _accepted(text, windows[number], row["accept"], names)
            passage = text[slice(*windows[number])]
            if spans:
                held.append((passage, spans))
            elif rank < FIRST:
                beside.append(passage)
        if "before" in row:
            held = list(_told(text, windows, row))
        if beside and 0 < len(held) <= EVERYWHERE:
            (passage, spans), accept = held[0], tuple(row["accept"])
            yield Exercise(
                row["question"], passage, spans, accept, document=book, beside=tuple(beside[:BESIDE]),
                among=tuple(held[:HOLDING]),
            )  # fmt: skip


def _accepted(text: str, window: Span, accept: Sequence[str], names: Sequence[Span]) -> tuple[Span, ...]:
    """Return where accepted words stand in a window, each with the whole name that it is part of."""
    start, end = window
    found = set()
    for word in accept:
        for match in re.finditer(rf"(?<!\w){re.escape(word)}\w*", text[start:end], re.I):
            first, last = start + match.start(), start + match.end()
            at = bisect_right(names, (first, end)) - 1
            if at >= 0 and start <= names[at][0] and last <= names[at][1] <= end:
                whole = names[at]
                if len(text[slice(*whole)].split()) <= LONGEST_NAME:
                    first, last = whole
            found.add((first - start, last - start))
    return tuple(sorted(found))


def _told(text: str, windows: Sequence[Span], row: dict) -> Iterator[tuple[str, tuple[Span, ...]]]:
    """Yield the windows that hold the place of an answer, with the place in each."""
    parts = [r"\s+".join(map(re.escape, row[key].split())) for key in ("before", "after")]
    answer = r"\s+".join(map(re.escape, row["accept"][0].split()))
    found = re.search(rf"{parts[0]}\s*({answer})\s*{parts[1]}", text)
    if found is not None:
        first, last = found.span(1)
        for start, end in windows:
            if start <= first and last <= end:
                yield text[start:end], ((first - start, last - start),)

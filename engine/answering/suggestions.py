"""Suggestions: questions to begin with and to go on with, each of which the book is known to answer.

No model is asked: who is who and what happens are told by the book's own sentences (`telling.py`), the rest
by its table of contents. Only what may be read is looked at.
"""

from collections.abc import Iterable, Sequence

from engine.answering.named import named_range
from engine.answering.telling import telling
from engine.cast.person import Cast, Figure
from ingest.document import Document

MOST, PERSONS, FURTHER = 4, 2, 2
LOOKED_AT = 12  # figures
LEAST_CHAPTER = 3_000  # characters of a chapter of which something can be told
SO_FAR = "What has happened so far?"


def suggestions(document: Document, cast: Cast, end: int | None = None) -> list[str]:
    """Return up to four questions about `text[:end]` of a document."""
    until = len(document.text) if end is None else end
    found = list(_persons(document, cast, until, ()))[:PERSONS]
    if end is None:
        found += list(_chapters(document))[:1]
    elif until >= LEAST_CHAPTER:
        found.append(SO_FAR)
    if len(document.chapters) > 1:
        found.append("How many chapters are there?")
    if document.author:
        found.append("Who wrote this book?")
    return found[:MOST]


def further(
    document: Document, cast: Cast, said: str, asked: Sequence[str], end: int | None = None
) -> list[str]:
    """Return up to two questions about those whom an answer names and nobody asked about yet.

    said: the answer with the words it cites. asked: the questions of the talk.
    """
    until = len(document.text) if end is None else end
    named = [one for one in cast.known(until) if any(name in said for name in one.names)]
    before = " ".join(asked)
    known = [name for one in named for name in one.names if name in before]
    return list(_persons(document, Cast(tuple(named)), until, known))[:FURTHER]


def _persons(document: Document, cast: Cast, until: int, known: Iterable[str]) -> Iterable[str]:
    for figure in cast.known(until, "person")[:LOOKED_AT]:
        question = f"Who is {_with_article(document.text, figure, until)}?"
        if not set(figure.names) & set(known) and telling(question, document, lambda: cast, 0, until, False):
            yield question


def _with_article(text: str, figure: Figure, until: int) -> str:
    """Return a figure's name as the book mostly says it: "the Queen", "Alice"."""
    seen = figure.seen(until)
    articles = sum(text[max(0, one.start - 4) : one.start].lower() == "the " for one in seen)
    return ("the " if 2 * articles > len(seen) else "") + figure.name(until)


def _chapters(document: Document) -> Iterable[str]:
    """Ask what happens in the first chapters that hold no others and are long enough, by their number."""
    for number in range(1, min(LOOKED_AT, len(document.chapters)) + 1):
        question = f"What happens in chapter {number}?"
        start, end = named_range(question, document) or (0, 0)
        holds = any(start < one.start < end for one in document.chapters)
        if not holds and end - start >= LEAST_CHAPTER:
            yield question

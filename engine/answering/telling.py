"""Questions that a book's cast answers, in its own sentences.

"Who is Fezziwig?", "What happens in chapter 7?".
Nothing is told that stands outside the range that may be read.
"""

import re
from collections.abc import Callable

from engine.cast.casting import says_who
from engine.cast.person import Cast, Figure
from engine.cast.story import story_so_far
from ingest.document import Document

WHO = re.compile(
    r"(?:and |but |so )?(?:(?:who(?: exactly)?|what) (?:is|was|are|were)|(?:please )?tell me about)"
    r" (?P<name>.+)",
    re.I,
)
MARKS = " \t\n?!.,;:…“”\"‘’'"
HAPPENS = re.compile(
    r"\bwhat(?: else)? (?:happens|happened|has happened|goes on|takes place)\b|\bsummar(?:y|i[sz]e)\b"
    r"|\bwhat is .{0,20}\babout\b|\bthe story so far\b",
    re.I,
)
SO_FAR = re.compile(r"\b(?:so far|until now|up to (?:now|here))\b", re.I)
LATELY = 3  # chapters that are told of the story so far

Span = tuple[int, int]


def telling(
    question: str, document: Document, cast: Callable[[], Cast], low: int, high: int, bounded: bool
) -> tuple[Span, ...]:
    """Return the sentences of `text[low:high]` that tell who somebody is or what happens; () for others.

    cast: gives who is who, and is called for such questions alone. bounded: whether the range is a part of
    the book that was named, so that "what happens" can be told of it.
    """
    if (asked := WHO.fullmatch(" ".join(question.split()).strip(MARKS))) is not None:
        figure = figure_called(asked["name"], cast(), high)
        spans = introductions(figure, document.text) if figure is not None else ()
        return next(((one,) for one in spans if low <= one[0] and one[1] <= high), ())
    so_far = SO_FAR.search(question) is not None
    if HAPPENS.search(question) is None or not (bounded or so_far):
        return ()
    told = story_so_far(document, cast(), high)
    chapters = [[one for one in part.sentences if low <= one[0] and one[1] <= high] for part in told]
    return tuple(one for part in (chapters[-LATELY:] if so_far else chapters) for one in part)


def introductions(figure: Figure, text: str) -> list[Span]:
    """Return the sentences that plainly say who a figure is, the best first."""
    return [
        (start, end)
        for start, end in figure.introductions
        if any(start <= one.start < end and says_who(text, one, end) for one in figure.namings)
    ]


def figure_called(name: str, cast: Cast, until: int) -> Figure | None:
    """Return who or what was called so before a character, the most mentioned of several."""
    wanted = _plain(name)
    for figure in cast.known(until):
        if any(_plain(figure.names[one]) == wanted for one in {naming.name for naming in figure.seen(until)}):
            return figure
    return None


def _plain(name: str) -> str:
    return re.sub(r"^the ", "", " ".join(name.replace("’", "'").replace(".", "").split()).casefold())

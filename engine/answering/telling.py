"""Questions about a whole book, or a part of it, that its cast and its story answer in its own sentences.

"Who is Fezziwig?", "Who are the main characters?", "What happens in chapter 7?", "What is it about?",
"How does it end?". Nothing is told that stands outside the range that may be read.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from engine.answering.named import without_place
from engine.cast.casting import says_who
from engine.cast.person import Cast, Figure
from engine.cast.story import Told, story_so_far
from ingest.document import Document

_THE_BOOK = (
    r"(?:it|this|that|everything|(?:(?:this|the|that) )?(?:whole |entire )?"
    r"(?:book|novel|story|text|tale|play|plot|document|report|paper|manual|article|chapter|part|section|page))"
)
_PLEASE = r"(?:(?:and|but|so|please|can you|could you|would you|tell me|give me|explain) )*"
WHO = re.compile(
    rf"{_PLEASE}(?:(?:who(?: exactly)?|what) (?:is|was|are|were)|about|describe) (?P<name>.+)", re.I
)
CHARACTERS = re.compile(
    rf"{_PLEASE}(?:(?:who|what)(?: (?:is|was|are|were)|['’]s|['’]re) |(?:list|name|show) )?(?:all )?(?:the )?"
    r"(?:main |principal |central |chief |important |leading |major |most important )*"
    r"(?:(?P<one>character|protagonist|hero)|characters|protagonists|people|persons|heroes)"
    rf"(?: (?:in|of) {_THE_BOOK})?",
    re.I,
)
HAPPENS = re.compile(
    rf"{_PLEASE}(?:what(?: else| all)? (?:happens|happened|has happened|goes on|takes place)"
    rf"(?: in {_THE_BOOK})?|(?:what(?: is|['’]s| are| was) )?(?:(?:a|an|the) )?(?:short |brief )*"
    r"(?:summar(?:y|i[sz]e)|sum up|recap|outline|overview|plot|story|(?:main|key) (?:points|ideas|events))"
    rf"(?: of)?(?: {_THE_BOOK})?(?: for me)?"
    rf"|{_THE_BOOK} summary|what(?: it| {_THE_BOOK})?(?: is|['’]s| was)(?: {_THE_BOOK})? about)",
    re.I,
)
ENDS = re.compile(
    rf"{_PLEASE}(?:how (?:does|did|do|will) {_THE_BOOK} (?:end|finish|conclude)"
    rf"|how {_THE_BOOK} (?:ends|ended)|what (?:is|was) the (?:end|ending)(?: of {_THE_BOOK})?"
    r"|what happens (?:at|in) the (?:very )?end"
    rf"(?: of {_THE_BOOK})?)",
    re.I,
)
BEGINS = re.compile(rf"{_PLEASE}how (?:does|did) {_THE_BOOK} (?:begin|start|open)", re.I)
ABOUT = re.compile(r"about$", re.I)
A_PART = re.compile(r"\b(?:chapter|part|section|page)\b", re.I)
SO_FAR = re.compile(r"\b(?:so far|until now|up to (?:now|here))\b", re.I)
MARKS = " \t\n?!.,;:…“”\"‘’'"
LATELY = 3  # chapters that are told of the story so far
MOST_CHAPTERS = 8  # that a whole book is told by
MOST_NAMED = 8  # characters
MINOR = 0.1  # of the mentions of who is named most often

Span = tuple[int, int]
Chapters = list[tuple[Span, ...]]  # sentences that are told of each
WHICH = "Which one? Name it, as in “chapter 3”, or let answers come from this chapter alone."
BEYOND = "The end lies beyond the place up to which I may read."


@dataclass(frozen=True)
class Telling:
    """What is told: sentences of the book, or words of ours that rest on them."""

    sentences: tuple[Span, ...]
    words: str = ""


def telling(
    question: str, document: Document, cast: Callable[[], Cast], low: int, high: int, bounded: bool
) -> Telling | None:
    """Tell, from `text[low:high]`, who somebody is, who appears, what happens or how it ends.

    None for other questions. cast: gives who is who, and is called for such questions alone. bounded: whether
    the range is a part of the book, of which all chapters are told.
    """
    asked = " ".join(without_place(SO_FAR.sub(" ", question)).split()).strip(MARKS)
    if (wanted := CHARACTERS.fullmatch(asked)) is not None:
        return _characters(document, cast(), low, high, 1 if wanted["one"] else MOST_NAMED)
    if ENDS.fullmatch(asked) and high < end_of(document) and A_PART.search(asked) is None:
        return Telling((), BEYOND)
    if HAPPENS.fullmatch(asked) and A_PART.search(asked) and not bounded:
        return Telling((), WHICH)
    if (part := _part_told(asked, SO_FAR.search(question) is not None, bounded)) is not None:
        told = _inside(story_so_far(document, cast(), high), low, high)
        sentences = tuple(one for chapter in part(told) for one in chapter)
        return Telling(sentences) if sentences else None
    if (who := WHO.fullmatch(asked)) is not None:
        figure = figure_called(who["name"], cast(), high)
        span = introduced(figure, document.text, low, high) if figure is not None else None
        return Telling((span,)) if span is not None else None
    return None


def _part_told(asked: str, so_far: bool, bounded: bool) -> Callable[[Chapters], Chapters] | None:
    """Return what of the told chapters answers a question; None for a question about something else."""
    if BEGINS.fullmatch(asked):
        return lambda told: told[:1]
    if ENDS.fullmatch(asked):
        return lambda told: told[-1:]
    if HAPPENS.fullmatch(asked) is None:
        return None
    if so_far:
        return lambda told: told[-LATELY:]
    if bounded:
        return lambda told: told
    if ABOUT.search(asked):
        return lambda told: [one[:2] for one in told[:2]]  # what a book is about stands at its beginning
    return spread


def end_of(document: Document) -> int:
    """Return where the text of a book ends, before an index or a licence."""
    return max((one.end for one in document.chapters if one.kind == "body"), default=len(document.text))


def spread(told: Chapters) -> Chapters:
    """Return one sentence each of up to `MOST_CHAPTERS` chapters, as far from each other as can be."""
    steps = min(MOST_CHAPTERS, len(told))
    picked = [told[round(at * (len(told) - 1) / max(1, steps - 1))] for at in range(steps)]
    return [one[:1] for one in picked]


def _inside(told: list[Told], low: int, high: int) -> Chapters:
    """Return the sentences of each chapter that lie in [low, high), of chapters that have any."""
    chapters = [tuple(one for one in part.sentences if low <= one[0] and one[1] <= high) for part in told]
    return [one for one in chapters if one]


def _characters(document: Document, cast: Cast, low: int, high: int, most: int) -> Telling | None:
    """Name who is named most often in [low, high), with the sentences that say who they are, if any do."""
    counts = [
        (sum(low <= one.start and one.end <= high for one in figure.namings), figure)
        for figure in cast.known(high, "person")
    ]
    counts.sort(key=lambda pair: -pair[0])
    named = [figure for count, figure in counts[:most] if count > MINOR * counts[0][0]]
    if not named:
        return None
    names = [figure.name(high) for figure in named]
    listed = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
    spans = [introduced(figure, document.text, low, high) for figure in named]
    sentences = tuple(dict.fromkeys(one for one in spans if one is not None))
    return Telling(sentences, f"Named most often: {listed}.")


def introduced(figure: Figure, text: str, low: int, high: int) -> Span | None:
    """Return the best sentence within [low, high) that plainly says who a figure is, None where none does."""
    return next(
        (
            (start, end)
            for start, end in figure.introductions
            if low <= start
            and end <= high
            and any(start <= one.start < end and says_who(text, one, end) for one in figure.namings)
        ),
        None,
    )


def figure_called(name: str, cast: Cast, until: int) -> Figure | None:
    """Return who or what was called so before a character, the most mentioned of several."""
    wanted = _plain(name)
    for figure in cast.known(until):
        if any(_plain(figure.names[one]) == wanted for one in {naming.name for naming in figure.seen(until)}):
            return figure
    return None


def _plain(name: str) -> str:
    return re.sub(r"^the ", "", " ".join(name.replace("’", "'").replace(".", "").split()).casefold())

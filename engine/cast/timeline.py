"""Timeline: the dates that a text names, each with its sentence, in the order of time.

A number of four digits is a year where the words beside it say so ("in 1703", "of 26 November 1703"), never
by itself: "1,500 feet", "No. 1703" and "1800 men" are none.
"""

import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from engine.cast.terms import LONGEST, bodies
from ingest.document import Document
from ingest.numerals import numeral
from ingest.passages import each_sentence

MOST = 2_000  # dates of a text
MONTHS = ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
          "November", "December"]  # fmt: skip
_MONTH = "|".join(MONTHS)
_ERA = r"(?P<era>,? ?(?:BC|BCE|B\. ?C\.(?: ?E\.)?|AD|A\. ?D\.|CE)(?!\w))"
_BEFORE = (
    r"(?i:in|since|until|till|by|from|to|after|before|about|around|circa|c\.|ca\.|of|year|years|and|between"
    r"|during|early|late|spring|summer|autumn|winter|\(|[–-])"
)
_THINGS = (
    r"(?! ?(?:feet|foot|miles?|yards?|metres?|meters?|km|tons?|pounds?|men|women|people|souls|years|days"
    r"|ships|books|pages|words|francs|dollars|marks|times|copies|inhabitants|per\b|%|°))"
)
_DAY = r"(?P<day>[12]?\d|3[01])(?:st|nd|rd|th)?"
_YEAR = r"(?P<year>1\d{3}|20\d{2})"
_END = r"(?!\d|[.,]\d)"
# the fullest first: what one has taken the next does not see
_FORMS = tuple(
    re.compile(form)
    for form in (
        rf"\b{_DAY}(?: of)? (?P<month>{_MONTH}),? {_YEAR}{_END}",
        rf"\b(?P<month>{_MONTH}) {_DAY},? {_YEAR}{_END}",
        rf"\b(?P<month>{_MONTH}),? (?:of )?{_YEAR}{_END}",
        rf"\b(?P<year>\d{{1,4}}){_ERA}",
        rf"\bAD (?P<year>\d{{1,4}}){_END}",
        rf"\b{_YEAR}s\b",
        rf"(?<![\w.]){_BEFORE} ?{_YEAR}{_END}{_THINGS}",
        r"\b(?P<century>(?:twenty-)?\w+)[ -]century\b(?P<era> BC| B\.C\.)?",
    )
)
_ORDINAL = re.compile(r"(?:st|nd|rd|th)$", re.IGNORECASE)  # "third" as well


@dataclass(frozen=True, order=True)
class Dated:
    """A date (year, month, day; 0 for what is not told, a year before Christ below zero) and its sentence.

    start, end: the sentence; words: the date as the text has it.
    """

    when: tuple[int, int, int]
    start: int
    end: int
    words: str


def find_dates(document: Document) -> tuple[Dated, ...]:
    """List what a document dates, the earliest first; of like dates, in the order of the text."""
    return tuple(sorted(islice(_all_dated(document), MOST)))


def _all_dated(document: Document) -> Iterator[Dated]:
    """Yield what a document dates, sentence by sentence."""
    text = document.text
    for first, last in bodies(document):
        for start, end in each_sentence(text, first, last):
            seen: set[tuple[int, int, int]] = set()
            for when, begin, stop in _dates(text, start, end):
                # "in 1703" beside "26 November 1703" says nothing more
                if when not in seen:
                    seen |= {when, (when[0], when[1], 0), (when[0], 0, 0)}
                    near = max(start, begin - LONGEST // 2), min(end, stop + LONGEST // 2)
                    yield Dated(when, *near, " ".join(text[begin:stop].split()))


def _dates(text: str, start: int, end: int) -> Iterator[tuple[tuple[int, int, int], int, int]]:
    """Yield (date, start, end of its words) of a sentence."""
    taken: list[tuple[int, int]] = []  # in order
    for form in _FORMS:
        for match in form.finditer(text, start, end):
            parts = match.groupdict()
            name = "century" if parts.get("century") else "year"
            first = match.start() if parts.get("month") else match.start(name)
            when = _when(parts)
            at = bisect_left(taken, (first, first))
            beside = taken[max(0, at - 1) : at + 1]
            if when is not None and all(stop <= first or match.end() <= begin for begin, stop in beside):
                taken.insert(at, (first, match.end()))
                yield when, first, match.end()


def _when(parts: dict[str, str | None]) -> tuple[int, int, int] | None:
    """Read a date; None where it is none. A century is its first year."""
    sign = -1 if "B" in (parts.get("era") or "") else 1
    if century := parts.get("century"):
        number = numeral(century) if _ORDINAL.search(century) else None
        return None if not number or number < 0 else (-100 * number if sign < 0 else 100 * number - 99, 0, 0)
    month = parts.get("month")
    return (
        sign * int(parts["year"] or 0),
        MONTHS.index(month) + 1 if month else 0,
        int(parts.get("day") or 0),
    )

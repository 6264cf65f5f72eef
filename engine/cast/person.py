"""Who is who: figures of a text with their names, where they are mentioned, and who appears with whom.

Everything is asked for as far as one has read: a name, a figure or a tie that comes later is not there.
"""

import json
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable
from dataclasses import astuple, dataclass, field
from functools import cached_property
from typing import NamedTuple

from engine.cast.terms import Term
from engine.cast.timeline import Dated

FORMAT = 5
MOST_TIES = 6
KINDS = ("person", "place", "other")


class Naming(NamedTuple):
    """One mention of a figure: `text[start:end]` is the number `name` of its names."""

    start: int
    end: int
    name: int


@dataclass(frozen=True)
class Figure:
    """Someone, some place or something with a name.

    `names` as they are written, the fullest first; `introduction` are the sentences that may tell who it is,
    the best first.
    """

    kind: str
    names: tuple[str, ...]
    namings: tuple[Naming, ...] = field(repr=False)
    introductions: tuple[tuple[int, int], ...] = ()

    def seen(self, until: int) -> tuple[Naming, ...]:
        """Return the mentions that end before a character."""
        return self.namings[: bisect_left(self.namings, until + 1, key=lambda one: one.end)]

    def name(self, until: int) -> str:
        """Return the fullest name that was told so far."""
        told = {one.name for one in self.seen(until)}
        return self.names[min(told)] if told else ""

    def aliases(self, until: int) -> tuple[str, ...]:
        """Return the other names told so far, the most frequent first."""
        counts = Counter(one.name for one in self.seen(until))
        best = min(counts, default=None)
        return tuple(self.names[one] for one, _ in counts.most_common() if one != best)

    def introduction(self, until: int) -> tuple[int, int] | None:
        """Return the sentence that tells best who it is, of those read so far."""
        return next((one for one in self.introductions if one[1] <= until), None)


@dataclass(frozen=True)
class Cast:
    """All figures of one text, the most mentioned first, the terms that it explains and the dates it names.

    `scenes` are the starts of its paragraphs, `size` its letters.
    """

    figures: tuple[Figure, ...]
    scenes: tuple[int, ...] = field(default=(), repr=False)
    size: int = 0
    terms: tuple[Term, ...] = field(default=(), repr=False)
    dates: tuple[Dated, ...] = field(default=(), repr=False)

    def known(self, until: int, kind: str | None = None) -> list[Figure]:
        """List the figures met before a character, the most mentioned first."""
        met = [one for one in self.figures if one.seen(until) and kind in (None, one.kind)]
        return sorted(met, key=lambda one: -len(one.seen(until)))

    def explained(self, until: int) -> list[Term]:
        """List the terms explained before a character."""
        return [one for one in self.terms if one.end <= until]

    def dated(self, until: int) -> list[Dated]:
        """List the dates named before a character, the earliest first."""
        return [one for one in self.dates if one.end <= until]

    def company(self, figure: Figure, until: int) -> list[tuple[Figure, int]]:
        """List who appears with a figure in the same paragraphs read so far, and in how many."""
        mine = self._at[self.figures.index(figure)]
        end = bisect_left(self.scenes, until)
        ties = [
            (other, sum(scene < end for scene in mine & self._at[index]))
            for index, other in enumerate(self.figures)
            if other is not figure and other.kind == "person"
        ]
        found = [(other, count) for other, count in ties if count and other.seen(until)]
        return sorted(found, key=lambda tie: -tie[1])[:MOST_TIES]

    @cached_property
    def _at(self) -> list[set[int]]:
        """Return for each figure the paragraphs in which it is mentioned."""
        return [
            {bisect_left(self.scenes, one.start + 1) - 1 for one in figure.namings} for figure in self.figures
        ]

    def to_json(self) -> str:
        """Write everything as one line of JSON."""
        figures = [[one.kind, one.names, one.namings, one.introductions] for one in self.figures]
        record = {
            "format": FORMAT, "size": self.size, "scenes": self.scenes, "figures": figures,
            "terms": [astuple(one) for one in self.terms], "dates": [astuple(one) for one in self.dates],
        }  # fmt: skip
        return json.dumps(record, ensure_ascii=False)

    @classmethod
    def from_json(cls, line: str) -> "Cast | None":
        """Read what `to_json` wrote; None where it is something else, or of another format."""
        try:
            record = json.loads(line)
            if record["format"] != FORMAT:
                return None
            terms = tuple(Term(*one) for one in record["terms"])
            dates = tuple(Dated(tuple(when), *rest) for when, *rest in record["dates"])
            figures = tuple(map(_figure, record["figures"]))
            return cls(figures, tuple(record["scenes"]), record["size"], terms, dates)
        except (ValueError, KeyError, TypeError):
            return None


def _figure(record: Iterable) -> Figure:
    kind, names, namings, introductions = record
    return Figure(
        kind, tuple(names), tuple(Naming(*one) for one in namings), tuple(map(tuple, introductions))
    )

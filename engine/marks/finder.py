"""Finder: where words of one edition stand in the text of another.

Texts are compared word by word, without case, accents and punctuation; a quotation of which four fifths of
the words stand together in the same order is found. Of several places that are alike, the words around decide
first, then how far into the book they stood.
"""

from collections import Counter, defaultdict
from difflib import SequenceMatcher
from functools import cached_property

from engine.shelf.words import Word, words

LEAST_ALIKE = 0.8
RAREST = 8
CANDIDATES = 24
# a word that stands more often than this says nothing of where a quotation stands, unless all of its words do
COMMON = 2_000


class Finder:
    """Looks for quotations in one text."""

    def __init__(self, text: str) -> None:
        self.text = text

    @cached_property
    def _words(self) -> list[Word]:
        return words(self.text)

    @cached_property
    def _at(self) -> dict[str, list[int]]:
        """Where each word stands, as numbers of words."""
        found = defaultdict(list)
        for number, word in enumerate(self._words):
            found[word.word].append(number)
        return found

    def find(
        self, quote: str, before: str = "", after: str = "", share: float = 0.0
    ) -> tuple[int, int] | None:
        """Return the characters (start, end) at which a quotation stands, None where it does not.

        before, after: the words around it. share: how far into its own text it stood, from 0 to 1.
        """
        cut = words(quote)
        wanted = [word.word for word in cut]
        if not wanted:
            return None
        around = [word.word for word in words(before)], [word.word for word in words(after)]
        best: tuple[float, float, float] | None = None
        span = None
        for start in self._candidates(wanted, share):
            alike, first, last = self._alike(wanted, start)
            if alike < LEAST_ALIKE:
                continue
            near = -abs(self._words[first].start / max(1, len(self.text)) - share)
            # rounded: a letter more or less around it weighs nothing against the place in the book
            score = (round(alike, 2), round(self._around(around, first, last), 1), near)
            if best is None or score > best:
                best, span = score, (first, last)
        return None if span is None else self._characters(span, quote, cut)

    def _candidates(self, wanted: list[str], share: float) -> list[int]:
        """List word numbers at which the quotation may begin, those that most of its rare words speak for."""
        known = sorted(
            (len(self._at[word]), offset, word) for offset, word in enumerate(wanted) if word in self._at
        )
        votes: Counter[int] = Counter()
        for count, offset, word in known[:RAREST]:
            if count > COMMON and votes:
                break
            votes.update(max(0, number - offset) for number in self._at[word])
        middle = share * len(self._words)
        return sorted(votes, key=lambda start: (-votes[start], abs(start - middle)))[:CANDIDATES]

    def _alike(self, wanted: list[str], start: int) -> tuple[float, int, int]:
        """Return (how alike, from 0 to 1; number of the first and of the last word that are the same)."""
        slack = len(wanted) // 5 + 1
        begin = max(0, start - slack)
        there = [word.word for word in self._words[begin : start + len(wanted) + slack]]
        exact = there[start - begin : start - begin + len(wanted)]
        if exact == wanted:
            return 1.0, start, start + len(wanted) - 1
        blocks = SequenceMatcher(None, wanted, there, autojunk=False).get_matching_blocks()[:-1]
        same = sum(block.size for block in blocks)
        if not same:
            return 0.0, start, start
        first, last = blocks[0].b, blocks[-1].b + blocks[-1].size - 1
        return 2 * same / (len(wanted) + last - first + 1), begin + first, begin + last

    def _around(self, around: tuple[list[str], list[str]], first: int, last: int) -> float:
        before, after = around
        there = [word.word for word in self._words[max(0, first - len(before)) : first]]
        there += [word.word for word in self._words[last + 1 : last + 1 + len(after)]]
        return SequenceMatcher(None, before + after, there, autojunk=False).ratio() if there else 0.0

    def _characters(self, span: tuple[int, int], quote: str, cut: list[Word]) -> tuple[int, int]:
        """Return the characters of words, with the signs that the quotation begins and ends with."""
        start, end = self._words[span[0]].start, self._words[span[1]].end
        head, tail = quote[: cut[0].start], quote[cut[-1].end :]
        if head and self.text[max(0, start - len(head)) : start] == head:
            start -= len(head)
        if tail and self.text[end : end + len(tail)] == tail:
            end += len(tail)
        return start, end

"""editions: words of one text found again in another: a newer edition, another format, a second parsing.

A `Quote` keeps what stood at a place and around it; `Edition.find` says where that stands now. Only letters
and digits are compared, without case and accents, so line breaks, hyphens and quotation marks do not matter.
Words that were changed are found by what is left of them: runs of letters that both texts share vote for a
place, and there each border of the quote is moved to where the letters on its two sides stand.
"""

import unicodedata
from array import array
from collections import Counter
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cached_property

AROUND = 160  # characters that a quote keeps before and after its words
SURE = 24  # letters that are no accident where they stand once
AGREEING = 12  # letters beside the words that are no accident
SEED, STEP = 12, 4  # letters of a run, and from one run to the next
SLACK = 64  # letters that places of one vote may lie apart
BORDER = 120  # letters on each side of a border that are compared
LEAST = 0.6  # of them have to be there
COMMON = 200  # places of one run; what stands oftener tells nothing


@dataclass(frozen=True)
class Quote:
    """Words of a text, what stands before and after them, and at which share of the text (0 to 1) they begin.

    `words` may be empty: a place between two characters.
    """

    words: str
    before: str = ""
    after: str = ""
    share: float = 0.5


def quote(text: str, start: int, end: int | None = None) -> Quote:
    """Return what finds `text[start:end]` again (without `end`: the place before character `start`)."""
    end = start if end is None else end
    before, after = text[max(0, start - AROUND) : start], text[end : end + AROUND]
    return Quote(text[start:end], before, after, start / max(1, len(text)))


class Edition:
    """One text in which quotes of another are found; its letters are laid out once."""

    def __init__(self, text: str) -> None:
        self._text = text

    def find(self, quote: Quote) -> tuple[int, int] | None:
        """Return the span of the quote in this text, or None where nothing like it is there."""
        words, before, after = (_letters(part)[0] for part in (quote.words, quote.before, quote.after))
        found = self._exact(words, before, after, quote.share) or self._near(
            words, before, after, quote.share
        )
        return found and self._characters(*found)

    @cached_property
    def _laid_out(self) -> tuple[str, "array[int]"]:
        return _letters(self._text)

    def _characters(self, start: int, end: int) -> tuple[int, int]:
        """Return the characters that letters `start` to `end` come from."""
        offsets = self._laid_out[1]
        if end > start:
            return offsets[start], offsets[end - 1] + 1
        at = offsets[start] if start < len(offsets) else len(self._text)
        return at, at

    def _exact(self, words: str, before: str, after: str, share: float) -> tuple[int, int] | None:
        """Find the words unchanged: of several places that whose neighbours agree best, or the nearest."""
        letters = self._laid_out[0]
        places = _places(letters, words, COMMON) if words else []
        if not places:
            return None

        def agreement(at: int) -> int:
            behind, end = letters[max(0, at - len(before)) : at], at + len(words)
            ahead = letters[end : end + len(after)]
            return _common(behind[::-1], before[::-1]) + _common(ahead, after)

        best = max(places, key=lambda at: (agreement(at), -abs(at / len(letters) - share)))
        enough = len(words) >= SURE or agreement(best) >= min(AGREEING, len(before) + len(after))
        return (best, best + len(words)) if enough else None

    def _near(self, words: str, before: str, after: str, share: float) -> tuple[int, int] | None:
        """Find words that were changed, or a place without words, border by border."""
        start = self._border(before, words + after, share, first=True)
        if start is None or not words:
            return start if start is None else (start, start)
        end = self._border(before + words, after, share, first=False)
        if end is None or not len(words) / 2 <= end - start <= len(words) * 2 + SLACK:
            return None
        return start, end

    def _border(self, left: str, right: str, share: float, first: bool) -> int | None:
        """Find the letter between what ended with `left` and began with `right`.

        Where letters at the border itself are others now, it goes before them (`first`) or after them.
        """
        left, right = left[-BORDER:], right[:BORDER]
        whole, at = left + right, len(left)
        letters = self._laid_out[0]
        begin = self._voted(whole, share)
        if begin is None:
            return None
        begin = max(0, begin - SLACK)
        window = letters[begin : begin + len(whole) + 3 * SLACK]
        matcher = SequenceMatcher(None, whole, window, autojunk=False)
        blocks = [block for block in matcher.get_matching_blocks() if block.size >= SEED // 3]
        if sum(block.size for block in blocks) < LEAST * len(whole):
            return None
        ahead = [begin + block.b + max(0, at - block.a) for block in blocks if block.a + block.size > at]
        behind = [begin + block.b + min(block.size, at - block.a) for block in blocks if block.a < at]
        here = behind[-1:] + ahead[:1] if first else ahead[:1] + behind[-1:]
        return here[0]

    def _voted(self, whole: str, share: float) -> int | None:
        """Find where most runs of these letters say that they begin: of several, where they were."""
        letters = self._laid_out[0]
        votes: Counter[int] = Counter()
        for at in range(0, max(1, len(whole) - SEED + 1), STEP):
            run = whole[at : at + SEED]
            places = _places(letters, run, COMMON) if len(run) == SEED else []
            votes.update({(place - at) // SLACK for place in places} if len(places) < COMMON else ())
        if not votes:
            return None

        def weight(bin: int) -> tuple[int, float]:
            return votes[bin] + votes[bin + 1], -abs(bin * SLACK / len(letters) - share)

        return max(votes, key=weight) * SLACK


def _places(letters: str, run: str, most: int) -> list[int]:
    found: list[int] = []
    at = letters.find(run)
    while at >= 0 and len(found) < most:
        found.append(at)
        at = letters.find(run, at + 1)
    return found


def _common(one: str, other: str) -> int:
    """Count the letters that two strings begin with alike."""
    return next((at for at, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1]),
                min(len(one), len(other)))  # fmt: skip


def _letters(text: str) -> tuple[str, "array[int]"]:
    """Return letters and digits without case and accents, and the character that each comes from."""
    plain = {character: _plain(character) for character in set(text)}
    parts = [plain[character] for character in text]
    return "".join(parts), array("l", (at for at, part in enumerate(parts) for _ in part))


def _plain(character: str) -> str:
    decomposed = unicodedata.normalize("NFKD", character.casefold())
    return "".join(letter for letter in decomposed.casefold() if letter.isalnum())

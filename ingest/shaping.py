"""Shaping: which elements of a page say how letters are set, and where these letters are in the blocks.

A walk gathers pieces of text; an element begins and ends between two of them. Letters are counted without
blanks, for these are put in order later, and nothing else is.
"""

import re
from collections import Counter, deque
from dataclasses import dataclass
from itertools import accumulate

from ingest.form import INLINE, Block, Piece
from ingest.printed import MARK
from ingest.tree import local_name, semantic_types

_BY_NAME = {
    "i": "italic", "em": "italic", "cite": "italic", "dfn": "italic", "var": "italic",
    "b": "bold", "strong": "bold", "code": "mono", "tt": "mono", "kbd": "mono", "samp": "mono",
    "blockquote": "quote", "pre": "code", "li": "item", "figcaption": "caption", "caption": "caption",
}  # fmt: skip
_VERSE = re.compile(r"\b(?:verse|poem|poetry|stanza|song|hymn)\b")
_BY_CLASS = (
    (re.compile(r"\b(?:small-?caps?|smcap|sc)\b", re.IGNORECASE), "smallcaps"),
    (re.compile(r"\bital(?:ics?)?\b", re.IGNORECASE), "italic"),
    (re.compile(r"\bbold\b", re.IGNORECASE), "bold"),
)
_BY_STYLE = (
    (re.compile(r"font-variant\s*:\s*small-caps", re.IGNORECASE), "smallcaps"),
    (re.compile(r"font-style\s*:\s*(?:italic|oblique)", re.IGNORECASE), "italic"),
    (re.compile(r"font-weight\s*:\s*(?:bold|[6-9]00)", re.IGNORECASE), "bold"),
)
_NOTES = frozenset(["footnote", "endnote", "rearnote", "doc-footnote", "doc-endnote"])
_LONGEST_ADDRESS = 2000
_DEEPEST = 50  # forms of one kind in one another
# what is open where a paragraph ends is said of the next again: so often, and once more each so many letters
_MOST_REPEATS, _LETTERS_EACH = 30_000, 20


def forms_of(element) -> list[str]:
    """List the kinds of form that an element gives to its letters."""
    name = local_name(element)
    found = [_BY_NAME[name]] if name in _BY_NAME else []
    if not element.attrib:
        return found
    types = semantic_types(element)
    named = element.get("class") or ""
    if name in ("blockquote", "p", "div", "section", "figure") and (
        _VERSE.search(" ".join(types)) or _VERSE.search(named)
    ):
        found = [kind for kind in found if kind != "quote"] + ["verse"]
    if types & _NOTES:
        found.append("note")
    if name in ("span", "font", "p", "div"):
        style = element.get("style") or ""
        found += [kind for pattern, kind in _BY_CLASS if named and pattern.search(named)]
        found += [kind for pattern, kind in _BY_STYLE if style and pattern.search(style)]
    return found


@dataclass
class _Part:
    """What one element says of the pieces of text from `first` to before `last`."""

    element: object
    kind: str
    key: int
    first: int
    last: int = -1  # while it is open
    value: int = 0
    target: str = ""


class Shaping:
    """The elements of one walk that are open, and those that ended in what is gathered now."""

    def __init__(self) -> None:
        self._open: list[_Part] = []
        self._depth: Counter[str] = Counter()  # how many of each kind are open
        self._parts: deque[_Part] = deque()  # open and ended, in the order in which they began
        self._pictures: deque[tuple[int, str, str]] = deque()
        self._waiting: list[tuple[int, str, str]] = []  # pictures for the next block
        self._letters: list[int] = [0]  # before each piece of what is being emitted
        self._done = 0  # letters of it that were
        self._repeats = 0
        self._allowed: float = _MOST_REPEATS
        self._key = 0

    def begin(self, element, at: int, kinds: list[str], value: int = 0, target: str = "") -> None:
        """Begin forms before the piece of text number `at`.

        One that stands in so many of its kind says nothing more, and every paragraph would say it again.
        """
        for kind in kinds:
            if self._depth[kind] == _DEEPEST:
                continue
            self._depth[kind] += 1
            self._key += 1
            part = _Part(element, kind, self._key, at, value=value, target=target[:_LONGEST_ADDRESS])
            self._open.append(part)
            self._parts.append(part)

    def end(self, element, at: int) -> None:
        """End what an element began, before the piece of text number `at`."""
        while self._open and self._open[-1].element is element:
            part = self._open.pop()
            part.last = at
            self._depth[part.kind] -= 1

    def picture(self, address: str, words: str, at: int) -> None:
        """Put a picture before the piece of text number `at`."""
        self._pictures.append((at, address[: 1 << 24], " ".join(words.split())))

    def gathered(self, pieces: list[str]) -> None:
        """Take what was gathered since the last call: its blocks are asked for next, in order."""
        counts = (len("".join(piece.split())) - piece.count(MARK) for piece in pieces)
        self._letters = [0, *accumulate(counts)]
        self._done = 0

    def shape(self, block: Block, letters: int, lead: int) -> None:
        """Give a block the forms of the next `letters` letters; `lead` letters of its own stand before."""
        first, last = self._done, self._done + letters
        self._done = last
        inside, going_on = [], []
        while self._parts and (begin := self._letters[self._parts[0].first]) <= last:
            one = self._parts.popleft()
            end = self._letters[one.last]
            empty = one.kind in ("cell", "header") and first <= begin <= last
            if begin < last and end > first or empty:
                inside.append((one, max(begin, first), min(end, last)))
            if end >= last:
                going_on.append(one)
        self._repeats += len(going_on)
        self._allowed += letters / _LETTERS_EACH
        self._parts.extendleft(reversed(going_on[:1] if self._repeats > self._allowed else going_on))
        pictures, self._waiting = self._waiting, []
        while self._pictures and self._letters[self._pictures[0][0]] <= last:
            pictures.append(self._pictures.popleft())
        if not inside and not pictures:
            return
        offsets = [at for at, letter in enumerate(block.text) if not letter.isspace()]
        offsets.append(len(block.text))

        def offset(count: int) -> int:
            return offsets[min(lead + count - first, len(offsets) - 1)]

        for one, begin, end in inside:
            start = offset(begin) if begin > first or one.kind in INLINE else 0
            stop = start if end <= begin else offset(end - 1) + 1
            block.form.append(Piece(one.kind, start, stop, one.value, one.target, one.key))
        for at, address, words in pictures:
            count = self._letters[at]
            block.pictures.append((offset(count) if count > first else 0, address, words))

    def over(self) -> None:
        """Forget what ended; what is open goes on with what is gathered next, and pictures wait for it."""
        if self._repeats > self._allowed:  # from here on, only the outermost goes on
            for one in self._open[1:]:
                self._depth[one.kind] -= 1
            del self._open[1:]
        for one in self._open:
            one.first = 0
        self._parts = deque(self._open)
        self._waiting += [(0, address, words) for _, address, words in self._pictures]
        self._pictures.clear()
        self._letters = [0]

    def waiting(self) -> list[tuple[int, str, str]]:
        """Hand over the pictures behind the last block."""
        waiting, self._waiting = [*self._waiting, *self._pictures], []
        self._pictures.clear()
        return waiting

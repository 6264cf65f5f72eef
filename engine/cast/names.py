"""Names: runs of words with capital letters that stand for someone or something, wherever they stand.

A capital at the beginning of a sentence says nothing. A word counts as a name where it keeps its capital
inside of sentences, and seldom loses it; a title before it ("Mr.", "Captain") is as good.
"""

import re
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from engine.cast.titles import FIRM, TITLES

# capital letters of a language's custom, not of a name
_CUSTOM = frozenset(
    re.findall(
        r"\S+",
        """
    i i’m i’ll i’ve i’d oh ah o god lord heaven heavens christ jesus providence almighty god’s
    english french german american spanish italian dutch greek latin irish scotch scottish indian
    russian roman turkish hebrew british european african christian christians christmas easter
    sunday monday tuesday wednesday thursday friday saturday january february march april may june
    july august september october november december chapter volume part book letter section mr mrs
    miss sir madam ma’am esq yes no and but the a it he she they we you what why how when where who
    there here this that if for well then not now my his her our your englishman frenchman hon ii
    iii iv vi vii viii ix xi xii
    """,
    )
)
_WORD = r"[^\W\d_][\w]*(?:[’'-][^\W\d_]\w*){0,20}"
_TOKEN = re.compile(rf"{_WORD}")
_OPENING = "“‘\"'(—–:[_"
_SENTENCE_END = ".!?…"
_LEAST = 2
LONGEST = 6  # words of a name
_AHEAD = LONGEST + 2
# of a library in one file the first volumes; what names take of memory is bounded so
MOST_LETTERS, MOST = 8_000_000, 500_000


# months that are names of persons too, where another name stands beside them
_ALONE = frozenset(["march", "may", "april", "june", "august"])


class Mention(NamedTuple):
    """One place where a name stands: `text[start:end]`; `form` is the name as it is compared."""

    form: tuple[str, ...]
    start: int
    end: int


class _Token(NamedTuple):
    word: str
    start: int
    end: int


def find_names(text: str, skip: Sequence[tuple[int, int]] = ()) -> list[Mention]:
    """Find the names of a text in order. skip: stretches, such as headings, whose capitals say nothing."""
    names = name_words(text, skip)
    return list(islice(_mentions(text, skip, names), MOST))


def name_words(text: str, skip: Sequence[tuple[int, int]] = ()) -> set[str]:
    """Find the words that keep their capital inside sentences, as they are compared: see `bare`."""
    inside: Counter[str] = Counter()
    small: Counter[str] = Counter()
    titled: set[str] = set()
    named_after: Counter[tuple[str, str]] = Counter()  # a month and the word behind it: "March Hare"
    before = ""
    for token in _tokens(text, skip):
        word = bare(token.word)
        if token.word[0].isupper() and not token.word.isupper():
            if not _opens(text, token.start):
                inside[word] += 1
            if before in FIRM:
                titled.add(word)
            if before in _ALONE:
                named_after[before, word] += 1
        elif token.word[0].islower():
            small[word] += 1
        before = word
    known = {word for word, count in inside.items() if count >= _LEAST and count > small[word]}
    known |= {word for word in titled if small[word] <= inside[word]}
    # common words that a book uses as names: the Queen, the Mouse
    known -= _CUSTOM
    return known | {
        month
        for (month, word), count in named_after.items()
        if word in known and count > _LEAST and 2 * count > inside[month]
    }


def _mentions(text: str, skip: Sequence[tuple[int, int]], names: set[str]) -> Iterator[Mention]:
    """Yield the mentions of names whose words are known; a text is never held as tokens as a whole."""
    stream = _tokens(text, skip)
    ahead = deque(islice(stream, _AHEAD))
    forms: dict[tuple[str, ...], tuple[str, ...]] = {}
    while ahead:
        end = _run(text, ahead, names)
        if end and (mention := _mention(text, list(islice(ahead, end)), names)) is not None:
            yield mention._replace(form=forms.setdefault(mention.form, mention.form))
        for _ in range(max(end, 1)):
            ahead.popleft()
        ahead.extend(islice(stream, _AHEAD - len(ahead)))


def _tokens(text: str, skip: Sequence[tuple[int, int]]) -> Iterator[_Token]:
    skipped = iter(sorted(skip))
    first, last = next(skipped, (len(text), len(text)))
    for match in _TOKEN.finditer(text, 0, MOST_LETTERS):
        start = match.start()
        while start >= last:
            first, last = next(skipped, (len(text), len(text)))
        if start < first:
            yield _Token(match[0], start, match.end())


def _opens(text: str, at: int) -> bool:
    """Tell whether the word there begins a sentence, a speech or a line."""
    while at and text[at - 1] in _OPENING:
        at -= 1
        if text[at] in '“‘"—–:(':
            return True
    before = text[max(0, at - 4) : at].rstrip(" ")
    if not before or before[-1] == "\n":
        return True
    if before[-1] in "”’\"'":
        return True  # behind what was said: “No.” He went
    if before[-1] in _SENTENCE_END:
        word = text[max(0, at - 12) : at].rstrip(" .").rpartition(" ")[2].strip(_OPENING).lower()
        return word not in TITLES
    return False


def _run(text: str, tokens: Sequence[_Token], names: set[str]) -> int:
    """Return of how many tokens the name is that begins at the first one; 0 where none begins."""
    end = 0
    while end < len(tokens) and end < LONGEST:
        token = tokens[end]
        word = bare(token.word)
        if end > 0 and (not _joined(text, tokens[end - 1], token) or word == bare(tokens[end - 1].word)):
            break
        capital = token.word[0].isupper()
        particle = (
            end > 0 and token.word in ("of", "de", "du", "van", "von", "la", "le") and end + 1 < len(tokens)
        )
        if (
            capital
            and (word in names or word in TITLES or _initial(text, token))
            or particle
            and _capital_name(tokens[end + 1], names)
            and _joined(text, token, tokens[end + 1])
        ):
            end += 1
        else:
            break
        if text[token.end - 2 : token.end] in ("’s", "'s"):
            break
    while end > 0 and tokens[end - 1].word in ("of", "de", "du", "van", "von", "la", "le"):
        end -= 1
    return end


def _capital_name(token: _Token, names: set[str]) -> bool:
    return token.word[0].isupper() and bare(token.word) in names


def _initial(text: str, token: _Token) -> bool:
    return len(token.word) == 1 and text[token.end : token.end + 1] == "." and token.word != "I"


def _joined(text: str, before: _Token, after: _Token) -> bool:
    between = text[before.end : after.start]
    if between in (" ", "\n"):
        return True
    abbreviated = bare(before.word) in TITLES or len(before.word) == 1
    return between in (". ", ".") and abbreviated


def _mention(text: str, tokens: list[_Token], names: set[str]) -> Mention | None:
    words = [bare(token.word) for token in tokens]
    known = [word for word in words if word in names]
    if not set(known) - _ALONE:
        return None
    start, end = tokens[0].start, tokens[-1].end
    if text[end - 2 : end] in ("’s", "'s"):
        end -= 2
    return Mention(tuple(words), start, end)


def bare(word: str) -> str:
    """Return a word as names are compared: small letters, no genitive."""
    word = word.lower().replace("'", "’")
    return word.removesuffix("’s") if len(word) > 3 else word

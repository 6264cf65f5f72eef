"""Text and queries cut into words for the full-text index, each with its exact character span.

SQLite's own `unicode61` tokenizer would drop scripts it does not know, split Devanagari at its vowel signs,
swallow a Chinese sentence as one word, and tell only word numbers back, no characters. So words are cut here
(case, accents, Arabic and Hebrew points, ligatures and width ignored) and handed to FTS5 with blanks between
them; its `ascii` tokenizer splits at exactly those blanks, so that word number i is `words(text)[i]`.

Scripts written without blanks (Chinese, Japanese, Thai, Lao, Burmese, Khmer; Korean too, whose particles
stick to the words) become overlapping pairs of characters and a last single one. Pairs and not SQLite's
trigram table, because most Chinese words have two characters, which trigrams cannot find.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import cache
from typing import NamedTuple

LONGEST_WORD = 100
CONTINUOUS = (
    "\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u3130-\u318f\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7ff\uf900-\ufaff\uff66-\uffdc\U00020000-\U0003ffff"
)
# accents, Hebrew and Arabic points, tatweel, soft hyphen, joiners, variation selectors; and the ASCII that
# compatibility forms may bring in ("⑴" is "(1)")
IGNORED = re.compile(
    "[\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06ed\u0640\u00ad\u200c\u200d"
    "\ufe00-\ufe0f\U000e0100-\U000e01ef\x00-/:-@\\[-`{-\x7f]"
)
# what a question is made of when its content is taken out; the rest is left to the rarity of words, which
# needs no list per language
STOP_WORDS = frozenset(
    word
    for line in (
        "a about after again all also am an and any are as at be because been before being between both",
        "but by can could d did do does doing don during each few for from further had has have having he",
        "her here hers herself him himself his how i if in into is it its itself just ll m me more most my",
        "myself no nor not now o of off on once only or other our ours out over own re s same shall she",
        "should so some such t than that the their theirs them themselves then there these they this those",
        "through to too under until up us ve very was we were what when where which while who whom whose",
        "why will with would you your yours yourself",
        # how one speaks about a book, not in it
        "book chapter describe explain happen happened happens mention mentioned passage please story tell",
    )
    for word in line.split()
)


class Word(NamedTuple):
    """A word as it is indexed, and the characters `text[start:end]` it came from."""

    word: str
    start: int
    end: int


class Run(NamedTuple):
    """Words that belong together: one word, or the pairs (and last single) of a stretch without blanks."""

    words: list[Word]
    continuous: bool


def words(text: str) -> list[Word]:
    """Cut a text into its words in order, as they are indexed."""
    return [word for run in runs(text) for word in run.words]


def runs(text: str) -> Iterator[Run]:
    """Yield the words of a text, stretch by stretch."""
    stretches, parts, _ = _patterns()
    for stretch in stretches.finditer(text):
        if stretch.group().isascii():
            yield Run([Word(stretch.group().lower()[:LONGEST_WORD], *stretch.span())], False)
            continue
        for part in parts.finditer(text, *stretch.span()):
            continuous = part.group(1) is not None
            found = _pairs(text, *part.span()) if continuous else [Word(normal(part.group()), *part.span())]
            found = [word for word in found if word.word]
            if found:
                yield Run(found, continuous)


def normal(text: str) -> str:
    """Return the form in which a word is compared; may be empty."""
    plain = IGNORED.sub("", unicodedata.normalize("NFKD", text)).casefold()
    return unicodedata.normalize("NFC", IGNORED.sub("", plain))[:LONGEST_WORD]


def content_words(found: Iterable[str]) -> list[str]:
    """Pick the words that carry a question's content, each once; all of them when nothing else is left."""
    every = list(dict.fromkeys(found))
    return [word for word in every if word not in STOP_WORDS] or every


def _pairs(text: str, start: int, end: int) -> list[Word]:
    _, _, clusters = _patterns()
    spans = [match.span() for match in clusters.finditer(text, start, end)]
    pairs = [
        Word(normal(text[first:last]), first, last)
        for (first, _), (_, last) in zip(spans, spans[1:], strict=False)
    ]
    return [*pairs, Word(normal(text[slice(*spans[-1])]), *spans[-1])]


@cache
def _patterns() -> tuple[re.Pattern[str], re.Pattern[str], re.Pattern[str]]:
    """Compile patterns of a stretch of letters, its parts (group 1: no blanks), a letter with its marks."""
    marks = _marks()
    return (
        re.compile(f"[^\\W_]+(?:[{marks}]+[^\\W_]*)*"),
        re.compile(f"([{CONTINUOUS}][{CONTINUOUS}{marks}]*)|[^{CONTINUOUS}]+"),
        re.compile(f"(?s:.)[{marks}]*"),
    )


def _marks() -> str:
    """Write a character class of what may follow a letter inside a word, as ranges."""
    members = [code for code in range(0x300, 0x1F000) if unicodedata.category(chr(code))[0] == "M"]
    members += [0xAD, 0x200C, 0x200D, *range(0xE0100, 0xE01F0)]
    members.sort()
    ranges: list[list[int]] = []
    for code in members:
        if ranges and code == ranges[-1][1] + 1:
            ranges[-1][1] = code
        else:
            ranges.append([code, code])
    return "".join(f"{chr(first)}-{chr(last)}" for first, last in ranges)

"""Passages: some 40 to 120 words cut at sentence ends, the unit that is searched and cited.

Sentence ends are found by rule: full stops that abbreviations, initials and decimals do not own, the full
stops of other scripts, and every blank line. Words are counted so that scripts without spaces come out at a
like length: 5 Chinese characters count as 3 words, 5 Thai letters as one.
"""

import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

from ingest.document import Document

_CLOSERS = "\"'”’»›)\\]}」』》）】＂"
_END = re.compile(
    rf"(?<![.!?…])[.!?…]+[{_CLOSERS}]*(?:\[\d+\])?(?=\s|$)"
    rf"|[。！？｡．؟۔।॥։።၊။៕]+[!?！？]*[{_CLOSERS}]*"
    r"|\n\n+"
)
_WINDOW = 50_000  # letters
_ABBREVIATIONS = frozenset(
    re.findall(
        r"\S+",
        """mr mrs ms dr prof st ste mt messrs mme mmes mlle mm capt col gen lt sgt maj cmdr adm rev hon esq
        jr sr gov sen rep pres supt insp ft vs cf viz i.e e.g ie eg al vol vols ch chap p pp fig figs ed eds
        trans approx ca c dept univ assn bros co corp inc ltd jan feb mar apr jun jul aug sept sep oct nov dec
        z.b d.h u.a bzw usw hr fr nr str bd abb sog sig sra srta ud m art arts para sec inst ult""",
    )
)
_NUMBER = re.compile(r"[\W\dIVXLCDMivxlcdm]{0,4}")
_LONGEST_NUMBER = 40  # letters, with the blanks around
_BEFORE_NUMBER = frozenset(["no", "nos", "op", "ver", "sc"])
_LAST_WORD = re.compile(r"[^\s(\[“‘\"'—–-]+$")
# longer runs are several words, so that none has to be read again and again where a passage is cut in it
_WORD = re.compile(
    r"(?P<han>[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]{1,500})"
    r"|(?P<spaceless>[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff]{1,500})"
    r"|[^\W\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]{1,500}"
    r"(?:[’'\u200c\u200d-][^\W\u3040-\u30ff\u3400-\u9fff]{1,500}){0,20}"
)
_LONG_WORD = 40  # letters; beyond it a "word" is a run without spaces and counts by its length
_SOFT_ENDS = (re.compile(r"\n"), re.compile(r"[;:—–،，、；：,]\s*"), re.compile(r"\s+"))


@dataclass(frozen=True)
class Passage:
    """Number `index` of a document: `text[start:end]`, without white space at either side."""

    index: int
    start: int
    end: int


def sentences(text: str, start: int = 0, end: int | None = None) -> list[tuple[int, int]]:
    """Return (start, end) of every sentence of `text[start:end]`, white space between them left out."""
    return list(each_sentence(text, start, end))


def each_sentence(text: str, start: int = 0, end: int | None = None) -> Iterator[tuple[int, int]]:
    """Yield what `sentences` returns, one after the other.

    Ends are sought in one window after the other, and no sentence is longer than two: while a pattern looks
    through millions of letters, no other thread of the program runs.
    """
    end = len(text) if end is None else min(end, len(text))
    begin = start
    for first, last in _windows(text, start, end):
        for match in _END.finditer(text, first, last):
            stop = match.end()
            if match[0][0] != "\n" and not _ends_sentence(text, begin, match.start(), stop, end):
                continue
            yield from _trimmed(text, begin, stop)
            begin = max(begin, stop)
            while begin < end and text[begin].isspace():
                begin += 1
        if last - begin > _WINDOW:
            yield from _trimmed(text, begin, last)
            begin = last
    yield from _trimmed(text, begin, end)


def _windows(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield stretches that follow each other; each ends behind a letter, which no end of a sentence holds."""
    while start < end:
        stop = min(start + _WINDOW, end)
        last = min(stop + _WINDOW // 10, end)
        while stop < last and not text[stop - 1].isalpha():
            stop += 1
        yield start, stop
        start = stop


def word_count(text: str, start: int = 0, end: int | None = None) -> float:
    """Count the words in `text[start:end]`; scripts without spaces count by their characters."""
    return sum(map(_weight, _WORD.finditer(text, start, len(text) if end is None else end)), 0.0)


def _weight(word: re.Match[str]) -> float:
    """Return the number of words that one match stands for."""
    length = word.end() - word.start()
    if word["han"]:
        return 0.6 * length
    if word["spaceless"]:
        return max(1.0, length / 5)
    return 1.0 if length <= _LONG_WORD else length / 6


def passages(document: Document, lo: int = 40, hi: int = 120) -> list[Passage]:
    """Cut a whole document into passages, in order, never across the start of a chapter.

    Each has at most `hi` words, and at least `lo` wherever its chapter and its sentences allow. A sentence
    above `hi` words is cut at lines, clauses or spaces. No character but white space is left out.
    """
    text = document.text
    borders = sorted({0, len(text), *(chapter.start for chapter in document.chapters)})
    paragraph_ends = [end for _, end in document.paragraphs]
    spans: list[tuple[int, int]] = []
    for start, end in zip(borders, borders[1:], strict=False):
        spans += _section_passages(text, start, end, paragraph_ends, lo, hi)
    return [Passage(index, start, end) for index, (start, end) in enumerate(spans)]


def _section_passages(text, start, end, paragraph_ends, lo, hi) -> list[tuple[int, int]]:
    """Fill passages with whole sentences; close early where a paragraph ends and there is enough."""
    cut = (_short_enough(text, first, last, hi) for first, last in each_sentence(text, start, end))
    done: list[tuple[int, int, float]] = []
    open_start, open_end, open_words = start, start, 0.0
    for first, last, words in chain.from_iterable(cut):
        if open_words and open_words + words > hi:
            done.append((open_start, open_end, open_words))
            open_words = 0.0
        if not open_words:
            open_start = first
        open_end, open_words = last, open_words + max(words, 0.01)
        at = bisect_left(paragraph_ends, last)
        if open_words >= lo and at < len(paragraph_ends) and paragraph_ends[at] == last:
            done.append((open_start, open_end, open_words))
            open_words = 0.0
    if open_words:
        done.append((open_start, open_end, open_words))
    if len(done) > 1 and done[-1][2] < lo and done[-2][2] + done[-1][2] <= hi:
        done[-2:] = [(done[-2][0], done[-1][1], done[-2][2] + done[-1][2])]
    return [(first, last) for first, last, _ in done]


def _short_enough(text: str, first: int, last: int, hi: int) -> list[tuple[int, int, float]]:
    """Cut one sentence into parts of at most `hi` words, at the softest border that serves."""
    words = word_count(text, first, last)
    if words <= hi:
        return [(first, last, words)]
    parts: list[tuple[int, int]] = []
    while words > hi:
        limit = _reach(text, first, last, hi)
        cut = _soft_cut(text, first, limit)
        parts += _trimmed(text, first, cut)
        first = cut
        while first < last and text[first].isspace():
            first += 1
        words = word_count(text, first, last) if last - first < 40 * hi else hi + 1
    parts += _trimmed(text, first, last)
    return [(start, end, word_count(text, start, end)) for start, end in parts]


def _reach(text: str, first: int, last: int, hi: int) -> int:
    """Find the furthest offset that `hi` words from `first` reach (at least one character on)."""
    total = 0.0
    for match in _WORD.finditer(text, first, last):
        step = _weight(match)
        if total + step > hi:
            within = int((match.end() - match.start()) * (hi - total) / step)
            # a run without spaces may be cut inside, a word may not
            splits = match["han"] or match["spaceless"] or match.end() - match.start() > _LONG_WORD
            return max(first + 1, match.start() + (within if splits else 0))
        total += step
    return last


def _soft_cut(text: str, first: int, limit: int) -> int:
    floor = first + (limit - first) // 2
    for pattern in _SOFT_ENDS:
        cuts = [match.end() for match in pattern.finditer(text, floor, limit)]
        if cuts:
            return cuts[-1]
    return limit


def _ends_sentence(text: str, begin: int, mark: int, stop: int, end: int) -> bool:
    """Tell whether the full stop (or !, ?, …) at `mark` ends the sentence that began at `begin`."""
    if text[mark] not in ".!?…":
        return True
    after = stop
    while after < end and text[after] in " \t\n":
        after += 1
    following = text[after] if after < end else ""
    opened = after
    while opened < end and text[opened] in "\"'“‘«‹([—–-":
        opened += 1
    if opened < end and text[opened].islower():
        return text.startswith("\n\n", stop)
    if text[mark] != "." or stop - mark > 1:
        return True  # only a single bare stop can belong to an abbreviation
    match = _LAST_WORD.search(text, max(begin, mark - 24), mark)
    word = match[0] if match else ""
    # a sentence of a million abbreviations is not copied for each of them
    if mark - begin <= _LONGEST_NUMBER and _NUMBER.fullmatch(text[begin:mark].strip()):
        return text.startswith("\n\n", stop)  # the number of a list item
    if len(word) == 1 and word.isupper() and word.isascii():
        return word == "I" and not re.match(r"\s[A-Z]\.", text[stop : stop + 3])
    lowered = word.casefold()
    if lowered in _BEFORE_NUMBER:
        return not following.isdigit()
    return lowered not in _ABBREVIATIONS


def _trimmed(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield a stretch without the white space at either side; nothing where there is no more."""
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    if end > start:
        yield start, end

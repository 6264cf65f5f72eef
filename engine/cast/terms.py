"""Terms: the words that a text explains, each with the sentence that does; for a glossary of non-fiction.

Only plain forms of explaining count: "a term is a thing that …", "what is called a term", "a term means …",
"Term: what it is" as a line of its own. They stand in the present: a story, told in the past, is left alone.
"""

import itertools
import re
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass

from ingest.document import Document
from ingest.passages import each_sentence

MOST = 300  # terms of a text
LEAST = 3  # times that a plain word stands which "the … is" may explain
LOOKED_AT = 15_000  # words that may be terms; a text that explains more is made to
LONGEST = 1_500  # letters of a sentence that is worth telling
LONGEST_WORDS = 60  # of an explanation
_WORD = r"[^\W\d_][\w’'-]*"
# what ends a term, or is none by itself
_SMALL = frozenset(
    re.findall(
        r"\S+",
        """
    of in on at by and or but because when which that for to from after if since where with is are was were
    be as it its than then so not no he she they we you i me him them us this these those there here what who
    whose how why one a an the his her their our my your such some any all both each every only also still
    just very out up off away upon into during again
    """,
    )
)
# things that sentences are about without explaining them
_NONE = frozenset(
    re.findall(
        r"\S+",
        """
    answer aim best case cause chapter consequence difference difficulty end example exception fact first
    following idea last matter moral next other point problem purpose question reason rest result rule same
    second secret story thing third thought trouble truth way word work world whole furthermore moreover
    """,
    )
)
MOST_WORDS = 4  # of a term
_WORDS = re.compile(_WORD)
_TERM = rf"{_WORD}(?: {_WORD}){{0,{MOST_WORDS - 1}}}"
_CALLED = re.compile(
    r"\b(?P<verb>is|are|was|were|be|been)(?: also| often| sometimes)? (?:called|termed|known as)"
    rf"(?P<article> an?| the| its| their)? [“‘\"']?(?P<term>{_TERM})"
)
_IS = re.compile(
    rf"(?:^|: )(?:(?P<article>[Aa]n?|[Tt]he) (?P<term>{_TERM}?)(?: of an? {_WORD})? is"
    rf"|(?P<terms>[A-Z][\w’'-]*(?: {_WORD}){{0,2}}?) are)"
    r" (?:an?|the|any|that|what|two|three|those)(?P<what> [^,;:.]*)"
)
_MEANS = re.compile(
    rf"^(?:An? |The |By )?[“‘\"']?(?P<term>{_TERM}?)[”’\"']? (?:means|denotes|refers to|is meant)\b"
)
_LINE = re.compile(rf"^(?P<term>{_TERM})(?: \([^)]{{1,40}}\))?(?:: | [—–] )(?=[a-z])")
# what makes "is a thing" an explanation: it goes on to say which
_WHICH = re.compile(r"\b(?:that|which|who|whose|where|when|in|of|for|to|at|with|by|made|used|from|between)\b")
_PAST = re.compile(r"\b(?:was|were|had|did)\b")
_VERBS = re.compile(r"\b(?:said|says|cried|asked|answered|replied|thought|fancy|came|went|knew)\b")


@dataclass(frozen=True)
class Term:
    """A word as it is written at its explanation, and the sentence (start, end) that explains it."""

    word: str
    start: int
    end: int


def find_terms(document: Document) -> tuple[Term, ...]:
    """List the terms that a document explains, in the order of the alphabet; the first explanation counts."""
    told: dict[tuple[str, bool], Term] = {}
    for key, is_plain, term in itertools.islice(_all_explained(document), LOOKED_AT):
        told.setdefault((key, is_plain), term)
    used = _used(document.text, {key for key, is_plain in told if is_plain})
    found: dict[str, Term] = {}
    for (key, is_plain), term in told.items():
        if not is_plain or key in used:
            found.setdefault(key, term)
    return tuple(sorted(list(found.values())[:MOST], key=lambda term: term.word.casefold()))


def _all_explained(document: Document) -> Iterator[tuple[str, bool, Term]]:
    """Yield all that may be terms: as they are compared, whether they are plain words, and themselves."""
    text = document.text
    for first, last in bodies(document):
        for number, (start, end) in enumerate(each_sentence(text, first, last)):
            if end - start > LONGEST:
                continue
            sentence = " ".join(text[start:end].split())
            for word, is_plain in _explained(sentence, begins=number == 0):
                yield _key(word), is_plain, Term(word, start, end)


def bodies(document: Document) -> Iterator[tuple[int, int]]:
    """Yield what is no heading of the paragraphs that are the author's own, no imprint or index."""
    heads = {chapter.start: document.heading_end(chapter) for chapter in document.chapters}
    for start, end in document.paragraphs:
        chapter = document.place(start).chapter
        start = max(start, heads.get(start, start))
        if start < end and (chapter is None or document.chapters[chapter].kind == "body"):
            yield start, end


def _key(word: str) -> str:
    """Return a term as terms are compared: small letters, the last word in the singular."""
    small = word.casefold()
    return small[:-1] if small.endswith("s") and not small.endswith(("ss", "us", "is")) else small


def _explained(sentence: str, begins: bool) -> Iterator[tuple[str, bool]]:
    """Yield the terms that a sentence explains, and whether one is a plain word that any sentence may have.

    begins: whether it begins its paragraph.
    """
    if len(sentence.split()) > LONGEST_WORDS or sentence[:1] in "“‘\"'" or sentence[-1:] in "”’\"'":
        return
    if begins and (line := _LINE.match(sentence)):
        yield from ((word, True) for word in _term(line["term"], at_start=True))
    if (means := _MEANS.match(sentence)) is not None:
        yield from ((word, True) for word in _term(means["term"], sentence.startswith(means["term"])))
    for said in _IS.finditer(sentence):
        if _WHICH.search(said["what"]) and not _PAST.search(said["what"]):
            is_plain = said["article"] in ("The", "the", None)
            for word in _term(said["term"] or said["terms"], at_start=said["term"] is None):
                yield word, is_plain and " " not in word
    for called in _CALLED.finditer(sentence):
        words = list(itertools.takewhile(lambda one: one.lower() not in _SMALL, called["term"].split()))
        # "was called home", "was called clever": no name of a thing
        if called["article"] or called["verb"] in ("is", "are") or words and words[-1].endswith("s"):
            yield from ((word, False) for word in _term(" ".join(words), at_start=False))


def _term(words: str, at_start: bool) -> Iterator[str]:
    """Yield a term out of words that may be one. at_start: its capital is that of the sentence."""
    taken = [word.rstrip("’'") for word in words.split()]
    small = {word.lower() for word in taken}
    if not taken or small & (_SMALL | _NONE) or len(taken[-1]) < 4 or _VERBS.search(words):
        return
    first, *rest = taken
    first = first[0].lower() + first[1:] if at_start and first[1:].islower() else first
    # capital letters all through are the name of somebody or some place: who is who tells of those
    if not all(word[0].isupper() for word in (first, *rest)):
        yield " ".join([first, *rest])


def _used(text: str, keys: set[str]) -> set[str]:
    """Return which terms a text comes back to often; it is read once, however many there are."""
    lasts = {key.rpartition(" ")[2] for key in keys}
    counts: Counter[str] = Counter()
    starts: deque[int] = deque(maxlen=MOST_WORDS)  # of words with a blank between them, up to this one
    behind = -1
    for match in _WORDS.finditer(text):
        if text[behind : match.start()] != " ":
            starts.clear()
        starts.append(match.start())
        behind = match.end()
        last = _key(match[0].removesuffix("’s").removesuffix("'s"))
        if last in lasts:
            phrases = (text[start : match.start()].casefold() + last for start in starts)
            counts.update(phrase for phrase in phrases if phrase in keys)
    return {key for key, count in counts.items() if count >= LEAST}

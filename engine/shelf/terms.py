"""What to look for: the stems of a question, or the words and phrases of a search box.

User text never reaches FTS5's query syntax: it is cut into words of letters and digits first, so that quotes,
stars, brackets, AND, NOT and NEAR are either gone or plain words.
"""

import contextlib
import re
import sqlite3
from dataclasses import dataclass
from functools import lru_cache

from engine.shelf.words import Run, Word, content_words, runs, words

# a pasted chapter is no query
MOST_TERMS = 64
# sorts after every character that a word may go on with
LAST = "\U0010ffff"
# words with a capital that do not begin a sentence
NAME = re.compile(r"(?<=[\w,;’'] )[^\W\d_a-z][^\W\d_]+")
HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")


@dataclass(frozen=True)
class Term:
    """Words that must stand next to one another; with `prefix`, the last of them may go on."""

    words: tuple[str, ...]
    prefix: bool = False

    @property
    def expression(self) -> str:
        """Return the term in FTS5's syntax.

        Words hold letters and digits only, so nothing in them can be an operator.
        """
        return f'"{" ".join(self.words)}"' + (" *" if self.prefix else "")

    def matches(self, found: list[Word]) -> list[tuple[int, int]]:
        """Find the character spans of all occurrences in a passage's words."""
        size = len(self.words)
        return [
            (found[at].start, found[at + size - 1].end)
            for at in range(len(found) - size + 1)
            if self._stands_at(found, at)
        ]

    def _stands_at(self, found: list[Word], at: int) -> bool:
        *firsts, last = self.words
        if any(found[at + offset].word != word for offset, word in enumerate(firsts)):
            return False
        end = found[at + len(firsts)].word
        return end.startswith(last) if self.prefix else end == last


@dataclass(frozen=True)
class Stem:
    """One thing to look for among the stems; with `open`, anything that begins so."""

    text: str
    open: bool = False

    @property
    def last(self) -> str:
        """Return the greatest word that matches."""
        return self.text + LAST if self.open else self.text


def question_terms(question: str) -> list[Stem]:
    """Return the content words of a question, stemmed; Chinese characters also each alone."""
    found: list[str] = []
    alone: list[str] = []
    for run in runs(question):
        kept = run.words[:-1] if run.continuous and len(run.words) > 1 else run.words
        found += [word.word for word in kept]
        if run.continuous:
            alone += [character for word in kept for character in word.word if HAN.match(character)]
    stemmed = [Stem(word) for word in stems(tuple(content_words(found)[:MOST_TERMS]))]
    return list(dict.fromkeys(stemmed + [Stem(character, open=True) for character in alone[:MOST_TERMS]]))


def question_names(question: str) -> dict[Stem, str]:
    """Return the names in a question, as they are written, by their stems."""
    names = [name for name in NAME.findall(question)[:MOST_TERMS] if name[0].isupper()]
    asked = dict.fromkeys(question_terms(question))
    found = ((Stem(stem), name) for name in names for stem in stems(tuple(one.word for one in words(name))))
    return {stem: name for stem, name in found if stem in asked}


@lru_cache(maxsize=256)
def stems(found: tuple[str, ...]) -> tuple[str, ...]:
    """Reduce words to stems as FTS5's Porter stemmer does: "running" and "runs" are "run"."""
    with contextlib.closing(sqlite3.connect(":memory:")) as db:
        db.execute("CREATE VIRTUAL TABLE given USING fts5(word, tokenize='porter ascii')")
        db.execute("CREATE VIRTUAL TABLE terms USING fts5vocab('given', 'instance')")
        db.execute("INSERT INTO given VALUES (?)", (" ".join(found),))
        return tuple(term for (term,) in db.execute('SELECT term FROM terms ORDER BY "offset"'))


def box_terms(query: str) -> list[Term]:
    """Cut a query into its words; quoted ones together, the last unfinished unless its quote is closed."""
    terms: list[Term] = []
    for number, piece in enumerate(query.split('"')):
        pieces = list(runs(piece))
        if number % 2:
            terms += [_phrase(pieces)] if pieces else []
        else:
            terms += [_phrase([run]) for run in pieces]
        unfinished = bool(pieces)
    if unfinished:
        terms[-1] = Term(terms[-1].words, prefix=True)
    return list(dict.fromkeys(terms))[:MOST_TERMS]


def _phrase(pieces: list[Run]) -> Term:
    """Join runs that follow one another. Of a stretch without blanks, the last lone character stays open."""
    found = [word.word for run in pieces for word in run.words]
    if not pieces[-1].continuous:
        return Term(tuple(found))
    if len(pieces[-1].words) > 1:
        return Term(tuple(found[:-1]))
    return Term(tuple(found), prefix=True)

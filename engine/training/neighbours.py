"""Passages that look like an answer and are none: what a reader must learn to pass over."""

import re
import sqlite3
from collections.abc import Iterable

from engine.answering.found import ARTICLES
from engine.training.answers import WORD, Exercise


class FoundPassages:
    """Full-text search over passages, in memory."""

    def __init__(self, passages: Iterable[str]) -> None:
        self._index = sqlite3.connect(":memory:")
        self._index.execute("create virtual table passages using fts5(text, tokenize = 'porter unicode61')")
        self._index.executemany("insert into passages values (?)", ((one,) for one in passages))

    def numbers(self, question: str, count: int) -> list[int]:
        """Return the numbers of up to `count` passages most like a question, the best first."""
        words = dict.fromkeys(word.casefold() for word in WORD.findall(question))
        asked = " OR ".join('"' + word.replace('"', "") + '"' for word in words)
        if not asked or count < 1:
            return []
        rows = self._index.execute(
            "select rowid from passages where passages match ? order by rank limit ?", (asked, count)
        )
        return [number - 1 for (number,) in rows]


class Neighbours:
    """Passages that are like a question and do not answer it."""

    def __init__(self, passages: Iterable[str]) -> None:
        self._passages = list(passages)
        self._found = FoundPassages(self._passages)

    def of(self, exercise: Exercise, count: int) -> list[str]:
        """Return up to `count` passages most like the question that hold none of its accepted answers."""
        refused = [plain(answer) for answer in exercise.answers]
        found = []
        for number in self._found.numbers(exercise.question, count + 4) if count > 0 else ():
            text = self._passages[number]
            said = plain(text)
            if text != exercise.passage and not any(answer in said for answer in refused if answer.strip()):
                found.append(text)
        return found[:count]


def plain(text: str) -> str:
    """Return the words of a text in lower case without articles, each between blanks: "Tansy's" is two."""
    words = [word for word in re.findall(r"\w+", text.casefold()) if word not in ARTICLES]
    return f" {' '.join(words)} "

"""Questions with the passages that answer them, or do not: what the reading layers learn from.

Every row of the sets becomes an `Exercise`: a question, a passage, and where in it the answer stands.
An answer in other words counts as the passage's most similar words, where these are similar enough.
"""

import hashlib
import random
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from engine.answering.found import ARTICLES
from engine.training.questions import read_rows

LONGEST_PASSAGE = 1500  # characters
SIMILAR = 0.6  # F1 of words between an answer in other words and the words of the passage
LONGEST_SPAN = 30  # words
WORD = re.compile(r"\w+(?:[’'-]\w+)*")
YES_NO = {"yes": "yes", "no": "no", "true": "yes", "false": "no"}


@dataclass(frozen=True)
class Exercise:
    """A question about a passage.

    spans: (start, end) characters of the passage that answer; empty where it does not tell, or where kind is
    "yes" or "no". answers: accepted words. document: what the passage was taken from. beside: passages of the
    same document that do not tell. among: passages with spans of accepted words, one or more of which answer.
    """

    question: str
    passage: str
    spans: tuple[tuple[int, int], ...]
    answers: tuple[str, ...]
    kind: str = "span"
    document: str = ""
    held_out: bool = False
    beside: tuple[str, ...] = ()
    among: tuple[tuple[str, tuple[tuple[int, int], ...]], ...] = ()


def exercises(file: Path) -> Iterator[Exercise]:
    """Yield an exercise for every usable row of passage, question and answers."""
    for row in read_rows(file):
        if 0 < len(row["passage"]) <= LONGEST_PASSAGE and (made := exercise_of(row)) is not None:
            yield made


def exercise_of(row: dict) -> Exercise | None:
    """Return the exercise of a row, None where its answer is no stretch of its passage, or too long."""
    passage, answers = row["passage"], tuple(row.get("answers") or [row.get("answer", "")])
    kind = YES_NO.get(answers[0].casefold().strip(". "), "span")
    spans = tuple((start, end) for start, end in row.get("spans", ()))
    if kind == "span" and row.get("answerable", True) and not spans:
        start = row.get("answer_start")
        found = (start, start + len(answers[0])) if start is not None else similar_span(passage, answers)
        if found is None or len(passage[slice(*found)].split()) > LONGEST_SPAN:
            return None
        spans = (found,)
    held_out = row.get("split") == "dev" or is_held_out(passage)
    beside = tuple(row.get("beside", ()))
    return Exercise(row["question"], passage, spans, answers, kind, row.get("source", ""), held_out, beside)


def is_held_out(passage: str, share: float = 0.01) -> bool:
    """Tell whether a passage is kept for validation, by a hash of its text."""
    return int(hashlib.blake2b(passage.encode(), digest_size=4).hexdigest(), 16) < share * 2**32


def words_of(text: str) -> list[str]:
    """Return the words of a text as answers are compared: lower case, without articles."""
    return [word for word in WORD.findall(text.casefold()) if word not in ARTICLES]


def overlap(words: list[str], others: list[str]) -> float:
    """Return the F1 of two lists of words: overlap(["a", "b"], ["b", "c"]) = 0.5."""
    common = sum((Counter(words) & Counter(others)).values())
    return 2 * common / (len(words) + len(others)) if common else 0.0


def similar_span(passage: str, answers: Iterable[str]) -> tuple[int, int] | None:
    """Return the characters of the passage whose words are most like one of the answers, None below .6."""
    best, found = SIMILAR, None
    for answer in answers:
        if answer and (at := passage.casefold().find(answer.casefold().strip(" ."))) >= 0:
            return at, at + len(answer.strip(" ."))
    words = [(match.group().casefold(), match.start(), match.end()) for match in WORD.finditer(passage)]
    for answer in answers:
        wanted = words_of(answer)
        known = set(wanted)
        starts = [at for at, (word, _, _) in enumerate(words) if word in known]
        for first in starts:
            for last in (at for at in starts if first <= at < first + len(wanted) + 6):
                inside = [word for word, _, _ in words[first : last + 1] if word not in ARTICLES]
                score = overlap(inside, wanted)
                if score > best:
                    best, found = score, (words[first][1], words[last][2])
    return found


def grouped(rows: Iterable[Exercise], seed: int = 0) -> list[list[Exercise]]:
    """Return the exercises by passage, in random order of the passages."""
    by_passage: dict[str, list[Exercise]] = {}
    for row in rows:
        by_passage.setdefault(row.passage, []).append(row)
    groups = list(by_passage.values())
    random.Random(seed).shuffle(groups)
    return groups

"""Spelling: the words of a book that a mistyped one may mean, one letter away."""

import sqlite3

from engine.shelf.words import Word, words

LEAST = 3


def corrected(db: sqlite3.Connection, query: str) -> str:
    """Return a query with each word that the index has not put right; '' where nothing is alike.

    Of several words that are alike the most frequent counts. The last word may be unfinished, as in a search.
    """
    known = _vocabulary(db)
    found = words(query)
    pieces, at = [], 0
    for word in found:
        right = _right(word, known, is_last=word is found[-1])
        if not right:
            return ""
        pieces += [query[at : word.start], query[word.start : word.end] if right == word.word else right]
        at = word.end
    return "".join([*pieces, query[at:]])


def _vocabulary(db: sqlite3.Connection) -> dict[str, int]:
    db.execute("CREATE VIRTUAL TABLE IF NOT EXISTS temp.vocabulary USING fts5vocab(main, exact, row)")
    return dict(db.execute("SELECT term, cnt FROM temp.vocabulary"))


def _right(word: Word, known: dict[str, int], is_last: bool) -> str:
    typed = word.word
    if typed in known or (is_last and any(one.startswith(typed) for one in known)):
        return typed
    if len(typed) < LEAST:
        return ""
    alike = [one for one in known if abs(len(one) - len(typed)) <= 1 and one_letter_apart(one, typed)]
    return max(alike, key=lambda one: (known[one], one), default="")


def one_letter_apart(one: str, other: str) -> bool:
    """Tell whether a letter more, less, other, or two letters swapped make one word of the other."""
    if len(one) > len(other):
        one, other = other, one
    at = next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), len(one))
    rest, others = one[at:], other[at:]
    if len(one) < len(other):
        return rest == others[1:] and len(other) - len(one) == 1
    swapped = len(rest) > 1 and rest[0] == others[1] and rest[1] == others[0] and rest[2:] == others[2:]
    return rest[1:] == others[1:] or swapped

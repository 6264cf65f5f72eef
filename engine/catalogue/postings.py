"""Postings: which book holds which stem how often, for a first choice among thousands of books by words.

A stem is kept as a number that cannot be turned back into a word; two stems with the same number make a book
look a little better than it is, and exact ranking puts that right.
"""

import sqlite3
import zlib
from collections.abc import Iterable, Mapping

import numpy as np

from engine.shelf.bm25 import score_books
from engine.shelf.terms import HAN, Stem

SCHEMA = """
CREATE TABLE IF NOT EXISTS postings (
    stem INTEGER, book INTEGER, count INTEGER, PRIMARY KEY (stem, book)
) WITHOUT ROWID
"""


def number_of(stem: str) -> int:
    """Return the number that stands for a stem."""
    return zlib.crc32(stem.encode("utf-8", "surrogatepass"))


def insert(db: sqlite3.Connection, books: Mapping[int, Mapping[str, int]]) -> None:
    """Enter the stems of books with their counts, by the number of each book."""
    rows = [(stem, book, count) for book, stems in books.items() for stem, count in _counts(stems).items()]
    # in the order in which they lie: otherwise every stem of every book is a page of its own
    db.executemany("INSERT INTO postings VALUES (?, ?, ?)", sorted(rows))


def kept(stems: Iterable[str]) -> bytes:
    """Return what `delete` needs to find again what was entered of a book with these stems."""
    return np.array(sorted(_counts(dict.fromkeys(stems, 0))), "<u4").tobytes()


def delete(db: sqlite3.Connection, book: int, stems: bytes) -> None:
    """Delete what was entered of a book."""
    numbers = np.frombuffer(stems, "<u4").tolist()
    db.executemany("DELETE FROM postings WHERE stem = ? AND book = ?", [(one, book) for one in numbers])


def scores(db: sqlite3.Connection, stems: Iterable[Stem], lengths: Mapping[int, int]) -> dict[int, float]:
    """Score books by BM25 as if each were one passage; books without any of the stems are left out.

    lengths: words of every book that may be found, by its number.
    """
    counts = []
    for number in {number_of(stem.text) for stem in stems}:
        rows = db.execute("SELECT book, count FROM postings WHERE stem = ?", (number,)).fetchall()
        counts.append({book: count for book, count in rows if book in lengths})
    return score_books(counts, lengths)


def _counts(stems: Mapping[str, int]) -> dict[int, int]:
    """Count stems by their numbers; a Chinese word counts for its first character too."""
    counts: dict[int, int] = {}
    for stem, count in stems.items():
        for part in {stem, stem[0]} if HAN.match(stem) else {stem}:
            number = number_of(part)
            counts[number] = counts.get(number, 0) + count
    return counts

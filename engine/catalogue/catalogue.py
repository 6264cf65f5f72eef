"""Catalogue: vectors and word counts of every book, from which a question about all of them is narrowed.

Everything in its folder is made of the books and can be made again. Vectors of a book are one file. Books
that were added lately are compared vector by vector; when they are many they go into the index file, a new
one each time, so that whoever has the old one mapped is not disturbed. What was deleted is masked until then.
"""

import contextlib
import json
import secrets
import shutil
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from engine.catalogue import nearest, postings
from engine.catalogue.view import Allowed, Found, Row, View
from engine.locks import FileLock
from engine.shelf.identifiers import checked
from engine.shelf.terms import Stem

FORMAT = 2
LATE = 16_384  # vectors outside the index file that are always borne, and
LATE_SHARE = 8  # one for so many within
TRAINED_FOR = 4  # a trained index serves until there are so many times the vectors it was trained for
SAMPLE = 262_144  # vectors that an index is trained with, at most
TOGETHER = 64  # books that are entered at once
FILES = "index-*.faiss"
SCHEMA = f"""
CREATE TABLE IF NOT EXISTS about (name TEXT PRIMARY KEY, value);
CREATE TABLE IF NOT EXISTS books (
    number INTEGER PRIMARY KEY, id TEXT UNIQUE, created REAL, first INTEGER, passages INTEGER,
    words INTEGER, stems BLOB, indexed INTEGER
);
{postings.SCHEMA};
"""


@dataclass(frozen=True)
class Volume:
    """What is entered of a book: when it came to the shelf, vectors (passages, dim), stems with counts."""

    id: str
    created: float
    vectors: np.ndarray
    stems: Mapping[str, int]


class Catalogue:
    """The catalogue in one folder. fingerprint: names the map that makes the vectors, of `dim` numbers each.

    Whatever is damaged, missing or of another map is taken for an empty catalogue, which `put` fills again.
    Without a fingerprint books can be listed and dropped, whatever map they are of.
    """

    def __init__(
        self,
        folder: Path,
        locks: Path,
        fingerprint: str | None = None,
        dim: int = 1,
        exact_below: int = nearest.EXACT_VECTORS,
    ) -> None:
        self.folder, self.dim = folder, dim
        self._map = fingerprint and f"{FORMAT}-{fingerprint}-{dim}"
        self._exact_below = exact_below
        self._writing = locks / "catalogue.lock"
        self._view: View | None = None
        self._opening = threading.Lock()

    def books(self) -> dict[str, float]:
        """Return the books that are in it, each with the time at which it came to the shelf."""
        if not self._is_usable():
            return {}
        with contextlib.closing(self._connection()) as db:
            return dict(db.execute("SELECT id, created FROM books").fetchall())

    def put(self, book: str, created: float, vectors: np.ndarray, stems: Mapping[str, int]) -> None:
        """Enter a book (again). vectors: (passages, dim). stems: how often each stands in it."""
        self.put_all([Volume(book, created, vectors, stems)])

    def put_all(self, volumes: Iterable[Volume]) -> None:
        """Enter books (again), `TOGETHER` at a time: their words lie close, and are written at once."""
        for some in _batched(volumes, TOGETHER):
            with self._changing() as db:
                postings.insert(db, {self._put(db, one): one.stems for one in some})
            self._settle()

    def drop(self, book: str) -> None:
        """Delete a book, where it is in it."""
        if book in self.books():
            with self._changing() as db:
                self._delete(db, book)

    def keep_only(self, books: Mapping[str, float]) -> None:
        """Delete all books but these, known by the time at which they came to the shelf."""
        for book, created in self.books().items():
            if books.get(book) != created:
                self.drop(book)

    def clear(self) -> None:
        """Delete it all, as for one that turns out to be damaged inside."""
        with FileLock(self._writing):
            self._view = None
            shutil.rmtree(self.folder, ignore_errors=True)

    def nearest(self, queries: np.ndarray, k: int, allowed: Allowed | None = None) -> list[list[Found]]:
        """Find the k passages most like each query (n, dim), best first. allowed: None for all books."""
        return self._open().nearest(queries, k, allowed)

    def by_words(self, stems: list[Stem], books: Mapping[str, object] | None = None) -> list[str]:
        """Rank the books that hold any of the stems, best first. books: those that may be found."""
        rows = {row.number: row for row in self._open().rows if books is None or row.id in books}
        if not rows:
            return []
        with contextlib.closing(self._connection()) as db:
            found = postings.scores(db, stems, {number: row.words for number, row in rows.items()})
        return [rows[number].id for number in sorted(found, key=lambda one: (-found[one], one))]

    def vectors(self, book: str) -> np.ndarray:
        """Return the vectors (passages, dim) float16 of a book."""
        return np.load(self._vectors(book))

    def bytes(self) -> int:
        """Return how much of the disk it takes, without the vectors that the index is made of."""
        files = [self._database, *self.folder.glob(FILES)]
        return sum(path.stat().st_size for path in files if path.exists())

    def settle(self) -> None:
        """Put every book into the index file, which happens by itself where many came or went."""
        with self._changing() as db:
            self._reindex(db)
        self._view = None  # lets go of the old file
        self._delete_old()

    # inside

    def _put(self, db: sqlite3.Connection, volume: Volume) -> int:
        """Enter a book with its vectors, without its words; returns its number."""
        self._delete(db, volume.id)
        path = self._vectors(volume.id)
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, np.asarray(volume.vectors, np.float16))
        first = self._about(db, "next", 0)
        self._tell(db, "next", first + len(volume.vectors))
        row = db.execute(
            "INSERT INTO books (id, created, first, passages, words, stems, indexed)"
            " VALUES (?, ?, ?, ?, ?, ?, 0) RETURNING number",
            (
                volume.id,
                volume.created,
                first,
                len(volume.vectors),
                sum(volume.stems.values()),
                postings.kept(volume.stems),
            ),
        )
        return row.fetchone()[0]

    @property
    def _database(self) -> Path:
        return self.folder / "catalogue.db"

    def _vectors(self, book: str) -> Path:
        return self.folder / "vectors" / f"{checked(book)}.npy"

    def _connection(self) -> sqlite3.Connection:
        db = sqlite3.connect(self._database, timeout=30.0)
        db.execute("PRAGMA secure_delete=ON").fetchall()
        return db

    @contextlib.contextmanager
    def _changing(self) -> Iterator[sqlite3.Connection]:
        """Change the database, all or nothing; what is damaged or of another map is made anew before."""
        with FileLock(self._writing):
            self.folder.mkdir(parents=True, exist_ok=True)
            if self._database.exists() and not self._is_usable():
                self._view = None
                shutil.rmtree(self.folder)
                self.folder.mkdir()
            with contextlib.closing(self._connection()) as db:
                db.executescript(SCHEMA)
                with db:
                    yield db
                    if self._map is not None:
                        self._tell(db, "map", self._map)
                    self._tell(db, "state", secrets.randbits(62))

    def _is_usable(self) -> bool:
        """Tell whether there is a database that can be read and is of this map."""
        if not self._database.exists():
            return False
        try:
            with contextlib.closing(self._connection()) as db:
                known = self._about(db, "map", "")
                return known != "" and self._map in (None, known)
        except sqlite3.DatabaseError:
            return False

    def _open(self) -> View:
        """Return what is in the catalogue now. An index file that is lost or damaged is made again first."""
        with self._opening:
            if not self._is_usable():
                return View(0, [], None, 0, np.zeros((0, self.dim), np.float32))
            try:
                return self._current()
            except (RuntimeError, OSError, ValueError):
                with self._changing() as db:
                    db.execute("UPDATE books SET indexed = 0")
                    self._tell(db, "file", "")
                    self._reindex(db)
                return self._current()

    def _current(self) -> View:
        with contextlib.closing(self._connection()) as db:
            state = self._about(db, "state", 0)
            if self._view is None or self._view.state != state:
                file, rows = self._about(db, "file", ""), self._rows(db)
                index = nearest.mapped(self.folder / file) if file else None
                late = [self.vectors(row.id) for row in rows if not row.indexed]
                together = np.concatenate([np.zeros((0, self.dim), np.float16), *late]).astype(np.float32)
                self._view = View(state, rows, index, self._about(db, "next", 0), together)
        return self._view

    @staticmethod
    def _rows(db: sqlite3.Connection) -> list[Row]:
        sql = "SELECT number, id, created, first, passages, words, indexed FROM books ORDER BY number"
        return [Row(*row) for row in db.execute(sql)]

    def _settle(self) -> None:
        """Renew the index file where too much came or went since."""
        with contextlib.closing(self._connection()) as db:
            sums = dict(db.execute("SELECT indexed, sum(passages) FROM books GROUP BY indexed").fetchall())
            late, indexed = sums.get(0, 0), sums.get(1, 0)
            gone = self._about(db, "held", 0) - indexed
        if max(late, gone) > max(LATE, indexed // LATE_SHARE):
            self.settle()

    def _reindex(self, db: sqlite3.Connection) -> None:
        """Write the next index file: the last one with what came and without what went, or a new one."""
        for row in self._rows(db):
            if not self._vectors(row.id).is_file():  # it is entered again when its absence is seen
                self._delete(db, row.id)
        rows = self._rows(db)
        total, trained = sum(row.passages for row in rows), self._about(db, "trained", 0)
        file = self._about(db, "file", "")
        index = nearest.loaded(self.folder / file) if file else None
        is_exact = total <= self._exact_below
        if index is not None and nearest.is_exact(index) == is_exact and total <= TRAINED_FOR * trained:
            nearest.remove_others(index, [(row.first, row.passages) for row in rows if row.indexed])
            late = [row for row in rows if not row.indexed]
        else:
            index = nearest.new_index(self.dim, total, self._sample(rows, is_exact), self._exact_below)
            self._tell(db, "trained", total)
            late = rows
        for row in late:
            vectors = self.vectors(row.id).astype(np.float32)
            index.add_with_ids(vectors, np.arange(row.first, row.first + row.passages))
        name = f"index-{secrets.token_hex(4)}.faiss"
        nearest.write(index, self.folder / name)
        self._tell(db, "file", name)
        self._tell(db, "held", total)
        db.execute("UPDATE books SET indexed = 1")

    def _sample(self, rows: list[Row], is_exact: bool) -> np.ndarray:
        """Draw vectors of all books alike, to train an index with; none where it needs no training."""
        if is_exact:
            return np.zeros((0, self.dim), np.float32)
        step = max(1, sum(row.passages for row in rows) // SAMPLE)
        parts = (np.load(self._vectors(row.id), mmap_mode="r")[row.number % step :: step] for row in rows)
        return np.concatenate(list(parts)).astype(np.float32)

    def _delete_old(self) -> None:
        with contextlib.closing(self._connection()) as db:
            kept = self._about(db, "file", "")
        for path in self.folder.glob(FILES):
            if path.name != kept:
                with contextlib.suppress(OSError):  # held open by another (Windows)
                    path.unlink()

    @staticmethod
    def _about(db: sqlite3.Connection, name: str, default: Any) -> Any:
        row = db.execute("SELECT value FROM about WHERE name = ?", (name,)).fetchone()
        return default if row is None else json.loads(row[0])

    @staticmethod
    def _tell(db: sqlite3.Connection, name: str, value: object) -> None:
        db.execute("INSERT OR REPLACE INTO about VALUES (?, ?)", (name, json.dumps(value)))

    def _delete(self, db: sqlite3.Connection, book: str) -> None:
        for number, stems in db.execute("SELECT number, stems FROM books WHERE id = ?", (book,)).fetchall():
            postings.delete(db, number, stems)
            db.execute("DELETE FROM books WHERE number = ?", (number,))
        self._vectors(book).unlink(missing_ok=True)


def _batched(volumes: Iterable[Volume], most: int) -> Iterator[list[Volume]]:
    """Yield volumes together, so many at a time."""
    left = iter(volumes)
    while some := list(islice(left, most)):
        yield some

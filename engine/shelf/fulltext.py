"""Full-text search over the passages of documents: one small SQLite file each, never changed in place.

The file is written under another name and renamed, then opened read-only and immutable: searching takes no
lock and meets no half index, indexing never holds up the shelf, and deleting a document's folder deletes its
words with it (a shared FTS5 table keeps deleted words for long).

Scores are BM25 (Robertson and Zaragoza 2009, k1 = 1.2, b = 0.75) with every statistic taken over the searched
range alone. FTS5's own bm25() counts the whole table: what a reader has not reached would shape the order of
what he has, and a name that fills its book would count for nothing. So a search up to a place returns to the
last bit what it would return if the book ended there.
"""

import contextlib
import os
import secrets
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from engine.errors import Failure
from engine.parsed import read_document
from engine.paths import PROGRAM, Paths
from engine.shelf.bm25 import bm25, score_books
from engine.shelf.identifiers import SHAPE, checked
from engine.shelf.spelling import corrected
from engine.shelf.sqlite import sqlite_utils
from engine.shelf.terms import Stem, Term, box_terms, question_names, question_terms, stems
from engine.shelf.words import words
from engine.sums import file_hash
from ingest.document import Document
from ingest.passages import Passage, passages

FORMAT = 1
FILE_NAME = "fulltext.db"
SUM_NAME = "fulltext.sum"

SCHEMA = """
CREATE TABLE passages (id INTEGER PRIMARY KEY, number INTEGER, start INTEGER, end INTEGER, words INTEGER);
CREATE TABLE texts (id INTEGER PRIMARY KEY, text TEXT);
CREATE VIRTUAL TABLE exact USING fts5(words, content='', tokenize='ascii');
CREATE VIRTUAL TABLE stems USING fts5(words, content='', tokenize='porter ascii');
CREATE VIRTUAL TABLE occurrences USING fts5vocab('stems', 'instance');
"""

# what to search: None = every indexed document; one id; ids; or ids with a character range (lo, hi) each
Documents = str | Iterable[str] | Mapping[str, tuple[int, int | None]] | None


# how often stems stand in one passage
Counts = dict[Stem, int]


@dataclass(frozen=True)
class Hit:
    """One passage found. All offsets count characters of the document; `spans` are the words that matched."""

    document: str
    index: int
    start: int
    end: int
    score: float
    text: str
    spans: tuple[tuple[int, int], ...]


@dataclass
class _Part:
    """The passages of one document that are searched: rows `first` to `last`."""

    document: str
    first: int
    last: int
    rows: int
    words: int


@dataclass(frozen=True)
class Found:
    """What a search gave: its hits, how many there are without its limit, and the query that gave them."""

    query: str
    hits: list[Hit]
    total: int


class NoIndex(Failure):
    """The document was never indexed, or by another version of this program."""


class FullText:
    """Search in the documents of one data folder."""

    def __init__(self, paths: Paths):
        self.paths = paths
        # puts a lost or damaged index back, told its document's id; where it is not set, a search refuses
        self.remake: Callable[[str], object] | None = None

    def index(self, document: str, passages: Iterable[tuple[int, int, int, str]]) -> int:
        """Build an index (again) from rows (index, start, end, text) in reading order; returns how many.

        Raises ValueError when rows run backwards, Failure when the file cannot be written.
        """
        return write_index(self._path(document).parent, passages)

    def has(self, document: str) -> bool:
        """Tell whether the document has an index that this program can read; if not, `index` it (again)."""
        try:
            with self._open(document):
                return True
        except NoIndex:
            return False

    def is_whole(self, document: str) -> bool:
        """Say whether the index of a document is there and, where its sum was kept, as it was written."""
        known = self._path(document).with_name(SUM_NAME)
        if not self.has(document):
            return False
        return not known.exists() or known.read_text() == file_hash(self._path(document))

    def rank(self, question: str, documents: Documents = None, *, limit: int = 10) -> list[Hit]:
        """Rank the passages that share most with a question: any of its content words, stemmed.

        Of a document with a range of characters only passages wholly inside it are looked at.
        """
        return self.rank_both(question, documents, limit=limit)[0]

    def rank_both(
        self, question: str, documents: Documents = None, *, limit: int = 10
    ) -> tuple[list[Hit], dict[str, float]]:
        """Rank passages as `rank` does, and score what may be read of each document as if it were one.

        A name counts for a document only where it is written as one: of "Who is Grace's father?" grace said
        over a meal is none. Where no document has it so, it counts as any word.
        """
        query, names = question_terms(question), question_names(question)
        found: dict[tuple[str, int], Counts] = {}
        lengths: dict[tuple[str, int], int] = {}
        parts = []
        named: dict[Stem, dict[str, int]] = defaultdict(dict)
        for part, db in self._parts(documents):
            parts.append(part)
            for stem, name in names.items():
                if count := _count_named(db, stem, name, part):
                    named[stem][part.document] = count
            for row, counts in _counts(db, query, part).items():
                found[part.document, row] = counts
                lengths[part.document, row] = _one(db, "SELECT words FROM passages WHERE id = ?", row)
        weigh = _weigher(parts, found.values())
        scores = {key: weigh(counts, lengths[key]) for key, counts in found.items()}
        best = sorted(scores, key=lambda key: (-scores[key], key))[:limit]
        hits = {}
        for document in dict.fromkeys(document for document, _ in best):
            with self._open(document) as db:
                for key in (key for key in best if key[0] == document):
                    hits[key] = _ranked_hit(db, key, scores[key], query)
        held: dict[Stem, dict[str, int]] = defaultdict(lambda: defaultdict(int))
        for (document, _), counts in found.items():
            for stem, count in counts.items():
                held[stem][document] += count
        books = score_books((held | named).values(), {part.document: part.words for part in parts})
        return [hits[key] for key in best], books

    def search(self, query: str, documents: Documents = None, *, limit: int = 50) -> list[Hit]:
        """Find the passages that hold all words of a query, in reading order, as a search box does.

        The last word may be unfinished; words in double quotes must stand together. Range as in `rank`.
        """
        terms = box_terms(query)
        if not terms:
            return []
        hits: list[Hit] = []
        parts, total = [], 0
        for part, db in self._parts(documents):
            parts.append(part)
            rows = _matching_rows(db, terms, part)
            hits += [_searched_hit(db, part.document, row, terms) for row in rows[: limit - len(hits)]]
            total += len(rows)
        return _scored(hits, terms, parts, total)

    def search_forgiving(self, query: str, documents: Documents = None, *, limit: int = 50) -> Found:
        """Search; where nothing has all the words, with those of the books that are one letter away."""
        hits = self.search(query, documents, limit=limit)
        if not hits:
            guesses = [corrected(db, query) for _, db in self._parts(documents)]
            tried = dict.fromkeys(guess for guess in guesses if guess and guess != query)
            found = [Found(guess, self.search(guess, documents, limit=limit),
                           self.count(guess, documents)) for guess in tried]  # fmt: skip
            if found and (best := max(found, key=lambda one: one.total)).total:
                return best
        return Found(query, hits, self.count(query, documents) if len(hits) == limit else len(hits))

    def count(self, query: str, documents: Documents = None) -> int:
        """Count the passages that `search` would find without its limit."""
        terms = box_terms(query)
        if not terms:
            return 0
        return sum(len(_matching_rows(db, terms, part)) for part, db in self._parts(documents))

    def passages(self, document: str) -> list[Passage]:
        """Return the passages that are indexed, in reading order; none where there is no index."""
        with contextlib.suppress(NoIndex), self._open(document) as db:
            rows = db.execute("SELECT number, start, end FROM passages ORDER BY id").fetchall()
            return [Passage(*row) for row in rows]
        return []

    def stems(self, document: str) -> dict[str, int]:
        """Count how often each stem stands in a document. Raises NoIndex."""
        with self._open(document) as db:
            db.execute("CREATE VIRTUAL TABLE temp.counted USING fts5vocab('main', 'stems', 'row')")
            return dict(db.execute("SELECT term, cnt FROM temp.counted").fetchall())

    # inside

    def _path(self, document: str) -> Path:
        return self.paths.document(checked(document)) / FILE_NAME

    @contextlib.contextmanager
    def _open(self, document: str) -> Iterator[sqlite3.Connection]:
        missing = (
            f"document {document} has no full-text index of this version: {PROGRAM} doctor --repair"
            " makes it from the text"
        )
        # immutable: nobody ever changes a file that has this name
        address = f"{self._path(document).resolve().as_uri()}?mode=ro&immutable=1"
        try:
            db = sqlite3.connect(address, uri=True)
        except sqlite3.OperationalError:
            raise NoIndex(missing) from None
        with contextlib.closing(db):
            if not _is_readable(db):
                raise NoIndex(missing)
            yield db

    def _parts(self, documents: Documents) -> Iterator[tuple[_Part, sqlite3.Connection]]:
        for document, (low, high) in self._ranges(documents).items():
            # of the whole shelf, those are searched that can be
            tolerated = (NoIndex,) if documents is None else ()
            if not tolerated and self.remake is not None and not self.has(document):
                self.remake(document)
            with contextlib.suppress(*tolerated), self._open(document) as db:
                part = _part(db, document, low, high)
                if part.rows:
                    yield part, db

    def _ranges(self, documents: Documents) -> dict[str, tuple[int, int | None]]:
        if documents is None:
            indexes = sorted(self.paths.documents.glob(f"[!.]*/{FILE_NAME}"))
            documents = [path.parent.name for path in indexes if SHAPE.fullmatch(path.parent.name)]
        if isinstance(documents, Mapping):
            return dict(documents)
        if isinstance(documents, str):
            documents = [documents]
        return dict.fromkeys(documents, (0, None))


def write_index(folder: Path, passages: Iterable[tuple[int, int, int, str]]) -> int:
    """Write an index into the folder of a document, see `FullText.index`."""
    temporary = folder / f".fulltext-{secrets.token_hex(4)}.db"
    try:
        count = _build(temporary, passages)
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        (folder / SUM_NAME).write_text(file_hash(temporary))
        temporary.replace(folder / FILE_NAME)
    except (sqlite3.OperationalError, OSError) as error:
        raise Failure(f"the full-text index of {folder.name} cannot be written: {error}") from error
    finally:
        temporary.unlink(missing_ok=True)
    return count


def index_text(folder: Path, document: Document) -> None:
    """Write the index of a whole document, see `write_index`."""
    text = document.text
    write_index(
        folder, ((one.index, one.start, one.end, text[one.start : one.end]) for one in passages(document))
    )


def index_folder(folder: Path) -> None:
    """Write the index of the document that was parsed into a folder, see `index_text`.

    It is read where the work is done: handed over, a document of millions of letters would hold up the page.
    """
    index_text(folder, read_document(folder))


def _build(path: Path, passages: Iterable[tuple[int, int, int, str]]) -> int:
    count, last_start, last_end = 0, -1, -1
    with sqlite_utils.Database(path, execute_plugins=False) as db:
        # nobody sees this file before it is whole
        db.execute("PRAGMA journal_mode=OFF").fetchall()
        db.execute("PRAGMA synchronous=OFF")
        db.executescript(SCHEMA)
        with db.atomic():
            for number, start, end, text in passages:
                if start < last_start or end < last_end:
                    raise ValueError(f"passage {number} runs backwards")
                count, last_start, last_end = count + 1, start, end
                _insert(db.conn, count, number, start, end, text)
        for table in ("exact", "stems"):
            db.execute(f"INSERT INTO {table}({table}) VALUES ('optimize')")
        db.execute(f"PRAGMA user_version = {FORMAT}")
        db.vacuum()
    return count


def _insert(db: sqlite3.Connection, row: int, number: int, start: int, end: int, text: str) -> None:
    found = words(text)
    joined = " ".join(word.word for word in found)
    storable = text.encode("utf-8", "replace").decode("utf-8")
    db.execute("INSERT INTO passages VALUES (?, ?, ?, ?, ?)", (row, number, start, end, len(found)))
    db.execute("INSERT INTO texts VALUES (?, ?)", (row, storable))
    db.execute("INSERT INTO exact(rowid, words) VALUES (?, ?)", (row, joined))
    db.execute("INSERT INTO stems(rowid, words) VALUES (?, ?)", (row, joined))


def _one(db: sqlite3.Connection, sql: str, *values: object) -> int:
    return db.execute(sql, values).fetchone()[0]


def _is_readable(db: sqlite3.Connection) -> bool:
    try:
        return _one(db, "PRAGMA user_version") == FORMAT
    except sqlite3.DatabaseError:
        return False


def _part(db: sqlite3.Connection, document: str, lo: int, hi: int | None) -> _Part:
    """Find the rows wholly inside the range: as rows are in reading order, they are a stretch of numbers."""
    sql = "SELECT min(id), max(id), count(*), sum(words) FROM passages WHERE start >= ? AND end <= ?"
    first, last, rows, total = db.execute(sql, (lo, sqlite_end(hi))).fetchone()
    return _Part(document, first or 0, last or -1, rows, total or 0)


def sqlite_end(hi: int | None) -> int:
    """Return the end for SQLite: no end is its greatest integer."""
    return 2**63 - 1 if hi is None else hi


def _counts(db: sqlite3.Connection, query: list[Stem], part: _Part) -> dict[int, Counts]:
    """Count, by row that holds a stem of the query, how often each stem stands there."""
    where = "term BETWEEN ? AND ? AND doc BETWEEN ? AND ?"
    sql = f"SELECT doc, count(*) FROM occurrences WHERE {where} GROUP BY doc"
    rows: dict[int, Counts] = {}
    for stem in query:
        for row, count in db.execute(sql, (stem.text, stem.last, part.first, part.last)):
            rows.setdefault(row, {})[stem] = count
    return rows


def _count_named(db: sqlite3.Connection, stem: Stem, name: str, part: _Part) -> int:
    """Count a stem in those rows of a part that hold the name as it is written, or in capitals."""
    sql = (
        "SELECT count(*) FROM occurrences JOIN texts ON texts.id = doc WHERE term = ? AND doc BETWEEN ? AND ?"
        " AND (instr(text, ?) OR instr(text, ?))"
    )
    return _one(db, sql, stem.text, part.first, part.last, name, name.upper())


def _weigher(parts: list[_Part], found: Iterable[Counts]) -> Callable[[Counts, int], float]:
    """Make the scoring function of one search; its statistics are of the searched rows of all documents."""
    rows = sum(part.rows for part in parts)
    mean_length = sum(part.words for part in parts) / max(1, rows) or 1.0
    rows_with: dict[Stem, int] = defaultdict(int)
    for terms in found:
        for term in terms:
            rows_with[term] += 1

    def weigh(terms: Counts, length: int) -> float:
        return sum(bm25(count, length, mean_length, rows, rows_with[term]) for term, count in terms.items())

    return weigh


def _ranked_hit(db: sqlite3.Connection, key: tuple[str, int], score: float, query: list[Stem]) -> Hit:
    document, row = key
    index, start, end, text = _passage(db, row)
    found = words(text)
    wanted = [(one.text, one.last) for one in query]
    spans = [
        (word.start, word.end)
        for word, stem in zip(found, stems(tuple(word.word for word in found)), strict=True)
        if any(first <= stem <= last for first, last in wanted)
    ]
    return Hit(document, index, start, end, score, text, _joined(spans, start))


def _passage(db: sqlite3.Connection, row: int) -> tuple[int, int, int, str]:
    sql = "SELECT number, start, end, text FROM passages JOIN texts USING (id) WHERE id = ?"
    return db.execute(sql, (row,)).fetchone()


def _joined(spans: list[tuple[int, int]], start: int) -> tuple[tuple[int, int], ...]:
    """Turn spans of a passage into spans of the document; those that overlap become one."""
    joined: list[tuple[int, int]] = []
    for first, last in sorted(spans):
        if joined and first < joined[-1][1]:
            joined[-1] = (joined[-1][0], max(last, joined[-1][1]))
        else:
            joined.append((first, last))
    return tuple((first + start, last + start) for first, last in joined)


def _matching_rows(db: sqlite3.Connection, terms: list[Term], part: _Part) -> list[int]:
    expression = " AND ".join(term.expression for term in terms)
    sql = "SELECT rowid FROM exact WHERE exact MATCH ? AND rowid BETWEEN ? AND ? ORDER BY rowid"
    return [row for (row,) in db.execute(sql, (expression, part.first, part.last))]


def _searched_hit(db: sqlite3.Connection, document: str, row: int, terms: list[Term]) -> Hit:
    index, start, end, text = _passage(db, row)
    found = words(text)
    spans = [span for term in terms for span in term.matches(found)]
    return Hit(document, index, start, end, 0.0, text, _joined(spans, start))


def _scored(hits: list[Hit], terms: list[Term], parts: list[_Part], total: int) -> list[Hit]:
    """Score hits by BM25. Each holds all terms, so one count of rows serves them all."""
    rows = sum(part.rows for part in parts)
    mean_length = sum(part.words for part in parts) / max(1, rows) or 1.0
    scored = []
    for hit in hits:
        found = words(hit.text)
        weights = [bm25(len(term.matches(found)), len(found), mean_length, rows, total) for term in terms]
        scored.append(Hit(hit.document, hit.index, hit.start, hit.end, sum(weights), hit.text, hit.spans))
    return scored

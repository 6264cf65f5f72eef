"""The catalogue: made-up vectors and words, against comparing every vector; and a shelf asked by it."""

import contextlib
import gc
import shutil
import sqlite3
import weakref
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from engine.answering.passages import find_passages
from engine.answering.scope import Scope
from engine.catalogue import catalogue as catalogues
from engine.catalogue import keeper, nearest
from engine.catalogue.catalogue import Catalogue
from engine.catalogue.vectors import passage_vectors
from engine.library import Library
from engine.paths import Paths
from engine.shelf.terms import Stem
from ingest.errors import BadInput
from ingest.parse import parse
from ingest.passages import Passage

DIM, PASSAGES, BOOKS = 8, 20, 30


def name(number: int) -> str:
    return f"{number:012x}"


def vectors(number: int) -> np.ndarray:
    return np.random.default_rng(number).standard_normal((PASSAGES, DIM)).astype(np.float16)


QUERIES = np.random.default_rng(1000).standard_normal((3, DIM)).astype(np.float32)


def opened(folder: Path, fingerprint: str = "map", **settings) -> Catalogue:
    return Catalogue(folder / "catalogue", folder / "locks", fingerprint, DIM, **settings)


@pytest.fixture
def catalogue(tmp_path, monkeypatch) -> Catalogue:
    """A catalogue with some books in its index and some outside."""
    monkeypatch.setattr(catalogues, "LATE", 4 * PASSAGES)
    made = opened(tmp_path)
    for number in range(BOOKS):
        made.put(name(number), float(number), vectors(number), {"all": 3, f"only{number}": 5})
    return made


def compared(books, allowed=None, k=10) -> list[list[tuple[str, int]]]:
    """Compare every vector of the books with every query."""
    found = []
    for query in QUERIES:
        scores = {
            (name(book), passage): float(query @ vector)
            for book in books
            for passage, vector in enumerate(vectors(book).astype(np.float32))
            if allowed is None or passage in allowed.get(name(book), ())
        }
        found.append(sorted(scores, key=lambda one: -scores[one])[:k])
    return found


def places(found) -> list[list[tuple[str, int]]]:
    return [[(one.book, one.passage) for one in some] for some in found]


def test_every_vector_is_compared_inside_and_outside_the_index(catalogue):
    assert list(catalogue.folder.glob("index-*.faiss")), "no index was made"
    assert places(catalogue.nearest(QUERIES, 10)) == compared(range(BOOKS))


def test_what_may_not_be_read_is_not_found(catalogue):
    allowed = {name(2): (3, 9), name(BOOKS - 1): (0, None), name(7): (5, 5)}
    inside = {name(2): range(3, 9), name(BOOKS - 1): range(PASSAGES)}
    assert places(catalogue.nearest(QUERIES, 10, allowed)) == compared(range(BOOKS), inside)


def test_books_come_and_go(catalogue):
    left = [number for number in range(BOOKS) if number % 3]
    for number in set(range(BOOKS)) - set(left):
        catalogue.drop(name(number))
    assert places(catalogue.nearest(QUERIES, 10)) == compared(left)
    catalogue.settle()
    assert places(catalogue.nearest(QUERIES, 10)) == compared(left)
    assert catalogue.by_words([Stem("only3")]) == []
    catalogue.keep_only({name(number): float(number) for number in left[:5]})
    assert catalogue.books().keys() == {name(number) for number in left[:5]}
    assert len(list(catalogue.folder.glob("index-*.faiss"))) == 1
    assert {path.stem for path in (catalogue.folder / "vectors").iterdir()} == catalogue.books().keys()


def test_another_process_sees_what_changed(catalogue, tmp_path):
    other = opened(tmp_path)
    assert places(other.nearest(QUERIES, 10)) == compared(range(BOOKS))
    catalogue.drop(name(4))
    catalogue.settle()
    assert places(other.nearest(QUERIES, 10)) == compared(set(range(BOOKS)) - {4})


@pytest.mark.parametrize("damage", [lambda path: path.unlink(), lambda path: path.write_bytes(b"none")])
def test_an_index_that_is_lost_or_damaged_is_made_again(catalogue, tmp_path, damage):
    for path in catalogue.folder.glob("index-*.faiss"):
        damage(path)
    assert places(opened(tmp_path).nearest(QUERIES, 10)) == compared(range(BOOKS))


@pytest.mark.parametrize("spoil", ["database", "map", "folder"])
def test_a_catalogue_that_cannot_be_used_is_an_empty_one(catalogue, tmp_path, spoil):
    if spoil == "database":
        (catalogue.folder / "catalogue.db").write_bytes(b"no database at all" * 300)
    if spoil == "folder":
        (catalogue.folder / "catalogue.db").unlink()
    again = opened(tmp_path, "another" if spoil == "map" else "map")
    assert again.books() == {}
    assert again.nearest(QUERIES, 10) == [[], [], []]
    again.put(name(1), 1.0, vectors(1), {"all": 1})
    assert places(again.nearest(QUERIES, 10)) == compared([1])


def test_a_book_without_its_vectors_is_entered_again(catalogue):
    (catalogue.folder / "vectors" / f"{name(3)}.npy").unlink()
    catalogue.settle()
    assert name(3) not in catalogue.books()


def test_books_are_ranked_by_their_words(catalogue):
    assert catalogue.by_words([Stem("only9"), Stem("all")])[0] == name(9)
    assert catalogue.by_words([Stem("only9")], {name(8): None}) == []
    catalogue.put(name(99), 0.0, vectors(99), {"吾輩": 2})
    assert catalogue.by_words([Stem("吾", open=True)]) == [name(99)]


def test_a_passage_of_few_chunks_is_no_likelier_than_one_of_many():
    """The mean of two keys that point apart is shorter than one: a title page would be like everything."""
    keys = np.array([[1, 0], [1, 0], [0, 1]], np.float16)
    bank = SimpleNamespace(
        spans=np.array([[0, 9], [10, 19], [20, 29]]), chunk_starts=np.array([0, 1, 2], np.int64)
    )
    source = SimpleNamespace(bank=bank, learned_keys=lambda: keys)
    made = passage_vectors(source, [Passage(0, 0, 9), Passage(1, 10, 29), Passage(2, 30, 40)])
    assert np.allclose(np.linalg.norm(made.astype(np.float32), axis=1), [1, 1, 0], atol=1e-3)


def test_a_large_index_is_trained_and_changed(tmp_path, monkeypatch):
    """Clustered vectors, as those of books are: quantised codes and lists find nearly all."""
    monkeypatch.setattr(catalogues, "LATE", 1000)
    monkeypatch.setattr(nearest, "CODE_DIMENSIONS", 1)
    random = np.random.default_rng(0)
    made = opened(tmp_path, exact_below=2000)
    books = {}
    for number in range(30):
        themes = random.standard_normal((4, DIM))
        spread = 0.3 * random.standard_normal((200, DIM))
        books[name(number)] = (themes[random.integers(0, 4, 200)] + spread).astype(np.float16)
        made.put(name(number), 0.0, books[name(number)], {})
    made.drop(name(5))
    del books[name(5)]
    assert not nearest.is_exact(nearest.mapped(next(made.folder.glob("index-*.faiss"))))
    every = np.concatenate(list(books.values())).astype(np.float32)
    names = [(book, passage) for book in books for passage in range(200)]
    found = places(made.nearest(QUERIES, 200))
    for some, query in zip(found, QUERIES, strict=True):
        best = {names[at] for at in np.argsort(-(every @ query))[:20].tolist()}
        assert len(best & set(some)) >= 18
        assert not any(book == name(5) for book, _ in some)


@pytest.fixture
def library(tiny_folder, tmp_path, monkeypatch) -> Library:
    """A shelf of six books that is asked two at a time."""
    monkeypatch.setattr(keeper, "BOOKS", 2)
    made = Library(Paths(tmp_path / "home"), parse, model=str(tiny_folder))
    for animal in ("lion", "tiger", "heron", "otter", "badger", "gecko"):
        path = tmp_path / f"{animal}.txt"
        path.write_text(f"The {animal} walked home. " * 12 + f"\n\nAnd the {animal} slept there. " * 12)
        made.add(path)
    return made


def titles(library: Library, question: str, **ranges) -> set[str]:
    entries = {entry.title: entry for entry in library.shelf.entries()}
    every = {one.id: ranges.get(title, (0, one.characters)) for title, one in entries.items()}
    found = library.keeper.narrowed(question, every)
    assert all(found[name] == every[name] for name in found)
    return {library.shelf.get(name).title for name in found}


def test_a_question_about_the_shelf_is_narrowed_to_a_few_books(library):
    assert "heron" in titles(library, "Where did the heron sleep?")
    assert len(titles(library, "What did the heron do, the gecko, the otter and the lion?")) == 2
    library.remove("heron")
    assert "heron" not in titles(library, "Where did the heron sleep?")
    assert len(library.keeper.catalogue.books()) == 5


def test_of_all_books_only_what_an_account_has_read_is_found(library):
    question, hers = "Where did the heron sleep, the otter and the gecko?", library.of("ann")
    for entry in library.shelf.entries():
        hers.shelf.read_to(entry.id, entry.characters // 2)
    scope = Scope.of(hers, None, "read")
    hits = find_passages(question, hers, hers.keeper.narrowed(question, scope.ranges))
    assert hits and all(hit.end <= scope.ranges[hit.document][1] for hit in hits)
    with pytest.raises(BadInput, match="not read anything"):
        Scope.of(library.of("ben"), None, "read")


def test_what_is_open_does_not_grow_with_the_shelf(library, monkeypatch):
    monkeypatch.setattr("engine.texts.OPEN_DOCUMENTS", 2)
    again = Library(library.paths, parse)
    again.model = library.model
    books = [entry.id for entry in again.shelf.entries()]
    banks, texts = ([weakref.ref(opened(book)) for book in books] for opened in (again.bank, again.document))
    gc.collect()
    assert [sum(one() is not None for one in some) for some in (banks, texts)] == [2, 2]


def test_the_books_of_one_add_are_entered_together(tiny_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(keeper, "TOGETHER", 2)
    made, entered = Library(Paths(tmp_path / "home"), parse, model=str(tiny_folder)), []
    put_all = Catalogue.put_all
    monkeypatch.setattr(
        Catalogue, "put_all", lambda self, some: entered.append(len(some)) or put_all(self, some)
    )
    with made.keeper.gathering():
        for number in range(3):
            (tmp_path / f"{number}.txt").write_text(f"The heron walked home {number} times. " * 9)
            made.add(tmp_path / f"{number}.txt")
    (tmp_path / "late.txt").write_text("The gecko walked home. " * 9)
    made.add(tmp_path / "late.txt")
    assert entered == [2, 1, 1]
    assert made.keeper.catalogue.books().keys() == {entry.id for entry in made.shelf.entries()}


def test_a_lost_catalogue_is_made_again_when_the_shelf_is_asked(library):
    shutil.rmtree(library.paths.catalogue)
    assert "gecko" in titles(library, "Where did the gecko sleep?")
    assert len(library.keeper.catalogue.books()) == 6


@pytest.mark.parametrize("table", ["books", "postings"])
def test_a_catalogue_that_is_damaged_inside_is_made_again(library, table):
    assert "gecko" in titles(library, "Where did the gecko sleep?")
    catalogue = library.paths.catalogue / "catalogue.db"
    with contextlib.closing(sqlite3.connect(catalogue)) as db:
        sql = "SELECT pageno FROM dbstat WHERE name = ?"
        pages = [page for (page,) in db.execute(sql, (table,))]
        size = db.execute("PRAGMA page_size").fetchone()[0]
    with catalogue.open("r+b") as file:
        for page in pages:
            file.seek((page - 1) * size)
            file.write(b"\x07" * size)
    assert "gecko" in titles(library, "Where did the gecko sleep?")
    assert len(library.keeper.catalogue.books()) == 6

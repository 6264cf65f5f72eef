"""Making texts and banks without a shelf: whole in the store, taken over elsewhere, resumed after a kill."""

import hashlib
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.bank.store import Store
from engine.catalogue.vectors import book_vectors
from engine.executors.cluster import Cluster
from engine.executors.executor import Here
from engine.library import Library
from engine.making import Maker, Order
from engine.model import Model
from engine.paths import Paths
from engine.sidenet.search import SearchMap
from ingest.errors import BadInput
from ingest.parse import parse
from tests.engine.synthetic_bank import contents

BOOK = "".join(f"# Chapter {number}\n\n{'The lamp was lit again. ' * 40}\n\n" for number in range(4))
ORDER = Order("lamp.md", BOOK.encode())


@pytest.fixture
def store(tmp_path, monkeypatch) -> Store:
    monkeypatch.setenv("LONGMEM_STORE", str(tmp_path / "store"))
    return Store(str(tmp_path / "store"), tmp_path / "cache", 0)


@pytest.fixture
def maker(tmp_path, store, tiny_folder) -> Maker:
    paths = Paths(tmp_path / "node")
    return Maker(paths, Model(paths, str(tiny_folder)), parse, store)


def never(*_: object, **__: object):
    raise AssertionError("it was made a second time")


def test_what_was_made_is_taken_over_and_not_made_again(maker, tmp_path, monkeypatch):
    maker.model.sidenet.search = SearchMap(maker.model.backbone.width, 8)
    maker.make(ORDER)
    assert not list(maker.paths.making.iterdir())
    monkeypatch.setattr("engine.making.encode_text", never)
    replaced = Maker(maker.paths, maker.model, never, maker.store)
    replaced.make(ORDER)
    works = "library.encode_text", "texts.index_folder", "cast.kept.make_cast", "library.book_vectors"
    for work in works:
        monkeypatch.setattr(f"engine.{work}", never)
    (tmp_path / "lamp.md").write_bytes(ORDER.content)
    library = Library(Paths(tmp_path / "home"), never)
    library.model.take(backbone=maker.model.backbone, sidenet=maker.model.sidenet)
    entry = library.add(tmp_path / "lamp.md")
    assert (entry.state, entry.title) == ("ready", parse(tmp_path / "lamp.md").title)
    assert library.document(entry.id) == parse(tmp_path / "lamp.md")
    assert library.add(tmp_path / "lamp.md") == entry
    assert not library.paths.fetched.exists(), "a memory is fetched when it is first read"
    assert library.shelf.fulltext.is_whole(entry.id) and library.shelf.fulltext.rank("lamp", entry.id)
    source = library.bank(entry.id)
    source.bank.verify()
    assert entry.tokens == source.bank.tokens
    vectors = library.keeper.catalogue.vectors(entry.id)
    assert np.array_equal(vectors, book_vectors(source, library.passages(entry.id))) and vectors.any()


def test_a_kill_costs_the_segment_in_hand_and_the_bank_is_the_same(maker, monkeypatch):
    """Whatever ends it, a second worker of the machine goes on where the first one was."""
    from engine import filling

    segment, left = filling.encode_segment, [2]

    def cut(*given):
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        segment(*given)

    monkeypatch.setattr(filling, "encode_segment", cut)
    with pytest.raises(KeyboardInterrupt):
        maker.make(ORDER)
    assert not any("text-" in path.name for path in Path(maker.store.address).glob("*"))
    left[0] = 2
    maker.make(ORDER)  # which would need four from the start
    interrupted = banks(maker.store)
    monkeypatch.undo()
    undisturbed = Store(maker.store.address + "-2", maker.paths.fetched, 0)
    Maker(maker.paths, maker.model, parse, undisturbed).make(ORDER)
    assert banks(undisturbed) == interrupted != {}


def banks(store: Store) -> dict[str, dict[str, bytes]]:
    return {path.name: contents(path) for path in Path(store.address).glob("[!t]*")}


def test_what_cannot_be_read_is_refused_and_leaves_nothing(maker):
    order = replace(ORDER, name="book.epub", content=b"PK\x03\x04 cut short")
    with pytest.raises(BadInput):
        maker.make(order)
    assert not list(maker.paths.making.iterdir()) and not Path(maker.store.address).exists()


def test_what_nobody_goes_on_with_is_swept(maker, monkeypatch):
    left = maker.paths.making / hashlib.sha256(b"").hexdigest()
    left.mkdir(parents=True)
    maker.sweep()
    assert left.exists()
    monkeypatch.setattr("engine.making.LEFTOVER_SECONDS", -1.0)
    maker.sweep()
    assert not left.exists()


def test_this_process_is_an_executor_too():
    def halved(number: int) -> int:
        if number % 2:
            raise BadInput("odd")
        return number // 2

    done = dict(Here(halved, lambda: None, ()).each(range(4)))
    assert (done[0], done[2]) == (0, 1)
    assert isinstance(done[1], BadInput) and isinstance(done[3], BadInput)


def test_a_cluster_without_ray_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(BadInput, match=r"longmem-reader\[cluster\]"):
        list(Cluster(len, list, (), "auto", str).each(["thing"]))

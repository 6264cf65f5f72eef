"""The store of banks: made-up banks in folders, in memory, and on a server where one is installed."""

import json
import os

import pytest
from fsspec.implementations.local import LocalFileSystem

from engine.bank.bank import MemoryBank
from engine.bank.store import LIST, Store, fingerprint
from engine.errors import Failure
from tests.engine.synthetic_bank import IDENTITY, LAYOUT, contents, fill

NAME = fingerprint(IDENTITY, LAYOUT)


@pytest.fixture(params=["folder", "file", "memory"])
def address(request, tmp_path) -> str:
    """An address of each kind of file system that needs no server."""
    places = {"folder": str(tmp_path / "store"), "file": f"file://{tmp_path}/store"}
    return places.get(request.param) or f"memory://{tmp_path.name}"


def store(address: str, folder, most: int = 1 << 30) -> Store:
    return Store(address, folder, most)


def test_a_bank_is_shared_by_machines(address, tmp_path):
    bank = fill(tmp_path / "bank", 9)
    assert store(address, tmp_path / "other").fetched(IDENTITY, LAYOUT) is None
    store(address, tmp_path / "mine").publish(bank)
    store(address, tmp_path / "mine").publish(bank)  # once more changes nothing
    found = store(address, tmp_path / "other").fetched(IDENTITY, LAYOUT)
    assert found == tmp_path / "other" / NAME
    fetched = MemoryBank.open(found, IDENTITY, LAYOUT)
    fetched.verify()
    assert contents(found) == contents(bank)


def test_a_bank_that_is_not_whole_is_not_shared(tmp_path):
    with pytest.raises(Failure, match="not whole"):
        store(str(tmp_path / "store"), tmp_path / "cache").publish(fill(tmp_path / "bank", 4, publish=False))


def test_a_copy_cut_short_is_no_bank(tmp_path):
    """Whichever file an upload ends at: without its list nothing is there, and the next one goes on."""
    place, bank = tmp_path / "store", fill(tmp_path / "bank", 5)
    here = store(str(place), tmp_path / "cache")
    here.publish(bank)
    whole = (place / NAME / LIST).read_bytes()
    for half in (None, b"", whole[: len(whole) // 2]):
        (place / NAME / LIST).unlink() if half is None else (place / NAME / LIST).write_bytes(half)
        assert here.fetched(IDENTITY, LAYOUT) is None
    here.publish(bank)
    assert here.fetched(IDENTITY, LAYOUT) is not None


def test_damage_in_the_store_is_seen_by_the_sums(tmp_path):
    place = tmp_path / "store"
    here = store(str(place), tmp_path / "cache")
    here.publish(fill(tmp_path / "bank", 5))
    array = max((place / NAME).glob("*.bin"))
    array.write_bytes(b"x" * array.stat().st_size)
    with pytest.raises(Failure, match="damaged"):
        here.fetched(IDENTITY, LAYOUT)
    assert not any((tmp_path / "cache").iterdir())


@pytest.mark.parametrize("file", [{"../b": [1, ""]}, {"..": [1, ""]}, {"b": [-1, ""]}])
def test_a_list_leads_nowhere_else(tmp_path, file):
    here = store(str(tmp_path / "store"), tmp_path / "cache")
    (tmp_path / "store" / NAME).mkdir(parents=True)
    (tmp_path / "store" / NAME / LIST).write_text(json.dumps({"manifest.json": [1, ""]} | file))
    assert here.fetched(IDENTITY, LAYOUT) is None


def test_a_file_larger_than_its_list_says_is_not_fetched(tmp_path, monkeypatch):
    place = tmp_path / "store"
    here = store(str(place), tmp_path / "cache")
    here.publish(fill(tmp_path / "bank", 5))
    array = max((place / NAME).glob("*.bin"))
    os.truncate(array, array.stat().st_size + 1_000_000)
    fetched, get_file = [], LocalFileSystem.get_file

    def noted(system, path: str, *more, **options):
        fetched.append(path)
        return get_file(system, path, *more, **options)

    monkeypatch.setattr(LocalFileSystem, "get_file", noted)
    with pytest.raises(Failure, match="damaged"):
        here.fetched(IDENTITY, LAYOUT)
    assert not any(array.name in path for path in fetched)


def test_the_cache_is_bounded_and_what_was_used_longest_ago_goes(tmp_path):
    texts = [type(IDENTITY)(f"book {number}", "backbone", "tokenizer") for number in range(3)]
    address = str(tmp_path / "store")
    for number, identity in enumerate(texts):
        folder = fill(tmp_path / f"bank{number}", 5)
        manifest = json.loads((folder / "manifest.json").read_text())
        manifest["identity"]["content"] = identity.content
        (folder / "manifest.json").write_text(json.dumps(manifest))
        store(address, tmp_path / "cache").publish(folder)
    size = sum(path.stat().st_size for path in (tmp_path / "bank0").iterdir())
    here = store(address, tmp_path / "cache", round(2.5 * size))
    folders = [here.fetched(identity, LAYOUT) for identity in texts[:2]]
    os.utime(folders[0], (2, 2))
    os.utime(folders[1], (1, 1))
    bank = MemoryBank.open(folders[1])
    last = here.fetched(texts[2], LAYOUT)
    assert sorted((tmp_path / "cache").iterdir()) == sorted([folders[0], last])
    bank.verify()  # what is open stays readable
    assert here.fetched(texts[1], LAYOUT) == folders[1]


def test_a_store_that_cannot_be_reached_is_one_line(tmp_path):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(Failure, match="cannot be used"):
        store(str(tmp_path / "file" / "store"), tmp_path).publish(fill(tmp_path / "bank", 2))
    with pytest.raises(Failure, match="cannot be used"):
        store("nothing://here", tmp_path / "cache").fetched(IDENTITY, LAYOUT)


@pytest.mark.parametrize("error", [type("NoHost", (Exception,), {})("no such host"), KeyError()])
def test_whatever_a_file_system_raises_is_one_line(error, tmp_path, monkeypatch):
    def raised(self):
        raise error

    monkeypatch.setattr(Store, "_open", raised)
    here = store("s3://banks", tmp_path / "cache")
    with pytest.raises(Failure, match="no such host|KeyError"):
        here.fetched(IDENTITY, LAYOUT)
    with pytest.raises(Failure, match="no such host|KeyError"):
        here.publish(fill(tmp_path / "bank", 2))


def test_the_store_is_named_by_the_environment(tmp_path, monkeypatch):
    monkeypatch.delenv("LONGMEM_STORE", raising=False)
    assert Store.named(tmp_path) is None
    monkeypatch.setenv("LONGMEM_STORE", "memory://banks")
    assert Store.named(tmp_path).address == "memory://banks"
    monkeypatch.setenv("LONGMEM_STORE", "banks")
    monkeypatch.chdir(tmp_path)
    assert Store.named(tmp_path).address == str(tmp_path / "banks")
    monkeypatch.setenv("LONGMEM_CACHE_GB", "much")
    with pytest.raises(Failure, match="LONGMEM_CACHE_GB"):
        Store.named(tmp_path)


def test_a_server_for_files_is_a_store(tmp_path, monkeypatch):
    """Against a server that speaks S3, on this machine."""
    server = pytest.importorskip("moto.server", reason="moto is not installed")
    s3fs = pytest.importorskip("s3fs", reason="s3fs is not installed")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    running = server.ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    running.start()
    try:
        host, port = running.get_host_and_port()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        s3fs.S3FileSystem(endpoint_url=f"http://{host}:{port}").mkdir("banks")
        bank = fill(tmp_path / "bank", 9)
        store("s3://banks/here", tmp_path / "mine").publish(bank)
        found = store("s3://banks/here", tmp_path / "other").fetched(IDENTITY, LAYOUT)
        assert contents(found) == contents(bank)
    finally:
        running.stop()


def test_a_book_that_another_machine_encoded_is_fetched_and_not_encoded_again(
    tiny_folder, tmp_path, monkeypatch
):
    """Also after its memory was lost here; a cache that is damaged is fetched again."""
    from engine import library as libraries
    from engine.library import Library
    from engine.paths import Paths
    from engine.upkeep import faults
    from ingest.parse import parse

    monkeypatch.setenv("LONGMEM_STORE", str(tmp_path / "store"))
    book = tmp_path / "book.txt"
    book.write_text("The heron walked home and slept there. " * 30)
    first, second = (
        Library(Paths(tmp_path / name), parse, model=str(tiny_folder)) for name in ("one", "two")
    )
    tokens = first.add(book).tokens
    monkeypatch.setattr(libraries, "encode_text", None)
    entry = second.add(book)
    assert (entry.state, entry.tokens) == ("ready", tokens)
    assert not list(faults(second)) and second.is_current(entry.id)
    assert not second.paths.bank(entry.id).exists() and not second.paths.fetched.exists()
    assert second.bank(entry.id).bank.folder.parent == second.paths.fetched
    manifest = next(second.paths.fetched.iterdir()) / "manifest.json"
    manifest.write_text("{}")
    second.renew(entry.id)
    for job in second.shelf.jobs.all(unfinished=True):
        second.shelf.jobs.run(job.id, second.work)
    assert second.bank(entry.id).bank.tokens == tokens

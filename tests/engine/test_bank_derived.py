"""Learned search keys beside a bank: made once, grown with it, made again when torn, named by their map."""

import json

import numpy as np
import pytest

from engine.bank import derived
from engine.bank.bank import MemoryBank
from engine.errors import Failure
from ingest.errors import BadInput
from tests.engine.synthetic_bank import INT8, fill


class CountingMap:
    """A linear map that remembers how many chunks it was asked for."""

    def __init__(self, dim: int = 5) -> None:
        self.matrix = np.random.default_rng(0).standard_normal((12, dim)).astype(np.float32)
        self.chunks = 0

    def __call__(self, pooled: np.ndarray) -> np.ndarray:
        assert pooled.dtype == np.float32
        self.chunks += len(pooled)
        return pooled @ self.matrix


def wanted(bank: MemoryBank, make: CountingMap) -> np.ndarray:
    return (bank.pooled.astype(np.float32) @ make.matrix).astype(np.float16)


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(derived, "ROWS_AT_ONCE", 7)


def test_made_once_then_mapped(tmp_path):
    bank, make = MemoryBank.open(fill(tmp_path, 8)), CountingMap()
    before = bank.nbytes
    keys = bank.search_keys("first", make)
    np.testing.assert_allclose(keys.astype(float), wanted(bank, make).astype(float), atol=2e-3)
    assert keys.dtype == np.float16 and keys.shape == (bank.chunks, 5) and make.chunks == bank.chunks
    assert bank.nbytes == before + keys.nbytes
    again = MemoryBank.open(tmp_path).search_keys("first", make)
    assert make.chunks == bank.chunks and np.array_equal(again, keys)
    bank.verify()


def test_grows_with_the_bank_and_serves_the_shorter_view_still(tmp_path):
    short, make = MemoryBank.open(fill(tmp_path, 3)), CountingMap()
    few = short.search_keys("map", make).copy()
    long = MemoryBank.open(fill(tmp_path, 9))
    keys = long.search_keys("map", make)
    assert make.chunks == long.chunks and len(keys) == long.chunks
    assert np.array_equal(keys[: len(few)], few)
    assert np.array_equal(short.search_keys("map", make), few) and make.chunks == long.chunks
    long.verify()


def test_another_map_has_keys_of_its_own(tmp_path):
    bank = MemoryBank.open(fill(tmp_path, 4))
    assert bank.search_keys("a", CountingMap(5)).shape[1] == 5
    assert bank.search_keys("b", CountingMap(3)).shape[1] == 3
    assert bank.search_keys("a", CountingMap(5)).shape[1] == 5


@pytest.mark.parametrize(
    "tear",
    [
        lambda folder: (folder / "derived.map.bin").write_bytes(b"\0\0"),
        lambda folder: (folder / "derived.map.bin").unlink(),
        lambda folder: (folder / "derived.map.json").write_text("{"),
        lambda folder: (folder / "derived.map.json").write_text('{"chunks": 2}'),
        lambda folder: (folder / "derived.map.json").unlink(),
    ],
)
def test_torn_keys_are_made_again(tmp_path, tear):
    bank, make = MemoryBank.open(fill(tmp_path, 4)), CountingMap()
    keys = bank.search_keys("map", make).copy()
    tear(tmp_path)
    assert np.array_equal(bank.search_keys("map", make), keys) and make.chunks == 2 * bank.chunks
    bank.verify()


def test_an_uncommitted_tail_is_written_over(tmp_path):
    make = CountingMap()
    MemoryBank.open(fill(tmp_path, 3)).search_keys("map", make)
    with open(tmp_path / "derived.map.bin", "ab") as file:
        file.write(b"\xff" * 37)
    bank = MemoryBank.open(fill(tmp_path, 6))
    np.testing.assert_allclose(bank.search_keys("map", make), wanted(bank, make), atol=2e-3)
    bank.verify()


def test_damaged_keys_are_found_by_verify(tmp_path):
    bank = MemoryBank.open(fill(tmp_path, 3))
    bank.search_keys("map", CountingMap())
    data = bytearray((tmp_path / "derived.map.bin").read_bytes())
    data[9] ^= 4
    (tmp_path / "derived.map.bin").write_bytes(data)
    with pytest.raises(Failure, match="derived.map.bin are damaged"):
        bank.verify()


def test_a_folder_that_cannot_be_written_is_served_from_memory(tmp_path, monkeypatch):
    bank, make = MemoryBank.open(fill(tmp_path, 4)), CountingMap()

    def refuse(*_):
        raise PermissionError(13, "read-only")

    monkeypatch.setattr(derived.DerivedKeys, "_extend", refuse)
    np.testing.assert_allclose(bank.search_keys("map", make), wanted(bank, make), atol=2e-3)
    assert not list(tmp_path.glob("derived.*"))


@pytest.mark.parametrize(
    "make, words",
    [
        (lambda pooled: pooled[:-1], "search map gave"),
        (lambda pooled: pooled[:, 0], "search map gave"),
        (lambda pooled: pooled * np.nan, "not finite"),
    ],
)
def test_a_map_that_gives_nonsense_is_refused(tmp_path, make, words):
    bank = MemoryBank.open(fill(tmp_path, 4))
    with pytest.raises(Failure, match=words):
        bank.search_keys("map", make)
    assert bank.search_keys("map", CountingMap()).shape == (bank.chunks, 5)


def test_a_map_that_changes_its_dimensions_is_refused(tmp_path):
    MemoryBank.open(fill(tmp_path, 3)).search_keys("map", CountingMap(5))
    with pytest.raises(Failure, match="gives 4 dimensions, before 5"):
        MemoryBank.open(fill(tmp_path, 5)).search_keys("map", CountingMap(4))


def test_names_and_banks_without_hidden_states_are_refused(tmp_path):
    bank = MemoryBank.open(fill(tmp_path / "a", 1))
    for name in ("", "../up", "a.b", "x" * 65):
        with pytest.raises(BadInput, match="cannot name search keys"):
            bank.search_keys(name, CountingMap())
    with pytest.raises(BadInput, match="no hidden states"):
        MemoryBank.open(fill(tmp_path / "b", 1, INT8)).search_keys("map", CountingMap())


def test_the_record_says_how_much_counts(tmp_path):
    bank = MemoryBank.open(fill(tmp_path, 3))
    bank.search_keys("map", CountingMap())
    record = json.loads((tmp_path / "derived.map.json").read_text())
    assert (record["chunks"], record["dim"]) == (bank.chunks, 5)

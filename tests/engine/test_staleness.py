"""Staleness: training steps leave LongMem's bank as it was, and not MemTRM's."""

import argparse
import dataclasses
import json

import pytest

from engine.evaluation import staleness
from ingest.errors import BadInput
from tests.engine.commands import parsed, plain


@pytest.fixture
def arguments(tmp_path, tiny_folder) -> argparse.Namespace:
    folder = tmp_path / "books"
    folder.mkdir()
    for number in range(2):
        words = [f"{('Pip', 'Ahab', 'Stubb')[(n * (number + 1)) % 3]} saw {n}" for n in range(30)]
        (folder / f"{number}.txt").write_text(". ".join(words))
    words = f"--books {folder} --out {tmp_path / 'out'} --model {tiny_folder} --segment 32 --bank 128"
    words += " --at 0,6 --rate 1e-2 --memory-layers 1"
    return parsed(staleness, *words.split(), parse_file=plain)


def test_longmem_stays_fresh_and_memtrm_does_not(arguments, tmp_path):
    assert staleness.run(arguments) == 0
    made = json.loads((tmp_path / "out" / "staleness.json").read_text())
    rows = {(row["method"], row["steps"]): row for row in made}
    for steps in (0, 6):
        ours = rows["sidenet", steps]
        assert ours["identical"]
        assert ours["moved"] == 0
        assert ours["overlap"] == 1
        assert ours["stale"] == ours["fresh"]
    assert rows["sidenet", 0]["fresh"] != rows["sidenet", 6]["fresh"]  # it did train
    start, later = rows["memtrm", 0], rows["memtrm", 6]
    assert start["identical"] and start["overlap"] == 1
    assert not later["identical"]
    assert later["moved"] > 0.01
    assert later["overlap"] < 0.95
    assert later["stale"] != later["fresh"]
    assert (tmp_path / "out" / "staleness.md").read_text().count("| memtrm |") == 2


def test_too_short(arguments):
    arguments.bank = 4096
    with pytest.raises(BadInput, match="longer books"):
        staleness.run(arguments)


def test_a_bank_is_written_anew_to_compare(arguments, tmp_path, monkeypatch):
    """Were the backbone to move, the SideNet's bank would be seen to go stale as well."""
    freeze, calls = staleness.freeze, []

    def drifting(backbone, ids, wanted):
        calls.append(ids)
        frozen = freeze(backbone, ids, wanted)
        moved = {block: keys + 0.1 * len(calls) for block, keys in frozen.keys.items()}
        return dataclasses.replace(frozen, keys=moved)

    monkeypatch.setattr(staleness, "freeze", drifting)
    arguments.methods, arguments.at = "sidenet", (0,)
    staleness.run(arguments)
    (row,) = json.loads((tmp_path / "out" / "staleness.json").read_text())
    assert not row["identical"] and row["moved"] > 0

"""`add --ray` on a cluster of two raylets of this machine, one of which is killed while it works."""

import json
import os
import threading
import time
from pathlib import Path

import pytest

from app.command_line import commands
from engine.bank.bank import MemoryBank
from engine.paths import PROJECT

pytestmark = pytest.mark.slow
BOOKS = 6
SMALL = {"num_cpus": 1, "object_store_memory": 80_000_000, "include_dashboard": False}


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    pytest.importorskip("ray", reason="Ray is not installed (the extra `cluster`)")
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("LONGMEM_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("LONGMEM_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(PROJECT), os.environ.get("PYTHONPATH", "")]))
    made = Cluster(initialize_head=True, head_node_args=SMALL)
    yield made
    made.shutdown()


def test_a_machine_that_dies_costs_what_it_had_in_hand(cluster, tmp_path, tiny_folder, capsys):
    folder = tmp_path / "books"
    folder.mkdir()
    for number in range(BOOKS):
        (folder / f"{number}.txt").write_text(f"Book {number}. The lamp was lit again and again. " * 400)
    (folder / "same.txt").write_text((folder / "0.txt").read_text())
    (folder / "broken.epub").write_bytes(b"PK\x03\x04 cut short")
    doomed, killed = cluster.add_node(**SMALL), []

    def kill() -> None:
        while not any((tmp_path / "store").glob("text-*/files.json")):
            time.sleep(0.05)
        killed.append(len(list((tmp_path / "store").glob("text-*/files.json"))))
        cluster.remove_node(doomed, allow_graceful=False)

    killing = threading.Thread(target=kill, daemon=True)
    killing.start()
    add = ["add", str(folder), "--ray", cluster.address, "--model", str(tiny_folder), "--json"]
    assert commands.main(add) == 2  # for the broken one
    killing.join()
    told = json.loads(capsys.readouterr().out)
    assert killed[0] < BOOKS
    assert (told["added"], told["there_already"], len(told["refused"])) == (BOOKS, 1, 1)
    assert "broken.epub" in told["refused"][0]["why"]
    banks = [path.parent for path in (tmp_path / "store").glob("*/manifest.json")]
    assert len(banks) == BOOKS
    for bank in banks:
        MemoryBank.open(bank).verify()
    done = stamps(tmp_path / "store")
    (folder / "broken.epub").unlink()
    assert commands.main(add) == 0
    assert json.loads(capsys.readouterr().out)["there_already"] == BOOKS + 1
    assert stamps(tmp_path / "store") == done


def stamps(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*.*")}

"""A database and its log read in memory hold what SQLite itself reads of the two."""

import contextlib
import random
import sqlite3
from pathlib import Path

import pytest

from engine.shelf.replay import FRAME, HEADER, replayed


@pytest.fixture(params=[512, 4096, 65536])
def written(request, tmp_path) -> tuple[bytes, bytes, int]:
    """A database and its log after many transactions, a restart of the log and a shrinking; its page size."""
    path, chance = tmp_path / "a.db", random.Random(3)
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute(f"PRAGMA page_size={request.param}")
        db.execute("PRAGMA auto_vacuum=FULL")
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("CREATE TABLE words (id INTEGER PRIMARY KEY, word TEXT)")
        for turn in range(12):
            rows = [(chance.randbytes(chance.randrange(900)).hex(),) for _ in range(20)]
            with db:
                db.executemany("INSERT INTO words (word) VALUES (?)", rows)
            if turn == 5:
                db.execute("PRAGMA wal_checkpoint(RESTART)").fetchall()
        with db:
            db.execute("DELETE FROM words WHERE id % 3 < 2")
        return path.read_bytes(), Path(f"{path}-wal").read_bytes(), request.param


def by_sqlite(folder: Path, database: bytes, log: bytes) -> list[tuple]:
    folder.mkdir()
    (folder / "a.db").write_bytes(database)
    (folder / "a.db-wal").write_bytes(log)
    with contextlib.closing(sqlite3.connect(folder / "a.db")) as db:
        return db.execute("SELECT * FROM words").fetchall()


def by_replay(database: bytes, log: bytes) -> list[tuple]:
    with contextlib.closing(sqlite3.connect(":memory:")) as db:
        db.deserialize(replayed(database, log))
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return db.execute("SELECT * FROM words").fetchall()


def test_it_reads_what_sqlite_reads(written, tmp_path):
    database, log, page = written
    frames = (len(log) - HEADER) // (FRAME + page)
    cuts = {
        HEADER + (FRAME + page) * number + more for number in (1, frames // 2, frames) for more in (-7, 0)
    }
    torn = bytearray(log)
    torn[HEADER + (FRAME + page) * (frames // 2) + FRAME + 9] ^= 1
    logs = [log, bytes(torn), *(log[:cut] for cut in sorted(cuts)), b"", log[:20], bytes(len(log))]
    read = [by_replay(database, one) for one in logs]
    assert read == [by_sqlite(tmp_path / str(number), database, one) for number, one in enumerate(logs)]
    assert len({len(rows) for rows in read}) > 1, "the log holds rows of its own"

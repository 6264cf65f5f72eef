"""Repair of the shelf's database: what is left of a damaged one goes into a new one, then the folders do.

The damaged file is kept in `found`. Nothing here needs a model or a parser.
"""

import contextlib
import sqlite3
from pathlib import Path

from engine.errors import Failure
from engine.paths import Paths
from engine.shelf.leftovers import set_aside
from engine.shelf.rows import TABLES, Columns, rescued
from engine.shelf.shelf import Shelf
from engine.shelf.sqlite import sqlite_utils

COMPANIONS = ("-wal", "-shm")


def fault(database: Path) -> str:
    """Say what SQLite finds wrong with a database, in a line; '' where it is sound, or there is none."""
    if not database.exists():
        return ""
    try:
        with contextlib.closing(_opened(database)) as db:
            lines = [line for (line,) in db.execute("PRAGMA integrity_check(1)")]
    except sqlite3.OperationalError as error:
        raise Failure(f"the shelf cannot be looked at ({error}): check the rights of {database}") from error
    except sqlite3.DatabaseError as error:
        return str(error)
    return "" if lines == ["ok"] else " ".join(lines[0].split())


def rebuild(paths: Paths) -> tuple[Path, int]:
    """Make the database anew from the damaged one and from the folders.

    Returns where the damaged file lies now, and how many documents the new one has. Raises Failure while
    another program has the shelf open.
    """
    _require_alone(paths.database)
    kept = set_aside(paths, paths.database)
    for companion in COMPANIONS:
        with contextlib.suppress(FileNotFoundError):
            Path(f"{paths.database}{companion}").rename(f"{kept}{companion}")
    shelf = Shelf(paths)
    try:
        with shelf.connections.writing() as db, contextlib.closing(_opened(kept)) as old:
            _take_rows(old, db)
        shelf.sweep()
        for entry in shelf.entries():
            if entry.state != "ready" and not shelf.jobs.all(entry.id):  # its job was lost
                shelf.jobs.add(entry.id)
        return kept, len(shelf.entries())
    finally:
        shelf.close()


def _take_rows(old: sqlite3.Connection, db: sqlite_utils.Database) -> None:
    columns = Columns(db)
    for table in TABLES:
        for row in rescued(old, table):
            if not columns.sound(table, row):
                continue
            # one that contradicts others, or whose parent is lost, is lost too
            with contextlib.suppress(sqlite3.IntegrityError):
                db.table(table).insert(columns.known(table, row))


def _require_alone(database: Path) -> None:
    try:
        with contextlib.closing(sqlite3.connect(database, timeout=0)) as db:
            db.execute("PRAGMA locking_mode=EXCLUSIVE")
            db.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError as error:
        if "locked" in str(error):
            raise Failure("the shelf is open in another program: close the page, then repair it") from error
    except sqlite3.DatabaseError:  # too damaged to be held by anybody
        pass


def _opened(database: Path) -> sqlite3.Connection:
    db = sqlite3.connect(f"{database.resolve().as_uri()}?mode=ro", uri=True)
    db.text_factory = lambda text: text.decode("utf-8", "replace")
    return db

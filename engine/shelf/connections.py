"""SQLite connections: one per thread and process, WAL, and writes that wait for one another.

`sqlite_utils.Database.atomic()` begins a *deferred* transaction: one that reads first and writes later fails
at once with "database is locked" when another process wrote in between, whatever the busy timeout is. So
every group of writes here goes through `writing()`, which asks for the write lock before it reads.
"""

import contextlib
import os
import sqlite3
import threading
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from engine.errors import Failure
from engine.locks import FileLock
from engine.paths import PROGRAM
from engine.shelf.migrations import check_version, is_current, migrate, version
from engine.shelf.sqlite import sqlite_utils

BUSY_SECONDS = 30.0
SEE_TO = f"see to the space and the rights in the data folder, which {PROGRAM} doctor names"
REPAIR = f"close the page and run {PROGRAM} doctor --repair, which keeps every book"


class Connections:
    """The shelf's database. Opening is lazy: nothing is created before the first use."""

    def __init__(self, path: Path, locks: Path, before_creation: Callable[[], None] = lambda: None):
        self.path = path
        self._before_creation = before_creation
        self._locks = locks
        self._local = threading.local()
        self._opened: weakref.WeakSet[sqlite_utils.Database] = weakref.WeakSet()

    @property
    def db(self) -> sqlite_utils.Database:
        """This thread's connection. A write outside `writing()` commits by itself."""
        # a connection must not be carried over a fork
        if getattr(self._local, "process", None) != os.getpid():
            self._local.db = self._open()
            self._local.process = os.getpid()
        return self._local.db

    @contextlib.contextmanager
    def writing(self) -> Iterator[sqlite_utils.Database]:
        """Open one transaction that holds the write lock from its start: all of it or nothing. Nests."""
        db = self.db
        if db.conn.in_transaction:
            with db.atomic():
                yield db
            return
        db.execute("BEGIN IMMEDIATE")
        try:
            yield db
            db.conn.execute("COMMIT")
        except BaseException:
            db.rollback()
            raise

    def close(self) -> None:
        """Close the connections of all threads."""
        for db in list(self._opened):
            db.close()
        self._opened.clear()
        self._local = threading.local()

    def close_this_thread(self) -> None:
        """Close the calling thread's connection, if it has one: a thread's last act."""
        if getattr(self._local, "process", None) == os.getpid():
            self._local.db.close()
            self._local.process = None

    def forget_deleted(self) -> None:
        """Empty the write-ahead log, where deleted rows would otherwise linger; skipped while others read."""
        with contextlib.suppress(Failure):
            self.db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def _open(self) -> sqlite_utils.Database:
        with explained():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            # other threads only ever close it, in close()
            connection = sqlite3.connect(
                self.path, timeout=BUSY_SECONDS, check_same_thread=False, factory=_Connection
            )
            # SQLite's own lower() knows no letter beyond ASCII
            connection.create_function("casefold", 1, str.casefold, deterministic=True)
            db = sqlite_utils.Database(connection, execute_plugins=False)
            self._opened.add(db)
            check_version(db)
            if not is_current(db) or db.journal_mode != "wal":
                # switching to WAL does not wait for others as statements do: hence the lock
                with FileLock(self._locks / "shelf.lock"):
                    if version(db) == 0:
                        self._before_creation()
                    db.enable_wal()
                    migrate(db)
            db.execute("PRAGMA foreign_keys=ON")
            db.execute("PRAGMA synchronous=NORMAL")
            db.execute("PRAGMA secure_delete=ON").fetchall()
        return db


class _Connection(sqlite3.Connection):
    """A connection whose errors are explained, whichever statement or row they come with."""

    def cursor(self, *_: object) -> sqlite3.Cursor:  # type: ignore[override]
        return super().cursor(_Cursor)


class _Cursor(sqlite3.Cursor):
    def execute(self, *statement: Any) -> sqlite3.Cursor:  # type: ignore[override]
        with explained():
            return super().execute(*statement)

    def executemany(self, *statement: Any) -> sqlite3.Cursor:  # type: ignore[override]
        with explained():
            return super().executemany(*statement)

    def fetchone(self) -> Any:
        with explained():
            return super().fetchone()

    def fetchall(self) -> list[Any]:
        with explained():
            return super().fetchall()

    def __next__(self) -> Any:
        with explained():
            return super().__next__()


@contextlib.contextmanager
def explained() -> Iterator[None]:
    """Turn what SQLite says about the file itself into one clear line (Failure)."""
    try:
        yield
    except sqlite3.OperationalError as error:
        reason = str(error)
        if "no such" in reason or "syntax" in reason:
            raise
        raise Failure(f"the shelf cannot be used ({reason}): {SEE_TO}") from error
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.IntegrityError | sqlite3.ProgrammingError):
            raise
        raise Failure(f"the shelf is damaged or not ours ({error}): {REPAIR}") from error
    except OSError as error:
        raise Failure(f"the shelf cannot be opened ({error.strerror}): {SEE_TO}") from error

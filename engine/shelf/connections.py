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
from collections.abc import Iterator
from pathlib import Path

from engine.errors import Failure
from engine.locks import FileLock
from engine.shelf.migrations import check_version, is_current, migrate
from engine.shelf.sqlite import sqlite_utils

BUSY_SECONDS = 30.0


class Connections:
    """The shelf's database. Opening is lazy: nothing is created before the first use."""

    def __init__(self, path: Path, locks: Path):
        self.path = path
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
        with explained(self.path):
            db.execute("BEGIN IMMEDIATE")
        try:
            yield db
            with explained(self.path):
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
        with contextlib.suppress(sqlite3.OperationalError):
            self.db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def _open(self) -> sqlite_utils.Database:
        with explained(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            # other threads only ever close it, in close()
            connection = sqlite3.connect(self.path, timeout=BUSY_SECONDS, check_same_thread=False)
            # SQLite's own lower() knows no letter beyond ASCII
            connection.create_function("casefold", 1, str.casefold, deterministic=True)
            db = sqlite_utils.Database(connection, execute_plugins=False)
            self._opened.add(db)
            check_version(db)
            if not is_current(db) or db.journal_mode != "wal":
                # switching to WAL does not wait for others as statements do: hence the lock
                with FileLock(self._locks / "shelf.lock"):
                    db.enable_wal()
                    migrate(db)
            db.execute("PRAGMA foreign_keys=ON")
            db.execute("PRAGMA synchronous=NORMAL")
            db.execute("PRAGMA secure_delete=ON").fetchall()
        return db


@contextlib.contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn what SQLite says about the file itself into one clear line (Failure)."""
    try:
        yield
    except sqlite3.OperationalError as error:
        reason = str(error)
        if "no such" in reason or "syntax" in reason:
            raise
        raise Failure(
            f"the shelf cannot be used ({reason}): check disk space and rights of {path}"
        ) from error
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.IntegrityError | sqlite3.ProgrammingError):
            raise
        raise Failure(
            f"the shelf is damaged or not ours ({error}): move {path} away and start again"
        ) from error
    except OSError as error:
        raise Failure(f"the shelf cannot be opened ({error.strerror}): check the rights of {path}") from error

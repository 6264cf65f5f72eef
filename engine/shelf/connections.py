"""SQLite connections: one per thread and process, WAL, and writes that wait for one another.

`sqlite_utils.Database.atomic()` begins a *deferred* transaction: one that reads first and writes later fails
at once with "database is locked" when another process wrote in between, whatever the busy timeout is. So
every group of writes here goes through `writing()`, which asks for the write lock before it reads.
"""

import contextlib
import errno
import math
import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from engine.errors import Failure
from engine.locks import FileLock
from engine.paths import PROGRAM
from engine.room import is_full
from engine.shelf.migrations import check_version, is_current, migrate, version
from engine.shelf.replay import replayed
from engine.shelf.sqlite import sqlite_utils

BUSY_SECONDS = 30.0
# after so long a copy is made anew, as others may have written what it was made of
COPY_SECONDS = 2.0
UNWRITABLE = {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_FULL}
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
        """Return this thread's connection. A write outside `writing()` commits by itself."""
        # a connection must not be carried over a fork
        if getattr(self._local, "process", None) != os.getpid() or self._is_stale():
            self._local.copied, self._local.seen = None, self._written()
            try:
                self._local.db = self._open()
            except Unwritable as error:  # what cannot be written may still be read
                self._local.db = self._copied(error)
                self._local.copied = error
            self._local.process, self._local.opened = os.getpid(), time.monotonic()
        return self._local.db

    @contextlib.contextmanager
    def writing(self) -> Iterator[sqlite_utils.Database]:
        """Open one transaction that holds the write lock from its start: all of it or nothing. Nests."""
        db = self.db
        if db.conn.in_transaction:
            with db.atomic():
                yield db
            return
        if self._local.copied:
            self._local.opened = -math.inf  # perhaps it can be written now
            db = self.db
        if self._local.copied:
            raise self._local.copied
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

    def _is_stale(self) -> bool:
        """Say whether this thread reads a copy that others may have left behind."""
        if not self._local.copied:
            return False
        return time.monotonic() - self._local.opened > COPY_SECONDS or self._written() != self._local.seen

    def _written(self) -> list[tuple[int, int]]:
        """Tell when database and log were last written, and how large they are."""
        files = (self.path, Path(f"{self.path}-wal"))
        there = [file.stat() for file in files if file.exists()]
        return [(one.st_mtime_ns, one.st_size) for one in there]

    def _copied(self, error: "Unwritable") -> sqlite_utils.Database:
        """Open a copy in memory: SQLite writes beside a database to read it. Raises `error` if it cannot."""
        memory = sqlite3.connect(":memory:", check_same_thread=False, factory=_Connection)
        try:
            if self.path.exists():
                copy_to(memory, self.path)
        except (OSError, sqlite3.OperationalError):
            raise error from None
        memory.create_function("casefold", 1, str.casefold, deterministic=True)
        db = sqlite_utils.Database(memory, execute_plugins=False)
        self._opened.add(db)
        check_version(db)
        migrate(db)
        return db

    def _open(self) -> sqlite_utils.Database:
        with explained(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            # other threads only ever close it, in close()
            connection = sqlite3.connect(
                self.path, timeout=BUSY_SECONDS, check_same_thread=False, factory=_Connection
            )
            connection.path = self.path
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
            db.execute("PRAGMA temp_store=MEMORY")  # the temporary folder may be as full as the disk
            db.execute("PRAGMA secure_delete=ON").fetchall()
        return db


class _Connection(sqlite3.Connection):
    """A connection whose errors are explained, whichever statement or row they come with."""

    path = Path()

    def cursor(self, *_: object) -> sqlite3.Cursor:  # type: ignore[override]
        made = super().cursor(_Cursor)
        made.path = self.path
        return made

    def execute(self, *statement: Any) -> sqlite3.Cursor:
        with explained(self.path):
            return super().execute(*statement)

    def executemany(self, *statement: Any) -> sqlite3.Cursor:
        with explained(self.path):
            return super().executemany(*statement)


class _Cursor(sqlite3.Cursor):
    path = Path()

    def fetchone(self) -> Any:
        with explained(self.path):
            return super().fetchone()

    def fetchall(self) -> list[Any]:
        with explained(self.path):
            return super().fetchall()

    def __next__(self) -> Any:
        with explained(self.path):
            return super().__next__()


class Unwritable(Failure):
    """The shelf can be read and not be changed. full: for want of room on its disk."""

    def __init__(self, reason: str, full: bool) -> None:
        what = "the disk is full: make room, for instance remove a book" if full else f"{reason}: {SEE_TO}"
        super().__init__(f"the shelf cannot be changed ({what})")
        self.full = full


def copy_to(memory: sqlite3.Connection, path: Path) -> None:
    """Copy a database, with what its log holds, without a write on any disk."""
    log = Path(f"{path}-wal")
    if not log.exists() or not log.stat().st_size:
        with contextlib.closing(
            sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True)
        ) as db:
            db.backup(memory)
        return
    memory.deserialize(replayed(path.read_bytes(), log.read_bytes()))


@contextlib.contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn what SQLite says about the file itself into one clear line (Failure)."""
    try:
        yield
    except sqlite3.OperationalError as error:
        reason = str(error)
        if "no such" in reason or "syntax" in reason:
            raise
        if error.sqlite_errorcode & 0xFF in UNWRITABLE:
            full = error.sqlite_errorcode == sqlite3.SQLITE_FULL or is_full(path.parent)
            raise Unwritable(reason, full) from error
        raise Failure(f"the shelf cannot be used ({reason}): {SEE_TO}") from error
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.IntegrityError | sqlite3.ProgrammingError):
            raise
        raise Failure(f"the shelf is damaged or not ours ({error}): {REPAIR}") from error
    except OSError as error:
        if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOSPC):
            raise Unwritable(str(error.strerror), error.errno == errno.ENOSPC) from error
        raise Failure(f"the shelf cannot be opened ({error.strerror}): {SEE_TO}") from error

"""Locks that hold across threads and processes, and that the kernel lets go when their holder dies.

`flock` (POSIX) and `msvcrt.locking` (Windows) both belong to the open file, so two threads of one process
exclude each other as two processes do. The file names its holder for messages; nothing is decided by that.
"""

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType

from engine.errors import Failure

POLL = 0.05
# msvcrt locks bytes against reading too: lock one far behind the holder's number
LOCKED_BYTE = 1 << 30

if sys.platform == "win32":
    import msvcrt

    def _try_lock(handle: int) -> bool:
        os.lseek(handle, LOCKED_BYTE, os.SEEK_SET)
        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _try_lock(handle: int) -> bool:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


class FileLock:
    """One exclusive lock, held from `acquire` to `release` (or inside `with`). Not reentrant."""

    def __init__(self, path: Path):
        self.path = path
        self._handle: int | None = None

    @property
    def held(self) -> bool:
        """Tell whether this very object holds the lock."""
        return self._handle is not None

    def acquire(self, timeout: float | None = None, waiting: Callable[[], None] | None = None) -> bool:
        """Take the lock; wait `timeout` seconds at most (None: forever, 0: don't). Says whether it was taken.

        `waiting` is called about every 50 ms while another holds it, and may raise to give up.
        """
        if self.held:
            raise RuntimeError(f"{self.path.name} is held already")
        deadline = None if timeout is None else time.monotonic() + timeout
        while not self._attempt():
            if deadline is not None and time.monotonic() >= deadline:
                return False
            if waiting is not None:
                waiting()
            time.sleep(POLL)
        return True

    def release(self, *, delete: bool = False) -> None:
        """Let go; `delete` removes the lock's file as well, which is safe only here, while it is held."""
        if self._handle is None:
            return
        if delete:
            with contextlib.suppress(OSError):
                self.path.unlink()
        os.close(self._handle)
        self._handle = None

    def holder(self) -> int | None:
        """Return the process number that the last holder wrote; None when unknown. For messages only."""
        try:
            return int(self.path.read_bytes()[:20])
        except (OSError, ValueError):
            return None

    def __enter__(self) -> "FileLock":
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def _attempt(self) -> bool:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        if not _try_lock(handle) or not self._is_current(handle):
            os.close(handle)
            return False
        self._handle = handle
        with contextlib.suppress(OSError):  # a full disk must not keep anybody from deleting
            os.ftruncate(handle, 0)
            os.lseek(handle, 0, os.SEEK_SET)
            os.write(handle, str(os.getpid()).encode())
        return True

    def _is_current(self, handle: int) -> bool:
        """Tell whether the file is still the one we opened: its last holder may have deleted it."""
        try:
            return os.path.samestat(os.fstat(handle), os.stat(self.path))
        except FileNotFoundError:
            return False


def document_lock(folder: Path, identifier: str) -> FileLock:
    """Return the lock that whoever changes a document's files holds (parsing, encoding, removing)."""
    return FileLock(folder / f"document-{identifier}.lock")


@contextlib.contextmanager
def holding(lock: FileLock, timeout: float | None, refusal: str) -> Iterator[FileLock]:
    """Hold the lock inside `with`. Raises Failure(refusal) when it was not free within `timeout` seconds."""
    if not lock.acquire(timeout):
        raise Failure(refusal)
    try:
        yield lock
    finally:
        lock.release()

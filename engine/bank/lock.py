"""One writer at a time: a lock that the operating system drops when the process dies."""

import os
import sys
import time
from pathlib import Path

from engine.errors import Failure

POLL_SECONDS = 0.05


class FolderLock:
    """An exclusive lock on a file. Held from `acquire` to `release`; a killed process holds nothing."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None

    def acquire(self, refusal: str, wait: float = 0.0) -> None:
        """Takes the lock, or raises Failure(refusal) when another holds it after `wait` seconds."""
        deadline = time.monotonic() + wait
        while not self._attempt():
            if time.monotonic() >= deadline:
                raise Failure(refusal)
            time.sleep(POLL_SECONDS)

    def release(self) -> None:
        if self._descriptor is None:
            return
        _unlock(self._descriptor)
        os.close(self._descriptor)
        self._descriptor = None

    def _attempt(self) -> bool:
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
        if not _lock(descriptor):
            os.close(descriptor)
            return False
        if not self._current(descriptor):  # a deletion took the file away between opening and locking
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        return True

    def _current(self, descriptor: int) -> bool:
        try:
            return os.path.samestat(os.fstat(descriptor), os.stat(self.path))
        except FileNotFoundError:
            return False


if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> bool:
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def _unlock(descriptor: int) -> None:
        os.lseek(descriptor, 0, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _lock(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _unlock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_UN)

"""Watch: once a day everything on the shelf is read against its sums, behind all other work.

What can be mended is mended, as `doctor --repair` does it; what cannot stands above the cards of the shelf.
"""

import contextlib
import logging
import os
import sys
import threading
import time
from collections.abc import Callable

from engine.errors import Failure
from engine.library import Library
from engine.locks import FileLock
from engine.upkeep import Fault, faults
from ingest.errors import BadInput

DAY = 24 * 3600.0
LOOK_SECONDS = 600.0
REST_SECONDS = 0.1
IDLEST = 19

log = logging.getLogger(__name__)


class _Stopped(Exception):
    """The program ends."""


class Watch:
    """The thread of a page that reads its shelf once a day."""

    def __init__(self, library: Library, wake: Callable[[], None]) -> None:
        """Prepare to watch a library. wake: called where mending has queued a job."""
        self._library, self._wake = library, wake
        self._mark = library.paths.locks / "verified"
        self._stopping = threading.Event()
        self.found: list[Fault] = []

    def start(self) -> None:
        """Begin to look, every ten minutes, whether a day has passed."""
        threading.Thread(target=self._loop, name="watch", daemon=True).start()

    def stop(self) -> None:
        """End after the book in hand."""
        self._stopping.set()

    def is_due(self) -> bool:
        """Tell whether nobody has read this shelf for a day."""
        try:
            return abs(time.time() - self._mark.stat().st_mtime) > DAY
        except OSError:
            return True

    def look(self) -> None:
        """Read everything, unless another program does, and mend what can be mended."""
        lock = FileLock(self._mark.with_name("verifying.lock"))
        if not lock.acquire(0):
            return
        try:
            found = list(faults(self._library, self._rest))
            self.found = [one for one in found if one.mend is None]
            mended = [self._is_mended(one) for one in found if one.mend is not None]
            # what is being worked on just now is tried again in ten minutes
            if all(mended):
                self._mark.touch()
        finally:
            lock.release()

    def _loop(self) -> None:
        # on Linux each thread has a priority of its own; elsewhere this would slow the whole program
        if sys.platform == "linux":
            with contextlib.suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), IDLEST)
        while not self._stopping.wait(LOOK_SECONDS):
            try:
                if self.is_due():
                    self.look()
            except _Stopped:
                break
            except Exception as error:  # whatever it is, the page goes on, and it is tried again
                log.warning("watch: %s", error)
        self._library.shelf.connections.close_this_thread()

    def _rest(self) -> None:
        if self._stopping.wait(REST_SECONDS):
            raise _Stopped

    def _is_mended(self, fault: Fault) -> bool:
        assert fault.mend is not None
        try:
            log.info("watch: %s: %s; %s", fault.title, fault.what, fault.mend())
        except (BadInput, Failure):
            return False
        self._wake()
        return True

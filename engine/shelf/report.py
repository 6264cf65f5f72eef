"""What a worker holds while it works: Report writes progress and reads wishes, Heart shows that it lives.

Both touch the database a few times a second at most, however often they are called.
"""

import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable
from types import TracebackType

from engine.errors import Failure
from engine.shelf.connections import Connections

WISHED = {"pause": "paused", "cancel": "cancelled"}
WRITE_SECONDS = 0.25
BEAT_SECONDS = 2.0
RATE_SECONDS = 20.0
# how much of the whole each stage is, in order: encoding is nearly all of the time
STAGE_SHARES = {"parse": 0.04, "encode": 0.94, "publish": 0.02}
# of one whose pages have to be recognised first (OCR), which takes seconds for each
RECOGNISING_SHARES = {"recognise": 0.4, "parse": 0.02, "encode": 0.57, "publish": 0.01}
STAGE_STATES = {"recognise": "parsing", "parse": "parsing", "encode": "encoding", "publish": "encoding"}


class Stopped(Exception):
    """The work is to stop here; what it has done stays. Workers let it pass."""

    def __init__(self, state: str, message: str = ""):
        super().__init__(message or state)
        self.state = state
        self.message = message


class Report:
    """`report(stage, done, total)` between two steps of the work; raises Stopped when it is to end there."""

    def __init__(
        self,
        connections: Connections,
        job: int,
        worker: str,
        mark: tuple[str, int] = ("", 0),
        stopping: Callable[[], str] | None = None,
        show: Callable[[], None] | None = None,
    ):
        """Begin to report on a job.

        `mark` is the stage and count that earlier attempts reached, `show` is called after each write.
        `stopping` says why the job is to go back into the queue, '' while it is to go on.
        """
        self.worker = worker
        self.stage = ""
        self.done = 0
        self.total = 0
        self._connections = connections
        self._job = job
        self._mark = _reached(*mark)
        self._stopping = stopping
        self._show = show
        self._written = 0.0
        self._history: deque[tuple[float, int]] = deque()

    def __call__(self, stage: str, done: int = 0, total: int = 0, message: str = "") -> None:
        """Report progress in a stage ("recognise", "parse", "encode", "publish"): `done` of `total` units.

        Raises Stopped (pause, cancel, the program closes, the document was removed).
        """
        now = time.monotonic()
        changed = stage != self.stage
        if changed:
            self._history.clear()
        self.stage, self.done, self.total = stage, done, total
        self._remember(now, done)
        if self._stopping is not None and (why := self._stopping()):
            raise Stopped("queued", why)
        if changed or now - self._written >= WRITE_SECONDS:
            self._written = now
            self._write(message, changed)
            if self._show is not None:
                self._show()

    @property
    def rate(self) -> float | None:
        """Return the units per second over the last 20 seconds of this stage (at least two reports)."""
        first_time, first_done = self._history[0] if self._history else (0.0, 0)
        last_time, last_done = self._history[-1] if self._history else (0.0, 0)
        if last_time <= first_time or last_done <= first_done:
            return None
        return (last_done - first_done) / (last_time - first_time)

    def _remember(self, now: float, done: int) -> None:
        self._history.append((now, done))
        while len(self._history) > 2 and now - self._history[0][0] > RATE_SECONDS:
            self._history.popleft()

    def _write(self, message: str, changed: bool) -> None:
        with self._connections.writing() as db:
            db.execute(
                "UPDATE jobs SET stage = ?, done = ?, total = ?, rate = ?, message = ?, heartbeat = ?"
                " WHERE id = ? AND worker = ?",
                [self.stage, self.done, self.total, self.rate, message, time.time(), self._job, self.worker],
            )
            if _reached(self.stage, self.done) > self._mark:
                # the first attempt at what comes now
                db.execute("UPDATE jobs SET attempts = 1 WHERE id = ?", [self._job])
            if changed and self.stage in STAGE_STATES:
                db.execute(
                    "UPDATE documents SET state = ?"
                    " WHERE id = (SELECT document FROM jobs WHERE id = ? AND worker = ? AND kind = 'add')",
                    [STAGE_STATES[self.stage], self._job, self.worker],
                )
            wish = db.execute("SELECT wish FROM jobs WHERE id = ? AND worker = ?", [self._job, self.worker])
            row = wish.fetchone()
        if row is None:
            raise Stopped("cancelled", "the document was removed")
        if row[0]:
            raise Stopped(WISHED[row[0]])


class Heart:
    """Beats from a thread of its own while the work is busy (a PDF may parse for a minute)."""

    def __init__(self, connections: Connections, job: int, worker: str):
        self._connections = connections
        self._job = job
        self._worker = worker
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, name=f"heart of job {job}", daemon=True)

    def __enter__(self) -> "Heart":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _beat(self) -> None:
        sql = "UPDATE jobs SET heartbeat = ? WHERE id = ? AND worker = ?"
        while not self._stop.wait(BEAT_SECONDS):
            try:
                self._connections.db.execute(sql, [time.time(), self._job, self._worker])
            except (Failure, sqlite3.Error):
                # a missed beat is only a missed beat; the work itself will meet the same trouble and say so
                continue
        self._connections.close_this_thread()


def _reached(stage: str, done: int) -> tuple[int, int]:
    """Rank how far a job has come, for comparison."""
    stages = ["", *RECOGNISING_SHARES]
    return (stages.index(stage) if stage in stages else len(stages), done)

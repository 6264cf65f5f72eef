"""JobRunner: the thread of a server that takes queued jobs one by one, also those that others left behind.

A server may have several: one that reads new books at once, and one that fills their memories meanwhile.
"""

import contextlib
import logging
import threading
import time
from collections.abc import Callable
from functools import partial

from engine.shelf.connections import Unwritable
from engine.shelf.jobs import Busy, Job, Jobs, Work

POLL_SECONDS = 0.5
RECOVER_SECONDS = 10.0
LOOK_SECONDS = 1.0  # between two looks for a job that goes before the one under way
HESITATES_SECONDS = 0.05  # between two looks whether the processor is wanted more elsewhere

log = logging.getLogger(__name__)


class JobRunner:
    """Runs `work(job, report)` for each queued job that it `wants`, one at a time.

    order: what the jobs are sorted by, the least first; of equal ones the oldest is first. yields: whether
    the first of two jobs, which is under way, goes back into the queue for the second, which waits.
    hesitates: whether the job under way waits between two of its steps, as somebody waits for an answer.
    """

    def __init__(
        self,
        jobs: Jobs,
        work: Work,
        wants: Callable[[Job], bool] = lambda job: True,
        order: Callable[[Job], tuple] = lambda job: (),
        yields: Callable[[Job, Job], bool] = lambda running, waiting: False,
        hesitates: Callable[[], bool] = lambda: False,
    ):
        self._jobs = jobs
        self._work = work
        self._wants, self._order, self._yields, self._hesitates = wants, order, yields, hesitates
        self._looked = 0.0
        self._stopping = threading.Event()
        self._woken = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Queue what was interrupted, then begin; on a full disk it is queued once there is room."""
        with contextlib.suppress(Unwritable):
            self._jobs.recover()
        self._stopping.clear()
        self._thread = threading.Thread(target=self._loop, name="jobs", daemon=True)
        self._thread.start()

    def stop(self, timeout: float = 30.0) -> bool:
        """Put the job in hand back into the queue and end. False when it did not stop in time.

        It is then taken up again as after a crash, which is not its fault.
        """
        self._stopping.set()
        self._woken.set()
        if self._thread is None:
            return True
        self._thread.join(timeout)
        if self._thread.is_alive():
            self._jobs.forgive()
        return not self._thread.is_alive()

    def wake(self) -> None:
        """Look at the queue now (a job was just added)."""
        self._woken.set()

    def _loop(self) -> None:
        idle = 0.0
        while not self._stopping.is_set():
            worked = False
            try:
                if idle >= RECOVER_SECONDS:
                    self._jobs.recover()
                    idle = 0.0
                worked = self._take_one()
            except Exception as error:  # the queue must outlive a full disk
                log.warning("jobs: %s", error)
            if not worked:
                self._woken.wait(POLL_SECONDS)
                self._woken.clear()
                idle += POLL_SECONDS
        self._jobs.connections.close_this_thread()

    def _take_one(self) -> bool:
        for job in self.queued():
            # a document that another process works on is passed over for now
            with contextlib.suppress(Busy):
                self._run(job)
                return True
        return False

    def _run(self, job: Job) -> None:
        try:
            self._jobs.run(job.id, self._work, timeout=0, stopping=partial(self._why_stop, job))
        except Busy:
            raise
        except Exception as error:
            # its message is in the job's row, where the user sees it
            log.info("job %d: %s", job.id, error)

    def _why_stop(self, job: Job) -> str:
        """Say why a job that is under way goes back into the queue; '' when it may go on."""
        while self._hesitates() and not self._stopping.wait(HESITATES_SECONDS):
            pass
        if self._stopping.is_set():
            return "the program was closed; goes on at the next start"
        now = time.monotonic()
        if now - self._looked < LOOK_SECONDS:
            return ""
        self._looked = now
        gives_way = any(self._yields(job, one) for one in self.queued())
        return "lets a shorter one go first; goes on after it" if gives_way else ""

    def queued(self) -> list[Job]:
        """List the jobs that wait, in the order in which they will be taken."""
        queued = [job for job in self._jobs.all(unfinished=True) if job.state == "queued"]
        return sorted(filter(self._wants, queued), key=self._order)

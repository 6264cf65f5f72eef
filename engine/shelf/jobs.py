"""Jobs: long work on a document that other processes can watch, pause, cancel and take over.

A worker holds the document's lock for as long as its job is "running", and the kernel drops that lock when
the worker dies: a running job whose lock is free is therefore dead, whatever its heartbeat says (machines
sleep, process numbers come back). Heartbeat and process number are for display. Wishes (pause, cancel) are a
column that the worker reads when it reports, about four times a second.

The states of documents follow from their jobs of kind "add" and are written in the same transaction.
"""

import json
import os
import secrets
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.errors import Failure
from engine.locks import document_lock
from engine.shelf.connections import Connections
from engine.shelf.report import RECOGNISING_SHARES, STAGE_SHARES, WISHED, Heart, Report, Stopped
from engine.shelf.sqlite import sqlite_utils
from ingest.errors import BadInput

STATES = ("queued", "running", "paused", "cancelled", "done", "failed")
# the kind that parses and encodes a document
ADD = "add"
UNFINISHED = ("queued", "running", "paused")
# a job that takes its program down with it (out of memory, a crash in a library) is not tried for ever
MOST_ATTEMPTS = 2
DOCUMENT_STATES = {
    "queued": "waiting",
    "paused": "paused",
    "cancelled": "paused",
    "done": "ready",
    "failed": "failed",
}

Work = Callable[["Job", Report], None]
Listener = Callable[["Job"], None]


class Busy(Failure):
    """Another process works on the document."""


@dataclass(frozen=True)
class Job:
    """One row of the jobs table; `done`, `total` and `rate` (per second) count what its stage counts."""

    id: int
    document: str
    kind: str
    options: dict[str, Any]
    state: str
    wish: str
    stage: str
    done: int
    total: int
    rate: float | None
    message: str
    created: float
    started: float | None
    finished: float | None
    heartbeat: float | None
    attempts: int
    worker: str
    pid: int | None
    host: str

    @property
    def unfinished(self) -> bool:
        """Tell whether it is queued, running or paused."""
        return self.state in UNFINISHED

    @property
    def percentage(self) -> float:
        """Return how much of the whole job is done, 0 to 100; only a finished job shows 100."""
        if self.state == "done":
            return 100.0
        share_before, share = 0.0, 1.0
        shares = RECOGNISING_SHARES if self.options.get("ocr") else STAGE_SHARES
        if self.stage in shares:
            stages = list(shares)
            share_before = sum(shares[stage] for stage in stages[: stages.index(self.stage)])
            share = shares[self.stage]
        part = min(1.0, self.done / self.total) if self.total > 0 else 0.0
        return min(99.9, 100.0 * (share_before + share * part))

    @property
    def seconds_left(self) -> float | None:
        """Estimate the seconds that the stage in hand still takes; None when unknown."""
        if self.state != "running" or not self.rate or self.total <= 0:
            return None
        return max(0.0, (self.total - self.done) / self.rate)

    @property
    def tokens_per_second(self) -> float | None:
        """Return the speed of encoding; None in other stages."""
        return self.rate if self.stage == "encode" else None


class Jobs:
    """The jobs of one shelf."""

    def __init__(self, connections: Connections, locks: Path):
        self.connections = connections
        self._locks = locks

    def add(self, document: str, kind: str = ADD, **options: Any) -> Job:
        """Queue a job; an unfinished one of the same kind for the document is returned instead.

        `document` may be a demonstration library's id. `options` (JSON values) are stored in plain text:
        never a password. Raises BadInput when there is neither on the shelf.
        """
        with self.connections.writing() as db:
            tables = (db.table("documents"), db.table("libraries"))
            if not any(table.count_where("id = ?", [document]) for table in tables):
                raise BadInput(f"there is no document {document} on the shelf")
            for job in self.all(document, kind=kind, unfinished=True):
                return job
            row = {"document": document, "kind": kind, "options": json.dumps(options), "created": time.time()}
            identifier: Any = db.table("jobs").insert(row, pk="id").last_pk
            self._show(db, document, kind, DOCUMENT_STATES["queued"])
        return self.get(identifier)

    def get(self, identifier: int) -> Job:
        """Return a job. Raises BadInput when there is no such job (any more)."""
        for row in self.connections.db.execute("SELECT * FROM jobs WHERE id = ?", [identifier]).fetchall():
            return _job(row)
        raise BadInput(f"there is no job {identifier}: its document was removed")

    def all(
        self, document: str | None = None, *, kind: str | None = None, unfinished: bool = False
    ) -> list[Job]:
        """List jobs in the order they were added."""
        wheres, values = ["1"], []
        if document is not None:
            wheres.append("document = ?")
            values.append(document)
        if kind is not None:
            wheres.append("kind = ?")
            values.append(kind)
        if unfinished:
            wheres.append("state IN ('queued', 'running', 'paused')")
        sql = f"SELECT * FROM jobs WHERE {' AND '.join(wheres)} ORDER BY id"
        return [_job(row) for row in self.connections.db.execute(sql, values).fetchall()]

    def latest(self, document: str) -> Job | None:
        """Return the newest job of a document."""
        jobs = self.all(document)
        return jobs[-1] if jobs else None

    # wishes, from any process

    def pause(self, identifier: int) -> Job:
        """Stop after the segment in hand; `resume` goes on there."""
        return self._ask(identifier, wish="pause", at_once={"queued": "paused"})

    def cancel(self, identifier: int) -> Job:
        """Stop after the segment in hand, and don't take it up by itself again."""
        return self._ask(identifier, wish="cancel", at_once={"queued": "cancelled", "paused": "cancelled"})

    def resume(self, identifier: int) -> Job:
        """Queue a paused, failed or cancelled job again; a pause not yet obeyed is taken back.

        Raises BadInput when the job was done, or another one has taken its place.
        """
        with self.connections.writing() as db:
            job = self.get(identifier)
            if job.state == "done":
                raise BadInput(f"job {identifier} is done: there is nothing to resume")
            if not job.unfinished and self.all(job.document, kind=job.kind, unfinished=True):
                raise BadInput(f"job {identifier} was followed by another: resume that one")
            if job.state == "running":
                db.execute("UPDATE jobs SET wish = '' WHERE id = ?", [identifier])
            elif job.state != "queued":
                self._requeue(db, job, "")
        return self.get(identifier)

    def configure(self, identifier: int, **options: Any) -> None:
        """Change options of a job that does not run."""
        with self.connections.writing() as db:
            options = self.get(identifier).options | options
            db.execute("UPDATE jobs SET options = ? WHERE id = ? AND state != 'running'",
                       [json.dumps(options), identifier])  # fmt: skip

    def cancel_all(self, document: str) -> None:
        """Cancel whatever is unfinished for a document."""
        for job in self.all(document, unfinished=True):
            self.cancel(job.id)

    # work

    def recover(self) -> list[Job]:
        """Queue again the jobs whose worker died (or obey the wish it did not live to see)."""
        recovered = []
        for job in self.all(unfinished=True):
            if job.state != "running":
                continue
            lock = document_lock(self._locks, job.document)
            if not lock.acquire(0):
                continue
            try:
                recovered += self._recover(job.id)
            finally:
                lock.release()
        return recovered

    def run(
        self,
        identifier: int,
        work: Work,
        *,
        timeout: float | None = None,
        listen: Listener | None = None,
        stopping: Callable[[], str] | None = None,
    ) -> Job:
        """Do a queued job here and now, and return what became of it. Also goes on with a dead worker's job.

        `work(job, report)` calls `report(stage, done, total)` often (see Report); what it raises is recorded
        and raised again. While another process works on the document, waits for it, showing *its* progress to
        `listen`; raises Busy when that takes longer than `timeout` seconds. `stopping` says why the
        job goes back into the queue, '' while it goes on.
        """
        document = self.get(identifier).document
        lock = document_lock(self._locks, document)
        show = None if listen is None else lambda: listen(self.get(identifier))
        if not lock.acquire(timeout, show):
            raise Busy(f"process {lock.holder()} is working on document {document}: wait for it or stop it")
        try:
            worker = secrets.token_hex(8)
            job = self._claim(identifier, worker)
            if job is None:
                return self.get(identifier)
            mark = (job.stage, job.done)
            self._work(job, work, Report(self.connections, job.id, worker, mark, stopping, show))
            # still under the lock: whoever removes the document waits for it
            return self.get(identifier)
        finally:
            lock.release()

    def forgive(self) -> None:
        """Count no attempt against the jobs that run in this program: it is ended before they can stop."""
        with self.connections.writing() as db:
            db.execute(
                "UPDATE jobs SET attempts = 0 WHERE state = 'running' AND pid = ? AND host = ?",
                [os.getpid(), socket.gethostname()],
            )

    # inside

    def _work(self, job: Job, work: Work, report: Report) -> None:
        state, message = "done", ""
        try:
            with Heart(self.connections, job.id, report.worker):
                work(job, report)
        except Stopped as stop:
            state, message = stop.state, stop.message
        except KeyboardInterrupt:
            state, message = "paused", "stopped by hand; goes on from there when resumed"
            raise
        except (BadInput, Failure) as error:
            state, message = "failed", _first_line(str(error))
            raise
        except BaseException as error:
            state, message = "failed", _first_line(f"{type(error).__name__}: {error}")
            raise
        finally:
            self._finish(job, report, state, message)

    def _claim(self, identifier: int, worker: str) -> Job | None:
        """Make the job ours; the caller holds the document's lock, so a "running" one is a dead worker's."""
        with self.connections.writing() as db:
            job = self.get(identifier)
            if job.state not in ("queued", "running"):
                return None
            if job.wish or job.attempts >= MOST_ATTEMPTS:
                self._recover(identifier)
                return None
            now = time.time()
            db.execute(
                "UPDATE jobs SET state = 'running', worker = ?, pid = ?, host = ?, heartbeat = ?,"
                " started = coalesce(started, ?), finished = NULL, rate = NULL, message = '',"
                " attempts = attempts + 1 WHERE id = ?",
                [worker, os.getpid(), socket.gethostname(), now, now, identifier],
            )
        return self.get(identifier)

    def _finish(self, job: Job, report: Report, state: str, message: str) -> None:
        done, total = (report.total, report.total) if state == "done" else (report.done, report.total)
        with self.connections.writing() as db:
            wished = db.execute("SELECT wish FROM jobs WHERE id = ? AND wish != ''", [job.id]).fetchone()
            if state == "queued" and wished:  # the program closed before it was obeyed
                state, message = WISHED[wished[0]], ""
            finished = None if state in UNFINISHED else time.time()
            written = db.execute(
                "UPDATE jobs SET state = ?, message = ?, wish = '', done = ?, total = ?, rate = NULL,"
                " pid = NULL, attempts = 0, finished = ? WHERE id = ? AND worker = ?",
                [state, message, done, total, finished, job.id, report.worker],
            ).rowcount
            if written:
                self._show(db, job.document, job.kind, DOCUMENT_STATES[state])

    def _recover(self, identifier: int) -> list[Job]:
        """Take a dead worker's job out of "running"; the caller holds the document's lock."""
        with self.connections.writing() as db:
            job = self.get(identifier)
            if job.state != "running":
                return []
            if job.wish:
                state = WISHED[job.wish]
                db.execute(
                    "UPDATE jobs SET state = ?, wish = '', pid = NULL, rate = NULL, attempts = 0"
                    " WHERE id = ?",
                    [state, identifier],
                )
                self._show(db, job.document, job.kind, DOCUMENT_STATES[state])
            elif job.attempts >= MOST_ATTEMPTS:
                db.execute(
                    "UPDATE jobs SET state = 'failed', message = ?, pid = NULL, attempts = 0 WHERE id = ?",
                    [
                        f"the program ended {job.attempts} times at this point, so this was set aside: "
                        "see that there is enough memory, then try again",
                        identifier,
                    ],
                )
                self._show(db, job.document, job.kind, DOCUMENT_STATES["failed"])
            else:
                self._requeue(db, job, "was interrupted; goes on from where it stopped")
        return [self.get(identifier)]

    def _requeue(self, db: sqlite_utils.Database, job: Job, message: str) -> None:
        db.execute(
            "UPDATE jobs SET state = 'queued', wish = '', message = ?, worker = '', pid = NULL, rate = NULL,"
            " finished = NULL WHERE id = ?",
            [message, job.id],
        )
        self._show(db, job.document, job.kind, DOCUMENT_STATES["queued"])

    def _ask(self, identifier: int, wish: str, at_once: dict[str, str]) -> Job:
        with self.connections.writing() as db:
            job = self.get(identifier)
            if job.state == "running":
                db.execute("UPDATE jobs SET wish = ? WHERE id = ?", [wish, identifier])
            elif job.state in at_once:
                state = at_once[job.state]
                db.execute("UPDATE jobs SET state = ?, message = '' WHERE id = ?", [state, identifier])
                self._show(db, job.document, job.kind, DOCUMENT_STATES[state])
        return self.get(identifier)

    @staticmethod
    def _show(db: sqlite_utils.Database, document: str, kind: str, state: str) -> None:
        if kind == ADD:
            db.execute("UPDATE documents SET state = ? WHERE id = ?", [state, document])


def _job(row: tuple) -> Job:
    identifier, document, kind, options, *rest = row
    return Job(identifier, document, kind, json.loads(options), *rest)


def _first_line(text: str) -> str:
    return " ".join(text.split())[:500]

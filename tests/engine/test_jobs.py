"""Jobs: progress others can read, wishes from other processes, workers that die, the runner of a server."""

import os
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from engine import locks as locks_module
from engine.errors import Failure
from engine.shelf import report as report_module
from engine.shelf import runner as runner_module
from engine.shelf.jobs import MOST_ATTEMPTS, Busy, Job
from engine.shelf.report import Report, Stopped
from engine.shelf.runner import JobRunner
from engine.shelf.shelf import Shelf
from ingest.errors import BadInput

PROJECT = Path(__file__).resolve().parents[2]

# a worker in a process of its own: counts to `total`, one line per step in a file, going on where it stopped
WORKER = """
import sys, time
from pathlib import Path
from engine.paths import Paths
from engine.shelf.shelf import Shelf

home, job, steps = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
total, seconds = int(sys.argv[4]), float(sys.argv[5])
shelf = Shelf(Paths(Path(home)))

def work(job, report):
    report("parse", 1, 1)
    done = len(steps.read_text().split()) if steps.exists() else 0
    while done < total:
        report("encode", done, total)
        with steps.open("a") as file:
            file.write(f"{done}\\n")
        done += 1
        time.sleep(seconds)
    report("publish", 1, 1)

print("ready", flush=True)
seen = []
job = shelf.jobs.run(job, work, listen=lambda job: seen.append(job))
print(job.state, max([0.0] + [job.percentage for job in seen if job.state == "running"]), flush=True)
"""


@pytest.fixture
def job(shelf, tmp_path) -> Job:
    return queue(shelf, tmp_path, "content")


def queue(shelf: Shelf, tmp_path: Path, content: str) -> Job:
    source = tmp_path / "book.txt"
    source.write_text(content)
    return shelf.jobs.add(shelf.add(source)[0].id)


def worker(shelf: Shelf, job: Job, steps: Path, total: int, seconds: float) -> subprocess.Popen:
    """One that has begun. What it dies of, it prints as well: a test that waits for its words shows it."""
    command = [sys.executable, "-c", WORKER, shelf.paths.home, job.id, steps, total, seconds]
    process = subprocess.Popen(
        list(map(str, command)),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {"PYTHONPATH": str(PROJECT)},
    )
    assert (said := process.stdout.readline()) == "ready\n", said + process.stdout.read()
    return process


def wait_for(condition, seconds: float = 20.0):
    """Poll until `condition()` is true; its value."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.01)
    raise AssertionError("waited in vain")


def state_of(shelf: Shelf, job: Job) -> tuple[str, str]:
    return shelf.jobs.get(job.id).state, shelf.get(job.document).state


# one process


def test_a_job_from_queue_to_done(shelf, job):
    assert state_of(shelf, job) == ("queued", "waiting")
    seen = []

    def work(job, report):
        assert job.state == "running" and job.pid == os.getpid()
        report("parse", 0, 10)
        seen.append(state_of(shelf, job))
        report("encode", 0, 1000)
        seen.append(state_of(shelf, job))
        report("publish", 1, 1)
        seen.append(state_of(shelf, job))

    done = shelf.jobs.run(job.id, work)
    assert seen == [("running", "parsing"), ("running", "encoding"), ("running", "encoding")]
    assert (done.state, done.percentage, done.pid, done.wish) == ("done", 100.0, None, "")
    assert done.started <= done.finished and state_of(shelf, job) == ("done", "ready")
    assert shelf.jobs.run(job.id, lambda *_: pytest.fail("done already")).state == "done"
    assert shelf.jobs.latest(job.document) == done


def test_one_unfinished_job_per_document_and_kind(shelf, job):
    assert shelf.jobs.add(job.document) == job
    assert shelf.jobs.add(job.document, "check", speed=2).options == {"speed": 2}
    shelf.jobs.run(job.id, lambda *_: None)
    assert shelf.jobs.add(job.document).id != job.id
    with pytest.raises(BadInput, match="no document"):
        shelf.jobs.add("f" * 12)
    with pytest.raises(BadInput):
        shelf.jobs.get(12345)


PERCENTAGES = [
    # stage, done, total, percentage
    ("", 0, 0, 0.0),
    ("parse", 0, 0, 0.0),
    ("parse", 5, 10, 2.0),
    ("encode", 0, 1000, 4.0),
    ("encode", 500, 1000, 51.0),
    ("encode", 1000, 1000, 98.0),
    ("encode", 2000, 1000, 98.0),
    ("publish", 1, 2, 99.0),
    ("publish", 2, 2, 99.9),
    ("classify", 1, 4, 25.0),
]


@pytest.mark.parametrize(("stage", "done", "total", "percentage"), PERCENTAGES)
def test_percentage(job, stage, done, total, percentage):
    running = replace(job, state="running", stage=stage, done=done, total=total)
    assert running.percentage == pytest.approx(percentage)


def test_time_left(job):
    running = replace(job, state="running", stage="encode", done=200, total=1000, rate=100.0)
    assert running.seconds_left == 8.0 and running.tokens_per_second == 100.0
    assert replace(running, rate=None).seconds_left is None
    assert replace(running, state="paused").seconds_left is None
    assert replace(running, stage="parse").tokens_per_second is None


def test_rate_counts_from_where_the_job_was_resumed(shelf, job, monkeypatch):
    clock = [100.0]
    monkeypatch.setattr(report_module.time, "monotonic", lambda: clock[0])
    report = Report(shelf.connections, job.id, "w")
    shelf.connections.db.execute("UPDATE jobs SET worker = 'w'")
    report("encode", 5000, 9000)
    assert report.rate is None
    for _ in range(50):
        clock[0] += 1
        report("encode", report.done + 80, 9000)
    assert report.rate == pytest.approx(80.0)
    for _ in range(50):
        clock[0] += 1
        report("encode", report.done + 10, 9000)
    assert report.rate == pytest.approx(10.0), "the last 20 seconds count"
    assert shelf.jobs.get(job.id).rate == pytest.approx(10.0)
    report("publish", 0, 1)
    assert report.rate is None


def test_progress_is_written_a_few_times_a_second(shelf, job):
    statements, written = [], []

    def work(job, report):
        shelf.connections.db.conn.set_trace_callback(statements.append)
        end = time.monotonic() + 1.0
        calls = 0
        while time.monotonic() < end:
            calls += 1
            report("encode", calls, 10**9)
        shelf.connections.db.conn.set_trace_callback(None)
        assert calls > 1000

    shelf.jobs.run(job.id, work, listen=lambda job: written.append(job.done))
    assert 2 <= len(written) <= 6
    assert sum("BEGIN" in statement for statement in statements) <= 6
    assert written == sorted(written)


FAILURES = [
    (BadInput("this file is empty: choose another"), "this file is empty: choose another"),
    (Failure("the disk is full"), "the disk is full"),
    (ZeroDivisionError("division\nby zero"), "ZeroDivisionError: division by zero"),
]


@pytest.mark.parametrize(("error", "message"), FAILURES, ids=["bad input", "failure", "bug"])
def test_a_failure_is_recorded_and_raised(shelf, job, error, message):
    def work(job, report):
        report("encode", 10, 100)
        raise error

    with pytest.raises(type(error)):
        shelf.jobs.run(job.id, work)
    failed = shelf.jobs.get(job.id)
    assert (failed.state, failed.message, failed.done) == ("failed", message, 10)
    assert state_of(shelf, job) == ("failed", "failed")
    assert shelf.jobs.resume(job.id).state == "queued" and shelf.get(job.document).state == "waiting"
    assert shelf.jobs.run(job.id, lambda *_: None).state == "done"


def test_ctrl_c_pauses(shelf, job):
    def work(job, report):
        report("encode", 10, 100)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        shelf.jobs.run(job.id, work)
    assert state_of(shelf, job) == ("paused", "paused")
    assert shelf.lock(job.document).acquire(0)


def test_wishes_for_a_job_that_does_not_run(shelf, job):
    assert shelf.jobs.pause(job.id).state == "paused" and shelf.get(job.document).state == "paused"
    assert shelf.jobs.run(job.id, lambda *_: pytest.fail("it is paused")).state == "paused"
    assert shelf.jobs.resume(job.id).state == "queued" and shelf.get(job.document).state == "waiting"
    assert shelf.jobs.cancel(job.id).state == "cancelled"
    assert shelf.jobs.pause(job.id).state == "cancelled", "nothing left to pause"
    assert shelf.jobs.resume(job.id).state == "queued"
    shelf.jobs.cancel(job.id)
    successor = shelf.jobs.add(job.document)
    with pytest.raises(BadInput, match="followed by another"):
        shelf.jobs.resume(job.id)
    shelf.jobs.run(successor.id, lambda *_: None)
    with pytest.raises(BadInput, match="nothing to resume"):
        shelf.jobs.resume(successor.id)


def test_a_wish_taken_back_in_time(shelf, job):
    def work(job, report):
        report("encode", 1, 10)
        assert shelf.jobs.pause(job.id).wish == "pause"
        assert shelf.jobs.resume(job.id).wish == ""
        time.sleep(0.3)
        report("encode", 2, 10)

    assert shelf.jobs.run(job.id, work).state == "done"


def test_removing_the_document_stops_its_job(shelf, job):
    removed = []

    def work(job, report):
        report("encode", 1, 10)
        remover = threading.Thread(target=lambda: removed.append(shelf.remove(job.document)))
        remover.start()
        for step in range(10**6):
            time.sleep(0.01)
            report("encode", step, 10**6)

    assert shelf.jobs.run(job.id, work).state == "cancelled"
    wait_for(lambda: removed)
    assert removed[0] > 0 and shelf.entries() == [] and shelf.jobs.all() == []


def test_a_worker_whose_job_vanished_stops(shelf, job):
    def work(job, report):
        shelf.connections.db.execute("DELETE FROM jobs")
        report("encode", 1, 10)
        pytest.fail("went on")

    with pytest.raises(BadInput, match="was removed"):
        shelf.jobs.run(job.id, work)


def test_the_heart_beats_while_the_work_is_silent(shelf, job, monkeypatch):
    monkeypatch.setattr(report_module, "BEAT_SECONDS", 0.02)

    def work(job, report):
        first = shelf.jobs.get(job.id).heartbeat
        wait_for(lambda: shelf.jobs.get(job.id).heartbeat > first)

    assert shelf.jobs.run(job.id, work).state == "done"
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("heart")]


# several processes


def test_another_process_sees_the_progress_and_pauses_and_resumes(shelf, job, tmp_path):
    steps = tmp_path / "steps"
    process = worker(shelf, job, steps, total=10**6, seconds=0.01)
    seen = wait_for(lambda: (now := shelf.jobs.get(job.id)).rate and now)
    assert (seen.state, seen.stage, seen.total, seen.pid) == ("running", "encode", 10**6, process.pid)
    assert 0 < seen.percentage < 100 and seen.seconds_left > 0
    wait_for(lambda: shelf.jobs.get(job.id).done > seen.done)
    asked = time.monotonic()
    assert shelf.jobs.pause(job.id).wish == "pause"
    assert process.communicate(timeout=20)[0].startswith("paused ")
    assert time.monotonic() - asked < 5
    assert state_of(shelf, job) == ("paused", "paused")
    done = len(steps.read_text().split())
    shelf.jobs.resume(job.id)
    process = worker(shelf, job, steps, total=done + 5, seconds=0)
    assert process.communicate(timeout=20)[0].startswith("done ")
    assert steps.read_text().split() == [str(number) for number in range(done + 5)]
    assert state_of(shelf, job) == ("done", "ready")


def test_another_process_cancels(shelf, job, tmp_path):
    process = worker(shelf, job, tmp_path / "steps", total=10**6, seconds=0.01)
    wait_for(lambda: shelf.jobs.get(job.id).done)
    shelf.jobs.cancel(job.id)
    assert process.communicate(timeout=20)[0].startswith("cancelled ")
    assert state_of(shelf, job) == ("cancelled", "paused")
    assert shelf.jobs.recover() == []


def test_a_killed_worker_leaves_a_job_that_goes_on(shelf, job, tmp_path):
    steps = tmp_path / "steps"
    process = worker(shelf, job, steps, total=10**6, seconds=0.01)
    wait_for(lambda: shelf.jobs.get(job.id).done or process.poll() is not None)
    assert process.poll() is None, process.stdout.read()
    assert shelf.jobs.recover() == [], "alive"
    process.kill()
    process.wait()
    assert shelf.jobs.get(job.id).state == "running"
    (recovered,) = shelf.jobs.recover()
    assert recovered.state == "queued" and "goes on from where it stopped" in recovered.message
    assert shelf.get(job.document).state == "waiting" and shelf.jobs.recover() == []
    done = len(steps.read_text().split())
    said = worker(shelf, job, steps, done + 3, 0).communicate(timeout=20)[0]
    assert said.startswith("done "), said
    assert steps.read_text().split() == [str(number) for number in range(done + 3)]


def test_a_killed_workers_job_can_be_run_without_recovering_first(shelf, job, tmp_path):
    process = worker(shelf, job, tmp_path / "steps", total=10**6, seconds=0.01)
    wait_for(lambda: shelf.jobs.get(job.id).done)
    process.kill()
    process.wait()
    assert shelf.jobs.add(job.document).id == job.id
    assert shelf.jobs.run(job.id, lambda *_: None).state == "done"


@pytest.mark.parametrize(("wish", "state"), [("pause", "paused"), ("cancel", "cancelled")])
def test_a_wish_outlives_the_worker_that_did_not_see_it(shelf, job, tmp_path, wish, state):
    process = worker(shelf, job, tmp_path / "steps", total=2, seconds=60)
    wait_for(lambda: shelf.jobs.get(job.id).stage == "encode")
    getattr(shelf.jobs, wish)(job.id)
    process.kill()
    process.wait()
    (recovered,) = shelf.jobs.recover()
    assert recovered.state == state and shelf.get(job.document).state == "paused"


@pytest.mark.parametrize(("wish", "state"), [("pause", "paused"), ("cancel", "cancelled")])
def test_a_wish_of_the_programs_last_moments_holds(shelf, job, wish, state):
    closing: list[str] = []

    def work(mine: Job, report: Report) -> None:
        report("encode", 1, 10)
        getattr(shelf.jobs, wish)(mine.id)
        closing.append("closed")
        report("encode", 2, 10)

    assert shelf.jobs.run(job.id, work, stopping=lambda: "".join(closing)).state == state


def test_a_pause_wished_in_the_last_attempt_does_not_block_the_queue(shelf, job):
    for attempt in range(MOST_ATTEMPTS):
        assert shelf.jobs._claim(job.id, f"worker {attempt}").state == "running"
        if attempt == MOST_ATTEMPTS - 1:
            shelf.jobs.pause(job.id)
        shelf.jobs.recover()
    shelf.jobs.resume(job.id)
    assert shelf.jobs.run(job.id, lambda mine, report: None).state == "done"


def test_one_process_works_and_the_other_waits_and_watches(shelf, job, tmp_path):
    steps = tmp_path / "steps"
    first = worker(shelf, job, steps, total=120, seconds=0.01)
    wait_for(lambda: shelf.jobs.get(job.id).done)
    with pytest.raises(Busy, match=f"process {first.pid}"):
        shelf.jobs.run(job.id, lambda *_: pytest.fail("not alone"), timeout=0)
    psutil.Process(first.pid).suspend()  # until there is somebody to watch
    second = worker(shelf, job, steps, total=120, seconds=0.01)
    psutil.Process(first.pid).resume()
    outputs = [process.communicate(timeout=30)[0].split() for process in (first, second)]
    assert [output[0] for output in outputs] == ["done", "done"]
    assert float(outputs[1][1]) > 4, "the waiting one saw the other's progress"
    assert steps.read_text().split() == [str(number) for number in range(120)], "each step once"


def test_a_job_that_takes_its_program_down_is_given_up(shelf, job):
    shelf.connections.db.execute("UPDATE jobs SET stage = 'encode', done = 500, total = 1000")

    def die_at(done: int):
        """A worker that reports `done` and dies: nothing after its claim and its report is written."""
        claimed = shelf.jobs._claim(job.id, "w")
        if claimed is not None:
            Report(shelf.connections, job.id, "w", (claimed.stage, claimed.done))("encode", done, 1000)

    die_at(500)
    (recovered,) = shelf.jobs.recover()
    assert (recovered.state, recovered.attempts) == ("queued", 1)
    die_at(600)
    (recovered,) = shelf.jobs.recover()
    assert (recovered.state, recovered.attempts) == ("queued", 1), (
        "it got further: that is a first time there"
    )
    die_at(600)
    (recovered,) = shelf.jobs.recover()
    assert recovered.state == "failed" and "memory" in recovered.message
    assert shelf.get(job.document).state == "failed"
    assert shelf.jobs.resume(job.id).attempts == 0


# the runner


def test_the_runner_takes_jobs_in_turn_and_outlives_failures(shelf, tmp_path, monkeypatch):
    monkeypatch.setattr(runner_module, "POLL_SECONDS", 0.02)
    jobs = [queue(shelf, tmp_path, f"content {number}") for number in range(3)]
    order, running = [], []

    def work(job, report):
        assert not running
        running.append(job.id)
        report("encode", 0, 1)
        order.append(job.id)
        running.clear()
        if job.id == jobs[1].id:
            raise BadInput("this one cannot be read")

    runner = JobRunner(shelf.jobs, work)
    runner.start()
    wait_for(lambda: len(order) == 3)
    late = queue(shelf, tmp_path, "late")
    runner.wake()
    wait_for(lambda: shelf.jobs.get(late.id).state == "done")
    assert runner.stop(10)
    assert order == [job.id for job in [*jobs, late]]
    assert [shelf.jobs.get(job.id).state for job in jobs] == ["done", "failed", "done"]
    assert shelf.jobs.get(jobs[1].id).message == "this one cannot be read"


def test_the_runner_stops_and_goes_on_at_the_next_start(shelf, tmp_path):
    job = queue(shelf, tmp_path, "content")
    done = []

    def work(job, report):
        while len(done) < 100:
            report("encode", len(done), 100)
            done.append(len(done))
            time.sleep(0.01)

    runner = JobRunner(shelf.jobs, work)
    runner.start()
    wait_for(lambda: len(done) > 5)
    assert runner.stop(10)
    assert 5 < len(done) < 100 and shelf.jobs.get(job.id).state == "queued"
    assert "next start" in shelf.jobs.get(job.id).message and shelf.jobs.get(job.id).attempts == 0
    runner = JobRunner(shelf.jobs, work)
    runner.start()
    wait_for(lambda: shelf.jobs.get(job.id).state == "done")
    assert runner.stop(10) and done == list(range(100))


def test_the_runner_takes_over_from_a_killed_process(shelf, job, tmp_path, monkeypatch):
    monkeypatch.setattr(runner_module, "POLL_SECONDS", 0.02)
    monkeypatch.setattr(runner_module, "RECOVER_SECONDS", 0.1)
    process = worker(shelf, job, tmp_path / "steps", total=10**6, seconds=0.01)
    wait_for(lambda: shelf.jobs.get(job.id).done)
    runner = JobRunner(shelf.jobs, lambda job, report: report("encode", 1, 1))
    runner.start()
    time.sleep(0.3)
    assert shelf.jobs.get(job.id).pid == process.pid, "the other is alive and keeps it"
    process.kill()
    process.wait()
    wait_for(lambda: shelf.jobs.get(job.id).state == "done")
    assert runner.stop(10)


def test_the_runner_passes_over_a_document_in_other_hands(shelf, tmp_path, monkeypatch):
    monkeypatch.setattr(runner_module, "POLL_SECONDS", 0.02)
    held, free = (queue(shelf, tmp_path, content) for content in ("held", "free"))
    lock = shelf.lock(held.document)
    lock.acquire()
    runner = JobRunner(shelf.jobs, lambda job, report: None)
    runner.start()
    wait_for(lambda: shelf.jobs.get(free.id).state == "done")
    assert shelf.jobs.get(held.id).state == "queued"
    lock.release()
    wait_for(lambda: shelf.jobs.get(held.id).state == "done")
    assert runner.stop(10)


def test_pausing_a_runners_job_lets_the_next_one_in(shelf, tmp_path, monkeypatch):
    monkeypatch.setattr(runner_module, "POLL_SECONDS", 0.02)
    first, second = (queue(shelf, tmp_path, content) for content in ("first", "second"))

    def work(job, report):
        for step in range(10**6 if job.id == first.id else 1):
            report("encode", step, 10**6)
            time.sleep(0.01)

    runner = JobRunner(shelf.jobs, work)
    runner.start()
    wait_for(lambda: shelf.jobs.get(first.id).done)
    shelf.jobs.pause(first.id)
    wait_for(lambda: shelf.jobs.get(second.id).state == "done")
    assert shelf.jobs.get(first.id).state == "paused"
    assert runner.stop(10)


def test_a_long_job_lets_a_short_one_go_first_and_goes_on(shelf, tmp_path, monkeypatch):
    monkeypatch.setattr(runner_module, "LOOK_SECONDS", 0.0)
    done: list[int] = []
    long = queue(shelf, tmp_path, "long")

    def work(job, report):
        for step in range(2):
            if job.id == long.id and not done:
                queue(shelf, tmp_path, "short")
            report("encode", step, 2)
        done.append(job.id)

    runner = JobRunner(
        shelf.jobs, work, order=lambda job: (-job.id,), yields=lambda running, waiting: running.id == long.id
    )
    assert runner._take_one() and shelf.jobs.get(long.id).state == "queued" and not done
    while runner._take_one():
        pass
    assert done[-1] == long.id and len(done) == 2


def test_a_job_waits_between_two_steps_while_somebody_waits_for_an_answer(shelf, tmp_path, monkeypatch):
    monkeypatch.setattr(runner_module, "HESITATES_SECONDS", 0.0)
    wanted, seen = [True, True, False, True, False], []

    def hesitates() -> bool:
        seen.append("look")
        return wanted.pop(0)

    def work(job, report):
        for step in range(2):
            seen.append("step")
            report("encode", step, 2)

    job = queue(shelf, tmp_path, "a book")
    assert JobRunner(shelf.jobs, work, hesitates=hesitates)._take_one()
    assert seen == ["step", "look", "look", "look", "step", "look", "look"]
    assert shelf.jobs.get(job.id).state == "done"


# locks


def test_locks_exclude_threads_and_are_reusable(shelf, job):
    first, second = shelf.lock(job.document), shelf.lock(job.document)
    assert first.acquire(0) and first.held and first.holder() == os.getpid()
    assert not second.acquire(0.1) and not second.held
    waited = []
    assert not second.acquire(0.2, lambda: waited.append(1)) and waited
    first.release(delete=True)
    assert not first.path.exists() and second.acquire(0)
    assert not first.acquire(0), "a deleted lock's file is no longer the lock"
    second.release()
    with first as lock:
        assert lock.held
        with pytest.raises(RuntimeError):
            lock.acquire(0)
    assert not first.held


def test_a_lock_whose_file_was_deleted_while_it_was_opened_is_not_taken(shelf, job, monkeypatch):
    first, second, third = (shelf.lock(job.document) for _ in range(3))
    first.acquire(0)
    real, calls = locks_module._try_lock, []

    def delete_in_between(handle: int) -> bool:
        calls.append(handle)
        if len(calls) == 1:
            first.release(delete=True)
        return real(handle)

    monkeypatch.setattr(locks_module, "_try_lock", delete_in_between)
    assert not second.acquire(0), "it locked a file that nobody else can find"
    assert second.acquire(0) and not third.acquire(0)


def test_stopped_says_why():
    assert (Stopped("paused").state, str(Stopped("cancelled", "removed"))) == ("paused", "removed")


def test_a_runner_takes_what_it_wants_in_its_order(shelf, tmp_path):
    """A book is read by one runner and goes back into the queue; the other takes the shortest first."""
    done: list[str] = []
    names = {queue(shelf, tmp_path, name).document: name for name in ("long", "middle", "short")}

    def read(job, report):
        done.append(f"read {names[job.document]}")
        raise Stopped("queued")

    def read_already(job) -> bool:
        return f"read {names[job.document]}" in done

    reading = JobRunner(shelf.jobs, read, wants=lambda job: not read_already(job))
    while reading._take_one():
        pass
    assert done == ["read long", "read middle", "read short"]
    assert {job.state for job in shelf.jobs.all()} == {"queued"}
    filling = JobRunner(
        shelf.jobs, lambda job, report: done.append(names[job.document]),
        order=lambda job: (["short", "middle", "long"].index(names[job.document]),),
    )  # fmt: skip
    while filling._take_one():
        pass
    assert done[3:] == ["short", "middle", "long"]
    assert {shelf.get(identifier).state for identifier in names} == {"ready"}

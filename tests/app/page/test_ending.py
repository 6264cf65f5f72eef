"""How the true program ends when it is asked to: soon, in order, with its work to go on at the next start."""

import os
import signal
import subprocess
import sys
import threading

import httpx
import pytest

from app.desk.uploads import LOCK, PREFIX
from engine.paths import Paths
from engine.shelf.shelf import Shelf
from tests.app.browser import PROJECT, Program, call, copied, until

NOVEL = PROJECT / "assets" / "samples" / "love-among-the-chickens.epub"


def test_a_stop_in_the_middle_of_everything(furnished, tmp_path):
    """SIGTERM while a novel is encoded, a text is written and somebody listens; before it, a start that finds
    what a program that was killed left of its uploads."""
    program = Program(copied(furnished, tmp_path / "home"))
    abandoned = program.uploads / f"{PREFIX}abandoned"
    abandoned.mkdir(parents=True)
    (abandoned / LOCK).touch()
    program.start()
    try:
        assert not abandoned.exists()
        assert len(list(program.uploads.glob(f"{PREFIX}*"))) == 1

        api = f"{program.url}gradio_api"
        with NOVEL.open("rb") as content:
            (path,) = httpx.post(f"{api}/upload", files={"files": content}).json()
        call(program, "add", {"path": path, "meta": {"_type": "gradio.FileData"}}, "", "", "")
        shelf = Shelf(Paths(program.home))
        until(lambda: [job for job in shelf.jobs.all() if (job.state, job.stage) == ("running", "encode")])
        begun = httpx.post(f"{api}/call/continue", json={"data": ["saltmarsh", "", "", 400, True]}).json()
        heard = threading.Event()
        address = f"{api}/call/continue/{begun['event_id']}"
        threading.Thread(target=listen, args=[address, heard], daemon=True).start()
        until(heard.is_set)

        program.stop(signal.SIGTERM)
        assert "ending" in program.said() and "Traceback" not in program.said()
        # running: it did not end in time, and is taken up again as after a crash
        unfinished = [job.state for job in shelf.jobs.all() if job.unfinished]
        assert unfinished in (["queued"], ["running"])
        shelf.close()
    finally:
        program.kill()


def listen(address: str, heard: threading.Event) -> None:
    """Read a stream of events to its end, whatever that is; `heard` is set by the first words."""
    try:
        with httpx.stream("GET", address, timeout=240) as answer:
            for line in answer.iter_lines():
                if "answer" in line:
                    heard.set()
    except httpx.HTTPError:
        pass


# a page whose thread is deep in the model's arithmetic, as one that opens a book or answers, when it is ended
BUSY = """
import sys, threading, torch
from app.command_line import commands
from app.desk.desk import Desk
from app.page import page
from engine.assistant import Assistant
from engine.library import Library
from engine.paths import Paths
from ingest import apart

class Served:
    mcp_error, local_url = None, "http://here"
    def close(self, verbose): pass

def ended(desk):
    begun = threading.Event()
    def work():
        wide = torch.ones(600, 600)
        while True:
            wide @ wide
            begun.set()
    for _ in range(4):
        threading.Thread(target=work, daemon=True).start()
    begun.wait()
    raise KeyboardInterrupt

def asked_again(desk, seconds):
    raise KeyboardInterrupt

page.serve = lambda *_, **__: Served()
Desk.start = ended
if sys.argv[1:]:
    Desk.stop = asked_again
arguments = commands.parse([])
arguments.settings = {}
raise SystemExit(page.run(arguments, lambda: Assistant(Library(Paths.default(), apart.parse))))
"""


@pytest.mark.parametrize("twice", [[], ["twice"]], ids=["asked once", "asked twice"])
def test_a_thread_deep_in_the_model_does_not_make_the_end_a_crash(twice, tmp_path):
    environment = {**os.environ, "LONGMEM_HOME": str(tmp_path / "home"), "TMPDIR": str(tmp_path)}
    found = subprocess.run(
        [sys.executable, "-c", BUSY, *twice],
        cwd=PROJECT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert (found.returncode, "ending" in found.stderr) == (0, True), found.stderr
    assert list(tmp_path.glob(f"{PREFIX}*")) == []

"""How the true program ends when it is asked to: soon, in order, with its work to go on at the next start."""

import signal
import threading

import httpx

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

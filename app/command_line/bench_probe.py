"""`bench probe`: whether the page goes on answering while it reads hostile files, several at once.

A process of its own asks for the shelf every 50 ms, for the front every 500 (it is as dear as ten shelves),
and beside them a server that does nothing: how late that one answers is how busy the machine is, and no fault
of the page. The same is done with the page idle before. What counts is how many answers came late.
"""

import argparse
import contextlib
import math
import multiprocessing
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import httpx

from app.command_line import hostile_files
from app.command_line.arguments import add_json
from app.command_line.soaked import WAIT_SECONDS, Refused, Soaked
from engine.arguments import positive, thread_count
from engine.bench.subject import home_with_backbone, report
from engine.bench.tiny import write_tiny_model

LATE_SECONDS = 0.5
ENCODE_SECONDS = 3.0  # of a memory
EVERY_SECONDS = (0.05, 0.5, 0.05)  # between an answer and the next question of each
API, FRONT, NOTHING = "the shelf by the API", "the page's front", "a server that does nothing"
Waits = dict[str, list[float]]
Ask = Callable[[httpx.Client], None]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("--visitors", type=positive, default=4, help="who upload at once (default: 4)")
    parser.add_argument("--minutes", type=positive, default=20, help="then no more files come (default: 20)")
    parser.add_argument(
        "--idle", type=positive, default=20, help="seconds that the idle page is asked (default: 20)"
    )
    parser.add_argument("--tiny", action="store_true", help="with the tiny random model")
    parser.add_argument("--threads", type=thread_count, default=2, help="CPU threads (default: 2)")
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Ask an idle page, then one that reads; the exit code is 1 where it alone answered late."""
    with tempfile.TemporaryDirectory(prefix="longmem-bench-") as scratch, nothing() as control:
        server = placed(Path(scratch), arguments)
        server.start()
        try:
            with asked(server.url, control) as idle:
                time.sleep(arguments.idle)
            with asked(server.url, control) as busy:
                read = uploaded(server, arguments)
        finally:
            server.stop()
    found = {f"page idle: {name}": told(waits) for name, waits in idle.items()}
    found |= {f"{read} files read meanwhile: {name}": told(waits) for name, waits in busy.items()}
    late = {name: sum(one > LATE_SECONDS for one in waits) for name, waits in busy.items()}
    report(found, arguments)
    return 1 if not late[NOTHING] and any(late.values()) else 0


def told(waits: list[float]) -> str:
    """Tell in one line how long the answers took."""
    waits = sorted(waits)
    shares = {"median": 0.5, "of 100 one above": 0.99, "of 1,000 one above": 0.999}
    said = [f"{words} {waits[int(share * (len(waits) - 1))]:.3f}" for words, share in shares.items()]
    late = sum(one > LATE_SECONDS for one in waits)
    return f"{len(waits)} answers, {late} after {LATE_SECONDS} s; {', '.join(said)}, worst {waits[-1]:.3f} s"


def placed(folder: Path, arguments: argparse.Namespace) -> Soaked:
    """Make a data folder, and the program that will serve it."""
    settings = {"LONGMEM_MODEL": str(write_tiny_model(folder / "model"))} if arguments.tiny else {}
    home = folder / "home" if arguments.tiny else home_with_backbone(folder)
    return Soaked(home, folder / "temporary", arguments.threads, settings)


# who asks


@contextlib.contextmanager
def asked(page: str, control: str) -> Iterator[Waits]:
    """Ask all three from a process of its own meanwhile; how long each answer took is there at the end."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    asking = context.Process(target=ask_on, args=[theirs, page, control], daemon=True)
    asking.start()
    ours.recv()  # it has begun
    waits: Waits = {}
    yield waits
    ours.send("enough")
    waits |= ours.recv()
    asking.join()


def ask_on(told: Connection, page: str, control: str) -> None:
    """Ask on, a thread for each, until something is said by the other end."""
    asks: dict[str, tuple[str, Ask]] = {
        API: (page, ask_shelf),
        FRONT: (page, ask_front),
        NOTHING: (control, ask_front),
    }
    waits: Waits = {name: [] for name in asks}
    enough = threading.Event()
    threads = [
        threading.Thread(target=time_answers, args=[url, ask, every, waits[name], enough])
        for (name, (url, ask)), every in zip(asks.items(), EVERY_SECONDS, strict=True)
    ]
    for thread in threads:
        thread.start()
    told.send("begun")
    told.recv()
    enough.set()
    for thread in threads:
        thread.join()
    told.send(waits)


def time_answers(url: str, ask: Ask, every: float, waits: list[float], enough: threading.Event) -> None:
    """Ask so many seconds after each answer, and note how long the next one takes."""
    with httpx.Client(base_url=url, timeout=300) as http:
        ask(http)  # the connection is made
        while not enough.wait(every):
            began = time.monotonic()
            ask(http)
            waits.append(time.monotonic() - began)


def ask_front(http: httpx.Client) -> None:
    """Fetch the page itself."""
    http.get("").raise_for_status()


def ask_shelf(http: httpx.Client) -> None:
    """Have the shelf listed, as a program does that knows the interface."""
    begun = http.post("gradio_api/call/shelf", json={"data": []}).raise_for_status().json()
    http.get(f"gradio_api/call/shelf/{begun['event_id']}").raise_for_status()


@contextlib.contextmanager
def nothing() -> Iterator[str]:
    """Serve an empty answer from a process of its own; yields its address."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    serving = context.Process(target=serve_nothing, args=[theirs], daemon=True)
    serving.start()
    yield f"http://127.0.0.1:{ours.recv()}/"
    serving.terminate()
    serving.join()


def serve_nothing(told: Connection) -> None:
    """Answer every request at once with nothing; never returns."""

    class Nothing(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Nothing)
    told.send(server.server_port)
    server.serve_forever()


# who uploads


def uploaded(server: Soaked, arguments: argparse.Namespace) -> int:
    """Have visitors upload every file, and wait until all are read or refused; returns how many were."""
    waiting, end = hostile_files.made(), time.monotonic() + 60 * arguments.minutes
    lock, errors, read = threading.Lock(), list[BaseException](), list[str]()

    def visit() -> None:
        try:
            while True:
                with lock:
                    name, data = next(waiting, ("", b""))
                if not name or time.monotonic() > end:
                    return
                sent(server, name, data)
                read.append(name)
                print(f"bench probe: {name}", file=sys.stderr, flush=True)
        except BaseException as error:
            errors.append(error)

    visitors = [threading.Thread(target=visit) for _ in range(arguments.visitors)]
    for visitor in visitors:
        visitor.start()
    for visitor in visitors:
        visitor.join()
    if errors:
        raise errors[0]
    return len(read)


def sent(server: Soaked, name: str, data: bytes) -> None:
    """Upload a file and wait until it is read or refused; its memory is begun, and not waited for."""
    with contextlib.suppress(Refused):
        entry = server.call("add", server.upload(name, data), "", "", "")
        ended = math.inf
        while (job := server.call("job", entry["id"]))["state"] in ("queued", "running"):
            if job["stage"] == "encode":
                ended = min(ended, time.monotonic() + ENCODE_SECONDS)
            if time.monotonic() > ended:
                server.call("control_job", job["id"], "cancel")
            time.sleep(WAIT_SECONDS)

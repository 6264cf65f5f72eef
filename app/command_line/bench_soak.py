"""`bench soak`: visitors ask, add and remove at once, and the program is killed again and again meanwhile.

What a visitor was told has to hold afterwards: a book that was added is there with its text and memory, one
that was removed is gone from the disk, and everything on the shelf is as it was written.
"""

import argparse
import contextlib
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil

from app.command_line.arguments import add_json
from app.page import access
from engine.arguments import natural, positive, seed, thread_count
from engine.bench.subject import LAMP, home_with_backbone, report
from engine.errors import Failure
from engine.paths import PROJECT, Paths

QUESTIONS = ("How many chapters are there?", "What was the grey cat called?", "Which ship came too close?")
UNREAD = "has not been parsed yet"  # a book that was added just now
AWAY = (httpx.TransportError, json.JSONDecodeError)  # what a killed program leaves of a request
START_SECONDS, WAIT_SECONDS = 180.0, 0.3
KILL_AFTER = (2.0, 20.0)  # seconds of a life


class Refused(Exception):
    """What an endpoint says instead of a value."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the benchmark."""
    parser.add_argument("--questions", type=positive, default=1000, help="default: 1000")
    parser.add_argument("--uploads", type=positive, default=200, help="default: 200")
    parser.add_argument("--removals", type=positive, default=50, help="default: 50")
    parser.add_argument(
        "--kills", type=natural, default=100, help="SIGKILLs at random moments (default: 100)"
    )
    parser.add_argument("--visitors", type=positive, default=4, help="at once (default: 4)")
    parser.add_argument("--seed", type=seed, default=0, metavar="N", help="of what they do and when")
    parser.add_argument("--threads", type=thread_count, default=2, help="CPU threads (default: 2)")
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Soak the program; the exit code is 1 where anything was lost or torn."""
    with tempfile.TemporaryDirectory(prefix="longmem-bench-") as scratch:
        home = home_with_backbone(Path(scratch))
        server = Server(home, Path(scratch) / "temporary", arguments.threads)
        left = {"ask": arguments.questions, "add": arguments.uploads, "remove": arguments.removals}
        ledger = Ledger(random.Random(arguments.seed), left)
        server.start()
        began = time.monotonic()
        visitors = [
            threading.Thread(target=ledger.visit, args=(server,), daemon=True)
            for _ in range(arguments.visitors)
        ]
        for visitor in visitors:
            visitor.start()
        kills = killed(server, arguments.kills, random.Random(arguments.seed + 1), visitors)
        for visitor in visitors:
            visitor.join()
        ledger.finish(server)
        seconds = time.monotonic() - began
        used = server.used()
        server.stop()
        found = {"minutes": seconds / 60, "SIGKILLs": kills, **ledger.counted(), **used}
        wrong = {**ledger.wrong(home), "faults that doctor --verify finds": verified(home)}
        wrong["folders of uploads left over"] = len(list(server.temporary.glob("longmem-uploads-*")))
        report(found | wrong, arguments)
        return 1 if any(wrong.values()) else 0


def killed(server: "Server", kills: int, chance: random.Random, visitors: list[threading.Thread]) -> int:
    """Kill the program at random moments of its life, and start it again; returns how often that was done."""
    done = 0
    while done < kills and any(visitor.is_alive() for visitor in visitors):
        time.sleep(chance.uniform(*KILL_AFTER))
        server.kill()
        server.start()
        done += 1
        print(f"bench soak: killed {done} times of {kills}", file=sys.stderr, flush=True)
    return done


class Server:
    """The program in a process of its own, at one address through all its lives."""

    def __init__(self, home: Path, temporary: Path, threads: int) -> None:
        self.home, self.temporary = home, temporary
        temporary.mkdir()
        self._log = temporary / "program.log"
        self.port = access.free_port("127.0.0.1", None)
        self.url = f"http://127.0.0.1:{self.port}/"
        self._command = [sys.executable, str(PROJECT / "launch.py"), "--port", str(self.port), "--threads",
                         str(threads)]  # fmt: skip
        self._process: subprocess.Popen | None = None
        self._held: list[dict[str, float]] = []

    def start(self) -> None:
        """Start it, and wait until it answers. Raises Failure where it ends or never does."""
        environment = {**os.environ, "LONGMEM_HOME": str(self.home), "TMPDIR": str(self.temporary)}
        with self._log.open("w") as log:
            self._process = subprocess.Popen(self._command, env=environment, stdout=log, stderr=log)
        end = time.monotonic() + START_SECONDS
        while True:
            with contextlib.suppress(httpx.TransportError):
                if httpx.get(f"{self.url}config", timeout=30).status_code == 200:
                    break
            if self._process.poll() is not None or time.monotonic() > end:
                said = self._log.read_text(errors="replace").splitlines()[-1:]
                raise Failure(f"the program did not come back: {''.join(said) or 'it says nothing'}")
            time.sleep(WAIT_SECONDS)
        self._held = []

    def kill(self) -> None:
        """End it as a power cut would."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        """End it in order."""
        assert self._process is not None
        self._process.terminate()
        self._process.wait(120)

    def used(self) -> dict[str, float]:
        """Tell what its last life held after a third of its requests, and at their end."""
        self.look()
        moments = {"a third": self._held[len(self._held) // 3], "all": self._held[-1]}
        return {
            f"{name} after {share} of the last life's {len(self._held)} requests": one[name]
            for name in self._held[-1]
            for share, one in moments.items()
        }

    def look(self) -> None:
        """Note down what it holds now, where it lives."""
        assert self._process is not None
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(self._process.pid)
            handles = process.num_fds() if hasattr(process, "num_fds") else process.num_handles()
            memory = process.memory_info().rss / 1e6
            self._held.append({"megabytes": memory, "handles": handles, "threads": process.num_threads()})

    def call(self, name: str, *data: object) -> Any:
        """Call an endpoint. Raises Refused with its words, or one of AWAY where the program was killed."""
        with httpx.Client(base_url=self.url, timeout=300) as http:
            begun = http.post(f"gradio_api/call/{name}", json={"data": list(data)}).json()
            told = http.get(f"gradio_api/call/{name}/{begun['event_id']}").text
        event, _, last = told.strip().rpartition("\ndata: ")
        if event.endswith("event: error"):
            raise Refused(last)
        return json.loads(last)[0]

    def upload(self, name: str, text: str) -> dict[str, Any]:
        """Upload a file; returns what `add` takes."""
        files = {"files": (name, text.encode())}
        answer = httpx.post(f"{self.url}gradio_api/upload", files=files, timeout=60)
        return {"path": answer.json()[0], "meta": {"_type": "gradio.FileData"}}


@dataclass
class Ledger:
    """What visitors are still to do, and what they were told."""

    chance: random.Random
    left: dict[str, int]
    books: dict[str, str] = field(default_factory=dict)
    removed: set[str] = field(default_factory=set)
    done: Counter[str] = field(default_factory=Counter)
    errors: list[str] = field(default_factory=list)
    _number: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def visit(self, server: Server) -> None:
        """Be a visitor, until nothing is left to do."""
        while (task := self._next()) is not None:
            kind, subject = task
            while True:
                try:
                    getattr(self, f"_{kind}")(server, subject)
                    self.done[kind] += 1
                    server.look()
                except AWAY:
                    self.done["requests cut off"] += 1
                    time.sleep(WAIT_SECONDS)
                    continue
                except Refused as error:
                    self.errors.append(f"{kind}: {error}")
                break

    def finish(self, server: Server) -> None:
        """Wait until every book is ready, and compare its text with what was sent."""
        for identifier, text in self.books.items():
            while (state := server.call("job", identifier)["state"]) in ("queued", "running"):
                time.sleep(WAIT_SECONDS)
            said = server.call("read", identifier, 0, len(text) + 100)["text"]
            if state != "done" or said.split() != text.replace("# ", "").split():
                self.errors.append(f"{identifier} is {state}, its text {len(said)} letters")

    def counted(self) -> dict[str, int]:
        """Tell what was done."""
        names = {"ask": "questions answered", "add": "books added", "remove": "books removed"}
        return {words: self.done[name] for name, words in names.items()} | {
            "requests cut off and sent again": self.done["requests cut off"]
        }

    def wrong(self, home: Path) -> dict[str, int]:
        """Compare with the disk what they were told."""
        for error in self.errors[:10]:
            print(f"bench soak: {error}", file=sys.stderr)
        there = {path.name for path in Paths(home).documents.iterdir()}
        return {
            "books lost": len(self.books.keys() - there),
            "removed books still there": len(self.removed & there),
            "folders of nobody": len(there - self.books.keys() - self.removed),
            "refusals and wrong texts": len(self.errors),
        }

    def _next(self) -> tuple[str, str] | None:
        with self._lock:
            kinds = [kind for kind, left in self.left.items() if left]
            if not kinds:
                return None
            may = [kind for kind in kinds if kind == "add" or self.books]
            # where only books are left to remove or to ask, and there is none, one more is added
            kind = self.chance.choices(may, [self.left[kind] for kind in may])[0] if may else "add"
            self.left[kind] = max(0, self.left[kind] - 1)
            if kind == "add":
                self._number += 1
                return kind, f"{LAMP}\nThis is copy {self._number} of it.\n"
            chosen = self.chance.choice(sorted(self.books))
            if kind == "remove":
                del self.books[chosen]
                self.removed.add(chosen)
            return kind, chosen

    def _add(self, server: Server, text: str) -> None:
        entry = server.call("add", server.upload("lamp.md", text), "", "", "")
        with self._lock:
            self.books[entry["id"]] = text

    def _remove(self, server: Server, identifier: str) -> None:
        try:
            server.call("remove", identifier)
        except Refused as error:  # it may have been removed by the request that was cut off
            if "no document" not in str(error):
                raise

    def _ask(self, server: Server, identifier: str) -> None:
        while identifier in self.books:  # else it was removed by another visitor
            try:
                answer = server.call("ask", identifier, self.chance.choice(QUESTIONS), "", "")
            except Refused as error:
                if UNREAD not in str(error) and identifier in self.books:
                    raise
                time.sleep(WAIT_SECONDS)
                continue
            if not answer["answer"]:
                self.errors.append(f"ask: no answer about {identifier}")
            return


def verified(home: Path) -> int:
    """Count what `doctor --verify` finds broken."""
    command = [sys.executable, str(PROJECT / "launch.py"), "doctor", "--verify", "--json"]
    environment = {**os.environ, "LONGMEM_HOME": str(home)}
    found = subprocess.run(command, env=environment, capture_output=True, text=True)
    checks: Iterator[dict[str, str]] = json.loads(found.stdout)["checks"]
    return sum(check["state"] == "broken" for check in checks)

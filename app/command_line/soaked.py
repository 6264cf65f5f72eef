"""Soaked: the program in a process of its own, started again after each kill, and what it holds meanwhile."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import psutil

from app.command_line.forked import Original, can_fork
from engine.errors import Failure
from engine.paths import PROJECT, Paths

NOT_KEPT = httpx.Limits(max_keepalive_connections=0)  # a connection to a program that was killed is no use
AWAY = (httpx.TransportError, json.JSONDecodeError)  # what a killed program leaves of a request
START_SECONDS, WAIT_SECONDS = 900.0, 0.3  # of a machine with much other work


class Refused(Exception):
    """What an endpoint says instead of a value."""


class Soaked:
    """The program at one address through all its lives."""

    def __init__(
        self, home: Path, temporary: Path, threads: int, settings: dict[str, str], lives: int = 1
    ) -> None:
        """Prepare to start the program.

        settings: added to its environment. lives: how often it will start; many starts are copies of one
        process.
        """
        self.home, self.temporary = home, temporary
        temporary.mkdir(exist_ok=True)
        self._environment = os.environ | settings | {"LONGMEM_HOME": str(home), "TMPDIR": str(temporary)}
        self._log = temporary / "program.log"
        with socket.socket() as free:  # not the usual one, which somebody else may take after a kill
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}/"
        self._arguments = ["--port", str(port), "--threads", str(threads)]
        self._original = Original(self._environment, self._log) if lives > 1 and can_fork() else None
        self._process: psutil.Process | None = None
        # a client is dear to make: it reads all certificates of the machine
        self._http = httpx.Client(base_url=self.url, timeout=300, limits=NOT_KEPT)
        self.held: list[dict[str, float]] = []

    def start(self) -> None:
        """Start it, and wait until it answers. Raises Failure where it ends or never does."""
        self.begin()
        assert self._process is not None
        end = time.monotonic() + START_SECONDS
        while True:
            with contextlib.suppress(httpx.TransportError):
                if self._http.get("config", timeout=30).status_code == 200:
                    break
            if self._has_ended() or time.monotonic() > end:
                said = self._log.read_text(errors="replace").splitlines()[-1:]
                raise Failure(f"the program did not come back: {''.join(said) or 'it says nothing'}")
            time.sleep(WAIT_SECONDS)
        self.held = []

    def begin(self) -> None:
        """Begin to start it, and wait for nothing."""
        if self._original is not None:
            self._process = self._original.begun(self._arguments)
            return
        command = [sys.executable, str(PROJECT / "launch.py"), *self._arguments]
        with self._log.open("a") as log:
            self._process = psutil.Popen(command, env=self._environment, stdout=log, stderr=log)

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
        if self._original is not None:
            self._original.close()

    def _has_ended(self) -> bool:
        assert self._process is not None
        with contextlib.suppress(psutil.NoSuchProcess):
            return bool(self._process.status() == psutil.STATUS_ZOMBIE)
        return True

    def look(self) -> None:
        """Note down what it holds now, where it lives."""
        assert self._process is not None
        database = Paths(self.home).database
        with contextlib.suppress(psutil.Error, OSError):
            process = self._process
            handles = process.num_fds() if hasattr(process, "num_fds") else process.num_handles()
            log = database.with_name(f"{database.name}-wal")
            halves = [*self.temporary.rglob("*"), *self.home.rglob("*.tmp")]
            self.held.append({
                "megabytes": process.memory_info().rss / 1e6,
                "handles": handles,
                "threads": process.num_threads(),
                "temporary files": sum(one.is_file() for one in halves),
                "megabytes of write-ahead log": log.stat().st_size / 1e6 if log.exists() else 0.0,
            })  # fmt: skip

    def call(self, name: str, *data: object) -> Any:
        """Call an endpoint. Raises Refused with its words, or one of AWAY where the program was killed."""
        begun = self._http.post(f"gradio_api/call/{name}", json={"data": list(data)}).json()
        told = self._http.get(f"gradio_api/call/{name}/{begun['event_id']}").text
        event, _, last = told.strip().rpartition("\ndata: ")
        if event.endswith("event: error"):
            raise Refused(last)
        return json.loads(last)[0]

    def upload(self, name: str, data: bytes) -> dict[str, Any]:
        """Upload a file; returns what `add` takes."""
        files = {"files": (name, data)}
        answer = self._http.post("gradio_api/upload", files=files)
        return {"path": answer.json()[0], "meta": {"_type": "gradio.FileData"}}

    def verified(self) -> int:
        """Count what `doctor --verify` finds broken; it may run beside the program."""
        return verified(self.home, self._environment)


def verified(home: Path, environment: Mapping[str, str] = os.environ) -> int:
    """Count what `doctor --verify` finds broken."""
    command = [sys.executable, str(PROJECT / "launch.py"), "doctor", "--verify", "--json"]
    environment = {**environment, "LONGMEM_HOME": str(home)}
    found = subprocess.run(command, env=environment, capture_output=True, text=True)
    broken = [one for one in json.loads(found.stdout)["checks"] if one["state"] == "broken"]
    for one in broken:
        print(f"bench: doctor finds {one}", file=sys.stderr)
    return len(broken)

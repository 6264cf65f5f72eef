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

from engine.errors import Failure
from engine.paths import PROJECT, Paths

AWAY = (httpx.TransportError, json.JSONDecodeError)  # what a killed program leaves of a request
START_SECONDS, WAIT_SECONDS = 900.0, 0.3  # of a machine with much other work


class Refused(Exception):
    """What an endpoint says instead of a value."""


class Soaked:
    """The program at one address through all its lives."""

    def __init__(self, home: Path, temporary: Path, threads: int, settings: dict[str, str]) -> None:
        self.home, self.temporary = home, temporary
        temporary.mkdir(exist_ok=True)
        self._environment = os.environ | settings | {"LONGMEM_HOME": str(home), "TMPDIR": str(temporary)}
        self._log = temporary / "program.log"
        with socket.socket() as free:  # not the usual one, which somebody else may take after a kill
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}/"
        self._command = [sys.executable, str(PROJECT / "launch.py"), "--port", str(port), "--threads",
                         str(threads)]  # fmt: skip
        self._process: subprocess.Popen | None = None
        self.held: list[dict[str, float]] = []

    def start(self) -> None:
        """Start it, and wait until it answers. Raises Failure where it ends or never does."""
        with self._log.open("a") as log:
            self._process = subprocess.Popen(self._command, env=self._environment, stdout=log, stderr=log)
        end = time.monotonic() + START_SECONDS
        while True:
            with contextlib.suppress(httpx.TransportError):
                if httpx.get(f"{self.url}config", timeout=30).status_code == 200:
                    break
            if self._process.poll() is not None or time.monotonic() > end:
                said = self._log.read_text(errors="replace").splitlines()[-1:]
                raise Failure(f"the program did not come back: {''.join(said) or 'it says nothing'}")
            time.sleep(WAIT_SECONDS)
        self.held = []

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

    def look(self) -> None:
        """Note down what it holds now, where it lives."""
        assert self._process is not None
        database = Paths(self.home).database
        with contextlib.suppress(psutil.Error, OSError):
            process = psutil.Process(self._process.pid)
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

"""Forked: the program begun as a copy of a process that has imported it: a start costs a third of one.

Most of what a start costs is importing. What is killed and begun again a hundred times, as in `bench soak`,
would do nothing else on a busy machine. A copy runs the very command line, and shares nothing it changes.
"""

import contextlib
import json
import os
import runpy
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil

from engine.paths import PROJECT

WAITING = "from app.command_line.forked import begin_what_is_told; begin_what_is_told()"


def can_fork() -> bool:
    """Tell whether this system copies processes, and safely so."""
    return sys.platform.startswith("linux")


class Original:
    """The process that is copied; it ends with the one that made it."""

    def __init__(self, environment: Mapping[str, str], log: Path) -> None:
        """Start the process that is copied. environment, log: of the copies."""
        with log.open("a") as said:
            self._process = subprocess.Popen(
                [sys.executable, "-c", WAITING], cwd=PROJECT, env=dict(environment), text=True,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said,
            )  # fmt: skip

    def begun(self, arguments: Sequence[str]) -> psutil.Process:
        """Begin the program with these arguments."""
        told, heard = self._process.stdin, self._process.stdout
        assert told is not None and heard is not None
        told.write(json.dumps(list(arguments)) + "\n")
        told.flush()
        return psutil.Process(int(heard.readline()))

    def close(self) -> None:
        """End it; copies go on."""
        self._process.communicate()


def begin_what_is_told() -> None:
    """Import everything, and begin a copy for each line of arguments on standard input."""
    from app.command_line.opening import named_model, stay_local, wait_asleep

    stay_local(named_model([]))
    wait_asleep()
    program = runpy.run_path(str(PROJECT / "launch.py"))
    _import_all()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody here asks how a copy ended
    while line := sys.stdin.readline():
        if child := os.fork():
            print(child, flush=True)
            continue
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(2, 1)
        code: Any = 1
        with contextlib.suppress(SystemExit):
            code = program["main"](json.loads(line))
        os._exit(code)


def _import_all() -> None:
    """Import what a start and the first question of it import."""
    from app.page import page  # noqa: F401
    from engine.assistant import Assistant  # noqa: F401
    from engine.bench import tiny

    tiny.import_its_parts()

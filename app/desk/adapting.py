"""Adapting: the command `adapt` as a process of the page's own, for a model that has not learned to remember.

It is the very command: what it has in hand lies in the data folder, so it goes on after a stop, a kill or a
restart with the books and the hours that it was begun with.
"""

import contextlib
import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from app.desk.desk import Desk
from engine.paths import IS_INSTALLED, PROJECT, SAMPLES
from engine.whole import write_whole
from ingest.errors import BadInput

PROGRAM: Sequence[str] = (
    [sys.executable, "-c", "from app.command_line.commands import longmem; longmem()"]
    if IS_INSTALLED
    else [sys.executable, str(PROJECT / "launch.py")]
)
FEWEST_BOOKS, MOST_BOOKS = 4, 24  # from the shelf; of fewer than four the samples are learned from
LEAST_HOURS, USUAL_HOURS, MOST_HOURS = 0.1, 3.0, 48.0
STOP_SECONDS = 5.0  # a kill costs what it learned since it saved last


class Adapting:
    """The one run of `adapt` that a page may have under way or left unfinished."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        folder = desk.shelf.paths.adapting
        self.books, self.log, self._file = folder / "books", folder / "page.log", folder / "page.json"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def is_wanted(self) -> bool:
        """Tell whether the model in use has no checkpoint that it could have."""
        model = self.desk.assistant.library.model
        return model.is_loaded and model.checkpoint is None

    @property
    def is_running(self) -> bool:
        """Tell whether the adaptation is under way."""
        return self._process is not None and self._process.poll() is None

    @property
    def is_begun(self) -> bool:
        """Tell whether a run of this model was begun and not ended."""
        return self._begun().get("model") == self._model

    @property
    def is_done(self) -> bool:
        """Tell whether the run that this page began has come to its end."""
        return self._process is not None and self._process.poll() == 0

    def said(self) -> str:
        """Return the last line that it printed; '' before the first."""
        with contextlib.suppress(OSError):
            lines = self.log.read_text(encoding="utf-8", errors="replace").split("\n")
            return next((line.strip() for line in reversed(lines) if line.strip()), "")
        return ""

    def begin(self, hours: float) -> None:
        """Begin, or go on with what was begun. Raises BadInput for hours that are none."""
        if self.is_running:
            return
        if not self.is_begun:
            if not LEAST_HOURS <= hours <= MOST_HOURS:
                raise BadInput(f"give it {LEAST_HOURS:g} to {MOST_HOURS:g} hours")
            self.books.parent.mkdir(parents=True, exist_ok=True)
            self._gather()
            write_whole(self._file, json.dumps({"model": self._model, "hours": hours}))
        model = ["--model", self._model] if self._model else []
        command = [*PROGRAM, "adapt", *model, "--books", self.books, "--hours", self._begun()["hours"]]
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                list(map(str, command)), stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL
            )

    def stop(self) -> None:
        """End it; `begin` goes on from where it saved last."""
        if self._process is None or not self.is_running:
            return
        self._process.terminate()  # which it takes for Ctrl-C, also where a shell has that ignored
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def finish(self) -> None:
        """Let go of the books that it learned from, once it is done."""
        if self.is_done and self._file.exists():
            self._file.unlink()
            shutil.rmtree(self.books, ignore_errors=True)

    @property
    def _model(self) -> str:
        return self.desk.assistant.library.model.named["model"]

    def _begun(self) -> dict:
        with contextlib.suppress(OSError, ValueError):
            begun = json.loads(self._file.read_text(encoding="utf-8"))
            return begun if isinstance(begun, dict) else {}
        return {}

    def _gather(self) -> None:
        """Copy what is learned from: it must not change until the end, as a shelf may."""
        shutil.rmtree(self.books, ignore_errors=True)
        self.books.mkdir()
        for file in self._sources():
            shutil.copy(file, self.books / f"{file.parent.name}-{file.name}")

    def _sources(self) -> list[Path]:
        shelf = self.desk.shelf
        longest = sorted(shelf.entries(), key=lambda one: -one.characters)
        files = [shelf.paths.documents / one.id / one.source_file for one in longest if one.characters]
        kept = [file for file in files if file.is_file()][:MOST_BOOKS]
        return kept if len(kept) >= FEWEST_BOOKS else sorted(SAMPLES.glob("*.*"))

"""`bench kills`: books are added by several processes, and one after another is killed, or who started them.

Whatever is killed, `add` is given the same folder again until it ends by itself. Then every memory has to be,
byte by byte, what an `add` that nobody disturbed made of the same books.
"""

import argparse
import contextlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import psutil

from app.command_line.arguments import add_json
from app.command_line.soaked import verified
from engine.arguments import natural, positive, seed
from engine.bench.subject import report
from engine.errors import Failure
from engine.paths import PROJECT, Paths

MOST_STARTS = 10  # of an `add` that nobody disturbs any more: what died twice is refused once
ORPHAN_SECONDS = 60.0
CHAPTER = (
    "# Chapter {chapter}\n\nThis is chapter {chapter} of book {book}. "
    "Old Tobias kept the lamp of the northern lighthouse for forty years, and nobody thanked him for it. "
)
NOT_COMPARED = ("writer.lock",)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the benchmark to its parser."""
    parser.add_argument("--kills", type=natural, default=50, help="at random moments (default: 50)")
    parser.add_argument("--books", type=positive, default=8, help="of a shelf (default: 8)")
    parser.add_argument("--segments", type=positive, default=60, help="of a book, about (default: 60)")
    parser.add_argument("--workers", type=positive, default=2, help="processes (default: 2)")
    parser.add_argument("--seed", type=seed, default=0, metavar="N", help="of what is killed and when")
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Kill and compare; the exit code is 1 where anything was lost or torn."""
    from engine.bench.tiny import write_tiny_model

    with tempfile.TemporaryDirectory(prefix="longmem-bench-") as folder:
        scratch = Path(folder)
        books, model = scratch / "books", write_tiny_model(scratch / "model")
        write_books(books, arguments.books, arguments.segments)
        command = ["add", str(books), "--workers", str(arguments.workers), "--model", str(model), "--json"]
        calm = Adding(command, scratch / "undisturbed")
        began = time.monotonic()
        calm.finish()
        storm = Storm(random.Random(arguments.seed), time.monotonic() - began, arguments.kills)
        homes = storm.rage(command, scratch)
        wanted = banks(calm.home)
        if len(wanted) != arguments.books:
            raise Failure(f"{len(wanted)} of {arguments.books} books were added where nothing was killed")
        found = {"shelves": len(homes), "books of each": arguments.books, **storm.done}
        wrong = {
            "books lost": sum(len(wanted.keys() - banks(home).keys()) for home in homes),
            "memories torn": sum(differing(wanted, banks(home)) for home in homes),
            "faults that doctor --verify finds": sum(map(verified, homes)),
            "processes left over": storm.orphans,
        }
        report(found | wrong, arguments)
        return 1 if any(wrong.values()) else 0


class Adding:
    """One `add` into one data folder, in as many lives as it takes."""

    def __init__(self, command: list[str], home: Path) -> None:
        self.home, self._command = home, [sys.executable, str(PROJECT / "launch.py"), *command]
        self.process = self._start()

    def again(self) -> None:
        """Start it anew."""
        self.process = self._start()

    def finish(self) -> None:
        """Let it end, and start it again until every book is there. Raises Failure where that is never."""
        for _ in range(MOST_STARTS):
            if self.process.wait() == 0:
                return
            self.again()
        raise Failure(f"add ended with {self.process.returncode}, {MOST_STARTS} times")

    def family(self) -> list[psutil.Process]:
        """List it and all that it has started."""
        with contextlib.suppress(psutil.Error):
            first = psutil.Process(self.process.pid)
            return [first, *first.children(recursive=True)]
        return []

    def _start(self) -> subprocess.Popen:
        environment = {**os.environ, "LONGMEM_HOME": str(self.home)}
        nowhere = subprocess.DEVNULL
        return subprocess.Popen(self._command, env=environment, stdout=nowhere, stderr=nowhere)


class Storm:
    """Kills something every so often, within half the seconds that an undisturbed `add` takes."""

    def __init__(self, chance: random.Random, seconds: float, kills: int) -> None:
        self.chance, self.seconds, self.kills = chance, seconds, kills
        self.done = Counter({"kills of the coordinator": 0, "kills of a process that it started": 0})
        self.orphans = 0

    def rage(self, command: list[str], scratch: Path) -> list[Path]:
        """Kill until it was enough; returns the data folders, one for each `add` that could be ended."""
        homes: list[Path] = []
        while not homes or self.done.total() < self.kills:
            adding = Adding(command, scratch / f"disturbed-{len(homes)}")
            while self.done.total() < self.kills:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    adding.process.wait(self.chance.uniform(0, self.seconds / 2))
                if adding.process.poll() == 0:
                    break
                self._strike(adding)
            adding.finish()
            homes.append(adding.home)
        return homes

    def _strike(self, adding: Adding) -> None:
        """Kill the coordinator, once in three times, or one of the processes that it has started."""
        family = adding.family()
        if family:
            coordinator = len(family) == 1 or self.chance.random() < 1 / 3
            with contextlib.suppress(psutil.Error):
                (family[0] if coordinator else self.chance.choice(family[1:])).kill()
                kind = "the coordinator" if coordinator else "a process that it started"
                self.done[f"kills of {kind}"] += 1
                print(
                    f"bench kills: {self.done.total()} of {self.kills}, {kind}", file=sys.stderr, flush=True
                )
            if coordinator:
                adding.process.wait()
                self.orphans += len(psutil.wait_procs(family[1:], ORPHAN_SECONDS)[1])
        if adding.process.poll() is not None:
            adding.again()


def write_books(folder: Path, number: int, segments: int) -> None:
    """Write books of about so many segments: 1,024 letters are one, to the tiny model."""
    folder.mkdir()
    for book in range(number):
        chapters = (CHAPTER.format(chapter=chapter, book=book) * 8 for chapter in range(segments))
        (folder / f"book-{book}.md").write_text("\n\n".join(chapters))


def banks(home: Path) -> dict[str, dict[str, bytes]]:
    """Read the memories of a data folder whose books are ready: files by name, by book."""
    command = [sys.executable, str(PROJECT / "launch.py"), "shelf", "--json"]
    environment = {**os.environ, "LONGMEM_HOME": str(home)}
    listed = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    ready = [one["id"] for one in json.loads(listed.stdout)["documents"] if one["state"] == "ready"]
    return {
        one: {
            path.name: path.read_bytes()
            for path in Paths(home).bank(one).iterdir()
            if path.name not in NOT_COMPARED
        }
        for one in ready
    }


def differing(wanted: dict[str, dict[str, bytes]], found: dict[str, dict[str, bytes]]) -> int:
    """Count the memories that are there and not the same."""
    return sum(found[name] != files for name, files in wanted.items() if name in found)

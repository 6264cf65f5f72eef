"""Cold start after set-up: a new process, a small document already on the shelf, one question."""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from engine.arguments import positive
from engine.bench.subject import report
from engine.paths import PROJECT, Paths

TEXT = (
    "# The Lamp\n\nOld Tobias kept the lamp of the northern lighthouse for forty years. "
    "He had a grey cat called Pepper, who slept beside the great lens.\n\n"
    "In the winter of the great storm the supply ship Meridian came too close to the rocks. "
    "Tobias rang the iron bell all night, and the ship turned away in time.\n"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rounds", type=positive, default=3, help="new processes; the best counts")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace) -> int:
    with tempfile.TemporaryDirectory(prefix="longmem-bench-") as scratch:
        home = Path(scratch) / "home"
        if Paths.default().backbones.is_dir():  # conversion belongs to set-up
            shutil.copytree(Paths.default().backbones, home / "backbones")
        file = Path(scratch) / "lamp.md"
        file.write_text(TEXT)
        launched(home, "add", str(file))
        walls, firsts = [], []
        for _ in range(arguments.rounds):
            began = time.perf_counter()
            answer = launched(home, "ask", "lamp", "What was the cat called?", "--json")
            walls.append(time.perf_counter() - began)
            firsts.append(walls[-1] - answer["tokens"] / max(answer["tokens_per_second"], 1e-9))
    results = {
        "seconds from the start to the first token (goal: 8)": min(firsts),
        "seconds from the start to the end of the answer": min(walls),
        "answer": answer["answer"],
    }
    return report(results, arguments.json)


def launched(home: Path, *words: str) -> dict:
    """Run one command in a new process over `home`; its JSON result, if it prints one."""
    environment = {**os.environ, "LONGMEM_HOME": str(home)}
    command = [sys.executable, str(PROJECT / "launch.py"), *words]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return json.loads(done.stdout) if "--json" in words else {}

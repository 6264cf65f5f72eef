"""Cold start after set-up: a new process, a small document already on the shelf, one question."""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from engine.arguments import positive
from engine.bench.subject import LAMP, add_json, home_with_backbone, report
from engine.paths import PROJECT


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the benchmark."""
    parser.add_argument("--rounds", type=positive, default=3, help="new processes; the best counts")
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Measure, and print the result; the exit code is 0."""
    with tempfile.TemporaryDirectory(prefix="longmem-bench-") as scratch:
        home = home_with_backbone(Path(scratch))
        file = Path(scratch) / "lamp.md"
        file.write_text(LAMP)
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
    return report(results, arguments)


def launched(home: Path, *words: str) -> dict:
    """Run one command in a new process over `home`; its JSON result, if it prints one."""
    environment = {**os.environ, "LONGMEM_HOME": str(home)}
    command = [sys.executable, str(PROJECT / "launch.py"), *words]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return json.loads(done.stdout) if "--json" in words else {}

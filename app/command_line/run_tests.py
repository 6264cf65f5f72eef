"""`python launch.py test`: pytest over the project."""

import argparse
import os
import subprocess
import sys
from pathlib import Path

from engine.paths import PROJECT
from ingest.errors import BadInput

NARROWING = {"-k", "-m", "--lf", "--last-failed", "--deselect", "--ignore", "--co", "--collect-only", "--sw",
             "--stepwise", "--pyargs", "--version", "--markers"}  # fmt: skip
QUICK = ["-m", "not slow"]
# a worker per core, each with whole files: fixtures of a file are made once. In the files' own order, so
# that the longest, which wait for a browser, do not come last. A third worker on two cores gains nothing
WORKERS = ["--numprocesses=logical", "--maxprocesses=4", "--dist=loadfile", "--no-loadscope-reorder"]
WITH_VALUE = {"-k", "-m", "-n", "-p", "-o", "-c", "-W", "-r", "--deselect", "--ignore", "--durations",
              "--maxfail"}  # fmt: skip


def run(arguments: argparse.Namespace) -> int:
    """Run pytest over the project, from wherever it is called, on all cores where the run is not narrowed.

    `--quick` leaves out what is marked as slow. `-n 0` keeps to one core, `--cov` counts the lines that are
    reached, which takes twice the time. Raises BadInput for an installed copy, which has no tests.
    """
    if not (PROJECT / "tests").is_dir():
        raise BadInput("an installed copy has no tests; run them in the project's own folder")
    command = [sys.executable, "-m", "pytest", *pytest_arguments(arguments.pytest, Path.cwd())]
    # hundreds of processes import the same files: what the first has compiled is kept for the others
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return subprocess.call(command, cwd=PROJECT, env=environment)


def pytest_arguments(words: list[str], here: Path) -> list[str]:
    """Return pytest's arguments: paths seen from `here` made absolute, workers added to a full run."""
    quick = "--quick" in words
    words = [word for word in words if word != "--quick"]
    result, narrowed = [], False
    for before, word in zip(["", *words], words, strict=False):
        path, colons, node = word.partition("::")
        is_path = not word.startswith("-") and before not in WITH_VALUE
        narrowed = narrowed or is_path or word.partition("=")[0] in NARROWING
        seen_from_here = is_path and (here / path).exists()
        result.append(f"{(here / path).resolve()}{colons}{node}" if seen_from_here else word)
    return [*(QUICK if quick else []), *([] if narrowed else WORKERS), *result]

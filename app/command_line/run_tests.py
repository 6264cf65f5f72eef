"""`python launch.py test`: pytest over the project."""

import argparse
import subprocess
import sys
from pathlib import Path

from engine.paths import PROJECT
from ingest.errors import BadInput

NARROWING = {"-k", "-m", "--lf", "--last-failed", "--deselect", "--ignore", "--co", "--collect-only", "--sw",
             "--stepwise", "--pyargs", "--cov", "--no-cov", "--version", "--markers"}  # fmt: skip
QUICK = ["-m", "not slow"]
WITH_VALUE = {"-k", "-m", "-p", "-o", "-c", "-W", "-r", "--deselect", "--ignore", "--durations", "--maxfail"}


def run(arguments: argparse.Namespace) -> int:
    """Run pytest over the project, from wherever it is called; with coverage where the run is not narrowed.

    `--quick` leaves out what is marked as slow. Raises BadInput for an installed copy, which has no tests.
    """
    if not (PROJECT / "tests").is_dir():
        raise BadInput("an installed copy has no tests; run them in the project's own folder")
    command = [sys.executable, "-m", "pytest", *pytest_arguments(arguments.pytest, Path.cwd())]
    return subprocess.call(command, cwd=PROJECT)


def pytest_arguments(words: list[str], here: Path) -> list[str]:
    """Return pytest's arguments: paths seen from `here` made absolute, coverage added to a full run."""
    result, narrowed = [], "--quick" in words
    if narrowed:
        words = [*QUICK, *(word for word in words if word != "--quick")]
    for before, word in zip(["", *words], words, strict=False):
        path, colons, node = word.partition("::")
        is_path = not word.startswith("-") and before not in WITH_VALUE
        narrowed = narrowed or is_path or word.partition("=")[0] in NARROWING
        seen_from_here = is_path and (here / path).exists()
        result.append(f"{(here / path).resolve()}{colons}{node}" if seen_from_here else word)
    return result if narrowed else ["--cov=engine", "--cov=ingest", "--cov-report=term", *result]

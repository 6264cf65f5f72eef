"""`bench adding`: tokens a second that `add` encodes by one process, by several, and by a cluster.

Every way adds the same books into a data folder and a store of its own, from which another data folder then
takes them over: what a second machine does for each book, and who called a cluster. What starting costs (the
model in every process, a cluster where there is none) is measured by an `add` of a few words and taken off: a
shelf has hundreds.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from app.command_line.arguments import add_json
from engine.arguments import positive
from engine.bench.subject import home_with_backbone, print_object
from engine.errors import Failure
from engine.paths import PROJECT, SAMPLES


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the benchmark to its parser."""
    parser.add_argument(
        "--workers", type=positive, nargs="+", default=(1, 2), metavar="N", help="processes (default: 1 2)"
    )
    parser.add_argument("--ray", metavar="ADDRESS", help="a cluster too, as `add --ray` takes it")
    parser.add_argument("--books", type=positive, default=4, metavar="N", help="(default: 4)")
    parser.add_argument(
        "--characters",
        type=positive,
        default=150_000,
        metavar="N",
        help="of a book, at most (default: 150,000)",
    )
    parser.add_argument("--threads", type=positive, default=1, help="CPU threads of a process (default: 1)")
    parser.add_argument("--model", help="hub name, folder or GGUF file (default: the one that comes along)")
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Add the books in every way, and print a line for each; the exit code is 0."""
    given = ["--threads", str(arguments.threads), *(["--model", arguments.model] if arguments.model else [])]
    ways = [["--workers", str(number)] for number in arguments.workers]
    if arguments.ray:
        ways.append(["--ray", arguments.ray])
    with tempfile.TemporaryDirectory(prefix="longmem-bench-") as folder:
        scratch = Path(folder)
        text = arguments.parse_file(SAMPLES / "love-among-the-chickens.epub").text[: arguments.characters]
        books = written(scratch / "books", [f"Book {one}\n\n{text}" for one in range(arguments.books)])
        few = written(scratch / "few", [f"A few words of {one}." for one in range(max(arguments.workers))])
        rows: list[dict[str, Any]] = []
        for number, way in enumerate(ways):
            store = scratch / f"store-{number}"
            begun, _, _ = added([str(few), *way, *given], store)
            seconds, tokens, _ = added([str(books), *way, *given], store)
            _, _, first_spent = added([str(few), *given], store)
            _, _, spent = added([str(books), *given], store)
            rate = tokens / max(1e-3, seconds - begun)
            first = rows[0]["tokens_per_second"] if rows else rate
            rows.append({
                "way": " ".join(way).removeprefix("--"),
                "tokens": tokens,
                "seconds": round(seconds, 2),
                "seconds_to_begin": round(begun, 2),
                "tokens_per_second": round(rate, 1),
                "times_the_first": round(rate / first, 3),
                "processor_seconds_a_book_elsewhere": round((spent - first_spent) / arguments.books, 3),
            })  # fmt: skip
            print(rows[-1], file=sys.stderr, flush=True)
    if arguments.json:
        print_object({"ways": rows}, arguments)
    else:
        for row in rows:
            print("  ".join(f"{name} {value}" for name, value in row.items()))
    return 0


def written(folder: Path, texts: Sequence[str]) -> Path:
    """Write texts as files of a folder."""
    folder.mkdir()
    for number, text in enumerate(texts):
        (folder / f"{number}.txt").write_text(text)
    return folder


def added(words: list[str], store: Path) -> tuple[float, int, float]:
    """Add files into a data folder with nothing but the model; returns seconds, tokens, processor seconds.

    Raises Failure.
    """
    with tempfile.TemporaryDirectory(prefix="longmem-bench-") as scratch:
        home = home_with_backbone(Path(scratch))
        environment = {**os.environ, "LONGMEM_HOME": str(home), "LONGMEM_STORE": str(store)}
        command = [sys.executable, str(PROJECT / "launch.py"), "add", *words, "--json"]
        began, before = time.perf_counter(), sum(os.times()[2:4])
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        seconds, spent = time.perf_counter() - began, sum(os.times()[2:4]) - before
    if done.returncode != 0:
        raise Failure(f"add ended with {done.returncode}: {done.stderr.strip().splitlines()[-1:]}")
    return seconds, sum(one["tokens"] for one in json.loads(done.stdout)["documents"]), spent

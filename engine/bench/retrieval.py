"""`bench retrieval`: what exact search costs, by index, length of the book, and number of queries.

One query is a token of an answer, 128 a prefill. Keys are random; exact search costs the same for any. The
fastest of several runs counts, since other programs share the machine.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch

from engine.arguments import positive, thread_count
from engine.bench.subject import add_json, print_object
from engine.retrieval.index import SearchIndex
from engine.retrieval.kinds import KINDS, default_kind, make_index, usable_kinds
from ingest.errors import BadInput

TOKENS_PER_CHUNK = 4
TOP_K = 16
CHUNKS = (4096, 16_384, 65_536, 262_144, 1_048_576)
QUERIES = (1, 128)
ROWS_AT_ONCE = 1 << 14


@dataclass(frozen=True)
class Shape:
    """Query heads, key heads and dimensions of one kind of search key."""

    name: str
    heads: int
    key_heads: int
    dim: int


SHAPES = {
    "learned": Shape("learned 1 x 128", 1, 1, 128),
    "attention": Shape("attention 9/3 x 64", 9, 3, 64),
}


@dataclass(frozen=True)
class Row:
    """One measurement: milliseconds per search by the clock and of processor time over all threads (which
    other programs disturb less), seconds to build, megabytes held in memory, share of ids as the first index.
    """

    keys: str
    chunks: int
    index: str
    queries: int
    milliseconds: float
    processor_milliseconds: float
    build_seconds: float
    megabytes: float
    agrees: float


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the benchmark."""
    parser.add_argument("--chunks", type=positive, nargs="+", default=CHUNKS, help="chunks per head")
    parser.add_argument("--queries", type=positive, nargs="+", default=QUERIES, help="queries per search")
    parser.add_argument("--index", nargs="+", default=list(usable_kinds()), help=f"of {', '.join(KINDS)}")
    parser.add_argument("--keys", nargs="+", choices=SHAPES, default=list(SHAPES), help="kind of search key")
    parser.add_argument("--threads", type=thread_count, default=2, help="processor threads")
    parser.add_argument("--seconds", type=float, default=1.5, help="time for repetitions of each measurement")
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Prints a table; returns 0."""
    if unknown := set(arguments.index) - set(KINDS):
        raise BadInput(f"there is no index '{unknown.pop()}'; choose of {', '.join(KINDS)}")
    before = torch.get_num_threads()
    torch.set_num_threads(arguments.threads)
    rows = []
    try:
        _print(
            (
                "search keys",
                "chunks",
                "tokens",
                "index",
                "queries",
                "ms",
                "cpu ms",
                "build s",
                "MB held",
                "agrees",
            )
        )
        for name in arguments.keys:
            for chunks in arguments.chunks:
                for row in measure(SHAPES[name], chunks, arguments):
                    rows.append(row)
                    _print(_cells(row))
    finally:
        torch.set_num_threads(before)
    print(
        f"default: {default_kind()}; {arguments.threads} threads, top {TOP_K}, fastest of several runs",
        file=sys.stderr,
    )
    if arguments.json:
        print_object({"rows": [asdict(row) for row in rows]}, arguments)
    return 0


def measure(shape: Shape, chunks: int, arguments: argparse.Namespace) -> list[Row]:
    """Time every index and number of queries over the same keys, in a file as those of a bank are."""
    generator = torch.Generator().manual_seed(0)
    given = [torch.randn(count, shape.heads, shape.dim, generator=generator) for count in arguments.queries]
    known = [None] * len(given)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        keys = _random_keys(Path(folder) / "keys.bin", (chunks, shape.key_heads, shape.dim))
        for kind in arguments.index:
            start = time.perf_counter()
            index = _set_threads(make_index(keys, kind), kind, arguments.threads)
            index.search(given[0][:1], TOP_K)  # a resident index copies at its first search
            build = time.perf_counter() - start
            for number, queries in enumerate(given):
                ids, _ = index.search(queries, TOP_K)
                known[number] = ids if known[number] is None else known[number]
                agrees = (ids == known[number]).float().mean().item()
                times = fastest(partial(index.search, queries, TOP_K), arguments.seconds)
                wall, cpu = (1000 * seconds for seconds in times)
                megabytes = index.nbytes / 1e6
                rows.append(Row(shape.name, chunks, kind, len(queries), wall, cpu, build, megabytes, agrees))
        del keys, index
    return rows


def fastest(call: Callable[[], object], seconds: float, at_least: int = 3) -> tuple[float, float]:
    """Seconds of the fastest call within the given time, by the clock and of processor time."""
    times: list[tuple[float, float]] = []
    end = time.perf_counter() + seconds
    while len(times) < at_least or (time.perf_counter() < end and len(times) < 1000):
        start = time.perf_counter(), time.process_time()
        call()
        times.append((time.perf_counter() - start[0], time.process_time() - start[1]))
    return tuple(min(column) for column in zip(*times, strict=True))


def _random_keys(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    random = np.random.default_rng(0)
    with open(path, "wb") as file:
        for lo in range(0, shape[0], ROWS_AT_ONCE):
            count = min(ROWS_AT_ONCE, shape[0] - lo)
            file.write(random.standard_normal((count, *shape[1:]), np.float32).astype("<f2").data)
    return np.memmap(path, "<f2", "r", shape=shape)


def _set_threads(index: SearchIndex, kind: str, threads: int) -> SearchIndex:
    if kind == "faiss":
        import faiss

        faiss.omp_set_num_threads(threads)
    return index


def _cells(row: Row) -> tuple[str, ...]:
    return (
        row.keys,
        f"{row.chunks:,}",
        f"{row.chunks * TOKENS_PER_CHUNK:,}",
        row.index,
        str(row.queries),
        f"{row.milliseconds:.2f}",
        f"{row.processor_milliseconds:.2f}",
        f"{row.build_seconds:.2f}",
        f"{row.megabytes:.0f}",
        f"{row.agrees:.4f}",
    )


def _print(cells: tuple[str, ...]) -> None:
    widths = (20, 10, 10, 9, 8, 9, 9, 8, 8, 7)
    print("  ".join(cell.rjust(width) for cell, width in zip(cells, widths, strict=True)), flush=True)

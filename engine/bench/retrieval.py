"""`bench retrieval`: what exact search costs, by index, length of the book, and number of queries.

One query is a token of an answer, 128 a prefill. Keys are random; exact search costs the same for any. The
fastest of several runs counts, since other programs share the machine.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch

from engine.arguments import positive, thread_count
from engine.bench.subject import add_json, print_object
from engine.retrieval.kinds import KINDS, make_index, usable_kinds
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

    @property
    def tokens(self) -> int:
        return self.chunks * TOKENS_PER_CHUNK


COLUMNS = (  # head, width, how a row is written in it
    ("search keys", 20, "{0.keys}"),
    ("chunks", 10, "{0.chunks:,}"),
    ("tokens", 10, "{0.tokens:,}"),
    ("index", 9, "{0.index}"),
    ("queries", 8, "{0.queries}"),
    ("ms", 9, "{0.milliseconds:.2f}"),
    ("cpu ms", 9, "{0.processor_milliseconds:.2f}"),
    ("build s", 8, "{0.build_seconds:.2f}"),
    ("MB held", 8, "{0.megabytes:.0f}"),
    ("agrees", 7, "{0.agrees:.4f}"),
)


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
    """Measure, and print a table; return 0."""
    if unknown := set(arguments.index) - set(KINDS):
        raise BadInput(f"there is no index '{unknown.pop()}'; choose of {', '.join(KINDS)}")
    before = torch.get_num_threads()
    torch.set_num_threads(arguments.threads)
    rows = []
    try:
        _print(head for head, _, _ in COLUMNS)
        for name in arguments.keys:
            for chunks in arguments.chunks:
                for row in measure(SHAPES[name], chunks, arguments):
                    rows.append(row)
                    _print(written.format(row) for _, _, written in COLUMNS)
    finally:
        torch.set_num_threads(before)
    print(
        f"default: {usable_kinds()[-1]}; {arguments.threads} threads, top {TOP_K}, fastest of several runs",
        file=sys.stderr,
    )
    if arguments.json:
        print_object({"rows": [asdict(row) for row in rows]}, arguments)
    return 0


def measure(shape: Shape, chunks: int, arguments: argparse.Namespace) -> list[Row]:
    """Measure every index and number of queries over the same keys, in a file as those of a bank are."""
    generator = torch.Generator().manual_seed(0)
    given = [torch.randn(count, shape.heads, shape.dim, generator=generator) for count in arguments.queries]
    known = [None] * len(given)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        keys = _random_keys(Path(folder) / "keys.bin", (chunks, shape.key_heads, shape.dim))
        for kind in arguments.index:
            start = time.perf_counter()
            index = make_index(keys, kind)
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


def fastest(call: Callable[[], object], seconds: float) -> tuple[float, float]:
    """Return the seconds of the fastest call within the given time, by the clock and of the processor."""
    times: list[tuple[float, float]] = []
    end = time.perf_counter() + seconds
    while len(times) < 3 or (time.perf_counter() < end and len(times) < 1000):
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


def _print(cells: Iterable[str]) -> None:
    widths = (width for _, width, _ in COLUMNS)
    print("  ".join(cell.rjust(width) for cell, width in zip(cells, widths, strict=True)), flush=True)

"""`bench bank`: memory, time and disk of a bank by length, synthetic keys, the default model's layout.

Writing and reading run in a process of their own each, so that the peak is theirs alone.
"""

import argparse
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from engine import heap
from engine.arguments import positive, thread_count
from engine.bank.bank import MemoryBank, delete_bank
from engine.bank.layout import DTYPES, SEGMENT, BankIdentity, BankLayout
from engine.bank.writer import BankWriter
from engine.bench.subject import add_json, print_object
from engine.retrieval.kinds import make_index

TOKENS = (100_000, 1_000_000)
TOP_K = 16
SEARCH_DIM = 128
IDENTITY = BankIdentity("synthetic", "synthetic", "synthetic")
STATUS = Path("/proc/self/status")


@dataclass(frozen=True)
class Measured:
    """Peaks and ends in megabytes. `mapped` are pages of files, which the system takes back at need."""

    tokens: int
    dtype: str
    bytes_per_token: float
    write_seconds: float
    writer_peak: float
    open_milliseconds: float
    reader_start: float
    reader_peak: float
    reader_own: float
    reader_mapped: float
    search_milliseconds: float
    gather_milliseconds: float
    verify_seconds: float


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the benchmark."""
    parser.add_argument("--tokens", type=positive, nargs="+", default=TOKENS, help="lengths to compare")
    parser.add_argument("--dtype", choices=DTYPES, default="float16")
    parser.add_argument("--folder", type=Path, help="where to write (some 1.3 GB per million tokens)")
    parser.add_argument("--threads", type=thread_count, default=2, help="processor threads")
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Measure, and print a table; return 0."""
    rows = []
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        for tokens in arguments.tokens:
            row = measure(Path(folder) / "bank", tokens, arguments)
            rows.append(row)
            for name, value in asdict(row).items():
                print(f"{name:>20}  {value:,.2f}" if isinstance(value, float) else f"{name:>20}  {value}")
            print(flush=True)
    first, last = rows[0], rows[-1]
    if first.writer_peak:  # unknown on Windows
        writer, reader = last.writer_peak / first.writer_peak, last.reader_own / first.reader_own
        print(f"{last.tokens / first.tokens:.1f} times the tokens", end=": ")
        print(
            f"memory of the writer x {writer:.3f} (peak), of the reader x {reader:.3f} (its own)", flush=True
        )
    if arguments.json:
        print_object({"rows": [asdict(row) for row in rows]}, arguments)
    return 0


def measure(folder: Path, tokens: int, arguments: argparse.Namespace) -> Measured:
    """Write and read one bank, each in a fresh process; delete it."""
    layout = BankLayout((20,), kv_heads=3, head_dim=64, search_block=8, width=576, dtype=arguments.dtype)
    written = _in_a_process(write, folder, layout, tokens, arguments.threads)
    read = _in_a_process(read_back, folder, layout, arguments.threads)
    delete_bank(folder)
    return Measured(tokens=tokens, dtype=layout.dtype, **written, **read)


def write(folder: Path, layout: BankLayout, tokens: int, threads: int) -> dict[str, float]:
    """Fill a bank with random segments, and measure it."""
    torch.set_num_threads(threads)
    generator = torch.Generator().manual_seed(0)
    start = time.perf_counter()
    with BankWriter.open(folder, layout, IDENTITY) as bank:
        while bank.tokens < tokens:
            count = min(SEGMENT, tokens - bank.tokens)
            head = (count, layout.kv_heads, layout.head_dim)
            bank.append(
                torch.randint(0, 49_152, (count,), generator=generator),
                [(bank.end + 4 * number, bank.end + 4 * number + 4) for number in range(count)],
                {block: torch.randn(head, generator=generator) for block in layout.memory_blocks},
                {block: torch.randn(head, generator=generator) for block in layout.memory_blocks},
                torch.randn(count, layout.width, generator=generator),
            )
        bank.publish()
    return {"write_seconds": time.perf_counter() - start, "writer_peak": resident()["peak"]}


def read_back(folder: Path, layout: BankLayout, threads: int) -> dict[str, float]:
    """Open a bank, search it by learned keys, gather and verify; measure each."""
    torch.set_num_threads(threads)
    generator = torch.Generator().manual_seed(1)
    matrix = torch.randn(layout.width, SEARCH_DIM, generator=generator).numpy()
    queries = torch.randn(20, 1, SEARCH_DIM, generator=generator)
    before = resident()
    start = time.perf_counter()
    bank = MemoryBank.open(folder, IDENTITY, layout)
    opened = time.perf_counter() - start
    found = make_index(bank.search_keys("bench", lambda pooled: pooled @ matrix))
    searching, gathering = [], []
    for query in queries.split(1):
        start = time.perf_counter()
        ids, _ = found.search(query, TOP_K)
        searching.append(time.perf_counter() - start)
        start = time.perf_counter()
        bank.gather(layout.memory_blocks[0], ids)
        gathering.append(time.perf_counter() - start)
    after = resident()
    heap.give_back()  # what the C library keeps for later differs from run to run
    own = resident()["own"]
    start = time.perf_counter()
    bank.verify()
    return {
        "bytes_per_token": bank.bytes_per_token,
        "open_milliseconds": 1000 * opened,
        "reader_start": before["own"],
        "reader_peak": after["peak"],
        "reader_own": own,
        "reader_mapped": after["mapped"],
        "search_milliseconds": 1000 * min(searching),
        "gather_milliseconds": 1000 * min(gathering),
        "verify_seconds": time.perf_counter() - start,
    }


def resident() -> dict[str, float]:
    """Measure the megabytes of this process in memory: peak of all, own pages, and mapped pages of files.

    Only Linux tells them apart; elsewhere all three are the peak, and on Windows 0.
    """
    if STATUS.exists():
        fields = dict(line.split(":", 1) for line in STATUS.read_text().splitlines() if ":" in line)
        names = {"peak": "VmHWM", "own": "RssAnon", "mapped": "RssFile"}
        return {name: int(fields[field].split()[0]) / 1024 for name, field in names.items()}
    if sys.platform == "win32":
        return dict.fromkeys(("peak", "own", "mapped"), 0.0)
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (
        1 << (20 if sys.platform == "darwin" else 10)
    )
    return dict.fromkeys(("peak", "own", "mapped"), peak)


def _in_a_process(call: Callable[..., dict[str, float]], *arguments: object) -> dict[str, float]:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(call, *arguments).result()

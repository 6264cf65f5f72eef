"""`bench fuzz`: thousands of small hostile files of every format, each read in a process of its own.

What counts is the processor's time and the memory that reading one took: a file of some kilobytes that takes
more than two seconds or 300 MB is a fault, and so is anything but a document, a table or one line of refusal.
The seed and the number of a file make the same one again.
"""

import argparse
import os
import random
import sys
import tempfile
import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from app.command_line.arguments import add_json
from engine.arguments import natural, positive, seed
from ingest.errors import BadInput

FORMS = (
    *("text", "markdown", "html", "mhtml", "mail", "fb2", "rtf", "mobi", "pdf", "csv", "jsonl"),
    *("docx", "epub", "odt", "pptx"),
)
SECONDS, MEGABYTES = 2.0, 300.0
PATIENCE = 20  # processor seconds until a file is given up
CHUNK = 20
READ, REFUSED, FAILED = "read", "refused", "failed"


@dataclass(frozen=True)
class Outcome:
    """What became of one hostile file: its `number` and the name of its `change` make it again."""

    form: str
    number: int
    change: str
    size: int
    state: str
    seconds: float
    megabytes: float

    def is_bad(self) -> bool:
        """Tell whether it took too much, or ended otherwise than in a text or a line."""
        return self.state == FAILED or self.seconds > SECONDS or self.megabytes > MEGABYTES


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the benchmark to its parser."""
    parser.add_argument("--formats", default=",".join(FORMS), help=f"which (default: {','.join(FORMS)})")
    parser.add_argument("--inputs", type=positive, default=500, help="of each format (default: 500)")
    parser.add_argument("--first", type=natural, default=0, metavar="N", help="number of the first one")
    parser.add_argument("--seed", type=seed, default=0, metavar="N", help="of all that is made")
    parser.add_argument("--minutes", type=positive, default=60, help="then it stops (default: 60)")
    parser.add_argument("--workers", type=positive, default=1, help="files read at once (default: 1)")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="write the files that are faults there")
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Read them all; the exit code is 1 where one took too much or ended in no line."""
    from engine.bench.subject import report  # what it imports no reading process should hold

    if not hasattr(os, "fork"):
        raise BadInput("bench fuzz needs a system that can copy a process (Linux, macOS): run it there")
    forms = arguments.formats.split(",")
    if unknown := set(forms) - set(FORMS):
        raise BadInput(f"no format is called {min(unknown)!r}: give some of {','.join(FORMS)}")
    found = read_many(forms, arguments)
    bad = [outcome for outcomes in found.values() for outcome in outcomes if outcome.is_bad()]
    if arguments.keep:
        arguments.keep.mkdir(parents=True, exist_ok=True)
        for one in bad:
            ending, _, data = made(arguments.seed, one.form, one.number)
            (arguments.keep / f"{one.form}-{one.number}-{one.change}{ending}").write_bytes(data)
    report({form: summary(outcomes) for form, outcomes in found.items() if outcomes}, arguments)
    return 1 if bad else 0


def summary(told: list[Outcome]) -> str:
    """Tell in one line what became of the files of a format."""
    states = [sum(one.state == state for one in told) for state in (READ, REFUSED, FAILED)]
    seconds, megabytes = max(one.seconds for one in told), max(one.megabytes for one in told)
    return (
        f"{len(told):,} files: {states[0]:,} read, {states[1]:,} refused, {states[2]} failed; "
        f"slowest {seconds:.2f} s, most {megabytes:.0f} MB"
    )


def read_many(forms: list[str], arguments: argparse.Namespace) -> dict[str, list[Outcome]]:
    """Read the files of each format in turn, in processes that import what reads and nothing else."""
    numbers = range(arguments.first, arguments.first + arguments.inputs)
    chunks = [(form, numbers[at : at + CHUNK]) for at in range(0, len(numbers), CHUNK) for form in forms]
    found: dict[str, list[Outcome]] = {form: [] for form in forms}
    end = time.monotonic() + 60 * arguments.minutes
    with ProcessPoolExecutor(arguments.workers, mp_context=get_context("spawn")) as pool:
        waiting = [pool.submit(read_some, arguments.seed, *chunk) for chunk in chunks]
        for done in as_completed(waiting):
            outcomes = done.result()
            found[outcomes[0].form] += outcomes
            for one in filter(Outcome.is_bad, outcomes):
                print(f"bench fuzz: {one}", file=sys.stderr, flush=True)
            if time.monotonic() > end:
                pool.shutdown(cancel_futures=True)
                break
    return found


def read_some(seed: int, form: str, numbers: Iterable[int]) -> list[Outcome]:
    """Make and read some files, here: `ingest` is all that this process should have imported."""
    from ingest import parse, passages, tables  # noqa: F401  before the process is copied
    from ingest.child import collect_seldom

    collect_seldom()  # else each copy goes through all that was imported, and has its memory copied for that
    with tempfile.TemporaryDirectory(prefix="longmem-bench-") as scratch:
        return [_read_one(seed, form, number, Path(scratch)) for number in numbers]


def made(seed: int, form: str, number: int) -> tuple[str, str, bytes]:
    """Make a file, or make it again: the ending of its name, the name of its change, and its bytes."""
    # PyMuPDF makes one of the samples: no other command should wait for it
    from app.command_line.fuzz_changes import hostile
    from app.command_line.fuzz_samples import samples

    ending, parts = samples()[form]
    return ending, *hostile(random.Random(f"{seed} {form} {number}"), parts, form)


def _read_one(seed: int, form: str, number: int, folder: Path) -> Outcome:
    ending, change, data = made(seed, form, number)
    path = folder / f"hostile{ending}"
    path.write_bytes(data)
    child = os.fork()
    if not child:
        _read_and_end(path, form)
    _, status, usage = os.wait4(child, 0)
    code = os.waitstatus_to_exitcode(status)
    state = (READ, REFUSED)[code] if code in (0, 1) else FAILED
    unit = 1e6 if sys.platform == "darwin" else 1e3  # of the most memory it held
    seconds = usage.ru_utime + usage.ru_stime
    return Outcome(form, number, change, len(data), state, seconds, usage.ru_maxrss / unit)


def _read_and_end(path: Path, form: str) -> None:
    """Read a file as the program does, up to its passages; never returns."""
    import resource

    from ingest import parse, passages, tables

    code = 2
    try:
        resource.setrlimit(resource.RLIMIT_CPU, (PATIENCE, PATIENCE))
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        if form in ("csv", "jsonl"):
            tables.read_table(path).to_json()
        else:
            document = parse.parse(path)
            document.to_json()
            passages.passages(document)
        code = 0
    except BadInput as error:
        code = 1 if "\n" not in str(error) else 2
    finally:
        os._exit(code)

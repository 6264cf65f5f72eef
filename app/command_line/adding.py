"""`add`: files, folders, Calibre libraries and feeds onto the shelf, and a report of what became of each."""

import argparse
import contextlib
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.command_line import printing
from app.desk import records
from app.html import wording
from engine.errors import Failure
from ingest.errors import BadInput

if TYPE_CHECKING:
    from engine.assistant import Assistant
    from engine.library import Library
    from engine.making import Order
    from engine.shelf.entry import Entry
    from engine.shelf.jobs import Listener
    from ingest.gathering import Gathered

WATCH_SECONDS = 2.0
Opener = Callable[[argparse.Namespace], "Assistant"]
_opened: list = []  # the library of a worker, or what makes books for a cluster


@dataclass(frozen=True)
class Outcome:
    """What became of one file: its entry on the shelf, or the error."""

    file: "Gathered"
    entry: Any
    error: Exception | None
    seconds: float = 0.0


class Adding:
    """One `add`: tells of every file as it is done, and counts for the report."""

    def __init__(self, arguments: argparse.Namespace, library: "Library") -> None:
        self.arguments, self.library = arguments, library
        self.known = {entry.id for entry in library.shelf.entries() if entry.state == "ready"}
        self.added: list[dict] = []
        self.there: list[dict] = []
        self.refused: list[dict] = []
        self.code = 0

    def take(self, outcome: Outcome, fail: Callable[[str, int, bool], int]) -> None:
        """Print and count what became of a file; books are the same by content."""
        if outcome.error is not None:
            self._refuse(outcome, fail)
            return
        told = self._named(outcome)
        if self.arguments.replaces:
            self._replace_edition(told.id)
        record = {**records.entry(told), "seconds": outcome.seconds}
        if told.id in self.known:
            self.there.append(record)
        else:
            self.known.add(told.id)
            self.added.append(record)
        if not self.arguments.json:
            print(printing.added(told, outcome.seconds))
            for warning in told.warnings:
                print(f"  note: {wording.plain(warning)}")

    def report(self) -> dict:
        """Return what was added, what was there already and what was refused and why, for JSON."""
        return {
            "documents": [*self.added, *self.there],
            "added": len(self.added),
            "there_already": len(self.there),
            "refused": self.refused,
        }

    def lines(self) -> list[str]:
        """Return the report as lines, the refused files at the end."""
        counts = f"{len(self.added)} added, {len(self.there)} there already, {len(self.refused)} refused"
        return [counts, *(f"  {wording.plain(one['why'])}" for one in self.refused)]

    def _refuse(self, outcome: Outcome, fail: Callable[[str, int, bool], int]) -> None:
        error = outcome.error
        if not isinstance(error, BadInput | Failure):
            error = Failure(f"{outcome.file.path.name}: {type(error).__name__}: {error}")
        self.code = fail(str(error), 2 if isinstance(error, BadInput) else 1, self.arguments.debug)
        self.refused.append({"file": str(outcome.file.path), "why": str(error)})

    def _replace_edition(self, edition: str) -> None:
        """Put a document in the place of an older edition of it, and say what that brought."""
        from engine import editions

        former = self.library.shelf.find(self.arguments.replaces).id
        found, freed = editions.replace(self.library, former, edition)
        print(f"  {found} notes were found in it; the older edition is gone, {wording.size(freed)} freed")

    def _named(self, outcome: Outcome) -> "Entry":
        """Give a new book the title and author that its collection tells; returns its entry."""
        file, entry = outcome.file, outcome.entry
        if entry.id in self.known or not (file.title or file.author):
            return entry
        if file.title and file.title != entry.title:
            entry = self.library.shelf.rename(entry.id, file.title)
        return self.library.shelf.update(entry.id, author=file.author) if file.author else entry


def add(arguments: argparse.Namespace, opener: Opener, fail: Callable[[str, int, bool], int]) -> int:
    """Add all that the command names; every file is tried. The exit code is that of the last one refused."""
    from ingest.gathering import gather

    one_file = len(arguments.files) == 1 and Path(arguments.files[0]).expanduser().is_file()
    if arguments.replaces and (not one_file or arguments.watch):
        raise BadInput("--replaces puts one file in the place of one document: name one file")
    if arguments.ray and (arguments.watch or arguments.ocr or arguments.password):
        raise BadInput("--ray goes with neither --watch nor --ocr nor --password: add such files without it")
    adding = Adding(arguments, opener(arguments).library)
    with contextlib.ExitStack() as scratch:
        if arguments.watch:
            scratch.enter_context(contextlib.suppress(KeyboardInterrupt))
        else:
            scratch.enter_context(adding.library.keeper.gathering())
        named = gather(arguments.files) if not arguments.watch else watched(arguments.files)
        for outcome in outcomes(unpacked(named, scratch), arguments, adding.library):
            adding.take(outcome, fail)
    if arguments.json:
        printing.print_json(adding.report(), arguments.results)
    elif len(adding.added) + len(adding.there) + len(adding.refused) > 1:
        print("\n".join(adding.lines()), file=sys.stderr)
    return adding.code


def unpacked(files: Iterable["Gathered"], scratch: contextlib.ExitStack) -> Iterator["Gathered"]:
    """Yield files, and in the place of a ZIP archive of several books these, until `scratch` is closed."""
    from ingest.apart import unpack
    from ingest.gathering import Gathered

    for file in files:
        books: list[Path] = []
        if file.path.suffix.lower() == ".zip" and not file.refusal:
            with contextlib.suppress(BadInput, OSError):  # adding the archive itself says what is wrong
                books = unpack(file.path, Path(scratch.enter_context(tempfile.TemporaryDirectory())) / "0")
        yield from (map(Gathered, books) if books else [file])


def outcomes(
    files: Iterable["Gathered"], arguments: argparse.Namespace, library: "Library"
) -> Iterator[Outcome]:
    """Add files by this process, by several, or by a cluster, and yield what became of each."""
    from engine.executors.executor import Executor, Here
    from engine.executors.processes import Processes

    if arguments.ray:
        yield from on_cluster(files, arguments, library)
        return
    executor: Executor[Gathered, Outcome] = Here(partial(in_sight, arguments, library), lambda: None, ())
    if arguments.workers > 1 and not arguments.watch:
        given = sendable(arguments)
        executor = Processes(partial(in_worker, given), open_worker, (given,), arguments.workers)
    for file, done in executor.each(files):
        yield done if isinstance(done, Outcome) else Outcome(file, None, _named_error(file, done))


def on_cluster(
    files: Iterable["Gathered"], arguments: argparse.Namespace, library: "Library"
) -> Iterator[Outcome]:
    """Have what is new made by a cluster, into the store; each is then added here, where both are found."""
    from engine.bank.store import SETTING
    from engine.executors.cluster import Cluster
    from engine.sums import file_hash

    store = library.store
    if store is None:
        raise BadInput(f"--ray needs a store that all machines reach: name a folder or address in {SETTING}")
    seen = {entry.content_hash for entry in library.shelf.entries() if entry.state == "ready"}
    new: list[Gathered] = []
    others: list[Gathered] = []
    for file in files:
        known = "" if file.refusal or not file.path.is_file() else file_hash(file.path)
        (others if known in seen or not known else new).append(file)
        seen.add(known)
    prepared = (sendable(arguments), store.address)
    pack = partial(order_of, arguments)
    cluster = Cluster(on_node, open_node, prepared, arguments.ray, pack, arguments.threads or 1)
    for file, error in cluster.each(new):
        yield Outcome(file, None, error) if error is not None else added(file, arguments, library, None)
    for file in others:
        yield added(file, arguments, library, None)


def in_sight(arguments: argparse.Namespace, library: "Library", file: "Gathered") -> Outcome:
    """Add one file in this process, with its progress."""
    with contextlib.closing(printing.Progress(file.path.name, sys.stderr)) as progress:
        return added(file, arguments, library, progress)


def sendable(arguments: argparse.Namespace) -> argparse.Namespace:
    """Leave out of arguments what no other process can take; a model's folder is named from the root."""
    model = arguments.model
    if model and Path(model).expanduser().exists():
        model = str(Path(model).expanduser().resolve())
    return argparse.Namespace(**{**vars(arguments), "model": model, "results": None, "function": None})


def order_of(arguments: argparse.Namespace, file: "Gathered") -> "Order":
    """Make of a file what travels to a machine that may not see it."""
    from engine.making import Order

    dtype = "int8" if arguments.int8 else None
    return Order(file.path.name, file.path.read_bytes(), arguments.encoding, dtype)


def open_worker(arguments: argparse.Namespace) -> None:
    """Open the library of a worker's process."""
    import os

    from app.command_line.opening import assistant, named_model, stay_local

    stay_local(arguments.model or named_model([]))
    threads = arguments.threads or max(1, (os.cpu_count() or 1) // arguments.workers)
    _opened[:] = [assistant(argparse.Namespace(**{**vars(arguments), "threads": threads})).library]


def open_node(arguments: argparse.Namespace, address: str) -> None:
    """Open what makes texts and banks in a worker of a cluster, into the store at an address."""
    import os

    from app.command_line import opening
    from engine.bank.store import SETTING

    os.environ[SETTING] = address
    opening.stay_local(arguments.model or opening.named_model([]))
    opening.wait_asleep()
    opening.choose_device(arguments)
    _opened[:] = [opening.maker(arguments)]


def on_node(order: Any) -> None:
    """Make the text and the bank of one file, an `Order`, in a worker of a cluster."""
    _opened[0].make(order)


def in_worker(arguments: argparse.Namespace, file: "Gathered") -> Outcome:
    """Add one file in a worker's process."""
    return added(file, arguments, _opened[0], None)


def added(
    file: "Gathered", arguments: argparse.Namespace, library: "Library", progress: "Listener | None"
) -> Outcome:
    """Add one file; what is wrong with it is an outcome too."""
    began = time.monotonic()
    if file.refusal:
        return Outcome(file, None, BadInput(f"{file.path.name}: {file.refusal}"))
    try:
        entry = library.add(
            file.path,
            password=arguments.password,
            encoding=arguments.encoding,
            ocr=arguments.ocr,
            dtype="int8" if arguments.int8 else None,
            progress=progress,
        )
    except (BadInput, Failure) as error:
        return Outcome(file, None, error)
    return Outcome(file, entry, None, round(time.monotonic() - began, 2))


def watched(names: list[str], wait: Callable[[float], None] = time.sleep) -> Iterator["Gathered"]:
    """Yield files as they come, for ever. One that still grows is left until it looked the same twice."""
    from ingest.gathering import gather

    last: dict[Path, tuple[int, int]] = {}
    taken: dict[Path, tuple[int, int]] = {}
    while True:
        now: dict[Path, tuple[int, int]] = {}
        for file in gather(names):
            with contextlib.suppress(OSError):
                state = file.path.stat()
                now[file.path] = state.st_size, state.st_mtime_ns
            seen = now.get(file.path)
            if seen is not None and taken.get(file.path) != seen and last.get(file.path) == seen:
                taken[file.path] = seen
                yield file
        last = now
        wait(WATCH_SECONDS)


def _named_error(file: "Gathered", error: object) -> Exception:
    return Failure(f"{file.path.name}: {error}")

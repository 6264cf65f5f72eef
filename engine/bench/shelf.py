"""A question about all books: seconds to the books that are read, and to the answer, by books on the shelf.

Above `BOOKS` real ones, books are rows of the shelf and of the catalogue, made up of the real ones: each
vector is a mixture of two real ones with noise, each word a real stem or one of a long tail. What is proposed
is held against comparing every vector. The books that are then ranked and read are the real ones, opened anew
for every question.
"""

import argparse
import shutil
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch

from engine.arguments import positive
from engine.assistant import Assistant
from engine.bench.subject import add_common_arguments, home_with_backbone, print_object
from engine.catalogue.catalogue import Catalogue, Volume
from engine.catalogue.keeper import BOOKS, LIKEST, Keeper
from engine.catalogue.vectors import asking_vector
from engine.library import Library
from engine.paths import SAMPLES, Paths
from engine.retrieval.votes import ballot, question_states
from engine.shelf.entry import Entry
from ingest.document import Document
from ingest.errors import BadInput

SIZES = (10, 100, 1000, 10_000)
EXCERPT = 16_000  # characters of the sample book that stand for a book where the shelf has none
TAIL = 200_000  # made-up stems
ANOTHER = 0xFFFF_FFFF_FFFF  # the number of a book that comes and goes
NOISE = 0.25  # of a vector's length
QUESTIONS = (
    "Who kept the chickens in the garden by the sea?",
    "What did the professor say about the boat?",
    "Why did she not marry the captain?",
    "Where was the letter hidden?",
    "How old is the narrator's friend?",
    "Who paid for the dinner at the hotel?",
    "What happened to the old dog at night?",
    "When did the train leave for London?",
)


@dataclass(frozen=True)
class Real:
    """What made-up books are made of: vectors (n, dim) float32, and stems with their counts."""

    vectors: np.ndarray
    stems: dict[str, int]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the benchmark to its parser."""
    add_common_arguments(parser)
    parser.add_argument("--sizes", type=positive, nargs="+", default=SIZES, metavar="N", help="books")
    parser.add_argument("--passages", type=positive, default=1000, metavar="N", help="of a made-up book")
    parser.add_argument("--stems", type=positive, default=4000, metavar="N", help="of a made-up book")
    parser.add_argument(
        "--home", type=Path, metavar="DIR", help=f"a data folder with {BOOKS} books (default: copies of one)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Measure, and print the result; the exit code is 0."""
    torch.set_num_threads(arguments.threads)
    with tempfile.TemporaryDirectory(prefix="longmem-bench-") as scratch:
        assistant = real_shelf(arguments, Path(scratch))
        rows = []
        for row in measured(assistant, arguments, Path(scratch)):
            rows.append(row)
            words = "  ".join(f"{name} {value:,.3f}".rstrip("0").rstrip(".") for name, value in row.items())
            print(words, file=sys.stderr if arguments.json else sys.stdout, flush=True)
    if arguments.json:
        print_object({"shelves": rows}, arguments)
    return 0


def real_shelf(arguments: argparse.Namespace, scratch: Path) -> Assistant:
    """Open the shelf that is named, or make one of copies of a sample's beginning. Raises BadInput."""
    if arguments.home is not None:
        assistant = Assistant(Library(beside(arguments.home, scratch / "home"), arguments.parse_file))
        if sum(entry.state == "ready" for entry in assistant.shelf.entries()) < BOOKS:
            raise BadInput(f"{arguments.home}: this shelf has fewer than {BOOKS} books that are ready")
        return assistant
    whole = arguments.parse_file(SAMPLES / "love-among-the-chickens.epub")

    def parse(path: Path, **_: object) -> Document:
        return Document(path.read_text(), "", "en", "text", whole.text[:EXCERPT])

    assistant = Assistant(Library(Paths(home_with_backbone(scratch)), parse))
    for number in range(BOOKS):
        file = scratch / f"{number}.txt"
        file.write_text(f"copy {number}")
        if number == 0:
            first = assistant.library.add(file).id
        else:
            copied(assistant.library, file, first)
    return assistant


def beside(home: Path, scratch: Path) -> Paths:
    """Open a data folder with rows of its own: made-up books are no business of the shelf that is named."""
    named, ours = Paths(home), Paths(scratch)
    if not named.database.is_file():
        raise BadInput(f"{home} is no data folder")
    scratch.mkdir()
    with closing(sqlite3.connect(named.database)) as old, closing(sqlite3.connect(ours.database)) as new:
        old.backup(new)
    for theirs, link in ((named.backbones, ours.backbones), (named.documents, ours.documents)):
        if theirs.is_dir():
            link.symlink_to(theirs.resolve(), target_is_directory=True)
    return ours


def copied(library: Library, file: Path, first: str) -> None:
    """Put a copy of the first book with its memory on the shelf."""
    entry, _ = library.shelf.add(file)
    library.shelf.store(entry.id, library.document(first))
    library.index(entry.id)
    shutil.copytree(library.paths.bank(first), library.paths.bank(entry.id))
    tokens = library.shelf.get(first).tokens
    library.shelf.update(entry.id, state="ready", tokens=tokens)


def reopened(library: Library) -> Assistant:
    """Open the shelf again, with nothing of it open yet but the model."""
    fresh = Library(library.paths, _unread)
    fresh.model = library.model
    return Assistant(fresh)


def _unread(path: Path, **_: object) -> Document:
    raise BadInput(f"{path.name} was not read into the shelf")


def measured(assistant: Assistant, arguments: argparse.Namespace, scratch: Path) -> Iterator[dict[str, Any]]:
    """Fill a catalogue of made-up books step by step, and measure at each size."""
    library = assistant.library
    entries = [entry for entry in library.shelf.entries() if entry.state == "ready"][:BOOKS]
    real = material(library, [entry.id for entry in entries])
    made = Catalogue(scratch / "made", scratch / "locks", "made", real.vectors.shape[1])
    random = np.random.default_rng(0)
    filled = len(entries)
    for size in sorted(arguments.sizes):
        here, new = entries[:size], range(filled, size)
        for entry in entries:
            library.shelf.update(entry.id, state="ready" if entry in here else "waiting")
        list_made_up(library, here[0].id, new)
        began = time.process_time()
        made.put_all(volume(number, real, arguments, random) for number in new)
        Proposing(library, made, {}).keep_up(library.shelf.ready())
        made.settle()
        spent = time.process_time() - began
        print(f"{size:,} books are in the catalogue, {spent:,.0f} processor seconds", file=sys.stderr)
        filled = max(filled, size)
        known = sum(len(made.vectors(entry.id)) for entry in here)
        passages = known + (size - len(here)) * arguments.passages
        another = volume(ANOTHER, real, arguments, random)
        yield {"books": size, "passages": passages} | measure(library, made, here, another)


def list_made_up(library: Library, like: str, numbers: range) -> None:
    """Put books on the shelf that are nothing but a row, and like another one."""
    with library.shelf.connections.writing() as db:
        row = db.table("documents").get(like)
        made_up = ({"id": name_of(one), "content_hash": f"{one:064x}", "created": 0.0} for one in numbers)
        db.table("documents").insert_all(row | one for one in made_up)


def material(library: Library, names: list[str]) -> Real:
    """Take the vectors and stems of real books out of their catalogue."""
    library.keeper.keep_up(library.shelf.ready())
    vectors = [library.keeper.catalogue.vectors(name) for name in names]
    stems: dict[str, int] = {}
    for name in names:
        stems |= library.shelf.fulltext.stems(name)
    return Real(np.concatenate(vectors).astype(np.float32), stems)


def volume(number: int, real: Real, arguments: argparse.Namespace, random: np.random.Generator) -> Volume:
    """Make up a book of the catalogue."""
    return Volume(name_of(number), 0.0, vectors(real, arguments.passages, random),
                  stems(real, arguments.stems, random))  # fmt: skip


def name_of(number: int) -> str:
    """Return the id of a made-up book."""
    return f"{number:012x}"


def vectors(real: Real, passages: int, random: np.random.Generator) -> np.ndarray:
    """Make up the vectors (passages, dim) float16 of a book: mixtures of two real ones, with noise."""
    first, second = random.integers(0, len(real.vectors), (2, passages))
    share = random.uniform(0.5, 1.0, (passages, 1)).astype(np.float32)
    mixed = share * real.vectors[first] + (1 - share) * real.vectors[second]
    noise = random.standard_normal(mixed.shape, np.float32) / np.sqrt(mixed.shape[1])
    mixed += NOISE * np.linalg.norm(mixed, axis=1, keepdims=True) * noise
    return (mixed / np.linalg.norm(mixed, axis=1, keepdims=True)).astype(np.float16)


def stems(real: Real, count: int, random: np.random.Generator) -> dict[str, int]:
    """Make up the stems of a book: half of them real ones, half of a long tail."""
    known = list(real.stems)
    kept = {known[at]: real.stems[known[at]] for at in random.integers(0, len(known), count // 2).tolist()}
    tail = {f"stem{at}": 1 + at % 5 for at in random.integers(0, TAIL, count // 2).tolist()}
    return kept | tail


def measure(library: Library, made: Catalogue, entries: list[Entry], another: Volume) -> dict[str, float]:
    """Measure one size: medians over the questions, seconds of the clock and of the processor."""
    ranges = {entry.id: (0, entry.characters) for entry in entries}
    asked(library, made, QUESTIONS[0], ranges)  # opens the index
    times = [asked(library, made, question, ranges) for question in QUESTIONS]
    memory = psutil.Process().memory_info()
    (candidates, candidates_spent), (first_word, first_word_spent) = np.median(times, axis=0)
    row = {
        "candidate_seconds": candidates,
        "candidate_processor_seconds": candidates_spent,
        "first_word_seconds": first_word,
        "first_word_processor_seconds": first_word_spent,
        "recall_at_20": recall(library, made),
        "resident_mb": memory.rss / 1e6,
        "private_mb": (memory.rss - getattr(memory, "shared", 0)) / 1e6,
        "index_mb": made.bytes() / 1e6,
        "add_seconds": seconds(lambda: made.put_all([another]))[0],
        "renew_index_seconds": seconds(made.settle)[0],
        "delete_seconds": seconds(lambda: made.drop(another.id))[0],
    }
    return {name: round(float(value), 4) for name, value in row.items()}


class Proposing(Keeper):
    """Proposes books of a catalogue, and then has the real ones read: the others have no text.

    seconds: what proposing took by the clock, and of the processor.
    """

    def __init__(self, library: Library, made: Catalogue, real: Mapping[str, tuple[int, int]]) -> None:
        super().__init__(library.shelf, lambda: library.model, library.bank, library.passages)
        self.catalogue, self._real = made, real
        self.seconds = 0.0, 0.0

    def narrowed(self, question: str, ranges: Mapping[str, Any]) -> Mapping[str, Any]:
        """Take the time to choose among `ranges`; return the real books."""
        self.seconds = seconds(partial(super().narrowed, question, ranges))
        return self._real


def asked(
    library: Library, made: Catalogue, question: str, real: Mapping[str, tuple[int, int]]
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Ask the whole shelf: seconds to the books that are read, and to the first word of the answer."""
    fresh = reopened(library)
    fresh.library.keeper = keeper = Proposing(fresh.library, made, real)
    whole = seconds(partial(next, fresh.ask(None, question)))
    return keeper.seconds, whole


def seconds(work: Callable[[], object]) -> tuple[float, float]:
    """Return the seconds that something takes by the clock, and of the processor."""
    began, spent = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - began, time.process_time() - spent


def recall(library: Library, made: Catalogue) -> float:
    """Return the share of the 20 likest passages, by comparing all, that are among the candidates."""
    search, block = library.model.sidenet.search, library.model.sidenet.config.search_block
    if search is None or block is None:
        raise BadInput("this checkpoint has no search map: there are no vectors to measure")
    states = (question_states(library.model.backbone, question, block) for question in QUESTIONS)
    queries = np.concatenate([asking_vector(ballot(search, one)) for one in states])
    scores = np.full((len(queries), 20), -np.inf, np.float32)
    best = [[("", 0)] * 20 for _ in queries]
    for book in made.books():
        likeness = queries @ made.vectors(book).astype(np.float32).T
        for row, lowest in enumerate(scores.min(axis=1)):
            for at in np.flatnonzero(likeness[row] > lowest).tolist():
                worst = int(scores[row].argmin())
                if likeness[row, at] > scores[row, worst]:
                    scores[row, worst], best[row][worst] = likeness[row, at], (book, at)
    found = made.nearest(queries, LIKEST)
    held = [{(one.book, one.passage) for one in some} for some in found]
    every = zip(best, held, strict=True)
    return float(np.mean([one in names for some, names in every for one in some if one[0]]))

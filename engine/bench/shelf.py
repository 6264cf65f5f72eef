"""A question about all books: seconds to the books that are read, and to the answer, by books on the shelf.

Vectors and words of the books are made up of those of real ones: each vector is a mixture of two real ones
with noise, each word a real stem or one of a long tail. What is proposed is held against comparing every
vector. The books that are then ranked and read are real, and opened anew for every question.
"""

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch

from engine.arguments import positive
from engine.assistant import Assistant
from engine.bench.subject import add_common_arguments, home_with_backbone
from engine.catalogue.catalogue import Catalogue
from engine.catalogue.keeper import BOOKS, LIKEST
from engine.catalogue.vectors import asking_vectors
from engine.library import Library
from engine.paths import SAMPLES, Paths
from engine.retrieval.votes import ballot, question_states
from ingest.document import Document
from ingest.errors import BadInput

SIZES = (10, 100, 1000, 10_000)
EXCERPT = 16_000  # characters of the sample book that stand for a book where the shelf has none
TAIL = 200_000  # made-up stems
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
    """Arguments of the benchmark."""
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
        rows = list(measured(assistant, arguments, Path(scratch)))
    if arguments.json:
        print(json.dumps({"shelves": rows}))
    else:
        for row in rows:
            print("  ".join(f"{name} {value:,.3f}".rstrip("0").rstrip(".") for name, value in row.items()))
    return 0


def real_shelf(arguments: argparse.Namespace, scratch: Path) -> Assistant:
    """Open the shelf that is named, or make one of copies of a sample's beginning. Raises BadInput."""
    if arguments.home is not None:
        assistant = Assistant(Library(Paths(arguments.home), arguments.parse_file))
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
            first = assistant.add(file).id
        else:
            copied(assistant.library, file, first)
    return assistant


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
    keeper = assistant.library.keeper
    names = [entry.id for entry in assistant.shelf.entries() if entry.state == "ready"][:BOOKS]
    real = material(assistant.library, names)
    made = Catalogue(scratch / "made", scratch / "locks", "made", real.vectors.shape[1])
    keeper.catalogue = made
    random = np.random.default_rng(0)
    filled = 0
    for size in sorted(arguments.sizes):
        for number in range(filled, size):
            book = made_up(real, arguments.passages, arguments.stems, random)
            made.put(f"{number:012x}", 0.0, *book)
        filled = size
        made.settle()
        print(f"{size:,} books are in the catalogue", file=sys.stderr)
        yield measure(assistant, made, names, made_up(real, arguments.passages, arguments.stems, random))


def material(library: Library, names: list[str]) -> Real:
    """Take the vectors and stems of real books out of their catalogue."""
    library.keeper.keep_up(library.shelf.entries())
    vectors = [library.keeper.catalogue.vectors(name) for name in names]
    stems: dict[str, int] = {}
    for name in names:
        stems |= library.shelf.fulltext.stems(name)
    return Real(np.concatenate(vectors).astype(np.float32), stems)


def made_up(
    real: Real, passages: int, stems: int, random: np.random.Generator
) -> tuple[np.ndarray, dict[str, int]]:
    """Make up the vectors (passages, dim) and the stems of a book."""
    first, second = random.integers(0, len(real.vectors), (2, passages))
    share = random.uniform(0.5, 1.0, (passages, 1)).astype(np.float32)
    vectors = share * real.vectors[first] + (1 - share) * real.vectors[second]
    noise = random.standard_normal(vectors.shape, np.float32) / np.sqrt(vectors.shape[1])
    vectors += NOISE * np.linalg.norm(vectors, axis=1, keepdims=True) * noise
    known = list(real.stems)
    kept = {known[at]: real.stems[known[at]] for at in random.integers(0, len(known), stems // 2).tolist()}
    tail = {f"stem{at}": 1 + at % 5 for at in random.integers(0, TAIL, stems // 2).tolist()}
    return vectors.astype(np.float16), kept | tail


def measure(
    assistant: Assistant, made: Catalogue, names: list[str], another: tuple[np.ndarray, dict[str, int]]
) -> dict[str, Any]:
    """Measure one size: medians over the questions."""
    library, books = assistant.library, made.books()
    allowed: dict[str, tuple[int, int | None]] = dict.fromkeys(books, (0, None))
    ranges = {name: (0, library.shelf.get(name).characters) for name in names}
    library.keeper.proposed(QUESTIONS[0], allowed)  # opens the index
    candidates, answers, recalls = [], [], []
    for question in QUESTIONS:
        began = time.perf_counter()
        library.keeper.proposed(question, allowed)
        proposed = time.perf_counter() - began
        fresh = reopened(library)
        began = time.perf_counter()
        fresh.look(question, ranges)
        candidates.append(proposed)
        answers.append(proposed + time.perf_counter() - began)
        recalls.append(recall(library, made, question))
    resident = psutil.Process().memory_info().rss / 1e6
    index = made.bytes() / 1e6
    began = time.perf_counter()
    made.put("f" * 12, 0.0, *another)
    added = time.perf_counter() - began
    began = time.perf_counter()
    made.drop("f" * 12)
    return {
        "books": len(books),
        "passages": len(books) * len(another[0]),
        "candidate_seconds": round(float(np.median(candidates)), 4),
        "first_word_seconds": round(float(np.median(answers)), 4),
        "recall_at_20": round(float(np.mean(recalls)), 4),
        "resident_mb": round(resident, 1),
        "index_mb": round(index, 1),
        "add_seconds": round(added, 4),
        "delete_seconds": round(time.perf_counter() - began, 4),
    }


def recall(library: Library, made: Catalogue, question: str) -> float:
    """Return the share of the 20 likest passages, by comparing all, that are among the candidates."""
    search, block = library.sidenet.search, library.sidenet.config.search_block
    if search is None or block is None:
        raise BadInput("this checkpoint has no search map: there are no vectors to measure")
    queries = asking_vectors(ballot(search, question_states(library.backbone, question, block)))
    scores: list[list[tuple[float, str, int]]] = [[] for _ in queries]
    for book in made.books():
        likeness = queries @ made.vectors(book).astype(np.float32).T
        for row, best in enumerate(np.argsort(-likeness, axis=1)[:, :20].tolist()):
            scores[row] += [(float(likeness[row, at]), book, at) for at in best]
            scores[row] = sorted(scores[row], reverse=True)[:20]
    found = made.nearest(queries, LIKEST)
    shares = []
    for some, best in zip(found, scores, strict=True):
        names = {(one.book, one.passage) for one in some}
        shares.append(np.mean([(book, passage) in names for _, book, passage in best]))
    return float(np.mean(shares))

"""`evaluate shelf`: questions whose book is known, asked over all books of a shelf and of that book alone.

The books of an answer stand in the order in which a reader sees them: those that are cited or shown as the
closest places, then those whose passages were read. Right is what `evaluate readers` calls right.
"""

import argparse
import statistics
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from engine.answering.answer import Answer
from engine.arguments import natural, positive
from engine.assistant import Assistant
from engine.evaluation.haystackshelf import HALVES, answered
from engine.evaluation.readers import is_right
from engine.library import Library
from engine.paths import Paths
from engine.report import table, tell
from engine.training.questions import read_rows
from ingest.errors import BadInput

FEW = 3


@dataclass(frozen=True)
class Asked:
    """One question and what came of it.

    place: of its book among those of the answer, the first is 1; 0 where it is not among them. right, said:
    of the answer over all books, and of that book alone. seconds: of the question over all books.
    """

    book: str
    question: str
    answer: str
    alone: str
    place: int
    said: bool
    right: bool
    said_alone: bool
    right_alone: bool
    seconds: float


def books_of(answer: Answer) -> list[str]:
    """Return the documents of an answer in the order in which they are seen."""
    shown = [one.document for one in (*answer.citations, *answer.looked)]
    return list(dict.fromkeys([*shown, *(one.document for one in answer.passages)]))


def ask(assistant: Assistant, document: str, row: dict) -> Asked:
    """Ask one question of all books, then of the one that it is about."""
    began = time.perf_counter()
    whole = answered(assistant, None, row["question"])
    seconds = time.perf_counter() - began
    alone = answered(assistant, document, row["question"])
    books = books_of(whole)
    return Asked(
        row["book"], row["question"], whole.text, alone.text,
        place=books.index(document) + 1 if document in books else 0,
        said=whole.answered, right=whole.answered and is_right(whole.text, row),
        said_alone=alone.answered, right_alone=alone.answered and is_right(alone.text, row),
        seconds=seconds,
    )  # fmt: skip


def summary(asked: Sequence[Asked], books: int) -> dict[str, float]:
    """Return counts, and shares of the questions."""

    def share(*holds: bool) -> float:
        return sum(holds) / max(1, len(holds))

    return {
        "books on the shelf": books,
        "questions": len(asked),
        "right book first": share(*(one.place == 1 for one in asked)),
        f"right book among the first {FEW}": share(*(1 <= one.place <= FEW for one in asked)),
        "answered": share(*(one.said for one in asked)),
        "answered right": share(*(one.right for one in asked)),
        "answered, the right book alone": share(*(one.said_alone for one in asked)),
        "answered right, the right book alone": share(*(one.right_alone for one in asked)),
        "seconds of a question, the median": statistics.median(one.seconds for one in asked),
    }


def markdown(values: dict[str, float], asked: Sequence[Asked]) -> str:
    """Write the summary as a table, and the questions whose book is not the first."""
    text = table(("what", "value:"), [(what, f"{value:.3g}") for what, value in values.items()])
    missed = [
        (str(one.place or "–"), one.question, one.book, one.answer.replace("\n", " ").replace("|", "/"))
        for one in asked
        if one.place != 1
    ]
    return f"{text}\n\n{table(('place:', 'question', 'book', 'answer'), missed)}\n"


def document_of(assistant: Assistant, name: str) -> str:
    """Return the id of the book that came as a file of this name. Raises BadInput."""
    ready = (entry for entry in assistant.shelf.entries() if entry.state == "ready")
    found = next((entry.id for entry in ready if entry.source_name == name), None)
    if found is None:
        raise BadInput(f"{name} is not on the shelf: add it first, into the data folder that --home names")
    return found


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument(
        "--questions", type=Path, required=True, nargs="+", metavar="FILE",
        help="JSON lines of book (its file's name), question, and accept (words) or answers (whole ones)",
    )  # fmt: skip
    parser.add_argument("--home", type=Path, metavar="DIR", help="data folder (default: the one in use)")
    parser.add_argument(
        "--half", choices=HALVES, default="all", help="every second question of a file: odd to report"
    )
    parser.add_argument("--limit", type=natural, default=0, metavar="N", help="only N, spread over all")
    parser.add_argument("--threads", type=positive, default=2, help="CPU threads (default: 2)")
    parser.add_argument("--model", help="hub name, folder or GGUF file (default: the one that comes along)")
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder for the table")


def run(arguments: argparse.Namespace) -> int:
    """Ask, count, print the table; return the exit code 0."""
    torch.set_num_threads(arguments.threads)
    paths = Paths(arguments.home) if arguments.home is not None else Paths.default()
    assistant = Assistant(Library(paths, arguments.parse_file, arguments.model))
    files = ([row for row in read_rows(file) if row.get("answerable", True)] for file in arguments.questions)
    half = HALVES[arguments.half]
    rows = [row for file in files for number, row in enumerate(file) if number % 2 in half]
    rows = rows[:: max(1, len(rows) // arguments.limit)][: arguments.limit] if arguments.limit else rows
    documents = {row["book"]: document_of(assistant, row["book"]) for row in rows}
    asked = []
    for row in rows:
        asked.append(ask(assistant, documents[row["book"]], row))
        print(f"{len(asked)} of {len(rows)}: {row['question']} — {asked[-1].answer}", flush=True)
    values = summary(asked, sum(entry.state == "ready" for entry in assistant.shelf.entries()))
    results = {"summary": values, "questions": [asdict(one) for one in asked]}
    tell(arguments.out, "shelf", markdown(values, asked), results)
    return 0

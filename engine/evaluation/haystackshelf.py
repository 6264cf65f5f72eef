"""Haystacks on a shelf: what evaluations of answers read from their command lines, and whom they ask."""

import argparse
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from engine.answering.answer import Answer
from engine.answering.passages import Ranges, find_passages
from engine.answering.reading import READ, Reading, read
from engine.arguments import natural
from engine.assistant import Assistant
from engine.backbone.backbone import Backbone
from engine.evaluation.haystack import Haystack, haystack
from engine.library import Library
from engine.paths import Paths
from engine.sidenet.sidenet import SideNet
from engine.training.questions import sectioned
from ingest.document import Document

HALVES = {"all": (0, 1), "even": (0,), "odd": (1,)}


def chosen_needles(hay: Haystack, half: str) -> list[int]:
    """Choose questions by number: of every second story ("even": to choose on, "odd": to report), or all."""
    return [n for n, needle in enumerate(hay.needles) if needle.reading % 2 in HALVES[half]]


def add_haystack_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that `haystacks` reads."""
    parser.add_argument(
        "--sections", nargs=2, type=Path, action="append", required=True, metavar=("DOCUMENTS", "QUESTIONS"),
        help="documents in sections, and questions that name them",
    )  # fmt: skip
    parser.add_argument(
        "--half", choices=HALVES, default="all", help="questions about every second document only"
    )
    parser.add_argument(
        "--questions", type=natural, default=0, metavar="N", help="only N of each set, drawn by a seed"
    )
    parser.add_argument(
        "--shelf", type=Path, metavar="DIR", help="keep the encoded documents here for a next time"
    )
    parser.add_argument("--sidenet", type=Path, metavar="DIR", help="checkpoint (default: the one in assets)")
    parser.add_argument("--model", help="hub name, folder or GGUF file (default: the one that comes along)")
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder for the tables and pictures")


@contextmanager
def shelf_folder(arguments: argparse.Namespace) -> Iterator[Path]:
    """Open the folder that the command names, or one for this time only."""
    if arguments.shelf is not None:
        arguments.shelf.mkdir(parents=True, exist_ok=True)
        yield arguments.shelf
        return
    with tempfile.TemporaryDirectory(prefix="longmem-evaluation-") as home:
        yield Path(home)


def haystacks(arguments: argparse.Namespace) -> list[Haystack]:
    """Load every set as one long document, with the questions that the command asks for."""
    made = []
    for documents, questions in arguments.sections:
        hay = haystack(documents.stem, sectioned(documents, questions), (), 0)
        made.append(hay.only(chosen_needles(hay, arguments.half)).of(arguments.questions))
    return made


def shelved(backbone: Backbone, sidenet: SideNet, home: Path, checkpoint: Path | None) -> Assistant:
    """Make an assistant over an empty shelf whose files are documents as JSON.

    checkpoint: the folder that the SideNet came from, for its reading layers; None for the shipped one.
    """

    def parse(path: Path, **_: object) -> Document:
        return Document.from_json(path.read_text(encoding="utf8"))

    library = Library(Paths(home), parse, sidenet=checkpoint)
    library.model.take(backbone=backbone, sidenet=sidenet)
    return Assistant(library)


def answered(assistant: Assistant, document: str | None, question: str, **how: Any) -> Answer:
    """Ask as the page does and wait for the whole answer; how: further arguments of `Assistant.ask`."""
    *_, last = assistant.ask(document, question, **how)
    assert last.answer is not None
    return last.answer


def looked(assistant: Assistant, question: str, ranges: Ranges) -> Reading:
    """Return all that the reading layers find for a question, sure enough to be said or not."""
    library = assistant.library
    return read(question, library, find_passages(question, library, ranges)[:READ], ranges)


def put(assistant: Assistant, document: Document, folder: Path) -> str:
    """Put a document on the shelf and encode it; returns its id."""
    file = folder / f"{document.title}.txt"
    file.write_text(document.to_json(), encoding="utf8")
    return assistant.library.add(file).id

"""`evaluate ingest`: how files come through the door.

Thirty pages are made whose truth is known (`ingest.graded.pages`), and read by our parser and, where they are
installed, by pdftotext and pymupdf4llm. Order: the share of words that stand in the order of the truth (twice
the common ones over all of both). Headings: F1 of the titles. Rows: the share of table rows whose cells stand
in one line, in order. For a folder: letters of each EPUB and DOCX that a plain reading has and ours has too;
a file below nine tenths without a warning is a silent loss.
"""

import argparse
import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from difflib import SequenceMatcher
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from engine.report import table
from ingest.document import Document
from ingest.errors import BadInput

if TYPE_CHECKING:
    from ingest.graded.pages import Specimen

Parser = Callable[[Path], Document]
LEAST_KEPT = 0.9
_WORD = re.compile(r"[^\W_]+")
_MARKS = re.compile(r"[*_`#]+")


@dataclass(frozen=True)
class Reading:
    """What a reader made of a PDF: its text, and the titles it took for headings (None: it knows none)."""

    text: str
    headings: Sequence[str] | None


@dataclass(frozen=True)
class Score:
    """One line of the table; None where there is nothing to measure."""

    pages: str
    reader: str
    order: float
    headings: float | None
    rows: float | None


@dataclass(frozen=True)
class Kept:
    """Letters of the files of one kind: read, refused, the share kept, and the names of silent losses."""

    suffix: str
    files: int
    refused: int
    share: float
    warned: int
    silent: tuple[str, ...]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this evaluation."""
    parser.add_argument(
        "--folder", type=Path, help="also count letters kept of the EPUB and DOCX files in it"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of tables")


def run(arguments: argparse.Namespace) -> int:
    """Read the pages, and the folder where one is given, and print the tables."""
    if arguments.folder and not arguments.folder.is_dir():
        raise BadInput(f"{arguments.folder} is no folder: give one with EPUB or DOCX files")
    scores = list(scored(arguments.parse_file))
    letters = list(letters_kept(arguments.folder)) if arguments.folder else []
    if arguments.json:
        pages, kept = [asdict(one) for one in scores], [asdict(one) for one in letters]
        print(json.dumps({"pages": pages, "letters": kept}))
    else:
        print("\n".join(_tables(scores, letters)))
    return 0


def scored(parse: Parser) -> Iterator[Score]:
    """Yield the score of every reader that is there on every document of known truth."""
    from ingest.graded.pages import specimens

    for made in specimens():
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "pages.pdf"
            path.write_bytes(made.data)
            for name, read in readers(parse).items():
                yield score(made, name, read(path))


def readers(parse: Parser) -> dict[str, Callable[[Path], Reading]]:
    """Return our own reader and those of the neighbours that are installed."""
    found = {"LongMem Reader": lambda path: _ours(parse(path))}
    if shutil.which("pdftotext"):
        found["pdftotext"] = _pdftotext
    if find_spec("pymupdf4llm"):
        found["pymupdf4llm"] = _pymupdf4llm
    return found


def score(made: "Specimen", reader: str, read: Reading) -> Score:
    """Compare a reading with the truth."""
    headings = None if read.headings is None or not made.headings else f1(read.headings, made.headings)
    rows = sum(_has_row(read.text, row) for row in made.rows) / len(made.rows) if made.rows else None
    return Score(made.name, reader, order(read.text, "\n".join(made.text)), headings, rows)


def order(text: str, truth: str) -> float:
    """Return the share of words in the order of the truth: order("b a", "a b") = 0.5."""
    words, right = (_WORD.findall(one.casefold()) for one in (text, truth))
    return SequenceMatcher(None, words, right, autojunk=False).ratio()


def f1(titles: Sequence[str], truth: Sequence[str]) -> float:
    """Return the harmonic mean of precision and recall of titles: f1(["A", "B"], ["A"]) = 2/3."""
    left = [_plain(title) for title in truth]
    hits = 0
    for title in map(_plain, titles):
        if title in left:
            left.remove(title)
            hits += 1
    return 2 * hits / (len(titles) + len(truth)) if titles or truth else 1.0


def letters_kept(folder: Path) -> Iterator[Kept]:
    """Yield what was kept of the files of each kind that a plain reading is made of."""
    from ingest.graded.plain import SUFFIXES, kept

    for suffix in SUFFIXES:
        paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() == suffix and path.is_file())
        found = {path: kept(path) for path in paths}
        read = {path: one for path, one in found.items() if not isinstance(one, str)}
        letters = sum(one.letters for one in read.values())
        low = {path: one for path, one in read.items() if one.share < LEAST_KEPT}
        yield Kept(
            suffix=suffix,
            files=len(paths),
            refused=len(found) - len(read),
            share=sum(one.share * one.letters for one in read.values()) / max(1, letters),
            warned=sum(one.warned for one in low.values()),
            silent=tuple(path.name for path, one in low.items() if not one.warned),
        )


def _has_row(text: str, row: Sequence[str]) -> bool:
    cells = r"[^\w\n]{1,80}".join(map(re.escape, row))
    return re.search(rf"^[^\w\n]*{cells}[^\w\n]*$", text, re.MULTILINE) is not None


def _plain(title: str) -> str:
    return " ".join(_WORD.findall(title.casefold()))


def _ours(document: Document) -> Reading:
    return Reading(document.text, [chapter.title for chapter in document.chapters])


def _pdftotext(path: Path) -> Reading:
    done = subprocess.run(["pdftotext", str(path), "-"], capture_output=True, check=True)
    return Reading(done.stdout.decode(errors="replace"), None)


def _pymupdf4llm(path: Path) -> Reading:
    text = import_module("pymupdf4llm").to_markdown(str(path), show_progress=False)
    headings = [line for line in text.splitlines() if line.startswith("#")]
    return Reading(_MARKS.sub("", text), headings)


def _tables(scores: Sequence[Score], letters: Sequence[Kept]) -> Iterator[str]:
    yield table(
        ("pages", "reader", "words in order", "headings (F1)", "table rows"),
        [
            (one.pages, one.reader, f"{one.order:.3f}", _share(one.headings), _share(one.rows))
            for one in scores
        ],
    )
    if letters:
        yield ""
        yield table(
            ("files", "read", "refused", "letters kept", "less than nine tenths: warned", "silent"),
            [
                (one.suffix, one.files - one.refused, one.refused, f"{one.share:.4f}", one.warned,
                 ", ".join(one.silent) or "0")
                for one in letters
            ],
        )  # fmt: skip


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"

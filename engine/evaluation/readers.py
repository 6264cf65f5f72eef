"""`evaluate readers`: questions as readers ask them about books, asked through the function of the page.

Right: one of the accepted words stands in the answer. Wrong: another answer. Refused: nothing sure was found.
A citation is right where an accepted word stands in the cited passage. Rows with whole `answers` in place of
words to `accept` (LiteraryQA, NarrativeQA) are right from half of the words on, and have an F1 of words.
`--fit` fits to these questions what the checkpoint has beside its weights (`fitting.py`): choose on some
books, report on others.
"""

import argparse
import re
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from engine.answering.reading import Reading
from engine.arguments import natural
from engine.assistant import Assistant
from engine.backbone.load import load_backbone
from engine.errors import Failure
from engine.evaluation import fitting
from engine.evaluation.haystackshelf import shelf_folder
from engine.evaluation.squadscore import f1
from engine.library import Library
from engine.paths import Paths
from engine.report import table, tell
from engine.sidenet.checkpoint import checkpoint_for
from engine.training.questions import read_rows
from ingest.errors import BadInput

HALF = 0.5  # F1 of words
LONGEST = 30  # words of an answer that may count as right


@dataclass(frozen=True)
class Asked:
    """One question and what came of it. by_words: whether `accept` are words, not whole answers.

    shown_right: whether an accepted word stands in what is cited, or in the closest places where nothing is
    answered. f1: of what was said, 0 where nothing was; best_f1: of the best answer. reading: with the scores
    of the two best answers, whether said or not; empty where contents or cast told without reading.
    """

    book: str
    question: str
    accept: tuple[str, ...]
    by_words: bool
    answerable: bool
    answer: str
    answered: bool
    right: bool
    best_right: bool
    cited: bool
    cited_right: bool
    shown_right: bool
    f1: float
    best_f1: float
    confidence: float
    reading: Reading
    seconds: float

    def takes(self, text: str) -> bool:
        """Tell whether a text answers the question."""
        return is_right(text, {"accept" if self.by_words else "answers": self.accept})

    def record(self) -> dict[str, Any]:
        """Return what the results tell of it."""
        score, second = self.reading.scores
        rest = asdict(replace(self, reading=Reading()))
        del rest["reading"]
        return rest | {"score": score, "second": second}


def holds(text: str, accepted: Sequence[str]) -> bool:
    """Tell whether one of the accepted words stands in a text, at the beginning of a word, case aside."""
    return any(re.search(rf"(?<!\w){re.escape(one)}", text, re.I) for one in accepted)


def is_right(text: str, row: dict) -> bool:
    """Tell whether a text answers the question of a row."""
    return holds(text, row["accept"]) if "accept" in row else f1(text, row["answers"]) >= HALF


def ask(assistant: Assistant, document: str, row: dict) -> Asked:
    """Ask one question as the page does."""
    began = time.perf_counter()
    events = assistant.ask(document, row["question"])
    answer = [event.answer for event in events if event.answer is not None][-1]
    seconds = time.perf_counter() - began
    accepted = tuple(row["accept"] if "accept" in row else row["answers"])
    found = answer.reading or Reading()
    best = found.answers[0].text if found.answers else answer.text
    whole = answer.text if "accept" in row else answer.span or answer.text
    said = whole if answer.answered and len(whole.split()) <= LONGEST else ""
    cited = answer.citations if answer.answered else ()
    return Asked(
        row["book"], row["question"], accepted, "accept" in row, row.get("answerable", True),
        answer.text, answer.answered,
        right=is_right(said, row),
        best_right=is_right(best, row),
        f1=f1(said, accepted),
        best_f1=f1(best, accepted),
        cited=bool(cited), cited_right=bool(cited) and holds(cited[0].text, accepted),
        shown_right=any(holds(one.text, accepted) for one in (*answer.citations, *answer.looked)),
        confidence=answer.confidence or 0.0,
        reading=found,
        seconds=seconds,
    )  # fmt: skip


def summary(asked: Sequence[Asked]) -> dict[str, float]:
    """Return counts and shares over the questions."""
    tells = [one for one in asked if one.answerable]
    silent = [one for one in asked if not one.answerable]
    answered = [one for one in tells if one.answered]
    cited = [one for one in answered if one.cited]
    return {
        "answerable": len(tells),
        "right": sum(one.right for one in tells) / max(1, len(tells)),
        "wrong": sum(not one.right for one in answered) / max(1, len(tells)),
        "refused": 1 - len(answered) / max(1, len(tells)),
        "F1": sum(one.f1 for one in tells) / max(1, len(tells)),
        "F1 of the best answer": sum(one.best_f1 for one in tells) / max(1, len(tells)),
        "best answer right": sum(one.best_right for one in tells) / max(1, len(tells)),
        "unanswerable": len(silent),
        "unanswerable refused": sum(not one.answered for one in silent) / max(1, len(silent)),
        "cited": len(cited) / max(1, len(tells)),
        "citations right": sum(one.cited_right for one in cited) / max(1, len(cited)),
        "an accepted word in the places shown": sum(one.shown_right for one in tells) / max(1, len(tells)),
        "seconds": sum(one.seconds for one in asked) / max(1, len(asked)),
    }


def markdown(name: str, values: dict[str, float], asked: Sequence[Asked]) -> str:
    """Write the summary as a table, and every question with its answer."""
    what = table(("what", "value:"), [(what, f"{value:.3g}") for what, value in values.items()])
    told = []
    for one in asked:
        mark = "right" if one.right else "wrong" if one.answered else "refused"
        question, answer = (cell.replace("|", "/").replace("\n", " ") for cell in (one.question, one.answer))
        told.append((mark, question, answer, f"{one.confidence:.2f}"))
    return f"{name}\n\n{what}\n\n{table(('', 'question', 'answer', 'confidence:'), told)}\n"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument(
        "--questions", type=Path, required=True, metavar="FILE",
        help="JSON lines of book, question, answerable, and accept (words) or answers (whole ones)",
    )  # fmt: skip
    parser.add_argument("--books", type=Path, required=True, metavar="DIR", help="the files that they name")
    parser.add_argument("--shelf", type=Path, metavar="DIR", help="keep the encoded books here")
    parser.add_argument("--limit", type=natural, default=0, metavar="N", help="only the first N questions")
    parser.add_argument("--fit", action="store_true", help="keep the calibration that fits these questions")
    parser.add_argument("--sidenet", type=Path, metavar="DIR", help="checkpoint (default: the one in assets)")
    parser.add_argument("--model", help="hub name, folder or GGUF file (default: the one that comes along)")
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder for the table")


def run(arguments: argparse.Namespace) -> int:
    """Ask, count, print the table; return the exit code 0."""
    rows = read_rows(arguments.questions)[: arguments.limit or None]
    backbone = load_backbone(Paths.default(), arguments.model)
    with shelf_folder(arguments) as home:
        library = Library(
            Paths(home), lambda path, **_: arguments.parse_file(path), sidenet=arguments.sidenet
        )
        library.model.take(backbone=backbone)
        assistant = Assistant(library)
        asked = []
        for row in rows:
            file = arguments.books / row["book"]
            if not file.is_file():
                raise BadInput(f"there is no {row['book']} in {arguments.books}; name the books' folder")
            asked.append(ask(assistant, assistant.library.add(file).id, row))
            print(f"{len(asked)} of {len(rows)}: {row['question']} — {asked[-1].answer}", flush=True)
        if arguments.fit:
            folder = arguments.sidenet or checkpoint_for(backbone)
            if folder is None:
                raise Failure("there are no reading layers to calibrate; train some with train-reader")
            fitting.keep(asked, library.model, folder)
    values = summary(asked)
    results = {"summary": values, "questions": [one.record() for one in asked]}
    tell(arguments.out, "readers", markdown(arguments.questions.stem, values, asked), results)
    return 0

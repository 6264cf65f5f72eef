"""`evaluate readers`: questions as readers ask them about books, asked through the function of the page.

Right: one of the accepted words stands in the answer. Wrong: another answer. Refused: nothing sure was found.
A citation is right where an accepted word stands in the cited passage. Rows with whole `answers` in place of
words to `accept` (LiteraryQA, NarrativeQA) are right from half of the words on, and have an F1 of words.
`--fit` fits the checkpoint's calibration to these questions: choose on some books, report on others.
"""

import argparse
import re
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch

from engine.answering.reading import Reading
from engine.arguments import natural
from engine.assistant import Assistant
from engine.backbone.load import load_backbone
from engine.errors import Failure
from engine.evaluation.haystackshelf import shelf_folder
from engine.evaluation.squadscore import f1
from engine.library import Library
from engine.paths import Paths
from engine.report import table, tell
from engine.sidenet.checkpoint import checkpoint_for
from engine.sidenet.reading import Calibration, ahead, keep_calibration, logit
from engine.sidenet.reranker import keep_config
from engine.training.questions import read_rows
from ingest.errors import BadInput

HALF = 0.5  # F1 of words
LONGEST = 30  # words of an answer that may count as right
WRONG = 0.15  # share of the answerable questions that may be answered wrongly, which the threshold is set by
REFUSED = 0.9  # share of the others that must be refused


@dataclass(frozen=True)
class Asked:
    """One question and what came of it.

    shown_right: whether an accepted word stands in what is cited, or in the closest places where nothing is
    answered. f1: of what was said, 0 where nothing was; best_f1: of the best answer. score, second: of the
    two best answers, whether said or not; 0 where contents or cast told without reading.
    """

    book: str
    question: str
    accept: tuple[str, ...]
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
    score: float
    second: float
    seconds: float


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
    found = answer.reading or Reading((), ())
    best = found.answers[0].text if found.answers else answer.text
    whole = answer.text if "accept" in row else answer.span or answer.text
    said = whole if answer.answered and len(whole.split()) <= LONGEST else ""
    cited = answer.citations if answer.answered else ()
    return Asked(
        row["book"], row["question"], accepted, row.get("answerable", True), answer.text, answer.answered,
        right=is_right(said, row),
        best_right=is_right(best, row),
        f1=f1(said, accepted),
        best_f1=f1(best, accepted),
        cited=bool(cited), cited_right=bool(cited) and holds(cited[0].text, accepted),
        shown_right=any(holds(one.text, accepted) for one in (*answer.citations, *answer.looked)),
        confidence=answer.confidence or 0.0,
        score=found.scores[0],
        second=found.scores[1],
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


def fitted(asked: Sequence[Asked], before: Calibration) -> Calibration:
    """Fit the calibration to questions asked: logistic regression over those that were read for, then the
    threshold that keeps both wrong answers and invented ones within bounds, and right ones ahead.

    before: the one they were asked with; its weight of ranks is in the scores, and stays as it is.
    """
    read = [one for one in asked if one.score > 0]
    features = torch.tensor([[1.0, logit(one.score), logit(ahead(one.score, one.second))] for one in read])
    right = torch.tensor([float(one.best_right and one.answerable) for one in read])
    weights = torch.zeros(3, requires_grad=True)
    optimiser = torch.optim.LBFGS([weights], max_iter=200)

    def loss() -> torch.Tensor:
        optimiser.zero_grad()
        value = torch.nn.functional.binary_cross_entropy_with_logits(features @ weights, right)
        value = value + 0.01 * weights[1:].square().sum()
        value.backward()
        return value

    optimiser.step(loss)
    offset, slope, margin = (round(value, 4) for value in weights.tolist())
    calibration = replace(before, offset=offset, slope=slope, margin=margin)
    return replace(calibration, least=threshold(asked, calibration))


def threshold(asked: Sequence[Asked], calibration: Calibration) -> float:
    """Return the confidence that leaves most right answers over wrong ones, within `WRONG` and `REFUSED`."""
    tells = sum(one.answerable for one in asked)
    silent = len(asked) - tells
    sure = {id(one): calibration.confidence(one.score, one.second) for one in asked}
    best, found = -1, 0.95
    for least in (step / 100 for step in range(5, 96)):
        said = [one for one in asked if sure[id(one)] >= least]
        right = sum(one.answerable and one.best_right for one in said)
        wrong = sum(one.answerable and not one.best_right for one in said)
        invented = sum(not one.answerable for one in said)
        if wrong <= WRONG * tells and invented <= (1 - REFUSED) * silent and right - wrong > best:
            best, found = right - wrong, least
    return found


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
            if folder is None or library.model.reader is None:
                raise Failure("there are no reading layers to calibrate; train some with train-reader")
            if (reranker := library.model.reranker) is None:
                made = fitted(asked, library.model.reader.calibration)
                keep_calibration(folder, made)
            else:
                made = fitted(asked, reranker.config.calibration)
                keep_config(folder, replace(reranker.config, calibration=made))
            print(f"calibration kept in {folder}: {made}")
    values = summary(asked)
    results = {"summary": values, "questions": [asdict(one) for one in asked]}
    tell(arguments.out, "readers", markdown(arguments.questions.stem, values, asked), results)
    return 0

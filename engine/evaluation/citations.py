"""`evaluate citations`: may one trust what is cited, and does a document that does not tell say so?

Citations: over held-out questions, how often the cited passage holds the answer (precision) and how often
anything is cited (coverage), as a curve over how sure the evidence is; the threshold in use is a point on it.
Refusals: the same questions asked of their story, of all stories, of another story, and of their own story up
to the passage that answers, which is what a reader does who has not come that far.
"""

import argparse
import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from engine.answering.evidence import content_stems, stems_of
from engine.assistant import Assistant
from engine.backbone.load import load_backbone
from engine.evaluation.haystack import Haystack, Needle, overlapping
from engine.evaluation.haystackshelf import (
    add_haystack_arguments,
    answered,
    haystacks,
    looked,
    put,
    shelf_folder,
    shelved,
)
from engine.paths import Paths
from engine.report import drawing, keep, table
from engine.sidenet.checkpoint import sidenet_for
from engine.sidenet.reading import Calibration
from ingest.errors import BadInput

SHORTEST = 2500  # characters of a story before the answer that make a document worth asking


@dataclass(frozen=True)
class Cited:
    """One question: how sure the evidence was, whether anything was cited, and whether it was right.

    passage: the cited passage is one that answers; words: the first sentence holds half of an accepted
    answer's content words.
    """

    sure: float
    cited: bool
    passage: bool
    words: bool


@dataclass(frozen=True)
class Point:
    """Precision and coverage where nothing below `least` is cited."""

    least: float
    coverage: float
    precision: float
    words: float


def curve(found: Sequence[Cited]) -> list[Point]:
    """Draw one point for each threshold 0, 0.02 …; where nothing is left the curve ends."""
    points = []
    for step in range(50):
        least = step / 50
        kept = [one for one in found if one.cited and one.sure >= least]
        if kept:
            right, words = (
                sum(values) / len(kept) for values in zip(*((o.passage, o.words) for o in kept), strict=True)
            )
            points.append(Point(least, len(kept) / len(found), right, words))
    return points


def cited(assistant: Assistant, document: str, hay: Haystack) -> list[Cited]:
    """Ask every question of the whole document, and return what is cited for each."""
    found = []
    for needle in hay.needles:
        answer = answered(assistant, document, needle.question, least=0.0)
        citations = answer.citations
        held = overlapping(hay.spans, citations[0].start, citations[0].end) if citations else []
        right = not set(needle.gold).isdisjoint(held)
        words = bool(citations) and _holds(citations[0].text, needle.answers)
        found.append(Cited(answer.confidence or 0.0, bool(citations), right, words))
    return found


def _holds(sentence: str, answers: Sequence[str]) -> bool:
    held = stems_of(sentence)
    wanted = [content_stems(answer) for answer in answers]
    return any(words and 2 * len(words & held) >= len(words) for words in wanted)


def refused(assistant: Assistant, document: str, hay: Haystack) -> dict[str, list[float]]:
    """Return the confidence in an answer to every question under each of four circumstances."""
    rng, calibration = random.Random(3), calibration_of(assistant)
    confidences: dict[str, list[float]] = {}
    for needle in hay.needles:
        for name, span in circumstances(hay, needle, rng).items():
            found = looked(assistant, needle.question, {document: span})
            sure = calibration.confidence(*found.scores) if found.answers else 0.0
            confidences.setdefault(name, []).append(sure)
    return confidences


def calibration_of(assistant: Assistant) -> Calibration:
    """Return what makes confidences of scores. Raises BadInput for a checkpoint without reading layers."""
    reader = assistant.library.model.reader
    if reader is None:
        raise BadInput("this checkpoint has no reading layers to be asked; name another with --sidenet")
    return reader.calibration


def circumstances(hay: Haystack, needle: Needle, rng: random.Random) -> dict[str, tuple[int, int]]:
    """Name the ranges of characters that a question is asked within."""
    stories = list(zip(hay.borders, hay.borders[1:], strict=False))
    start, end = stories[needle.reading]
    others = [one for one in stories if one[0] != start and one[1] - one[0] > SHORTEST]
    answer = int(hay.spans[min(needle.gold)][0])
    found = {"own story": (start, end), "all stories": (0, len(hay.text))}
    if others:
        found["another story"] = rng.choice(others)
    if answer - start > SHORTEST:
        found["own story up to the answer"] = (start, answer - 2)
    return found


def markdown(name: str, points: Sequence[Point], told: dict[str, list[float]], least: float) -> str:
    """Write both tables of one set of questions."""
    heads = ("least evidence:", "coverage:", "precision:", "answer's words in the sentence:")
    numbers = [
        (f"{one.least:.2f}", f"{one.coverage:.2f}", f"{one.precision:.3f}", f"{one.words:.3f}")
        for one in points
        if round(one.least * 100) % 10 == 0
    ]
    refused = [
        (where, str(len(values)), f"{np.mean(np.array(values) < least):.2f}")
        for where, values in told.items()
    ]
    parts = (name, table(heads, numbers), table(("asked of", "questions:", "refused:"), refused))
    return "\n\n".join(parts) + "\n"


def draw(curves: dict[str, list[Point]], picture: Path, least: float) -> None:
    """Draw precision over coverage, a line for each set of questions; the dot is the threshold in use."""
    with drawing(picture, (6, 4)) as axis:
        for name, points in curves.items():
            (line,) = axis.plot(
                [one.coverage for one in points], [one.precision for one in points], label=name
            )
            for one in points:
                if abs(one.least - least) < 0.01:
                    axis.plot(one.coverage, one.precision, "o", color=line.get_color())
        axis.axhline(0.8, color="grey", linewidth=0.8)
        axis.set_xlabel("coverage: questions with a citation")
        axis.set_ylabel("precision: the cited passage answers")
        axis.set_ylim(0.4, 1)
        axis.legend()


add_arguments = add_haystack_arguments


def run(arguments: argparse.Namespace) -> int:
    """Ask, count, print the tables; the exit code is 0."""
    backbone = load_backbone(Paths.default(), arguments.model)
    sidenet = sidenet_for(backbone, arguments.sidenet)
    tables, curves, results, least = [], {}, {}, 0.0
    for hay in haystacks(arguments):
        with shelf_folder(arguments) as home:
            assistant = shelved(backbone, sidenet, home, arguments.sidenet)
            document = put(assistant, hay.document, home)
            least = calibration_of(assistant).least
            curves[hay.name] = curve(cited(assistant, document, hay))
            told = refused(assistant, document, hay)
        tables.append(markdown(hay.name, curves[hay.name], told, least))
        print(tables[-1], flush=True)
        results[hay.name] = {"curve": [asdict(one) for one in curves[hay.name]], "told": told}
    if arguments.out is not None:
        keep(arguments.out, "citations", "\n".join(tables), results)
        draw(curves, arguments.out / "citations.png", least)
    return 0

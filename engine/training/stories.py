"""Questions about stories in sections, each beside stretches of the same story that do not answer it."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from engine.training.answers import LONGEST_PASSAGE, Exercise, similar_span
from engine.training.neighbours import Neighbours
from engine.training.questions import Reading, flowing, sectioned
from ingest.passages import sentences

STRETCH = 600  # characters, about those of a window that is read for an answer
BESIDE = 4


def story_exercises(documents: Path, questions: Path) -> Iterator[Exercise]:
    """Yield an exercise for every question on stories in sections whose answer stands in one section."""
    for reading in sectioned(documents, questions):
        near = Neighbours(stretches(reading))
        for one in reading.questions:
            passage = " ".join(sections(reading, one.gold))
            found = similar_span(passage, one.answers)
            if found is not None and len(passage) <= LONGEST_PASSAGE:
                made = Exercise(one.text, passage, (found,), one.answers, document=reading.name)
                others = [text for text in near.of(made, 2 * BESIDE) if text not in passage]
                yield replace(made, beside=tuple(others[:BESIDE]))


def sections(reading: Reading, numbers: Sequence[int]) -> list[str]:
    """Return the text of some of a story's sections."""
    return [flowing(reading.text[slice(*reading.spans[at])]) for at in numbers]


def stretches(reading: Reading) -> Iterator[str]:
    """Yield a story in stretches of whole sentences, of about `STRETCH` characters."""
    for text in sections(reading, range(len(reading.spans))):
        begin = 0
        for _, end in sentences(text):
            if end - begin >= STRETCH or end == len(text):
                yield text[begin:end].strip()
                begin = end

"""Lessons: token sequences that are read like a book, of which only what they ask for is scored.

Demonstrations: examples of one task after another; what is asked for is each label. The words of the labels
are the task's own or arbitrary ones, which only earlier demonstrations can tell. Questions: some stories, and
then questions about them in the backbone's chat format, half of them with the passage in the window; what is
asked for is each answer, so for the other half it stands in memory alone.
"""

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.demonstrations.encoding import written
from engine.demonstrations.store import Example
from engine.demonstrations.task import Task
from engine.training.questions import Reading, joined
from ingest.errors import BadInput
from ingest.tables import read_table

TEMPLATES = ("Input: {} Type: {}", "Text: {} Label: {}", "{}\nAnswer: {}", "Sentence: {} It is {}")
ARBITRARY = (
    "red", "stone", "seven", "north", "apple", "glass", "winter", "silver", "horse", "paper", "green",
    "river", "music", "cotton", "iron", "lemon", "cloud", "salt", "wheel", "garden",
)  # fmt: skip
STORIES = 4  # of one lesson of questions
QUESTIONS = 48


@dataclass(frozen=True)
class Lesson:
    """ids: tokens in order; scored: True for those that the loss is taken at."""

    ids: list[int]
    scored: list[bool]

    def segments(self, size: int) -> list["Lesson"]:
        """Consecutive parts of `size` tokens; what is left at the end is dropped, as of a book."""
        return [
            Lesson(self.ids[at : at + size], self.scored[at : at + size])
            for at in range(0, len(self.ids) - size + 1, size)
        ]


Lessons = dict[str, Callable[[], Lesson]]


def demonstration_lessons(folder: Path, tokenizer: object, seed: int = 0) -> Lessons:
    """Two lessons of every table in a folder, one with the task's own words, one with arbitrary ones.

    Raises
    ------
    BadInput
        The folder holds no table, or one without the columns text and label.
    """
    files = sorted(file for file in folder.glob("*") if file.is_file()) if folder.is_dir() else []
    if not files:
        raise BadInput(f"there are no tables of demonstrations in {folder}; give a folder of CSV files")
    return {
        f"{file.name} {'in other words' if other else 'in its own words'}": (
            lambda file=file, other=other: demonstration_lesson(_examples(file), tokenizer, other, seed)
        )
        for file in files
        for other in (False, True)
    }


def demonstration_lesson(
    rows: Iterable[tuple[str, str]], tokenizer: object, other_words: bool, seed: int
) -> Lesson:
    """One demonstration after another, in random order, under a random template."""
    rows = list(rows)
    rng = random.Random(f"{seed} {other_words} {rows[0][0]}")
    rng.shuffle(rows)
    labels = sorted({label for _, label in rows})
    words = rng.sample(ARBITRARY, len(labels)) if other_words else labels
    task = Task(rng.choice(TEMPLATES), dict(zip(labels, words, strict=True)))
    ids, scored = [], []
    for at, (text, label) in enumerate(rows):
        one = written(Example(at, text, label), task, tokenizer)
        answer = len(tokenizer(task.answer(label), add_special_tokens=False)["input_ids"])
        ids += one.ids
        scored += [one.prompt <= place < one.prompt + answer for place in range(len(one.ids))]
    return Lesson(ids, scored)


def question_lessons(readings: Sequence[Reading], tokenizer: object, seed: int = 0) -> Lessons:
    """Lessons of a few stories each, in random order. BadInput without any or without chat format."""
    if not getattr(tokenizer, "chat_template", None):
        raise BadInput("questions need a model with a chat format; leave --questions out")
    order = [reading for reading in readings if reading.questions]
    if not order:
        raise BadInput("there are no questions to learn from; name files whose stories are not all held out")
    random.Random(seed).shuffle(order)
    groups = [order[at : at + STORIES] for at in range(0, len(order), STORIES)]
    return {
        f"questions {number}": lambda group=group: question_lesson(joined(group), tokenizer, seed)
        for number, group in enumerate(groups)
    }


def question_lesson(reading: Reading, tokenizer: object, seed: int) -> Lesson:
    """The text of a reading and up to QUESTIONS of its questions with their answers, in random order."""
    rng = random.Random(f"{seed} {reading.name} {reading.text[:80]}")
    asked = [question for question in reading.questions if question.answers]
    ids = list(tokenizer(reading.text, add_special_tokens=False)["input_ids"])
    scored = [False] * len(ids)
    for number, question in enumerate(rng.sample(asked, min(QUESTIONS, len(asked)))):
        passages = [reading.text[slice(*reading.spans[index])] for index in question.gold]
        message = "\n\n".join([*(passages if number % 2 else []), f"Question: {question.text.strip()}"])
        prompt, answer = _exchange(tokenizer, message, question.answers[0])
        ids += prompt + answer
        scored += [False] * len(prompt) + [True] * len(answer)
    return Lesson(ids, scored)


def _exchange(tokenizer: object, message: str, answer: str) -> tuple[list[int], list[int]]:
    """Token ids of a user's message opened for an answer, and of the answer up to the end of the turn."""
    user = {"role": "user", "content": message}
    opened = tokenizer.apply_chat_template([user], tokenize=False, add_generation_prompt=True)
    whole = tokenizer.apply_chat_template([user, {"role": "assistant", "content": answer}], tokenize=False)
    if not whole.startswith(opened):
        raise BadInput("this model's chat format does not open an answer as it writes one; use another model")
    parts = (opened, whole[len(opened) :].rstrip())
    return tuple(list(tokenizer(part, add_special_tokens=False)["input_ids"]) for part in parts)


def _examples(file: Path) -> list[tuple[str, str]]:
    table = read_table(file)
    try:
        text, label = table.columns.index("text"), table.columns.index("label")
    except ValueError:
        raise BadInput(f"{file.name}: training needs the columns text and label") from None
    return [(row[text], row[label]) for row in table.rows if row[text].strip() and row[label].strip()]

"""Lessons: token sequences that are read like a book, of which only what they ask for is scored; segments
that ask for nothing (stories, before their questions) are scored like a book's.

Demonstrations: examples of one task after another; what is asked for is each label. The words of the labels
are the task's own or arbitrary ones, which only earlier demonstrations can tell. Questions: some stories, and
then questions about them as `ask` puts them, half of them with the passage in the window; what is asked for
is each answer, which for the other half stands in memory alone.
"""

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from engine.answering.prompt import INSTRUCTION, NOT_TOLD, TALKING, chat_ids, question_with_passages
from engine.demonstrations.columns import Table, guess_columns
from engine.demonstrations.examplebank import written
from engine.demonstrations.store import Example
from engine.demonstrations.task import Task
from engine.shelf.fulltext import Hit
from engine.training.questions import Question, Reading, joined
from ingest.errors import BadInput
from ingest.segments import plain_ids

TEMPLATES = ("Input: {} Type: {}", "Text: {} Label: {}", "{}\nAnswer: {}", "Sentence: {} It is {}")
ARBITRARY = (
    "red", "stone", "seven", "north", "apple", "glass", "winter", "silver", "horse", "paper", "green",
    "river", "music", "cotton", "iron", "lemon", "cloud", "salt", "wheel", "garden",
)  # fmt: skip
STORIES = 4  # of one lesson of questions
QUESTIONS = 48
FOREIGN = 6


@dataclass(frozen=True)
class Lesson:
    """ids: tokens in order; scored: True for those that the loss is taken at."""

    ids: list[int]
    scored: list[bool]

    def segments(self, size: int) -> list["Lesson"]:
        """Cut the lesson into consecutive parts of `size` tokens; the rest is dropped, as of a book."""
        return [
            Lesson(self.ids[at : at + size], self.scored[at : at + size])
            for at in range(0, len(self.ids) - size + 1, size)
        ]


Lessons = dict[str, Callable[[], Lesson]]
ReadTable = Callable[[Path], Table]


def demonstration_lessons(folder: Path, read_table: ReadTable, tokenizer: Any, seed: int = 0) -> Lessons:
    """Make two lessons of every table in a folder, one with the task's own words, one with arbitrary ones.

    Raises
    ------
    BadInput
        The folder holds no table, or one without a column of texts and one of labels.
    """
    files = sorted(file for file in folder.glob("*") if file.is_file()) if folder.is_dir() else []
    if not files:
        raise BadInput(f"there are no tables of demonstrations in {folder}; give a folder of CSV files")

    def lesson(file: Path, other: bool) -> Lesson:
        return demonstration_lesson(_examples(read_table(file)), tokenizer, other, seed)

    return {
        f"{file.name} {'in other words' if other else 'in its own words'}": partial(lesson, file, other)
        for file in files
        for other in (False, True)
    }


def demonstration_lesson(
    rows: Iterable[tuple[str, str]], tokenizer: Any, other_words: bool, seed: int
) -> Lesson:
    """Put one demonstration after another, in random order, under a random template."""
    rows = list(rows)
    rng = random.Random(f"{seed} {other_words} {rows[0][0]}")
    rng.shuffle(rows)
    labels = sorted({label for _, label in rows})
    if other_words and len(labels) > len(ARBITRARY):
        raise BadInput(
            f"a table has {len(labels)} labels; training takes up to {len(ARBITRARY)}: leave it out"
        )
    words = rng.sample(ARBITRARY, len(labels)) if other_words else labels
    task = Task(rng.choice(TEMPLATES), dict(zip(labels, words, strict=True)))
    answers = {label: len(plain_ids(tokenizer, task.answer(label))) for label in labels}
    ids, scored = [], []
    for at, (text, label) in enumerate(rows):
        one = written(Example(at, text, label), task, tokenizer)
        ids += one.ids
        scored += [one.prompt <= place < one.prompt + answers[label] for place in range(len(one.ids))]
    return Lesson(ids, scored)


def question_lessons(readings: Sequence[Reading], tokenizer: Any, seed: int = 0) -> Lessons:
    """Make lessons of a few stories each, in random order.

    Raises BadInput without any story with questions, or without a chat format.
    """
    if not getattr(tokenizer, "chat_template", None):
        raise BadInput("questions need a model with a chat format; leave --questions out")
    order = [reading for reading in readings if reading.questions]
    if not order:
        raise BadInput("there are no questions to learn from; name files whose stories are not all held out")
    random.Random(seed).shuffle(order)
    groups = [joined(order[at : at + STORIES]) for at in range(0, len(order), STORIES)]
    return {
        f"questions {number}": partial(
            question_lesson, group, other.questions if other is not group else (), tokenizer, seed
        )
        for number, (group, other) in enumerate(zip(groups, [groups[-1], *groups], strict=False))
    }


def question_lesson(reading: Reading, foreign: Sequence[Question], tokenizer: Any, seed: int = 0) -> Lesson:
    """Put after the text of a reading up to QUESTIONS of its questions with answers, in random order.

    Prompts are those of `ask`: of every two questions one has its passages in the window, the other has the
    memory alone. foreign: questions that the text does not answer; one in six, beside passages of the text.
    """
    rng = random.Random(f"{seed} {reading.name} {reading.text[:80]}")
    asked = [question for question in reading.questions if question.answers]
    asked = rng.sample(asked, min(QUESTIONS, len(asked)))
    strange = rng.sample(foreign, min(len(asked) // FOREIGN, len(foreign)))
    ids = plain_ids(tokenizer, reading.text)
    scored = [False] * len(ids)
    for number, question in enumerate(asked):
        passages = [_hit(reading, index) for index in question.gold] if number % 2 else []
        exchanges = [_exchange(tokenizer, question.text, passages, question.answers[0])]
        if number % FOREIGN == FOREIGN - 1 and strange:
            exchanges.append(_exchange(tokenizer, strange.pop().text, passages, NOT_TOLD))
        for prompt, answer in exchanges:
            ids += prompt + answer
            scored += [False] * len(prompt) + [True] * len(answer)
    return Lesson(ids, scored)


def _hit(reading: Reading, index: int) -> Hit:
    start, end = reading.spans[index]
    return Hit(reading.name, index, start, end, 0.0, reading.text[start:end], ())


def _exchange(
    tokenizer: Any, question: str, passages: Sequence[Hit], answer: str
) -> tuple[list[int], list[int]]:
    """Return the token ids of what `ask` has the model read, and of the answer up to the end of the turn."""
    said = question_with_passages(question, passages) if passages else question
    prompt = chat_ids(tokenizer, INSTRUCTION if passages else TALKING, (), said)
    return prompt, [*plain_ids(tokenizer, answer), tokenizer.eos_token_id]


def _examples(table: Table) -> list[tuple[str, str]]:
    columns = guess_columns(table)
    text, label = table.columns.index(columns.text), table.columns.index(columns.label)
    rows = [(row[text], row[label]) for row in table.rows if row[text].strip() and row[label].strip()]
    if not rows:
        raise BadInput(f"{table.name} has no row with a text and a label: leave it out")
    return rows

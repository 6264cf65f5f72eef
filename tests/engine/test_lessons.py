"""Lessons: what they ask for is scored, nothing else; the rest is read like a book."""

import argparse
import json
from dataclasses import replace

import pytest
import torch

from engine.answering.prompt import NOT_TOLD
from engine.training import train as command
from engine.training.lessons import (
    ARBITRARY,
    FOREIGN,
    Lesson,
    demonstration_lesson,
    demonstration_lessons,
    question_lesson,
    question_lessons,
)
from engine.training.questions import Question, Reading, laid_out
from engine.training.trainer import positions
from ingest.errors import BadInput
from ingest.tables import read_table
from tests.engine.commands import parsed, plain

ROWS = [("a fine film", "good"), ("a dull film", "bad"), ("what a joy", "good"), ("no joy at all", "bad")]


MANY = "text,label\n" + "".join(f"text {n},label {n}\n" for n in range(21))


def asked(lesson: Lesson, tokenizer) -> list[str]:
    """The scored stretches of a lesson as text."""
    stretches, ids = [], []
    for token, scored in zip([*lesson.ids, 0], [*lesson.scored, False], strict=True):
        if scored:
            ids.append(token)
        elif ids:
            stretches.append(tokenizer.decode(ids))
            ids = []
    return stretches


@pytest.fixture
def story() -> Reading:
    text, spans = laid_out(["The parrot was called Tobias.", "The mill burned down at noon."])
    questions = (
        Question("What was the parrot called?", (0,), ("Tobias",)),
        Question("When did the mill burn down?", (1,), ("at noon",)),
        Question("Who wrote this?", (1,), ()),
    )
    return Reading("saltmarsh", text, spans, questions)


def test_of_demonstrations_the_labels_are_asked_for(tiny_tokenizer):
    lesson = demonstration_lesson(ROWS, tiny_tokenizer, False, 1)
    text = tiny_tokenizer.decode(lesson.ids)
    assert len(lesson.ids) == len(lesson.scored) and all(row[0] in text for row in ROWS)
    assert sorted(asked(lesson, tiny_tokenizer)) == sorted(f" {label}" for _, label in ROWS)


def test_in_other_words_only_the_demonstrations_tell_the_labels(tiny_tokenizer):
    lesson = demonstration_lesson(ROWS, tiny_tokenizer, True, 1)
    text = tiny_tokenizer.decode(lesson.ids)
    word_of = {}
    for line, label in ROWS:
        after = text.split(line, 1)[1].split("\n")
        word = next(word for word in ARBITRARY if word in " ".join(after[:2]))
        assert word_of.setdefault(label, word) == word
    assert len(set(word_of.values())) == 2
    assert not {"good", "bad"} & set(text.split())


def test_of_questions_the_answers_are_asked_for_and_half_have_their_passage(tiny_tokenizer, story):
    lesson = question_lesson(story, (), tiny_tokenizer)
    text = tiny_tokenizer.decode(lesson.ids)
    assert text.startswith(story.text) and "Who wrote this?" not in text
    assert sorted(asked(lesson, tiny_tokenizer)) == ["Tobias<|im_end|>", "at noon<|im_end|>"]
    again = sum(text.count(story.text[slice(*span)]) for span in story.spans)
    assert again == len(story.spans) + 1


def test_some_questions_have_no_answer_in_the_text(tiny_tokenizer, story):
    many = replace(story, questions=story.questions[:2] * FOREIGN)
    lesson = question_lesson(many, (Question("Who sank the ship?", (0,), ("Ahab",)),), tiny_tokenizer)
    assert asked(lesson, tiny_tokenizer).count(f"{NOT_TOLD}<|im_end|>") == 1
    assert tiny_tokenizer.decode(lesson.ids).count("Who sank the ship?") == 1


def test_cut_into_whole_segments(tiny_tokenizer):
    lesson = demonstration_lesson(ROWS, tiny_tokenizer, False, 1)
    parts = lesson.segments(16)
    assert {len(part.ids) for part in parts} == {16} and len(parts) == len(lesson.ids) // 16
    assert [token for part in parts for token in part.ids] == lesson.ids[: 16 * len(parts)]
    assert [one for part in parts for one in part.scored] == lesson.scored[: 16 * len(parts)]


def test_scored_positions_are_those_before_what_is_asked_for():
    order = torch.tensor([3, 0, 2, 1])
    asks = torch.tensor([False, False, True, False, True])
    assert positions(order, asks, 0.5).tolist() == [3, 1]
    assert positions(order, torch.zeros(5, dtype=torch.bool), 0.5).tolist() == [3, 0]
    assert positions(order, None, 0.25).tolist() == [3]


@pytest.mark.parametrize(
    "content, words",
    [
        (None, "give a folder of CSV files"),
        ("a\n1\n", "only one column"),
        ("text,label\n,good\n", "no row with a text"),
        (MANY, "21 labels"),
    ],
)
def test_wrong_tables_are_one_clear_line(tmp_path, tiny_tokenizer, content, words):
    if content is not None:
        (tmp_path / "wrong.csv").write_text(content)
    with pytest.raises(BadInput, match=words):
        for make in demonstration_lessons(tmp_path, read_table, tiny_tokenizer).values():
            make()


def test_questions_need_a_chat_format(story):
    with pytest.raises(BadInput, match="chat format"):
        question_lessons([story], argparse.Namespace(chat_template=None))


def test_the_command_learns_from_books_demonstrations_and_questions(tmp_path, tiny_folder):
    for name in ("books", "tables"):
        (tmp_path / name).mkdir()
    (tmp_path / "books" / "one.txt").write_text("Ishmael saw the whale. " * 20)
    lines = [f"{text} {number},{label}" for number in range(8) for text, label in ROWS]
    (tmp_path / "tables" / "films.csv").write_text("\n".join(["text,label", *lines]) + "\n")
    documents, questions = tmp_path / "d.jsonl", tmp_path / "q.jsonl"
    section = {"id": "1", "text": "The parrot of the keeper was called Tobias. " * 4}
    documents.write_text(json.dumps({"document": "salt", "sections": [section]}) + "\n")
    asked_for = {"document": "salt", "sections": ["1"], "question": "Who?", "answers": ["Tobias"]}
    questions.write_text(json.dumps(asked_for) + "\n")
    common = f"--books {tmp_path / 'books'} --model {tiny_folder} --segment 32 --capacity 64 --no-chats"
    asks = f"--questions {documents} {questions}"
    more = f"--demonstrations {tmp_path / 'tables'} --steps 8 --limit 4 --first-layer 1 --memory-layers 1"
    words = f"{common} {asks} {more} --out {tmp_path / 'out'}"
    assert command.run(parsed(command, *words.split(), parse_file=plain)) == 0
    words = f"{common} {asks} --held-out {documents} {questions} --steps 1 --out {tmp_path / 'other'}"
    with pytest.raises(BadInput, match="there are no questions"):
        command.run(parsed(command, *words.split(), parse_file=plain))

"""Training the reading layers on a tiny model: what is learned from, that it is, and that it goes on."""

import argparse
import json
import random
from pathlib import Path

import pytest
import torch

from engine.backbone.load import load_backbone
from engine.paths import Paths
from engine.sidenet.reading import ReadingLayers, load_reader, save_reader
from engine.training import reading
from engine.training.answers import Exercise, exercise_of, exercises, similar_span
from engine.training.madeanswers import made_rows
from engine.training.neighbours import Neighbours
from engine.training.readingloss import Reading, batch_loss, reading_of, scores_of, token_spans
from engine.training.states import StateStore
from engine.training.stories import story_exercises
from ingest.document import Document
from ingest.errors import BadInput
from tests.engine.commands import parsed
from tests.engine.killing import killed_after

NAMES = ("Tansy", "Humphrey", "Farrow", "Quill", "Amberley", "Marlow")


@pytest.fixture(scope="module")
def backbone(tiny_folder, tmp_path_factory):
    return load_backbone(Paths(tmp_path_factory.mktemp("home")), str(tiny_folder))


@pytest.fixture
def answers(tmp_path) -> Path:
    rows = []
    for number in range(24):
        name = NAMES[number % len(NAMES)]
        passage = f"On day {number} the goose was kept by {name} at the mill."
        asked = {"passage": passage, "source": "mill", "split": "dev" if number % 8 == 7 else "train"}
        rows.append(asked | {
            "question": f"Who kept the goose on day {number}?", "answers": [name],
            "answer_start": passage.index(name), "answerable": True,
        })  # fmt: skip
    rows.append({"passage": "A hen sat.", "question": "Who flew?", "answers": [], "answerable": False})
    rows.append({"passage": "A hen sat on it.", "question": "Did a hen sit?", "answer": "yes"})
    file = tmp_path / "answers.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)))
    return file


BOOK = """The miller Humphrey said that Tansy was late. “We sit,” said Humphrey. He smiled at Tansy again.

Humphrey’s sister, Tansy, kept a dog called Amberley in the yard. But But But. She said to Amberley that
Amberley was fat, and Humphrey laughed when Amberley bit Tansy.

Tansy went to Marlow in the spring, and Tansy said that Marlow was dear. Humphrey had two horses that year.

Tansy married Humphrey Quill of Farrow, the captain. There Quill said that Farrow was gone."""


class TestMadeQuestions:
    def test_names_and_kin_become_questions_with_all_places(self):
        rows = made_rows(Document("t", "", "en", "text", BOOK), "mill", 40)
        made = {(row["question"].replace("What is the name of", "Who is"), row["answers"][0]) for row in rows}
        asked = {answer for _, answer in made}
        assert {"Tansy", "Amberley", "Marlow", "two"} <= asked
        assert any("Humphrey’s sister" in question and answer == "Tansy" for question, answer in made)
        for row in rows:
            assert all(row["passage"][slice(*span)] == row["answers"][0] for span in row["spans"])
            assert "But" not in row["answers"][0]
            assert exercise_of(row).spans == tuple(map(tuple, row["spans"]))

    def test_other_passages_of_the_book_stand_beside(self):
        words = " ".join(f"The bell rang {number} times over the quiet orchard." for number in range(30))
        rows = made_rows(
            Document("t", "", "en", "text", BOOK + "\n\n" + words.replace("bell", "goose")), "mill", 40
        )
        beside = [text for row in rows for text in row["beside"]]
        assert beside
        for row in rows:
            assert row["passage"] not in row["beside"]
            assert not any(row["answers"][0] in text for text in row["beside"])


class TestExercises:
    def test_rows_become_exercises(self, answers):
        found = list(exercises(answers))
        assert len(found) == 26
        assert {one.passage[slice(*one.spans[0])] for one in found[:24]} == set(NAMES)
        assert sum(one.held_out for one in found[:24]) >= 3
        assert (found[24].spans, found[24].kind) == ((), "span")
        assert found[25].kind == "yes"

    @pytest.mark.parametrize(
        ("answers", "found"),
        [
            (("the Grey Goose.",), "the grey goose"),
            (("A goose that was grey",), "grey goose was"),
            (("The miller's wife",), None),
        ],
    )
    def test_an_answer_in_other_words_is_the_most_similar_stretch(self, answers, found):
        passage = "By noon the grey goose was gone from the yard of the mill."
        span = similar_span(passage, answers)
        assert (None if span is None else passage[slice(*span)]) == found

    def test_stories_give_the_sections_that_answer(self, tmp_path):
        documents, questions = tmp_path / "documents.jsonl", tmp_path / "questions.jsonl"
        told = (
            "A goose came.",
            "Tansy sold it.",
            "Nobody sold the mill.",
            "Old Tansy sold eggs.",
            "Rain fell.",
        )
        sections = [{"id": str(number), "text": text} for number, text in enumerate(told, 1)]
        documents.write_text(json.dumps({"document": "geese", "sections": sections}))
        row = {"document": "geese", "sections": ["2"], "question": "Who sold it?", "answers": ["Tansy"]}
        questions.write_text(json.dumps(row))
        (one,) = story_exercises(documents, questions)
        assert (one.passage, one.spans, one.document) == ("Tansy sold it.", ((0, 5),), "geese")
        assert one.beside == ("Nobody sold the mill.",)

    def test_what_is_no_file_of_rows_is_refused(self, tmp_path):
        (tmp_path / "answers.jsonl").write_text("no rows")
        with pytest.raises(BadInput, match="JSON lines"):
            list(exercises(tmp_path / "answers.jsonl"))

    def test_neighbours_are_like_the_question_and_do_not_answer_it(self):
        passages = [
            "Tansy kept a goose.",
            "The goose of the mill was grey.",
            "Rain fell.",
            "Old Tansy's goose.",
        ]
        exercise = Exercise("Who kept the goose?", passages[0], ((0, 5),), ("Tansy",))
        assert Neighbours(passages).of(exercise, 3) == [passages[1]]


def store_of(backbone, folder, exercises_, block=2) -> StateStore:
    store = StateStore(folder, backbone, block, torch.float32)
    store.add([one.question for one in exercises_], [one.passage for one in exercises_])
    return store


class TestStates:
    def test_what_was_cut_short_is_written_again_and_the_rest_is_kept(self, backbone, answers, tmp_path):
        rows = list(exercises(answers))
        whole = store_of(backbone, tmp_path / "whole", rows[:12])
        store_of(backbone, tmp_path / "cut", rows[:6])
        (records,) = (tmp_path / "cut").glob("*.jsonl")
        with records.open("ab") as file:
            file.write(b'[["half a rec')
        again = store_of(backbone, tmp_path / "cut", rows[:12])
        for one in rows[:12]:
            for read in (StateStore.states, StateStore.question):
                text = one.passage if read is StateStore.states else one.question
                assert len(read(again, text)) == len(read(whole, text)) > 0
        assert StateStore(tmp_path / "cut", backbone, 2, torch.float32).texts.keys() == whole.texts.keys()

    def test_a_passage_knows_its_tokens(self, backbone, answers, tmp_path):
        (one, *_) = exercises(answers)
        store = store_of(backbone, tmp_path, [one])
        ((first, last),) = token_spans(store.spans(one.passage), one.spans)
        characters = store.spans(one.passage)
        assert one.passage[characters[first][0] : characters[last][1]] == "Tansy"


class TestLoss:
    def test_a_reader_that_knows_loses_less(self, backbone, answers, tmp_path):
        (one, *_) = exercises(answers)
        store = store_of(backbone, tmp_path, [one])
        row = reading_of(store, one)
        torch.manual_seed(1)
        layers = ReadingLayers(backbone, 2, 1)
        scores = scores_of(layers, store, [row])
        before = batch_loss(scores, [row])
        (first, last) = row.spans[0]
        scores.start[0, first] += 20
        scores.end[0, last] += 20
        assert batch_loss(scores, [row]) < before / 2

    def test_passages_of_a_question_are_compared(self, backbone, answers, tmp_path):
        (one, other, *_) = exercises(answers)
        store = store_of(backbone, tmp_path, [one, other])
        rows = [reading_of(store, one), Reading(0, one.question, other.passage, (), "span")]
        layers = ReadingLayers(backbone, 2, 1)
        scores = scores_of(layers, store, rows)
        alone = batch_loss(scores, [rows[0], Reading(1, one.question, other.passage, (), "span")])
        assert batch_loss(scores, rows) > alone


def command(answers: Path, folder: Path, *more: str) -> argparse.Namespace:
    places = ("--answers", answers, "--states", folder / "states", "--out", folder / "run")
    settings = ["--block", "2", "--layers", "2", "--questions", "4", "--warmup", "4", "--every", "4"]
    return parsed(reading, *places, *settings, *more)


def test_train_reader_learns_goes_on_with_the_same_losses_and_refuses_other_settings(
    backbone, answers, tmp_path, monkeypatch
):
    monkeypatch.setattr(reading, "load_backbone", lambda *_: backbone)
    assert reading.run(command(answers, tmp_path / "whole", "--steps", "40", "--passages", "2")) == 0
    losses = {
        folder: [row.split(",")[:4] for row in (folder / "run" / "log.csv").read_text().splitlines()[1:]]
        for folder in [tmp_path / "whole"]
    }
    first, *_, last = (float(row[1]) for row in losses[tmp_path / "whole"])
    assert last < 0.8 * first
    assert load_reader(tmp_path / "whole" / "run", backbone).block == 2
    assert (tmp_path / "whole" / "run" / "curve.png").is_file()

    with killed_after(5):
        reading.run(command(answers, tmp_path / "cut", "--steps", "40", "--passages", "2"))
    assert reading.run(command(answers, tmp_path / "cut", "--steps", "40", "--passages", "2")) == 0
    cut = [row.split(",")[:4] for row in (tmp_path / "cut" / "run" / "log.csv").read_text().splitlines()[1:]]
    assert cut == losses[tmp_path / "whole"]
    with pytest.raises(BadInput, match="--passages"):
        reading.run(command(answers, tmp_path / "cut", "--steps", "40", "--passages", "1"))


def test_a_reader_grows_by_layers_that_begin_quietly(backbone, answers, tmp_path):
    torch.manual_seed(1)
    save_reader(ReadingLayers(backbone, 1, 1), backbone, tmp_path)
    settings = reading.ReadingSettings(block=1, layers=2)
    grown, trained = reading.starting_layers(backbone, settings, tmp_path), load_reader(tmp_path, backbone)
    copied = ReadingLayers(backbone, 1, 2)
    torch.testing.assert_close(grown.layers[0].state_dict(), trained.layers[0].state_dict())
    quiet, loud = (one.layers[1].output.weight for one in (grown, copied))
    torch.testing.assert_close(quiet, reading.DAMPED * loud)
    one = next(exercises(answers))
    store = store_of(backbone, tmp_path, [one], block=1)
    rows = [reading_of(store, one)]
    before, after, other = (scores_of(layers, store, rows).start for layers in (trained, grown, copied))
    assert (after - before).norm() < (other - before).norm()
    with pytest.raises(BadInput, match="--layers 1"):
        reading.starting_layers(backbone, reading.ReadingSettings(block=2, layers=2), tmp_path)


@pytest.mark.parametrize("spans", [((90, 92), (10, 11)), ((0, 3),), ((199, 199),), ()])
def test_a_window_of_a_long_passage_holds_its_answer(spans):
    whole = Reading(0, "Who?", "text", spans, "span")
    for seed in range(20):
        row = whole.cut(200, random.Random(seed), 40)
        assert row.window.stop - row.window.start == 40
        assert row.window.start >= 0 and row.window.stop <= 200
        if spans:
            first, last = row.spans[0]
            assert (first + row.window.start, last + row.window.start) == spans[0]
    assert whole.cut(200, random.Random(0), 200) == whole

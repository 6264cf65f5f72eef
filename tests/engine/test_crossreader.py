"""The cross-reader over tiny random weights: what it computes, and that it learns and goes on."""

import argparse
import json
import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from engine.answering import reading
from engine.answering.found import Found, Span, agreed
from engine.answering.reading import worth_reading_again
from engine.answering.windows import Window
from engine.sidenet.crossreader import CrossConfig, CrossReader, joint, load_crossreader, save_crossreader
from engine.sidenet.packed import InFour, packed_in_four, scale_in_four, unpacked
from engine.training import crossreading
from engine.training.answers import Exercise
from engine.training.neighbours import Neighbours
from engine.training.readerquestions import reader_exercises
from engine.training.rounding import round_reader, rounded
from ingest.errors import BadInput
from ingest.parse import parse
from tests.engine.commands import parsed
from tests.engine.killing import killed_after

MARKS = ("<s>", "<pad>", "</s>", "[UNK]")
LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789.?"
CONFIG = CrossConfig(2, 64, 64, 2, len(MARKS) + 2 * len(LETTERS), longest=64)


def spelling() -> Tokenizer:
    """A tokenizer of MPNet's kind that spells every word."""
    pieces = [*MARKS, *LETTERS, *("##" + letter for letter in LETTERS)]
    numbers = {piece: number for number, piece in enumerate(pieces)}
    made = Tokenizer(models.WordPiece(numbers, unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer(lowercase=True)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), add_prefix_space=False)
    return made


@pytest.fixture
def reader() -> CrossReader:
    torch.manual_seed(3)
    reader = CrossReader(CONFIG, spelling()).eval()
    for table in (reader.tokens, reader.places, reader.distances):
        torch.nn.init.normal_(table.weight)
    return reader


class TestReading:
    @torch.inference_mode()
    def test_a_passage_reads_the_same_alone_and_among_longer_ones(self, reader):
        short, long = "Tansy kept it.", "The goose was kept by Tansy."
        (alone,) = reader.read("Who?", [short])
        among, _ = reader.read("Who?", [short, long])
        for side in ("start", "end", "null"):
            torch.testing.assert_close(getattr(alone, side), getattr(among, side), atol=1e-5, rtol=1e-5)
        assert [short[a:b] for a, b in alone.spans][:5] == list("Tansy")

    @torch.inference_mode()
    def test_a_row_that_is_too_long_loses_the_end_of_its_passage(self, reader):
        (scores,) = reader.read("why " * 200, ["goose " * 200])
        assert len(scores.start) == len(scores.spans) <= CONFIG.longest
        assert torch.isfinite(scores.start).all()

    def test_a_blank_question_is_read(self, reader):
        (scores,) = reader.read(" ", ["Tansy."])
        assert len(scores.spans) == 6

    @torch.inference_mode()
    def test_what_is_kept_reads_the_same(self, reader, tmp_path):
        save_crossreader(reader, tmp_path)
        (before,), (after,) = (
            one.read("Who?", ["Tansy kept it."]) for one in (reader, load_crossreader(tmp_path))
        )
        torch.testing.assert_close(before.start, after.start, atol=0.2, rtol=0.2)
        assert load_crossreader(tmp_path / "elsewhere") is None
        (tmp_path / "crossreader.safetensors").write_bytes(b"damaged")
        with pytest.raises(BadInput, match="download the checkpoint again"):
            load_crossreader(tmp_path)


def found(**scores: float) -> list[Found]:
    return [Found((Span("b", len(text), 9, text, score),), score) for text, score in scores.items()]


class TestAgreement:
    def test_what_both_find_comes_before_what_one_finds(self):
        best, *others = agreed(found(goose=0.6, hen=0.3), found(hen=0.4, cock=0.9), 0.5)
        assert (best.text, best.score) == ("hen", pytest.approx((0.3 * 0.4) ** 0.5))
        assert {one.text for one in others} == {"goose", "cock"}
        assert best.spans[0].probability == pytest.approx(best.score)

    @pytest.mark.parametrize(("share", "score"), [(0.0, 0.2), (1.0, 0.8), (0.5, 0.4)])
    def test_the_share_says_whose_score_counts(self, share, score):
        assert joint(0.2, 0.8, share) == pytest.approx(score)

    def test_the_other_reader_alone_is_never_certain_that_it_is_nothing(self):
        assert joint(0.0, 0.5, 0.5) > 0


class TestPacking:
    def test_four_bits_keep_a_matrix_within_a_fourteenth_of_its_largest_numbers(self):
        torch.manual_seed(0)
        exact = torch.randn(5, 128)
        kept = packed_in_four("a", exact)
        assert kept["a"].shape == (5, 64) and kept["a.scale"].shape == (5, 2)
        back = unpacked(kept)["a"]
        assert (back - exact).square().mean() < 0.012 * exact.square().mean()
        rows = InFour(kept["a"], kept["a.scale"]).matrix(torch.tensor([[3, 1]]))
        torch.testing.assert_close(rows, back[None, [3, 1]])
        with torch.autocast("cpu", torch.bfloat16):
            half = InFour(kept["a"], kept["a.scale"]).matrix()
        assert half.dtype == torch.bfloat16
        torch.testing.assert_close(half.float(), back, rtol=0.01, atol=0)

    def test_what_does_not_divide_is_kept(self):
        odd, nought = torch.randn(3, 65), torch.zeros(2, 64)
        torch.testing.assert_close(unpacked(packed_in_four("a", odd))["a"], odd, atol=0.02, rtol=0.02)
        assert torch.equal(unpacked(packed_in_four("a", nought))["a"], nought)


class TestChoosing:
    def test_windows_found_first_and_likely_ones_are_read_again_by_turns(self, monkeypatch):
        monkeypatch.setattr(reading, "READ_AGAIN", 4)
        windows = [Window("b", rank, np.zeros((1, 2)), torch.zeros(1, 2)) for rank in (2, 0, 3, 1, 4)]
        found = [[Span("b", 0, 1, "", chance)] for chance in (0.1, 0.2, 0.9, 0.3, 0.8)]
        assert [one.rank for one in worth_reading_again(windows, found, 0.0)] == [3, 0, 4, 1]


NAMES = ("tansy", "farrow", "quill", "marlow")


@pytest.fixture
def answers(tmp_path) -> Path:
    rows = []
    for number in range(24):
        name = NAMES[number % len(NAMES)]
        passage = f"Hen {number} was {name}."
        rows.append({
            "passage": passage, "source": "mill", "split": "dev" if number % 8 == 7 else "train",
            "question": f"Who was hen {number}?", "answers": [name],
            "answer_start": passage.index(name), "answerable": True,
        })  # fmt: skip
    file = tmp_path / "answers.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)))
    return file


@pytest.fixture
def mpnet(reader, tmp_path) -> Path:
    """An encoder as others write it."""
    folder = tmp_path / "mpnet"
    folder.mkdir()
    ours, theirs = reader.state_dict(), {}
    for kind in ("weight", "bias"):
        theirs[f"mpnet.embeddings.LayerNorm.{kind}"] = ours[f"norm.{kind}"]
        for layer in range(CONFIG.layers):
            for part, other in crossreading.OF_A_LAYER.items():
                theirs[f"mpnet.encoder.layer.{layer}.{other}.{kind}"] = ours[f"layers.{layer}.{part}.{kind}"]
    for part, name in (("tokens", "word"), ("places", "position")):
        theirs[f"mpnet.embeddings.{name}_embeddings.weight"] = ours[f"{part}.weight"]
    theirs["mpnet.encoder.relative_attention_bias.weight"] = ours["distances.weight"]
    save_file(theirs, folder / "model.safetensors")
    reader.tokenizer.save(str(folder / "tokenizer.json"))
    facts = {"num_hidden_layers": CONFIG.layers, "hidden_size": CONFIG.width, "vocab_size": CONFIG.vocabulary}
    facts |= {"intermediate_size": CONFIG.inner, "num_attention_heads": CONFIG.heads}
    (folder / "config.json").write_text(json.dumps(facts))
    return folder


def command(answers: Path, start: Path, out: Path, *more: str) -> argparse.Namespace:
    settings = "--questions 4 --frozen 0 --warmup 4 --every 4 --rate 5e-3"
    places = ("--answers", answers, "--start", start, "--out", out)
    return parsed(crossreading, *places, *settings.split(), "--steps", 16, *more)


@pytest.fixture
def shorter(monkeypatch):
    """Rows of the tiny reader's length, and one thread: two would wait for each other."""
    monkeypatch.setattr(crossreading, "CrossConfig", lambda *facts: CrossConfig(*facts, longest=64))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def test_train_crossreader_learns_and_goes_on_with_the_same_losses(answers, mpnet, tmp_path, shorter):
    def losses(folder: Path) -> list[list[str]]:
        return [row.split(",")[:4] for row in (folder / "log.csv").read_text().splitlines()[1:]]

    whole, cut = tmp_path / "whole", tmp_path / "cut"
    assert crossreading.run(command(answers, mpnet, whole)) == 0
    assert float(losses(whole)[-1][1]) < 0.8 * float(losses(whole)[0][1])
    assert load_crossreader(whole) is not None and (whole / "curve.png").is_file()

    with killed_after(2):
        crossreading.run(command(answers, mpnet, cut))
    assert crossreading.run(command(answers, mpnet, cut)) == 0
    assert losses(cut) == losses(whole)
    with pytest.raises(BadInput, match="--beside"):
        crossreading.run(command(answers, mpnet, cut, "--beside", "1"))


@pytest.mark.parametrize("answer", ["one", "goose", "last."])
def test_a_passage_is_cut_around_its_answer(answer):
    passage = "one " + "hen " * 50 + "goose " + "cock " * 50 + "last."
    start = passage.index(answer)
    row = crossreading.Row("Who?", passage, ((start, start + len(answer)),))
    for seed in range(20):
        cut = row.cut(random.Random(seed), 60)
        ((first, last),) = cut.spans
        assert cut.passage[first:last] == answer and len(cut.passage) < 70
        assert passage[passage.index(cut.passage) - 1] in " ."
    apart = crossreading.Row("Who?", passage, ()).cut(random.Random(1), 60)
    assert apart.spans == () and apart.passage in passage


def test_a_question_comes_beside_passages_that_do_not_tell():
    near = Neighbours(["Tansy kept a goose.", "The goose was grey."])
    told = Exercise("Who kept the goose?", "Tansy kept a goose.", ((0, 5),), ("Tansy",))
    own, other = crossreading.rows_of(told, 3, near, random.Random(1), beside=2)
    assert (own.passage, own.spans, own.number) == ("Tansy kept a goose.", ((0, 5),), 3)
    assert (other.passage, other.spans, other.number) == ("The goose was grey.", (), 3)
    of_a_story = replace(told, beside=("A hen.", "A cock.", "A duck."))
    _, *others = crossreading.rows_of(of_a_story, 0, near, random.Random(1), beside=2)
    assert len(others) == 2 and {one.passage for one in others} < set(of_a_story.beside)
    assert len(list(crossreading.rows_of(told, 0, near, random.Random(1), beside=0))) == 1


def test_passages_of_a_question_are_scored_together(reader):
    """An answer in the wrong passage costs more where both belong to one question."""
    rows = [crossreading.Row("Who?", "Tansy.", ((0, 5),)), crossreading.Row("Who?", "Quill.", (), 0)]
    apart = [rows[0], replace(rows[1], number=1)]
    with torch.inference_mode():
        assert crossreading.rows_loss(reader, rows) > crossreading.rows_loss(reader, apart)


def test_an_encoder_of_others_starts_with_its_own_weights(mpnet, reader, shorter):
    started = crossreading.starting_reader(mpnet)
    for name, value in started.state_dict().items():
        assert name.startswith("span") or torch.equal(value, reader.state_dict()[name]), name


def test_what_is_no_encoder_is_refused(tmp_path):
    with pytest.raises(BadInput, match="holds no MPNet"):
        crossreading.starting_reader(tmp_path)


def test_of_passages_that_may_tell_the_likeliest_counts():
    told = torch.tensor([True, True, False, True, False])
    numbers = torch.tensor([0, 0, 0, 1, 1])
    losses = torch.tensor([3.0, 1.0, 9.0, 5.0, 0.1])
    assert crossreading.weights_of(losses, told, numbers).tolist() == [0, 2, 1, 2, 1]


class TestRounding:
    def matrices(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """A matrix of four bits, what a run made of it, and inputs of few kinds."""
        torch.manual_seed(0)
        start = unpacked(packed_in_four("w", torch.randn(96, 256) / 25))["w"]
        inputs = torch.randn(2000, 12) @ torch.randn(12, 256) + 0.1 * torch.randn(2000, 256)
        return start, start + 2e-3 * torch.randn(96, 256), inputs

    def test_a_matrix_does_what_it_did_where_the_nearest_numbers_forget(self):
        start, learned, inputs = self.matrices()
        scale = scale_in_four(learned)
        kept = rounded(learned, scale, inputs.T @ inputs / len(inputs))
        nearest = unpacked(packed_in_four("w", learned))["w"]
        wanted = inputs @ learned.T
        assert (inputs @ kept.T - wanted).norm() < 0.8 * (inputs @ nearest.T - wanted).norm()
        torch.testing.assert_close(unpacked(packed_in_four("w", kept, scale))["w"], kept)
        same = rounded(start, scale_in_four(start), inputs.T @ inputs)
        torch.testing.assert_close(same, start)

    def test_a_reader_is_rounded_where_it_learns(self, reader):
        reader.layers[0].requires_grad_(False)
        before = {name: value.clone() for name, value in reader.state_dict().items()}
        scales = round_reader(reader, reader.rows(["Who?"] * 3, ["Tansy kept it.", "A hen.", "Quill."]))
        assert scales and all(name.startswith("layers.1.") for name in scales)
        for name, value in reader.state_dict().items():
            assert torch.equal(value, before[name]) is (name not in scales), name


def test_questions_about_whole_books_come_with_the_passages_found(tmp_path):
    told = "Old Tansy kept the goose of the mill. " + "It rained on the mill and on the goose. " * 30
    other = "The goose was grey, and the mill was old. " + "Nobody saw the goose that day. " * 30
    (tmp_path / "mill.txt").write_text(f"{told}\n\n{other}\n\nTansy's goose. " + "The mill stood. " * 40)
    file = tmp_path / "questions.jsonl"
    rows = [
        {"book": "mill.txt", "question": "Who kept the goose?", "accept": ["Tansy"]},
        {"book": "mill.txt", "question": "Who kept the goose?", "accept": ["Quill"]},
        {"book": "mill.txt", "question": "Who sold it?", "accept": ["Tansy"], "answerable": False},
    ]
    file.write_text("\n".join(map(json.dumps, rows)))
    (one,) = reader_exercises(file, tmp_path, parse)
    assert one.question == "Who kept the goose?" and one.document == "mill.txt"
    assert all("Tansy" in passage[slice(*spans[0])] for passage, spans in one.among)
    assert one.beside and not any("Tansy" in passage for passage in one.beside)
    rows_made = list(crossreading.rows_of(one, 0, Neighbours([]), random.Random(1), 2))
    assert [bool(row.spans) for row in rows_made].count(True) == min(3, len(one.among))
    with pytest.raises(BadInput, match="there is no"):
        list(reader_exercises(file, tmp_path / "elsewhere", parse))


def test_a_question_may_tell_where_its_answer_stands(tmp_path):
    filler = "It rained on the mill and on the goose. " * 30
    (tmp_path / "mill.txt").write_text(
        f"Tansy saw the goose. {filler}\n\nThat day Tansy\nkept it. {filler}\n\nThe goose. {filler * 2}"
    )
    row = {"book": "mill.txt", "question": "Who kept the goose?", "accept": ["Tansy"]}
    file = tmp_path / "questions.jsonl"
    file.write_text(json.dumps(row | {"before": "That day", "after": "kept"}))
    (one,) = reader_exercises(file, tmp_path, parse)
    assert one.among
    for passage, ((start, end),) in one.among:
        assert passage[start:end] == "Tansy" and passage[end:].split()[:1] == ["kept"]
    file.write_text(json.dumps(row | {"before": "That night", "after": "kept"}))
    assert not list(reader_exercises(file, tmp_path, parse))


def test_a_run_of_which_nothing_is_held_out_is_kept_too(answers, mpnet, tmp_path, shorter):
    out = tmp_path / "alone"
    assert crossreading.run(command(answers, mpnet, out, "--held-out", 0)) == 0
    assert load_crossreader(out) is not None

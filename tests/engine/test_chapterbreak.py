"""ChapterBreak: six beginnings of one book, the true one by likelihood, memory of the past only."""

import argparse
import json
import random

import pytest
import torch

from engine.backbone.backbone import Backbone
from engine.evaluation import chapterbreak
from engine.evaluation.chapterbreak import CHOICES, Context, Reader, chosen, instances, openings
from engine.evaluation.chapterbreak_report import Score, write_result
from engine.evaluation.textbank import TextBank
from engine.sidenet.config import MEMORY_VALUES, SideNetConfig
from engine.sidenet.sidenet import SideNet
from engine.training.activations import Wanted, freeze
from ingest.document import Chapter
from ingest.errors import BadInput
from tests.engine.commands import parsed


def book(chapters: int, length: int = 2400) -> argparse.Namespace:
    """A stand-in for a Document: chapters with a heading line each."""
    text, made = "", []
    for number in range(chapters):
        body = f"Chapter {number}\n\n" + f"In part {number} the whale swims on. " * (length // 34)
        made.append(Chapter(f"Chapter {number}", len(text), len(text) + len(body)))
        text += body
    return argparse.Namespace(text=text, chapters=made)


def test_beginnings_follow_the_heading():
    document = book(8)
    for number, one in enumerate(openings(document)):
        assert document.text[one.text :].startswith(f"In part {number} the whale")
        assert document.text[one.heading :].startswith(f"Chapter {number}\n")


def test_short_and_outer_chapters_are_left_out():
    document = book(8)
    assert len(openings(document, least=5000)) == 0
    front = [Chapter(c.title, c.start, c.end, 1, "front") for c in document.chapters]
    assert openings(argparse.Namespace(text=document.text, chapters=front)) == []


def test_a_part_begins_as_its_first_chapter_does():
    document = book(4)
    shift = len("Part One\n\n")
    moved = [Chapter(c.title, c.start + shift, c.end + shift, 2) for c in document.chapters]
    text = "Part One\n\n" + document.text
    nested = argparse.Namespace(text=text, chapters=[Chapter("Part One", 0, len(text), 1), *moved])
    found = openings(nested)
    assert len(found) == 4
    assert found[0].heading == 0
    assert text[found[0].text :].startswith("In part 0 the whale")


def test_questions_have_one_true_beginning_and_five_later_ones():
    document = book(12)
    known = {one.text: one.heading for one in openings(document)}
    made = instances(document, 5, seed=1)
    assert len(made) == 5
    for question in made:
        assert len(set(question.starts)) == CHOICES
        assert known[question.starts[question.answer]] == question.boundary
        assert not document.text[: question.boundary].rstrip().split("\n")[-1].startswith("Chapter")
        assert set(question.starts) <= set(known)
        assert min(question.starts) == question.starts[question.answer]
    assert {question.answer for question in instances(book(30), 20, 0)} == set(range(CHOICES))
    assert made == instances(document, 5, seed=1)


def test_too_few_chapters_give_no_question():
    assert instances(book(6), 5, seed=1) == []


def scores(backbone: Backbone, context, suffixes, sidenet: SideNet | None = None, memory=None):
    states = tuple(range(backbone.blocks + 1))
    with torch.inference_mode():
        return Context(backbone, context, suffixes, states).scores(Reader("", sidenet=sidenet), memory)


def test_the_likelier_suffix_wins(backbone):
    context = torch.randint(3, 200, (32,))
    last = context[None]
    following = []
    for _ in range(6):  # what the model itself would write next
        following.append(backbone.model(last).logits[0, -1].argmax())
        last = torch.cat((last, following[-1].view(1, 1)), dim=1)
    suffixes = torch.stack([torch.randint(3, 200, (6,)), torch.stack(following)])
    found = scores(backbone, context, suffixes)
    assert found.argmax() == 1
    for suffix, score in zip(suffixes, found, strict=True):
        logits = backbone.model(torch.cat((context, suffix))[None]).logits[0, 31:-1]
        expected = -torch.nn.functional.cross_entropy(logits, suffix)
        assert score.item() == pytest.approx(expected.item(), abs=1e-4)


def test_a_plain_beginning_is_likely_anywhere_and_the_gain_leaves_that_out():
    plain, belongs = -2.0, -3.0
    assert chosen(torch.tensor([plain, belongs]), torch.tensor([-2.1, -4.0])) == (0, 1)


def test_the_table_has_both_measures_and_compares_whole_rows_only(tmp_path):
    first = [Score.of([(True, False)] * 2 + [(False, False)] * 2), Score(1, 0, 4)]
    second = [Score(3, 4, 4), Score(2, 2, 4)]
    thin = [Score(1, 1, 1), Score(0, 0, 0)]
    text = write_result(tmp_path, ["a", "b", "c"], list(zip(first, second, thin, strict=True)), 6)
    a, b, c = json.loads((tmp_path / "chapterbreak.json").read_text())["rows"]
    assert (a["right"]["mean"], a["raised"]["mean"]) == (37.5, 0)
    assert b["right"]["points"] == {"mean": 25.0, "interval": [25.0, 25.0]}
    assert b["raised"]["points"]["mean"] == 75
    assert "points" not in c["right"]
    assert "| c | 1 | 100.0 | - | 100.0 | - |" in text


def trained(backbone: Backbone, values: str) -> SideNet:
    torch.manual_seed(0)
    config = SideNetConfig.for_backbone(backbone, memory_layers=(1,), memory_values=values, top_k=2)
    sidenet = SideNet(config, backbone)
    with torch.no_grad():
        if values == "following":
            sidenet.layers[1].memory.gate.fill_(0.5)
        else:
            sidenet.layers[1].attention_scale.fill_(0.5)
    return sidenet.eval()


@pytest.mark.parametrize("values", MEMORY_VALUES)
@pytest.mark.parametrize("remembers", [False, True])
def test_shared_context_gives_what_whole_windows_give(backbone, values, remembers):
    sidenet, past = trained(backbone, values), torch.randint(3, 200, (32,))
    context, suffixes = torch.randint(3, 200, (20,)), torch.randint(3, 200, (3, 6))
    memory = None
    if remembers:
        wanted = Wanted.of(sidenet.config, ())
        memory = TextBank.of(sidenet.config, [freeze(backbone, past, wanted)]).reader(32)
    found = scores(backbone, context, suffixes, sidenet, memory)
    for suffix, score in zip(suffixes, found, strict=True):
        ids = torch.cat((context, suffix))
        with torch.inference_mode():
            logits = backbone.head(sidenet(backbone.encode(ids[None]).hidden, memory).normed[0, 19:-1])
        expected = -torch.nn.functional.cross_entropy(logits, suffix)
        assert score.item() == pytest.approx(expected.item(), abs=1e-4)


def test_a_gain_is_taken_against_the_same_network(backbone, monkeypatch):
    monkeypatch.setattr(chapterbreak, "SUFFIX", 16)
    monkeypatch.setattr(chapterbreak, "SEGMENT", 64)
    monkeypatch.setattr(chapterbreak, "LOCAL", 1)  # a context that can add nothing
    sidenet, document = trained(backbone, "attention"), book(30)
    letters = random.Random(0)
    for chapter in document.chapters:  # beginnings of which each is likely in its own way
        start = chapter.start + len(chapter.title) + 2
        own = "".join(letters.choices("abcdefgh ", k=200))
        document.text = document.text[:start] + own + document.text[start + 200 :]
    rows = [Reader("backbone"), Reader("off", sidenet=sidenet)]
    found = chapterbreak.score_book(document, backbone, rows, sidenet, 12, 0)
    of_no_gain = sum(question.answer == 0 for question in instances(document, 12, 0))
    assert [score.raised for score in found] == [of_no_gain, of_no_gain]


def test_command(tmp_path, tiny_folder, monkeypatch):
    monkeypatch.setattr(chapterbreak, "SUFFIX", 16)
    monkeypatch.setattr(chapterbreak, "SEGMENT", 64)
    monkeypatch.setattr(chapterbreak, "LOCAL", 48)
    (tmp_path / "book.txt").write_text("stand-in")
    words = f"--books {tmp_path / 'book.txt'} --out {tmp_path / 'out'} --model {tiny_folder}"
    words = [*words.split(), "--contexts", "96", "--per-book", "2"]
    assert chapterbreak.run(parsed(chapterbreak, *words, parse_file=lambda file: book(8))) == 0
    made = json.loads((tmp_path / "out" / "chapterbreak.json").read_text())
    assert made["questions"] == 2
    assert [row["name"] for row in made["rows"]][0] == "backbone, window of 1k"
    rights = {row["name"]: (row["right"]["mean"], row["raised"]["mean"]) for row in made["rows"]}
    # Without a trained checkpoint in this folder the SideNet is the backbone, with memory or without.
    assert rights["SideNet, memory off"] == rights["SideNet, memory whole past"]
    assert made["rows"][-1]["right"]["points"]["mean"] == 0
    thin = [*words, "--dense-per-book", "1", "--cache", tmp_path / "cache"]
    assert chapterbreak.run(parsed(chapterbreak, *thin, parse_file=lambda file: book(8))) == 0
    made = json.loads((tmp_path / "out" / "chapterbreak.json").read_text())
    asked = {row["name"]: row["questions"] for row in made["rows"]}
    assert asked["backbone, dense 96"] == 1
    assert asked["SideNet, memory off"] == 2
    with pytest.raises(BadInput, match="chapters"):
        chapterbreak.run(parsed(chapterbreak, *thin, parse_file=lambda file: book(3)))

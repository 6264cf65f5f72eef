"""ChapterBreak: six beginnings of one book, the true one by likelihood, memory of the past only."""

import argparse
import json

import pytest
import torch

from engine.backbone.backbone import Backbone
from engine.evaluation import chapterbreak
from engine.evaluation.chapterbreak import CHOICES, Reader, chapter_starts, instances, suffix_scores
from engine.evaluation.textbank import TextBank
from engine.sidenet.config import SideNetConfig
from engine.sidenet.sidenet import SideNet
from ingest.document import Chapter
from ingest.errors import BadInput
from tests.engine.families import tiny_model


def book(chapters: int, length: int = 2400) -> argparse.Namespace:
    """A stand-in for a Document: chapters with a heading line each."""
    text, made = "", []
    for number in range(chapters):
        body = f"Chapter {number}\n\n" + f"In part {number} the whale swims on. " * (length // 34)
        made.append(Chapter(f"Chapter {number}", len(text), len(text) + len(body)))
        text += body
    return argparse.Namespace(text=text, chapters=made)


@pytest.fixture
def backbone(tiny_tokenizer) -> Backbone:
    return Backbone(tiny_model("llama"), tiny_tokenizer, "tiny")


def test_beginnings_follow_the_heading():
    document = book(8)
    for number, start in enumerate(chapter_starts(document)):
        assert document.text[start:].startswith(f"In part {number} the whale")


def test_short_and_outer_chapters_are_left_out():
    document = book(8)
    assert len(chapter_starts(document, least=5000)) == 0
    front = [Chapter(c.title, c.start, c.end, 1, "front") for c in document.chapters]
    assert chapter_starts(argparse.Namespace(text=document.text, chapters=front)) == []


def test_questions_have_one_true_beginning_and_five_later_ones():
    document = book(12)
    starts = chapter_starts(document)
    made = instances(document, 5, seed=1)
    assert len(made) == 5
    for question in made:
        assert len(set(question.starts)) == CHOICES
        assert question.starts[question.answer] == question.boundary
        assert set(question.starts) <= set(starts)
        assert min(question.starts) == question.boundary
    assert {question.answer for question in instances(book(30), 20, 0)} == set(range(CHOICES))
    assert made == instances(document, 5, seed=1)


def test_too_few_chapters_give_no_question():
    assert instances(book(6), 5, seed=1) == []


def test_the_likelier_suffix_wins(backbone):
    context = torch.randint(3, 200, (40,))
    last = context[None]
    following = []
    for _ in range(6):  # what the model itself would write next
        following.append(backbone.model(last).logits[0, -1].argmax())
        last = torch.cat((last, following[-1].view(1, 1)), dim=1)
    suffixes = torch.stack([torch.randint(3, 200, (6,)), torch.stack(following)])
    config = SideNetConfig.for_backbone(backbone, memory_layers=(1,))
    scores = suffix_scores(backbone, Reader("backbone", 32), context, suffixes, TextBank(config))
    assert scores.argmax() == 1
    logits = backbone.model(torch.cat((context[-32:], suffixes[0]))[None]).logits[0, 31:-1]
    expected = -torch.nn.functional.cross_entropy(logits, suffixes[0])
    assert scores[0].item() == pytest.approx(expected.item(), abs=1e-4)


def test_untrained_sidenet_scores_as_the_backbone(backbone):
    sidenet = SideNet(SideNetConfig.for_backbone(backbone, memory_layers=(1,)), backbone).eval()
    context, suffixes = torch.randint(3, 200, (40,)), torch.randint(3, 200, (3, 6))
    bank = TextBank(sidenet.config)
    pair = [
        suffix_scores(backbone, Reader("", 32, net, memory), context, suffixes, bank)
        for net, memory in ((None, None), (sidenet, 0))
    ]
    torch.testing.assert_close(*pair, atol=1e-4, rtol=0)


def test_command(tmp_path, tiny_folder, monkeypatch):
    monkeypatch.setattr(chapterbreak, "SUFFIX", 16)
    monkeypatch.setattr(chapterbreak, "SEGMENT", 64)
    monkeypatch.setattr(chapterbreak, "LOCAL", 48)
    (tmp_path / "book.txt").write_text("stand-in")
    parser = argparse.ArgumentParser()
    chapterbreak.add_arguments(parser)
    words = f"--books {tmp_path} --out {tmp_path / 'out'} --model {tiny_folder} --contexts 96 --per-book 2"
    arguments = parser.parse_args(words.split())
    arguments.parse_file = lambda file: book(8)
    assert chapterbreak.run(arguments) == 0
    made = json.loads((tmp_path / "out" / "chapterbreak.json").read_text())
    assert made["questions"] == 2
    assert [row["name"] for row in made["rows"]][0] == "backbone, window of 1k"
    rights = {row["name"]: row["right"] for row in made["rows"]}
    # Without a trained checkpoint in this folder the SideNet is the backbone, with memory or without.
    assert rights["SideNet, memory off"] == rights["SideNet, memory whole past"]
    arguments.parse_file = lambda file: book(3)
    with pytest.raises(BadInput, match="chapters"):
        chapterbreak.run(arguments)

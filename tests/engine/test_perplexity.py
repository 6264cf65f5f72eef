"""Perplexity evaluation: protocols score the same tokens, memory ends before the window, intervals hold."""

import argparse
import json
import math

import pytest
import torch

from engine.backbone.backbone import Backbone
from engine.backbone.load import load_backbone
from engine.evaluation import perplexity
from engine.evaluation.bootstrap import Total, interval, mean_loss
from engine.evaluation.pages import choose_books, chosen_pages, spaced, split_of
from engine.evaluation.perplexity import Reading, Window, sidenet_reading, windows
from engine.evaluation.report import Row, markdown, span
from engine.evaluation.textbank import TextBank
from engine.paths import Paths
from engine.sidenet.checkpoint import save_sidenet
from engine.sidenet.config import SideNetConfig
from engine.sidenet.sidenet import SideNet
from engine.training.activations import Wanted, freeze
from ingest.errors import BadInput
from tests.engine.families import tiny_model


@pytest.fixture
def backbone(tiny_tokenizer) -> Backbone:
    return Backbone(tiny_model("llama"), tiny_tokenizer, "tiny")


def trained(backbone: Backbone, **settings) -> SideNet:
    """A SideNet that reads memory: its scales are not zero."""
    torch.manual_seed(0)
    sidenet = SideNet(SideNetConfig.for_backbone(backbone, memory_layers=(1,), top_k=2, **settings), backbone)
    with torch.no_grad():
        sidenet.layers[1].attention_scale.fill_(0.5)
        sidenet.layers[1].memory.gate.fill_(1.0)
    return sidenet.eval()


def bank(backbone: Backbone, sidenet: SideNet, ids: torch.Tensor) -> TextBank:
    wanted = Wanted.of(sidenet.config, ())
    return TextBank.of(sidenet.config, [freeze(backbone, part, wanted) for part in ids.split(16)])


@pytest.mark.parametrize("protocol", perplexity.PROTOCOLS)
def test_every_protocol_scores_the_same_targets(protocol):
    parts = windows(3, protocol, 8)
    assert [target for w in parts for target in range(w.scored, w.end)] == list(range(25, 32))
    assert all(window.end - window.start == 8 for window in parts)


def test_sliding_leaves_half_a_page_of_context():
    assert all(window.scored - window.start >= 512 for window in windows(5, "sliding"))


class TestTextBank:
    def test_memory_ends_where_the_window_begins(self, backbone):
        sidenet = trained(backbone)
        ids = torch.randint(3, 200, (64,))
        whole = bank(backbone, sidenet, ids)
        block = sidenet.config.memory_blocks[0]
        assert whole.reader(40).keys[block].shape[1] == 40
        assert whole.reader(40, 8).keys[block].shape[1] == 8
        assert torch.equal(whole.reader(40, 8).keys[block], whole.keys[block][:, 32:40])
        assert whole.reader(42, 8).keys[block].shape[1] == 8  # whole chunks of 4 before token 42
        assert whole.reader(0) is None

    def test_what_comes_after_the_window_changes_nothing(self, backbone):
        sidenet = trained(backbone)
        ids = torch.randint(3, 200, (64,))
        other = torch.cat((ids[:48], torch.randint(3, 200, (16,))))
        window = Window(32, 48, 33)
        losses = [
            sidenet_reading(sidenet, 0)(
                Reading(backbone, text, bank(backbone, sidenet, text), sidenet.states), window
            )
            for text in (ids, other)
        ]
        assert losses[0] == pytest.approx(losses[1], abs=1e-5)

    def test_the_past_changes_something(self, backbone):
        sidenet = trained(backbone)
        ids = torch.randint(3, 200, (64,))
        reading = Reading(backbone, ids, bank(backbone, sidenet, ids), sidenet.states)
        window = Window(32, 48, 33)
        with_memory = sidenet_reading(sidenet, 0)(reading, window)
        assert abs(with_memory - sidenet_reading(sidenet, None)(reading, window)) > 1e-3

    def test_reads_what_a_bank_on_disk_gives(self, backbone, tmp_path):
        from engine.bank.bank import MemoryBank
        from engine.encoding import bank_layout, encode_text
        from engine.retrieval.memory import Memory, SearchableBank, Stretch

        sidenet = trained(backbone)
        text = "Call me Ishmael. Some years ago, never mind how long precisely, having little money."
        encode_text(text, tmp_path / "bank", backbone, bank_layout(sidenet.config))
        ids = torch.tensor(backbone.tokenizer(text, add_special_tokens=False)["input_ids"])
        assert len(ids) % 4 == 0
        wanted = Wanted.of(sidenet.config, ())
        ours = TextBank.of(sidenet.config, [freeze(backbone, ids, wanted)]).reader(len(ids))
        disk = SearchableBank(MemoryBank.open(tmp_path / "bank"), sidenet)
        theirs = Memory([Stretch.whole(disk)], sidenet)
        hidden = backbone.encode(ids[None, :20]).hidden
        with torch.inference_mode():
            pair = [sidenet(hidden, memory).normed for memory in (ours, theirs)]
        torch.testing.assert_close(*pair, atol=1e-3, rtol=1e-3)


class TestPages:
    def test_splits_are_the_papers(self):
        assert [split_of(n) for n in (4_999, 5_000, 99_999, 100_000, 500_000, 2_000_000)] == [
            "below 5k", "5-10k", "10-100k", "100-500k", "500k-1M", "above 1M",
        ]  # fmt: skip

    def test_pages_lie_in_the_second_half_the_last_among_them(self):
        assert chosen_pages(40, 3) == (20, 30, 39)
        assert chosen_pages(4, 0) == (1, 2, 3)
        assert chosen_pages(1, 3) == ()
        assert spaced(10, 20, 3) == (10, 15, 20)
        assert spaced(3, 4, 9) == (3, 4)

    def test_the_subset_does_not_depend_on_order(self):
        lengths = {f"book {n}": 20_000 for n in range(6)}
        parts = dict.fromkeys(lengths, 19)
        some = choose_books(lengths, parts, 2, 3)
        other = choose_books(dict(reversed(lengths.items())), parts, 2, 3)
        assert [(book.name, book.pages) for book in some] == [(book.name, book.pages) for book in other]
        assert len(some) == 2
        assert len(choose_books(lengths, parts, 0, 3)) == 6


class TestBootstrap:
    def test_mean_weighs_tokens(self):
        assert mean_loss([Total(2, 1), Total(10, 3)]) == 3.0

    def test_interval_holds_the_mean_and_pairs_books(self):
        high = [Total(100 * (3 + n / 10), 100) for n in range(10)]
        low = [Total(total.loss - 5, 100) for total in high]
        first, last = interval(high)
        assert first < mean_loss(high) < last
        assert interval(low, high) == pytest.approx((-0.05, -0.05))

    def test_one_book_gives_none(self):
        assert all(math.isnan(end) for end in interval([Total(1, 1)]))


def test_table():
    rows = [
        Row("SideNet, memory off", "all", 2, 100, 3.0, (2.9, 3.1), 0.0, (0.0, 0.0)),
        Row("SideNet, memory 8192", "all", 2, 100, 2.9, (2.8, 3.0), -0.1, (-0.12, -0.08)),
    ]
    text = markdown(rows)
    assert "| SideNet, memory 8192 | 2.9000 | 18.17 | -0.1000 | [-0.1200, -0.0800] |" in text
    assert span((math.nan, math.nan)) == "-"


class TestCommand:
    def arguments(self, tmp_path, tiny_folder, *more: str) -> argparse.Namespace:
        folder = tmp_path / "books"
        folder.mkdir()
        for number in range(3):
            words = [f"{('Pip', 'Ahab', 'Stubb')[(n * (number + 1)) % 3]} saw {n}" for n in range(30)]
            (folder / f"{number}.txt").write_text(". ".join(words))
        parser = argparse.ArgumentParser()
        perplexity.add_arguments(parser)
        words = f"--books {folder} --out {tmp_path / 'out'} --model {tiny_folder} --dense 64 --sizes 32,0 "
        made = parser.parse_args([*words.split(), *more])
        made.parse_file = lambda file: argparse.Namespace(text=file.read_text())
        return made

    @pytest.mark.parametrize("protocol", perplexity.PROTOCOLS)
    def test_writes_the_report(self, tmp_path, tiny_folder, monkeypatch, protocol):
        monkeypatch.setattr(perplexity, "PAGE", 32)
        monkeypatch.setattr(perplexity, "windows", lambda page, way: windows(page, way, 32))
        backbone = load_backbone(Paths(tmp_path), str(tiny_folder))
        save_sidenet(trained(backbone), backbone, tmp_path / "sidenet", torch.float32)
        control = trained(backbone)
        save_sidenet(control, backbone, tmp_path / "control", torch.float32)
        options = ["--sidenet", str(tmp_path / "sidenet"), "--control", str(tmp_path / "control")]
        arguments = self.arguments(tmp_path, tiny_folder, *options, "--pages", "2", "--protocol", protocol)
        assert perplexity.run(arguments) == 0
        made = json.loads((tmp_path / "out" / "perplexity.json").read_text())
        rows = {row["name"]: row for row in made["rows"] if row["split"] == "all"}
        assert rows["SideNet, memory off"]["against_off"] == 0
        assert len({row["tokens"] for row in rows.values()}) == 1
        same = "control: SideNet trained without memory"
        assert rows[same]["loss"] == pytest.approx(rows["SideNet, memory off"]["loss"], abs=1e-5)
        assert rows["backbone, window alone"]["loss"] != pytest.approx(rows[same]["loss"], abs=1e-4)
        assert rows["SideNet, memory whole past"]["loss"] != pytest.approx(rows[same]["loss"], abs=1e-5)
        assert (tmp_path / "out" / "perplexity.png").read_bytes()[:4] == b"\x89PNG"

    def test_too_short(self, tmp_path, tiny_folder):
        with pytest.raises(BadInput, match="two pages"):
            perplexity.run(self.arguments(tmp_path, tiny_folder))

    def test_sizes_have_to_be_numbers(self):
        with pytest.raises(BadInput, match="list of numbers"):
            perplexity._numbers("8k")

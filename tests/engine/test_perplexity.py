"""Perplexity evaluation: protocols score the same tokens, memory ends before the window, intervals hold."""

import argparse
import json
import math

import pytest
import torch

from engine.arguments import lengths, numbers, sizes
from engine.backbone.backbone import Backbone
from engine.backbone.load import load_backbone
from engine.evaluation import perplexity, readings
from engine.evaluation.bootstrap import Total, interval, mean_loss
from engine.evaluation.kept import Kept
from engine.evaluation.pages import choose_books, chosen_pages, spaced, split_of
from engine.evaluation.perplexity_report import Scored, markdown, span, table
from engine.evaluation.readings import (
    Compared,
    Reading,
    dense_context,
    memtrm_reading,
    sidenet_reading,
    windows,
)
from engine.evaluation.textbank import TextBank
from engine.paths import Paths
from engine.sidenet.checkpoint import save_sidenet, with_values
from engine.sidenet.config import SideNetConfig
from engine.sidenet.sidenet import SideNet
from engine.training.activations import Wanted, freeze
from engine.training.memtrm import MemTRM, memtrm_config, save_memtrm
from ingest.errors import BadInput
from tests.engine.commands import parsed, plain

BLOCK = 3  # the source of side layer 1


def trained(backbone: Backbone, **settings) -> SideNet:
    """A SideNet that reads memory: its scales are not zero."""
    torch.manual_seed(0)
    sidenet = SideNet(SideNetConfig.for_backbone(backbone, memory_layers=(1,), top_k=2, **settings), backbone)
    with torch.no_grad():
        sidenet.layers[1].attention_scale.fill_(0.5)
        sidenet.layers[1].memory.gate.fill_(1.0)
    return sidenet.eval()


def pointwise(backbone: Backbone) -> SideNet:
    """A SideNet whose memory gives the tokens that followed, and nothing else."""
    torch.manual_seed(0)
    config = SideNetConfig.for_backbone(
        backbone, memory_layers=(1,), memory_values="following", memory_block=BLOCK, top_k=2
    )
    sidenet = SideNet(config, backbone)
    with torch.no_grad():
        sidenet.layers[1].memory.gate.fill_(0.5)
    return sidenet.eval()


def both(backbone: Backbone) -> SideNet:
    """A SideNet with a layer of values below one that votes; memory of each kind gives something."""
    sidenet = with_values(pointwise(backbone), (0,), backbone)
    with torch.no_grad():
        sidenet.layers[0].memory.gate.fill_(1.0)
    return sidenet.eval()


def memtrm(backbone: Backbone) -> MemTRM:
    torch.manual_seed(0)
    return MemTRM(memtrm_config(backbone, BLOCK, gate_start=0.0, top_k=2), backbone).eval()


def bank(backbone: Backbone, sidenet: SideNet, ids: torch.Tensor) -> TextBank:
    wanted = Wanted.of(sidenet.config, ())
    return TextBank.of(sidenet.config, [freeze(backbone, part, wanted) for part in ids.split(16)])


@pytest.fixture
def small_pages(monkeypatch):
    """Pages of 16 tokens instead of 1,024."""
    monkeypatch.setattr(readings, "PAGE", 16)
    monkeypatch.setattr(perplexity, "PAGE", 16)


def reading(backbone: Backbone, ids: torch.Tensor, sidenet, **options) -> Reading:
    """A text of 16-token pages, all but the last in its bank."""
    wanted = Wanted((BLOCK,), (*sidenet.config.memory_blocks,))
    parts = [freeze(backbone, part, wanted) for part in ids.split(16)[:-1]]
    return Reading(backbone, ids, parts, tuple(range(backbone.blocks + 1)), **options)


@pytest.mark.parametrize("protocol", readings.PROTOCOLS)
@pytest.mark.parametrize("every", [1, 3])
def test_every_protocol_scores_the_same_targets(protocol, every):
    parts = windows(3, protocol, 8, every)
    assert [target for window in parts for target in window.targets] == list(range(25, 32, every))
    assert all(window.end - window.start == 8 for window in parts)


def test_sliding_leaves_half_a_page_of_context():
    assert all(window.targets[0] - window.start >= 512 for window in windows(5, "sliding"))


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

    def test_reads_what_a_bank_on_disk_gives(self, backbone, tmp_path):
        from engine.bank.bank import MemoryBank
        from engine.filling import bank_layout, encode_text
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


@pytest.mark.usefixtures("small_pages")
class TestReadings:
    """Every row that reads a memory, on pages of 16 tokens."""

    ROWS = {
        "SideNet": lambda backbone, size: sidenet_reading(trained(backbone), size),
        "SideNet, one position alone": lambda backbone, size: sidenet_reading(pointwise(backbone), size),
        "MemTRM": lambda backbone, size: memtrm_reading(memtrm(backbone), size),
    }

    @pytest.mark.parametrize("name", ROWS)
    @pytest.mark.parametrize("protocol", readings.PROTOCOLS)
    def test_memory_is_the_past_alone(self, backbone, name, protocol):
        ids = torch.randint(3, 200, (64,))
        later = torch.cat((ids[:48], torch.randint(3, 200, (16,))))
        earlier = torch.cat((torch.randint(3, 200, (16,)), ids[16:]))
        row = self.ROWS[name](backbone, 0)
        losses = [
            row(reading(backbone, text, trained(backbone), protocol=protocol), 2)
            for text in (ids, later, earlier)
        ]
        assert losses[0] == pytest.approx(losses[1], abs=1e-4)
        assert abs(losses[0] - losses[2]) > 1e-3

    @pytest.mark.parametrize("name", ROWS)
    def test_off_is_not_on(self, backbone, name):
        book = reading(backbone, torch.randint(3, 200, (64,)), trained(backbone))
        on, off = (self.ROWS[name](backbone, size)(book, 2) for size in (0, None))
        assert abs(on - off) > 1e-3

    def test_positions_alone_give_what_whole_windows_give(self, backbone):
        sidenet = pointwise(backbone)
        book = reading(backbone, torch.randint(3, 200, (64,)), sidenet)
        assert sidenet.pointwise
        few = sidenet_reading(sidenet, 0)(book, 2)
        sidenet.layers[1].attends = True  # multiplied by zero
        assert sidenet_reading(sidenet, 0)(book, 2) == pytest.approx(few, abs=1e-3)

    def test_votes_and_values_stand_beside_each_other(self, backbone):
        """Each alone is the whole with the other closed, by its gate or by what its null slot takes."""
        sidenet = both(backbone)
        book = reading(backbone, torch.randint(3, 200, (64,)), sidenet)
        rows = {row.name: row.loss(book, 2) for row in Compared(sidenet, sizes=(0,)).rows()}
        names = ("memory off", "votes alone, whole past", "values alone, whole past", "memory whole past")
        off, votes, values, whole = (rows[f"SideNet, {name}"] for name in names)
        assert len({round(loss, 4) for loss in (off, votes, values, whole)}) == 4
        with torch.no_grad():
            sidenet.layers[0].memory.gate.fill_(-60.0)
        assert sidenet_reading(sidenet, 0)(book, 2) == pytest.approx(votes, abs=1e-3)
        assert not any("alone, whole" in row.name for row in Compared(pointwise(backbone)).rows())

    def test_dense_context_of_everything(self, backbone):
        ids = torch.randint(3, 200, (64,))
        book = reading(backbone, ids, trained(backbone))
        logits = backbone.model(ids[None, :48]).logits[0]
        expected = torch.nn.functional.cross_entropy(logits[32:47], ids[33:48], reduction="sum").item()
        assert dense_context(64)(book, 2) == pytest.approx(expected, rel=1e-4)

    def test_other_chunks_read_the_same_tokens(self, backbone):
        """With every chunk chosen, the size of chunks cannot matter."""
        sidenet = trained(backbone)
        book = reading(backbone, torch.randint(3, 200, (64,)), sidenet, protocol="block")
        losses = [sidenet_reading(sidenet, 0, 32 // chunk, chunk)(book, 2) for chunk in (2, 4, 8)]
        assert losses[0] == pytest.approx(losses[1], rel=1e-4) == pytest.approx(losses[2], rel=1e-4)


def test_kept_numbers_are_made_once(tmp_path):
    made = []
    for _ in range(2):
        kept = Kept(tmp_path, "losses")
        assert kept.get("a", lambda: made.append("a") or 1.5) == 1.5
    assert made == ["a"]
    assert Kept(None, "losses").get("a", lambda: 2) == 2


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
    rows = [(readings.ALONE, readings.ALONE), ("dense", readings.ALONE), ("off", "off"), ("on", "off")]
    books = [
        Scored("10-100k", 10, [[30.0, 32.0], [None, 31.0], [30.0, 32.0], [29.0, 31.0]]),
        Scored("10-100k", 10, [[34.0, 36.0], [None, 34.0], [34.0, 36.0], [33.0, 35.0]]),
    ]
    made = {row.name: row for row in table(rows, books) if row.split == "all"}
    assert made["on"].loss == pytest.approx(3.2)
    assert made["on"].alone == pytest.approx(-0.1)
    assert made["on"].alone_interval == pytest.approx((-0.1, -0.1))
    assert made["on"].total == pytest.approx(math.exp(3.2) - math.exp(3.3))
    assert made["on"].tokens == 40
    # A row scored on fewer pages is compared on those.
    assert made["dense"].tokens == 20
    assert made["dense"].alone == pytest.approx((31 + 34 - 32 - 36) / 20)
    text = markdown(list(made.values()))
    assert "| on | 40 | 3.2000 | 24.53 | -2.58 |" in text
    assert "| -0.1000 | [-0.1000, -0.1000] |" in text
    assert span((math.nan, math.nan)) == "-"


def test_goals_set_memory_beside_dense_context_on_the_same_pages():
    rows = [(readings.ALONE, readings.ALONE), ("backbone, dense 8192", readings.ALONE)]
    memories = ("SideNet, memory 8192", "SideNet, memory whole past")
    rows += [(name, readings.OFF) for name in (readings.OFF, *memories)]
    losses = [[34.0, 34.0], [None, 33.0], [34.0, 34.0], [33.9, 33.2], [33.8, 33.0]]
    made = table(rows, [Scored("10-100k", 10, losses), Scored("10-100k", 10, losses)])
    whole = next(row for row in made if row.name == "SideNet, memory whole past")
    assert whole.alone == pytest.approx(-0.06) and whole.alone_where_dense == pytest.approx(-0.1)
    text = markdown(made).split("Goals")[1]
    assert "memory alone: smallest | largest | largest, on the pages of dense | dense |" in text
    assert "| -0.0600 | -0.1000 | -0.1000 | - | - |" in text
    without = table(rows[:1] + rows[2:], [Scored("10-100k", 10, losses[:1] + losses[2:])])
    assert all(math.isnan(row.alone_where_dense) for row in without)


class TestCommand:
    def arguments(self, tmp_path, tiny_folder, *more: str) -> argparse.Namespace:
        folder = tmp_path / "books"
        folder.mkdir()
        for number in range(3):
            words = [f"{('Pip', 'Ahab', 'Stubb')[(n * (number + 1)) % 3]} saw {n}" for n in range(30)]
            (folder / f"{number}.txt").write_text(". ".join(words))
        words = f"--books {folder} --out {tmp_path / 'out'} --model {tiny_folder} --dense 64 --sizes 32,0 "
        return parsed(perplexity, *words.split(), *more, parse_file=plain)

    @pytest.mark.parametrize("protocol", readings.PROTOCOLS)
    def test_writes_the_report(self, tmp_path, tiny_folder, monkeypatch, protocol):
        monkeypatch.setattr(perplexity, "PAGE", 32)
        monkeypatch.setattr(readings, "PAGE", 32)
        backbone = load_backbone(Paths(tmp_path), str(tiny_folder))
        save_sidenet(trained(backbone), backbone, tmp_path / "sidenet", torch.float32)
        control = trained(backbone)
        save_sidenet(control, backbone, tmp_path / "control", torch.float32)
        save_memtrm(memtrm(backbone), backbone, tmp_path / "memtrm")
        options = ["--sidenet", str(tmp_path / "sidenet"), "--control", str(tmp_path / "control")]
        options += ["--memtrm", str(tmp_path / "memtrm"), "--cache", str(tmp_path / "cache")]
        options += ["--chunk-sizes", "2,8", "--top-ks", "1,2", "--dense-pages", "1", "--every", "2"]
        arguments = self.arguments(tmp_path, tiny_folder, *options, "--pages", "2", "--protocol", protocol)
        assert perplexity.run(arguments) == 0
        made = json.loads((tmp_path / "out" / "perplexity.json").read_text())
        rows = {row["name"]: row for row in made["rows"] if row["split"] == "all"}
        assert rows["SideNet, memory off"]["alone"] == 0
        dense = rows.pop("backbone, dense 64")
        assert {2 * dense["tokens"]} == {row["tokens"] for row in rows.values()}
        assert rows["MemTRM, memory whole past"]["alone"] != 0
        assert rows["SideNet, whole past, top 2 chunks of 4"]["loss"] == pytest.approx(
            rows["SideNet, memory whole past"]["loss"], abs=1e-4
        )
        same = "control: SideNet trained without memory"
        assert rows[same]["loss"] == pytest.approx(rows["SideNet, memory off"]["loss"], abs=1e-5)
        assert rows["backbone, window alone"]["loss"] != pytest.approx(rows[same]["loss"], abs=1e-4)
        assert rows["SideNet, memory whole past"]["loss"] != pytest.approx(rows[same]["loss"], abs=1e-5)
        assert "Goals" in (tmp_path / "out" / "perplexity.md").read_text()
        assert (tmp_path / "out" / "perplexity.png").read_bytes()[:4] == b"\x89PNG"
        # Again from the cache: the frozen rows are not computed, and nothing differs.
        monkeypatch.setattr(readings, "backbone_alone", None)
        monkeypatch.setattr("engine.training.activations.freeze", None)
        assert perplexity.run(arguments) == 0
        again = json.loads((tmp_path / "out" / "perplexity.json").read_text())
        for old, new in zip(made["rows"], again["rows"], strict=True):
            assert new["loss"] == pytest.approx(old["loss"], abs=2e-3)

    def test_too_short(self, tmp_path, tiny_folder):
        with pytest.raises(BadInput, match="two pages"):
            perplexity.run(self.arguments(tmp_path, tiny_folder, "--dense", "1024"))

    def test_sizes_have_to_be_numbers(self):
        with pytest.raises(argparse.ArgumentTypeError, match="list of numbers"):
            numbers("8k")
        assert numbers("4,20,0") == (4, 20, 0) and numbers("") == ()
        for read, words in ((numbers, "-1"), (sizes, "4,0"), (lengths, "")):
            with pytest.raises(argparse.ArgumentTypeError, match="list of numbers"):
                read(words)

    def test_sizes_of_memory_are_compared_from_small_to_all(self, tmp_path, tiny_folder):
        backbone = load_backbone(Paths(tmp_path), str(tiny_folder))
        more = ["--dense", "", "--sizes", "0,8192,16384"]
        found = perplexity.what_to_compare(self.arguments(tmp_path, tiny_folder, *more), backbone)
        assert found.sizes == (8192, 16384, 0)

    def test_a_dense_context_holds_a_page(self, tmp_path, tiny_folder):
        backbone = load_backbone(Paths(tmp_path), str(tiny_folder))
        arguments = self.arguments(tmp_path, tiny_folder, "--dense", "2048,512")
        with pytest.raises(BadInput, match="hold a page of 1024 tokens"):
            perplexity.what_to_compare(arguments, backbone)
        arguments.dense, arguments.max_tokens = (1024,), 512
        with pytest.raises(BadInput, match="--max-tokens 512"):
            perplexity.what_to_compare(arguments, backbone)
        arguments.max_tokens = 0
        assert perplexity.what_to_compare(arguments, backbone).dense == (1024,)

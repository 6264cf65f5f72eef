"""The book's own words: only what may be read is counted, and alike in a ring, a bank and an evaluation."""

import argparse
import copy
import math

import pytest
import torch

from engine.backbone.backbone import Backbone
from engine.bank.bank import MemoryBank
from engine.evaluation.readings import Compared, Reading
from engine.evaluation.textbank import Batched, TextBank
from engine.filling import bank_layout, encode_text
from engine.reader import Reader, WindowState
from engine.retrieval.memory import Memory, SearchableBank, Stretch
from engine.sidenet.checkpoint import load_sidenet, save_sidenet
from engine.sidenet.config import SideNetConfig
from engine.sidenet.lexicon import Lexicon, counted
from engine.sidenet.sidenet import SideNet
from engine.training.activations import Wanted, freeze
from engine.training.lexicon import Page, fit, run, usual, with_lexicon
from engine.training.ring import Ring
from engine.training.rowreaders import together
from ingest.errors import BadInput
from tests.engine.families import tiny_model

TEXT = "".join(f"Sentence {n} tells of item {n * 7 % 23}. " for n in range(60))


@pytest.fixture(scope="module")
def backbone(tiny_tokenizer) -> Backbone:
    return Backbone(tiny_model("llama"), tiny_tokenizer, "llama")


@pytest.fixture(scope="module")
def sidenet(backbone) -> SideNet:
    """A SideNet that votes for what followed, and tells the book's own words."""
    torch.manual_seed(0)
    settings = {"memory_layers": (2,), "memory_block": 1, "memory_values": "following"}
    made = SideNet(SideNetConfig.for_backbone(backbone, **settings), backbone)
    shares = usual(torch.randint(0, 50, (len(backbone.head_weight),)).float())
    made = with_lexicon(made, shares, backbone)
    made.lexicon.share.data.fill_(0.5)
    made.lexicon.trust.fill_(40.0)
    return made


def told(sidenet: SideNet, tokens: torch.Tensor) -> list[float]:
    """What the definition says of each token, written out."""
    lexicon, n = sidenet.lexicon, len(tokens)
    shares, trust = lexicon.usual.exp().tolist(), lexicon.trust.item()
    counts = [int((tokens == token).sum()) for token in range(len(shares))]
    return [
        0.5 * math.log((count + trust * share) / ((n + trust) * share))
        for count, share in zip(counts, shares, strict=True)
    ]


def test_it_adds_what_its_definition_says(sidenet):
    tokens = torch.tensor([30, 31, 30, 30, 32])
    added = sidenet.lexicon(counted(tokens, len(sidenet.lexicon.usual))[None])[0]
    assert added.tolist() == pytest.approx(told(sidenet, tokens), abs=1e-4)
    assert int(added.argmax()) in (30, 31, 32)


@pytest.mark.parametrize("case", ["nothing to read", "no share"])
def test_it_adds_nothing(case):
    lexicon = Lexicon(10)
    lexicon.usual.copy_(usual(torch.arange(10.0)))
    counts = torch.zeros(1, 10) if case == "nothing to read" else torch.arange(10.0)[None]
    lexicon.share.data.fill_(0.5 if case == "nothing to read" else 0.0)
    torch.testing.assert_close(lexicon(counts), torch.zeros(1, 10), atol=1e-6, rtol=0)


class TestReading:
    @pytest.fixture
    def source(self, backbone, sidenet, tmp_path) -> SearchableBank:
        encode_text(TEXT, tmp_path, backbone, bank_layout(sidenet.config))
        return SearchableBank(MemoryBank.open(tmp_path), sidenet, "book")

    def test_only_what_may_be_read_is_counted(self, sidenet, source):
        ids = torch.from_numpy(source.bank.token_ids.astype("int64"))
        memory = Memory([Stretch(source, 2, 5)], sidenet)
        assert torch.equal(memory.counts(300)[0], counted(ids[8:20], 300))
        memory.take(Stretch(source, 7, 8))
        assert torch.equal(memory.counts(300)[0], counted(torch.cat((ids[8:20], ids[28:32])), 300))
        assert not Memory([], sidenet).counts(300).any()
        assert Memory([Stretch.whole(source)], sidenet, goes_on=False).counts(300) is None  # a talk

    def test_a_token_is_chosen_with_them(self, backbone, sidenet, source):
        memory, ids = Memory([Stretch.whole(source)], sidenet), [30, 31, 32]
        with torch.inference_mode():
            beside, alone = (WindowState(Reader(backbone, sidenet), ids, one) for one in (memory, None))
            plain = backbone.head(beside.output.normed[0, -1])
        tokens = torch.from_numpy(source.bank.token_ids.astype("int64"))
        expected = plain + torch.tensor(told(sidenet, tokens))
        torch.testing.assert_close(beside.logits(), expected, atol=1e-3, rtol=1e-3)
        assert alone.output.words is None

    def test_a_ring_counts_as_a_bank_does(self, backbone, sidenet, source):
        ids = torch.from_numpy(source.bank.token_ids[:32].astype("int64"))
        frozen = freeze(backbone, ids, Wanted((), sidenet.config.memory_blocks))
        ring = Ring(sidenet.config, 2, 32)
        ring.append(0, frozen.ids, frozen.keys, frozen.values)
        ringed = ring.reader(0).counts(300)
        banked = Memory([Stretch(source, 0, 8)], sidenet).counts(300)
        assert (banked - ringed).sum() == 1  # the first token of all follows none
        rows = together([ring.reader(0), None, ring.reader(1)]).counts(300)
        assert torch.equal(rows, torch.cat((ringed, torch.zeros(2, 300))))

    def test_evaluation_tells_them_alone_and_beside(self, backbone, sidenet):
        ids = torch.randint(20, 60, (3072,))
        parts = [freeze(backbone, one, Wanted((), sidenet.config.memory_blocks)) for one in ids.view(3, -1)]
        reading = Reading(backbone, ids, parts[:2], Compared(sidenet).states(), "block", 64)
        rows = {row.name: row.loss(reading, 2) for row in Compared(sidenet, sizes=(0,)).rows()}
        off, whole = rows["SideNet, memory off"], rows["SideNet, memory whole past"]
        alone = rows["SideNet, words alone, whole past"]
        assert alone < off
        assert whole == pytest.approx(alone, abs=1e-3)  # its votes are closed
        bank = TextBank.of(sidenet.config, parts[:2])
        assert torch.equal(Batched(bank.reader(2048)).counts(300), bank.reader(2048).counts(300))


def test_a_checkpoint_keeps_them(backbone, sidenet, tmp_path):
    save_sidenet(sidenet, backbone, tmp_path)
    again = load_sidenet(tmp_path, backbone)
    assert again.lexicon.share == 0.5
    torch.testing.assert_close(again.lexicon.usual, sidenet.lexicon.usual, atol=0.03, rtol=0.01)  # bfloat16


def test_what_is_fitted_is_what_loses_least(sidenet):
    fitted = argparse.Namespace(lexicon=copy.deepcopy(sidenet.lexicon))
    vocabulary = len(fitted.lexicon.usual)
    counts = counted(torch.tensor([30] * 50 + [31] * 50), vocabulary)[None]
    own = Page(torch.zeros(4, vocabulary), torch.tensor([30, 31, 30, 31]), counts)
    other = Page(torch.zeros(4, vocabulary), torch.tensor([40, 41, 42, 43]), counts)
    for pages, best in (([own], 0.4), ([other], 0.0)):
        losses = fit(fitted, pages)
        assert fitted.lexicon.share.item() == pytest.approx(best)
        assert losses.shape == (8, 5)


def command(tmp_path, tiny_folder, words: str) -> argparse.Namespace:
    for name in ("books", "held"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.txt").write_text(words)
    return argparse.Namespace(
        books=tmp_path / "books", held_out=tmp_path / "held", start=tmp_path / "start", out=tmp_path / "out",
        model=str(tiny_folder), limit=4, parse_file=lambda file: argparse.Namespace(text=file.read_text()),
    )  # fmt: skip


@pytest.mark.parametrize("long", [True, False])
def test_the_command_adds_them_to_a_checkpoint(tmp_path, tiny_folder, monkeypatch, capsys, long):
    from engine.backbone.load import load_backbone
    from engine.paths import Paths

    monkeypatch.setenv("LONGMEM_HOME", str(tmp_path / "home"))
    backbone = load_backbone(Paths.default(), str(tiny_folder))
    plain = SideNet(SideNetConfig.for_backbone(backbone, memory_layers=(1,)), backbone)
    save_sidenet(plain, backbone, tmp_path / "start")
    arguments = command(tmp_path, tiny_folder, "the mill by the sea. " * (6000 if long else 3))
    if not long:
        with pytest.raises(BadInput, match="name longer ones"):
            run(arguments)
        return
    assert run(arguments) == 0
    assert "nats" in capsys.readouterr().out
    made = load_sidenet(tmp_path / "out", backbone)
    assert made.config.lexicon
    assert made.lexicon.share > 0

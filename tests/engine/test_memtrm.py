"""MemTRM: starts as the backbone, writes its bank with its own weights, trains by the same loop."""

import dataclasses

import pytest
import torch

from engine.backbone.backbone import Backbone
from engine.evaluation.icl_memtrm import demonstration_bank
from engine.sidenet.sidenet import SideCache
from engine.training.activations import TextBooks, Wanted, freeze
from engine.training.learners import MemTRMLearner, learner_for
from engine.training.memtrm import MemTRM, load_memtrm, memtrm_config, save_memtrm
from engine.training.ring import Ring
from engine.training.rows import Rows
from engine.training.settings import TrainingSettings
from engine.training.trainer import Trainer
from ingest.errors import BadInput
from tests.engine.families import TINY_FAMILIES, tiny_model

BLOCK = 2
TINY = TrainingSettings(
    method="memtrm", steps=8, rows=2, segment=32, capacity=64, warmup=2, rate=2e-3, loss_share=0.5
)


def make(backbone: Backbone, **settings) -> MemTRM:
    return MemTRM(memtrm_config(backbone, BLOCK, **settings), backbone)


def trainer(backbone: Backbone, settings: TrainingSettings = TINY) -> Trainer:
    model = make(backbone)
    texts = {f"{n}": lambda n=n: f"Pip saw Ahab {n} times. " * 12 for n in range(3)}
    wanted = MemTRMLearner(model).wanted(settings)
    source = TextBooks(backbone, texts, wanted, segment=settings.segment, limit=4)
    return Trainer(model, backbone, Rows(source, settings.rows, 1), settings)


@pytest.mark.parametrize("family", TINY_FAMILIES)
def test_is_the_backbone_while_its_gate_is_closed(family, tiny_tokenizer):
    backbone = Backbone(tiny_model(family), tiny_tokenizer, family)
    model = make(backbone, gate_start=-30.0).eval()
    ids = torch.randint(3, 200, (1, 24))
    encoded = backbone.encode(ids, hidden=(BLOCK, backbone.blocks), memory_blocks=(BLOCK,))
    with torch.no_grad():
        ours = backbone.head(model(encoded.hidden).normed)
        keys, values = model.store(encoded.hidden[BLOCK][0])
    torch.testing.assert_close(ours, backbone.logits(encoded.hidden[backbone.blocks]), atol=2e-4, rtol=1e-4)
    torch.testing.assert_close(keys[BLOCK], encoded.keys[BLOCK][0], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(values[BLOCK], encoded.values[BLOCK][0], atol=1e-5, rtol=1e-5)


def test_reads_on_from_a_cache_as_if_it_read_the_whole(backbone):
    model = make(backbone, gate_start=0.0).eval()
    hidden = torch.randn(2, 12, backbone.width)
    cache = SideCache()
    with torch.no_grad():
        whole = model({BLOCK: hidden}).normed
        parts = [model({BLOCK: part}, None, cache).normed for part in hidden.split((7, 5), dim=1)]
    torch.testing.assert_close(torch.cat(parts, dim=1), whole, atol=1e-5, rtol=1e-5)
    assert cache.position == 12


def test_a_demonstration_in_its_bank_depends_on_no_other(backbone):
    model = make(backbone).eval()
    short, long = [5, 6, 7], [9, 8, 7, 6, 5, 4, 3]
    both, alone = (demonstration_bank(model, backbone, part) for part in ([long, short], [short]))
    assert both.tokens == 4 + 8 and alone.tokens == 4
    assert both.ids.tolist() == [5, 6, 7, 7, *long, 3]
    torch.testing.assert_close(both.keys[BLOCK][:, :4], alone.keys[BLOCK], atol=1e-3, rtol=1e-3)


def test_reads_the_bank_and_its_gate_decides(backbone):
    model = make(backbone, gate_start=0.0).eval()
    frozen = freeze(backbone, torch.randint(3, 200, (32,)), Wanted((BLOCK,), ()))
    ring = Ring(model.config, 1, 32)
    ring.append(0, frozen.ids, *model.store(frozen.hidden[BLOCK]))
    hidden = {BLOCK: frozen.hidden[BLOCK][None]}
    with torch.no_grad():
        on, off = model(hidden, ring.reader(0, "sparse")), model(hidden)
        assert (on.normed - off.normed).abs().max() > 1e-2
        assert on.traces[0].chunks.shape == (1, 32, backbone.heads, 8)
        model.layers[0].memory.gate.fill_(-30.0)
        torch.testing.assert_close(model(hidden, ring.reader(0)).normed, model(hidden).normed)


def test_trains_only_its_own_copy_and_its_bank_goes_stale(backbone):
    before = {name: tensor.clone() for name, tensor in backbone.model.state_dict().items()}
    run = trainer(backbone)
    frozen = run.rows.source.segment(0, 0)
    first = run.learner.store(frozen)[0][BLOCK].clone()
    losses = [run.step().loss for _ in range(8)]
    assert losses[-1] < losses[0] - 0.3
    assert not torch.equal(run.learner.store(frozen)[0][BLOCK], first)
    for name, tensor in backbone.model.state_dict().items():
        assert torch.equal(tensor, before[name])


def test_control_keeps_its_memory_parts(backbone):
    run = trainer(backbone, dataclasses.replace(TINY, capacity=0))
    gate = run.model.layers[0].memory.gate.clone()
    assert run.step().memory_tokens == 0
    assert torch.equal(run.model.layers[0].memory.gate, gate)


def test_checkpoint_holds_what_moved(backbone, tmp_path):
    run = trainer(backbone)
    for _ in range(3):
        run.step()
    run.learner.save(backbone, tmp_path)
    again = load_memtrm(tmp_path, backbone)
    assert again.config == run.model.config
    assert learner_for(again).wanted(TINY) == Wanted((BLOCK,), ())
    for name, tensor in run.model.state_dict().items():
        torch.testing.assert_close(again.state_dict()[name], tensor, atol=2e-4, rtol=0)


def test_refuses_what_is_no_checkpoint(backbone, tiny_tokenizer, tmp_path):
    with pytest.raises(BadInput, match="no MemTRM"):
        load_memtrm(tmp_path, backbone)
    save_memtrm(make(backbone), backbone, tmp_path)
    other = Backbone(tiny_model("qwen2"), tiny_tokenizer, "other")
    with pytest.raises(BadInput, match="fingerprint"):
        load_memtrm(tmp_path, other)

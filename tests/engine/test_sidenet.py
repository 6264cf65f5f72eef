"""The SideNet starts as the backbone, serves empty and full banks by one path, and knows its own backbone."""

import dataclasses

import pytest
import torch

from engine.backbone.backbone import Backbone
from engine.sidenet.attention import MemoryAttention, Retrieved
from engine.sidenet.checkpoint import WEIGHTS_FILE, load_sidenet, save_sidenet, sidenet_for, with_values
from engine.sidenet.config import SideNetConfig
from engine.sidenet.sidenet import SideCache, SideNet
from ingest.errors import BadInput
from tests.engine.families import TINY_FAMILIES, tiny_model

CLOSE = {"atol": 1e-4, "rtol": 0}
MEMORY_LAYERS = (1, 2)
# Values alone; values that are carried; a layer of carried values below one that votes.
FORMS = [
    {},
    {"branch_scale": "carried"},
    {"branch_scale": "carried", "memory_values": "following", "value_layers": (1,)},
]


@pytest.fixture(params=TINY_FAMILIES)
def backbone(request, tiny_tokenizer) -> Backbone:
    return Backbone(tiny_model(request.param), tiny_tokenizer, request.param)


@pytest.fixture
def llama(tiny_tokenizer) -> Backbone:
    return Backbone(tiny_model("llama"), tiny_tokenizer, "llama")


def make(backbone: Backbone, **settings) -> SideNet:
    return SideNet(SideNetConfig.for_backbone(backbone, memory_layers=MEMORY_LAYERS, **settings), backbone)


def stir(sidenet: SideNet) -> SideNet:
    """A stand-in for training: scales, gates and null slots away from their start."""
    torch.manual_seed(2)
    with torch.no_grad():
        for name, parameter in sidenet.named_parameters():
            if "scale" in name or "memory" in name or "search" in name:
                parameter.copy_(0.3 * torch.randn_like(parameter))
    return sidenet


class FixedMemory:
    """The same random tokens for every query, shared by all times or one set per time."""

    def __init__(self, backbone: Backbone, slots: int, times: int = 1) -> None:
        torch.manual_seed(3)
        shape = (1, times, backbone.kv_heads, slots, backbone.head_dim)
        self.keys, self.values = torch.randn(shape), torch.randn(shape)
        self.mask = torch.ones(1, times, 1, slots, dtype=torch.bool)
        self.following = torch.randint(3, 259, self.mask.shape)

    def read(self, layer, query, search, chunks=None):
        return Retrieved(self.keys, self.values, self.mask, following=self.following)


def normed(sidenet: SideNet, backbone: Backbone, ids: torch.Tensor, memory=None) -> torch.Tensor:
    with torch.no_grad():
        return sidenet(backbone.encode(ids).hidden, memory).normed


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("scale", ["learned", "carried"])
def test_an_untrained_sidenet_is_the_backbone(backbone, training, scale):
    ids = torch.randint(3, 259, (2, 33))
    sidenet = make(backbone, search="pooled", search_block=2, branch_scale=scale).train(training)
    with torch.no_grad():
        theirs = backbone.model(input_ids=ids).logits
    # Carried values are read from the first step on; without a bank they change nothing.
    full = FixedMemory(backbone, 12) if scale == "learned" else FixedMemory(backbone, 0)
    for memory in (None, full):
        ours = backbone.head(normed(sidenet, backbone, ids, memory))
        torch.testing.assert_close(ours, theirs, **CLOSE)


def test_inert_branches_are_left_out_only_when_answering(llama):
    sidenet = make(llama)
    assert sidenet.eval().states == (5,)
    assert sidenet.train().states == (0, 2, 4, 5)
    stir(sidenet).eval()
    assert sidenet.states == (0, 2, 4, 5)


@pytest.mark.parametrize("settings", FORMS)
def test_training_and_answering_compute_the_same(backbone, settings):
    ids = torch.randint(3, 259, (1, 20))
    sidenet = stir(make(backbone, **settings))
    memory = FixedMemory(backbone, 8)
    trained = normed(sidenet.train(), backbone, ids, memory)
    torch.testing.assert_close(normed(sidenet.eval(), backbone, ids, memory), trained, **CLOSE)


@pytest.mark.parametrize("settings", FORMS)
def test_the_cache_gives_what_one_pass_gives(backbone, settings):
    ids = torch.randint(3, 259, (1, 19))
    sidenet = stir(make(backbone, **settings)).eval()
    memory = FixedMemory(backbone, 8)
    whole = normed(sidenet, backbone, ids, memory)
    cache, kept = SideCache(), backbone.new_cache()
    pieces = []
    with torch.no_grad():
        for start, end in ((0, 11), (11, 12), (12, 19)):
            hidden = backbone.encode(ids[:, start:end], cache=kept).hidden
            pieces.append(sidenet(hidden, memory, cache).normed)
    torch.testing.assert_close(torch.cat(pieces, dim=1), whole, **CLOSE)


def test_votes_stay_what_they_were_beside_values(llama, tmp_path):
    votes = stir(make(llama, memory_values="following")).eval()
    for layer in votes.layers:
        torch.nn.init.zeros_(layer.attention_scale)
        torch.nn.init.zeros_(layer.mlp_scale)
    votes.eval()
    both = with_values(votes, (0,), llama).eval()
    assert both.config.value_layers == (0,) and both.config.memory_layers == (0, 1, 2)
    ids, memory = torch.randint(3, 259, (1, 12)), FixedMemory(llama, 8)
    with torch.no_grad():
        both.layers[0].memory.gate.fill_(-50.0)
    torch.testing.assert_close(normed(both, llama, ids, memory), normed(votes, llama, ids, memory), **CLOSE)
    with pytest.raises(BadInput, match="side layer 1 reads memory already"):
        with_values(votes, (1,), llama)
    save_sidenet(both, llama, tmp_path)
    assert load_sidenet(tmp_path, llama).config == both.config


@pytest.mark.parametrize("settings", FORMS)
def test_memory_changes_the_answer_and_an_empty_bank_is_no_memory(llama, settings):
    ids = torch.randint(3, 259, (1, 9))
    sidenet = stir(make(llama, **settings)).eval()
    empty = normed(sidenet, llama, ids, FixedMemory(llama, 0))
    torch.testing.assert_close(empty, normed(sidenet, llama, ids), atol=0, rtol=0)
    full = normed(sidenet, llama, ids, FixedMemory(llama, 8))
    assert (full - empty).abs().max() > 1e-3


def test_dense_and_per_token_memory_agree(llama):
    ids = torch.randint(3, 259, (1, 7))
    sidenet = stir(make(llama)).eval()
    dense, sparse = FixedMemory(llama, 8), FixedMemory(llama, 8)
    sparse.keys, sparse.values = (x.expand(-1, 7, -1, -1, -1) for x in (dense.keys, dense.values))
    torch.testing.assert_close(
        normed(sidenet, llama, ids, dense), normed(sidenet, llama, ids, sparse), **CLOSE
    )


def test_memory_attention_is_the_equation():
    torch.manual_seed(4)
    attention = MemoryAttention(heads=4, kv_heads=2, head_dim=8, null_slot=True, gate_start=0.0)
    with torch.no_grad():
        for parameter in attention.parameters():
            parameter.copy_(torch.randn_like(parameter))
    query, keys, values = torch.randn(1, 3, 4, 8), torch.randn(1, 3, 2, 5, 8), torch.randn(1, 3, 2, 5, 8)
    mask = torch.ones(1, 3, 1, 5, dtype=torch.bool)
    mask[..., 4] = False
    read, mass = attention(query, Retrieved(keys, values, mask))
    for time in range(3):
        for head in range(4):
            q, k, v = query[0, time, head], keys[0, time, head // 2, :4], values[0, time, head // 2, :4]
            null = q @ attention.null_key[head] / 8**0.5 + attention.null_bias[head]
            weights = torch.cat((k @ q / 8**0.5, null[None])).softmax(0)
            expected = weights[:4] @ v + weights[4] * attention.null_value[head]
            torch.testing.assert_close(read[0, time, head], expected, **CLOSE)
            torch.testing.assert_close(mass[0, time, head, [0, 1, 2, 3, 5]], weights, **CLOSE)
            assert mass[0, time, head, 4] == 0


def test_the_gate_mixes_per_head():
    attention = MemoryAttention(heads=2, kv_heads=1, head_dim=4, null_slot=True, gate_start=0.0)
    with torch.no_grad():
        attention.gate.copy_(torch.tensor([-50.0, 50.0]))
    local, memory = torch.ones(1, 1, 2, 4), torch.zeros(1, 1, 2, 4)
    torch.testing.assert_close(attention.combine(local, memory)[0, 0, :, 0], torch.tensor([1.0, 0.0]))


def test_the_papers_variant_is_a_configuration(llama):
    ids = torch.randint(3, 259, (1, 9))
    paper = make(llama, branch_scale="unit", null_slot=False).eval()
    assert not any("scale" in name or "null" in name for name, _ in paper.named_parameters())
    hidden = llama.encode(ids).hidden
    with torch.no_grad():
        x = hidden[0]
        cos_sin = llama.rotary(0, 9)
        for layer in paper.layers:
            low, high = paper.config.boundaries[layer.index], paper.config.boundaries[layer.index + 1]
            x = x + (hidden[high] - hidden[low]) + layer(x, cos_sin, None, None, None)[0]
        torch.testing.assert_close(paper(hidden).normed, paper.norm(x), **CLOSE)
        assert torch.isfinite(x).all()


def test_a_side_layer_starts_as_a_copy_of_the_last_block_of_its_span(llama):
    sidenet = make(llama)
    assert [sidenet.config.source_block(i) for i in range(3)] == [1, 3, 4]
    assert torch.equal(sidenet.layers[1].key.weight, llama.projections(3).key.weight)
    assert sidenet.layers[1].key.weight.data_ptr() != llama.projections(3).key.weight.data_ptr()


def test_gradients_reach_the_sidenet_and_nothing_else(llama):
    ids = torch.randint(3, 259, (1, 9))
    sidenet = stir(make(llama)).train()
    hidden = {j: state.clone() for j, state in llama.encode(ids).hidden.items()}
    memory = FixedMemory(llama, 8)
    llama.head(sidenet(hidden, memory).normed).logsumexp(-1).sum().backward()
    assert all(p.grad is not None for name, p in sidenet.named_parameters() if "search" not in name)
    assert not any(p.grad is not None for p in llama.model.parameters())


def test_a_checkpoint_comes_back_as_it_was(llama, tmp_path):
    ids = torch.randint(3, 259, (1, 9))
    sidenet = stir(make(llama, search="pooled", search_block=2)).eval()
    save_sidenet(sidenet, llama, tmp_path, dtype=torch.float32)
    again = load_sidenet(tmp_path, llama)
    assert again.config == sidenet.config
    torch.testing.assert_close(normed(again, llama, ids), normed(sidenet, llama, ids), atol=0, rtol=0)


def test_a_checkpoint_holds_only_what_changed(llama, tmp_path):
    from safetensors.torch import load_file

    sidenet = make(llama)
    with torch.no_grad():
        sidenet.layers[1].mlp_scale.fill_(0.5)
    save_sidenet(sidenet, llama, tmp_path)
    assert set(load_file(tmp_path / WEIGHTS_FILE)) == {"layers.1.mlp_scale"}


@pytest.mark.parametrize("field", ["fingerprint", "tokenizer_hash", "blocks", "width", "kv_heads"])
def test_another_backbone_is_refused_by_name_of_the_field(llama, tmp_path, field):
    sidenet = make(llama).eval()
    save_sidenet(sidenet, llama, tmp_path)
    wrong = {"fingerprint": "0", "tokenizer_hash": "0"}.get(field, getattr(llama, field) * 2)
    config = dataclasses.replace(sidenet.config, **{field: wrong})
    (tmp_path / "config.json").write_text(config.to_json())
    with pytest.raises(BadInput, match=f"its {field} is"):
        load_sidenet(tmp_path, llama)


def test_broken_checkpoints_are_refused_in_one_line(llama, tmp_path):
    with pytest.raises(BadInput, match="not a SideNet checkpoint"):
        load_sidenet(tmp_path / "none", llama)
    save_sidenet(make(llama), llama, tmp_path)
    (tmp_path / WEIGHTS_FILE).write_bytes(b"torn")
    with pytest.raises(BadInput, match="not a SideNet checkpoint"):
        load_sidenet(tmp_path, llama)


def test_what_is_only_read_shares_the_weights_of_layers_that_learned_nothing(backbone, tmp_path):
    sidenet = make(backbone).eval()
    with torch.no_grad():
        sidenet.layers[1].attention_scale.fill_(0.3)
        sidenet.layers[1].query.weight.mul_(1.5)
    save_sidenet(sidenet, backbone, tmp_path, torch.float32)
    free, lean = load_sidenet(tmp_path, backbone), load_sidenet(tmp_path, backbone, to_learn=False)
    ids = torch.randint(3, 259, (1, 20))
    torch.testing.assert_close(normed(lean, backbone, ids), normed(free, backbone, ids), rtol=0, atol=0)
    owned = {name.split(".")[1] for name, _ in lean.named_parameters() if name.endswith("query.weight")}
    assert owned == {"1"} and lean.layers[0].mlp is backbone.block_part(1, "mlp")
    lean.double()
    assert (
        not any(one.requires_grad for one in backbone.model.parameters()) and backbone.dtype == torch.float32
    )


def test_without_a_checkpoint_the_identity_start_serves(llama):
    assert sidenet_for(llama).states == (5,)


def test_reading_may_leave_the_map_to_the_search(llama):
    """Memory attention gets no map queries where the configuration reads by attention keys."""
    seen = []

    class Listening(FixedMemory):
        def read(self, layer, query, search, chunks=None):
            seen.append(search)
            return super().read(layer, query, search)

    ids = torch.randint(3, 200, (1, 8))
    for reading in (None, "attention"):
        sidenet = stir(make(llama, search="pooled", search_block=2, search_dim=8, reading=reading)).eval()
        normed(sidenet, llama, ids, Listening(llama, 5))
    assert [search is None for search in seen] == [False, False, True, True]
    with pytest.raises(BadInput, match="reading"):
        make(llama, reading="pooled")

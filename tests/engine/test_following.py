"""Memory that gives the tokens that came next: the same votes however it is read, none from out of range."""

import pytest
import torch

from engine.backbone.backbone import Backbone
from engine.bank.bank import MemoryBank
from engine.filling import bank_layout, encode_text
from engine.reader import Reader
from engine.retrieval.memory import Memory, SearchableBank, Stretch
from engine.sampling import Sampling
from engine.sidenet.attention import Retrieved
from engine.sidenet.checkpoint import load_sidenet, save_sidenet, with_search_of
from engine.sidenet.config import SideNetConfig
from engine.sidenet.sidenet import SideNet
from engine.training.activations import Wanted, freeze
from engine.training.ring import Ring, TensorReader
from engine.training.start import copying_start
from ingest.errors import BadInput
from tests.engine.families import TINY_FAMILIES, tiny_model

TEXT = "".join(f"Sentence {n} tells of item {n * 7 % 23}. " for n in range(60))
LAYER = 2


@pytest.fixture(scope="module")
def backbone(tiny_tokenizer) -> Backbone:
    return Backbone(tiny_model("llama"), tiny_tokenizer, "llama")


def made(backbone: Backbone, **settings) -> SideNet:
    torch.manual_seed(0)
    settings = {"memory_layers": (LAYER,), "memory_block": 1, "memory_values": "following", **settings}
    return SideNet(SideNetConfig.for_backbone(backbone, **settings), backbone)


def opened(sidenet: SideNet) -> SideNet:
    """A stand-in for training."""
    torch.manual_seed(2)
    with torch.no_grad():
        for parameter in sidenet.layers[LAYER].memory.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
        sidenet.layers[LAYER].memory.size.fill_(2.0)
    return sidenet.eval()


def segment(backbone: Backbone, sidenet: SideNet, seed: int, time: int = 32):
    torch.manual_seed(seed)
    wanted = Wanted.of(sidenet.config, sidenet.config.boundaries)
    return freeze(backbone, torch.randint(20, 60, (time,)), wanted)


@pytest.mark.parametrize("family", TINY_FAMILIES)
def test_closed_it_is_the_backbone(family, tiny_tokenizer):
    backbone = Backbone(tiny_model(family), tiny_tokenizer, family)
    sidenet = made(backbone)
    frozen = segment(backbone, sidenet, 0)
    ring = Ring(sidenet.config, 1, 32)
    ring.append(0, frozen.ids, frozen.keys, frozen.values)
    hidden = {j: state[None] for j, state in frozen.hidden.items()}
    with torch.no_grad():
        alone = backbone.final_norm(hidden[backbone.blocks])
        torch.testing.assert_close(sidenet.train()(hidden, ring.reader(0)).normed, alone, atol=1e-4, rtol=0)
    assert not sidenet.eval().reads_memory


def test_the_branch_is_the_sum_of_its_tokens(backbone):
    memory = opened(made(backbone)).layers[LAYER].memory
    query = torch.randn(1, 3, memory.heads, memory.head_dim)
    keys = torch.randn(1, 3, memory.heads, 5, memory.head_dim)
    following = torch.randint(0, 60, (1, 3, memory.heads, 5))
    mask = torch.rand(1, 3, memory.heads, 5) > 0.3
    with torch.no_grad():
        added, mass = memory(query, Retrieved(keys, None, mask, following=following))
        table = backbone.head_weight - backbone.head_weight.mean(0)
        table = table * backbone.final_norm.weight
        table = table / table[::16].norm(dim=1).mean()
        for time in range(3):
            votes = sum(
                memory.gate[head] * mass[0, time, head, slot] * table[following[0, time, head, slot]]
                for head in range(memory.heads)
                for slot in range(5)
            )
            null = (mass[0, time, :, -1:] * memory.null_value).sum(0)
            expected = memory.size * (memory.output(votes) + null)
            torch.testing.assert_close(added[0, time], expected, atol=1e-5, rtol=1e-4)
    assert (mass[..., :-1][~mask] == 0).all()


def test_dense_and_sparse_agree_where_sparse_takes_all(backbone):
    sidenet = opened(made(backbone, top_k=8))
    past, now = segment(backbone, sidenet, 1), segment(backbone, sidenet, 2)
    ring = Ring(sidenet.config, 1, 32)
    ring.append(0, past.ids, past.keys, past.values)
    hidden = {j: state[None] for j, state in now.hidden.items()}
    with torch.no_grad():
        dense, sparse = (sidenet(hidden, ring.reader(0, reading)).normed for reading in ("dense", "sparse"))
        off = sidenet(hidden, None).normed
    torch.testing.assert_close(dense, sparse, atol=1e-5, rtol=1e-4)
    assert (dense - off).abs().max() > 1e-3


def test_a_wrapped_ring_knows_what_followed(backbone):
    sidenet = made(backbone)
    ring = Ring(sidenet.config, 1, 48)
    parts = [segment(backbone, sidenet, seed) for seed in range(3)]
    for part in parts:
        ring.append(0, part.ids, part.keys, part.values)
    whole = torch.cat([part.ids for part in parts])
    following = ring.reader(0).following
    for token in range(48, 96):  # the newest 48 of 96
        expected = int(whole[token + 1]) if token + 1 < 96 else -1
        assert following[token % 48] == expected


class TestBank:
    @pytest.fixture
    def sidenet(self, backbone) -> SideNet:
        return opened(made(backbone, top_k=4))

    @pytest.fixture
    def source(self, backbone, sidenet, tmp_path) -> SearchableBank:
        encode_text(TEXT, tmp_path, backbone, bank_layout(sidenet.config))
        return SearchableBank(MemoryBank.open(tmp_path), sidenet, "book")

    def read(self, sidenet: SideNet, *stretches: Stretch) -> tuple[Memory, Retrieved]:
        torch.manual_seed(5)
        query = torch.randn(1, 6, sidenet.config.heads, sidenet.config.head_dim)
        memory = Memory(stretches, sidenet)
        return memory, memory.read(LAYER, query, None)

    def test_gives_the_token_after_each_slot(self, sidenet, source):
        memory, found = self.read(sidenet, Stretch.whole(source))
        for time, head in ((0, 0), (3, 1), (5, 3)):
            for rank, chunk in enumerate(found.chunks[0, time, head].tolist()):
                t0, t1 = memory.locate(chunk).tokens
                for token in range(t0, min(t1, source.bank.tokens - 1)):
                    assert (
                        found.following[0, time, head, 4 * rank + token - t0]
                        == source.bank.token_ids[token + 1]
                    )

    def test_the_token_after_the_range_is_not_looked_at(self, sidenet, source):
        memory, found = self.read(sidenet, Stretch(source, 8, 12))
        last = found.chunks == 3
        assert last.any()
        slots = found.mask.unflatten(-1, (-1, 4))
        assert not slots[..., 3][last].any()
        assert slots[..., 2][last].all()

    def test_reads_as_training_did(self, backbone, sidenet, source):
        ids = torch.from_numpy(source.bank.token_ids[:96].astype("int64"))
        ring = Ring(sidenet.config, 1, 96)
        frozen = freeze(backbone, ids, Wanted.of(sidenet.config, sidenet.config.boundaries))
        ring.append(0, frozen.ids, frozen.keys, frozen.values)
        now = segment(backbone, sidenet, 4)
        hidden = {j: state[None] for j, state in now.hidden.items()}
        with torch.no_grad():
            ringed = sidenet(hidden, ring.reader(0, "sparse")).normed
            banked = sidenet(hidden, Memory([Stretch(source, 0, 24)], sidenet)).normed
        torch.testing.assert_close(ringed, banked, atol=2e-2, rtol=2e-2)

    @pytest.mark.parametrize("ahead", [0, 1])
    def test_values_are_those_of_the_slot_or_of_what_follows(self, backbone, tmp_path, ahead):
        """From a bank and from a ring; what follows the range is not looked at."""
        sidenet = made(backbone, memory_values="attention", values_follow=bool(ahead), top_k=4)
        encode_text(TEXT[:96], tmp_path, backbone, bank_layout(sidenet.config))
        source = SearchableBank(MemoryBank.open(tmp_path), sidenet, "book")
        frozen = freeze(
            backbone,
            torch.from_numpy(source.bank.token_ids[:32].astype("int64")),
            Wanted.of(sidenet.config, sidenet.config.boundaries),
        )
        ring = Ring(sidenet.config, 1, 32)
        ring.append(0, frozen.ids, frozen.keys, frozen.values)
        query = torch.randn(1, 6, sidenet.config.heads, sidenet.config.head_dim)
        stored = source.bank._arrays["values.1"].astype("float32")
        for found in (
            ring.reader(0, "sparse").read(LAYER, query, None),
            Memory([Stretch(source, 0, 8)], sidenet).read(LAYER, query, None),
        ):
            slots = (found.chunks[..., None] * 4 + torch.arange(4)).flatten(-2)
            mask = found.mask.expand(slots.shape)
            assert torch.equal(mask, slots + ahead < 32)
            group = sidenet.config.heads // sidenet.config.kv_heads
            for head in range(sidenet.config.heads):
                wanted = torch.from_numpy(stored[(slots[:, :, head] + ahead).numpy(), head // group])
                known = mask[:, :, head]
                torch.testing.assert_close(
                    found.values[:, :, head][known], wanted[known], atol=5e-3, rtol=5e-3
                )

    @pytest.mark.parametrize("reading", ["ring", "bank"])
    def test_layers_that_read_one_block_share_its_search(self, backbone, source, reading, monkeypatch):
        sidenet = opened(made(backbone, memory_layers=(1, LAYER), top_k=4))
        with torch.no_grad():
            sidenet.layers[1].memory.load_state_dict(sidenet.layers[LAYER].memory.state_dict())
        sidenet.eval()
        searched = []
        kind, name = (TensorReader, "_best") if reading == "ring" else (Memory, "search")
        search = getattr(kind, name)
        monkeypatch.setattr(kind, name, lambda *given: searched.append(1) or search(*given))
        now, ring = segment(backbone, sidenet, 4), Ring(sidenet.config, 1, 96)
        ring.append(0, now.ids, now.keys, now.values)
        memory = ring.reader(0, "sparse") if reading == "ring" else Memory([Stretch.whole(source)], sidenet)
        with torch.no_grad():
            output = sidenet({j: state[None] for j, state in now.hidden.items()}, memory)
        first, second = output.traces
        assert searched == [1]
        assert torch.equal(first.chunks, second.chunks)
        assert not torch.equal(first.mass, second.mass)


def test_start_finds_the_place_and_votes_for_what_followed(backbone):
    sidenet = made(backbone)
    torch.manual_seed(3)
    order = torch.arange(20, 60)
    wanted = Wanted.of(sidenet.config, sidenet.config.boundaries)
    songs = [
        freeze(backbone, torch.cat([order.roll(int(torch.randint(40, ()))) for _ in range(3)]), wanted)
        for _ in range(7)
    ]
    copying_start(sidenet, backbone, songs[:6], beta=4.0)
    sidenet.layers[LAYER].memory.null_bias.data.fill_(0.0)
    ring = Ring(sidenet.config, 1, 120)
    ring.append(0, songs[0].ids, songs[0].keys, songs[0].values)
    hidden = {j: state[None] for j, state in songs[6].hidden.items()}
    with torch.no_grad():
        output = sidenet.train()(hidden, ring.reader(0))
    right = songs[6].ids[1:, None] == ring.reader(0).following[None]
    mass = output.traces[0].mass[0, :-1, :, :-1]
    assert ((mass * right[:, None]).sum(-1) / mass.sum(-1)).mean() > 4 / 40  # chance 1 in 40


def test_the_reader_looks_memory_up_for_the_newest_token_only(backbone, tmp_path):
    sidenet = opened(made(backbone, top_k=4))
    encode_text(TEXT, tmp_path, backbone, bank_layout(sidenet.config))
    memory = Memory([Stretch.whole(SearchableBank(MemoryBank.open(tmp_path), sidenet))], sidenet)
    prompt = backbone.tokenizer("Sentence 7 tells", add_special_tokens=False)["input_ids"]
    said = [token.id for token in Reader(backbone, sidenet).generate(prompt, memory, Sampling(max_tokens=6))]
    ids = list(prompt)
    with torch.no_grad():
        for token in said:
            normed = sidenet(backbone.encode(torch.tensor([ids])).hidden, memory).normed
            assert int(backbone.head(normed[0, -1]).argmax()) == token
            ids.append(token)
    assert len(said) == 6


def test_checkpoint_keeps_it_without_the_table(backbone, tmp_path):
    sidenet = opened(made(backbone))
    save_sidenet(sidenet, backbone, tmp_path, torch.float32)
    assert (tmp_path / "sidenet.safetensors").stat().st_size < backbone.head_weight.numel() * 4
    back = load_sidenet(tmp_path, backbone)
    for mine, other in zip(sidenet.parameters(), back.parameters(), strict=True):
        torch.testing.assert_close(mine, other)


def test_takes_over_a_search_map(backbone, tmp_path):
    sidenet, other = opened(made(backbone)), made(backbone, search="pooled", search_block=1, search_dim=8)
    with torch.no_grad():
        for parameter in other.search.parameters():
            parameter.normal_()
    save_sidenet(with_search_of(sidenet, other, backbone).eval(), backbone, tmp_path, torch.float32)
    both = load_sidenet(tmp_path, backbone)
    assert both.search.fingerprint() == other.search.fingerprint()
    past, now = segment(backbone, sidenet, 1), segment(backbone, sidenet, 2)
    ring = Ring(sidenet.config, 1, 32)
    ring.append(0, past.ids, past.keys, past.values)
    hidden = {j: state[None] for j, state in now.hidden.items()}
    with torch.no_grad():
        torch.testing.assert_close(
            both(hidden, ring.reader(0)).normed, sidenet(hidden, ring.reader(0)).normed
        )
    with pytest.raises(BadInput, match="has none"):
        with_search_of(sidenet, sidenet, backbone)


def test_unknown_values_are_refused(backbone):
    with pytest.raises(BadInput, match="memory_values is 'tokens'"):
        SideNetConfig.for_backbone(backbone, memory_values="tokens")

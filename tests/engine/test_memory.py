"""Memory over stretches: exact, in range, the same for one bank or several."""

import pytest
import torch

from engine.backbone.backbone import Backbone
from engine.bank.bank import MemoryBank
from engine.filling import bank_layout, encode_text
from engine.retrieval.memory import Memory, SearchableBank, Stretch
from engine.sidenet.config import SideNetConfig
from engine.sidenet.sidenet import SideNet
from tests.engine.families import tiny_model

TEXT = "".join(f"Sentence {n} tells of item {n * 7 % 23}. " for n in range(120))


@pytest.fixture(scope="module")
def backbone(tiny_tokenizer) -> Backbone:
    return Backbone(tiny_model("llama"), tiny_tokenizer, "llama")


@pytest.fixture(scope="module", params=["attention", "pooled"])
def searched(request, backbone, tmp_path_factory):
    """(sidenet, bank) for both kinds of search keys."""
    torch.manual_seed(7)
    settings = {"search": "pooled", "search_block": 2} if request.param == "pooled" else {}
    config = SideNetConfig.for_backbone(backbone, memory_layers=(1,), top_k=4, **settings)
    sidenet = SideNet(config, backbone).eval()
    folder = tmp_path_factory.mktemp("bank")
    encode_text(TEXT, folder, backbone, bank_layout(config))
    return sidenet, SearchableBank(MemoryBank.open(folder), sidenet, "book")


def queries(sidenet: SideNet, time: int = 5) -> tuple[torch.Tensor, int | None]:
    torch.manual_seed(8)
    if sidenet.search is not None:
        return torch.randn(time, 1, sidenet.config.search_dim), None
    return torch.randn(time, sidenet.config.heads, sidenet.config.head_dim), sidenet.config.memory_blocks[0]


def test_search_is_the_best_of_all_products(searched):
    sidenet, source = searched
    query, block = queries(sidenet)
    ids, scores = Memory([Stretch.whole(source)], sidenet).search(query, 4, block)
    keys = source.learned_keys() if block is None else source.bank.chunk_keys(block)
    keys = torch.from_numpy(keys.astype("float32")).reshape(len(keys), -1, query.shape[-1])
    keys = keys.repeat_interleave(query.shape[1] // keys.shape[1], dim=1)
    products = torch.einsum("qhd,chd->qhc", query, keys)
    best = products.topk(4, dim=-1).values
    torch.testing.assert_close(scores, best, atol=1e-2, rtol=1e-3)
    torch.testing.assert_close(products.gather(-1, ids), best, atol=1e-2, rtol=1e-3)


def test_a_split_bank_finds_what_the_whole_one_finds(searched):
    sidenet, source = searched
    query, block = queries(sidenet)
    end = source.bank.chunks
    whole, best = Memory([Stretch.whole(source)], sidenet).search(query, 8, block)
    halves = Memory([Stretch(source, 0, 100), Stretch(source, 100, end)], sidenet)
    parts, scores = halves.search(query, 8, block)
    torch.testing.assert_close(scores, best)
    for one, other, limits in zip(whole.flatten(0, 1), parts.flatten(0, 1), best.flatten(0, 1), strict=True):
        # equal scores may come in either order, and the last may be one of several equal ones
        last = limits > limits[-1] + 1e-3
        assert set(one[last].tolist()) <= set(other.tolist())


def test_reading_gives_the_stored_keys_of_the_chunks(searched):
    sidenet, source = searched
    memory = Memory([Stretch(source, 50, 90), Stretch(source, 200, 260)], sidenet)
    config = sidenet.config
    query = torch.randn(1, 3, config.heads, config.head_dim)
    search = torch.randn(1, 3, config.search_dim) if sidenet.search is not None else None
    found = memory.read(1, query, search)
    stored = torch.from_numpy(source.bank._arrays[f"keys.{config.memory_blocks[0]}"].astype("float32"))
    for time in range(3):
        for head in range(found.chunks.shape[2]):
            for rank, chunk in enumerate(found.chunks[0, time, head].tolist()):
                place = memory.locate(chunk)
                assert 50 <= place.chunk < 90 or 200 <= place.chunk < 260
                t0, t1 = place.tokens
                if found.chunks.shape[2] > 1:
                    expected = stored[t0:t1, head // (config.heads // config.kv_heads)]
                    got = found.keys[0, time, head, 4 * rank : 4 * rank + t1 - t0]
                else:
                    expected = stored[t0:t1].transpose(0, 1)
                    got = found.keys[0, time, :, 4 * rank : 4 * rank + t1 - t0]
                torch.testing.assert_close(got, expected)


def test_locations_lead_back_to_the_characters(searched):
    sidenet, source = searched
    memory = Memory([Stretch.whole(source)], sidenet)
    place = memory.locate(37)
    start, end = place.characters
    assert place.name == "book"
    assert TEXT[start:end] == TEXT[37 * 4 : 38 * 4]  # one byte a token in this tokenizer


def test_an_empty_memory_reads_nothing(searched):
    sidenet, source = searched
    memory = Memory([Stretch(source, 10, 10)], sidenet)
    config = sidenet.config
    search = torch.randn(1, 2, config.search_dim) if sidenet.search is not None else None
    found = memory.read(1, torch.randn(1, 2, config.heads, config.head_dim), search)
    assert memory.tokens == memory.chunks == 0
    assert not found.mask.any()
    assert (found.chunks == -1).all()


def test_a_short_memory_fills_up_with_nothing(searched):
    sidenet, source = searched
    query, block = queries(sidenet)
    ids, scores = Memory([Stretch(source, 5, 7)], sidenet).search(query, 4, block)
    assert sorted(ids[0, 0].tolist()) == [-1, -1, 0, 1]
    assert torch.isinf(scores).sum() == 2 * scores[..., 0].numel()


def test_work_that_goes_on_says_at_once_how_far_it_is(backbone, tmp_path):
    layout = bank_layout(SideNetConfig.for_backbone(backbone, memory_layers=(1,)))
    told = []

    def stop_after_two(done, total):
        told.append((done, total))
        if done >= 2048:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        encode_text(TEXT, tmp_path, backbone, layout, stop_after_two)
    assert [done for done, _ in told] == [0, 1024, 2048]
    again = []
    tokens = encode_text(TEXT, tmp_path, backbone, layout, lambda *reached: again.append(reached))
    assert again[0] == told[-1] == (2048, len(TEXT))
    assert again[-1] == (tokens, tokens)

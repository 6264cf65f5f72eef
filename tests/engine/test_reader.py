"""The loop gives what `transformers` gives, stops when told, and moves on when its window is full."""

from threading import Event

import pytest
import tokenizers
import torch
from tokenizers import decoders, models
from transformers import PreTrainedTokenizerFast

from engine.backbone.load import load_backbone
from engine.paths import Paths
from engine.reader import Reader, StreamDecoder
from engine.sampling import Sampling, choose, nucleus, penalise
from engine.sidenet.checkpoint import sidenet_for
from ingest.errors import BadInput


@pytest.fixture(scope="module")
def reader(tiny_folder, tmp_path_factory) -> Reader:
    backbone = load_backbone(Paths(tmp_path_factory.mktemp("home")), str(tiny_folder))
    return Reader(backbone, sidenet_for(backbone), window=64)


def ids_of(tokens) -> list[int]:
    return [token.id for token in tokens]


def test_greedy_tokens_are_those_of_transformers(reader):
    prompt = list(range(20, 40))
    ours = ids_of(reader.generate(prompt, None, Sampling(max_tokens=20)))
    theirs = reader.backbone.model.generate(torch.tensor([prompt]), max_new_tokens=20, do_sample=False)
    expected = theirs[0, len(prompt) :].tolist()
    assert ours == [token for token in expected if token not in reader.ends]


def test_the_seed_decides(reader):
    first, again, other = (
        ids_of(
            reader.generate([30, 31], None, Sampling(max_tokens=30, temperature=1.5, top_p=1.0, seed=seed))
        )
        for seed in (1, 1, 2)
    )
    assert first == again != other


def test_stop_ends_within_one_token(reader):
    stop, seen = Event(), []
    for token in reader.generate([30, 31, 32], None, Sampling(max_tokens=50, temperature=2.0, seed=3), stop):
        seen.append(token)
        if len(seen) == 3:
            stop.set()
    assert len(seen) == 3


def test_a_full_window_spills_its_older_half_and_goes_on(reader):
    spilled: list[int] = []

    class Bank:
        def append(self, token_ids):
            spilled.extend(token_ids)

    prompt = [40 + n % 50 for n in range(100)]
    sampling = Sampling(max_tokens=90, temperature=2.0, top_p=1.0, seed=5)
    made = ids_of(reader.generate(prompt, None, sampling, spill=Bank()))
    assert len(made) > 40
    everything = prompt + made
    assert spilled == everything[: len(spilled)]
    assert len(everything) - len(spilled) <= 64


def test_characters_are_held_back_until_they_are_whole(tiny_tokenizer):
    text = "naïve 😀 漢字 ok"
    decoder = StreamDecoder(tiny_tokenizer)
    pieces = [decoder.push(token) for token in tiny_tokenizer(text)["input_ids"]]
    assert "".join(pieces) == text
    assert not any("\ufffd" in piece for piece in pieces)


def llama_2(words: list[str]) -> PreTrainedTokenizerFast:
    """Bytes and words, joined as Llama 2 and Mistral 7B do, which strip the space that a text begins with."""
    vocabulary = ["<unk>", *words, *(f"<0x{byte:02X}>" for byte in range(256))]
    model = models.BPE({word: n for n, word in enumerate(vocabulary)}, [], unk_token="<unk>")
    tokenizer = tokenizers.Tokenizer(model)
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>")


def test_no_space_is_lost_where_a_tokenizer_leaves_out_the_first():
    decoder = StreamDecoder(llama_2(["▁the", "▁old", "▁man", "."]))
    assert [decoder.push(token) for token in (1, 2, 3, 4)] == ["the", " old", " man", "."]


def test_half_a_character_behind_a_line_break_ends_no_answer():
    tokenizer = llama_2(["▁the"])
    decoder = StreamDecoder(tokenizer)
    ids = tokenizer.convert_tokens_to_ids(["▁the", "<0x0A>", "<0xE6>", "<0xBC>", "▁the"])
    assert [decoder.push(token) for token in ids] == ["the", "\n", "", "", "\ufffd\ufffd the"]


def test_sampling_functions_by_hand():
    logits = torch.tensor([3.0, -3.0, 1.0])
    assert penalise(logits, [0, 1], 2.0).tolist() == [1.5, -6.0, 1.0]
    kept = nucleus(torch.tensor([0.5, 0.3, 0.15, 0.05]), 0.75)
    torch.testing.assert_close(kept, torch.tensor([0.625, 0.375, 0.0, 0.0]))
    assert choose(logits, [], Sampling(), torch.Generator()) == 0


@pytest.mark.parametrize(
    "wrong", [{"max_tokens": 0}, {"temperature": -1}, {"top_p": 0}, {"repetition_penalty": 9}]
)
def test_senseless_settings_are_refused(wrong):
    with pytest.raises(BadInput):
        Sampling(**wrong)

"""The model and the tokenizer that are run without `transformers` compute what it computes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from transformers import AutoTokenizer

from engine.backbone.backbone import Backbone
from engine.backbone.llama import load_llama, own_config
from engine.backbone.tokens import KNOWN, own_tokenizer
from tests.engine.families import tiny_model

TALK = [
    {"role": "system", "content": 'Be <b>"brief"</b>.'},
    {"role": "user", "content": "Who is Sabor?"},
    {"role": "assistant", "content": "A lioness."},
    {"role": "user", "content": "And Kerchak?"},
]
TEXT = "Call me Ishmael.<|im_end|> “naïve”\n\n\tمرحبا 漢字 😀  "
PROJECT = Path(__file__).parents[2]
WITHOUT = """
import sys
from pathlib import Path
import torch
from engine.assistant import Assistant
from engine.model import Model
from engine.paths import Paths
model = Model(Paths(Path(sys.argv[1])))
backbone = model.backbone
assert model.sidenet and model.reader and model.crossreader
ids = torch.tensor([backbone.tokenizer("Call me Ishmael.")["input_ids"]])
cache = backbone.new_cache()
backbone.logits(backbone.encode(ids, cache=cache).hidden[backbone.blocks])
assert backbone.fingerprint and backbone.tokenizer_hash
print({"transformers", "torch._dynamo", "sympy"} & sys.modules.keys())
"""


@pytest.fixture(params=["llama", "llama-untied-wide-heads", "qwen2"])
def pair(request, tmp_path, tiny_tokenizer):
    """Our model of a folder, and the one of `transformers` that wrote it."""
    theirs = tiny_model(request.param)
    theirs.save_pretrained(tmp_path)
    config = own_config(tmp_path)
    assert config is not None
    ours = load_llama(tmp_path, config, torch.float32)
    return Backbone(ours, tiny_tokenizer, "ours"), Backbone(theirs, tiny_tokenizer, "theirs")


def test_states_keys_and_fingerprint_are_those_of_transformers(pair):
    ours, theirs = pair
    assert ours.fingerprint == theirs.fingerprint
    ids = torch.randint(3, 259, (2, 37))
    here, there = (one.encode(ids, memory_blocks=(1, 3)) for one in pair)
    torch.testing.assert_close(here.hidden, there.hidden, atol=1e-5, rtol=0)
    torch.testing.assert_close(here.keys, there.keys, atol=1e-5, rtol=0)
    last = here.hidden[ours.blocks]
    torch.testing.assert_close(ours.logits(last), theirs.logits(last), atol=1e-5, rtol=0)


def test_a_cache_goes_on_as_that_of_transformers(pair):
    ids = torch.randint(3, 259, (1, 40))
    here, there = (one.new_cache() for one in pair)
    for piece in ids.split([20, 12, 1, 3, 4], dim=1):
        states = [
            one.encode(piece, cache=cache).hidden[5] for one, cache in zip(pair, (here, there), strict=True)
        ]
        torch.testing.assert_close(*states, atol=1e-5, rtol=0)
    for cache in (here, there):
        cache.batch_repeat_interleave(3)
    more = torch.randint(3, 259, (3, 7))
    states = [one.encode(more, cache=cache).hidden[5] for one, cache in zip(pair, (here, there), strict=True)]
    torch.testing.assert_close(*states, atol=1e-5, rtol=0)


def test_transformers_can_run_the_same_weights(pair):
    ours, theirs = pair
    ids = torch.randint(3, 259, (1, 12))
    said = [
        model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=9, do_sample=False)
        for model in (ours.in_transformers, theirs.model)
    ]
    assert torch.equal(*said)


@pytest.mark.parametrize(
    "changed",
    [
        {"model_type": "qwen3"},
        {"attention_bias": True},
        {"mlp_bias": True},
        {"rope_parameters": {"rope_type": "llama3", "rope_theta": 1e4, "factor": 8.0}},
        {"dtype": "float8_e4m3fn"},
        {"quantization_config": {"bits": 4}},
    ],
)
def test_what_is_built_otherwise_is_left_to_transformers(tmp_path, changed):
    tiny_model("llama").config.save_pretrained(tmp_path)
    file = tmp_path / "config.json"
    config = json.loads(file.read_text()) | {"dtype": "float32"}
    file.write_text(json.dumps(config))
    assert own_config(tmp_path) is not None
    file.write_text(json.dumps(config | changed))
    assert own_config(tmp_path) is None


@pytest.fixture
def plain_folder(tmp_path, tiny_tokenizer):
    """A folder with a tokenizer that has no settings beyond its named marks."""
    tiny_tokenizer.save_pretrained(tmp_path)
    file = tmp_path / "tokenizer_config.json"
    config = json.loads(file.read_text())
    file.write_text(json.dumps({name: value for name, value in config.items() if name in KNOWN}))
    return tmp_path


def test_the_tokenizer_cuts_and_joins_as_that_of_transformers(plain_folder):
    ours, theirs = own_tokenizer(plain_folder), AutoTokenizer.from_pretrained(plain_folder)
    assert ours is not None
    for options in (
        {},
        {"add_special_tokens": False},
        {"add_special_tokens": False, "split_special_tokens": True, "return_offsets_mapping": True},
    ):
        here, there = ours(TEXT, **options), theirs(TEXT, **options)
        for name, found in here.items():
            assert list(found) == list(there[name])
        assert ours.decode(here["input_ids"], skip_special_tokens=True) == theirs.decode(
            there["input_ids"], skip_special_tokens=True
        )
    for name in ("bos_token_id", "eos_token_id", "all_special_tokens", "chat_template"):
        assert getattr(ours, name) == getattr(theirs, name)
    assert ours.get_vocab() == theirs.get_vocab()
    for token in ("<|endoftext|>", "no token"):
        assert ours.convert_tokens_to_ids(token) == theirs.convert_tokens_to_ids(token)
    for opened in (True, False):
        said = [
            one.apply_chat_template(TALK, tokenize=False, add_generation_prompt=opened)
            for one in (ours, theirs)
        ]
        assert said[0] == said[1]


def test_a_tokenizer_of_another_kind_is_left_to_transformers(plain_folder):
    file = plain_folder / "tokenizer_config.json"
    config = json.loads(file.read_text())
    for changed in ({"tokenizer_class": "LlamaTokenizer"}, {"add_bos_token": True}):
        file.write_text(json.dumps(config | changed))
        assert own_tokenizer(plain_folder) is None


def test_the_model_that_comes_along_is_run_without_transformers_and_pytorchs_compiler(converted):
    made = subprocess.run(
        [sys.executable, "-c", WITHOUT, str(converted.parent)], capture_output=True, text=True, cwd=PROJECT
    )
    assert made.stdout.strip() == "set()", made.stderr

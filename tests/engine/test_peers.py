"""bench peers on a tiny model: what each program is asked, and the table; llama.cpp is a double."""

import json
import subprocess
import sys
from types import SimpleNamespace

import pytest

from engine.backbone.load import load_backbone
from engine.bench import llamacpp, peer, peers
from engine.paths import Paths
from tests.engine.commands import parsed

TEXT = "Old Tansy kept a grey goose at the mill by the river, and nobody knew why. " * 40


@pytest.fixture(scope="module")
def backbone(tiny_folder, tmp_path_factory):
    return load_backbone(Paths(tmp_path_factory.mktemp("home")), str(tiny_folder))


@pytest.fixture(scope="module")
def spec(backbone) -> dict:
    ids = backbone.tokenizer(TEXT, add_special_tokens=False)["input_ids"][:1500]
    return {
        "model": None, "file": "model.gguf", "context": 2048, "threads": 1, "ids": ids, "text": TEXT,
        "sizes": [64, 4096], "tokens": 5, "prompt": 32, "question": 48,
    }  # fmt: skip


class Llama:
    """As `llama_cpp.Llama`: says how many tokens it has seen."""

    def __init__(self, model_path, n_ctx, **options):
        self.context, self.seen = n_ctx, 0

    def reset(self):
        self.seen = 0

    def eval(self, tokens):
        self.seen += len(tokens)
        assert self.seen <= self.context

    def sample(self, temp):
        assert temp == 0
        return self.seen


def test_every_program_is_measured_on_the_same_words(backbone, spec, monkeypatch):
    monkeypatch.setitem(sys.modules, "llama_cpp", SimpleNamespace(Llama=Llama))
    found = {name: measure(backbone, spec) for name, measure in peer.MEASURED.items()}
    found["llama.cpp"] = llamacpp.measure(spec)
    assert found["ours"]["words"] == found["transformers"]["words"]  # an untrained SideNet is the backbone
    assert found["llama.cpp"]["words"] == [32, 33, 34, 35, 36, 37]
    assert {name: list(one["rate"]) for name, one in found.items()} == {
        "ours": ["64", "4096"],
        "transformers": ["64"],
        "llama.cpp": ["64"],
    }
    for one in found.values():
        assert min(one["encode"], one["megabytes"], *one["first"].values(), *one["rate"].values()) > 0
    text = peers.written(json.loads(json.dumps(found)), (64, 4096))
    assert "| first words the same as transformers' | 6 of 6 | 6 of 6 | 0 of 6 |" in text
    assert text.count("beyond its window") == 4


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (
            subprocess.CalledProcessError(1, "pip", stderr="a\nERROR: no such package\nnote: x"),
            "no such package",
        ),
        (subprocess.TimeoutExpired("pip", 120), "within 2 minutes"),
        (OSError("the disk is full"), "the disk is full"),
    ],
)
def test_where_llama_cpp_is_not_to_be_had_a_row_says_so(spec, monkeypatch, capsys, error, says):
    def refused(folder, minutes):
        raise error

    found = {"encode": 9.0, "first": {"64": 1.0}, "rate": {"64": 2.0}, "megabytes": 7.0, "words": [1]}
    monkeypatch.setattr(peers, "with_llamacpp", refused)
    monkeypatch.setattr(peers, "measured", lambda command: found)
    monkeypatch.setattr(peers, "spec_of", lambda arguments: spec)
    assert peers.run(parsed(peers, "--sizes", 64)) == 0
    told = capsys.readouterr().out
    assert says in told and "| tokens/s after 64 tokens | 2 | 2 |" in told


def test_a_program_that_fails_says_why():
    failed = peers.measured([sys.executable, "-c", "raise SystemExit('it is broken')"])
    assert failed == {"failed": "it is broken"}

"""Every family: our hidden states, keys, values and logits are those of `transformers`."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
import transformers
from safetensors import SafetensorError

from engine.backbone.backbone import Backbone
from engine.backbone.families import family_of, part
from engine.backbone.load import COMPLETE, FINGERPRINT, _keep_fingerprint, _sampled, converted, load_backbone
from engine.errors import Failure
from engine.paths import Paths
from ingest.errors import BadInput
from tests.engine.families import TINY_FAMILIES, tiny_model

CLOSE = {"atol": 1e-4, "rtol": 0}
FULL = SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")


def test_a_gguf_file_of_the_same_name_and_size_is_another_model(tmp_path):
    file, names = tmp_path / "model.gguf", set()
    for middle in (b"a", b"b"):
        file.write_bytes(b"\0" * 300_000 + middle * 300_000 + b"\0" * 300_000)
        names |= {_sampled(file), _sampled(file)}
    assert len(names) == 2


@pytest.mark.parametrize(
    ("error", "says"),
    [(FULL, "disk is full"), (OSError("a broken file"), "could not be converted")],
)
def test_a_conversion_that_fails_says_why_and_leaves_nothing(tmp_path, monkeypatch, error, says):
    def failing(*_, **__):
        raise error

    monkeypatch.setattr("transformers.AutoModelForCausalLM.from_pretrained", failing)
    file, paths = tmp_path / "model.gguf", Paths(tmp_path / "home")
    file.write_bytes(b"GGUF")
    with pytest.raises(Failure, match=says):
        converted(file, paths)
    assert list(paths.backbones.iterdir()) == []


def test_a_converted_model_is_on_the_disk_before_it_counts_as_whole(tmp_path, tiny_tokenizer, monkeypatch):
    model, synced, fsync, replace = tiny_model("llama"), set(), os.fsync, os.replace
    monkeypatch.setattr("transformers.AutoModelForCausalLM.from_pretrained", lambda *_, **__: model)
    monkeypatch.setattr("transformers.AutoTokenizer.from_pretrained", lambda *_, **__: tiny_tokenizer)

    def remembered(handle):
        synced.add(os.fstat(handle).st_ino)
        fsync(handle)

    def checked(source, target):
        if Path(source).is_dir():
            files = [source, *Path(source).iterdir()]
            assert len(files) > 4 and {one.stat().st_ino for one in files} <= synced
        replace(source, target)

    monkeypatch.setattr(os, "fsync", remembered)
    monkeypatch.setattr(os, "replace", checked)
    file, paths = tmp_path / "model.gguf", Paths(tmp_path / "home")
    file.write_bytes(b"GGUF")
    folder = converted(file, paths)
    assert (folder / COMPLETE).is_file() and paths.backbones.stat().st_ino in synced


def test_a_downloaded_model_is_put_on_the_disk_by_whoever_loads_it(tiny_folder, tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr("engine.backbone.load.settle", synced.append)
    found = str(tiny_folder / "config.json")
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda name, file: found)
    for kind in ("AutoConfig", "AutoModelForCausalLM", "AutoTokenizer"):
        load = getattr(transformers, kind).from_pretrained
        here = lambda name, load=load, **options: load(tiny_folder, **options)  # noqa: E731
        monkeypatch.setattr(f"transformers.{kind}.from_pretrained", here)
    assert load_backbone(Paths(tmp_path), "somebody/tiny").name == "somebody/tiny"
    assert synced == [tiny_folder]


@pytest.fixture(params=TINY_FAMILIES)
def family(request, tiny_tokenizer):
    model = tiny_model(request.param)
    return request.param, model, Backbone(model, tiny_tokenizer, request.param)


def keys_seen_by(model, name: str, backbone: Backbone, ids: torch.Tensor, block: int) -> torch.Tensor:
    """The keys that the model's own attention computes before it applies positions."""
    seen = []
    module = part(part(model, backbone.family.blocks)[block], TINY_FAMILIES[name][2])
    handle = module.register_forward_hook(lambda _module, _inputs, output: seen.append(output))
    with torch.no_grad():
        model(input_ids=ids)
    handle.remove()
    raw = seen[0]
    if name == "gpt2":
        raw = raw.chunk(3, dim=-1)[1]
    elif name in ("pythia", "neox-sequential"):
        raw = raw.unflatten(-1, (backbone.heads, 3, backbone.head_dim))[..., 1, :]
    return raw.reshape(*ids.shape, backbone.kv_heads, backbone.head_dim)


def test_hidden_states_keys_and_logits_are_those_of_transformers(family):
    name, model, backbone = family
    ids = torch.randint(3, 259, (2, 37))
    encoding = backbone.encode(ids, memory_blocks=(1, 3))
    with torch.no_grad():
        theirs = model(input_ids=ids, output_hidden_states=True)
    for j, state in enumerate(theirs.hidden_states[:-1]):
        torch.testing.assert_close(encoding.hidden[j], state, **CLOSE)
    torch.testing.assert_close(backbone.final_norm(encoding.hidden[5]), theirs.hidden_states[-1], **CLOSE)
    torch.testing.assert_close(backbone.logits(encoding.hidden[5]), theirs.logits, **CLOSE)
    for block in (1, 3):
        theirs_keys = keys_seen_by(model, name, backbone, ids, block)
        torch.testing.assert_close(encoding.keys[block], theirs_keys, **CLOSE)
        assert encoding.values[block].shape == theirs_keys.shape


def test_a_cut_stem_gives_the_same_states(family):
    _, _, backbone = family
    ids = torch.randint(3, 259, (1, 20))
    whole = backbone.encode(ids, memory_blocks=(3,))
    cut = backbone.encode(ids, hidden=(2,), memory_blocks=(3,))
    assert set(cut.hidden) == {2, 3}
    torch.testing.assert_close(cut.hidden[2], whole.hidden[2], **CLOSE)
    torch.testing.assert_close(cut.values[3], whole.values[3], **CLOSE)


def test_the_cache_continues_where_it_stopped(family):
    _, _, backbone = family
    ids = torch.randint(3, 259, (1, 24))
    whole = backbone.encode(ids)
    cache = backbone.new_cache()
    cuts = ((0, 9), (9, 10), (10, 13), (13, 19), (19, 23), (23, 24))  # many, one, a few, …
    pieces = [backbone.encode(ids[:, a:b], cache=cache) for a, b in cuts]
    joined = torch.cat([piece.hidden[5] for piece in pieces], dim=1)
    torch.testing.assert_close(joined, whole.hidden[5], **CLOSE)


def test_fingerprints_tell_weights_and_tokenizers_apart(family, tiny_tokenizer):
    name, model, backbone = family
    again = Backbone(tiny_model(name), tiny_tokenizer, "again")
    assert backbone.fingerprint == again.fingerprint
    assert backbone.tokenizer_hash == again.tokenizer_hash
    changed = tiny_model(name)
    with torch.no_grad():
        part(changed, backbone.family.blocks)[2].get_parameter(f"{backbone.family.mlp_norm}.weight").add_(0.5)
    assert Backbone(changed, tiny_tokenizer, "changed").fingerprint != backbone.fingerprint


def test_a_fingerprint_is_taken_once_for_a_kept_copy(tiny_tokenizer, tmp_path):
    first = Backbone(tiny_model("llama"), tiny_tokenizer, "first")
    _keep_fingerprint(first, tmp_path)
    assert first.fingerprint == (tmp_path / FINGERPRINT).read_text() and len(first.fingerprint) == 32
    again = Backbone(tiny_model("gpt2"), tiny_tokenizer, "of the same copy")
    _keep_fingerprint(again, tmp_path)
    assert again.fingerprint == first.fingerprint
    assert [file.name for file in tmp_path.iterdir()] == [FINGERPRINT]


def test_weights_cannot_be_trained(family):
    _, model, _ = family
    assert not any(parameter.requires_grad for parameter in model.parameters())


def test_unknown_families_and_places_are_refused(tmp_path):
    with pytest.raises(BadInput, match="choose one of type"):
        family_of("t5")
    with pytest.raises(BadInput, match="there is no file"):
        load_backbone(Paths(tmp_path), str(tmp_path / "none.gguf"))
    with pytest.raises(BadInput, match="cannot load the model"):
        load_backbone(Paths(tmp_path), str(tmp_path))


def test_a_local_folder_can_be_the_backbone(tiny_folder, tmp_path):
    backbone = load_backbone(Paths(tmp_path), str(tiny_folder))
    assert (backbone.blocks, backbone.width, backbone.kv_heads) == (6, 48, 2)
    assert backbone.dtype == torch.float32


def test_threads_encode_side_by_side(tiny_tokenizer):
    backbone = Backbone(tiny_model("llama"), tiny_tokenizer, "llama")
    inputs = [torch.randint(3, 259, (1, 40 + 7 * n)) for n in range(8)]
    alone = [backbone.encode(ids).hidden for ids in inputs]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda ids: backbone.encode(ids).hidden, inputs * 4))
    for expected, found in zip(alone * 4, together, strict=True):
        for j, state in expected.items():
            torch.testing.assert_close(found[j], state, **CLOSE)

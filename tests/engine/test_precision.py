"""Devices and precisions: what is chosen, what is refused, and that few bits compute what many do."""

import copy
import os

import pytest
import torch
from gguf import quants

from engine.arguments import DEVICE_VARIABLE, PRECISION_VARIABLE
from engine.backbone import packs, placement
from engine.backbone.backbone import Backbone
from engine.backbone.ggufs import _READERS, GgufFile, few_bits
from engine.backbone.growing import ROOM, GrowingLayer
from engine.backbone.load import load_backbone
from engine.backbone.packing import PackedLinear, dense_of
from engine.backbone.packs import LIKELIEST, Codes, EightBits, FourBits, Head, SixteenBits
from engine.backbone.placement import placed, require_memory
from engine.paths import Paths
from engine.sidenet.config import SideNetConfig
from engine.sidenet.sidenet import SideNet
from ingest.errors import BadInput
from tests.engine.families import tiny_model
from tests.engine.ggufs import stored, write_gguf

needs_kernels = pytest.mark.skipif(not packs.is_quick(), reason="no quick kernels on this processor")
needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")


def distance(found: torch.Tensor, expected: torch.Tensor) -> float:
    """The error's share of what was expected."""
    return ((found - expected).norm() / expected.norm()).item()


@pytest.mark.parametrize(
    ("device", "precision", "says"),
    [
        ("tpu", None, "there is no device 'tpu'; choose auto, cpu"),
        ("cuda:99", None, "cuda:99 is not on this machine"),
        ("cpu", "float8", "there is no precision 'float8'; choose auto, float32"),
    ],
)
def test_what_is_not_there_is_refused(device, precision, says):
    with pytest.raises(BadInput, match=says):
        placed(device, precision)


def test_a_precision_that_a_device_cannot_do_is_refused(monkeypatch):
    monkeypatch.setattr(packs, "is_quick", lambda: False)
    with pytest.raises(BadInput, match="cpu cannot run a model in int4; choose float32, bfloat16, float16"):
        placed("cpu", "int4")
    assert not placed("cpu").writes_packed


def test_the_environment_chooses_where_nothing_is_said(monkeypatch):
    monkeypatch.setenv(DEVICE_VARIABLE, "cpu")
    monkeypatch.setenv(PRECISION_VARIABLE, "bfloat16")
    assert (placed().device.type, placed().dtype) == ("cpu", torch.bfloat16)
    assert placed("cpu", "auto").precision == "float32"
    monkeypatch.setenv(PRECISION_VARIABLE, "double")
    with pytest.raises(BadInput, match="no precision 'double'"):
        placed()


def test_a_model_too_large_is_refused_with_the_way_out(monkeypatch):
    monkeypatch.setattr(placement, "free_bytes", lambda _device: 10_000_000_000)
    require_memory(2_000_000_000, placed("cpu", "float32"))
    with pytest.raises(BadInput, match="needs 32.3 GB of memory in float32, and 10.0 GB are free on cpu"):
        require_memory(8_000_000_000, placed("cpu", "float32"))
    with pytest.raises(BadInput, match="choose a smaller model"):
        require_memory(100_000_000_000, placed("cpu", "float32"))


def test_a_model_too_large_is_not_loaded(tiny_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(placement, "free_bytes", lambda _device: 300_000_000)
    monkeypatch.setattr("transformers.AutoModelForCausalLM.from_pretrained", None)
    with pytest.raises(BadInput, match="are free on cpu"):
        load_backbone(Paths(tmp_path), str(tiny_folder))


@pytest.mark.parametrize(
    ("has_it", "seconds", "expected"), [(True, 0.25, True), (True, 2.0, False), (False, 0.25, False)]
)
def test_products_are_taken_in_bfloat16_where_they_are_quicker(monkeypatch, has_it, seconds, expected):
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: has_it)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    took = {torch.float32: 1.0, torch.bfloat16: seconds}
    monkeypatch.setattr(packs, "product_seconds", took.__getitem__)
    assert packs.multiplies_bfloat16.__wrapped__() is expected


def test_a_product_is_timed():
    assert 0 < packs.product_seconds(torch.float32) < 60


@needs_kernels
@pytest.mark.parametrize("rows", [1, 3, 40])
@pytest.mark.parametrize(
    ("made", "least"),
    [
        (lambda w: FourBits.of(Codes.nearest(w)), 0.12),
        (EightBits.of, 0.012),
        (lambda w: SixteenBits(w.to(torch.float16)), 0.002),
    ],
)
def test_packed_products_are_near(made, least, rows):
    torch.manual_seed(0)
    weight, x = torch.randn(96, 128), torch.randn(rows, 128)
    matrix = made(weight)
    assert distance(matrix.times(x), x @ weight.T) < least
    assert distance(matrix.times(x), x @ dense_of(matrix).T) < 0.01
    assert distance(dense_of(matrix), weight) < least


@needs_kernels
@pytest.mark.parametrize("rows", [1, 4])
def test_a_head_of_eight_bits_scores_its_likeliest_words_by_the_whole_matrix(rows):
    torch.manual_seed(0)
    weight, x = torch.randn(1024, 128), torch.randn(rows, 128)
    exact, found = x @ weight.T, Head.of(weight).times(x)
    assert distance(found, exact) < 0.012
    likeliest = exact.topk(LIKELIEST // 2).indices
    torch.testing.assert_close(found.gather(-1, likeliest), exact.gather(-1, likeliest))
    assert not torch.equal(found, exact)  # the rest is rounded


@pytest.mark.parametrize("kind", _READERS)
def test_four_bits_of_a_file_are_read_to_the_bit(kind):
    import numpy as np

    data = stored((32, 512), kind, np.random.default_rng(1))
    theirs = torch.from_numpy(quants.dequantize(data, kind))
    torch.testing.assert_close(_READERS[kind](data).dense(), theirs, atol=0, rtol=0)


def test_a_growing_layer_holds_what_was_put_in():
    layer, pieces = GrowingLayer(), [torch.randn(1, 2, length, 8) for length in (7, 1, ROOM, 1, 3 * ROOM, 2)]
    for count in range(1, len(pieces) + 1):
        keys, values = layer.update(pieces[count - 1], 2 * pieces[count - 1])
        torch.testing.assert_close(keys, torch.cat(pieces[:count], -2))
        torch.testing.assert_close(values, 2 * torch.cat(pieces[:count], -2))
        assert layer.get_seq_length() == keys.shape[-2]


def test_a_growing_layer_may_be_repeated_for_several_texts():
    layer, first, new = GrowingLayer(), torch.randn(1, 2, 5, 8), torch.randn(3, 2, 2, 8)
    layer.update(first, first)
    kept = layer.keys
    layer.batch_repeat_interleave(3)
    keys, _ = layer.update(new, new)
    torch.testing.assert_close(keys, torch.cat((first.expand(3, -1, -1, -1), new), -2))
    torch.testing.assert_close(kept, first)


def test_branches_of_a_growing_layer_do_not_write_into_each_other():
    layer, first, ours, theirs = GrowingLayer(), *(torch.randn(1, 2, 1, 8) for _ in range(3))
    layer.update(first, first)
    branches = [copy.copy(layer), copy.copy(layer)]
    for one, new in zip(branches, (ours, theirs), strict=True):
        one.keys, one.values = one.keys[0:1].expand(1, -1, -1, -1), one.values[0:1].expand(1, -1, -1, -1)
        one.update(new, new)
    torch.testing.assert_close(branches[0].keys, torch.cat((first, ours), -2))
    torch.testing.assert_close(branches[1].values, torch.cat((first, theirs), -2))
    assert layer.get_seq_length() == 1


def test_a_copy_of_a_packed_map_learns():
    linear = PackedLinear(EightBits.of(torch.randn(32, 32)), torch.randn(32))
    made = copy.deepcopy(linear)
    assert isinstance(made, torch.nn.Linear) and made.weight.requires_grad
    torch.testing.assert_close(made.weight.detach(), linear.weight)


@needs_kernels
def test_a_packed_map_takes_states_of_any_shape():
    linear, x = PackedLinear(EightBits.of(torch.randn(48, 32))), torch.randn(2, 3, 32)
    whole = linear(x)
    assert whole.shape == (2, 3, 48)
    torch.testing.assert_close(linear(x[0]), whole[0], atol=0.05, rtol=0.02)
    torch.testing.assert_close(linear(x[1, 2]), whole[1, 2], atol=0.05, rtol=0.02)


@needs_kernels
def test_gradients_pass_a_packed_map():
    linear, x = PackedLinear(EightBits.of(torch.randn(32, 32))), torch.randn(2, 32, requires_grad=True)
    linear(x).sum().backward()
    torch.testing.assert_close(x.grad, linear.weight.sum(0).expand(2, 32))


def states_of(backbone: Backbone, ids: torch.Tensor, cut: int) -> torch.Tensor:
    """Logits of all positions from `cut` on, token by token after a prefill."""
    cache = backbone.new_cache()
    backbone.encode(ids[:, :cut], hidden=[], cache=cache)
    last = [backbone.blocks]
    with torch.inference_mode():
        parts = [
            backbone.logits(backbone.encode(ids[:, i : i + 1], hidden=last, cache=cache).hidden[last[0]])
            for i in range(cut, ids.shape[1])
        ]
    return torch.cat(parts, 1)


@needs_kernels
@pytest.mark.parametrize(
    ("mixture", "architecture", "precision", "least"),
    [
        *((name, "llama", "auto", 0.03) for name in ("Q4_0", "Q4_1", "Q4_K_M")),
        ("Q4_1", "qwen2", "auto", 0.03),
        *((name, "llama", "int8", 0.05) for name in ("Q4_K_M", "Q5_K_M", "Q6_K", "Q8_0", "F16")),
        ("Q8_0", "qwen2", "int8", 0.05),
        ("Q4_0", "llama", "int4", 0.04),
        ("Q4_K_M", "llama", "int4", 0.05),
        ("F16", "llama", "int4", 0.4),
    ],
)
def test_a_gguf_file_computes_what_its_weights_say(
    tmp_path, tiny_tokenizer, monkeypatch, mixture, architecture, precision, least
):
    paths, file = (
        Paths(tmp_path),
        str(write_gguf(tmp_path / "tiny.gguf", mixture, architecture, tiny_tokenizer)),
    )
    plain = load_backbone(paths, file, "cpu", "float32")
    few = load_backbone(paths, file, "cpu", precision)
    assert few.fingerprint == plain.fingerprint and few.tokenizer_hash == plain.tokenizer_hash
    ids = torch.randint(3, 259, (1, 24), generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        theirs = plain.in_transformers(input_ids=ids).logits[:, 12:]
    torch.testing.assert_close(states_of(plain, ids, 12), theirs, atol=1e-4, rtol=1e-4)
    assert distance(states_of(few, ids, 12), theirs) < least
    whole = few.logits(few.encode(ids, hidden=[few.blocks]).hidden[few.blocks])[:, 12:]
    assert distance(whole, theirs) < least
    monkeypatch.setattr("engine.backbone.ggufs.GgufFile", None)  # all is there: the file is not read again
    again = load_backbone(paths, file, "cpu", precision)
    torch.testing.assert_close(states_of(again, ids, 12), states_of(few, ids, 12), atol=0, rtol=0)


@pytest.mark.parametrize(
    ("mixture", "precision"),
    [
        ("Q4_0", "int4"),
        ("Q4_K_M", "int4"),
        ("Q5_K_M", "int8"),
        ("Q6_K", "int8"),
        ("Q8_0", "int8"),
        ("F16", None),
    ],
)
def test_a_file_says_in_how_few_bits_it_is(tmp_path, tiny_tokenizer, mixture, precision):
    file = write_gguf(tmp_path / "tiny.gguf", mixture, "qwen2", tiny_tokenizer)
    assert few_bits(file) == precision
    for size in range(0, 200, 7):
        (tmp_path / "cut.gguf").write_bytes(file.read_bytes()[:size])
        assert few_bits(tmp_path / "cut.gguf") in (None, precision)


@needs_kernels
def test_a_large_file_of_few_bits_stays_in_few_bits(tmp_path, tiny_tokenizer, monkeypatch):
    file = str(write_gguf(tmp_path / "tiny.gguf", "Q4_K_M", "llama", tiny_tokenizer))
    assert load_backbone(Paths(tmp_path), file, "cpu", "auto").placement.precision == "float32"
    monkeypatch.setattr("engine.backbone.load.LARGE", 1)
    assert load_backbone(Paths(tmp_path), file, "cpu", "auto").placement.precision == "int4"
    assert load_backbone(Paths(tmp_path), file, "cpu", "float32").placement.precision == "float32"


@needs_kernels
def test_a_packed_model_carries_a_sidenet(tmp_path, tiny_tokenizer):
    file = write_gguf(tmp_path / "tiny.gguf", "Q8_0", "llama", tiny_tokenizer)
    backbone = load_backbone(Paths(tmp_path), str(file), "cpu", "int8")
    sidenet = SideNet(SideNetConfig.for_backbone(backbone), backbone).eval()
    hidden = backbone.encode(torch.randint(3, 259, (1, 9))).hidden
    normed = sidenet(hidden).normed
    torch.testing.assert_close(normed, backbone.final_norm(hidden[backbone.blocks]))


@needs_kernels
def test_a_folder_is_packed_matrix_by_matrix(tmp_path, tiny_tokenizer):
    model = tiny_model("qwen3")
    model.save_pretrained(tmp_path / "folder")
    tiny_tokenizer.save_pretrained(tmp_path / "folder")
    packed = load_backbone(Paths(tmp_path / "home"), str(tmp_path / "folder"), "cpu", "int8")
    ids = torch.randint(3, 259, (1, 20))
    with torch.no_grad():
        theirs = model(input_ids=ids).logits[:, 9:]
    assert distance(states_of(packed, ids, 9), theirs) < 0.05
    assert packed.fingerprint == Backbone(model, tiny_tokenizer, "").fingerprint
    assert [
        path.name for path in (tmp_path / "home" / "backbones").iterdir() if "int8" not in path.name
    ] == []


@needs_kernels
def test_what_cannot_be_packed_is_refused_and_leaves_nothing(tmp_path, tiny_tokenizer):
    tiny_model("gpt2").save_pretrained(tmp_path / "folder")
    tiny_tokenizer.save_pretrained(tmp_path / "folder")
    with pytest.raises(BadInput, match="of type 'gpt2' cannot be packed; choose --precision float32"):
        load_backbone(Paths(tmp_path / "home"), str(tmp_path / "folder"), "cpu", "int4")
    assert os.listdir(tmp_path / "home" / "backbones") == []


def test_a_broken_gguf_file_is_refused(tmp_path):
    (tmp_path / "broken.gguf").write_bytes(b"GGUF" + bytes(40))
    with pytest.raises(BadInput, match="no whole GGUF file"):
        GgufFile(tmp_path / "broken.gguf", 4, 2)


@needs_cuda
@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
def test_a_graphics_card_computes_the_same(tiny_folder, tmp_path, precision):
    ids = torch.randint(3, 259, (1, 24))
    here = load_backbone(Paths(tmp_path), str(tiny_folder), "cpu", "float32")
    there = load_backbone(Paths(tmp_path), str(tiny_folder), "cuda", precision)
    assert distance(states_of(there, ids, 12).float().cpu(), states_of(here, ids, 12)) < 0.05

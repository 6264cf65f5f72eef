"""What goes into a bank comes out; what does not fit is refused by name."""

import json
import shutil

import numpy as np
import pytest
import torch

from engine.bank import writer as writers
from engine.bank.bank import MemoryBank, delete_bank
from engine.bank.layout import BankIdentity, BankLayout, BankMismatch
from engine.bank.writer import BankWriter
from engine.errors import Failure
from engine.quantise import dequantise, quantise
from ingest.errors import BadInput
from tests.engine.synthetic_bank import IDENTITY, INT8, LAYOUT, fill, segment, size, tokens_of

SEGMENTS = 8


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return fill(tmp_path_factory.mktemp("banks") / "bank", SEGMENTS)


@pytest.fixture
def copy(folder, tmp_path):
    return shutil.copytree(folder, tmp_path / "copy")


@pytest.fixture(scope="module")
def bank(folder):
    return MemoryBank.open(folder, IDENTITY, LAYOUT)


def joined(kind: str, block: int, layout: BankLayout = LAYOUT) -> torch.Tensor:
    return torch.cat([segment(index, layout)[kind][block] for index in range(SEGMENTS)])


def test_counts_and_plain_arrays(bank):
    assert (bank.tokens, bank.segments) == (tokens_of(SEGMENTS), SEGMENTS)
    assert bank.chunks == sum(-(-size(index) // 4) for index in range(SEGMENTS)) == len(bank.chunk_starts)
    assert bank.published
    assert bank.token_ids.tolist() == list(range(bank.tokens))
    spans = [span for index in range(SEGMENTS) for span in segment(index)["spans"]]
    assert bank.spans.tolist() == [list(span) for span in spans]
    assert set(bank.chunk_starts.tolist()) >= {tokens_of(index) for index in range(SEGMENTS)}


def test_chunk_means_stop_at_the_end_of_a_segment(bank):
    hidden = torch.cat([segment(index)["hidden"] for index in range(SEGMENTS)])
    for chunk in range(bank.chunks):
        t0, t1 = bank.chunk_tokens(chunk)
        assert 1 <= t1 - t0 <= 4
        for block in (3, 5):
            mean = joined("keys", block)[t0:t1].mean(0)
            found = torch.tensor(bank.chunk_keys(block)[chunk]).float()
            torch.testing.assert_close(found, mean, rtol=1e-3, atol=1e-3)
        found = torch.tensor(bank.pooled[chunk]).float()
        torch.testing.assert_close(found, hidden[t0:t1].mean(0), rtol=1e-3, atol=1e-3)


def test_gather_returns_the_fp16_of_what_was_written(bank):
    ids = torch.randint(-1, bank.chunks, (3, 5, 6), generator=torch.Generator().manual_seed(0))
    keys, values, mask = bank.gather(5, ids)
    assert keys.shape == values.shape == (3, 5, 24, 2, 8) and keys.dtype == torch.float32
    assert mask.shape == (3, 5, 24) and mask.dtype == torch.bool
    exact = {kind: joined(kind, 5).half().float() for kind in ("keys", "values")}
    for place in np.ndindex(3, 5, 6):
        row = (*place[:2], slice(4 * place[2], 4 * place[2] + 4))
        t0, t1 = bank.chunk_tokens(ids[place]) if ids[place] >= 0 else (0, 0)
        assert mask[row].tolist() == [number < t1 - t0 for number in range(4)]
        assert torch.equal(keys[row][: t1 - t0], exact["keys"][t0:t1])
        assert torch.equal(values[row][: t1 - t0], exact["values"][t0:t1])
        assert not keys[row][t1 - t0 :].any() and not values[row][t1 - t0 :].any()


def test_gather_heads_takes_each_head_its_own_keys(bank):
    ids = torch.randint(-1, bank.chunks, (7, 6, 3), generator=torch.Generator().manual_seed(1))
    keys, values, mask = bank.gather_heads(3, ids)
    all_keys, all_values, all_mask = bank.gather(3, ids)
    assert keys.shape == values.shape == (7, 6, 12, 8) and torch.equal(mask, all_mask)
    for head in range(6):
        assert torch.equal(keys[:, head], all_keys[:, head, :, head // 3])
        assert torch.equal(values[:, head], all_values[:, head, :, head // 3])
    with pytest.raises(BadInput, match="cannot share"):
        bank.gather_heads(3, ids[:, :5])


def test_gather_of_nothing(bank):
    keys, _, mask = bank.gather(3, torch.empty(2, 0, dtype=torch.int64))
    assert keys.shape == (2, 0, 2, 8) and mask.shape == (2, 0)
    keys, _, mask = bank.gather(3, torch.full((2, 3), -1))
    assert keys.shape == (2, 12, 2, 8) and not keys.any() and not mask.any()


def test_ids_and_blocks_that_are_not_there_are_refused(bank):
    for wrong in (-2, bank.chunks):
        with pytest.raises(BadInput, match="chunk ids"):
            bank.gather(3, torch.tensor([wrong]))
    with pytest.raises(BadInput, match=r"blocks \(3, 5\), not 4"):
        bank.gather(4, torch.tensor([0]))
    with pytest.raises(BadInput, match=r"not 7"):
        bank.chunk_keys(7)


def test_token_and_chunk_ranges_hold_what_lies_wholly_inside(bank):
    spans, starts = bank.spans.tolist(), [*bank.chunk_starts.tolist(), bank.tokens]
    end = spans[-1][1]
    for char_start in range(-1, end + 2, 3):
        for char_end in (char_start, char_start + 1, char_start + 7, char_start + 60, end + 5):
            inside = [t for t, (a, b) in enumerate(spans) if char_start <= a and b <= char_end]
            t0, t1 = bank.token_range(char_start, char_end)
            assert list(range(t0, t1)) == inside
    for t0 in range(0, bank.tokens + 1, 2):
        for t1 in (t0, t0 + 1, t0 + 5, t0 + 33, bank.tokens):
            inside = [c for c in range(bank.chunks) if t0 <= starts[c] and starts[c + 1] <= t1]
            assert list(range(*bank.chunk_range(t0, t1))) == inside


def test_bytes_per_token(bank, folder):
    arrays = sum(path.stat().st_size for path in folder.glob("*.bin"))
    assert bank.nbytes == arrays and bank.bytes_per_token == arrays / bank.tokens
    # Default model and layout: at most a tenth of 30 blocks x 3 heads x 64 x (key, value) in fp16.
    usual = BankLayout((20,), kv_heads=3, head_dim=64, search_block=8, width=576)
    assert usual.bytes_per_token == 12 + 768 + (4 + 384 + 1152) / 4 <= 0.1 * 30 * 768


def test_int8_error_is_half_a_step(tmp_path):
    fill(tmp_path, SEGMENTS, INT8)
    bank = MemoryBank.open(tmp_path, IDENTITY, INT8)
    keys, values, mask = bank.gather(3, torch.arange(bank.chunks))
    for found, kind in ((keys, "keys"), (values, "values")):
        exact = joined(kind, 3, INT8)
        step = exact.abs().amax(-1, keepdim=True) / 127
        assert ((found[mask] - exact).abs() <= step * 0.5 * 1.002).all()
    assert bank.bytes_per_token < 0.6 * MemoryBank.open(fill(tmp_path / "16", 8), IDENTITY).bytes_per_token
    bank.verify()


@pytest.mark.parametrize("scale", [0.0, 1e-9, 1e-3, 1.0, 3e4, 1e6])
def test_quantising_any_magnitude(scale):
    x = np.random.default_rng(0).standard_normal((50, 3, 16)).astype(np.float32) * np.float32(scale)
    numbers, scales = quantise(x)
    assert numbers.dtype == np.int8 and np.abs(numbers.astype(int)).max() <= 127
    error = np.abs(dequantise(numbers, scales) - x)
    assert (error <= scales.astype(np.float32)[..., None] * 0.5001).all()
    assert (scales.astype(np.float32) <= np.abs(x).max(-1) / 127 * 1.001 + 6e-8).all()


def test_empty_bank_can_be_published_and_read(tmp_path):
    fill(tmp_path, 0)
    bank = MemoryBank.open(tmp_path)
    assert bank.published and bank.tokens == bank.chunks == 0 and bank.bytes_per_token == 0
    assert bank.token_range(0, 10) == bank.chunk_range(0, 0) == (0, 0)
    assert bank.gather(3, torch.tensor([-1]))[2].tolist() == [False] * 4
    assert bank.search_keys("map", lambda pooled: pooled[:, :5]).shape == (0, 5)
    bank.verify()


def test_a_published_bank_that_grows_is_unpublished_until_published_again(copy):
    with BankWriter.open(copy, LAYOUT, IDENTITY) as bank:
        assert bank.published and bank.end == segment(SEGMENTS - 1)["spans"][-1][1]
        bank.append(**segment(SEGMENTS))
        assert not MemoryBank.open(copy).published
        bank.publish()
    grown = MemoryBank.open(copy)
    assert grown.published and grown.segments == SEGMENTS + 1


REFUSED = [
    ({"token_ids": [], "spans": []}, "at least one token"),
    ({"token_ids": [[1, 2]]}, "at least one token"),
    ({"token_ids": [1.5] * 16}, "integers"),
    ({"token_ids": [-1] * 16}, "integers"),
    ({"token_ids": [2**31] * 16}, "integers"),
    ({"token_ids": [1] * 15}, "spans have shape"),
    ({"spans": [(5, 4)] * 16}, "every span"),
    ({"spans": [(-5, 4)] * 16}, "go back"),
    ({"spans": [(0, 2**32)] * 16}, "every span"),
    ({"spans": [(9, 9)] * 8 + [(3, 9)] * 8}, "go back"),
    ({"keys": {3: torch.zeros(16, 2, 8)}}, "those of blocks"),
    ({"keys": {3: torch.zeros(16, 2, 8), 5: torch.zeros(16, 2, 9)}}, "keys of block 5 have shape"),
    ({"values": {3: torch.zeros(15, 2, 8), 5: torch.zeros(16, 2, 8)}}, "values of block 3 have shape"),
    ({"hidden": None}, "hidden must fit"),
    ({"hidden": torch.zeros(16, 13)}, "entering block 4 have shape"),
    ({"hidden": torch.full((16, 12), torch.nan)}, "not finite"),
    ({"keys": {3: torch.full((16, 2, 8), torch.inf), 5: torch.zeros(16, 2, 8)}}, "not finite"),
    ({"values": {3: torch.zeros(16, 2, 8), 5: torch.full((16, 2, 8), 1e5)}}, "too large for float16"),
]


@pytest.mark.parametrize("change, words", REFUSED, ids=[words for _, words in REFUSED])
def test_a_segment_that_does_not_fit_is_refused_and_leaves_no_trace(tmp_path, change, words):
    with BankWriter.open(tmp_path, LAYOUT, IDENTITY) as bank:
        with pytest.raises((BadInput, Failure), match=words):
            bank.append(**(segment(0) | change))
        assert bank.tokens == bank.segments == 0
        assert not any(path.stat().st_size for path in tmp_path.glob("*.bin"))
        bank.append(**segment(0))
    assert MemoryBank.open(tmp_path).tokens == size(0)


def test_spans_must_not_go_back_across_segments_nor_after_resuming(tmp_path):
    fill(tmp_path, 2, publish=False)
    with BankWriter.open(tmp_path, LAYOUT, IDENTITY) as bank, pytest.raises(BadInput, match="go back"):
        bank.append(**(segment(2) | {"spans": segment(0)["spans"][: size(2)]}))


def test_hidden_states_beyond_fp16_are_saturated_not_refused(tmp_path):
    with BankWriter.open(tmp_path, LAYOUT, IDENTITY) as bank:
        bank.append(**(segment(0) | {"hidden": torch.full((16, 12), 1e6)}))
    assert (MemoryBank.open(tmp_path).pooled == 65504).all()


OTHERS = [
    ("content", {"identity": BankIdentity("other", "backbone", "tokenizer")}),
    ("backbone", {"identity": BankIdentity("book", "other", "tokenizer")}),
    ("tokenizer", {"identity": BankIdentity("book", "backbone", "other")}),
    ("memory_blocks", {"layout": BankLayout((3,), 2, 8, 4, 12)}),
    ("kv_heads", {"layout": BankLayout((3, 5), 1, 8, 4, 12)}),
    ("head_dim", {"layout": BankLayout((3, 5), 2, 16, 4, 12)}),
    ("search_block", {"layout": BankLayout((3, 5), 2, 8, None, 12)}),
    ("width", {"layout": BankLayout((3, 5), 2, 8, 4, 24)}),
    ("chunk_size", {"layout": BankLayout((3, 5), 2, 8, 4, 12, chunk_size=2)}),
    ("dtype", {"layout": BankLayout((3, 5), 2, 8, 4, 12, dtype="int8")}),
]


@pytest.mark.parametrize("field, wanted", OTHERS, ids=[field for field, _ in OTHERS])
def test_a_mismatch_is_refused_by_name_for_reading_and_writing(folder, field, wanted):
    with pytest.raises(BankMismatch, match=f"{field} .*add its file again") as reading:
        MemoryBank.open(folder, **wanted)
    with pytest.raises(BankMismatch, match=field) as writing:
        BankWriter.open(folder, **({"layout": LAYOUT, "identity": IDENTITY} | wanted))
    assert reading.value.field == writing.value.field == field
    assert "\n" not in str(reading.value)
    BankWriter.open(folder, LAYOUT, IDENTITY).close()  # the refusal let go of the lock


def test_another_format_is_refused(copy):
    values = json.loads((copy / "manifest.json").read_text())
    (copy / "manifest.json").write_text(json.dumps(values | {"format": 99}))
    with pytest.raises(BankMismatch, match="format 99, this version reads 2"):
        MemoryBank.open(copy)


@pytest.mark.parametrize(
    "layout",
    [
        {"dtype": "bfloat16"},
        {"memory_blocks": (3, 3)},
        {"chunk_size": 0},
        {"memory_blocks": (), "search_block": None},
    ],
    ids=str,
)
def test_impossible_layouts_are_refused(layout):
    with pytest.raises(BadInput):
        BankLayout(
            **{"memory_blocks": (3,), "kv_heads": 1, "head_dim": 4, "search_block": 1, "width": 4} | layout
        )


def test_no_bank_is_said(tmp_path):
    with pytest.raises(BadInput, match="add the document first"):
        MemoryBank.open(tmp_path / "nothing")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 2}', "\xff\xfe"], ids=repr)
def test_a_broken_manifest_is_said(copy, text):
    (copy / "manifest.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(Failure, match="damaged"):
        MemoryBank.open(copy)
    with pytest.raises(Failure, match="damaged"):
        BankWriter.open(copy, LAYOUT, IDENTITY)


@pytest.mark.parametrize("change", [{"tokens": 10**6}, {"chunks": 1}, {"segments": -1}], ids=str)
def test_counts_that_contradict_the_arrays_are_said(copy, change):
    values = json.loads((copy / "manifest.json").read_text())
    values["counts"] |= change
    (copy / "manifest.json").write_text(json.dumps(values))
    with pytest.raises(Failure, match="damaged"):
        MemoryBank.open(copy)


@pytest.mark.parametrize("spec", LAYOUT.arrays, ids=lambda spec: spec.name)
def test_a_short_or_missing_array_is_named(copy, spec):
    path = copy / spec.file
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(Failure, match=f"{spec.file} is too short"):
        MemoryBank.open(copy)
    with pytest.raises(Failure, match=f"{spec.file} is too short"):
        BankWriter.open(copy, LAYOUT, IDENTITY)
    path.unlink()
    with pytest.raises(Failure, match=f"{spec.file} is missing"):
        MemoryBank.open(copy)


@pytest.mark.parametrize("spec", LAYOUT.search_arrays, ids=lambda spec: spec.name)
@pytest.mark.parametrize("place", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("bit", [0, 14])
def test_a_flipped_bit_in_search_keys_fails_the_probes(copy, spec, place, bit):
    path = copy / spec.file
    array = np.fromfile(path, "<u2")
    array[round(place * (len(array) - 1))] ^= 1 << bit
    array.tofile(path)
    with pytest.raises(Failure, match=f"{spec.name}.* other answers"):
        MemoryBank.open(copy)


@pytest.mark.parametrize("spec", LAYOUT.arrays, ids=lambda spec: spec.name)
def test_a_flipped_byte_anywhere_is_found_by_verify(folder, copy, spec):
    MemoryBank.open(folder).verify()
    bank, path = MemoryBank.open(copy), copy / spec.file
    data = bytearray(path.read_bytes())
    data[len(data) // 3] ^= 1
    path.write_bytes(data)
    with pytest.raises(Failure, match=f"{spec.file} does not match its checksum"):
        bank.verify()


def test_a_probe_that_makes_no_sense_is_said(copy):
    values = json.loads((copy / "manifest.json").read_text())
    for probes in (
        [{}],
        [{**values["probes"][0], "chunk": 10**9}],
        [{**values["probes"][0], "best": {"no": []}}],
    ):
        (copy / "manifest.json").write_text(json.dumps(values | {"probes": probes}))
        with pytest.raises(Failure, match="other answers"):
            MemoryBank.open(copy)


def test_deleting_removes_all_and_tells_the_bytes(copy):
    MemoryBank.open(copy).search_keys("map", lambda pooled: pooled[:, :3])
    held = sum(path.stat().st_size for path in copy.iterdir())
    with BankWriter.open(copy, LAYOUT, IDENTITY), pytest.raises(Failure, match="wait until"):
        delete_bank(copy)
    assert delete_bank(copy) == held and not copy.exists()
    assert delete_bank(copy) == 0


def test_leftovers_of_a_deletion_cut_short_do_not_come_back(copy, tmp_path):
    MemoryBank.open(copy).search_keys("map", lambda pooled: pooled[:, :3])
    (copy / "manifest.json").unlink()
    fill(copy, 2)
    assert sorted(path.name for path in copy.iterdir()) == sorted(
        path.name for path in fill(tmp_path / "new", 2).iterdir()
    )


def test_a_second_writer_is_told_to_wait(tmp_path):
    with (
        BankWriter.open(tmp_path, LAYOUT, IDENTITY),
        pytest.raises(Failure, match="wait until it has finished"),
    ):
        BankWriter.open(tmp_path, LAYOUT, IDENTITY)
    BankWriter.open(tmp_path, LAYOUT, IDENTITY).close()


def test_a_folder_that_cannot_be_made_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(Failure, match="cannot write the memory bank"):
        BankWriter.open(tmp_path / "file" / "bank", LAYOUT, IDENTITY)


def test_numpy_and_half_precision_inputs_are_taken(tmp_path):
    given = segment(0)
    given["keys"] = {block: keys.half() for block, keys in given["keys"].items()}
    given["values"] = {block: values.numpy() for block, values in given["values"].items()}
    given["token_ids"] = torch.tensor(given["token_ids"])
    with BankWriter.open(tmp_path, LAYOUT, IDENTITY) as bank:
        bank.append(**given)
    keys, _, _ = MemoryBank.open(tmp_path).gather(3, torch.arange(4))
    assert torch.equal(keys, segment(0)["keys"][3].half().float())
    assert writers.LOCK in {path.name for path in tmp_path.iterdir()}

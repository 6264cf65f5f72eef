"""Every index through one table: the same answers as a plain product and a full sort."""

import time
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Lock

import numpy as np
import pytest
import torch

from engine.retrieval import resident, rounded
from engine.retrieval.index import Best, Held
from engine.retrieval.kinds import make_index, usable_kinds
from ingest.errors import BadInput

SHAPES = [  # chunks, key heads, query heads, dim, queries, k
    (1, 1, 1, 8, 1, 1),
    (700, 3, 9, 16, 5, 16),
    (5000, 1, 1, 32, 33, 7),
    (20_000, 2, 4, 8, 3, 16),
]
RANGES = [(0, None), (3, 40), (137, 4999), (10, 11), (5, 5), (0, 10**9), (9, 3)]


@pytest.fixture(params=[*usable_kinds(), "few"])
def kind(request, monkeypatch) -> str:
    """Each kind of index; that which rounds also where so few chunks are rounded as well."""
    if request.param == "few":
        return usable_kinds()[-1]
    monkeypatch.setattr(rounded, "are_few", lambda chunks, _: not chunks)
    return request.param


def keys_of(chunks: int, heads: int, dim: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((chunks, heads, dim)).astype(np.float16)


def queries_of(count: int, heads: int, dim: int) -> torch.Tensor:
    return torch.randn(count, heads, dim, generator=torch.Generator().manual_seed(1))


def reference(keys: np.ndarray, queries: torch.Tensor, k: int, lo: int, hi: int | None):
    """Sorted scores (q, heads, k) in double precision, −inf where too few, and all scores."""
    expanded = torch.from_numpy(keys).double().repeat_interleave(queries.shape[1] // keys.shape[1], dim=1)
    scores = torch.einsum("qhd,chd->qhc", queries.double(), expanded)
    allowed = torch.zeros(len(keys), dtype=torch.bool)
    allowed[lo : max(lo, len(keys) if hi is None else hi)] = True
    ranked = scores.masked_fill(~allowed, float("-inf")).sort(dim=-1, descending=True).values
    short = torch.full((*ranked.shape[:2], k), float("-inf"), dtype=torch.float64)
    return torch.cat((ranked, short), dim=-1)[..., :k], scores


def ids_of(
    keys: np.ndarray, queries: torch.Tensor, k: int, lo: int = 0, hi: int | None = None
) -> torch.Tensor:
    """Ids (q, heads, k) of a range without ties that holds k, by a full sort."""
    _, every = reference(keys, queries, k, lo, hi)
    return every[..., lo:hi].topk(k).indices + lo


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("limits", RANGES, ids=str)
def test_finds_the_k_largest_products_in_range(kind, shape, limits):
    chunks, key_heads, heads, dim, count, k = shape
    keys, queries = keys_of(chunks, key_heads, dim), queries_of(count, heads, dim)
    ids, scores = make_index(keys, kind).search(queries, k, *limits)
    wanted, every = reference(keys, queries, k, *limits)

    assert ids.shape == scores.shape == (count, heads, k)
    assert ids.dtype == torch.int64 and scores.dtype == torch.float32
    torch.testing.assert_close(scores.double(), wanted, rtol=1e-4, atol=1e-4)
    found = ids >= 0
    assert torch.equal(found, wanted > float("-inf"))
    assert (ids[~found] == -1).all() and (scores[~found] == float("-inf")).all()
    assert ((ids[found] >= limits[0]) & (ids[found] < min(limits[1] or chunks, chunks))).all()
    named = every.gather(-1, ids.clamp(min=0))
    torch.testing.assert_close(scores[found].double(), named[found], rtol=1e-4, atol=1e-4)
    for row, known in zip(ids.flatten(0, 1), found.flatten(0, 1), strict=True):
        assert len(set(row[known].tolist())) == known.sum()


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_all_kinds_name_the_same_chunks(kind, dtype):
    keys, queries = keys_of(20_000, 3, 64).astype(dtype), queries_of(4, 9, 64)
    ids, scores = make_index(keys, kind).search(queries, 16, 100, 19_000)
    usual_ids, usual_scores = make_index(keys).search(queries, 16, 100, 19_000)
    torch.testing.assert_close(scores, usual_scores, rtol=1e-5, atol=1e-4)
    apart = (usual_scores.diff(dim=-1).abs() > 1e-4).all(-1)  # rows without ties
    assert apart.any()
    assert torch.equal(ids[apart], usual_ids[apart])


@pytest.mark.parametrize("shape", [(0, 2, 8), (0, 8)])
def test_empty_index_finds_nothing(kind, shape):
    ids, scores = make_index(np.empty(shape, np.float16), kind).search(torch.randn(3, 4, 8), 5)
    assert ids.shape == (3, 4, 5) and (ids == -1).all() and (scores == float("-inf")).all()


def test_keys_without_heads_serve_every_query_head(kind):
    keys, queries = keys_of(300, 1, 16), queries_of(2, 3, 16)
    ids, _ = make_index(keys[:, 0], kind).search(queries, 4)
    again, _ = make_index(keys, kind).search(queries, 4)
    assert torch.equal(ids, again)


def test_rows_outside_the_range_are_never_read(kind):
    """A single read of a poisoned row would make its score NaN, which sorts first."""
    keys, queries = keys_of(9000, 2, 16), queries_of(3, 4, 16)
    clean = make_index(keys, kind).search(queries, 8, 1000, 7001)
    keys[:1000] = keys[7001:] = np.nan
    ids, scores = make_index(keys, kind).search(queries, 8, 1000, 7001)
    assert torch.equal(ids, clean[0]) and torch.equal(scores, clean[1])


def test_results_do_not_depend_on_block_sizes(kind, monkeypatch):
    keys, queries = keys_of(6000, 3, 16), queries_of(70, 9, 16)
    ids, _ = make_index(keys, kind).search(queries, 16)
    monkeypatch.setattr(resident, "TILE", 513)
    monkeypatch.setattr(resident, "SCORES", 513 * 3 * 27 * 2)
    monkeypatch.setattr(resident, "QUERIES_AT_ONCE", 9)
    monkeypatch.setattr(rounded, "ROWS_AT_ONCE", 100)
    monkeypatch.setattr(rounded, "QUERIES_AT_ONCE", 9)
    monkeypatch.setattr(rounded, "CANDIDATES", 4)
    again, _ = make_index(keys, kind).search(queries, 16)
    assert (ids == again).float().mean() > 0.999  # equal up to near-ties


def test_resident_copies_only_what_is_searched():
    keys, queries = keys_of(9000, 2, 16), queries_of(3, 4, 16)
    index = make_index(keys, "resident")
    assert index.nbytes == 0
    for limits, held in (((100, 300), 200), ((200, 500), 400), ((2000, 2100), 500), ((0, None), 9000)):
        ids, _ = index.search(queries, 8, *limits)
        assert index.nbytes == held * 2 * 16 * 4
        assert torch.equal(ids, ids_of(keys, queries, 8, *limits))


NEEDS_VNNI = pytest.mark.skipif("rounded" not in usable_kinds(), reason="this processor has no VNNI")


@NEEDS_VNNI
@pytest.mark.parametrize("outlier", [1.0, 60.0, 3000.0])
def test_what_rounding_hides_is_looked_for_until_the_result_is_proven(outlier, monkeypatch):
    """Near-equal keys, an outlier that coarsens all rounding, and chunks beyond the range first seen."""
    monkeypatch.setattr(rounded, "are_few", lambda chunks, _: not chunks)
    keys = keys_of(6000, 2, 16) * np.float16(0.02) + np.float16(0.5)
    keys[17] *= np.float16(outlier)
    keys[5000:] *= np.float16(4)
    index, queries = make_index(keys, "rounded"), queries_of(5, 4, 16)
    for limits in ((0, 4000), (100, 5500), (0, None)):
        _, scores = index.search(queries, 16, *limits)
        torch.testing.assert_close(
            scores.double(), reference(keys, queries, 16, *limits)[0], rtol=1e-5, atol=1e-5
        )


@NEEDS_VNNI
@pytest.mark.parametrize("first", [1, 5, 200])
def test_a_narrow_first_range_does_not_spoil_the_rounding_of_the_whole(first, monkeypatch):
    monkeypatch.setattr(rounded, "are_few", lambda chunks, _: not chunks)
    keys, queries = keys_of(20_000, 2, 64), queries_of(2, 4, 64)

    def candidates(*ranges: tuple[int, int | None]) -> int:
        index, scored = make_index(keys, "rounded"), []
        for limits in ranges:
            index.search(queries, 8, *limits)
        exact = index._exact
        index._exact = lambda q, ids, lo: scored.append(ids.shape[-1]) or exact(q, ids, lo)
        ids, _ = index.search(queries, 8)
        assert torch.equal(ids, ids_of(keys, queries, 8))
        return max(scored)

    assert candidates((0, first), (0, 2 * first), (0, None)) <= candidates((0, None)) < 2_000


@NEEDS_VNNI
def test_rounded_takes_a_byte_for_a_number(monkeypatch):
    monkeypatch.setattr(rounded, "are_few", lambda chunks, _: not chunks)
    keys = keys_of(3000, 3, 64)
    index = make_index(keys, "rounded")
    index.search(queries_of(1, 9, 64), 16, 1000, 2000)
    assert index.nbytes == 1000 * 3 * 64


def test_each_chunk_is_copied_once_and_by_one_thread_at_a_time():
    """A rounding fitted by two threads would spoil what the first had held."""
    copied, copying = [], Lock()

    def copy(lo: int, hi: int) -> None:
        assert copying.acquire(blocking=False), "two threads copy at once"
        time.sleep(0.01)  # so that the others come
        copied.extend(range(lo, hi))
        copying.release()

    held, together = Held(90, copy), Barrier(8)

    def need(start: int) -> None:
        together.wait(30)
        held.need(start, start + 20)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(need, range(0, 80, 10)))
    assert sorted(copied) == list(range(90)) and held.count == 90


def test_best_keeps_the_largest_over_blocks():
    scores = torch.randn(6, 9999, generator=torch.Generator().manual_seed(2))
    best = Best(6, 16)
    for lo in (0, 4000, 4001, 9000):
        hi = {0: 4000, 4000: 4001, 4001: 9000, 9000: 9999}[lo]
        best.add(scores[:, lo:hi], lo + 50)
    wanted = scores.topk(16)
    assert torch.equal(best.scores, wanted.values) and torch.equal(best.ids - 50, wanted.indices)


@pytest.mark.parametrize("bad", [torch.randn(2, 4, 9), torch.randn(2, 3, 8), torch.randn(2, 8)])
def test_queries_of_another_shape_are_refused(kind, bad):
    with pytest.raises(BadInput, match="queries are"):
        make_index(keys_of(50, 2, 8), kind).search(bad, 3)


def test_unknown_kind_and_keys_are_refused():
    with pytest.raises(BadInput, match="no index 'hnsw'"):
        make_index(keys_of(5, 1, 8), "hnsw")
    with pytest.raises(BadInput, match="search keys are"):
        make_index(np.zeros(5, np.float16))

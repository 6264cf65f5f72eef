"""The storage benchmarks run, measure what they say, and refuse what makes no sense."""

import json

import pytest

from engine.bench import bank, retrieval
from engine.retrieval.kinds import usable_kinds
from ingest.errors import BadInput
from tests.engine.commands import parsed


def test_bench_retrieval_measures_every_index(capsys):
    words = ("--chunks", "700", "--queries", "1", "3", "--seconds", "0", "--threads", "1")
    assert retrieval.run(parsed(retrieval, *words, "--json")) == 0
    *lines, last = capsys.readouterr().out.splitlines()
    rows = json.loads(last)["rows"]
    assert {(row["index"], row["queries"]) for row in rows} == {
        (kind, count) for kind in usable_kinds() for count in (1, 3)
    }
    assert all(row["agrees"] > 0.99 and row["milliseconds"] > 0 for row in rows)
    assert len(lines) == 1 + len(rows)


def test_bench_retrieval_refuses_nonsense():
    with pytest.raises(BadInput, match="no index 'hnsw'"):
        retrieval.run(parsed(retrieval, "--index", "hnsw"))


def test_bench_bank_memory_does_not_grow_with_length(tmp_path, capsys):
    words = ("--tokens", "8000", "80000", "--threads", "1", "--folder", str(tmp_path))
    assert bank.run(parsed(bank, *words, "--json")) == 0
    *lines, last = capsys.readouterr().out.splitlines()
    short, long = json.loads(last)["rows"]
    assert long["bytes_per_token"] == pytest.approx(1229, rel=0.01)
    added = 72_000 * 1229 / 1e6  # megabytes that would stay if a bank were held in memory
    assert long["writer_peak"] - short["writer_peak"] < 0.25 * added
    assert long["reader_own"] - short["reader_own"] < 0.25 * added
    assert list(tmp_path.iterdir()) == []
    assert any("10.0 times the tokens" in line for line in lines)

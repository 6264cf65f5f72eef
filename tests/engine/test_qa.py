"""Answers, citations and refusals are scored as they say, over a tiny model and real files."""

import json

import numpy as np
import pytest

from engine.answering.evidence import Weights
from engine.answering.prompt import is_small_talk
from engine.backbone.load import load_backbone
from engine.evaluation import citations, needles, qa
from engine.evaluation.citations import Cited, curve
from engine.evaluation.squadscore import exact, f1
from engine.paths import Paths
from engine.sidenet.config import SideNetConfig
from engine.sidenet.reading import ReadingLayers
from engine.sidenet.sidenet import SideNet
from tests.engine.commands import parsed, plain


class TestScores:
    @pytest.mark.parametrize(
        "answer, accepted, matched, shared",
        [
            ("The red fox.", ["a red fox"], 1, 1),
            ("“a red fox”", ["red fox", "x"], 1, 1),
            ("the red fox", ["a fox"], 0, 2 / 3),
            ("red red fox", ["red fox fox"], 0, 2 / 3),
            ("", ["fox"], 0, 0),
            ("wolf", ["fox"], 0, 0),
        ],
    )
    def test_squad_normalisation(self, answer, accepted, matched, shared):
        assert exact(answer, accepted) == matched
        assert f1(answer, accepted) == pytest.approx(shared)

    def test_curve_counts_questions_and_stops_where_nothing_is_left(self):
        found = [
            Cited(0.9, True, True, True),
            Cited(0.5, True, False, False),
            Cited(0.4, True, True, False),
            Cited(0.8, False, False, False),
        ]
        points = {point.least: point for point in curve(found)}
        assert points[0.0].coverage == 0.75
        assert points[0.0].precision == pytest.approx(2 / 3)
        assert (points[0.6].coverage, points[0.6].precision) == (0.25, 1.0)
        assert max(points) == 0.9


class TestSmallTalk:
    @pytest.mark.parametrize(
        "message", ["Hello!", "Thank you very much.", "Hi there, how are you today?", "ok, thanks"]
    )
    def test_small_talk(self, message):
        assert is_small_talk(message)

    @pytest.mark.parametrize(
        "message", ["Hello Dolly is sung by whom?", "Who says thank you?", "And you?", ""]
    )
    def test_no_small_talk(self, message):
        assert not is_small_talk(message)


@pytest.fixture(scope="module")
def backbone(tiny_folder, tmp_path_factory):
    return load_backbone(Paths(tmp_path_factory.mktemp("home")), str(tiny_folder))


@pytest.fixture
def commanded(backbone, tmp_path, monkeypatch):
    """Runs an evaluation over three tiny stories; returns what it wrote."""
    names = ("Farrow", "Amberley", "Tansy")
    documents, questions = [], []
    for name in names:
        lines = [
            f"{name} walked to the harbour on day {n} and counted {n * 3} grey gulls." for n in range(60)
        ]
        bought = f"At last {name} bought a {name.lower()} boat from the miller."
        sections = [{"id": "1", "text": " ".join(lines)}, {"id": "2", "text": bought}]
        documents.append({"document": name, "sections": sections})
        for section, question, answer in (
            ("2", f"What did {name} buy from the miller?", f"a {name.lower()} boat"),
            ("1", f"Where did {name} count gulls?", "the harbour"),
        ):
            row = {"document": name, "sections": [section], "question": question, "answers": [answer]}
            questions.append(row)
    files = []
    for stem, rows in (("documents", documents), ("questions", questions)):
        files.append(tmp_path / f"{stem}.jsonl")
        files[-1].write_text("\n".join(map(json.dumps, rows)))
    config = SideNetConfig.for_backbone(backbone, memory_layers=(1,), search="pooled", search_block=2)
    sidenet = SideNet(config, backbone).eval()

    def run(module, *words: str) -> dict[str, str]:
        for name, made in (("load_backbone", backbone), ("sidenet_for", sidenet)):
            if hasattr(module, name):
                monkeypatch.setattr(module, name, lambda *_, made=made: made)
        out = tmp_path / "out"
        assert module.run(parsed(module, *words, "--out", out, parse_file=plain)) == 0
        return {file.name: "" if file.suffix == ".png" else file.read_text() for file in out.iterdir()}

    reader = ReadingLayers(backbone, 2, 2).eval()
    monkeypatch.setattr("engine.model.reader_for", lambda *_: reader)
    run.sections = ["--sections", *map(str, files)]
    return run


def test_qa_command(commanded, tmp_path):
    written = commanded(qa, *commanded.sections, "--questions", "3", "--shelf", str(tmp_path / "shelf"))
    rows = {row["method"]: row for row in json.loads(written["qa.json"])}
    assert len(rows) == 8
    assert all(row["count"] == 3 for row in rows.values())
    quoting = rows["ask, never refusing"]
    assert quoting["refused"] == 0
    assert quoting["f1_interval"][0] <= quoting["f1"] <= quoting["f1_interval"][1]
    assert f"| {quoting['f1']:.3f} |" in written["qa.md"]


def test_half_of_the_stories(commanded):
    written = commanded(qa, *commanded.sections, "--half", "odd", "--ways", "BM25")
    (row,) = json.loads(written["qa.json"])
    assert row["count"] == 2


def test_citations_command(commanded):
    written = commanded(citations, *commanded.sections, "--questions", "4")
    result = json.loads(written["citations.json"])["documents"]
    coverage = [point["coverage"] for point in result["curve"]]
    assert coverage[0] > 0
    assert coverage == sorted(coverage, reverse=True)
    told_of = {where: np.mean(values) for where, values in result["told"].items()}
    assert set(told_of) == {"own story", "all stories", "another story", "own story up to the answer"}
    assert "citations.png" in written


class TestNeedles:
    def test_every_fact_stands_at_its_depth(self):
        text = "".join(f"It was day {n} of a long and quiet summer. " for n in range(3000))
        hay = needles.planted(text)
        assert len(hay.needles) == 50
        for needle, (statement, question) in zip(
            sorted(hay.needles, key=lambda one: one.question),
            sorted(needles.facts(), key=lambda one: one[1]),
            strict=True,
        ):
            assert needle.question == question
            assert any(statement in hay.text[a:b] for a, b in hay.spans[list(needle.gold)])
            depth = hay.spans[needle.gold[0]][0] / len(hay.text)
            assert abs(depth - needles.DEPTHS[needle.reading]) < 0.06

    def test_command(self, commanded, backbone, tmp_path, monkeypatch):
        book = tmp_path / "books" / "summer.txt"
        book.parent.mkdir()
        book.write_text("".join(f"It was day {n} of a long and quiet summer. " for n in range(1250)))
        sidenet = SideNet(
            SideNetConfig.for_backbone(backbone, search="pooled", search_block=2), backbone
        ).eval()
        monkeypatch.setattr(needles, "search_of", lambda *_: (sidenet.search.float(), 2))
        written = commanded(needles, "--books", str(book.parent), "--lengths", "20000,50000")
        grids = json.loads(written["needles.json"])["grids"]
        assert set(grids) == {"20000", "50000"}
        assert len(grids["50000"]["BM25"]) == len(needles.DEPTHS)
        assert np.mean(grids["50000"]["BM25"]) > 0.5  # names and things of other facts stand close by
        assert "needles.png" in written


def test_weights_of_nothing():
    assert Weights({}, 0).coverage([], frozenset()) == 0

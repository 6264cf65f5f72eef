"""`evaluate shelf` and `bench shelf` over a tiny random model: all books are asked, and counted."""

import json
from functools import partial

import pytest

from engine.answering.passages import book_weights, fused
from engine.backbone.load import load_backbone
from engine.bench import shelf as bench
from engine.catalogue import keeper
from engine.evaluation import shelf as evaluation
from engine.library import Library
from engine.paths import Paths
from engine.shelf.fulltext import Hit
from engine.sidenet.config import SideNetConfig
from engine.sidenet.reading import Calibration, ReadingLayers
from engine.sidenet.sidenet import SideNet
from ingest.errors import BadInput
from ingest.parse import parse
from tests.engine.commands import parsed

ANIMALS = ("heron", "otter", "gecko", "tiger")


@pytest.fixture
def home(tiny_folder, tmp_path, monkeypatch):
    """A shelf of four books, asked two at a time, and every library that is opened has its model."""
    backbone = load_backbone(Paths(tmp_path / "models"), str(tiny_folder))
    config = SideNetConfig.for_backbone(backbone, memory_layers=(1,), search="pooled", search_block=2)
    sidenet = SideNet(config, backbone).eval()
    layers = ReadingLayers(backbone, 2, 2).eval()
    layers.calibration = Calibration(least=0.0)
    monkeypatch.setattr("engine.model.reader_for", lambda *_: layers)

    def opened(paths: Paths, parse, model=None) -> Library:
        library = Library(paths, parse)
        library.model.take(backbone=backbone, sidenet=sidenet)
        return library

    library = opened(Paths(tmp_path / "home"), parse)
    for animal in ANIMALS:
        (tmp_path / f"{animal}.txt").write_text(f"The {animal} walked home and slept. " * 40)
        library.add(tmp_path / f"{animal}.txt")
    for module in (bench, evaluation):
        monkeypatch.setattr(module, "Library", opened)
    for module in (bench, keeper):
        monkeypatch.setattr(module, "BOOKS", 2)
    return tmp_path / "home"


def run(module, *words: object) -> int:
    return module.run(parsed(module, *words))


def test_the_right_book_is_counted(home, tmp_path, capsys):
    rows = [
        {"book": f"{animal}.txt", "question": f"What did the {animal} do?", "accept": ["walked", "slept"]}
        for animal in ANIMALS
    ]
    questions = tmp_path / "questions.jsonl"
    questions.write_text("\n".join(map(json.dumps, rows)))
    ask = partial(run, evaluation, "--questions", questions, "--home", home, "--threads", 1)
    assert ask("--out", tmp_path) == 0
    written = json.loads((tmp_path / "shelf.json").read_text())
    places = [one["place"] for one in written["questions"]]
    assert written["summary"]["right book first"] == places.count(1) / 4
    assert written["summary"]["right book among the first 3"] == 1
    assert (written["summary"]["books on the shelf"], written["summary"]["questions"]) == (4, 4)
    assert ask("--half", "odd", "--limit", 1) == 0
    assert "| questions | 1 |" in capsys.readouterr().out
    questions.write_text(json.dumps(rows[0] | {"book": "lion.txt"}))
    with pytest.raises(BadInput, match="lion.txt is not on the shelf"):
        ask()


def test_bench_shelf_measures_each_size_and_leaves_the_shelf_as_it_was(home, capsys):
    before = len(Library(Paths(home), parse).shelf.entries())
    sizes = ("--sizes", 2, 5, "--passages", 4, "--stems", 20)
    assert run(bench, *sizes, "--home", home, "--threads", 1, "--json") == 0
    few, many = json.loads(capsys.readouterr().out.splitlines()[-1])["shelves"]
    assert (few["books"], many["books"]) == (2, 5)
    assert many["passages"] == few["passages"] + 3 * 4
    for row in (few, many):
        assert row["recall_at_20"] == 1.0
        assert 0 < row["candidate_seconds"] < row["first_word_seconds"]
    assert len(Library(Paths(home), parse).shelf.entries()) == before


def test_of_passages_alike_those_come_first_whose_book_holds_the_words():
    hits = [Hit(name, 0, 0, 9, 1.0, "", ()) for name in ("atlas", "bible", "comedy")]
    assert fused(hits) == hits
    by_words = {"bible": 6.0, "comedy": 9.0}
    for remembered, order in (([], ["comedy", "bible", "atlas"]), (hits[1:2], ["bible", "comedy", "atlas"])):
        found = fused(hits, books=book_weights(by_words, remembered))
        assert [hit.document for hit in found] == order

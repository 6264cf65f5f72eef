"""Answers, citations and refusals are scored as they say, over a tiny model and real files."""

import argparse
import json
from dataclasses import replace

import numpy as np
import pytest

from engine.answering.citing import cite
from engine.answering.evidence import Likeness, Weights, sure, told
from engine.answering.prompt import is_small_talk
from engine.answering.quoting import Choice, kind_of, quotes
from engine.answering.reread import Chosen, chosen_from
from engine.backbone.load import load_backbone
from engine.evaluation import citations, needles, qa
from engine.evaluation.citations import Cited, curve
from engine.evaluation.squadscore import exact, f1
from engine.paths import Paths
from engine.shelf.fulltext import Hit
from engine.sidenet.config import SideNetConfig
from engine.sidenet.sidenet import SideNet
from ingest.document import Document

ROOM = (
    "Della counted her savings on the kitchen table. She had one dollar and eighty-seven cents, saved from "
    "the butcher. Her husband Jim came home at seven, because the office closed late. He kept a gold watch "
    "in the drawer under the mirror."
)


def hit(text: str, number: int = 0, start: int = 0) -> Hit:
    return Hit("d" * 12, number, start, start + len(text), 1.0, text, ())


def chosen_of(question: str, text: str = ROOM) -> Chosen:
    found = [hit(text), hit("Nothing else of note happened in the street that day.", 1, 1000)]
    return chosen_from(question, found, found)


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


class TestEvidence:
    def test_more_evidence_is_more_sure(self):
        near, far = Likeness.of([0.5, 0.3, 0.3], True), Likeness.of([0.3, 0.3, 0.3], False)
        assert near.margin == pytest.approx(0.2)
        assert sure(0.8, near) > sure(0.8, far) > sure(0.2, far)
        assert told(0.8, 0.9, near) > told(0.8, 0.9, far) > told(0.1, 0.9, far)

    def test_without_the_map_a_quarter_of_the_words_is_enough(self):
        assert told(0, 0.24, None) < 0.4 < told(0, 0.26, None)
        assert Likeness.of([], False) is None
        assert Likeness.of([0.4], False).margin == 0


class TestQuoting:
    @pytest.mark.parametrize(
        "question, kind",
        [
            ("Whose watch was it?", "who"),
            ("How much money did Della have?", "how many"),
            ("In which drawer was it?", "what"),
            ("Why did Jim come late?", "why"),
            ("How did Della feel?", None),
            ("Summarise what happened.", None),
            ("Was Jim late?", None),
        ],
    )
    def test_kinds(self, question, kind):
        assert kind_of(question) == kind

    @pytest.mark.parametrize(
        "question, held",
        [
            ("How much money had Della saved from the butcher?", "one dollar and eighty-seven cents"),
            ("Why did her husband Jim come home at seven?", "the office closed late"),
            ("Where did he keep a gold watch?", "drawer"),
        ],
    )
    def test_the_words_beside_those_of_the_question(self, question, held):
        best = quotes(question, chosen_of(question), 1)[0]
        assert held in best.text
        assert ROOM[best.start : best.end] == best.text
        assert len(best.text.split()) <= 14

    def test_how_many_wants_a_number(self):
        question = "How many cents had Della saved from the butcher?"
        found = quotes(question, chosen_of(question), 3)
        assert found
        assert all("seven" in one.text for one in found)
        none = "Della had saved a few cents from the butcher, who paid in silver."
        assert quotes(question, chosen_of(question, none), 3) == []

    def test_weak_evidence_is_not_quoted(self):
        question = "Where did Hamlet and Ophelia keep a gold crown?"
        assert quotes(question, chosen_of(question), 3) == []

    @pytest.mark.parametrize(
        "question", ["Who owned the grey geese of Dunmore?", "How many geese were grey?"]
    )
    def test_the_citation_holds_what_is_quoted(self, question):
        """A better stretch of the second passage, which is not cited, is not quoted."""
        first = "The grey geese of Dunmore were owned by old Marlow, who had five of them."
        document = Document(
            "T", "", "en", "text", f"{first}\n\nThe butcher owned seven grey geese of Dunmore."
        )
        passages = (hit(first), hit(document.text[len(first) + 2 :], 1, len(first) + 2))
        chosen = replace(chosen_from(question, passages, passages), sure=1.0)
        best = quotes(question, chosen, 1)[0]
        cited = cite(f"“{best.text}”", chosen, lambda _: document)
        assert any(one.start <= best.start and best.end <= one.end for one in cited)

    def test_only_a_quote_can_be_said(self, tiny_tokenizer):
        choice = Choice(["abc", "abd"], tiny_tokenizer)
        a, b, c, d = tiny_tokenizer("abcd")["input_ids"]
        end = tiny_tokenizer.eos_token_id
        assert choice([]) == [a]
        assert set(choice([a, b])) == {c, d}
        assert choice([a, b, d]) == [end]

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
        parser = argparse.ArgumentParser()
        module.add_arguments(parser)
        out = tmp_path / "out"
        arguments = parser.parse_args([*words, "--out", str(out)])
        arguments.parse_file = lambda path: argparse.Namespace(text=path.read_text())
        assert module.run(arguments) == 0
        return {file.name: file.read_text() for file in out.iterdir() if file.suffix != ".png"} | {
            file.name: "" for file in out.glob("*.png")
        }

    run.sections = ["--sections", *map(str, files)]
    return run


def test_qa_command(commanded, tmp_path, monkeypatch):
    monkeypatch.setattr("engine.answering.quoting.LEAST_SURE", 0.0)  # the tiny model's search is of chance
    written = commanded(qa, *commanded.sections, "--questions", "3", "--shelf", str(tmp_path / "shelf"))
    rows = {row["method"]: row for row in json.loads(written["qa.json"])}
    assert len(rows) == 7
    assert all(row["count"] == 3 for row in rows.values())
    quoting, alone = rows["the same, without refusing"], rows["backbone, no document"]
    assert quoting["f1"] > alone["f1"]
    assert quoting["f1_interval"][0] <= quoting["f1"] <= quoting["f1_interval"][1]
    assert f"| {quoting['f1']:.3f} |" in written["qa.md"]


def test_half_of_the_stories(commanded):
    written = commanded(qa, *commanded.sections, "--half", "odd", "--ways", "BM25")
    (row,) = json.loads(written["qa.json"])
    assert row["count"] == 2


def test_citations_command(commanded):
    written = commanded(citations, *commanded.sections)
    result = json.loads(written["citations.json"])["documents"]
    coverage = [point["coverage"] for point in result["curve"]]
    assert coverage[0] > 0
    assert coverage == sorted(coverage, reverse=True)
    told_of = {where: np.mean(values) for where, values in result["told"].items()}
    assert set(told_of) == {"own story", "all stories", "another story", "own story up to the answer"}
    assert told_of["own story"] > told_of["another story"]
    assert "(in use)" in written["citations.md"]
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
        book.write_text("".join(f"It was day {n} of a long and quiet summer. " for n in range(2500)))
        sidenet = SideNet(
            SideNetConfig.for_backbone(backbone, search="pooled", search_block=2), backbone
        ).eval()
        monkeypatch.setattr(needles, "search_of", lambda *_: (sidenet.search.float(), 2))
        written = commanded(needles, "--books", str(book.parent), "--lengths", "20000,90000")
        grids = json.loads(written["needles.json"])["grids"]
        assert set(grids) == {"20000", "90000"}
        assert len(grids["90000"]["BM25"]) == len(needles.DEPTHS)
        assert np.mean(grids["90000"]["BM25"]) > 0.5  # names and things of other facts stand close by
        assert "needles.png" in written


def test_weights_of_nothing():
    assert Weights({}, 0).coverage([], frozenset()) == 0

"""`evaluate readers` over a tiny model: what counts as right, and what is fitted to questions and kept."""

import json
from dataclasses import replace
from itertools import product
from types import SimpleNamespace

import pytest

from engine.answering.found import Findings, Span
from engine.answering.reading import Reading
from engine.backbone.load import load_backbone
from engine.errors import Failure
from engine.evaluation import fitting, readers
from engine.evaluation.readers import Asked
from engine.paths import Paths
from engine.sidenet.crossreader import CrossConfig
from engine.sidenet.reading import Calibration, ReadingLayers, load_reader, save_reader
from tests.engine.commands import parsed


@pytest.fixture(scope="module")
def backbone(tiny_folder, tmp_path_factory):
    return load_backbone(Paths(tmp_path_factory.mktemp("home")), str(tiny_folder))


SPAN = Span("b", 0, 1, "x", 0.5)


def asked(score: float, right: bool, answerable: bool = True) -> Asked:
    sure = float(right), float(right), 0.5
    read = Findings(
        (replace(SPAN, probability=score), replace(SPAN, text="y", start=9, probability=score / 4))
    )
    accepted = ("x" if right else "z",)
    return Asked("b", "q", accepted, True, answerable, "x", True, right, right, True, right, right, *sure,
                 Reading(read.answers(0, 0), findings=read), 0.1)  # fmt: skip


class TestReaders:
    def test_counts(self):
        values = readers.summary([asked(0.9, True), asked(0.2, False), asked(0.1, False, answerable=False)])
        assert (values["answerable"], values["right"], values["wrong"], values["refused"]) == (2, 0.5, 0.5, 0)
        assert (values["unanswerable"], values["unanswerable refused"], values["citations right"]) == (
            1,
            0,
            0.5,
        )
        assert values["an accepted word in the places shown"] == 0.5

    @pytest.mark.parametrize(
        ("text", "accepted", "held"),
        [
            ("“Mr. Hawk”", ["hawk"], True),
            ("tarts", ["tart"], True),
            ("start", ["tart"], False),
            ("", ["x"], False),
        ],
    )
    def test_an_accepted_word_begins_a_word(self, text, accepted, held):
        assert readers.holds(text, accepted) == held

    def test_a_whole_answer_is_right_from_half_of_its_words_on(self):
        row = {"answers": ["the grey goose of Tansy", "a goose"]}
        assert readers.is_right("goose", row) and readers.is_right("grey goose", row)
        assert not readers.is_right("a hen and a goose that were grey", row) and not readers.is_right("", row)

    def test_the_calibration_orders_and_its_threshold_keeps_the_bounds(self):
        found = [asked(0.5 + n / 60, True) for n in range(20)] + [
            asked(0.02 + n / 90, False) for n in range(20)
        ]
        found += [asked(0.03 + n / 90, False, answerable=False) for n in range(10)]
        scored = [fitting.Scored.of(one, one.reading.answers) for one in found]
        before = Calibration(offset=9.0, rank=0.7, least=0.99)
        calibration = fitting.fitted(scored, before)
        assert calibration.rank == 0.7  # of which nothing was asked
        sure = [calibration.confidence(one.score, one.second) for one in scored]
        assert min(sure[:20]) > max(sure[20:])
        said = [one for one, chance in zip(scored, sure, strict=True) if chance >= calibration.least]
        assert sum(not one.right and one.answerable for one in said) <= fitting.WRONG * 40
        assert sum(not one.answerable for one in said) <= 1

    @pytest.mark.parametrize(("fewest", "share"), [(4, 0.5), (5, 0.2)])
    def test_the_weights_with_which_most_are_right_are_taken(self, monkeypatch, fewest, share):
        monkeypatch.setattr(fitting, "FEWEST", fewest)
        right = replace(SPAN, probability=0.9), replace(SPAN, text="y", start=9, probability=0.5)
        wrong = replace(SPAN, probability=0.6), replace(SPAN, text="y", start=9, probability=0.9)
        read = Reading(findings=Findings(wrong, right))  # the cross-reader is right, from a share of .41 on
        four = [replace(asked(0.5, True), reading=read)] * 4

        def at(rank: float, share: float) -> list[fitting.Scored]:
            return [fitting.Scored.of(one, one.reading.findings.answers(rank, share)) for one in four]

        taken, scored = fitting.best(at, product((0.4,), fitting.STEPS), (0.4, 0.2))
        assert taken == (0.4, share)
        assert all(one.right for one in scored) == (share == 0.5)

    def test_a_number_of_earlier_checkpoints_is_passed_over_and_no_other(self):
        assert Calibration.of({"least": 0.4, "least_told": 0.05}) == Calibration(least=0.4)
        with pytest.raises(TypeError):
            Calibration.of({"sharpness": 1.0})

    def test_the_cross_reader_alone_has_a_calibration_of_its_own(self, backbone, tmp_path):
        save_reader(ReadingLayers(backbone, 2, 2), backbone, tmp_path)
        layers = load_reader(tmp_path, backbone)
        sure, unsure = (replace(SPAN, probability=chance) for chance in (0.9, 0.1))
        model = SimpleNamespace(
            reader=layers, reranker=None, crossreader=SimpleNamespace(config=CrossConfig(1, 1, 1, 1, 1))
        )
        by_text = [Reading(findings=Findings((unsure,), (one,))) for one in (sure, unsure)]
        told = [
            replace(asked(0.5, right), reading=one) for right, one in zip((True, False), by_text, strict=True)
        ]
        fitting.keep(told, model, tmp_path)
        kept = CrossConfig.from_json((tmp_path / "crossreader.json").read_text())
        assert kept.share == 0.8 and kept.alone != Calibration()
        assert kept.alone.confidence(0.9, 0) > 0.5 > kept.alone.confidence(0.1, 0)

    def test_what_fits_is_kept(self, backbone, tmp_path):
        layers = ReadingLayers(backbone, 2, 2).eval()
        save_reader(layers, backbone, tmp_path)
        model = SimpleNamespace(reader=layers, crossreader=None, reranker=None)
        fitting.keep([asked(0.5, True), asked(0.1, False)], model, tmp_path)
        kept = load_reader(tmp_path, backbone).calibration
        assert kept.slope != layers.calibration.slope and kept.rank == layers.calibration.rank
        model.reader = None
        with pytest.raises(Failure, match="no reading layers"):
            fitting.keep([], model, tmp_path)

    def test_command(self, backbone, tmp_path, monkeypatch):
        layers = ReadingLayers(backbone, 2, 2).eval()
        layers.calibration = Calibration(least=0.0)
        monkeypatch.setattr(readers, "load_backbone", lambda *_: backbone)
        monkeypatch.setattr("engine.model.reader_for", lambda *_: layers)
        (tmp_path / "geese.txt").write_text("Old Tansy kept a grey goose at the mill. " * 30)
        rows = [
            {"book": "geese.txt", "question": "Who kept a goose?", "accept": ["Tansy"], "answerable": True},
            {"book": "geese.txt", "question": "Which bus came?", "accept": [], "answerable": False},
            {"book": "geese.txt", "question": "What did Tansy keep?", "answers": ["a grey goose", "geese"]},
        ]
        (tmp_path / "questions.jsonl").write_text("\n".join(map(json.dumps, rows)))
        words = ("--questions", tmp_path / "questions.jsonl", "--books", tmp_path, "--out", tmp_path)
        assert readers.run(parsed(readers, *words)) == 0
        result = json.loads((tmp_path / "readers.json").read_text())
        assert [one["question"] for one in result["questions"]] == [row["question"] for row in rows]
        assert "| answerable | 2 |" in (tmp_path / "readers.md").read_text()

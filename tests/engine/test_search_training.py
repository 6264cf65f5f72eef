"""The search map: votes, questions with known passages, training that finds them, the evaluation's table."""

import json
import random
from collections import Counter

import numpy as np
import pytest
import torch

from engine.backbone.backbone import Backbone
from engine.evaluation import retrieval as evaluation
from engine.evaluation.haystack import haystack, overlapping, ranges
from engine.retrieval.votes import Ballot, ballot, owners, passage_scores, question_ids, question_states
from engine.sidenet.search import SearchMap
from engine.training import search as training
from engine.training.questions import (
    Question,
    Reading,
    apart,
    base_form,
    joined,
    made_questions,
    paired,
    question_from,
    sectioned,
)  # fmt: skip
from ingest.document import Document
from ingest.errors import BadInput
from tests.engine.commands import parsed
from tests.engine.families import tiny_model

BEASTS = ["otter", "badger", "falcon", "walrus", "lizard", "donkey", "magpie", "weasel"]


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    from engine.bench.tiny import tiny_tokenizer

    return Backbone(tiny_model("llama"), tiny_tokenizer(), "tiny")


def tale(number: int) -> Reading:
    """Each passage has a beast of its own, each question names it."""
    beasts = random.Random(number).sample(BEASTS, 4)
    text, spans = "", []
    for beast in beasts:
        part = f"Once upon a time the {beast} came home and slept. The {beast} was glad."
        spans.append((len(text), len(text) + len(part)))
        text += part + "\n\n"
    questions = tuple(Question(f"Who was the {beast}?", (index,)) for index, beast in enumerate(beasts))
    return Reading(f"tale {number}", text.strip(), tuple(spans), questions)


class TestVotes:
    def test_owners_by_the_middle_of_a_chunk(self):
        spans = np.array([(i, i + 1) for i in range(10)])
        starts = np.array([0, 4, 8])
        passages = np.array([(0, 5), (5, 8)])
        assert owners(spans, starts, passages).tolist() == [0, 1, -1]
        assert owners(spans, starts, passages[:0]).tolist() == [-1, -1, -1]

    def test_scores_equal_the_plain_formula_over_blocks(self, monkeypatch):
        monkeypatch.setattr("engine.retrieval.votes.ROWS_AT_ONCE", 3)
        generator = np.random.default_rng(0)
        keys = generator.standard_normal((11, 5)).astype(np.float16)
        owner = np.array([-1, 0, 0, 0, 0, 2, 2, -1, -1, 3, 3])
        asked = Ballot(torch.randn(4, 5), torch.rand(4))
        scores = passage_scores(keys, owner, 4, asked)
        for passage in (0, 2, 3):
            best = (keys[owner == passage].astype(np.float32) @ asked.queries.numpy().T).max(0)
            wanted = np.maximum(best, -1) @ asked.weights.numpy() / asked.weights.sum().item()
            assert scores[passage] == pytest.approx(wanted, abs=1e-5)
        assert scores[1] == pytest.approx(-1.0)

    def test_a_question_votes_with_its_own_tokens_and_what_follows(self, backbone):
        tokenizer = backbone.tokenizer
        ids, lead = question_ids(tokenizer, "Who?")
        turn = [{"role": "user", "content": "Who?"}]
        whole = tokenizer.apply_chat_template(turn, tokenize=False, add_generation_prompt=True)
        assert tokenizer.decode(ids) == whole
        assert tokenizer.decode(ids[lead:]).startswith("Who?")
        assert question_states(backbone, "Who?", 2).shape == (len(ids) - lead, backbone.width)


class TestQuestions:
    def test_sections_and_scope(self, tmp_path):
        documents, questions = tmp_path / "d.jsonl", tmp_path / "q.jsonl"
        sections = [{"id": "a", "text": "One\nline."}, {"id": "b", "text": "Two."}]
        documents.write_text(json.dumps({"document": "x", "sections": sections}))
        rows = [
            {"document": "x", "sections": ["b"], "question": "Which?", "answers": ["two"], "scope": "local"},
            {"document": "x", "sections": ["a"], "question": "All?", "answers": [], "scope": "summary"},
        ]
        questions.write_text("\n".join(map(json.dumps, rows)))
        (reading,) = sectioned(documents, questions)
        assert reading.text == "One line.\n\nTwo."
        assert [reading.text[a:b] for a, b in reading.spans] == ["One line.", "Two."]
        assert reading.questions == (Question("Which?", (1,), ("two",)),)

    def test_pairs_lose_their_title(self, tmp_path):
        file = tmp_path / "boolq.jsonl"
        file.write_text(json.dumps({"passage": "Bees -- Bees fly.", "question": "do bees fly"}))
        (reading,) = paired(file)
        assert reading.text == "Bees fly."
        assert reading.questions == (Question("Do bees fly?", (0,)),)

    @pytest.mark.parametrize("words", ["{", None])
    def test_unreadable_files(self, tmp_path, words):
        file = tmp_path / "rows.jsonl"
        if words is not None:
            file.write_text(words)
        with pytest.raises(BadInput, match="JSON lines"):
            paired(file)

    def test_joining_shifts_spans_and_questions(self):
        whole = joined([tale(0), tale(1)])
        for question in whole.questions:
            start, end = whole.spans[question.gold[0]]
            beast = question.text.removeprefix("Who was the ").rstrip("?")
            assert f"the {beast} came" in whole.text[start:end]

    def test_shared_text_is_kept_apart(self):
        long = " ".join(f"word{i}" for i in range(30))
        held = Reading("held", long, (), ())
        copy = Reading("copy", "Elsewhere, " + long.upper() + " it says.", (), ())
        assert apart([copy, tale(0)], [held]) == [tale(0)]

    @pytest.mark.parametrize(
        ("verb", "base"),
        [("walked", "walk"), ("carried", "carry"), ("stopped", "stop"), ("went", "go"), ("moved", "move")],
    )
    def test_base_forms(self, verb, base):
        assert base_form(verb) == base

    def test_a_statement_becomes_a_question(self):
        sentence = "Captain Nemo walked slowly towards the glass window of the saloon."
        frequency = Counter(word.lower() for word in sentence.split())
        made = {question_from(sentence, frequency, random.Random(seed)) for seed in range(40)}
        assert "Who walked slowly towards the glass window of the saloon?" in made
        assert any(one.startswith("Why did Captain Nemo walk slowly towards the glass") for one in made)
        assert question_from("Yes.", frequency, random.Random(0)) is None

    def test_made_questions_know_their_passage(self):
        lines = [f"The old {beast} walked {beast}wards through Xanth{i} with great care." for i, beast in
                 enumerate(BEASTS * 3)]  # fmt: skip
        reading = made_questions(Document("t", "", "en", "text", " ".join(lines)), "t", 50)
        assert reading.questions
        for question in reading.questions:
            start, end = reading.spans[question.gold[0]]
            told = set(reading.text[start:end].lower().replace(".", "").split())
            assert len(told & set(question.text.lower().rstrip("?").replace(",", "").split())) >= 2


class TestTraining:
    SETTINGS = training.SearchSettings(block=1, dim=32, steps=80, texts=3, questions=12, warmup=5, drop=0.0)

    def test_folded_map_equals_the_map_in_training(self):
        torch.manual_seed(0)
        pooled, asked = torch.randn(200, 12) * torch.rand(12) + 3, torch.randn(50, 12) - 2
        model = training.MapInTraining(pooled, asked, training.SearchSettings(dim=4)).eval()
        with torch.no_grad():
            model.query.add_(torch.randn_like(model.query) * 0.1)
            model.weight.add_(torch.randn_like(model.weight))
        search = model.folded()
        queries, weights = model.ask(asked)
        assert torch.allclose(search.keys(pooled), model.keys(pooled), atol=1e-5)
        assert torch.allclose(search.queries(asked), queries, atol=1e-5)
        assert torch.allclose(search.weights(asked), weights, atol=1e-4)

    def test_training_votes_equal_answering_votes(self):
        keys = torch.nn.functional.normalize(torch.randn(9, 6), dim=-1)
        queries = torch.nn.functional.normalize(torch.randn(3, 6), dim=-1)
        owner = torch.tensor([0, 0, 0, 2, 2, 3, 3, 3, 3])
        scores = training.votes(keys, owner, 4, queries).mean(1).numpy()
        asked = Ballot(queries, torch.ones(3))
        assert scores == pytest.approx(passage_scores(keys.numpy(), owner.numpy(), 4, asked), abs=1e-5)

    def test_whitened_states_vary_alike(self):
        states = torch.randn(4000, 6) @ torch.randn(6, 6) + 5
        mean, white = training.whitening(states, 0.0)
        assert torch.allclose(torch.cov(((states - mean) @ white).T), torch.eye(6), atol=0.02)

    def test_it_learns_to_find_the_passage(self, backbone):
        frozen = [training.freeze_reading(backbone, tale(n), 1) for n in range(8)]
        losses: list[float] = []
        search = training.train_map(frozen, self.SETTINGS, lambda step, loss: losses.append(loss))
        assert np.mean(losses[-10:]) < 0.6 * np.mean(losses[:3])
        found = [
            passage_scores(
                search.keys(text.pooled.float()).detach().numpy(),
                text.owner.numpy(),
                text.passages,
                ballot(search, states.float()),
            ).argmax()
            == gold[0]
            for text in frozen
            for states, gold in zip(text.states, text.gold, strict=True)
        ]
        assert np.mean(found) > 0.6  # chance is a quarter

    def test_frozen_texts_are_kept(self, backbone, tmp_path, monkeypatch):
        first = training.freeze_reading(backbone, tale(0), 1, tmp_path)
        monkeypatch.setattr(training, "freeze_text", None)
        again = training.freeze_reading(backbone, tale(0), 1, tmp_path)
        assert torch.equal(first.pooled, again.pooled)
        assert all(torch.equal(a, b) for a, b in zip(first.states, again.states, strict=True))

    def test_nothing_to_learn_from(self):
        with pytest.raises(BadInput, match="no questions"):
            training.train_map([], self.SETTINGS)

    def test_maps_belong_to_a_backbone(self, backbone, tmp_path):
        search = SearchMap(backbone.width, 5)
        training.save_map(search, 2, backbone.fingerprint, tmp_path)
        loaded, block = training.load_map(tmp_path, backbone)
        assert block == 2
        assert torch.equal(loaded.key.weight, search.key.weight)
        training.save_map(search, 2, "another", tmp_path)
        with pytest.raises(BadInput, match="another model"):
            training.load_map(tmp_path, backbone)
        with pytest.raises(BadInput, match="no search map"):
            training.load_map(tmp_path / "none", backbone)


class TestEvaluation:
    def hay(self, padding=()):
        return haystack("tales", [tale(0), tale(1), tale(2)], padding, 10_000)

    def test_passages_stay_within_their_reading(self):
        hay = self.hay(["A book of other things. " * 40])
        assert len(hay.text) > 900
        for border in hay.borders:
            assert not any(start < border < end for start, end in hay.spans)
        for needle in hay.needles:
            beast = needle.question.removeprefix("Who was the ").rstrip("?")
            assert any(f"the {beast} came" in hay.text[slice(*hay.spans[index])] for index in needle.gold)

    def test_a_copy_of_a_reading_is_no_padding(self):
        copy = " ".join(f"word{i}" for i in range(40))
        told = Reading("told", copy, ((0, len(copy)),), ())
        hay = haystack("x", [told], [copy + " and more", "Something else."], 10_000)
        assert hay.text == copy + "\n\nSomething else."

    def test_right_passages_share_half(self):
        spans = np.array([(0, 10), (10, 20), (20, 60)])
        assert overlapping(spans, 5, 20) == [0, 1]
        assert overlapping(spans, 16, 28) == [2]

    def test_ranges_cover_every_question_once(self):
        hay = self.hay(["A book of other things. " * 40])
        ends = np.arange(1, len(hay.text) + 1)  # a token is a character
        for tokens in (300, 600, 900, 5000):
            made = ranges(hay, ends, tokens)
            assert sorted(i for one in made for i in one.needles) == list(range(len(hay.needles)))
        assert len(ranges(hay, ends, 300)) == 3
        assert ranges(hay, ends, 5000)[0].end == len(hay.text)

    def test_ranks(self):
        scores = np.array([0.5, 0.9, 0.5, -np.inf])
        assert evaluation.first_rank(scores, [1]) == 0
        assert evaluation.first_rank(scores, [0]) == 1.5
        assert evaluation.first_rank(scores, [3]) == float("inf")
        made = evaluation.row("q", 10, "m", 4, [0, 1.5, float("inf")])
        assert (made.recall_1, made.recall_4, made.recall_8) == pytest.approx((1 / 3, 2 / 3, 2 / 3))
        assert made.mrr == pytest.approx((1 + 1 / 2.5) / 3)

    def test_fusions_reward_agreement(self):
        memory, words = np.array([0.9, 0.8, 0.1, 0.2]), np.array([-np.inf, 5.0, 6.0, 1.0])
        for fused in evaluation.fusions(memory, words).values():
            assert fused.argmax() == 1

    def test_the_command(self, backbone, tmp_path, monkeypatch, capsys):
        rows = {"d": [], "q": []}
        for number in range(3):
            one = tale(number)
            sections = [{"id": str(i), "text": one.text[a:b]} for i, (a, b) in enumerate(one.spans)]
            rows["d"].append({"document": one.name, "sections": sections})
            rows["q"] += [
                {"document": one.name, "sections": [str(q.gold[0])], "question": q.text, "answers": []}
                for q in one.questions
            ]
        for name, lines in rows.items():
            (tmp_path / f"{name}.jsonl").write_text("\n".join(map(json.dumps, lines)))
        monkeypatch.setattr(evaluation, "load_backbone", lambda *_: backbone)
        monkeypatch.setattr(training, "load_backbone", lambda *_: backbone)
        two, out = ("--sections", tmp_path / "d.jsonl", tmp_path / "q.jsonl"), tmp_path / "out"
        more = ("--out", tmp_path / "map", "--cache", tmp_path / "cache", "--block", 1, "--dim", 8)
        assert training.run(parsed(training, *two, *more, "--steps", 3)) == 0
        more = ("--map", tmp_path / "map", "--lengths", "300,2000", "--raw-block", 2, "--out", out)
        assert evaluation.run(parsed(evaluation, *two, *more)) == 0
        table = (out / "retrieval.md").read_text()
        assert table in capsys.readouterr().out
        found = json.loads((out / "retrieval.json").read_text())["rows"]
        assert {row["tokens"] for row in found} == {300, 2000}
        methods = {row["method"]: row for row in found if row["tokens"] == 2000}
        assert set(methods) == {"raw attention keys", "memory (trained search)", "BM25", "fusion (z-scores)",
                                "fusion (reciprocal ranks)"}  # fmt: skip
        assert methods["BM25"]["count"] == 12

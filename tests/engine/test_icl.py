"""`evaluate icl` over a tiny random model: every row is there, and counts what it should."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from app.command_line import commands
from engine.backbone.load import load_backbone
from engine.demonstrations.calibration import calibrated, empty_scores
from engine.demonstrations.mixture import LIKELIHOOD_ALONE, UNFITTED, VOTE_ALONE, fit_mixture
from engine.demonstrations.shots import fitting, random_rows
from engine.demonstrations.vote import Vote, log_softmax
from engine.evaluation.icl import Protocol, nearest, prepare
from engine.evaluation.icl_report import Score, markdown, summaries
from engine.evaluation.squadscore import exact
from engine.paths import Paths
from engine.sidenet.checkpoint import sidenet_for
from engine.training.memtrm import MemTRM, memtrm_config, save_memtrm

WORDS = {"positive": ("lovely", "charming", "bright"), "negative": ("dreary", "clumsy", "hollow")}


def write_task(folder: Path, name: str, train: int, test: int) -> None:
    for part, count, start in (("train", train, 0), ("test", test, 1000)):
        rows = [
            f"a {WORDS[label][n % 3]} film of the year {start + n},{label}\n"
            for n in range(count)
            for label in [("positive", "negative")[n % 2]]
        ]
        (folder / f"{name}-{part}.csv").write_text("text,label\n" + "".join(rows))


@pytest.fixture
def measured(tmp_path, tiny_folder, monkeypatch):
    monkeypatch.setattr("engine.evaluation.icl.HELD_OUT", 20)
    write_task(tmp_path, "mr", 80, 12)
    out = tmp_path / "out"
    argv = ["evaluate", "icl", "--tasks", str(tmp_path), "--out", str(out), "--only", "mr", "--seeds", "2"]
    argv += ["--sizes", "10,0", "--shots", "2,4", "--dense-examples", "4", "--model", str(tiny_folder)]
    backbone = load_backbone(Paths(tmp_path), str(tiny_folder))
    save_memtrm(MemTRM(memtrm_config(backbone, 2, gate_start=-30.0), backbone), backbone, tmp_path / "memtrm")
    argv += ["--memtrm", str(tmp_path / "memtrm")]
    assert commands.main(argv) == 0
    return json.loads((out / "icl.json").read_text()), (out / "icl.md").read_text(), out


def test_every_row_is_measured(measured, tmp_path):
    found, text, out = measured
    rows = {(one["row"], one["scoring"], one["shots"]) for one in found["rows"]}
    for shots in ("2", "4"):
        for row in ("backbone", "SideNet, no memory", "SideNet, memory 10", "SideNet, memory all"):
            assert {(row, "full", shots), (row, "labels", shots)} <= rows
        for row in ("majority", "kNN over pooled states, 10", "vote alone, all"):
            assert (row, "labels", shots) in rows
        assert ("classify (SideNet and vote), memory all", "labels", shots) in rows
    dense = [one for one in found["scores"] if one["full"]]
    assert {one["tests"] for one in dense} == {4} and dense[0]["shots"] > 20
    by_row = {(one["row"], one["scoring"], one["shots"]): one for one in found["rows"]}
    # the shipped SideNet is made for another backbone: the identity start is the backbone itself
    for scoring in ("full", "labels"):
        backbone, sidenet = by_row["backbone", scoring, "4"], by_row["SideNet, memory all", scoring, "4"]
        assert backbone["average"] == sidenet["average"] and backbone["seeds"] == 2
        # so is a MemTRM that was never trained and whose gate is shut
        for name in ("MemTRM, no memory", "MemTRM, memory 10", "MemTRM, memory all"):
            assert by_row[name, scoring, "4"]["average"] == backbone["average"]
    assert by_row["classify (SideNet and vote), memory all", "labels", "4"]["average"] >= 80
    assert "| majority | 50.0 | 50.0 | 0.0 | 2 | 12 |" in text
    assert (out / "icl.png").read_bytes().startswith(b"\x89PNG")
    assert set(found["seconds"]["mr"]) == {"backbone", "classify"}


def test_wrong_tasks_are_one_line(tmp_path, tiny_folder, capsys):
    base = ["evaluate", "icl", "--tasks", str(tmp_path), "--out", str(tmp_path / "out")]
    base += ["--model", str(tiny_folder)]
    assert commands.main([*base, "--only", "trec"]) == 2
    assert "there is no task 'trec'" in capsys.readouterr().err
    assert commands.main([*base, "--only", "mr"]) == 2
    assert "mr-train.csv is no CSV" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        commands.main([*base, "--shots", "few"])
    assert "'few' is no list of numbers" in capsys.readouterr().err


def test_summaries_average_tasks_and_deviate_over_seeds():
    def score(task, seed, accuracy):
        return Score(task, "row", "labels", 4, seed, 0, accuracy, 10)

    (found,) = summaries([score("a", 0, 0.5), score("a", 1, 0.7), score("b", 0, 0.9), score("b", 1, 0.9)])
    assert found.tasks == {"a": pytest.approx(60), "b": pytest.approx(90)}
    assert found.average == pytest.approx(75) and found.deviation == pytest.approx(5)
    assert (found.seeds, found.texts) == (2, 20)


def test_a_row_says_on_how_many_texts_and_seeds_it_was_measured():
    scores = [Score("mr", "backbone", "full", 20, seed, 0, 0.6, 64) for seed in range(6)]
    scores.append(Score("mr", "backbone, window of 8,192 full", "full", 300, 0, 0, 0.78, 1000, full=True))
    text = markdown(summaries(scores))
    assert "| | mr | average | ± over seeds | seeds | texts |" in text
    assert "| backbone | 60.0 | 60.0 | 0.0 | 6 | 64 |" in text
    assert "| backbone, window of 8,192 full | 78.0 | 78.0 | - | 1 | 1,000 |" in text


def test_other_texts_have_another_bank(tmp_path, tiny_folder):
    backbone = load_backbone(Paths(tmp_path), str(tiny_folder))
    sidenet = sidenet_for(backbone)
    words = []
    for train in (8, 8, 10):
        write_task(tmp_path, "mr", train, 4)
        if len(words) == 1:
            path = tmp_path / "mr-train.csv"
            path.write_text(path.read_text().replace("bright", "sunlit"))
        memory = prepare("mr", tmp_path, tmp_path / "banks", backbone, sidenet, Protocol()).memory
        words.append(backbone.tokenizer.decode(memory.bank.token_ids))
        assert all(one.text in words[-1] for one in memory.examples)
    assert ["sunlit" in one for one in words] == [False, True, False]


def test_calibration_takes_off_what_empty_inputs_score():
    labels = torch.tensor([[0.6, 0.4], [0.9, 0.1]]).log()
    empty = torch.tensor([[0.8, 0.2], [0.8, 0.2]]).log()
    assert calibrated(labels, empty_scores(empty)).argmax(1).tolist() == [1, 0]
    np.testing.assert_allclose(calibrated(labels, 0.0), labels.double().numpy(), atol=1e-6)


# the vote


@pytest.fixture
def clouds() -> tuple[np.ndarray, np.ndarray]:
    make = np.random.default_rng(0)
    labels = make.integers(0, 3, 300)
    centres = 2.0 * make.standard_normal((3, 20))
    return (centres[labels] + make.standard_normal((300, 20))).astype(np.float32), labels


def test_the_vote_is_least_squares_and_leaving_one_out_is_exact(clouds):
    states, labels = clouds
    vote = Vote.fit(states, labels, 3)
    assert (vote.scores(states).argmax(1) == labels).mean() > 0.95
    z = (states - vote.mean) / vote.scale
    goal = np.eye(3)[labels] - vote.prior
    penalty = min(
        (0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0),
        key=lambda p: np.abs(np.linalg.solve(z.T @ z + p * 20 * np.eye(20), z.T @ goal) - vote.weights).max(),
    )
    rest = np.arange(300) != 7
    alone = np.linalg.solve(z[rest].T @ z[rest] + penalty * 20 * np.eye(20), z[rest].T @ goal[rest])
    np.testing.assert_allclose(z[7] @ alone + vote.prior, vote.left_out[7], atol=1e-4)


def test_more_demonstrations_vote_better_and_few_tell_their_shares(clouds):
    states, labels = clouds
    few, many = (Vote.fit(states[:n], labels[:n], 3) for n in (20, 250))
    right = [(vote.scores(states[250:]).argmax(1) == labels[250:]).mean() for vote in (few, many)]
    assert right[1] >= right[0] and right[1] > 0.9
    alone = Vote.fit(states[:4], np.array([0, 0, 0, 2]), 3)
    assert alone.prior.tolist() == [0.75, 0, 0.25]
    assert (alone.scores(states).argmax(1) == 0).all()


def test_nearest_neighbours_chooses_k_by_itself(clouds):
    states, labels = clouds
    vote = Vote.fit(states[:250], labels[:250], 3)
    found = nearest(vote, states[:250], labels[:250], states[250:], 3)
    assert (found == labels[250:]).mean() > 0.9


def test_the_mixture_trusts_what_was_right_on_held_out_examples():
    make = np.random.default_rng(1)
    labels = make.integers(0, 2, 60)
    good, noise = 4.0 * np.eye(2)[labels], 4.0 * np.eye(2)[make.integers(0, 2, 60)]
    by_vote = fit_mixture(log_softmax(good), log_softmax(noise), labels)
    by_words = fit_mixture(log_softmax(noise), log_softmax(good), labels)
    assert by_vote.vote > by_vote.likelihood and by_words.likelihood > by_words.vote
    assert fit_mixture(good[:5], noise[:5], labels[:5]) == UNFITTED
    assert VOTE_ALONE.scores(log_softmax(good), noise).argmax(1).tolist() == labels.tolist()
    assert LIKELIHOOD_ALONE.scores(noise, log_softmax(good)).argmax(1).tolist() == labels.tolist()


# the window


def test_every_label_gets_its_turn_in_the_window():
    labels = np.array([0] * 50 + [1] * 3 + [2] * 3)
    rows = np.arange(56)
    chosen = random_rows(rows, labels, 6, seed=3)
    assert sorted(labels[chosen]) == [0, 0, 1, 1, 2, 2]
    assert random_rows(rows, labels, 6, seed=3).tolist() == chosen.tolist()
    assert len(set(random_rows(rows, labels, 56, seed=1).tolist())) == 56
    assert len(random_rows(rows, labels, 5, seed=1, evenly=False)) == 5


def test_a_window_takes_whole_demonstrations_only():
    shots = [[1] * 5, [2] * 9, [3] * 4, [4] * 3]
    assert fitting(shots, 12) == [0, 2, 3]
    assert fitting(shots, 2) == []


EXACT = [
    ("The Broncos!", ["Broncos"], True),
    ("broncos of Denver", ["Denver Broncos"], False),
    ("1,200", ["1200"], True),
    ("“Denver” Broncos", ["Denver Broncos"], True),
]


@pytest.mark.parametrize(("answer", "golds", "right"), EXACT)
def test_exact_match_as_squad_compares(answer, golds, right):
    assert exact(answer, golds) == right


def test_squad_with_demonstrations_in_memory(tmp_path, tiny_folder, monkeypatch):
    from engine.evaluation import icl_squad

    assert icl_squad.exact is exact
    monkeypatch.setattr(icl_squad, "IN_MEMORY", 4)
    documents = [
        {"document": f"d{n}", "sections": [{"id": "1", "text": f"The number is {n}."}]} for n in range(6)
    ]
    questions = [
        {"document": f"d{n}", "sections": ["1"], "question": "Which number?", "answers": [str(n)]}
        for n in range(6)
    ]
    for name, rows in (("documents", documents), ("questions", questions)):
        (tmp_path / f"q-{name}.jsonl").write_text("\n".join(map(json.dumps, rows)))
    backbone = load_backbone(Paths(tmp_path), str(tiny_folder))
    found = icl_squad.squad(tmp_path / "q-questions.jsonl", 2, tmp_path, backbone, sidenet_for(backbone))
    assert found["questions"] == 2
    assert found["backbone"] == found["SideNet, no memory"] == found["SideNet, memory 4"]

"""`python launch.py evaluate icl`: few-shot classification with demonstrations in the window and in memory.

The paper's five tasks, templates and protocol: a few shots in the window, thousands of demonstrations in
memory, several seeds. Two ways to score: "full", the likeliest next token of the whole vocabulary must be the
label's, as in the paper; "labels", among the labels only and calibrated, as `classify` does it. All rows of
one seed share shots and test texts, and the backbone reads each text once for all of them.
"""

import argparse
import csv
import json
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from engine.arguments import natural, numbers, positive, thread_count
from engine.backbone.backbone import Backbone
from engine.backbone.load import load_backbone
from engine.bank.bank import MemoryBank
from engine.demonstrations.calibration import CONTENT_FREE, calibrated, empty_scores
from engine.demonstrations.classifier import Classifier
from engine.demonstrations.examplebank import encode_examples, voting_blocks, written
from engine.demonstrations.memory import DemonstrationMemory, DemonstrationReader
from engine.demonstrations.mixture import HELD_OUT, fit_mixture
from engine.demonstrations.settings import Settings
from engine.demonstrations.shots import fitting
from engine.demonstrations.store import Example
from engine.demonstrations.task import Task
from engine.demonstrations.vote import Vote
from engine.demonstrations.window import ALONE, LabelScorer, Scores
from engine.evaluation.icl_memtrm import demonstration_reader
from engine.evaluation.icl_report import Score, write_report
from engine.evaluation.icl_squad import squad
from engine.evaluation.kept import bank_folder
from engine.filling import bank_layout
from engine.paths import Paths
from engine.sidenet.checkpoint import sidenet_for
from engine.sidenet.sidenet import SideNet
from engine.training.memtrm import MemTRM, load_memtrm
from ingest.errors import BadInput

REVIEW, INPUT = "Review: {} Sentiment: {}", "Input: {} Type: {}"
TASKS = {"sst2": REVIEW, "mr": REVIEW, "subj": INPUT, "sst5": REVIEW, "mpqa": REVIEW}
ALL = "all"
NEIGHBOURS = (4, 8, 16, 32, 64)
TEST_SEED = 20_230_612  # the subset of the test texts is the same for every seed and row
TIMED = 12


@dataclass(frozen=True)
class Protocol:
    """shots: in the window. sizes: demonstrations in memory, 0 for the whole pool. tests, pool: how many, 0
    for all. dense: fill the window too, for that many seeds and test texts."""

    shots: tuple[int, ...] = (4, 20)
    sizes: tuple[int, ...] = (200, 2000, 0)
    seeds: int = 6
    tests: int = 0
    pool: int = 0
    dense: tuple[int, int] = (0, 0)


@dataclass
class Subject:
    """One task ready to be measured: its demonstrations in memory, its test texts and their labels."""

    name: str
    task: Task
    memory: DemonstrationMemory
    labels: np.ndarray
    texts: list[str]
    truth: np.ndarray
    states: np.ndarray = field(default_factory=lambda: np.zeros((0, 0)))


def read_examples(file: Path) -> list[tuple[str, str]]:
    """Read (text, label) rows of a CSV with these columns. Raises BadInput for another file."""
    try:
        with file.open(encoding="utf-8", newline="") as handle:
            return [(row["text"], row["label"]) for row in csv.DictReader(handle)]
    except (OSError, KeyError, UnicodeDecodeError) as error:
        raise BadInput(f"{file} is no CSV with the columns text and label ({error})") from error


def prepare(
    name: str, folder: Path, cache: Path, backbone: Backbone, sidenet: SideNet, protocol: Protocol
) -> Subject:
    """Read a task and encode its pool of demonstrations once for all seeds."""
    pool, tests = (read_examples(folder / f"{name}-{part}.csv") for part in ("train", "test"))
    pool = random.Random(TEST_SEED).sample(pool, len(pool))[: protocol.pool or None]
    tests = random.Random(TEST_SEED).sample(tests, len(tests))[: protocol.tests or None]
    labels = sorted({label for _, label in pool})
    task = Task(TASKS[name], {label: label for label in labels})
    examples = [Example(at, text, label) for at, (text, label) in enumerate(pool, 1)]
    place, layout = bank_folder(cache, name, examples), bank_layout(sidenet.config)
    began = time.monotonic()
    encode_examples(examples, name, task, place, backbone, layout, _telling(name, began))
    bank = MemoryBank.open(place / "bank")
    memory = DemonstrationMemory(place, bank, examples, len(voting_blocks(backbone)) * backbone.width)
    subject = Subject(
        name,
        task,
        memory,
        np.array([labels.index(one.label) for one in memory.examples]),
        [text for text, _ in tests],
        np.array([labels.index(label) for _, label in tests]),
    )
    reading = Classifier(memory, task, backbone, sidenet, Settings(memory=False))
    subject.states = reading.states(subject.texts)
    return subject


def measure(
    subject: Subject, backbone: Backbone, sidenet: SideNet, protocol: Protocol, seed: int, shots: int
) -> Iterator[Score]:
    """Score all rows of one task, seed and number of shots. A further row that reads a window goes here."""
    rows = _order(subject, seed)
    window, held = rows[:shots], rows[-HELD_OUT:]
    sizes = [size or len(rows) - HELD_OUT for size in protocol.sizes]
    held_truth = subject.labels[held]
    chosen = {
        size or ALL: rows[: min(count, len(rows) - HELD_OUT)]
        for size, count in zip(protocol.sizes, sizes, strict=True)
    }
    readers = [DemonstrationReader(subject.memory, part, sidenet) for part in chosen.values()]
    scorer = LabelScorer(backbone, sidenet, _answers(backbone, subject.task))
    prefix = scorer.prefix(_window_ids(subject, window, backbone))
    memories = [ALONE, None, *readers]
    kinds = [("backbone", 0), ("SideNet, no memory", 0), *(("SideNet, memory", size) for size in chosen)]
    scores = scorer.score(prefix, _prompts(subject.task, subject.texts, backbone), memories)
    empty = scorer.score(prefix, _prompts(subject.task, CONTENT_FREE, backbone), memories)
    apart = scorer.score(
        prefix,
        _prompts(subject.task, [subject.memory.examples[row].text for row in held], backbone),
        memories,
    )

    def score(kind: str, right: np.ndarray, scoring: str, memory: int | str = 0) -> Score:
        return Score(subject.name, kind, scoring, shots, seed, memory, float(right.mean()), len(right))

    majority = np.bincount(subject.labels[rows[: max(sizes)]]).argmax()
    yield score("majority", subject.truth == majority, "labels")
    for (kind, size), found, nothing in zip(kinds, scores, empty, strict=True):
        for scoring, right in _right(subject.truth, scorer, found, nothing).items():
            yield score(kind, right, scoring, size)
    for at, (size, part) in enumerate(chosen.items(), 2):
        states, known = subject.memory.states[part], subject.labels[part]
        vote = Vote.fit(states, known, len(subject.task.labels))
        near = nearest(vote, states, known, subject.states, len(subject.task.labels))
        yield score("kNN over pooled states,", near == subject.truth, "labels", size)
        voted = vote.scores(subject.states)
        yield score("vote alone,", voted.argmax(1) == subject.truth, "labels", size)
        nothing = empty_scores(empty[at].labels)
        likelihood = calibrated(scores[at].labels, nothing)
        held_likelihood = calibrated(apart[at].labels, nothing)
        mixture = fit_mixture(vote.scores(subject.memory.states[held]), held_likelihood, held_truth)
        mixed = mixture.scores(voted, likelihood)
        yield score("classify (SideNet and vote), memory", mixed.argmax(1) == subject.truth, "labels", size)


def measure_dense(
    subject: Subject, backbone: Backbone, seed: int, tests: int, context: int
) -> Iterator[Score]:
    """Score the backbone with as many shots as its whole window holds."""
    rows = _order(subject, seed)
    answers = _answers(backbone, subject.task)
    prompts = _prompts(subject.task, subject.texts[:tests], backbone)
    room = context - max(map(len, prompts)) - max(map(len, answers))
    ids: list[int] = []
    used = 0
    for row in rows:
        one = written(subject.memory.examples[row], subject.task, backbone.tokenizer).ids
        if len(ids) + len(one) > room:
            break
        ids += one
        used += 1
    scorer = LabelScorer(backbone, None, answers)
    prefix = scorer.prefix(ids)
    found, empty = (
        scorer.score(prefix, part)[0] for part in (prompts, _prompts(subject.task, CONTENT_FREE, backbone))
    )
    for scoring, hits in _right(subject.truth[:tests], scorer, found, empty).items():
        kind = f"backbone, window of {context:,} full"
        yield Score(subject.name, kind, scoring, used, seed, 0, float(hits.mean()), len(hits), full=True)


def measure_memtrm(
    subject: Subject, backbone: Backbone, model: MemTRM, protocol: Protocol, seed: int, shots: int
) -> Iterator[Score]:
    """Measure MemTRM with the same shots, without and with the same demonstrations in its own memory."""
    rows = _order(subject, seed)
    pool = rows[: len(rows) - HELD_OUT]
    sizes = {size or ALL: pool[: size or None] for size in protocol.sizes}
    scorer = LabelScorer(backbone, model, _answers(backbone, subject.task))
    prefix = scorer.prefix(_window_ids(subject, rows[:shots], backbone))
    for size, part in ((0, None), *sizes.items()):
        memory = (
            None if part is None else demonstration_reader(model, backbone, _ids(subject, part, backbone))
        )
        found, empty = (
            scorer.score(prefix, _prompts(subject.task, texts, backbone), [memory])[0]
            for texts in (subject.texts, CONTENT_FREE)
        )
        kind = "MemTRM, no memory" if part is None else "MemTRM, memory"
        for scoring, hits in _right(subject.truth, scorer, found, empty).items():
            yield Score(subject.name, kind, scoring, shots, seed, size, float(hits.mean()), len(hits))


def _order(subject: Subject, seed: int) -> np.ndarray:
    """Order the demonstrations as one seed draws them: the window first, then memory, the held-out last."""
    return np.array(random.Random(seed).sample(range(len(subject.memory.examples)), len(subject.labels)))


def _right(truth: np.ndarray, scorer: LabelScorer, found: Scores, empty: Scores) -> dict[str, np.ndarray]:
    """Which texts are right, by scoring: over the whole vocabulary, and among the labels, calibrated."""
    first = np.array([answer[0] for answer in scorer.answers])
    return {
        "full": found.top.numpy() == first[truth],
        "labels": calibrated(found.labels, empty_scores(empty.labels)).argmax(1) == truth,
    }


def nearest(vote: Vote, states: np.ndarray, labels: np.ndarray, texts: np.ndarray, count: int) -> np.ndarray:
    """Labels (texts,) by k nearest neighbours, cosine of standardised pooled states; the k that does best on
    the demonstrations themselves, each without itself."""
    truth = np.eye(count)[labels]
    known = vote.directions(states)
    inside = known @ known.T
    np.fill_diagonal(inside, -np.inf)
    order = np.argsort(-inside, axis=1)[:, : max(NEIGHBOURS)]
    best = max(NEIGHBOURS, key=lambda k: (truth[order[:, :k]].sum(1).argmax(1) == labels).mean())
    found = np.argsort(-vote.directions(texts) @ known.T, axis=1)[:, :best]
    return truth[found].sum(1).argmax(1)


def one_text(
    subject: Subject, backbone: Backbone, sidenet: SideNet, shots: int, size: int
) -> dict[str, float]:
    """Median seconds for one text, window already read: the backbone, and `classify` with memory and vote."""
    rows = np.arange(min(size or len(subject.labels), len(subject.labels)))
    classifier = Classifier(subject.memory, subject.task, backbone, sidenet, Settings(shots=shots), rows)
    alone = LabelScorer(backbone, None, _answers(backbone, subject.task))
    prefix = alone.prefix(_window_ids(subject, classifier.window_rows, backbone))
    classifier.classify(subject.texts[:1])
    times: dict[str, list[float]] = {"backbone": [], "classify": []}
    for text in subject.texts[:TIMED]:
        began = time.perf_counter()
        alone.score(prefix, _prompts(subject.task, [text], backbone))
        times["backbone"].append(time.perf_counter() - began)
        began = time.perf_counter()
        classifier.classify([text])
        times["classify"].append(time.perf_counter() - began)
    return {name: float(np.median(part)) for name, part in times.items()}


def _answers(backbone: Backbone, task: Task) -> list[list[int]]:
    tokenise = backbone.tokenizer
    return [tokenise(task.answer(label), add_special_tokens=False)["input_ids"] for label in task.labels]


def _prompts(task: Task, texts: Sequence[str], backbone: Backbone) -> list[list[int]]:
    return [backbone.tokenizer(task.prompt(text), add_special_tokens=False)["input_ids"] for text in texts]


def _ids(subject: Subject, rows: np.ndarray, backbone: Backbone) -> list[list[int]]:
    return [written(subject.memory.examples[row], subject.task, backbone.tokenizer).ids for row in rows]


def _window_ids(subject: Subject, rows: np.ndarray, backbone: Backbone) -> list[int]:
    shots = _ids(subject, rows, backbone)
    return [token for at in fitting(shots, backbone.context // 2) for token in shots[at]]


def _telling(name: str, began: float):
    told = [0]

    def tell(done: int, total: int) -> None:
        if done >= told[0] + 1000 or done == total:
            told[0] = done
            print(f"{name}: {done} of {total} demonstrations, {time.monotonic() - began:.0f} s", flush=True)

    return tell


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument(
        "--tasks", type=Path, required=True, metavar="DIR", help="NAME-train.csv, NAME-test.csv"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where table and curve go")
    parser.add_argument(
        "--only", default=",".join(TASKS), metavar="A,B", help="which tasks (default: all five)"
    )
    parser.add_argument(
        "--shots", type=numbers, default="4,20", metavar="N,M", help="in the window (default: 4,20)"
    )
    parser.add_argument(
        "--sizes",
        type=numbers,
        default="200,2000,0",
        metavar="N,M",
        help="in memory, 0 = all (the default too)",
    )
    parser.add_argument("--seeds", type=positive, default=6, metavar="N")
    parser.add_argument(
        "--test-examples",
        type=natural,
        default=0,
        metavar="N",
        help="a fixed random subset; 0 (default): all",
    )
    parser.add_argument(
        "--pool", type=natural, default=0, metavar="N", help="draw from N demonstrations, 0: all"
    )
    parser.add_argument(
        "--dense-seeds", type=natural, default=1, metavar="N", help="seeds with the window full"
    )
    parser.add_argument(
        "--dense-examples", type=natural, default=0, metavar="N", help="their test texts, 0: all"
    )
    parser.add_argument("--memtrm", type=Path, metavar="DIR", help="a run of train --method memtrm")
    parser.add_argument("--squad", type=Path, metavar="FILE", help="also SQuAD, 3 shots and 200 in memory")
    parser.add_argument("--squad-questions", type=positive, default=100, metavar="N")
    parser.add_argument("--cache", type=Path, metavar="DIR", help="keep encoded demonstrations here")
    parser.add_argument("--model", help="hub name, folder or GGUF file (default: the one that comes along)")
    parser.add_argument("--sidenet", type=Path, metavar="DIR", help="checkpoint (default: the one in assets)")
    parser.add_argument("--threads", type=thread_count, metavar="N", help="CPU threads (default: all cores)")


def run(arguments: argparse.Namespace) -> int:
    """Measure, write icl.md, .json and .png after every task, print the table."""
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    backbone = load_backbone(Paths.default(), arguments.model)
    sidenet = sidenet_for(backbone, arguments.sidenet)
    memtrm = load_memtrm(arguments.memtrm, backbone) if arguments.memtrm is not None else None
    protocol = Protocol(
        arguments.shots,
        arguments.sizes,
        arguments.seeds,
        arguments.test_examples,
        arguments.pool,
        (arguments.dense_seeds, arguments.dense_examples),
    )
    cache = arguments.cache or arguments.out / "banks"
    scores: list[Score] = []
    times: dict[str, dict[str, float]] = {}
    for name in [one for one in arguments.only.split(",") if one]:
        if name not in TASKS:
            raise BadInput(f"there is no task '{name}'; there is {', '.join(TASKS)}")
        subject = prepare(name, arguments.tasks, cache, backbone, sidenet, protocol)
        for seed in range(protocol.seeds):
            for shots in protocol.shots:
                scores += measure(subject, backbone, sidenet, protocol, seed, shots)
                if memtrm is not None:
                    scores += measure_memtrm(subject, backbone, memtrm, protocol, seed, shots)
                print(f"{name}: seed {seed}, {shots} shots", flush=True)
        for seed in range(protocol.dense[0]):
            tests = protocol.dense[1] or len(subject.texts)
            scores += measure_dense(subject, backbone, seed, tests, backbone.context)
        times[name] = one_text(subject, backbone, sidenet, max(protocol.shots), 2000)
        text = write_report(
            arguments.out, scores, times, {"protocol": vars(protocol), "tasks": arguments.only}
        )
    print(text)
    if arguments.squad is not None:
        found = squad(arguments.squad, arguments.squad_questions, cache, backbone, sidenet)
        (arguments.out / "icl-squad.json").write_text(json.dumps(found, indent=2) + "\n")
        print(json.dumps(found))
    return 0

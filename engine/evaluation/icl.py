"""`python launch.py evaluate icl`: few-shot classification with demonstrations in the window and in memory.

The paper's five tasks, templates and protocol: a few shots in the window, thousands of demonstrations in
memory, several seeds. Two ways to score: "full", the likeliest next token of the whole vocabulary must be the
label's, as in the paper; "labels", among the labels only and calibrated, as `classify` does it. All rows of
one seed share shots and test texts, and the backbone reads each text once for all of them.
"""

import argparse
import csv
import random
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
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
from engine.demonstrations.window import ALONE, LabelScorer, Prefix, Scores
from engine.evaluation.icl_memtrm import demonstration_reader
from engine.evaluation.icl_report import Score, write_report
from engine.evaluation.icl_squad import squad
from engine.evaluation.kept import bank_folder
from engine.filling import bank_layout
from engine.paths import Paths
from engine.report import table, tell
from engine.sidenet.checkpoint import sidenet_for
from engine.sidenet.sidenet import MemoryReader, SideNet
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
    backbone: Backbone
    memory: DemonstrationMemory
    labels: np.ndarray
    texts: list[str]
    truth: np.ndarray
    states: np.ndarray = field(default_factory=lambda: np.zeros((0, 0)))

    def tokens(self, words: Iterable[str]) -> list[list[int]]:
        """Return the token ids of each."""
        return [self.backbone.tokenizer(one, add_special_tokens=False)["input_ids"] for one in words]

    def scorer(self, network: SideNet | MemTRM | None) -> LabelScorer:
        """Score the labels of the task by a network beside the backbone, or by the backbone alone."""
        return LabelScorer(self.backbone, network, self.tokens(map(self.task.answer, self.task.labels)))

    def scores(
        self,
        scorer: LabelScorer,
        prefix: Prefix,
        texts: Iterable[str],
        memories: Sequence[MemoryReader | str | None] = (None,),
    ) -> list[Scores]:
        """Score texts behind a window that was read, for each of some memories."""
        return scorer.score(prefix, self.tokens(map(self.task.prompt, texts)), memories)

    def shot(self, row: int) -> list[int]:
        """Return the token ids of a demonstration as it stands in a window."""
        return written(self.memory.examples[row], self.task, self.backbone.tokenizer).ids

    def window(self, rows: Iterable[int]) -> list[int]:
        """Return the token ids of those demonstrations that fit into half a window."""
        shots = [*map(self.shot, rows)]
        return [token for at in fitting(shots, self.backbone.context // 2) for token in shots[at]]

    def order(self, seed: int) -> np.ndarray:
        """Order the demonstrations as a seed draws them: the window first, then memory, the held-out last."""
        return np.array(random.Random(seed).sample(range(len(self.memory.examples)), len(self.labels)))


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
        name, task, backbone, memory, np.array([labels.index(one.label) for one in memory.examples]),
        [text for text, _ in tests], np.array([labels.index(label) for _, label in tests]),
    )  # fmt: skip
    reading = Classifier(memory, task, backbone, sidenet, Settings(memory=False))
    subject.states = reading.states(subject.texts)
    return subject


def measure(subject: Subject, sidenet: SideNet, protocol: Protocol, seed: int, shots: int) -> Iterator[Score]:
    """Score all rows of one task, seed and number of shots. A further row that reads a window goes here."""
    rows = subject.order(seed)
    pool, held = rows[:-HELD_OUT], rows[-HELD_OUT:]
    chosen = {size or ALL: pool[: size or None] for size in protocol.sizes}
    readers = [DemonstrationReader(subject.memory, part, sidenet) for part in chosen.values()]
    scorer = subject.scorer(sidenet)
    prefix = scorer.prefix(subject.window(rows[:shots]))
    memories = [ALONE, None, *readers]
    kinds = [("backbone", 0), ("SideNet, no memory", 0), *(("SideNet, memory", size) for size in chosen)]
    held_texts = [subject.memory.examples[row].text for row in held]
    scores, empty, apart = (
        subject.scores(scorer, prefix, texts, memories) for texts in (subject.texts, CONTENT_FREE, held_texts)
    )

    def score(kind: str, right: np.ndarray, scoring: str, memory: int | str = 0) -> Score:
        return Score(subject.name, kind, scoring, shots, seed, memory, float(right.mean()), len(right))

    labels = len(subject.task.labels)
    most = max(size or len(pool) for size in protocol.sizes)
    yield score("majority", subject.truth == np.bincount(subject.labels[rows[:most]]).argmax(), "labels")
    for (kind, size), found, nothing in zip(kinds, scores, empty, strict=True):
        for scoring, right in _right(subject.truth, scorer, found, nothing).items():
            yield score(kind, right, scoring, size)
    for at, (size, part) in enumerate(chosen.items(), 2):
        states, known = subject.memory.states[part], subject.labels[part]
        vote = Vote.fit(states, known, labels)
        near = nearest(vote, states, known, subject.states, labels)
        yield score("kNN over pooled states,", near == subject.truth, "labels", size)
        voted = vote.scores(subject.states)
        yield score("vote alone,", voted.argmax(1) == subject.truth, "labels", size)
        plain = empty_scores(empty[at].labels)
        mixture = fit_mixture(
            vote.scores(subject.memory.states[held]), calibrated(apart[at].labels, plain),
            subject.labels[held],
        )  # fmt: skip
        mixed = mixture.scores(voted, calibrated(scores[at].labels, plain))
        yield score("classify (SideNet and vote), memory", mixed.argmax(1) == subject.truth, "labels", size)


def measure_dense(subject: Subject, seed: int, tests: int) -> Iterator[Score]:
    """Score the backbone with as many shots as its whole window holds."""
    scorer, context = subject.scorer(None), subject.backbone.context
    texts = subject.texts[:tests]
    room = context - max(map(len, subject.tokens(map(subject.task.prompt, texts))))
    room -= max(map(len, scorer.answers))
    ids: list[int] = []
    used = 0
    for one in map(subject.shot, subject.order(seed)):
        if len(ids) + len(one) > room:
            break
        ids += one
        used += 1
    prefix = scorer.prefix(ids)
    found, empty = (subject.scores(scorer, prefix, some)[0] for some in (texts, CONTENT_FREE))
    for scoring, hits in _right(subject.truth[:tests], scorer, found, empty).items():
        kind = f"backbone, window of {context:,} full"
        yield Score(subject.name, kind, scoring, used, seed, 0, float(hits.mean()), len(hits), full=True)


def measure_memtrm(
    subject: Subject, model: MemTRM, protocol: Protocol, seed: int, shots: int
) -> Iterator[Score]:
    """Measure MemTRM with the same shots, without and with the same demonstrations in its own memory."""
    rows = subject.order(seed)
    pool = rows[: len(rows) - HELD_OUT]
    scorer = subject.scorer(model)
    prefix = scorer.prefix(subject.window(rows[:shots]))
    for size, part in ((0, None), *((size or ALL, pool[: size or None]) for size in protocol.sizes)):
        memory, kind = None, "MemTRM, no memory"
        if part is not None:
            memory = demonstration_reader(model, subject.backbone, [*map(subject.shot, part)])
            kind = "MemTRM, memory"
        found, empty = (
            subject.scores(scorer, prefix, texts, [memory])[0] for texts in (subject.texts, CONTENT_FREE)
        )
        for scoring, hits in _right(subject.truth, scorer, found, empty).items():
            yield Score(subject.name, kind, scoring, shots, seed, size, float(hits.mean()), len(hits))


def _right(truth: np.ndarray, scorer: LabelScorer, found: Scores, empty: Scores) -> dict[str, np.ndarray]:
    """Tell which texts are right, by scoring: over the whole vocabulary, and among the labels, calibrated."""
    first = np.array([answer[0] for answer in scorer.answers])
    return {
        "full": found.top.numpy() == first[truth],
        "labels": calibrated(found.labels, empty_scores(empty.labels)).argmax(1) == truth,
    }


def nearest(vote: Vote, states: np.ndarray, labels: np.ndarray, texts: np.ndarray, count: int) -> np.ndarray:
    """Label texts (texts,) by k nearest neighbours, cosine of standardised pooled states.

    k is the one that does best on the demonstrations themselves, each without itself.
    """
    truth = np.eye(count)[labels]
    known = vote.directions(states)
    inside = known @ known.T
    np.fill_diagonal(inside, -np.inf)
    order = np.argsort(-inside, axis=1)[:, : max(NEIGHBOURS)]
    best = max(NEIGHBOURS, key=lambda k: (truth[order[:, :k]].sum(1).argmax(1) == labels).mean())
    found = np.argsort(-vote.directions(texts) @ known.T, axis=1)[:, :best]
    return truth[found].sum(1).argmax(1)


def one_text(subject: Subject, sidenet: SideNet, shots: int, size: int) -> dict[str, float]:
    """Measure the median seconds for one text behind a window already read.

    It measures the backbone alone, and `classify` with memory and vote.
    """
    rows = np.arange(min(size or len(subject.labels), len(subject.labels)))
    settings = Settings(shots=shots)
    classifier = Classifier(subject.memory, subject.task, subject.backbone, sidenet, settings, rows)
    alone = subject.scorer(None)
    prefix = alone.prefix(subject.window(classifier.window_rows))
    classifier.classify(subject.texts[:1])
    times: dict[str, list[float]] = {"backbone": [], "classify": []}
    for text in subject.texts[:TIMED]:
        began = time.perf_counter()
        subject.scores(alone, prefix, [text])
        times["backbone"].append(time.perf_counter() - began)
        began = time.perf_counter()
        classifier.classify([text])
        times["classify"].append(time.perf_counter() - began)
    return {name: float(np.median(part)) for name, part in times.items()}


def _telling(name: str, began: float) -> Callable[[int, int], None]:
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
                scores += measure(subject, sidenet, protocol, seed, shots)
                if memtrm is not None:
                    scores += measure_memtrm(subject, memtrm, protocol, seed, shots)
                print(f"{name}: seed {seed}, {shots} shots", flush=True)
        for seed in range(protocol.dense[0]):
            scores += measure_dense(subject, seed, protocol.dense[1] or len(subject.texts))
        times[name] = one_text(subject, sidenet, max(protocol.shots), 2000)
        text = write_report(
            arguments.out, scores, times, {"protocol": vars(protocol), "tasks": arguments.only}
        )
    print(text)
    if arguments.squad is not None:
        found = squad(arguments.squad, arguments.squad_questions, cache, backbone, sidenet)
        rows = [(name, f"{value:.3g}") for name, value in found.items()]
        tell(arguments.out, "icl-squad", table(("SQuAD", "value:"), rows), found)
    return 0

"""One backbone's way to a checkpoint, stage by stage: each is a command that trains or measures a part.

Blocks and layers stand where the default's do, scaled to another depth.
"""

import argparse
import contextlib
import dataclasses
import json
import random
import shutil
import time
from pathlib import Path
from types import ModuleType

from engine.backbone.backbone import Backbone
from engine.backbone.load import DEFAULT_NAME, load_backbone
from engine.evaluation import perplexity, readers
from engine.paths import SIDENETS, Paths
from engine.sidenet.checkpoint import CONFIG_FILE, WEIGHTS_FILE, save_sidenet
from engine.sidenet.config import SideNetConfig
from engine.sidenet.crossreader import copy_crossreader
from engine.sidenet.reading import READER_CONFIG, READER_FILE, keep_calibration
from engine.sidenet.sidenet import SideNet
from engine.training import averagedrun, lexicon, madeanswers, reading, search, train
from engine.training.books import book_files
from engine.training.card import card
from engine.training.curves import read_log
from engine.training.questions import read_rows
from ingest.errors import BadInput

SHIPPED = SIDENETS / DEFAULT_NAME  # checkpoint
DEPTH, SIDE_LAYERS = 30, 15  # of the default backbone
SEARCH_BLOCK, MEMORY_BLOCK, MEMORY_LAYERS, READER_LAYERS = 4, 7, (4, 10), 8
TRIED = 3  # steps that are timed
OF_EACH = 60  # questions made of a book
ASKED, FEWEST = 40, 8  # questions that are measured on
FOREIGN = 3  # for so many of them one about another book, which has to be refused
DONE_FILE, PLAN_FILE = "done.json", "plan.json"


class Adaptation:
    """One backbone's run: its folder, and what its stages are given."""

    def __init__(self, arguments: argparse.Namespace, backbone: Backbone, folder: Path) -> None:
        self.arguments, self.folder = arguments, folder
        self.depth, self.name = backbone.blocks, backbone.name
        self.can_copy = backbone.projections(0).query_norm is None
        self.learned, self.held = folder / "learned", folder / "held"
        self.made = folder / "made.jsonl"
        self.map, self.map_only = folder / "map", folder / "map-only"
        self.memory, self.words, self.reader, self.checkpoint = (
            folder / name for name in ("memory", "words", "reader", "checkpoint")
        )

    def scaled(self, block: int, depth: int = DEPTH, whole: int | None = None) -> int:
        """Return the block (or side layer) that stands where `block` of the default's depth does."""
        whole = self.depth if whole is None else whole
        return min(whole - 1, max(1, round(block * whole / depth)))

    @property
    def memory_layers(self) -> str:
        """Return the side layers that read memory, as the command line lists them."""
        layers = -(-self.depth // 2)
        return ",".join(
            str(one) for one in sorted({self.scaled(n, SIDE_LAYERS, layers) for n in MEMORY_LAYERS})
        )

    def call(self, module: ModuleType, *words: object, model: bool = True) -> None:
        """Run another command with these words."""
        parser = argparse.ArgumentParser()
        module.add_arguments(parser)
        named = ["--model", self.arguments.model] if model and self.arguments.model else []
        given = parser.parse_args([*map(str, words), *named])
        given.parse_file, given.read_table = self.arguments.parse_file, self.arguments.read_table
        module.run(given)

    def answers(self) -> list[Path]:
        """Return the files of questions: those made, and those that the user named."""
        return [self.made, *self.arguments.answers]

    # the stages

    def make_questions(self, steps: dict[str, int]) -> None:
        """Make questions about the books learned from."""
        self.call(madeanswers, "--books", self.learned, "--out", self.made, "--of-each", OF_EACH, model=False)
        if not any(read_rows(file) for file in self.answers()):
            raise BadInput(
                "no question could be made of these books by rule: name more of them with --books (novels in "
                "English), or questions with --answers"
            )

    def search_words(self, steps: int) -> list[object]:
        """Write the command line of the search map's training."""
        pairs = [word for file in self.answers() for word in ("--pairs", file)]
        block = self.scaled(SEARCH_BLOCK)
        return [
            *("--books", self.learned, *pairs, "--cache", self.folder / "frozen"),
            *("--out", self.map, "--block", block, "--steps", steps, "--warmup", max(1, min(30, steps // 4))),
        ]

    def train_search(self, steps: dict[str, int]) -> None:
        """Train the search map."""
        self.call(search, *self.search_words(steps["search"]))

    def memory_words(self, steps: int, out: Path) -> list[object]:
        """Write the command line of the memory layers' training, from a closed form on where there is one."""
        rows = min(4, len(book_files(self.learned)))
        start = ("--copy-start", 24) if self.can_copy else ()
        lowest = self.memory_layers.partition(",")[0]
        return [
            *("--books", self.learned, "--out", out, "--search-map", self.map_only, *start),
            *("--parts", "memory", "--reading", "sparse", "--memory-values", "following"),
            *("--memory-layers", self.memory_layers, "--first-layer", lowest),
            *("--memory-block", self.scaled(MEMORY_BLOCK), "--rows", rows, "--steps", steps),
            *("--limit", 36, "--loss-share", 0.5, "--capacity", 40960),
            *("--rate", 1.5e-3, "--scale-rate", 0.05),
            *("--memory-rate", 0.02, "--weight-decay", 0, "--warmup", 8, "--chats", 16, "--save", 5),
        ]

    def train_memory(self, steps: dict[str, int]) -> None:
        """Train the memory layers beside the search map."""
        self.keep_map()
        self.call(train, *self.memory_words(steps["memory"], self.memory))

    def keep_map(self) -> None:
        """Write the search map as a checkpoint of its own, which `train` takes it from."""
        backbone = load_backbone(Paths.default(), self.arguments.model)
        found, block = search.load_map(self.map, backbone)
        config = SideNetConfig.for_backbone(
            backbone, memory_layers=(), search="pooled", search_block=block, search_dim=found.key.out_features
        )
        sidenet = SideNet(config, backbone)
        assert sidenet.search is not None
        sidenet.search.load_state_dict(found.state_dict())
        save_sidenet(sidenet, backbone, self.map_only)

    def fit_words(self, steps: dict[str, int]) -> None:
        """Let the book's own words be told too, where a book held out is long enough to fit how far."""
        with contextlib.suppress(BadInput):
            self.call(
                lexicon, "--books", self.learned, "--held-out", self.held, "--start", self.memory,
                "--out", self.words,
            )  # fmt: skip

    def reader_words(self, steps: int, out: Path, every: int) -> list[object]:
        """Write the command line of the reading layers' training."""
        named = [word for file in self.answers() for word in ("--answers", file)]
        block = self.scaled(MEMORY_BLOCK)
        layers = min(self.scaled(READER_LAYERS), self.depth - block)
        return [
            *(*named, "--states", self.folder / "states", "--out", out, "--block", block, "--layers", layers),
            *("--questions", 8, "--passages", 3, "--window", 160, "--average", 0.99, "--every", every),
            *("--steps", steps, "--warmup", max(1, min(100, steps // 4))),
        ]  # fmt: skip

    def train_reader(self, steps: dict[str, int]) -> None:
        """Train the reading layers."""
        count = steps["reader"]
        self.call(reading, *self.reader_words(count, self.reader, max(1, min(50, count // 4))))

    def put_together(self, steps: dict[str, int]) -> None:
        """Make one checkpoint of the parts, whose banks keep the states that the reading layers read.

        The cross-reader, which no backbone is needed for, is the one that comes along. It answers, as sure as
        readers' questions have shown it to be; the layers choose what it reads.
        """
        self.checkpoint.mkdir(exist_ok=True)
        trained = self.words if self.words.is_dir() else self.memory
        config = SideNetConfig.from_json((trained / CONFIG_FILE).read_text())
        config = dataclasses.replace(config, state_block=self.scaled(MEMORY_BLOCK))
        (self.checkpoint / CONFIG_FILE).write_text(config.to_json())
        shutil.copy(trained / WEIGHTS_FILE, self.checkpoint)
        for name in (READER_FILE, READER_CONFIG):
            shutil.copy(self.reader / name, self.checkpoint)
        keep_calibration(self.checkpoint, copy_crossreader(SHIPPED, self.checkpoint).alone)

    def measure(self, steps: dict[str, int]) -> None:
        """Ask about the books held out, and score how well memory goes on with their text."""
        self.ask()
        with contextlib.suppress(BadInput):  # books too short for two pages
            self.call(
                perplexity, "--books", self.held, "--out", self.folder, "--sidenet", self.checkpoint,
                "--dense", "", "--sizes", 0, "--books-per-split", 2, "--pages", 2, "--max-tokens", 16384,
                "--every", 2,
            )  # fmt: skip

    def ask(self) -> None:
        """Ask questions about the books held out as the page does; one in four is about another book."""
        questions = self.folder / "questions.jsonl"
        rows = (json.dumps(row, ensure_ascii=False) + "\n" for row in self.asked())
        questions.write_text("".join(rows), encoding="utf8")
        self.call(
            readers, "--questions", questions, "--books", self.held, "--shelf", self.folder / "shelf",
            "--sidenet", self.checkpoint, "--out", self.folder,
        )  # fmt: skip

    def asked(self) -> list[dict]:
        """Make questions about the books held out. Raises BadInput where none can be made."""
        count = min(ASKED, max(FEWEST, round(ASKED * self.arguments.hours)))
        rows: list[dict] = []
        for file in book_files(self.held):
            book = file.relative_to(self.held).as_posix()
            document = self.arguments.parse_file(file)
            for row in madeanswers.made_rows(document, book, count):
                rows.append({"book": book, "question": row["question"], "accept": row["answers"]})
        random.Random(0).shuffle(rows)
        rows = rows[:count]
        if not rows:
            raise BadInput("no question can be made of the books held out: name more with --books")
        others = [row["question"] for row in read_rows(self.made)] or ["Who is Zebulon Quartermain?"]
        return rows + [
            {"book": row["book"], "question": others[at % len(others)], "accept": [], "answerable": False}
            for at, row in enumerate(rows[::FOREIGN])
        ]

    def write_card(self, steps: dict[str, int]) -> None:
        """Write what was done and measured beside the checkpoint, with the questions it was measured on."""
        done = json.loads((self.folder / DONE_FILE).read_text())
        plan = json.loads((self.folder / PLAN_FILE).read_text())
        shutil.copy(self.folder / "questions.jsonl", self.checkpoint)
        text = card(self.name, self.folder, plan, done, len(book_files(self.learned)))
        (self.checkpoint / "README.md").write_text(text, encoding="utf8")

    # how long it takes

    def paces(self) -> dict[str, float]:
        """Return the seconds that a step of each part takes here; what is computed for it is kept."""
        given = argparse.ArgumentParser()
        search.add_arguments(given)
        words = given.parse_args([str(word) for word in self.search_words(TRIED)])
        words.parse_file = self.arguments.parse_file
        backbone = load_backbone(Paths.default(), self.arguments.model)
        frozen = [
            search.freeze_reading(backbone, one, words.block, words.cache)
            for one in search.training_readings(words)
        ]
        del backbone
        began = time.monotonic()
        found = search.train_map(frozen, search.SearchSettings(block=words.block, steps=TRIED))
        pace = (time.monotonic() - began) / TRIED
        trial = self.folder / "trial"
        shutil.rmtree(trial, ignore_errors=True)
        fingerprint = load_backbone(Paths.default(), self.arguments.model).fingerprint
        search.save_map(found, words.block, fingerprint, self.map)
        self.keep_map()
        self.call(train, *self.memory_words(TRIED, trial / "memory"))
        self.call(reading, *self.reader_words(TRIED, trial / "reader", 1))
        memory = [float(row["seconds"]) for row in read_log(trial / "memory" / train.LOG_FILE)]
        marks = [float(row["seconds"]) for row in read_log(trial / "reader" / averagedrun.LOG_FILE)]
        shutil.rmtree(trial)
        shutil.rmtree(self.map)
        return {"search": pace, "memory": memory[-1], "reader": (marks[-1] - marks[0]) / (TRIED - 1)}

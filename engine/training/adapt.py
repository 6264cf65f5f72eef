"""`adapt`: give another backbone all that the default one has, by the commands that train each part.

    books -> made questions -> search map -> memory layers, words -> reading layers -> measures -> card

Every fifth book is held out: what the card tells was measured on questions about them. How many steps a part
learns is set once, by how long a few of them take here, so that all fits into `--hours`. What is done has its
mark: after a kill the same command goes on, a trainer where it saved last. The checkpoint is found by whoever
loads the backbone, as those that come along are.
"""

import argparse
import dataclasses
import hashlib
import json
import math
import os
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.arguments import listed, positive
from engine.backbone.load import load_backbone
from engine.ending import end_like_ctrl_c
from engine.locks import FileLock, holding
from engine.paths import PROGRAM, SAMPLES, Paths
from engine.sidenet.checkpoint import checkpoint_for
from engine.training.adaptation import DONE_FILE, PLAN_FILE, Adaptation
from engine.training.books import book_files
from engine.whole import write_whole
from ingest.errors import BadInput

SHARES = {"search": 0.15, "memory": 0.3, "reader": 0.4}  # of the time; what is left is for measuring
MOST_STEPS = {"search": 600, "memory": 600, "reader": 1800}
LEAST_STEPS = 10
HELD_OUT = 5  # one book of so many


@dataclass(frozen=True)
class Plan:
    """What a run was begun with, and what was settled at its start; kept in its folder."""

    books: str
    answers: tuple[str, ...]
    hours: float
    held: tuple[str, ...]
    steps: dict[str, int]
    seconds: dict[str, float]


STAGES: dict[str, Callable[[Adaptation, dict[str, int]], None]] = {
    "questions": Adaptation.make_questions,
    "search": Adaptation.train_search,
    "memory": Adaptation.train_memory,
    "words": Adaptation.fit_words,
    "reader": Adaptation.train_reader,
    "checkpoint": Adaptation.put_together,
    "measures": Adaptation.measure,
    "card": Adaptation.write_card,
}
WORDS = {
    "questions": "questions made of the books",
    "search": "the search map",
    "memory": "the memory layers",
    "words": "the words of books at large",
    "reader": "the reading layers",
    "checkpoint": "the checkpoint",
    "measures": "what it is worth",
    "card": "the card",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("--model", help="hub name, folder or GGUF file (default: the one that comes along)")
    parser.add_argument(
        "--books", type=Path, default=SAMPLES, metavar="DIR",
        help="two books or more to learn from, better twenty novels in English (default: the samples)",
    )  # fmt: skip
    parser.add_argument(
        "--answers", type=Path, action="append", default=[], metavar="FILE",
        help="more questions to learn from: JSON lines of passage, question and answers",
    )  # fmt: skip
    parser.add_argument("--hours", type=float, default=3.0, metavar="H", help="it may take (default: 3)")
    parser.add_argument(
        "--steps", type=listed(1), metavar="S,M,R",
        help="steps of search, memory and reader, in place of what the hours allow",
    )  # fmt: skip
    parser.add_argument("--max-books", type=positive, default=24, metavar="N", help="of them (default: 24)")
    parser.add_argument("--again", action="store_true", help="though the model has a checkpoint already")


def run(arguments: argparse.Namespace) -> int:
    """Do what is not done yet of every stage; return the exit code 0."""
    end_like_ctrl_c()
    if not 0 < arguments.hours < math.inf or (arguments.steps and len(arguments.steps) != 3):
        raise BadInput("--hours takes a number above 0, and --steps three of them: 600,300,800")
    paths = Paths.default()
    paths.keep_private()
    backbone = load_backbone(paths, arguments.model)
    if backbone.placement is not None and backbone.placement.is_packed:
        raise BadInput("it learns beside whole weights: choose --precision float32, or leave it out")
    known = checkpoint_for(backbone)
    if known is not None and not arguments.again:
        raise BadInput(f"{backbone.name} has a checkpoint already: {known}; --again makes another")
    name = backbone.name.replace("/", "--")
    folder = paths.adapting / f"{name}-{backbone.fingerprint[:8]}"
    lock = FileLock(paths.locks / f"adapt-{folder.name}.lock")
    with holding(lock, 0, f"{backbone.name} is being adapted already, by process {lock.holder()}"):
        folder.mkdir(parents=True, exist_ok=True)
        work = Adaptation(arguments, backbone, folder)
        del backbone  # every stage loads its own, and lets it go
        finish(work)
        published = publish(work.checkpoint, paths.sidenets / name)
        shutil.rmtree(folder)
    print(f"{published}: done; {PROGRAM} ask --model … and the page take it from now on")
    return 0


def finish(work: Adaptation) -> None:
    """Do the stages that have no mark yet, one after another."""
    marks = work.folder / DONE_FILE
    done: dict[str, float] = json.loads(marks.read_text()) if marks.is_file() else {}
    plan = planned(work, done, lambda: write_whole(marks, json.dumps(done)))
    for number, (name, stage) in enumerate(STAGES.items(), 1):
        if name in done:
            continue
        left = sum(seconds for part, seconds in plan.seconds.items() if part not in done)
        print(f"{number} of {len(STAGES)}, {WORDS[name]}; about {left / 60:.0f} min left in all", flush=True)
        began = time.monotonic()
        stage(work, plan.steps)
        done[name] = round(time.monotonic() - began, 1)
        write_whole(marks, json.dumps(done))


def planned(work: Adaptation, done: dict[str, float], marked: Callable[[], None]) -> Plan:
    """Return the plan of a run: the one it was begun with, else a new one, after a few timed steps.

    Raises
    ------
    BadInput
        It was begun with other books, questions or hours, or there is but one book.
    """
    arguments, file = work.arguments, work.folder / PLAN_FILE
    files = _spread(book_files(arguments.books), arguments.max_books)
    content = hashlib.blake2b(digest_size=12)
    for one in files:
        content.update(one.read_bytes())
    asked = {
        "books": content.hexdigest(),
        "answers": tuple(str(one) for one in arguments.answers),
        "hours": arguments.hours,
    }
    if file.is_file():
        kept = json.loads(file.read_text())
        plan = Plan(**kept | {"answers": tuple(kept["answers"]), "held": tuple(kept["held"])})
        if other := [name for name, value in asked.items() if getattr(plan, name) != value]:
            raise BadInput(
                f"the run in {work.folder} was begun with other {other[0]}; give those, or delete that folder"
            )
        return plan
    held = _lay_out(work, files)
    if "questions" not in done:
        began = time.monotonic()
        work.make_questions({})
        done["questions"] = round(time.monotonic() - began, 1)
        marked()
    names = tuple(SHARES)
    if arguments.steps:
        steps, seconds = dict(zip(names, arguments.steps, strict=True)), {}
    else:
        print("timing a few steps of each part", flush=True)
        paces, budget = work.paces(), arguments.hours * 3600
        steps = {
            name: int(min(MOST_STEPS[name], max(LEAST_STEPS, SHARES[name] * budget / paces[name])))
            for name in names
        }
        seconds = {name: steps[name] * paces[name] for name in names}
        seconds["measures"] = (1 - sum(SHARES.values())) * budget
    plan = Plan(**asked, held=held, steps=steps, seconds=seconds)
    write_whole(file, json.dumps(dataclasses.asdict(plan), indent=2) + "\n")
    return plan


def _spread(files: Sequence[Path], most: int) -> list[Path]:
    """Return up to `most` files, evenly spread over all."""
    return [files[at * len(files) // most] for at in range(most)] if len(files) > most else list(files)


def _lay_out(work: Adaptation, files: Sequence[Path]) -> tuple[str, ...]:
    """Copy the books into those learned from and those held out; return the names of these."""
    if len(files) < 2:
        raise BadInput("one book is learned from and another held out: name a folder of two or more")
    held = (
        sorted(files, key=lambda one: one.stat().st_size)[:1] if len(files) < HELD_OUT else files[::HELD_OUT]
    )
    names = []
    for number, file in enumerate(files):
        name = f"{number:03d}-{file.name}"
        target = work.held if file in held else work.learned
        names += [name] if file in held else []
        target.mkdir(exist_ok=True)
        shutil.copy(file, target / name)
    return tuple(names)


def publish(made: Path, place: Path) -> Path:
    """Put a finished checkpoint in its place; one that was there goes."""
    place.parent.mkdir(parents=True, exist_ok=True)
    former = place.with_name(f".{place.name}.former")
    shutil.rmtree(former, ignore_errors=True)
    if place.exists():
        os.replace(place, former)
    os.replace(made, place)
    shutil.rmtree(former, ignore_errors=True)
    return place

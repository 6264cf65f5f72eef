"""`python launch.py train`: train a SideNet on books. The same command goes on with an interrupted run.

--out gets settings.json, log.csv, curves.png, state.pt (to go on) and, every --save steps and at the end, a
checkpoint: config.json and sidenet.safetensors, which --sidenet, ask and continue take, or those of MemTRM
(--method memtrm), which evaluate takes. `accelerate launch launch.py train …` splits the rows over GPUs.
"""

import argparse
import itertools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import nn

from engine.backbone.backbone import Backbone
from engine.backbone.load import load_backbone
from engine.paths import Paths
from engine.sidenet.checkpoint import load_sidenet, mean_sidenet, save_sidenet, with_search_of, with_values
from engine.sidenet.config import SideNetConfig
from engine.sidenet.sidenet import SideNet
from engine.training.activations import Frozen, Source, TextBooks, Wanted, freeze
from engine.training.books import book_texts
from engine.training.chats import answered_chat, prompts
from engine.training.checkpoint import keep_options, load_state, save_state
from engine.training.curves import StepLog, draw_curves
from engine.training.learners import learner_for
from engine.training.lessons import Lesson, Lessons, demonstration_lessons, question_lessons
from engine.training.memtrm import MemTRM, load_memtrm, memtrm_config
from engine.training.options import (
    CHATS,
    OF_THE_START,
    check_lengths,
    checked_settings,
    decisive,
    with_first_layer,
)
from engine.training.options import add_arguments as add_arguments
from engine.training.questions import apart, sectioned
from engine.training.rows import Rows
from engine.training.settings import TrainingSettings
from engine.training.start import copying_start
from engine.training.team import Team
from engine.training.trainer import ALONE, Report, Trainer
from ingest.errors import BadInput

LOG_FILE, CURVES_FILE, SETTINGS_FILE = "log.csv", "curves.png", "settings.json"


def run(arguments: argparse.Namespace) -> int:
    """Train until the last step; the exit code is 0."""
    settings = checked_settings(arguments)
    team = Team.here()
    # On a CPU what is added up stays fp32 (differences of states are learned from); only products are bf16.
    # No cast weight is kept: the context outlives many steps.
    products = arguments.bf16 and team.device == "cpu"
    with torch.autocast("cpu", torch.bfloat16, enabled=products, cache_enabled=not products):
        return run_as(settings, team, arguments)


def run_as(settings: TrainingSettings, team: Team, arguments: argparse.Namespace) -> int:
    """Train as one of a team; the exit code is 0."""
    if team.device != "cpu":
        torch.set_float32_matmul_precision("high")  # fp32 products take the tensor cores
    if settings.rows < team.size:
        raise BadInput(f"{settings.rows} rows cannot be split over {team.size} processes; give --rows more")
    dtype = torch.bfloat16 if arguments.bf16 and team.device != "cpu" else torch.float32
    backbone = load_backbone(Paths.default(), arguments.model, team.device, dtype)
    books = book_texts(arguments.books, arguments.parse_file, arguments.max_books)
    texts: dict[str, Callable[[], str | Lesson]] = {**books, **lessons(backbone, settings, arguments)}
    model = start_model(backbone, settings, arguments)
    settings = with_first_layer(settings, model, arguments)
    check_lengths(settings, model)
    other = other_run(arguments.mean_with, model, backbone)
    wanted = learner_for(model).wanted(settings)
    source = TextBooks(
        backbone, texts, wanted, settings.segment, arguments.skip, arguments.limit, arguments.cache
    )
    if team.leads:
        keep_options(arguments.out, decisive(arguments, model, source.names))
    if arguments.copy_start:
        copying_start(model, backbone, first_segments(source, arguments.copy_start))
    chats = frozen_chats(backbone, with_last(wanted, backbone), settings.seed, arguments.chats)
    train(model, backbone, source, settings, arguments.out, chats, arguments.save, team)
    if other is not None and team.leads:
        learner_for(model).save(backbone, arguments.out)  # a run that was done before left the mean there
        save_sidenet(mean_sidenet(load_sidenet(arguments.out, backbone), other), backbone, arguments.out)
    return 0


def other_run(folder: Path | None, model: nn.Module, backbone: Backbone) -> SideNet | None:
    """Load the SideNet to take the mean with. Raises BadInput where it is not like the one in training."""
    if folder is None:
        return None
    other = load_sidenet(folder, backbone)
    if other.config != model.config:
        raise BadInput(f"the SideNet in {folder} is configured differently; average runs of one start")
    return other


def lessons(backbone: Backbone, settings: TrainingSettings, arguments: argparse.Namespace) -> Lessons:
    """Make lessons of the demonstrations and questions that the command names."""
    found: list[Lessons] = []
    if arguments.demonstrations is not None:
        found.append(
            demonstration_lessons(
                arguments.demonstrations, arguments.read_table, backbone.tokenizer, settings.seed
            )
        )
    if arguments.questions is not None:
        held_out = sectioned(*arguments.held_out) if arguments.held_out else []
        readings = apart(sectioned(*arguments.questions), held_out)
        found.append(question_lessons(readings, backbone.tokenizer, settings.seed))
    most = arguments.lessons or None
    return {name: lesson for kind in found for name, lesson in itertools.islice(kind.items(), most)}


def start_model(backbone: Backbone, settings: TrainingSettings, arguments: argparse.Namespace) -> nn.Module:
    """Make the model of the method in fp32: as the backbone is, or the checkpoint named by --start."""
    torch.manual_seed(settings.seed)
    if settings.method == "sidenet":
        return start_sidenet(backbone, arguments).float()
    if arguments.start is not None:
        return load_memtrm(arguments.start, backbone).float()
    blocks = start_config(backbone, arguments).memory_blocks
    if len(blocks) != 1:
        raise BadInput("MemTRM has one memory layer; give one number to --memory-layers")
    return MemTRM(memtrm_config(backbone, blocks[0]), backbone).to(backbone.device).float()


def with_last(wanted: Wanted, backbone: Backbone) -> Wanted:
    """Add `H_n`, which the backbone's own logits come from, to what is wanted."""
    return Wanted(tuple(sorted({*wanted.hidden, backbone.blocks})), wanted.blocks)


def start_sidenet(backbone: Backbone, arguments: argparse.Namespace) -> SideNet:
    """Make the identity start, or load the checkpoint named by --start."""
    if arguments.start is not None:
        start = load_sidenet(arguments.start, backbone)
        if not arguments.value_layers:
            return start
        return with_values(start, arguments.value_layers, backbone, bool(arguments.values_follow))
    sidenet = SideNet(start_config(backbone, arguments), backbone).to(backbone.device)
    if arguments.search_map is None:
        return sidenet
    return with_search_of(sidenet, load_sidenet(arguments.search_map, backbone), backbone)


def start_config(backbone: Backbone, arguments: argparse.Namespace) -> SideNetConfig:
    """Configure the default SideNet, with the memory layers that the command names."""
    named = {name: getattr(arguments, name) for name in (*OF_THE_START, "value_layers")}
    return SideNetConfig.for_backbone(
        backbone, **{name: value for name, value in named.items() if value not in (None, ())}
    )


def first_segments(source: Source, count: int) -> Iterator[Frozen]:
    """Yield up to `count` segments: the first of every book, then the second of every book, and so on."""
    for index in itertools.count():
        deep = (book for book in range(len(source.names)) if index < source.length(book))
        found = list(itertools.islice(deep, count))  # a book is parsed when its turn comes
        yield from (source.segment(book, index) for book in found)
        count -= len(found)
        if not found or not count:
            return


def frozen_chats(backbone: Backbone, wanted: Wanted, seed: int, count: int = CHATS) -> list[Frozen]:
    """Compute activations of chat prompts with the backbone's own greedy answers, up to 24 tokens each."""
    if backbone.tokenizer.chat_template is None or not count:
        return []
    asked = prompts(count, seed, half=0)
    return [freeze(backbone, answered_chat(backbone, prompt, 24), wanted) for prompt in asked]


def train(
    model: nn.Module,
    backbone: Backbone,
    source: Source,
    settings: TrainingSettings,
    out: Path,
    chats: Sequence[Frozen] = (),
    save_every: int = 50,
    team: Team = ALONE,
) -> Report | None:
    """Run, or go on with, the training kept in `out`; returns the last report."""
    trainer = Trainer(model, backbone, Rows(source, settings.rows, settings.seed), settings, chats, team)
    if (state := load_state(out, settings)) is not None:
        trainer.restore(state)
    report = None
    with Run(trainer, out) as run:
        while trainer.done < settings.steps:
            report = trainer.step()
            run.log(report)
            if trainer.done % save_every == 0 or trainer.done == settings.steps:
                run.save(trainer.state())
    return report


class Run:
    """The files and the progress bar of a run; only the leading process has any."""

    def __init__(self, trainer: Trainer, out: Path) -> None:
        self.trainer, self.out, self.leads = trainer, out, trainer.team.leads
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self.progress = Progress(*columns, console=Console(stderr=True), disable=not self.leads)
        self.bar = self.progress.add_task("training", total=trainer.settings.steps, completed=trainer.done)

    def __enter__(self) -> "Run":
        if self.leads:
            self.out.mkdir(parents=True, exist_ok=True)
            (self.out / SETTINGS_FILE).write_text(self.trainer.settings.to_json())
            self.steps = StepLog(self.out / LOG_FILE, Report, self.trainer.done)
        self.progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.progress.stop()

    def log(self, report: Report) -> None:
        """Log one step: a line of the log, the bar."""
        if self.leads:
            self.steps.add(report)
            self.progress.update(self.bar, completed=report.step, description=describe(report))

    def save(self, state: dict) -> None:
        """Save a checkpoint: the model, the state to go on from, the curves."""
        if self.leads:
            # The state last: a run that was killed between the two does its last steps again.
            self.trainer.learner.save(self.trainer.backbone, self.out)
            save_state(self.out, state, self.trainer.settings)
            draw_curves(self.out / LOG_FILE, self.out / CURVES_FILE)


def describe(report: Report) -> str:
    """Write one line of progress."""
    speed = report.tokens / max(1e-9, report.seconds)
    return (
        f"loss {report.loss:.3f}  null {report.null_mass:.2f}  gate {report.gate:.2f}  {speed:.0f} tokens/s"
    )

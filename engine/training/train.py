"""`python launch.py train`: train a SideNet on books. The same command goes on with an interrupted run.

--out gets settings.json, log.csv, curves.png, state.pt (to go on) and, every --save steps and at the end, a
checkpoint: config.json and sidenet.safetensors, which --sidenet, ask and continue take, or those of MemTRM
(--method memtrm), which evaluate takes. `accelerate launch launch.py train …` splits the rows over GPUs.
"""

import argparse
import dataclasses
import itertools
from collections.abc import Iterator
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import nn

from engine.backbone.backbone import Backbone
from engine.backbone.load import load_backbone
from engine.paths import Paths
from engine.sidenet.checkpoint import load_sidenet, mean_sidenet, save_sidenet, with_search_of
from engine.sidenet.config import MEMORY_VALUES, SideNetConfig
from engine.sidenet.sidenet import SideNet
from engine.training.activations import Frozen, Source, TextBooks, Wanted, freeze
from engine.training.books import book_texts
from engine.training.chats import chat_ids, prompts
from engine.training.checkpoint import keep_options, load_state, save_state
from engine.training.curves import StepLog, draw_curves
from engine.training.learners import learner_for
from engine.training.lessons import Lessons, demonstration_lessons, question_lessons
from engine.training.memtrm import MemTRM, load_memtrm, memtrm_config
from engine.training.questions import apart, sectioned
from engine.training.rows import Rows
from engine.training.settings import TrainingSettings
from engine.training.start import copying_start
from engine.training.team import Team
from engine.training.trainer import ALONE, Report, Trainer
from ingest.errors import BadInput

CHATS = 64
# Beside the settings, these decide what a run learns; where files lie does not.
DECISIVE = ("skip", "limit", "max_books", "lessons", "chats", "bf16", "model", "copy_start", "memory_layers",
            "memory_block", "memory_values")  # fmt: skip
LOG_FILE, CURVES_FILE, SETTINGS_FILE = "log.csv", "curves.png", "settings.json"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command; every training setting has an option of its own."""
    parser.add_argument("--books", type=Path, required=True, metavar="DIR", help="the books to train on")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="the run's folder")
    parser.add_argument("--start", type=Path, metavar="DIR", help="begin with this SideNet's weights")
    parser.add_argument(
        "--mean-with",
        type=Path,
        metavar="DIR",
        help="keep the mean of the weights learned and these, at the end",
    )
    add_lesson_arguments(parser)
    add_model_arguments(parser)
    parser.add_argument("--cache", type=Path, metavar="DIR", help="keep the backbone's activations here")
    parser.add_argument(
        "--skip", type=int, default=0, metavar="N", help="segments left out at a book's start"
    )
    parser.add_argument("--limit", type=int, default=0, metavar="N", help="segments of one book (0: all)")
    parser.add_argument("--max-books", type=int, default=0, metavar="N", help="books to use (0: all)")
    parser.add_argument("--save", type=int, default=50, metavar="N", help="steps between two checkpoints")
    parser.add_argument("--bf16", action="store_true", help="the backbone and its activations in bfloat16")
    parser.add_argument(
        "--chats", type=int, default=CHATS, metavar="N", help="chat prompts that pull towards the backbone"
    )
    parser.add_argument(
        "--no-chats", action="store_const", dest="chats", const=0, help="the same as --chats 0"
    )
    group = parser.add_argument_group("settings of the run")
    for field in dataclasses.fields(TrainingSettings):
        name = "--" + field.name.replace("_", "-")
        group.add_argument(name, type=type(field.default), default=field.default, metavar=str(field.default))


def add_lesson_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments that name what is learned from besides books; `lessons` reads them."""
    two = {"nargs": 2, "type": Path, "metavar": ("DOCUMENTS", "QUESTIONS")}
    parser.add_argument(
        "--demonstrations", type=Path, metavar="DIR", help="tables of labelled examples to learn from"
    )
    parser.add_argument("--questions", **two, help="stories in sections, and questions that name them")
    parser.add_argument("--held-out", **two, help="the same, for stories that must not be learned from")
    parser.add_argument("--lessons", type=int, default=0, metavar="N", help="of each kind (0: all)")


def add_model_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments that say what a model in training starts as; `start_model` reads them."""
    parser.add_argument(
        "--search-map", type=Path, metavar="DIR", help="take over the search map of this checkpoint"
    )
    parser.add_argument("--model", help="hub name, folder or GGUF file (default: the one that comes along)")
    parser.add_argument(
        "--copy-start",
        type=int,
        default=0,
        metavar="N",
        help="closed-form start from N segments (0: identity)",
    )
    parser.add_argument("--memory-layers", default="", metavar="I,J", help="side layers that read the bank")
    parser.add_argument("--memory-block", type=int, metavar="B", help="the block whose keys they read")
    parser.add_argument(
        "--memory-values",
        choices=MEMORY_VALUES,
        default="attention",
        help="what a slot gives: its value, or the token that followed it",
    )


def run(arguments: argparse.Namespace) -> int:
    """Train until the last step; the exit code is 0."""
    settings = TrainingSettings(
        **{field.name: getattr(arguments, field.name) for field in dataclasses.fields(TrainingSettings)}
    )
    team = Team.here()
    if team.device != "cpu":
        torch.set_float32_matmul_precision("high")  # fp32 products take the tensor cores
    if settings.rows < team.size:
        raise BadInput(f"{settings.rows} rows cannot be split over {team.size} processes; give --rows more")
    if team.leads:
        keep_options(arguments.out, {name: getattr(arguments, name) for name in DECISIVE})
    dtype = torch.bfloat16 if arguments.bf16 else torch.float32
    backbone = load_backbone(Paths.default(), arguments.model, team.device, dtype)
    texts = book_texts(arguments.books, arguments.parse_file, arguments.max_books)
    texts |= lessons(backbone, settings, arguments)
    model = start_model(backbone, settings, arguments)
    wanted = learner_for(model).wanted(settings)
    source = TextBooks(
        backbone, texts, wanted, settings.segment, arguments.skip, arguments.limit, arguments.cache
    )
    if arguments.copy_start and arguments.start is None:
        if settings.method != "sidenet":
            raise BadInput("--copy-start is of the SideNet; leave it out")
        if (lowest := min(model.config.memory_layers)) < settings.first_layer:
            raise BadInput(f"memory layer {lowest} would not learn; give --first-layer {lowest}")
        copying_start(model, backbone, first_segments(source, arguments.copy_start))
    chats = frozen_chats(backbone, with_last(wanted, backbone), settings.seed, arguments.chats)
    train(model, backbone, source, settings, arguments.out, chats, arguments.save, team)
    if arguments.mean_with is not None and team.leads:
        learner_for(model).save(backbone, arguments.out)  # a run that was done before left the mean there
        learned, other = (load_sidenet(folder, backbone) for folder in (arguments.out, arguments.mean_with))
        save_sidenet(mean_sidenet(learned, other), backbone, arguments.out)
    return 0


def lessons(backbone: Backbone, settings: TrainingSettings, arguments: argparse.Namespace) -> Lessons:
    """Demonstrations and questions that the command names."""
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
    """The model of the method in fp32: as the backbone is, or the checkpoint named by --start."""
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
    """The same and `H_n`, which the backbone's own logits come from."""
    return Wanted(tuple(sorted({*wanted.hidden, backbone.blocks})), wanted.blocks)


def start_sidenet(backbone: Backbone, arguments: argparse.Namespace) -> SideNet:
    """The identity start, or the checkpoint named by --start."""
    if arguments.start is not None:
        return load_sidenet(arguments.start, backbone)
    sidenet = SideNet(start_config(backbone, arguments), backbone).to(backbone.device)
    if arguments.search_map is None:
        return sidenet
    return with_search_of(sidenet, load_sidenet(arguments.search_map, backbone), backbone)


def start_config(backbone: Backbone, arguments: argparse.Namespace) -> SideNetConfig:
    """The default SideNet, with the memory layers that the command names."""
    layers = {"memory_block": arguments.memory_block, "memory_values": arguments.memory_values}
    if arguments.memory_layers:
        layers["memory_layers"] = tuple(int(number) for number in arguments.memory_layers.split(","))
    return SideNetConfig.for_backbone(backbone, **layers)


def first_segments(source: Source, count: int) -> Iterator[Frozen]:
    """Up to `count` segments: the first of every book, then the second of every book, and so on."""
    deepest = max(source.length(book) for book in range(len(source.names)))
    places = ((book, index) for index in range(deepest) for book in range(len(source.names)))
    there = ((book, index) for book, index in places if index < source.length(book))
    return (source.segment(book, index) for book, index in itertools.islice(there, count))


def frozen_chats(backbone: Backbone, wanted: Wanted, seed: int, count: int = CHATS) -> list[Frozen]:
    """Activations of chat prompts with the backbone's own greedy answers, up to 24 tokens each."""
    if backbone.tokenizer.chat_template is None or not count:
        return []
    chats = []
    for prompt in prompts(count, seed, half=0):
        ids = chat_ids(backbone.tokenizer, prompt)
        with torch.inference_mode():
            whole = backbone.model.generate(
                torch.tensor([ids], device=backbone.device),
                attention_mask=torch.ones(1, len(ids), dtype=torch.long, device=backbone.device),
                max_new_tokens=24,
                do_sample=False,
                pad_token_id=backbone.tokenizer.eos_token_id,
            )
        chats.append(freeze(backbone, whole[0], wanted))
    return chats


def train(
    model: nn.Module,
    backbone: Backbone,
    source: Source,
    settings: TrainingSettings,
    out: Path,
    chats: list[Frozen] = (),
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
            self.steps = StepLog(self.out / LOG_FILE, self.trainer.done)
        self.progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.progress.stop()

    def log(self, report: Report) -> None:
        """One step: a line of the log, the bar."""
        if self.leads:
            self.steps.add(report)
            self.progress.update(self.bar, completed=report.step, description=describe(report))

    def save(self, state: dict) -> None:
        """A checkpoint: the model, the state to go on from, the curves."""
        if self.leads:
            # The state last: a run that was killed between the two does its last steps again.
            self.trainer.learner.save(self.trainer.backbone, self.out)
            save_state(self.out, state, self.trainer.settings)
            draw_curves(self.out / LOG_FILE, self.out / CURVES_FILE)


def describe(report: Report) -> str:
    """One line of progress."""
    speed = report.tokens / max(1e-9, report.seconds)
    return (
        f"loss {report.loss:.3f}  null {report.null_mass:.2f}  gate {report.gate:.2f}  {speed:.0f} tokens/s"
    )

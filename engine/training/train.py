"""`python launch.py train`: train a SideNet on books. The same command goes on with an interrupted run.

--out gets settings.json, log.csv, curves.png, state.pt (to go on) and, every --save steps and at the end,
config.json and sidenet.safetensors: a checkpoint that --sidenet, ask and continue take.
"""

import argparse
import dataclasses
import itertools
from collections.abc import Iterator
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from engine.backbone.backbone import Backbone
from engine.backbone.load import load_backbone
from engine.paths import Paths
from engine.sidenet.checkpoint import load_sidenet, save_sidenet
from engine.sidenet.config import SideNetConfig
from engine.sidenet.sidenet import SideNet
from engine.training.activations import Frozen, Source, TextBooks, Wanted, freeze
from engine.training.books import book_texts
from engine.training.chats import chat_ids, prompts
from engine.training.checkpoint import load_state, save_state
from engine.training.curves import StepLog, draw_curves
from engine.training.rows import Rows
from engine.training.settings import TrainingSettings
from engine.training.start import copying_start
from engine.training.trainer import Report, Trainer

CHATS = 64
LOG_FILE, CURVES_FILE, SETTINGS_FILE = "log.csv", "curves.png", "settings.json"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command; every training setting has an option of its own."""
    parser.add_argument("--books", type=Path, required=True, metavar="DIR", help="the books to train on")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="the run's folder")
    parser.add_argument("--model", help="hub name, folder or GGUF file (default: the one that comes along)")
    parser.add_argument("--start", type=Path, metavar="DIR", help="begin with this SideNet's weights")
    parser.add_argument(
        "--copy-start",
        type=int,
        default=0,
        metavar="N",
        help="closed-form start from N segments (0: identity)",
    )
    parser.add_argument("--memory-layers", default="", metavar="I,J", help="side layers that read the bank")
    parser.add_argument("--cache", type=Path, metavar="DIR", help="keep the backbone's activations here")
    parser.add_argument(
        "--skip", type=int, default=0, metavar="N", help="segments left out at a book's start"
    )
    parser.add_argument("--limit", type=int, default=0, metavar="N", help="segments of one book (0: all)")
    parser.add_argument("--max-books", type=int, default=0, metavar="N", help="books to use (0: all)")
    parser.add_argument("--save", type=int, default=50, metavar="N", help="steps between two checkpoints")
    parser.add_argument("--bf16", action="store_true", help="the backbone and its activations in bfloat16")
    parser.add_argument(
        "--no-chats", action="store_true", help="no pull towards the backbone on chat prompts"
    )
    group = parser.add_argument_group("settings of the run")
    for field in dataclasses.fields(TrainingSettings):
        name = "--" + field.name.replace("_", "-")
        group.add_argument(name, type=type(field.default), default=field.default, metavar=str(field.default))


def run(arguments: argparse.Namespace) -> int:
    """Train until the last step; the exit code is 0."""
    settings = TrainingSettings(
        **{field.name: getattr(arguments, field.name) for field in dataclasses.fields(TrainingSettings)}
    )
    device = "cuda" if torch.cuda.is_available() else "cpu"
    dtype = torch.bfloat16 if arguments.bf16 else torch.float32
    backbone = load_backbone(Paths.default(), arguments.model, device, dtype)
    texts = book_texts(arguments.books, arguments.parse_file, arguments.max_books)
    sidenet = start_sidenet(backbone, settings, arguments)
    wanted = Wanted.of(sidenet.config, trained_states(sidenet, settings))
    source = TextBooks(
        backbone, texts, wanted, settings.segment, arguments.skip, arguments.limit, arguments.cache
    )
    if arguments.copy_start and arguments.start is None:
        copying_start(sidenet, backbone, first_segments(source, arguments.copy_start))
    chats = [] if arguments.no_chats else frozen_chats(backbone, wanted, settings.seed)
    train(sidenet, backbone, source, settings, arguments.out, chats, arguments.save)
    return 0


def start_sidenet(backbone: Backbone, settings: TrainingSettings, arguments: argparse.Namespace) -> SideNet:
    """The identity start, or the checkpoint named by --start."""
    torch.manual_seed(settings.seed)
    if arguments.start is not None:
        return load_sidenet(arguments.start, backbone).float()
    layers = {}
    if arguments.memory_layers:
        layers["memory_layers"] = tuple(int(number) for number in arguments.memory_layers.split(","))
    return SideNet(SideNetConfig.for_backbone(backbone, **layers), backbone).to(backbone.device)


def first_segments(source: Source, count: int) -> Iterator[Frozen]:
    """Up to `count` segments: the first of every book, then the second of every book, and so on."""
    deepest = max(source.length(book) for book in range(len(source.names)))
    places = ((book, index) for index in range(deepest) for book in range(len(source.names)))
    there = ((book, index) for book, index in places if index < source.length(book))
    return (source.segment(book, index) for book, index in itertools.islice(there, count))


def trained_states(sidenet: SideNet, settings: TrainingSettings) -> tuple[int, ...]:
    """The `H_j` that the layers in training read."""
    boundaries = sidenet.config.boundaries
    return (*boundaries[settings.first_layer : -1], sidenet.config.blocks)


def frozen_chats(backbone: Backbone, wanted: Wanted, seed: int, count: int = CHATS) -> list[Frozen]:
    """Activations of chat prompts with the backbone's own greedy answers, up to 24 tokens each."""
    if backbone.tokenizer.chat_template is None:
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
    sidenet: SideNet,
    backbone: Backbone,
    source: Source,
    settings: TrainingSettings,
    out: Path,
    chats: list[Frozen] = (),
    save_every: int = 50,
) -> Report | None:
    """Run, or go on with, the training kept in `out`; returns the last report."""
    out.mkdir(parents=True, exist_ok=True)
    trainer = Trainer(sidenet, backbone, Rows(source, settings.rows, settings.seed), settings, chats)
    if (state := load_state(out, settings)) is not None:
        trainer.restore(state)
    (out / SETTINGS_FILE).write_text(settings.to_json())
    log, report = StepLog(out / LOG_FILE, trainer.done), None
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        bar = progress.add_task("training", total=settings.steps, completed=trainer.done)
        while trainer.done < settings.steps:
            report = trainer.step()
            log.add(report)
            progress.update(bar, completed=trainer.done, description=describe(report))
            if trainer.done % save_every == 0 or trainer.done == settings.steps:
                save_state(out, trainer.state(), settings)
                save_sidenet(sidenet, backbone, out)
                draw_curves(out / LOG_FILE, out / CURVES_FILE)
    return report


def describe(report: Report) -> str:
    """One line of progress."""
    speed = report.tokens / max(1e-9, report.seconds)
    return (
        f"loss {report.loss:.3f}  null {report.null_mass:.2f}  gate {report.gate:.2f}  {speed:.0f} tokens/s"
    )

"""The options of a training run: its arguments, what they must not contradict, what decides its losses."""

import argparse
import dataclasses
import hashlib
from pathlib import Path
from typing import Any

from torch import nn

from engine.arguments import add_settings, natural, numbers, option, positive, settings_of
from engine.sidenet.config import BRANCH_SCALES, MEMORY_VALUES
from engine.training.settings import TrainingSettings
from ingest.errors import BadInput

CHATS = 64
# Beside the settings, these decide what a run learns; where files lie does not.
OF_THE_START = (
    "memory_layers", "memory_block", "memory_values", "values_follow", "branch_scale", "chunk_size", "top_k",
)  # fmt: skip
OF_THE_SIDENET = (
    "memory_values", "value_layers", "values_follow", "branch_scale", "search_map", "copy_start", "mean_with",
)  # fmt: skip
DECISIVE = ("skip", "limit", "max_books", "lessons", "chats", "bf16", "model", "copy_start")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command; every training setting has one of its own."""
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
        "--skip", type=natural, default=0, metavar="N", help="segments left out at a book's start"
    )
    parser.add_argument("--limit", type=natural, default=0, metavar="N", help="segments of one book (0: all)")
    parser.add_argument("--max-books", type=natural, default=0, metavar="N", help="books to use (0: all)")
    parser.add_argument(
        "--save", type=positive, default=50, metavar="N", help="steps between two checkpoints"
    )
    parser.add_argument("--bf16", action="store_true", help="products in bfloat16; on a GPU states too")
    parser.add_argument(
        "--chats",
        type=natural,
        default=CHATS,
        metavar="N",
        help="chat prompts that pull towards the backbone",
    )
    parser.add_argument(
        "--no-chats", action="store_const", dest="chats", const=0, help="the same as --chats 0"
    )
    group = parser.add_argument_group("settings of the run")
    add_settings(group, TrainingSettings(), but=("first_layer",))
    group.add_argument(
        "--first-layer", type=natural, metavar="I", help="default: the lowest that reads memory"
    )


def add_lesson_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that name what is learned from besides books."""
    two: dict[str, Any] = {"nargs": 2, "type": Path, "metavar": ("DOCUMENTS", "QUESTIONS")}
    parser.add_argument(
        "--demonstrations", type=Path, metavar="DIR", help="tables of labelled examples to learn from"
    )
    parser.add_argument("--questions", **two, help="stories in sections, and questions that name them")
    parser.add_argument("--held-out", **two, help="the same, for stories that must not be learned from")
    parser.add_argument("--lessons", type=natural, default=0, metavar="N", help="of each kind (0: all)")


def add_model_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that say what a model in training starts as."""
    parser.add_argument(
        "--search-map", type=Path, metavar="DIR", help="take over the search map of this checkpoint"
    )
    parser.add_argument("--model", help="hub name, folder or GGUF file (default: the one that comes along)")
    parser.add_argument(
        "--copy-start",
        type=natural,
        default=0,
        metavar="N",
        help="closed-form start from N segments (0: identity)",
    )
    parser.add_argument(
        "--memory-layers", type=numbers, default="", metavar="I,J", help="side layers that read the bank"
    )
    parser.add_argument("--memory-block", type=natural, metavar="B", help="the block whose keys they read")
    parser.add_argument(
        "--memory-values",
        choices=MEMORY_VALUES,
        help="what a slot gives: its value (attention, the default), or the token that followed it",
    )
    parser.add_argument(
        "--value-layers",
        type=numbers,
        default="",
        metavar="I,J",
        help="side layers that read values beside those that vote; with --start they are added to it",
    )
    parser.add_argument(
        "--branch-scale",
        choices=BRANCH_SCALES,
        help="how branches start: learned (from zero, the default), unit (the paper), or carried",
    )
    parser.add_argument(
        "--values-follow",
        action="store_true",
        default=None,
        help="a slot gives the value of the token that followed it, and is looked for as votes are",
    )
    parser.add_argument("--chunk-size", type=positive, metavar="N", help="tokens of a chunk (default: 4)")
    parser.add_argument("--top-k", type=positive, metavar="N", help="chunks that a token reads (default: 16)")


def checked_settings(arguments: argparse.Namespace) -> TrainingSettings:
    """Read the settings that the command names.

    Raises
    ------
    BadInput
        A setting is out of range, or an option would do nothing.
    """
    settings = settings_of(arguments, TrainingSettings)
    if arguments.held_out is not None and arguments.questions is None:
        raise BadInput("--held-out keeps stories out of --questions; name these too, or leave it out")
    if settings.method == "memtrm":
        for name in OF_THE_SIDENET:
            if getattr(arguments, name):
                raise BadInput(f"{option(name)} is of the SideNet; leave it out with --method memtrm")
    if arguments.start is not None:
        for name in ("search_map", "copy_start"):
            if getattr(arguments, name):
                raise BadInput(f"{option(name)} is for a new SideNet; leave it out beside --start")
    return settings


def with_first_layer(
    settings: TrainingSettings, model: nn.Module, arguments: argparse.Namespace
) -> TrainingSettings:
    """Set the side layer that learning begins at: the one named, or the lowest memory layer.

    Raises
    ------
    BadInput
        The model that --start names is another than the options say, or a memory layer would never learn.
    """
    if settings.method == "memtrm":
        return settings
    config = model.config
    for name in OF_THE_START:
        asked, there = getattr(arguments, name), getattr(config, name)
        if asked not in (None, (), there):
            raise BadInput(f"{arguments.start} has {name} {there}; leave {option(name)} out")
    lowest = min(config.memory_layers, default=0)
    if arguments.first_layer is None:
        return dataclasses.replace(settings, first_layer=lowest)
    if arguments.start is None and arguments.first_layer > lowest:
        raise BadInput(f"memory layer {lowest} would not learn; give --first-layer {lowest}")
    return settings


def check_lengths(settings: TrainingSettings, model: nn.Module) -> None:
    """Raise BadInput where segments or the bank do not hold whole chunks."""
    size = model.config.chunk_size
    for name in ("segment", "capacity"):
        if (tokens := getattr(settings, name)) % size:
            raise BadInput(f"{name} is {tokens}; it must be a multiple of {size}, the chunk size")


def decisive(arguments: argparse.Namespace, model: nn.Module, names: list[str]) -> dict[str, object]:
    """Collect what decides the losses of a run beside its settings: options, starting weights, texts."""
    weights = hashlib.blake2b(repr(model.config).encode(), digest_size=8)
    for tensor in model.state_dict().values():
        weights.update(tensor.detach().float().cpu().numpy().tobytes())
    texts = hashlib.blake2b("\n".join(names).encode(), digest_size=8)
    options = {name: getattr(arguments, name) for name in DECISIVE}
    return options | {"start": weights.hexdigest(), "books": texts.hexdigest()}

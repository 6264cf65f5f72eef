"""Arguments: the numbers that a command line takes, as argparse types. Standard library only."""

import argparse
import dataclasses
import re
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    Settings = TypeVar("Settings", bound=DataclassInstance)

MOST = 10**9
MODEL = "model_"  # how the parsed names of the model's device and precision begin
PRECISIONS = ("auto", "float32", "bfloat16", "float16", "int8", "int4")
DEVICES = r"auto|cpu|cuda|cuda:\d{1,2}|mps"
DEVICE_VARIABLE, PRECISION_VARIABLE = "LONGMEM_DEVICE", "LONGMEM_PRECISION"


def whole(least: int, most: int = MOST) -> Callable[[str], int]:
    """Make an argparse type: a whole number from `least` to `most`."""

    def read(words: str) -> int:
        try:
            number = int(words)
        except ValueError:
            number = least - 1
        if not least <= number <= most:
            raise argparse.ArgumentTypeError(f"'{words[:40]}' is not a whole number from {least} to {most:,}")
        return number

    return read


natural = whole(0)
positive = whole(1)
thread_count = whole(1, 1024)
port_number = whole(1, 65535)
# what a random generator of PyTorch takes
seed = whole(0, 2**63 - 1)


def listed(least: int, may_be_empty: bool = True) -> Callable[[str], tuple[int, ...]]:
    """Make an argparse type: "4,20" as (4, 20), numbers from `least` on; "" as () where that may be."""

    def read(words: str) -> tuple[int, ...]:
        try:
            found = tuple(int(word) for word in words.split(",") if word)
        except ValueError:
            found = (least - 1,)
        if any(number < least for number in found) or not (found or may_be_empty):
            said = f"'{words[:40]}' is no list of numbers from {least} on; write it like 4,20"
            raise argparse.ArgumentTypeError(said)
        return found

    return read


numbers = listed(0)
sizes = listed(1)
lengths = listed(1, may_be_empty=False)


def device_name(words: str) -> str:
    """Read the name of a device, as an argparse type."""
    if not re.fullmatch(DEVICES, words):
        raise argparse.ArgumentTypeError(
            f"there is no device '{words[:40]}'; choose auto, cpu, cuda, cuda:N or mps"
        )
    return words


def add_device_arguments(
    parser: argparse.ArgumentParser | argparse._ArgumentGroup, prefix: str = MODEL
) -> None:
    """Add --device and --precision, which every command that loads a model has; prefix: of the parsed names.

    A training run has an option of its own for the precision.
    """
    parser.add_argument(
        "--device",
        dest=f"{prefix}device",
        type=device_name,
        metavar="NAME",
        help=f"auto, cpu, cuda, cuda:N or mps (default: {DEVICE_VARIABLE}, or auto: doctor tells which)",
    )
    if not {"--precision", "--bf16"} & set(parser._option_string_actions):
        parser.add_argument(
            "--precision",
            dest=f"{prefix}precision",
            choices=PRECISIONS,
            metavar="NAME",
            help=f"{', '.join(PRECISIONS)} (default: {PRECISION_VARIABLE}, or auto)",
        )


def add_settings(
    parser: argparse.ArgumentParser | argparse._ArgumentGroup,
    settings: "DataclassInstance",
    but: Collection[str] = (),
) -> None:
    """Add an option for every field of some settings but these; its value is the default."""
    for name, value in dataclasses.asdict(settings).items():
        if name not in but:
            parser.add_argument(option(name), type=type(value), default=value, metavar=str(value))


def settings_of(arguments: argparse.Namespace, kind: "type[Settings]") -> "Settings":
    """Read the settings that `add_settings` asked for; one that was left open keeps its default."""
    named = {field.name: getattr(arguments, field.name) for field in dataclasses.fields(kind)}
    return kind(**{name: value for name, value in named.items() if value is not None})


def option(name: str) -> str:
    """Name the option of a setting: option("held_out") = "--held-out"."""
    return "--" + name.replace("_", "-")

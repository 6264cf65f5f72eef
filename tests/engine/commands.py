"""Commands of the engine, as a command line calls them."""

import argparse
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

from ingest.document import Document
from ingest.parse import parse
from ingest.tables import read_table


def parsed(
    module: ModuleType, *words: object, parse_file: Callable[[Path], Document] = parse
) -> argparse.Namespace:
    """Read the words of a command; words that are no texts are written as such."""
    parser = argparse.ArgumentParser()
    module.add_arguments(parser)
    arguments = parser.parse_args(list(map(str, words)))
    arguments.parse_file, arguments.read_table = parse_file, read_table
    return arguments


def plain(file: Path) -> argparse.Namespace:
    """Stand in for a parser: a file is its text."""
    return argparse.Namespace(text=Path(file).read_text())

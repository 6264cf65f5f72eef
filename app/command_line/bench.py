"""`bench NAME`: the engine's benchmarks, and the page's own, of which the engine knows nothing."""

import argparse

from app.command_line import bench_page
from engine.bench import command

PAGE = "the page: start, weight, a million-token book, Stop, what showing an answer costs"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add one sub-command a benchmark."""
    page = command.add_arguments(parser).add_parser("page", help=PAGE, description=PAGE)
    bench_page.add_arguments(page)
    page.set_defaults(run_chosen=bench_page.run)


def run(arguments: argparse.Namespace) -> int:
    """Run the chosen benchmark; returns its exit code."""
    return command.run(arguments)

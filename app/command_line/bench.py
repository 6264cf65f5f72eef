"""`bench NAME`: the engine's benchmarks, and the page's own, of which the engine knows nothing."""

import argparse

from app.command_line import (
    bench_adding,
    bench_fuzz,
    bench_kills,
    bench_page,
    bench_probe,
    bench_soak,
    bench_tour,
)
from engine.bench import command
from engine.subcommands import run_subcommand

SOAK = "questions, uploads and removals by several visitors, the program killed at random moments"
ADDING = "many files added by one process, by several, by a cluster: tokens a second"
KILLS = "many files added by several processes, of which one after another is killed"
FUZZ = "small hostile files of every format: what reading each takes, and how it ends"
PROBE = "whether the page goes on answering while it reads hostile files, several at once"
TOUR = "the first ten minutes of a new reader in a browser, in seconds a step"
PAGE = "the page: start, weight, a million-token book, Stop, what showing an answer costs"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add one sub-command a benchmark."""
    benchmarks = command.add_arguments(parser)
    ours = (
        ("page", PAGE, bench_page),
        ("tour", TOUR, bench_tour),
        ("soak", SOAK, bench_soak),
        ("adding", ADDING, bench_adding),
        ("kills", KILLS, bench_kills),
        ("fuzz", FUZZ, bench_fuzz),
        ("probe", PROBE, bench_probe),
    )
    for name, words, module in ours:
        made = benchmarks.add_parser(name, help=words, description=words)
        module.add_arguments(made)
        made.set_defaults(run_chosen=module.run)


run = run_subcommand

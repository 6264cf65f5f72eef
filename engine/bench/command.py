"""`bench NAME`: how fast and how large, as ratios taken in one run.

Adding a benchmark: one module with `add_arguments(parser)` and `run(arguments) -> int`, one row here.
"""

import argparse

from engine.subcommands import Rows, add_subcommands, run_subcommand

BENCHES = {
    "encode": "filling a bank against the backbone's own forward pass",
    "generation": "tokens per second against transformers' generate, by size of the bank",
    "peers": "the same model file in transformers and llama.cpp: encoding, first word, rate, memory",
    "question": "seconds to the first token against dense prefill; bank size against a key/value cache",
    "start": "from a cold start to the first token of an answer",
    "retrieval": "exact search of 4k to 1M chunks per head, each index in turn",
    "shelf": "a question about 10 to 10,000 books: candidates, first word, recall, memory",
    "bank": "memory used while a bank of 100k and of 1M tokens is filled",
}


def add_arguments(parser: argparse.ArgumentParser) -> Rows:
    """Add one sub-command a benchmark; return them, for more to be added."""
    return add_subcommands(parser, "engine.bench", BENCHES)


run = run_subcommand

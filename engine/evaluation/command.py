"""`evaluate NAME`: what the memory is worth, as tables in Markdown and JSON.

Adding an evaluation: one module with `add_arguments(parser)` and `run(arguments) -> int`, one row here.
"""

import argparse

from engine.subcommands import add_subcommands, run_subcommand

EVALUATIONS = {
    "ingest": "reading order, headings and tables of pages whose truth is known; letters kept of a folder",
    "perplexity": "token-level perplexity by length of book, with and without memory",
    "chapterbreak": "six-way identification of the true next chapter",
    "continuing": "texts written on: names of the book, other names, repeats, loss of the true text",
    "chat": "divergence from the backbone on chat prompts without a document",
    "icl": "few-shot classification with demonstrations in the window and in memory",
    "staleness": "a bank before and after training steps: LongMem's and MemTRM's",
    "retrieval": "recall of the right passage: memory, full text, their fusion",
    "needles": "planted facts by depth and length: a grid of what memory and full text find",
    "readers": "questions as readers ask them about books: right, wrong, refused, cited",
    "shelf": "questions over all books whose book is known: that book first, the answer, that book alone",
    "qa": "exact match and F1 of answers, from the backbone alone to memory and re-read passages",
    "citations": "precision and coverage of citations; refusals where the document does not tell",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add one sub-command an evaluation."""
    add_subcommands(parser, "engine.evaluation", EVALUATIONS)


run = run_subcommand

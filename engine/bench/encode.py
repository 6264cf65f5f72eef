"""Encode tokens/s of a real text into a bank on disk, against the bare forward pass of `transformers`."""

import argparse
import tempfile
import time
from pathlib import Path

import torch

from engine.arguments import positive
from engine.bank.layout import SEGMENT
from engine.bench.subject import add_common_arguments, default_backbone, report
from engine.filling import bank_layout, encode_text
from engine.sidenet.checkpoint import sidenet_for

SENTENCE = (
    "The train was late, and Garnet had read every advertisement on the platform twice before it came. "
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the benchmark."""
    add_common_arguments(parser)
    parser.add_argument(
        "--rounds", type=positive, default=5, help="alternating rounds; the best of each counts"
    )


def run(arguments: argparse.Namespace) -> int:
    """Measure, and print the result; the exit code is 0."""
    backbone = default_backbone(arguments)
    layout = bank_layout(sidenet_for(backbone).config)
    text = "".join(f"{n}. {SENTENCE}" for n in range(180))
    ids = backbone.tokenizer(text, add_special_tokens=False)["input_ids"]
    pieces = [torch.tensor([ids[start : start + SEGMENT]]) for start in range(0, len(ids), SEGMENT)]
    ours, theirs = [], []
    for _ in range(arguments.rounds):
        began = time.perf_counter()
        with torch.inference_mode():
            for piece in pieces:
                backbone.in_transformers.base_model(input_ids=piece, use_cache=False)
        theirs.append(time.perf_counter() - began)
        with tempfile.TemporaryDirectory(prefix="longmem-bench-") as scratch:
            began = time.perf_counter()
            encode_text(text, Path(scratch) / "bank", backbone, layout)
            ours.append(time.perf_counter() - began)
    results = {
        "tokens": len(ids),
        "blocks run": max(layout.memory_blocks),
        "encode tokens/s (tokenise, run, write, fsync)": len(ids) / min(ours),
        "transformers forward tokens/s (all blocks, no head)": len(ids) / min(theirs),
        "ratio (goal: 0.85)": min(theirs) / min(ours),
    }
    return report(results, arguments)

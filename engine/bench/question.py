"""A question about a book of 100k tokens on the shelf: time to the first token, and what its memory weighs.

The comparison is dense prefill of the same text, which ends at the backbone's own limit of 8k tokens.
"""

import argparse
import time

import torch

from engine.arguments import positive
from engine.backbone.backbone import Backbone
from engine.bench.subject import (
    active_sidenet,
    add_common_arguments,
    default_backbone,
    report,
    synthetic_memory,
)
from engine.filling import bank_layout
from engine.reader import Reader
from engine.sampling import Sampling
from engine.sidenet.checkpoint import sidenet_for

QUESTION_TOKENS = 600


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the benchmark."""
    add_common_arguments(parser)
    parser.add_argument("--tokens", type=positive, default=100_000, help="length of the book")


def run(arguments: argparse.Namespace) -> int:
    """Measure, and print the result; the exit code is 0."""
    backbone = default_backbone(arguments)
    reader = Reader(backbone, active_sidenet(backbone))
    torch.manual_seed(0)
    ids = torch.randint(100, 40_000, (backbone.context,)).tolist()
    with synthetic_memory(reader.sidenet, arguments.tokens) as memory:
        next(reader.generate(ids[:32], memory, Sampling(max_tokens=1)))
        began = time.perf_counter()
        next(reader.generate(ids[:QUESTION_TOKENS], memory, Sampling(max_tokens=1)))
        with_memory = time.perf_counter() - began
    prefill(backbone, ids[:32])  # the first call loads what the others find loaded
    question, dense = prefill(backbone, ids[:QUESTION_TOKENS]), prefill(backbone, ids)
    cache = 2 * 2 * backbone.blocks * backbone.kv_heads * backbone.head_dim  # fp16 keys and values
    ours = bank_layout(sidenet_for(backbone).config).bytes_per_token
    results = {
        "tokens in memory": arguments.tokens,
        "question and passages, tokens": QUESTION_TOKENS,
        "seconds to the first token": with_memory,
        "seconds beyond the prefill of the question (goal: 2)": with_memory - question,
        "dense prefill of the first 8k tokens, seconds": dense,
        "dense prefill against ours": dense / with_memory,
        "bank bytes per token": ours,
        "full fp16 key/value cache, bytes per token": cache,
        "bank against cache (goal: 0.1)": ours / cache,
    }
    return report(results, arguments)


def prefill(backbone: Backbone, ids: list[int]) -> float:
    """Return the seconds that the bare backbone takes in `transformers` to read token ids."""
    began = time.perf_counter()
    with torch.inference_mode():
        backbone.in_transformers(input_ids=torch.tensor([ids]), logits_to_keep=1)
    return time.perf_counter() - began

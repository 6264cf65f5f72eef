"""Generated tokens/s with banks of 0 to 1M tokens, against `transformers`' generate on the bare backbone."""

import argparse
import time
from collections.abc import Iterator

import torch

from engine.arguments import positive
from engine.backbone.backbone import Backbone
from engine.bench.subject import (
    TimedMemory,
    active_sidenet,
    add_common_arguments,
    default_backbone,
    report,
    synthetic_memory,
)
from engine.reader import Reader, Token
from engine.retrieval.memory import Memory
from engine.sampling import Sampling
from engine.sidenet.checkpoint import sidenet_for

PROMPT = "The captain looked at the sea for a long time before he spoke, and when he did,"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the benchmark."""
    add_common_arguments(parser)
    parser.add_argument("--tokens", type=positive, default=48, help="tokens generated a round")
    parser.add_argument("--rounds", type=positive, default=3, help="rounds; the best counts")
    parser.add_argument("--sizes", type=positive, nargs="+", default=[10_000, 100_000, 1_000_000])


def run(arguments: argparse.Namespace) -> int:
    """Measure, and print the result; the exit code is 0."""
    backbone = default_backbone(arguments)
    ids = backbone.tokenizer(PROMPT)["input_ids"]
    count, rounds, sizes = arguments.tokens, arguments.rounds, arguments.sizes
    bare_seconds(backbone, ids, count)  # the first call loads what the others find loaded
    bare = [bare_seconds(backbone, ids, count) for _ in range(rounds)]
    rates: dict[tuple[str, int], float] = {}
    shares: dict[str, float] = {}
    for name, sidenet in (("shipped", sidenet_for(backbone)), ("active", active_sidenet(backbone))):
        reader = Reader(backbone, sidenet)
        rates[name, 0] = rate(reader, ids, None, count, rounds)
        for size in sizes:
            with synthetic_memory(sidenet, size) as memory:
                rates[name, size] = rate(reader, ids, memory, count, rounds)
                if size == max(sizes):
                    shares[name] = retrieval_share(reader, ids, memory, count)
            bare.append(bare_seconds(backbone, ids, count))
    bare_rate = count / (min(whole for _, whole in bare) - min(first for first, _ in bare))
    results = {"transformers generate, tokens/s": bare_rate}
    for (name, size), value in rates.items():
        results[f"{name} SideNet, {size:,} tokens of memory, tokens/s"] = value
        results[f"{name} SideNet, {size:,} tokens of memory, ratio to generate"] = value / bare_rate
    for name in ("shipped", "active"):
        cost = rates[name, min(sizes)] / rates[name, max(sizes)]
        results[f"{name}: a token at {max(sizes):,} against {min(sizes):,} (goal: 1.5)"] = cost
        results[f"{name}: share of a token that retrieval takes at {max(sizes):,} (goal: 0.2)"] = shares[name]
    return report(results, arguments)


def bare_seconds(backbone: Backbone, ids: list[int], count: int) -> tuple[float, float]:
    """Return the seconds of `transformers`' own greedy generation: for one token, and for `count` more."""
    return generate(backbone, ids, 1), generate(backbone, ids, count + 1)


def generate(backbone: Backbone, ids: list[int], tokens: int) -> float:
    """Return the seconds that `transformers` takes to read the prompt and generate `tokens`."""
    assert backbone.crew is not None
    torch.set_num_threads(backbone.crew.most)  # ours may have chosen fewer
    began = time.perf_counter()
    backbone.in_transformers.generate(
        torch.tensor([ids]), max_new_tokens=tokens, min_new_tokens=tokens, do_sample=False
    )
    return time.perf_counter() - began


def retrieval_share(reader: Reader, ids: list[int], memory: TimedMemory, count: int) -> float:
    """Return retrieval's share of the seconds per token, prefill left out."""
    tokens = generated(reader, ids, memory, count)
    memory.seconds, began = 0.0, time.perf_counter()
    for _ in tokens:
        pass
    return memory.seconds / (time.perf_counter() - began)


def rate(reader: Reader, ids: list[int], memory: Memory | None, count: int, rounds: int) -> float:
    """Measure the best tokens/s of our loop over `rounds`, prefill left out."""
    best = 0.0
    for _ in range(rounds):
        tokens = generated(reader, ids, memory, count)
        began = time.perf_counter()
        made = sum(1 for _ in tokens)
        best = max(best, made / (time.perf_counter() - began))
    return best


def generated(reader: Reader, ids: list[int], memory: Memory | None, count: int) -> Iterator[Token]:
    """Yield `count` tokens of our loop, the prompt read; end tokens may not end it."""
    reader.ends = set()
    tokens = reader.generate(ids, memory, Sampling(max_tokens=count + 1))
    next(tokens)
    return tokens

"""This program, or `transformers` on the same weights, measured by `bench peers` in a process of its own.

python -m engine.bench.peer ours|transformers SPEC.json        prints one JSON object
"""

import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from engine.backbone.backbone import Backbone
from engine.backbone.load import load_backbone
from engine.bench.llamacpp import PIECE, peak_megabytes
from engine.bench.subject import synthetic_memory
from engine.filling import bank_layout, encode_text
from engine.paths import Paths
from engine.reader import Reader
from engine.retrieval.memory import Memory
from engine.sampling import Sampling
from engine.sidenet.checkpoint import sidenet_for
from engine.sidenet.config import SideNetConfig
from engine.sidenet.sidenet import SideNet


class Clock:
    """What `generate` streams to: when each token came."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def put(self, value: torch.Tensor) -> None:
        """Note the time; the first call brings the prompt."""
        self.times.append(time.perf_counter())

    def end(self) -> None:
        """Take note of nothing."""


def ours(backbone: Backbone, spec: dict[str, Any]) -> dict[str, Any]:
    """Measure this program: books are in the memory bank, the question with its passages in the window."""
    sidenet, count = sidenet_for(backbone), spec["tokens"]
    ids = spec["ids"][: spec["question"]]
    began = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="longmem-bench-") as scratch:
        encode_text(spec["text"], Path(scratch) / "bank", backbone, bank_layout(sidenet.config, states=True))
    seconds = time.perf_counter() - began
    tokens = len(backbone.tokenizer(spec["text"], add_special_tokens=False)["input_ids"])
    bare = SideNet(SideNetConfig.for_backbone(backbone), backbone).to(backbone.device, backbone.dtype).eval()
    found: dict[str, Any] = {"encode": tokens / seconds, "first": {}, "rate": {}}
    found["words"], _, _ = said(Reader(backbone, bare), spec["ids"][: spec["prompt"]], None, count)
    for size in spec["sizes"]:
        with synthetic_memory(sidenet, size) as memory:
            _, first, rate = said(Reader(backbone, sidenet), ids, memory, count)
        found["first"][str(size)], found["rate"][str(size)] = first, rate
    return found | {"megabytes": peak_megabytes()}


def said(reader: Reader, ids: list[int], memory: Memory | None, count: int) -> tuple[list[int], float, float]:
    """Return the tokens said, the seconds to the first, and tokens a second after it."""
    reader.ends = set()  # no token ends it
    began = time.perf_counter()
    tokens = reader.generate(ids, memory, Sampling(max_tokens=count + 1))
    words = [next(tokens).id]
    first = time.perf_counter()
    words += [token.id for token in tokens]
    return words, first - began, count / (time.perf_counter() - first)


def in_transformers(backbone: Backbone, spec: dict[str, Any]) -> dict[str, Any]:
    """Measure `transformers`' own generate, whose window holds the book itself as far as it goes."""
    model, count, ids = backbone.in_transformers, spec["tokens"], spec["ids"]
    pieces = [torch.tensor([ids[at : at + PIECE]]) for at in range(0, min(len(ids), 4 * PIECE), PIECE)]
    began = time.perf_counter()
    with torch.inference_mode():
        for piece in pieces:
            model.base_model(input_ids=piece, use_cache=False)
    found: dict[str, Any] = {"first": {}, "rate": {}}
    found["encode"] = sum(piece.shape[1] for piece in pieces) / (time.perf_counter() - began)

    def generated(prompt: list[int]) -> tuple[list[int], float, float]:
        clock, began = Clock(), time.perf_counter()
        whole = model.generate(
            torch.tensor([prompt]), max_new_tokens=count + 1, min_new_tokens=count + 1, do_sample=False,
            streamer=clock,
        )  # fmt: skip
        times = clock.times[1:]
        return whole[0, len(prompt) :].tolist(), times[0] - began, count / (times[-1] - times[0])

    found["words"], _, _ = generated(ids[: spec["prompt"]])
    for size in spec["sizes"]:
        if size + count < spec["context"]:
            _, found["first"][str(size)], found["rate"][str(size)] = generated(ids[:size])
    return found | {"megabytes": peak_megabytes()}


MEASURED: dict[str, Callable[[Backbone, dict[str, Any]], dict[str, Any]]] = {
    "ours": ours,
    "transformers": in_transformers,
}

if __name__ == "__main__":
    given = json.loads(Path(sys.argv[2]).read_text())
    torch.set_num_threads(given["threads"])
    print(json.dumps(MEASURED[sys.argv[1]](load_backbone(Paths.default(), given["model"]), given)))

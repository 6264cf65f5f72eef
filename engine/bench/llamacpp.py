"""llama.cpp measured by `bench peers`: a script of its own, run by the Python of an environment that has it.

python llamacpp.py SPEC.json        prints one JSON object
"""

import importlib
import json
import resource
import sys
import time
from pathlib import Path
from typing import Any

PIECE = 1024  # tokens that are taken in at once


def measure(spec: dict[str, Any]) -> dict[str, Any]:
    """Measure what `peers` asks for: see `peers.SPEC`."""
    ids, sizes, count = spec["ids"], spec["sizes"], spec["tokens"]
    made = importlib.import_module("llama_cpp").Llama(
        model_path=spec["file"], n_ctx=spec["context"], n_batch=512, n_threads=spec["threads"],
        n_threads_batch=spec["threads"], verbose=False,
    )  # fmt: skip
    began = time.perf_counter()
    pieces = [ids[at : at + PIECE] for at in range(0, min(len(ids), 4 * PIECE), PIECE)]
    for piece in pieces:
        made.reset()
        made.eval(piece)
    encode = sum(map(len, pieces)) / (time.perf_counter() - began)

    def said(prompt: list[int]) -> tuple[list[int], float, float]:
        made.reset()
        began = time.perf_counter()
        made.eval(prompt)
        words = [made.sample(temp=0.0)]
        first = time.perf_counter()
        for _ in range(count):
            made.eval(words[-1:])
            words.append(made.sample(temp=0.0))
        return words, first - began, count / (time.perf_counter() - first)

    found: dict[str, Any] = {"encode": encode, "first": {}, "rate": {}}
    found["words"] = said(ids[: spec["prompt"]])[0]
    for size in sizes:
        if size + count < spec["context"]:
            _, found["first"][str(size)], found["rate"][str(size)] = said(ids[:size])
    return found | {"megabytes": peak_megabytes()}


def peak_megabytes() -> float:
    """Return the most memory that this process ever held."""
    unit = 1e6 if sys.platform == "darwin" else 1e3
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


if __name__ == "__main__":
    print(json.dumps(measure(json.loads(Path(sys.argv[1]).read_text()))))

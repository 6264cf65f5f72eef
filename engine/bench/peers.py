"""This program beside `transformers` and llama.cpp: the same model file, prompt and words, in one run.

Each is measured in a process of its own, one after another. llama.cpp comes as `llama-cpp-python`, built into
an environment for this benchmark alone; where it cannot be fetched or built, its row says so. Their windows
hold the book as far as they go (8,192 tokens); ours holds the question with its passages, the book is memory.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from engine.arguments import lengths, positive
from engine.backbone.load import default_gguf, load_backbone
from engine.bench.subject import add_common_arguments, print_object
from engine.paths import PROJECT, SAMPLES, Paths
from engine.report import table

PACKAGE = "llama-cpp-python"
PROMPT_TOKENS, QUESTION_TOKENS, TEXT_TOKENS = 256, 600, 4096
CLOSED = "-DLLAMA_BUILD_EXAMPLES=OFF -DLLAMA_BUILD_TOOLS=OFF -DLLAVA_BUILD=OFF"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the benchmark."""
    add_common_arguments(parser)
    parser.add_argument(
        "--sizes", type=lengths, default="1000,8000,100000", metavar="N,M", help="tokens of book before"
    )
    parser.add_argument("--tokens", type=positive, default=32, help="tokens said after the first")
    parser.add_argument(
        "--environment", type=Path, metavar="DIR", help="keep llama.cpp built there (default: built anew)"
    )
    parser.add_argument(
        "--build-minutes", type=positive, default=30, metavar="N", help="for building it (default: 30)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Measure each, and print the table; the exit code is 0."""
    found: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory(prefix="longmem-bench-") as scratch:
        file = Path(scratch) / "spec.json"
        file.write_text(json.dumps(spec_of(arguments)))
        for name in ("ours", "transformers"):
            found[name] = measured([sys.executable, "-m", "engine.bench.peer", name, str(file)])
        with environment(arguments.environment) as folder:
            try:
                python = with_llamacpp(folder, arguments.build_minutes)
            except (OSError, subprocess.SubprocessError) as error:
                found["llama.cpp"] = {"failed": f"{PACKAGE} was not to be had: {reason(error)}"}
            else:
                found["llama.cpp"] = measured(
                    [str(python), str(PROJECT / "engine/bench/llamacpp.py"), str(file)]
                )
    results = {"load": os.getloadavg()[0], "programs": found}
    if arguments.json:
        print_object(results, arguments)
    else:
        print(f"load of the machine: {results['load']:.1f}\n\n{written(found, arguments.sizes)}")
    return 0


def spec_of(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return what every program is given: the model file, its window, the book's tokens and text."""
    backbone = load_backbone(Paths.default())
    novel = next(file for file in sorted(SAMPLES.glob("*.epub")))
    text = arguments.parse_file(novel).text
    ids = backbone.tokenizer(text, add_special_tokens=False)["input_ids"]
    context, longest = backbone.context, max(arguments.sizes)
    whole = (ids * (1 + min(longest, context) // len(ids)))[: max(TEXT_TOKENS, min(longest, context))]
    return {
        "model": None, "file": str(default_gguf()), "context": context, "threads": arguments.threads,
        "ids": whole, "text": backbone.tokenizer.decode(ids[:TEXT_TOKENS]), "sizes": list(arguments.sizes),
        "tokens": arguments.tokens, "prompt": PROMPT_TOKENS, "question": QUESTION_TOKENS,
    }  # fmt: skip


def measured(command: list[str]) -> dict[str, Any]:
    """Run a program that measures; return what it prints, or why there is nothing."""
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True)
    if done.returncode:
        return {"failed": (done.stderr.strip() or f"exit code {done.returncode}").splitlines()[-1][:200]}
    return json.loads(done.stdout.splitlines()[-1])


@contextmanager
def environment(folder: Path | None) -> Iterator[Path]:
    """Open the folder that is kept, or one for this time."""
    if folder is not None:
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="longmem-llama-cpp-") as scratch:
        yield Path(scratch)


def with_llamacpp(folder: Path, minutes: int) -> Path:
    """Return the Python of an environment that has llama.cpp, built there where it is not yet."""
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not python.exists():
        venv.create(folder, with_pip=True)
    if subprocess.run([str(python), "-c", "import llama_cpp"], capture_output=True).returncode:
        print(f"building {PACKAGE}: some minutes", file=sys.stderr, flush=True)
        subprocess.run(
            [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", PACKAGE],
            check=True, capture_output=True, text=True, timeout=60 * minutes,
            env={"CMAKE_ARGS": CLOSED, **os.environ},
        )  # fmt: skip
    return python


def reason(error: OSError | subprocess.SubprocessError) -> str:
    """Say in a line why a command failed."""
    if isinstance(error, subprocess.TimeoutExpired):
        return f"not built within {error.timeout / 60:.0f} minutes"
    lines = (getattr(error, "stderr", None) or str(error)).strip().splitlines()
    return next((line for line in reversed(lines) if line.lower().startswith("error")), lines[-1])[:200]


def written(found: dict[str, dict[str, Any]], sizes: tuple[int, ...]) -> str:
    """Write the table: a row for what was measured, a column for each program."""
    whole = {name: one for name, one in found.items() if "failed" not in one}
    truth = whole.get("transformers", {}).get("words", [])

    def numbers(what: str, size: int | None = None) -> list[str]:
        values = [one[what] if size is None else one[what].get(str(size)) for one in whole.values()]
        return ["beyond its window" if value is None else f"{value:,.4g}" for value in values]

    rows = [["taking in a book, tokens/s", *numbers("encode")]]
    rows += [[f"seconds to the first word after {size:,} tokens", *numbers("first", size)] for size in sizes]
    rows += [[f"tokens/s after {size:,} tokens", *numbers("rate", size)] for size in sizes]
    rows.append(["most memory, MB", *numbers("megabytes")])
    alike = [f"{_alike(one['words'], truth)} of {len(truth)}" for one in whole.values()]
    rows.append(["first words the same as transformers'", *alike])
    lines = [table(["", *(f"{name}:" for name in whole)], rows)]
    lines += [f"\n{name}: {one['failed']}" for name, one in found.items() if "failed" in one]
    return "\n".join(lines)


def _alike(words: list[int], truth: list[int]) -> int:
    """Count the first words that are the same."""
    pairs = enumerate(zip(words, truth, strict=False))
    return next((at for at, (one, other) in pairs if one != other), min(len(words), len(truth)))

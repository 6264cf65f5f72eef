"""Preferences: the model, device, precision and threads that were chosen for good, in one file.

They stand in for variables that are not set, so that every command of a reader begins with them: an option
goes before its variable, and that before what was chosen. Standard library only until something is written.
"""

import argparse
import json
import os
import re
from collections.abc import Mapping, MutableMapping
from pathlib import Path

from engine.arguments import DEVICE_VARIABLE, PRECISION_VARIABLE, PRECISIONS, device_name, thread_count
from ingest.errors import BadInput

MODEL_VARIABLE, THREADS_VARIABLE = "LONGMEM_MODEL", "LONGMEM_THREADS"
RERANKER_VARIABLE = "LONGMEM_RERANKER"  # "off": the larger model is left out where it is installed
VARIABLES = {"model": MODEL_VARIABLE, "device": DEVICE_VARIABLE, "precision": PRECISION_VARIABLE,
             "threads": THREADS_VARIABLE}  # fmt: skip
HUB_NAME = r"[\w.-]+/[\w.-]+"


def checked(values: Mapping[str, str]) -> dict[str, str]:
    """Return what was chosen, without what was left to the program ("" or "auto"). Raises BadInput.

    values: by the names in VARIABLES, in the words of the command line.
    """
    chosen = {name: str(values.get(name) or "").strip() for name in VARIABLES}
    chosen = {name: words for name, words in chosen.items() if words not in ("", "auto")}
    try:
        device_name(chosen.get("device", "cpu"))
        thread_count(chosen.get("threads", "1"))
    except argparse.ArgumentTypeError as error:
        raise BadInput(str(error)) from error
    precision, model = chosen.get("precision", "auto"), chosen.get("model", "")
    if precision not in PRECISIONS:
        raise BadInput(f"there is no precision '{precision[:40]}'; choose {', '.join(PRECISIONS)}")
    is_there = Path(model).is_file() if model.endswith(".gguf") else Path(model).is_dir()
    if model and not is_there and (model.endswith(".gguf") or not re.fullmatch(HUB_NAME, model)):
        raise BadInput(
            f"there is no model '{model[:80]}'; give a name of the hub (owner/name), a folder or a GGUF file"
        )
    return chosen


def kept(path: Path) -> dict[str, str]:
    """Read what was chosen; nothing where there is no file. Raises BadInput for one that says nothing."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        return checked({name: values.get(name, "") for name in VARIABLES})
    except FileNotFoundError:
        return {}
    except (OSError, AttributeError, ValueError) as error:  # BadInput is a ValueError
        raise BadInput(f"{path}: {error}; choose anew on the page, or delete the file") from error


def keep(path: Path, values: Mapping[str, str]) -> dict[str, str]:
    """Write what is chosen from now on; returns it. Raises BadInput."""
    from engine.whole import write_whole

    chosen = checked(values)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, json.dumps(chosen, indent=1) + "\n")
    return chosen


def apply(path: Path, environment: MutableMapping[str, str]) -> None:
    """Set the variables that are not set as it was chosen. Raises BadInput."""
    for name, words in kept(path).items():
        if not environment.get(VARIABLES[name]):
            environment[VARIABLES[name]] = words


def named_threads() -> int | None:
    """Return what LONGMEM_THREADS says; None where it says nothing. Raises BadInput."""
    words = os.environ.get(THREADS_VARIABLE)
    try:
        return thread_count(words) if words else None
    except argparse.ArgumentTypeError as error:
        raise BadInput(f"{THREADS_VARIABLE}: {error}") from error

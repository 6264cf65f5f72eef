"""Small results kept between runs: what does not change need not be counted or scored again."""

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from engine.demonstrations.store import Example
from engine.whole import write_whole

Value = TypeVar("Value", int, float, list[float])


def bank_folder(cache: Path, name: str, examples: Sequence[Example]) -> Path:
    """Name the folder of these examples' bank: their ids are places, so the texts have to name it."""
    rows = json.dumps([(one.text, one.label) for one in examples]).encode()
    return cache / f"{name}-{len(examples)}-{hashlib.blake2b(rows, digest_size=8).hexdigest()}"


class Kept:
    """A JSON file of numbers, or lists of them, by key; without a folder they are kept for this run alone."""

    def __init__(self, folder: Path | None, name: str) -> None:
        self.file = None if folder is None else folder / f"{name}.json"
        self.values: dict[str, Any] = {}
        if self.file is not None and self.file.is_file():
            self.values = json.loads(self.file.read_text())

    def get(self, key: str, make: Callable[[], Value]) -> Value:
        """Return what is kept under a key, made and kept at the first call."""
        name = hashlib.blake2b(key.encode(), digest_size=12).hexdigest()
        if name not in self.values:
            self.values[name] = make()
            if self.file is not None:
                self.file.parent.mkdir(parents=True, exist_ok=True)
                write_whole(self.file, json.dumps(self.values))
        return self.values[name]

"""The libraries that come with the program: NAME.jsonl with a NAME.json that says what it is.

The description file holds name, description, template, words, source and licence.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from engine.demonstrations.importing import Row
from engine.demonstrations.task import Task
from engine.errors import Failure
from engine.paths import DEMONSTRATIONS


@dataclass(frozen=True)
class ReadyLibrary:
    """One library of `assets/demonstrations`."""

    path: Path
    name: str
    task: Task
    source: str
    licence: str

    def rows(self) -> list[Row]:
        """Read its examples. Raises Failure when the file is damaged."""
        try:
            lines = self.path.read_text(encoding="utf-8").splitlines()
            return [Row(at, **json.loads(line)) for at, line in enumerate(lines, 1)]
        except (OSError, ValueError, TypeError) as error:
            raise Failure(f"{self.path.name} is damaged ({error}): install the program again") from error


def ready_libraries() -> list[ReadyLibrary]:
    """List the libraries that come along by name."""
    found = []
    for path in sorted(DEMONSTRATIONS.glob("*.json")):
        about = json.loads(path.read_text(encoding="utf-8"))
        task = Task(about["template"], about["words"], about["description"])
        found.append(
            ReadyLibrary(path.with_suffix(".jsonl"), about["name"], task, about["source"], about["licence"])
        )
    return found

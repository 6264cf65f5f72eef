"""Runs: files of texts that a library classifies, in the library's folder.

    runs/<id>/run.json       what it is
    runs/<id>/texts.jsonl    one text a line
    runs/<id>/results.jsonl  one result a line, in the same order, appended batch by batch

How far a run has come is the number of whole lines among its results: a killed run goes on there.
"""

import contextlib
import json
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from engine.demonstrations.classifier import Classification, Classifier
from engine.demonstrations.files import write_rows
from engine.demonstrations.settings import Settings
from engine.durable import publish_file
from engine.shelf.identifiers import checked
from engine.shelf.leftovers import LEFTOVER_SECONDS
from ingest.errors import BadInput

BATCH = 32
READ_KEPT = 3
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Run:
    """One file being classified. rows, done: texts. owner: the reader's account, '' where there are none."""

    id: str
    library: str
    name: str
    rows: int
    done: int
    created: float
    settings: Settings
    labels: tuple[str, ...]
    owner: str = ""


@dataclass(frozen=True)
class RunResult:
    """One row: its number in the file, text, label, probabilities, and the demonstrations behind it."""

    row: int
    text: str
    label: str
    probabilities: dict[str, float]
    read: tuple[dict, ...]


class Runs:
    """The runs of one library."""

    def __init__(self, folder: Path, library: str) -> None:
        self.folder, self.library = folder / "runs", library

    def create(
        self,
        name: str,
        texts: Sequence[tuple[int, str]],
        settings: Settings,
        labels: Sequence[str],
        owner: str = "",
    ) -> Run:
        """Keep (row number, text) pairs. Raises BadInput when there is none, or one is empty."""
        if not texts:
            raise BadInput(f"{name}: there is no text in it")
        empty = next((number for number, text in texts if not text.strip()), None)
        if empty is not None:
            raise BadInput(f"{name}: row {empty}: the text is empty; mend or remove the row")
        identifier, now = secrets.token_hex(6), time.time()
        run = Run(identifier, self.library, name, len(texts), 0, now, settings, tuple(labels), owner)
        place = self.folder / run.id
        place.mkdir(parents=True)
        with (place / "texts.jsonl").open("w", encoding="utf-8", errors="surrogatepass") as handle:
            for number, text in texts:
                handle.write(json.dumps([number, text]) + "\n")
        publish_file(place / "run.json", json.dumps(asdict(run)).encode())
        return run

    def is_of(self, run: Run, texts: Sequence[tuple[int, str]], settings: Settings) -> bool:
        """Tell whether a run classifies exactly these texts with these settings."""
        if run.settings != settings or run.rows != len(texts):
            return False
        kept = _lines(self.folder / run.id / "texts.jsonl")
        return all(json.loads(line) == list(pair) for line, pair in zip(kept, texts, strict=True))

    def all(self) -> list[Run]:
        """List all runs, newest first."""
        found = []
        for place in self.folder.glob("*/run.json"):
            with contextlib.suppress(BadInput):
                found.append(self.get(place.parent.name))
        return sorted(found, key=lambda run: -run.created)

    def get(self, identifier: str) -> Run:
        """Return a run. Raises BadInput when there is no such run."""
        try:
            values = json.loads((self.folder / checked(identifier) / "run.json").read_text())
        except (OSError, ValueError):
            raise BadInput("there is no such run (any more)") from None
        settings, labels = Settings(**values.pop("settings")), tuple(values.pop("labels"))
        done = len(_lines(self.folder / identifier / "results.jsonl"))
        return Run(**values | {"done": done, "settings": settings, "labels": labels})

    def remove(self, identifier: str) -> None:
        """Delete a run with its texts and results."""
        shutil.rmtree(self.folder / checked(identifier), ignore_errors=True)

    def sweep(self) -> None:
        """Delete the texts of runs that a kill left half made or half deleted."""
        for place in self.folder.glob("*/"):
            with contextlib.suppress(BadInput, FileNotFoundError):
                old = time.time() - place.stat().st_mtime > LEFTOVER_SECONDS
                if checked(place.name) and old and not (place / "run.json").exists():
                    shutil.rmtree(place, ignore_errors=True)

    def work(self, identifier: str, classifier: Classifier, progress: Progress) -> None:
        """Classify what is not done yet; `progress` may raise to stop between two batches."""
        place = self.folder / checked(identifier)
        texts = [json.loads(line) for line in _lines(place / "texts.jsonl")]
        results = place / "results.jsonl"
        _cut_torn(results)
        done = len(_lines(results))
        progress(done, len(texts))
        while done < len(texts):
            batch = texts[done : done + BATCH]
            found = classifier.classify([text for _, text in batch])
            with results.open("a", encoding="utf-8", errors="surrogatepass") as handle:
                for (number, text), one in zip(batch, found, strict=True):
                    handle.write(json.dumps(_kept(number, text, one)) + "\n")
                handle.flush()
                os.fsync(handle.fileno())
            done += len(batch)
            progress(done, len(texts))

    def results(self, identifier: str) -> Iterator[RunResult]:
        """Yield the results of a run so far, in the order of its file."""
        for line in _lines(self.folder / checked(identifier) / "results.jsonl"):
            values = json.loads(line)
            yield RunResult(**values | {"read": tuple(values["read"])})

    def export(self, identifier: str, path: Path) -> int:
        """Write text, label, each label's probability and the demonstrations read; returns the rows."""
        run = self.get(identifier)
        numbered = [f"p({label})" for label in run.labels]
        columns = ["row", "text", "label", *numbered, *(f"read {at}" for at in range(1, READ_KEPT + 1))]
        return write_rows(path, columns, (_flat(one, run.labels) for one in self.results(identifier)))


def _kept(number: int, text: str, found: Classification) -> dict:
    read = [asdict(one) for one in found.read if one.where != "window"][:READ_KEPT]
    probabilities = {label: round(p, 6) for label, p in found.probabilities.items()}
    return {"row": number, "text": text, "label": found.label, "probabilities": probabilities, "read": read}


def _flat(result: RunResult, labels: Sequence[str]) -> dict:
    row = {"row": result.row, "text": result.text, "label": result.label}
    row |= {f"p({label})": result.probabilities[label] for label in labels}
    return row | {f"read {at}": f"{one['text']} [{one['label']}]" for at, one in enumerate(result.read, 1)}


def _lines(path: Path) -> list[str]:
    """Read the whole lines of a file, not a torn last one."""
    try:
        text = path.read_text(encoding="utf-8", errors="surrogatepass")
    except FileNotFoundError:
        return []
    return text.split("\n")[:-1]


def _cut_torn(path: Path) -> None:
    """Drop what a crash left of a half-written line."""
    if path.exists():
        data = path.read_bytes()
        whole = data.rfind(b"\n") + 1
        if whole != len(data):
            with path.open("r+b") as handle:
                handle.truncate(whole)

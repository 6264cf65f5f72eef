"""Demonstrations: everything that the command line and the page do with demonstration libraries.

    table -> preview -> library -> (job) bank -> Classifier -> label, probabilities, demonstrations read

Tables come from a reader that the application puts in; the model is the document library's.
"""

import contextlib
import os
import threading
import time
from collections.abc import Callable, Collection
from copy import copy
from dataclasses import replace
from itertools import islice
from pathlib import Path
from threading import Event

import numpy as np

from engine.bank.bank import MemoryBank
from engine.demonstrations.classifier import Classification, Classifier
from engine.demonstrations.columns import Table, TableReader, chosen_columns
from engine.demonstrations.examplebank import (
    bank_identity,
    encode_examples,
    encoded_ids,
    voting_blocks,
)
from engine.demonstrations.filelibrary import library_of_file
from engine.demonstrations.files import write_rows
from engine.demonstrations.heldout import HeldOut, evaluate
from engine.demonstrations.importing import Preview, clean, preview
from engine.demonstrations.memory import DemonstrationMemory
from engine.demonstrations.ready import ReadyLibrary, ready_libraries
from engine.demonstrations.runs import Run, RunResult, Runs
from engine.demonstrations.settings import Settings
from engine.demonstrations.states import has_states
from engine.demonstrations.store import DemonstrationLibrary, Store
from engine.demonstrations.task import Task
from engine.filling import bank_layout
from engine.library import Library
from engine.shelf.jobs import Job, Listener
from engine.shelf.report import Report
from engine.shelf.titles import folded, one_line
from ingest.errors import BadInput

ENCODE = "encode-demonstrations"
CLASSIFY = "classify:"


class Demonstrations:
    """The demonstration libraries of one data folder, as one reader (`owner`) makes and uses them."""

    owner = ""

    def __init__(self, library: Library, read_table: TableReader) -> None:
        self.library, self.read_table = library, read_table
        self.store = Store(library.shelf)
        for folder in self.store.folders():
            Runs(folder, folder.name).sweep()
        self.jobs = library.shelf.jobs
        self._classifiers: dict[str, tuple[tuple, Classifier]] = {}
        self._lock = threading.RLock()

    def of(self, owner: str) -> "Demonstrations":
        """Return the same libraries for another reader: what is made then, files and libraries, is theirs."""
        theirs = copy(self)
        theirs.owner = owner
        return theirs

    # importing

    def preview(
        self,
        table: Table,
        text_column: str | None = None,
        label_column: str | None = None,
        into: str | None = None,
    ) -> Preview:
        """Show what an import would keep, and what is wrong row by row; `into`: a library to join."""
        if into is None:
            return preview(table, text_column, label_column)
        task = self.store.get(into).task
        return preview(table, text_column, label_column, task, self.store.digests(into))

    def create(
        self, name: str, previewed: Preview, task: Task | None = None, skip: bool = False
    ) -> DemonstrationLibrary:
        """Keep the rows of a preview as a new library. skip: leave out rows with problems.

        Raises BadInput, with nothing imported, when there are problems, no rows, or the name is taken.
        """
        if not skip:
            previewed.require_whole()
        task = task or previewed.task()
        columns = previewed.read_columns
        return self.store.create(name, task, previewed.rows, previewed.name, columns, self.owner)

    def extend(self, identifier: str, previewed: Preview, skip: bool = False) -> int:
        """Add the rows of a preview made `into` the library; returns how many."""
        if not skip:
            previewed.require_whole()
        return self.store.add(identifier, previewed.rows)

    def install(self, ready: ReadyLibrary) -> DemonstrationLibrary:
        """Import a library that comes with the program, or return the one that is there."""
        for one in self.store.libraries():
            if folded(one.name) == folded(ready.name):
                return one
        return self.store.create(ready.name, ready.task, ready.rows(), ready.path.name, owner=self.owner)

    def find(
        self, words: str, say: Callable[[str], None] = lambda line: None, encoding: str | None = None
    ) -> DemonstrationLibrary:
        """Find the library that a person means: an id, a name, one that comes along, or a file.

        A file is imported once, under its own name where no other library has that; where it changed since,
        its new rows are added and its new labels taken. say: told what is not as it was. encoding: of a file,
        where the guess is wrong. Raises BadInput.
        """
        # unlike those of pathlib, these take a name that is too long, or the home of nobody, for no file
        path = Path(os.path.expanduser(words))
        if os.path.isfile(path):
            return library_of_file(self.store, self.read_table, path, say, encoding)
        if encoding is not None:
            raise BadInput(f"{words} is no file: an encoding is of a file of examples; leave it out")
        ready_made = ready_libraries()
        try:
            return self.store.find(words, [one.name for one in ready_made])
        except BadInput:
            for ready in ready_made:
                if folded(words) in (folded(ready.name), folded(ready.path.stem)):
                    return self.install(ready)
            if path.suffix and not os.path.exists(path):
                raise BadInput(
                    f"{words}: there is no such file, and no demonstration library of that name"
                ) from None
            raise

    def remove(self, identifier: str) -> int:
        """Delete a library with all that belongs to it; returns the bytes freed."""
        self._forget(identifier)
        return self.store.remove(identifier)

    def export(self, identifier: str, path: Path) -> int:
        """Write text, label and part of the examples to a CSV, TSV or JSONL file; returns how many."""
        examples = self.store.examples(identifier)
        rows = ({"text": one.text, "label": one.label, "part": one.part} for one in examples)
        return write_rows(path, ("text", "label", "part"), rows)

    # encoding

    def encoded(self, identifier: str) -> tuple[int, int]:
        """Count (examples encoded, all examples)."""
        examples = [one.id for one in self.store.examples(identifier)]
        held = encoded_ids(self.folder(identifier))
        return len(np.intersect1d(held, examples)), len(examples)

    def state(self, identifier: str) -> str:
        """Return "ready", "waiting" (something is to be encoded), or the state of its unfinished or failed
        job.
        """
        jobs = self.jobs.all(identifier, kind=ENCODE)
        if jobs and (jobs[-1].unfinished or jobs[-1].state == "failed"):
            return jobs[-1].state
        done, total = self.encoded(identifier)
        return "ready" if done == total else "waiting"

    def enqueue(self, identifier: str) -> Job | None:
        """Queue the job that encodes what is not encoded; None where nothing is to do."""
        done, total = self.encoded(identifier)
        if done == total and self._is_current(identifier):
            return None
        job = self.jobs.add(identifier, ENCODE)
        return self.jobs.resume(job.id) if job.state == "paused" else job

    def encode(self, identifier: str, progress: Listener | None = None) -> DemonstrationLibrary:
        """Encode here and now what is not encoded yet; goes on where an earlier job stopped."""
        if (job := self.enqueue(identifier)) is not None:
            self.jobs.run(job.id, self.work, listen=progress)
        return self.store.get(identifier)

    def work_any(self, job: Job, report: Report) -> None:
        """Work on a job of a document or of a library: what a JobRunner that serves both calls."""
        if job.kind == ENCODE or job.kind.startswith(CLASSIFY):
            self.work(job, report)
        else:
            self.library.work(job, report)

    def work(self, job: Job, report: Report) -> None:
        """Work on one job of a library: encode it, or classify a file with it."""
        if job.kind.startswith(CLASSIFY):
            self._work_run(job, report)
            return
        library = self.store.get(job.document)
        began = time.monotonic()
        report("encode", 0, library.size)
        self._forget(job.document)
        encode_examples(
            self.store.examples(job.document),
            job.document,
            library.task,
            self.folder(job.document),
            self.library.model.backbone,
            bank_layout(self.library.model.sidenet.config),
            lambda done, total: report("encode", done, total),
        )
        report("publish", 0, 1)
        with contextlib.suppress(BadInput):  # all examples may be held out
            _ = self.classifier(job.document).mixture  # so that the first label need not wait for it
        seconds = library.settings.get("seconds", 0.0) + time.monotonic() - began
        self.store.configure(job.document, seconds=round(seconds, 2))

    # classifying

    def classifier(self, identifier: str, settings: Settings | None = None) -> Classifier:
        """Return a library ready to classify, kept open until its examples change.

        Raises BadInput when it is not encoded, or with another model.
        """
        library = self.store.get(identifier)
        settings = settings or Settings()
        key = (settings, library.changed)
        with self._lock:
            kept = self._classifiers.get(identifier)
            if kept is None or kept[0] != key:
                memory, model = self._memory(library), self.library.model
                made = Classifier(memory, library.task, model.backbone, model.sidenet, settings)
                self._classifiers[identifier] = kept = key, made
            return kept[1]

    def classify(self, identifier: str, text: str, settings: Settings | None = None) -> Classification:
        """Label one text with a library."""
        if not clean(text):
            raise BadInput("the text is empty; type one")
        with self._lock:
            return self.classifier(identifier, settings).classify([clean(text)])[0]

    def warm(self, identifier: str) -> None:
        """Compute ahead what all labels of a library share, so that its first one need not wait for that.

        Raises BadInput when it is not encoded, or with another model.
        """
        with self._lock:
            self.classifier(identifier).warm()

    def evaluate(
        self,
        identifier: str,
        settings: Settings | None = None,
        limit: int = 200,
        stop: Event | None = None,
        progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> HeldOut:
        """Measure accuracy on at most `limit` examples of the held-out part (`store.split`), evenly spread.

        Where none is held out, a fifth is, by this measurement alone: the library stays as it is.
        """
        held = self.store.examples(identifier, part="held-out")
        classifier = self.classifier(identifier, settings) if held else None
        if classifier is None:
            library, model = self.store.get(identifier), self.library.model
            memory = self._memory(library, self.store.drawn(identifier))
            held = [one for one in memory.examples if one.part == "held-out"]
            classifier = Classifier(
                memory, library.task, model.backbone, model.sidenet, settings or Settings()
            )
        if limit and len(held) > limit:
            held = [held[round(at)] for at in np.linspace(0, len(held) - 1, limit)]
        return evaluate(classifier, held, stop, progress)

    # files

    def start_run(
        self,
        identifier: str,
        table: Table,
        text_column: str | None = None,
        settings: Settings | None = None,
    ) -> tuple[Run, Job]:
        """Queue a file of texts; the same texts with the same settings go on where they were interrupted.

        text_column: by default the library's own column, the only one, or a guess.
        """
        library = self.store.get(identifier)
        column = text_column or self.text_column(library, table)
        if column not in table.columns:
            raise BadInput(
                f'{table.name} has no column "{one_line(column, 60)}": it has {", ".join(table.columns)}'
            )
        at = table.columns.index(column)
        texts = [(number, clean(row[at])) for number, row in zip(table.numbers, table.rows, strict=True)]
        runs = Runs(self.folder(identifier), identifier)
        settings = settings or Settings()
        for run in self.runs(identifier):
            job = self.job_of(run)
            if job is not None and run.done < run.rows and runs.is_of(run, texts, settings):
                return run, job if job.state in ("queued", "running") else self.jobs.resume(job.id)
        run = runs.create(one_line(table.name), texts, settings, library.task.labels, self.owner)
        return run, self.jobs.add(identifier, CLASSIFY + run.id)

    def text_column(self, library: DemonstrationLibrary, table: Table) -> str:
        """Guess the column of texts to label: the library's name for it, the only one, the likeliest."""
        if library.text_column in table.columns:
            return library.text_column
        if len(table.columns) == 1:
            return table.columns[0]
        return chosen_columns(table, None, None).text

    def run(self, job: Job, progress: Listener | None = None) -> Job:
        """Do a queued or interrupted file run here and now."""
        return self.jobs.run(job.id, self.work, listen=progress)

    def runs(self, identifier: str) -> list[Run]:
        """List the reader's runs of a library, newest first."""
        found = Runs(self.folder(identifier), identifier).all()
        return [run for run in found if run.owner == self.owner]

    def job_of(self, run: Run) -> Job | None:
        """Return the newest job of a run, None where it has none."""
        jobs = self.jobs.all(run.library, kind=CLASSIFY + run.id)
        return jobs[-1] if jobs else None

    def run_results(self, run: Run, limit: int | None = None) -> list[RunResult]:
        """Return the results of a run so far, or the first `limit` of them."""
        return list(islice(Runs(self.folder(run.library), run.library).results(run.id), limit))

    def export_run(self, run: Run, path: Path) -> int:
        """Write the results of a run to a CSV, TSV or JSONL file; returns the rows."""
        return Runs(self.folder(run.library), run.library).export(run.id, path)

    def remove_run(self, run: Run) -> None:
        """Stop a run and delete it."""
        if (job := self.job_of(run)) is not None and job.unfinished:
            self.jobs.cancel(job.id)
        Runs(self.folder(run.library), run.library).remove(run.id)

    def folder(self, identifier: str) -> Path:
        """Return the folder of a library's bank and runs."""
        return self.store.paths.demonstration(identifier)

    # inside

    def _work_run(self, job: Job, report: Report) -> None:
        identifier = job.kind.removeprefix(CLASSIFY)
        runs = Runs(self.folder(job.document), job.document)
        run = runs.get(identifier)
        report("classify", run.done, run.rows)
        classifier = self.classifier(job.document, run.settings)
        runs.work(identifier, classifier, lambda done, total: report("classify", done, total))

    def _is_current(self, identifier: str) -> bool:
        try:
            self._open_bank(self.store.get(identifier)).close()
        except BadInput:
            return False
        folder = self.folder(identifier)
        return has_states(folder, len(encoded_ids(folder)), self._dim)

    @property
    def _dim(self) -> int:
        """Return the width of the states that vote."""
        backbone = self.library.model.backbone
        return len(voting_blocks(backbone)) * backbone.width

    def _open_bank(self, library: DemonstrationLibrary) -> MemoryBank:
        identity = bank_identity(library.id, library.task, self.library.model.backbone)
        return MemoryBank.open(
            self.folder(library.id) / "bank", identity, bank_layout(self.library.model.sidenet.config)
        )

    def _memory(self, library: DemonstrationLibrary, held: Collection[int] = ()) -> DemonstrationMemory:
        """Open the examples of a library; `held`: those that are to be held out as well."""
        done, total = self.encoded(library.id)
        if done < total:
            raise BadInput(f'"{library.name}" is not encoded yet ({done:,} of {total:,}): encode it first')
        bank = self._open_bank(library)
        out = set(held)
        examples = [replace(one, part="held-out") if one.id in out else one
                    for one in self.store.examples(library.id)]  # fmt: skip
        return DemonstrationMemory(self.folder(library.id), bank, examples, self._dim)

    def _forget(self, identifier: str) -> None:
        """Let go of an open library that is about to change.

        Its bank is not closed: who classifies just now reads on in it, and the last one to go closes it.
        """
        with self._lock:
            self._classifiers.pop(identifier, None)

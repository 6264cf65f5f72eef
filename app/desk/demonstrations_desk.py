"""Demonstrations desk: what the page asks of the demonstration libraries. No Gradio here.

Libraries are as books are: everybody's to use, and only the account that made one can change or delete it.
What is done with them is a reader's own, as talks are: files that are labelled, measurements, a text that is
tried.
"""

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from threading import Event

from app.desk import uploads
from app.desk.import_draft import Draft
from app.desk.labelling import Labelling
from app.desk.libraries import Looked, file_name
from app.desk.visit import Visit
from app.html.demonstrations_html import Facts, words_of
from engine.answering.answer import AnswerEvent
from engine.demonstrations.classifier import Classification
from engine.demonstrations.demonstrations import ENCODE
from engine.demonstrations.heldout import HeldOut
from engine.demonstrations.importing import Row
from engine.demonstrations.ready import ReadyLibrary, ready_libraries
from engine.demonstrations.runs import Run, RunResult
from engine.demonstrations.settings import Settings
from engine.demonstrations.store import DemonstrationLibrary
from engine.demonstrations.task import Task
from engine.shelf.jobs import Job
from engine.shelf.titles import folded
from ingest.errors import BadInput
from ingest.tables import Table

RESULTS_SHOWN = 12


class DemonstrationsDesk:
    """The demonstration libraries as one visitor may use and change them."""

    def __init__(self, visit: Visit) -> None:
        self.visit, self.desk, self.demos = visit, visit.desk, visit.demonstrations
        self.store, self.libraries = self.demos.store, visit.desk.libraries

    # libraries

    def may_change(self, library: DemonstrationLibrary | None) -> bool:
        """Tell whether this reader may change the library, so that the page can offer changes."""
        return not self.desk.read_only and library is not None and library.belongs_to(self.visit.owner)

    def facts(self) -> list[Facts]:
        """List all libraries with what the list tells of them to one reader."""
        return [self.facts_of(one) for one in self.store.libraries()]

    def facts_of(self, library: DemonstrationLibrary) -> Facts:
        """Tell state, encoded examples and size on disk of a library."""
        return replace(self.libraries.facts(library), is_fixed=not self.may_change(library))

    def ready(self) -> list[ReadyLibrary]:
        """List the libraries that come with the program and are not in the list yet."""
        if self.desk.read_only:
            return []
        there = {folded(one.name) for one in self.store.libraries()}
        return [one for one in ready_libraries() if folded(one.name) not in there]

    def install(self, name: str) -> DemonstrationLibrary:
        """Import a library that comes with the program, by its file's name, and begin to encode it."""
        self.desk.changeable()
        for one in ready_libraries():
            if one.path.name == name:
                library = self.demos.install(one)
                self.encode(library.id)
                return library
        raise BadInput("this copy of the program has no such library")

    def encode(self, identifier: str) -> None:
        """Queue what is not encoded yet."""
        self.demos.enqueue(self.visit.own_library(identifier).id)
        self.desk.runner.wake()

    def act(self, action: str, job: int) -> None:
        """Pause, cancel or resume the encoding of a library."""
        if self.demos.jobs.get(job).kind != ENCODE:
            raise BadInput("that is not the encoding of a library")
        self.visit.act(action, job)

    def rename(self, identifier: str, name: str) -> None:
        """Give a library another name."""
        self.store.configure(self.visit.own_library(identifier).id, name=name)

    def remove(self, identifier: str) -> tuple[str, int]:
        """Delete a library; returns its name and the bytes freed."""
        library = self.visit.own_library(identifier)
        return library.name, self.demos.remove(library.id)

    def set_task(self, identifier: str, template: str, words: str, description: str) -> bool:
        """Change how examples are written; whether they have to be encoded anew."""
        library = self.visit.own_library(identifier)
        task = Task(template, words_of(words, library.task.labels), description.strip())
        self.store.configure(identifier, task=task)
        anew = task.fingerprint != library.task.fingerprint
        if anew:
            self.encode(identifier)
        return anew

    def warm(self, identifier: str) -> None:
        """Make a library that is looked at ready for its first text, while that is being typed."""
        threading.Thread(target=self._warmed, args=(identifier,), name="warm", daemon=True).start()

    def _warmed(self, identifier: str) -> None:
        with contextlib.suppress(Exception):  # it fails again, and is told, where it is asked for
            self.demos.warm(identifier)

    # importing

    def make(
        self, draft: Draft | None, name: str, template: str, words: str, description: str, skip: bool
    ) -> tuple[DemonstrationLibrary, int]:  # fmt: skip
        """Keep a draft's rows, all or (skip) all good ones, and begin to encode; returns how many as well."""
        self.desk.changeable()
        if draft is None:
            raise BadInput("choose a file or paste some rows first")
        if draft.into:
            self.visit.own_library(draft.into)
        preview = draft.preview
        if preview is None:
            raise BadInput(draft.fault)
        if draft.into:
            count = self.demos.extend(draft.into, preview, skip)
            library = self.store.get(draft.into)
        else:
            task = preview.task(template, words_of(words, tuple(preview.words)), description.strip())
            library = self.demos.create(name, preview, task, skip)
            count = library.size
        self.encode(library.id)
        return library, count

    # examples

    def save_example(self, looked: Looked, text: str, label: str | None) -> None:
        """Put a text and its label in the place of the one being edited, or add them; encodes only that."""
        self.visit.own_library(looked.library)
        if not label:
            raise BadInput("choose the label of the example")
        if looked.editing:
            self.store.edit(looked.library, looked.editing, text, label)
        else:
            self.store.add(looked.library, [Row(0, text, label)])
        self.encode(looked.library)

    def discard(self, looked: Looked, example: int) -> None:
        """Remove an example."""
        self.visit.own_library(looked.library)
        if not self.store.discard(looked.library, [example]):
            raise BadInput("that example is gone already")

    def balance(self, identifier: str) -> int:
        """Lay aside what one label has beyond the rarest."""
        return self.store.balance(self.visit.own_library(identifier).id)

    def split(self, identifier: str, share: float) -> int:
        """Hold out a share of the examples for testing; 0 takes all back."""
        return self.store.split(self.visit.own_library(identifier).id, share)

    # classifying

    def try_text(
        self, key: str, identifier: str, text: str, settings: Settings | None = None
    ) -> Labelling[Classification]:
        """Queue the classification of one text."""
        library = self.store.get(identifier)
        if not text.strip():
            raise BadInput("the text is empty; type one")
        trial: Labelling[Classification] = Labelling()

        def begin(stop: Event) -> Iterator[AnswerEvent]:
            trial.found = self.demos.classify(library.id, text, settings)
            yield AnswerEvent()

        trial.speech = self.visit.speaker.say(key, text, begin)
        return trial

    def measure(self, identifier: str, settings: Settings | None, limit: int) -> Labelling[HeldOut]:
        """Queue a measurement, as `Demonstrations.evaluate` makes it; it goes on when its reader leaves."""
        library = self.store.get(identifier)
        made: Labelling[HeldOut] = Labelling()

        def progress(done: int, total: int) -> None:
            made.done, made.total = done, total

        def begin(stop: Event) -> Iterator[AnswerEvent]:
            try:
                made.found = self.demos.evaluate(library.id, settings, limit, stop, progress)
            except (KeyError, IndexError) as error:
                raise BadInput("the library was changed meanwhile; measure again") from error
            yield AnswerEvent()

        made.speech = self.visit.speaker.say(self._measuring(identifier), library.name, begin)
        self.desk.measurements.keep(made)
        return made

    def measurement(self, identifier: str) -> Labelling[HeldOut] | None:
        """Return the newest measurement of a library by one reader, under way or ended."""
        return self.desk.measurements.newest(self._measuring(identifier))

    def stop_measuring(self, identifier: str) -> None:
        """End after the texts in hand; what is done counts."""
        self.visit.speaker.stop(self._measuring(identifier))

    def _measuring(self, identifier: str) -> str:
        return f"measure {self.visit.owner} {identifier}"

    # files

    def start_run(
        self, identifier: str, table: Table | None, column: str | None, settings: Settings | None
    ) -> Run:
        """Queue a file of texts to be labelled."""
        self.desk.changeable()
        if table is None:
            raise BadInput("choose a file first")
        run, _ = self.demos.start_run(identifier, table, column or None, settings)
        self.desk.runner.wake()
        return run

    def runs(self, identifier: str) -> list[tuple[Run, Job | None, list[RunResult]]]:
        """List a reader's files with a library, newest first, with the first results of each."""
        found = self.demos.runs(identifier)
        return [(run, self.demos.job_of(run), self.demos.run_results(run, RESULTS_SHOWN)) for run in found]

    def run(self, identifier: str, run: str) -> Run:
        """Return one file of a reader. Raises BadInput."""
        for one in self.demos.runs(identifier):
            if one.id == run:
                return one
        raise BadInput("there is no such file (any more)")

    def act_on_run(self, action: str, run: Run) -> None:
        """Pause, cancel, resume or remove a file that is labelled."""
        self.desk.changeable()
        job = self.demos.job_of(run)
        if action == "remove":
            self.demos.remove_run(run)
        elif job is not None:
            self.visit.act(action, job.id)

    def export_run(self, run: Run, suffix: str) -> Path:
        """Write a file of the labels, to be downloaded."""
        path = uploads.outgoing(file_name(f"{Path(run.name).stem} labelled", suffix))
        self.demos.export_run(run, path)
        return path

    # looking

    def is_busy(self) -> bool:
        """Tell whether something is under way that the page shows."""
        return self.desk.is_busy() or self.desk.measurements.is_busy()

"""Demonstrations desk: what the page asks of the demonstration libraries. No Gradio here.

Libraries are as books are: everybody's to use, and only the account that made one can change or delete it.
What is done with them is a reader's own, as talks are: files that are labelled, measurements, a text that is
tried.
"""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Event
from typing import Generic, TypeVar

from app.desk import import_draft, uploads
from app.desk.desk import Desk
from app.desk.import_draft import Draft
from app.desk.speaking import Speech
from app.html import markup
from app.html.demonstrations_html import Facts, words_of
from engine.answering.answer import AnswerEvent
from engine.demonstrations.classifier import Classification
from engine.demonstrations.demonstrations import ENCODE
from engine.demonstrations.files import SUFFIXES
from engine.demonstrations.heldout import HeldOut
from engine.demonstrations.importing import Row
from engine.demonstrations.runs import Run, RunResult
from engine.demonstrations.settings import Settings
from engine.demonstrations.store import DemonstrationLibrary, Example
from engine.demonstrations.task import Task
from engine.shelf.jobs import Job
from engine.shelf.shelf import folder_bytes
from engine.shelf.titles import folded
from ingest.errors import BadInput
from ingest.tables import Table

PAGE = 20
RESULTS_SHOWN = 12
KEPT_MEASUREMENTS = 32

Found = TypeVar("Found")


@dataclass(frozen=True)
class Looked:
    """What one browser looks at: a library, some of its examples, the example being edited (0: a new one).

    filled: the library and example that the fields for typing were filled from; see `in_hand`.
    """

    library: str = ""
    offset: int = 0
    part: str = ""
    label: str = ""
    query: str = ""
    editing: int = 0
    filled: tuple[str, int] = ("", 0)

    @property
    def in_hand(self) -> tuple[str, int]:
        """The library and example whose text and template can be typed over. Another one fills the fields
        anew; with the same one, what was typed and not saved yet stays."""
        return self.library, self.editing

    def kept(self) -> dict[str, str]:
        """Return what the browser remembers over a refresh."""
        return {"library": self.library}


@dataclass
class Labelling(Generic[Found]):
    """A text being classified, or a library being measured, by the page's one voice."""

    speech: Speech = field(init=False)
    found: Found | None = None
    done: int = 0
    total: int = 0

    @property
    def ended(self) -> bool:
        """Whether nothing more comes of it."""
        return self.speech.ended


class DemonstrationsDesk:
    """The libraries of a desk, for one reader (`owner`) at a time."""

    def __init__(self, desk: Desk) -> None:
        self.desk, self.demos, self.store = desk, desk.demonstrations, desk.demonstrations.store
        self._known: dict[str, tuple[tuple, str, int, int]] = {}
        self._measured: OrderedDict[tuple[str, str], Labelling[HeldOut]] = OrderedDict()

    # libraries

    def own(self, identifier: str, owner: str) -> DemonstrationLibrary:
        """Return a library that is to be changed. Raises BadInput where it was made by another account."""
        return self.desk.own_library(identifier, owner)

    def may_change(self, library: DemonstrationLibrary | None, owner: str) -> bool:
        """Tell whether `own` would give the library, so that the page can offer changes."""
        return not self.desk.read_only and library is not None and library.belongs_to(owner)

    def facts(self, owner: str = "") -> list[Facts]:
        """List all libraries with what the list tells of them to one reader."""
        return [self.facts_of(one, owner) for one in self.store.libraries()]

    def facts_of(self, library: DemonstrationLibrary, owner: str = "") -> Facts:
        """State, encoded examples and size on disk; counted again only when something changed."""
        jobs = self.demos.jobs.all(library.id, kind=ENCODE)
        job = jobs[-1] if jobs else None
        key = (library.changed, job and (job.id, job.state))
        known = self._known.get(library.id)
        if known is None or known[0] != key:
            encoded, _ = self.demos.encoded(library.id)
            size = folder_bytes(self.demos.folder(library.id))
            self._known[library.id] = known = (key, self.demos.state(library.id), encoded, size)
        return Facts(library, known[1], job, known[2], known[3], not self.may_change(library, owner))

    def library(self, looked: Looked) -> DemonstrationLibrary | None:
        """Return the library looked at; None when there is none (any more)."""
        try:
            return self.store.get(looked.library) if looked.library else None
        except BadInput:
            return None

    def present(self, looked: Looked) -> Looked:
        """Return what is looked at, as far as it still exists: an example may be removed while in hand."""
        if self.library(looked) is None:
            return Looked()
        return looked if self.example(looked) else replace(looked, editing=0)

    def restored(self, kept: object) -> Looked:
        """Return what a browser looked at before a refresh, as far as it still exists."""
        looked = Looked(str(kept.get("library") or "")) if isinstance(kept, dict) else Looked()
        if self.library(looked) is not None:
            return looked
        every = self.store.libraries()
        return Looked(every[0].id) if len(every) == 1 else Looked()

    def ready(self) -> list:
        """List the libraries that come with the program and are not in the list yet."""
        if self.desk.read_only:
            return []
        there = {folded(one.name) for one in self.store.libraries()}
        return [one for one in self.demos.ready_libraries() if folded(one.name) not in there]

    def install(self, name: str, owner: str = "") -> DemonstrationLibrary:
        """Import a library that comes with the program, by its file's name, and begin to encode it."""
        self.desk.changeable()
        for one in self.demos.ready_libraries():
            if one.path.name == name:
                library = self.demos.install(one, owner)
                self.encode(library.id, owner)
                return library
        raise BadInput("this copy of the program has no such library")

    def encode(self, identifier: str, owner: str = "") -> None:
        """Queue what is not encoded yet."""
        self.demos.enqueue(self.own(identifier, owner).id)
        self.desk.runner.wake()

    def act(self, action: str, job: int, owner: str = "") -> None:
        """Pause, cancel or resume the encoding of a library."""
        if self.demos.jobs.get(job).kind != ENCODE:
            raise BadInput("that is not the encoding of a library")
        self.desk.act(action, job, owner=owner)

    def rename(self, identifier: str, name: str, owner: str = "") -> None:
        """Give a library another name."""
        self.store.configure(self.own(identifier, owner).id, name=name)

    def remove(self, identifier: str, owner: str = "") -> tuple[str, int]:
        """Delete a library; returns its name and the bytes freed."""
        library = self.own(identifier, owner)
        return library.name, self.demos.remove(library.id)

    def set_task(self, identifier: str, template: str, words: str, description: str, owner: str = "") -> bool:
        """Change how examples are written; whether they have to be encoded anew."""
        library = self.own(identifier, owner)
        task = Task(template, words_of(words, library.task.labels), description.strip())
        self.store.configure(identifier, task=task)
        anew = task.fingerprint != library.task.fingerprint
        if anew:
            self.encode(identifier, owner)
        return anew

    # importing

    def draft(
        self, data: bytes | str, table: Table, into: str, text: str | None = None, label: str | None = None,
        join: bool = False,
    ) -> Draft:  # fmt: skip
        """Check a table row by row, for a new library or for one that is there."""
        return import_draft.judged(self.demos, data, table, into, text, label, join)

    def make(
        self, draft: Draft | None, name: str, template: str, words: str, description: str, skip: bool,
        owner: str = "",
    ) -> tuple[DemonstrationLibrary, int]:  # fmt: skip
        """Keep a draft's rows, all or (skip) all good ones, and begin to encode; returns how many as well."""
        self.desk.changeable()
        if draft is None:
            raise BadInput("choose a file or paste some rows first")
        if draft.into:
            self.own(draft.into, owner)
        preview = draft.preview
        if preview is None:
            raise BadInput(draft.fault)
        if draft.into:
            count = self.demos.extend(draft.into, preview, skip)
            library = self.store.get(draft.into)
        else:
            task = preview.task(template, words_of(words, tuple(preview.words)), description.strip())
            library = self.demos.create(name, preview, task, skip, owner)
            count = library.size
        self.encode(library.id, owner)
        return library, count

    # examples

    def examples(self, looked: Looked) -> tuple[list[Example], bool]:
        """Return one page of the examples looked at, and whether there are more."""
        found = self.store.examples(
            looked.library, part=looked.part or None, label=looked.label or None, containing=looked.query,
            offset=looked.offset, limit=PAGE + 1,
        )  # fmt: skip
        return found[:PAGE], len(found) > PAGE

    def example(self, looked: Looked) -> Example | None:
        """Return the example being edited."""
        if not looked.editing:
            return None
        found = self.store.examples(looked.library)
        return next((one for one in found if one.id == looked.editing), None)

    def save_example(self, looked: Looked, text: str, label: str | None, owner: str = "") -> None:
        """Put a text and its label in the place of the one being edited, or add them; encodes only that."""
        self.own(looked.library, owner)
        if not label:
            raise BadInput("choose the label of the example")
        if looked.editing:
            self.store.edit(looked.library, looked.editing, text, label)
        else:
            self.store.add(looked.library, [Row(0, text, label)])
        self.encode(looked.library, owner)

    def discard(self, looked: Looked, example: int, owner: str = "") -> None:
        """Remove an example."""
        self.own(looked.library, owner)
        if not self.store.discard(looked.library, [example]):
            raise BadInput("that example is gone already")

    def balance(self, identifier: str, owner: str = "") -> int:
        """Lay aside what one label has beyond the rarest."""
        return self.store.balance(self.own(identifier, owner).id)

    def split(self, identifier: str, share: float, owner: str = "") -> int:
        """Hold out a share of the examples for testing; 0 takes all back."""
        return self.store.split(self.own(identifier, owner).id, share)

    def export(self, identifier: str, suffix: str) -> Path:
        """Write a file of all examples, to be downloaded."""
        name = file_name(self.store.get(identifier).name, suffix)
        path = uploads.outgoing(name)
        self.demos.export(identifier, path)
        return path

    # classifying

    def try_text(
        self, key: str, identifier: str, text: str, settings: Settings | None = None, owner: str = ""
    ) -> Labelling[Classification]:
        """Queue the classification of one text."""
        library = self.store.get(identifier)
        if not text.strip():
            raise BadInput("the text is empty; type one")
        trial: Labelling[Classification] = Labelling()

        def begin(stop: Event) -> Iterator[AnswerEvent]:
            trial.found = self.demos.classify(library.id, text, settings)
            yield AnswerEvent()

        trial.speech = self.desk.speaker.say(key, text, begin, owner=owner)
        return trial

    def measure(
        self, owner: str, identifier: str, settings: Settings | None, limit: int
    ) -> Labelling[HeldOut]:
        """Queue a measurement on the held-out part; it goes on when its reader leaves."""
        library = self.store.get(identifier)
        held = library.held("held-out")
        if not held:
            raise BadInput("no example is held out for testing: hold some out first")
        made: Labelling[HeldOut] = Labelling(total=min(held, limit) if limit else held)

        def progress(done: int, total: int) -> None:
            made.done, made.total = done, total

        def begin(stop: Event) -> Iterator[AnswerEvent]:
            try:
                made.found = self.demos.evaluate(library.id, settings, limit, stop, progress)
            except (KeyError, IndexError) as error:
                raise BadInput("the library was changed meanwhile; measure again") from error
            yield AnswerEvent()

        made.speech = self.desk.speaker.say(f"measure {owner} {identifier}", library.name, begin, owner=owner)
        self._measured[owner, identifier] = made
        while len(self._measured) > KEPT_MEASUREMENTS:
            self._measured.popitem(last=False)
        return made

    def measurement(self, owner: str, identifier: str) -> Labelling[HeldOut] | None:
        """Return the newest measurement of a library by one reader, under way or ended."""
        return self._measured.get((owner, identifier))

    def stop_measuring(self, owner: str, identifier: str) -> None:
        """End after the texts in hand; what is done counts."""
        self.desk.speaker.stop(f"measure {owner} {identifier}")

    # files

    def start_run(
        self, identifier: str, table: Table | None, column: str | None, settings: Settings | None, owner: str
    ) -> Run:
        """Queue a file of texts to be labelled."""
        self.desk.changeable()
        if table is None:
            raise BadInput("choose a file first")
        run, _ = self.demos.start_run(identifier, table, column or None, settings, owner)
        self.desk.runner.wake()
        return run

    def runs(self, identifier: str, owner: str) -> list[tuple[Run, Job | None, list[RunResult]]]:
        """List a reader's files with a library, newest first, with the first results of each."""
        found = self.demos.runs(identifier, owner)
        return [(run, self.demos.job_of(run), self.demos.run_results(run, RESULTS_SHOWN)) for run in found]

    def run(self, identifier: str, run: str, owner: str) -> Run:
        """Return one file of a reader. Raises BadInput."""
        for one in self.demos.runs(identifier, owner):
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
            self.desk.act(action, job.id)

    def export_run(self, run: Run, suffix: str) -> Path:
        """Write a file of the labels, to be downloaded."""
        path = uploads.outgoing(file_name(f"{Path(run.name).stem} labelled", suffix))
        self.demos.export_run(run, path)
        return path

    # looking

    def is_busy(self) -> bool:
        """Tell whether something is under way that the page shows."""
        return self.desk.is_busy() or not all(one.ended for one in list(self._measured.values()))


def file_name(words: str, suffix: str) -> str:
    """Make a harmless file name out of a user's words."""
    if suffix not in SUFFIXES:
        raise BadInput(f"a download is one of {', '.join(SUFFIXES)}")
    letters = "".join(c if c.isalnum() else "-" for c in words.translate(markup.CONTROLS))
    return ("-".join(filter(None, letters.split("-")))[:60] or "library") + suffix

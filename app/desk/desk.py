"""Desk: what the page asks about the shelf; `reading` is for the open document, `talking` for talks.

It turns a View into HTML with the Assistant's help, for one reader (`owner`) at a time.
"""

import contextlib
import re
import threading
from dataclasses import replace
from pathlib import Path

from app.desk import uploads
from app.desk.marks_desk import MarksDesk
from app.desk.reading_desk import ReadingDesk
from app.desk.speaking import Speaker
from app.desk.state import BOUNDS, Line, View
from app.desk.talk_desk import TalkDesk
from app.desk.watch import Watch
from app.html import job_html, shelf_html
from engine.assistant import Assistant
from engine.demonstrations.demonstrations import CLASSIFY, ENCODE, Demonstrations
from engine.demonstrations.store import DemonstrationLibrary
from engine.errors import Failure
from engine.marks import editions
from engine.paths import SAMPLES
from engine.shelf.accounts import Accounts, Limits
from engine.shelf.entry import Entry
from engine.shelf.jobs import ADD, Job
from engine.shelf.leaving import leave
from engine.shelf.runner import JobRunner
from engine.shelf.titles import folded
from ingest.apart import read_table, unpack
from ingest.errors import BadInput
from ingest.recognition.engines import AUTO

ADDRESS = re.compile(r"#book=(?P<book>[0-9a-f]{12,64})&at=(?P<at>\d{1,12})")
CHARACTERS_PER_TOKEN = 4.2  # of English, for an estimate
LOOK_SECONDS = 4.0  # importing and loading the model would compete with the first page


class Desk:
    """Everything the page asks of the program."""

    def __init__(self, assistant: Assistant, read_only: bool = False, accounts: Accounts | None = None):
        self.assistant = assistant
        self.shelf = assistant.shelf
        self.read_only = read_only
        assistant.library.renews = not read_only
        self.accounts = accounts
        self.speaker = Speaker(lambda owner: getattr(self.limits(owner), "questions", None))
        self.reading = ReadingDesk(assistant)
        self.marks = MarksDesk(self.reading, read_only)
        self.talking = TalkDesk(self.reading, self.speaker)
        self.demonstrations = Demonstrations(assistant.library, read_table)
        # a new book is read at once, while the memory of another is filled; a short one is filled first
        self.reader = JobRunner(self.shelf.jobs, assistant.library.read, wants=self._is_unread)
        self.runner = JobRunner(self.shelf.jobs, self.demonstrations.work_any, order=self._length)
        self.watch = Watch(assistant.library, self.wake)
        self._adding = threading.Lock()

    def start(self) -> None:
        """Finish what a crash left, take up interrupted jobs (a page for reading only changes nothing)."""
        if not self.read_only:
            self.shelf.sweep()
            self.reader.start()
            self.runner.start()
            self.watch.start()

    def look(self, after: float = LOOK_SECONDS) -> None:
        """Load the model and compare the banks with it, once the first page has had time to appear."""
        timer = threading.Timer(after, self._look)
        timer.daemon = True
        timer.start()

    def _look(self) -> None:
        # what fails here fails again, and is told, where somebody asks for it
        with contextlib.suppress(Exception):
            self.assistant.library.inspect()

    def stop(self, seconds: float = 30.0) -> bool:
        """End answers and put the job in hand back into its queue; False where that takes over `seconds`."""
        self.speaker.stop_all()
        self.watch.stop()
        return self.read_only or all([self.reader.stop(seconds), self.runner.stop(seconds)])

    def wake(self) -> None:
        """Look at the queue now: a job was just added."""
        self.reader.wake()
        self.runner.wake()

    def _is_unread(self, job: Job) -> bool:
        return job.kind == ADD and not self.shelf.is_stored(job.document)

    def _length(self, job: Job) -> tuple[bool, int]:
        """Return what jobs are sorted by: books that were read before others, the shortest first."""
        try:
            entry = self.shelf.get(job.document)
        except BadInput:  # of a library of examples
            return False, 0
        return not entry.characters, entry.characters or entry.source_bytes

    def changeable(self) -> None:
        """Raises BadInput where the page is for reading only."""
        if self.read_only:
            raise BadInput("this page was opened with --read-only: the shelf cannot be changed here")

    def limits(self, owner: str) -> Limits | None:
        """Return what an account may ask of the page; None where nothing bounds it."""
        return self.accounts.limits(owner) if self.accounts else None

    def check_tokens(self, tokens: int, owner: str) -> None:
        """Raises BadInput where that is more than the account may ask for at a time."""
        limits = self.limits(owner)
        if limits and tokens > limits.tokens:
            raise BadInput(f"an account gets up to {limits.tokens} tokens at a time: ask for fewer")

    def _check_room(self, size: int, owner: str) -> None:
        """Raises BadInput where a further book of that size is more than the account may have."""
        if not (limits := self.limits(owner)):
            return
        mine = [entry for entry in self.shelf.entries() if owner in entry.holders]
        used = sum(entry.source_bytes + entry.bank_bytes for entry in mine)
        if len(mine) >= limits.books:
            raise BadInput(f"an account has up to {limits.books} books on the shelf: delete one first")
        if used + size > limits.megabytes * 1e6:
            raise BadInput(
                f"an account has up to {limits.megabytes} MB on the shelf; yours has {used / 1e6:.0f}, this "
                f"file {size / 1e6:.0f}: delete a book first"
            )

    def own(self, identifier: str, owner: str) -> Entry:
        """Return a document that is to be changed. Raises BadInput where another account put it there."""
        self.changeable()
        entry = self.shelf.of(owner).get(identifier)
        if not entry.belongs_to(owner):
            raise BadInput(f"“{entry.title}” was added by another account, which alone can change it")
        return entry

    def own_library(self, identifier: str, owner: str) -> DemonstrationLibrary:
        """Return a demonstration library that is to be changed. Raises BadInput as `own` does."""
        self.changeable()
        library = self.demonstrations.store.get(identifier)
        if not library.belongs_to(owner):
            raise BadInput(f"“{library.name}” was made by another account, which alone can change it")
        return library

    def add(
        self, path: Path, password: str = "", encoding: str = "", owner: str = "", ocr: str = ""
    ) -> Entry:
        """Queue a file; a copy in the upload folder is deleted once the shelf has its own."""
        self.changeable()
        with self._adding:
            if path.is_file():
                self._check_room(path.stat().st_size, owner)
            entry, _ = self.assistant.of(owner).enqueue(
                path, password=password or None, encoding=encoding or None, ocr=ocr or None
            )
        self.wake()
        return entry

    def unpacked(self, path: Path) -> list[Path]:
        """Return the books of a ZIP archive of several, laid with the uploads; of any other file itself."""
        self.changeable()
        is_archive = path.suffix.lower() == ".zip"
        return (unpack(path, uploads.outgoing("books")) if is_archive else []) or [path]

    def add_sample(self, owner: str = "", kind: str = "epub") -> Entry:
        """Put a sample on the shelf: the novel ("epub") or the stories ("pdf")."""
        samples = [one for one in sorted(SAMPLES.glob("*")) if one.suffix == f".{kind}"]
        if not samples:
            raise Failure("this copy of the program has no sample book in assets/samples")
        return self.add(samples[0], owner=owner)

    def act(
        self, action: str, job: int, password: str = "", encoding: str = "", owner: str = "", ocr: str = ""
    ) -> None:
        """Pause, cancel or resume a job that this reader may change; the rest is for a text read again."""
        self.changeable()
        jobs = self.shelf.jobs
        self._check_job(jobs.get(job), owner)
        if action in ("resume", "recognise"):
            ocr = ocr or (AUTO if action == "recognise" else "")
            self.assistant.library.resume(job, password or None, encoding or None, ocr or None)
            self.wake()
        else:
            {"pause": jobs.pause, "cancel": jobs.cancel}[action](job)

    def _check_job(self, job: Job, owner: str) -> None:
        """Check who may steer a job: that of a memory its owner; of what another labels there is none."""
        if owner and job.options.get("owner") == owner:
            self.changeable()
        elif job.kind == ADD:
            self.own(job.document, owner)
        elif job.kind == ENCODE:
            self.own_library(job.document, owner)
        elif owner and job.kind.startswith(CLASSIFY):
            mine = {CLASSIFY + run.id for run in self.demonstrations.runs(job.document, owner)}
            if job.kind not in mine:
                raise BadInput(f"there is no job {job.id}: its document was removed")

    def rename(self, identifier: str, title: str, owner: str = "") -> Entry:
        """Give a document another title."""
        return self.shelf.rename(self.own(identifier, owner).id, title)

    def remove(self, identifier: str, owner: str = "", keep_marks: bool = False) -> tuple[str, int]:
        """Delete a document with its memory and talks; returns its title and the bytes freed.

        What another account holds as well goes from this one alone, and frees nothing.
        """
        self.changeable()
        entry = self.shelf.of(owner).get(identifier)
        if owner in entry.holders and len(entry.holders) > 1:
            leave(self.shelf.of(owner), identifier, keep_marks)
            return entry.title, 0
        self.own(identifier, owner)
        return entry.title, self.assistant.remove(entry.id, keep_marks)

    def replace(self, former: str, edition: str, owner: str = "") -> tuple[str, int]:
        """Put a document in the place of an older edition; returns its title and how many notes it took."""
        older = self.own(former, owner)
        if len(older.holders) > 1:
            raise BadInput(
                f"another account keeps the older edition of “{older.title}” too: leave it instead"
            )
        found, _ = editions.replace(self.assistant.library, older.id, self.own(edition, owner).id)
        return self.shelf.get(edition).title, found

    def tag(self, identifier: str, tags: str, owner: str = "") -> None:
        """Give a document a reader's tags."""
        self.changeable()
        self.shelf.of(owner).tag(self.shelf.get(identifier).id, tags)

    def renew(self, identifier: str, owner: str = "") -> None:
        """Make the memory of a document anew, from the text that is there."""
        self.assistant.library.renew(self.own(identifier, owner).id)
        self.wake()

    def cards(self, owner: str, document: str = "") -> str:
        """Write the shelf as HTML."""
        entries = self.shelf.of(owner).entries()
        faults = {entry.id: self.assistant.library.fault(entry.id) for entry in entries}
        rows = [(entry, self.job_of(entry, owner)) for entry in entries]
        fixed = {entry.id for entry in entries if self.read_only or not entry.belongs_to(owner)}
        shared = {entry.id for entry in entries if owner in entry.holders and not self.read_only}
        damaged = shelf_html.damaged((one.title, one.what) for one in self.watch.found)
        model = self.assistant.library.model
        is_bare = model.is_loaded and model.checkpoint is None
        advice = shelf_html.unadapted(model.backbone.name) if is_bare else ""
        return advice + damaged + shelf_html.cards(
            rows, document, self.read_only, faults, fixed, shared, self._more(entries, fixed, owner),
            self._waiting(), {one.id for one in entries if self.shelf.paths.pictures(one.id).is_dir()},
        )  # fmt: skip

    def _waiting(self) -> dict[int, job_html.Waiting]:
        """Return where each job that waits stands, and for how long, as far as the one in hand tells."""
        queued, found = self.runner.queued(), {}
        running = (
            [job for job in self.shelf.jobs.all(unfinished=True) if job.state == "running"] if queued else []
        )
        seconds = running[0].seconds_left if running else None
        rate = running[0].tokens_per_second if running else None
        for place, job in enumerate(queued, 1):
            found[job.id] = job_html.Waiting(place, seconds)
            tokens = self._length(job)[1] / CHARACTERS_PER_TOKEN
            seconds = None if seconds is None or not rate else seconds + tokens / rate
        return found

    def _more(self, entries: list[Entry], fixed: set[str], owner: str) -> dict[str, list[str]]:
        """Return further buttons by the id of their book: tags, an older edition, notes that may stay."""
        marked = self.shelf.of(owner).marks.books()
        mine = [entry for entry in entries if entry.id not in fixed and len(entry.holders) < 2]
        named: dict[tuple[str, str], list[Entry]] = {}
        for entry in mine:
            named.setdefault((folded(entry.title), folded(entry.author)), []).append(entry)
        more = {entry.id: [] if self.read_only else [shelf_html.tagging(entry)] for entry in entries}
        for entry in mine:
            older = [
                one
                for one in named[folded(entry.title), folded(entry.author)]
                if one.created < entry.created and entry.characters
            ]
            more[entry.id] += [shelf_html.replacing(entry, older[0].id)] if older else []
            more[entry.id] += [shelf_html.keeping(entry)] if entry.id in marked else []
        return more

    def job_of(self, entry: Entry, owner: str) -> Job | None:
        """Return the newest job of a document; of another account's, only how far the book is."""
        job = self.shelf.jobs.latest(entry.id)
        if job is None or entry.belongs_to(owner) or job.options.get("owner") == owner:
            return job
        return replace(job, id=0, message="", options={}, wish="", worker="", pid=None, host="")

    def is_busy(self) -> bool:
        """Tell whether a job is queued or running."""
        return any(job.state != "paused" for job in self.shelf.jobs.all(unfinished=True))

    def restored(self, kept: dict | None, owner: str) -> View:
        """Return the view a browser had before a refresh, as far as it still exists."""
        kept = kept if isinstance(kept, dict) else {}
        identifier, talk, bound = (str(kept.get(name) or "") for name in ("document", "talk", "bound"))
        bound = bound if bound in BOUNDS.values() else "book"
        answer = kept.get("answer") if isinstance(kept.get("answer"), int) else None
        # an address names a book and a place in it, whatever was open before
        if (led := ADDRESS.match(str(kept.get("address") or ""))) and led["book"] != identifier:
            identifier, talk = led["book"], ""
        view = View(identifier, talk=talk, bound=bound, answer=answer)
        entry = self.reading.entry(view, owner)
        if entry is not None:
            view.line.at = int(led["at"]) if led else entry.position if entry.place is None else entry.place
        if entry is None or not self.shelf.is_stored(identifier):
            # a talk about all books needs none that is open
            view = replace(view, document="", line=Line()) if view.is_shelf else View()
        return self.talking.present(view, owner)

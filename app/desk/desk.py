"""Desk: what all readers of a page share: the shelf, the voice, and the work that goes on behind it."""

import contextlib
import threading
from collections.abc import Callable
from pathlib import Path

from app.desk import uploads
from app.desk.books import Books
from app.desk.labelling import Measurements
from app.desk.libraries import Libraries
from app.desk.speaking import Speaker
from app.desk.watch import Watch
from app.html import job_html
from engine.assistant import Assistant
from engine.demonstrations.demonstrations import Demonstrations
from engine.shelf.accounts import Accounts
from engine.shelf.jobs import ADD, Job
from engine.shelf.runner import JobRunner
from ingest.apart import read_table, unpack
from ingest.errors import BadInput

CHARACTERS_PER_TOKEN = 4.2  # of English, for an estimate
LOOK_SECONDS = 4.0  # importing and loading the model would compete with the first page


class Desk:
    """What a page is opened over. What one reader sees and does there is a `Visit`."""

    def __init__(self, assistant: Assistant, read_only: bool = False, accounts: Accounts | None = None):
        self.assistant = assistant
        self.shelf = assistant.shelf
        self.read_only = read_only
        assistant.library.renews = not read_only
        self.accounts = accounts
        self.speaker = Speaker()
        self.books = Books(assistant.library)
        self.demonstrations = Demonstrations(assistant.library, read_table)
        self.libraries, self.measurements = Libraries(self.demonstrations), Measurements()
        # a new book is read at once, while the memory of another is filled; a short one is filled first
        self.reader = JobRunner(self.shelf.jobs, assistant.library.read, wants=self._is_unread)
        self.runner = JobRunner(
            self.shelf.jobs, self.demonstrations.work_any, order=self._length, yields=self._gives_way,
            hesitates=self.speaker.is_pressed,
        )  # fmt: skip
        self.watch = Watch(assistant.library, self.wake)
        self.adding = threading.Lock()
        # what else is under way ends with the page
        self.endings: list[Callable[[], None]] = []

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
        for end in self.endings:
            end()
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

    def _gives_way(self, running: Job, waiting: Job) -> bool:
        """Tell whether a book whose memory is made waits for examples, or a book half as long as its rest."""
        if running.kind != ADD:
            return False
        now, (unread, length) = self.shelf.jobs.get(running.id), self._length(waiting)
        left = (now.total - now.done) * CHARACTERS_PER_TOKEN if now.stage == "encode" else 0
        return not unread and 2 * length < left

    def changeable(self) -> None:
        """Raise BadInput where the page is for reading only."""
        if self.read_only:
            raise BadInput("this page was opened with --read-only: the shelf cannot be changed here")

    def unpacked(self, path: Path) -> list[Path]:
        """Return the books of a ZIP archive of several, laid with the uploads; of any other file itself."""
        self.changeable()
        is_archive = path.suffix.lower() == ".zip"
        return (unpack(path, uploads.outgoing("books")) if is_archive else []) or [path]

    def waiting(self) -> dict[int, job_html.Waiting]:
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

    def is_busy(self) -> bool:
        """Tell whether a job is queued or running."""
        return any(job.state != "paused" for job in self.shelf.jobs.all(unfinished=True))

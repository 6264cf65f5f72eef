"""Desk: what the page asks about the shelf and the open document; `talking` is for talks. No Gradio here.

It turns a View into HTML with the Assistant's help, for one reader (`owner`) at a time.
"""

import contextlib
import threading
from collections import OrderedDict
from dataclasses import replace
from pathlib import Path
from threading import Lock

from app import found, leaves, markup, shelfview
from app.speaking import Speaker
from app.talkdesk import TalkDesk
from app.view import BOUNDS, View
from engine.assistant import Assistant
from engine.demonstrations.demonstrations import CLASSIFY, ENCODE, Demonstrations
from engine.demonstrations.store import DemonstrationLibrary
from engine.errors import Failure
from engine.paths import SAMPLES
from engine.shelf.jobs import ADD, Job
from engine.shelf.runner import JobRunner
from engine.shelf.shelf import Entry
from ingest.apart import read_table
from ingest.document import Document
from ingest.errors import BadInput

HITS = 60
KEPT_LEAVES = 16
LOOK_SECONDS = 4.0  # importing and loading the model would compete with the first page


class Desk:
    """Everything the page asks of the program."""

    def __init__(self, assistant: Assistant, read_only: bool = False):
        self.assistant = assistant
        self.shelf = assistant.shelf
        self.read_only = read_only
        self.speaker = Speaker()
        self.talking = TalkDesk(self)
        self.demonstrations = Demonstrations(assistant.library, read_table)
        self.runner = JobRunner(self.shelf.jobs, self.demonstrations.work_any)
        self._starts: OrderedDict[str, tuple[int, list[int]]] = OrderedDict()
        self._lock = Lock()

    def start(self) -> None:
        """Finish what a crash left, take up interrupted jobs (a page for reading only changes nothing)."""
        if not self.read_only:
            self.shelf.sweep()
            self.runner.start()

    def look(self, after: float = LOOK_SECONDS) -> None:
        """Load the model and compare the banks with it, once the first page has had time to appear."""
        timer = threading.Timer(after, self._look)
        timer.daemon = True
        timer.start()

    def _look(self) -> None:
        # what fails here fails again, and is told, where somebody asks for it
        with contextlib.suppress(Exception):
            self.assistant.library.inspect()

    def _warm(self, identifier: str) -> None:
        with contextlib.suppress(Exception):
            self.assistant.library.bank(identifier)

    def stop(self, seconds: float = 30.0) -> bool:
        """End answers and put the job in hand back into its queue; False where that takes over `seconds`."""
        self.speaker.stop_all()
        return self.read_only or self.runner.stop(seconds)

    # the shelf

    def changeable(self) -> None:
        """Raises BadInput where the page is for reading only."""
        if self.read_only:
            raise BadInput("this page was opened with --read-only: the shelf cannot be changed here")

    def own(self, identifier: str, owner: str) -> Entry:
        """A document that is to be changed. Raises BadInput where it was put there by another account."""
        self.changeable()
        entry = self.shelf.get(identifier, owner)
        if not entry.belongs_to(owner):
            raise BadInput(f"“{entry.title}” was added by another account, which alone can change it")
        return entry

    def own_library(self, identifier: str, owner: str) -> DemonstrationLibrary:
        """The same of a demonstration library."""
        self.changeable()
        library = self.demonstrations.store.get(identifier)
        if not library.belongs_to(owner):
            raise BadInput(f"“{library.name}” was made by another account, which alone can change it")
        return library

    def add(self, path: Path, password: str = "", encoding: str = "", owner: str = "") -> Entry:
        """Queue a file; a copy in the upload folder is deleted once the shelf has its own."""
        self.changeable()
        entry, _ = self.assistant.enqueue(
            path, password=password or None, encoding=encoding or None, owner=owner
        )
        self.runner.wake()
        return entry

    def add_sample(self, owner: str = "") -> Entry:
        """Put the sample novel on the shelf."""
        samples = sorted(SAMPLES.glob("*.epub")) if SAMPLES.is_dir() else []
        if not samples:
            raise Failure("this copy of the program has no sample book in assets/samples")
        return self.add(samples[0], owner=owner)

    def act(self, action: str, job: int, password: str = "", encoding: str = "", owner: str = "") -> None:
        """Pause, cancel or resume a job that this reader may change; the rest is for a text read again."""
        self.changeable()
        jobs = self.shelf.jobs
        self._check_job(jobs.get(job), owner)
        if action == "resume":
            self.assistant.library.resume(job, password or None, encoding or None)
            self.runner.wake()
        else:
            {"pause": jobs.pause, "cancel": jobs.cancel}[action](job)

    def _check_job(self, job: Job, owner: str) -> None:
        """What makes a memory goes with its document or library; of what another labels there is no job."""
        if job.kind == ADD:
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

    def remove(self, identifier: str, owner: str = "") -> tuple[str, int]:
        """Delete a document with its memory and talks; returns its title and the bytes freed."""
        entry = self.own(identifier, owner)
        return entry.title, self.assistant.remove(entry.id)

    def renew(self, identifier: str, owner: str = "") -> None:
        """Make the memory of a document anew, from the text that is there."""
        self.assistant.library.renew(self.own(identifier, owner).id)
        self.runner.wake()

    def cards(self, owner: str, document: str = "") -> str:
        """The shelf as HTML."""
        entries = self.shelf.entries(owner)
        faults = {entry.id: self.assistant.library.fault(entry.id) for entry in entries}
        rows = [(entry, self.shelf.jobs.latest(entry.id)) for entry in entries]
        fixed = {entry.id for entry in entries if self.read_only or not entry.belongs_to(owner)}
        return shelfview.cards(rows, document, self.read_only, faults, fixed)

    def is_busy(self) -> bool:
        """Whether a job is queued or running."""
        return any(job.state != "paused" for job in self.shelf.jobs.all(unfinished=True))

    # the open document

    def entry(self, view: View, owner: str) -> Entry | None:
        """The document of a view; None when there is none (any more)."""
        try:
            return self.shelf.get(view.document, owner) if view.document else None
        except BadInput:
            return None

    def document(self, identifier: str) -> Document:
        return self.assistant.library.document(identifier)

    def starts(self, identifier: str) -> list[int]:
        """Where the leaves of a document begin."""
        document = self.document(identifier)
        with self._lock:
            known = self._starts.get(identifier)
            if known is None or known[0] != len(document.text):
                self._starts[identifier] = (len(document.text), leaves.leaf_starts(document))
                while len(self._starts) > KEPT_LEAVES:
                    self._starts.popitem(last=False)
            return self._starts[identifier][1]

    def open(self, identifier: str, owner: str, view: View | None = None) -> View:
        """Show a document where its reader left it, with the talk that was last used."""
        entry = self.shelf.opened(identifier, owner)
        self.document(identifier)
        if entry.state == "ready":
            threading.Thread(target=self._warm, args=(identifier,), name="warm", daemon=True).start()
        talks = self.shelf.talks.about(identifier, owner)
        bound = view.bound if view else "book"
        return View(identifier, entry.position, talk=talks[0].id if talks else "",
                    bound="book" if bound == "shelf" else bound)  # fmt: skip

    def restored(self, kept: dict | None, owner: str) -> View:
        """The view a browser had before a refresh, as far as it still exists."""
        kept = kept if isinstance(kept, dict) else {}
        identifier, talk, bound = (str(kept.get(name) or "") for name in ("document", "talk", "bound"))
        bound = bound if bound in BOUNDS.values() else "book"
        answer = kept.get("answer") if isinstance(kept.get("answer"), int) else None
        view = View(identifier, _number(kept.get("at")), talk=talk, bound=bound, answer=answer)
        if self.entry(view, owner) is None or not self.shelf.is_stored(identifier):
            # a talk about all books needs none that is open
            view = replace(view, document="", at=0) if bound == "shelf" else View()
        return self.talking.present(view, owner)

    def leaf(self, view: View) -> leaves.Leaf:
        return leaves.leaf_of(self.starts(view.document), len(self.document(view.document).text), view.at)

    def turned(self, view: View, steps: int, owner: str) -> View:
        """The next or previous leaf. Going on from a leaf, when all before it was read, is having read it."""
        leaf = self.leaf(view)
        starts, size = self.starts(view.document), len(self.document(view.document).text)
        position = self.shelf.get(view.document, owner).position
        if steps > 0 and leaf.start <= position < leaf.end:
            self.shelf.read_to(view.document, leaf.end, owner)
        at = leaves.leaf_at(starts, size, leaf.index + steps).start
        return replace(view, at=at, cursor=None, cited=None, found=())

    def read_to(self, view: View, owner: str) -> View:
        """Set the reading position to the end of the chosen paragraph, or of the leaf."""
        at = self.paragraph_end(view)
        self.shelf.read_to(view.document, self.leaf(view).end if at is None else at, owner)
        return replace(view, cursor=None)

    def paragraph_end(self, view: View) -> int | None:
        """Where the chosen paragraph ends; None where none was chosen."""
        if view.cursor is None:
            return None
        paragraphs = self.document(view.document).paragraphs
        return next((end for start, end in paragraphs if start <= view.cursor < end), None)

    def jumped(self, view: View, identifier: str, start: int, end: int, mark: str, owner: str) -> View:
        """Lead to what is "cited", to words "found", or with no mark to a place.

        The way back is kept, the reading position is not touched.
        """
        back = view.back or ((view.document, view.at) if view.document else None)
        view = self._beside(view, identifier, owner)
        size = len(self.document(identifier).text)
        start, end = max(0, min(start, size)), max(0, min(end, size))
        cited = (start, end) if mark == "cited" else None
        spans = ((start, end),) if mark == "found" else ()
        return replace(view, at=start, cursor=None, back=back, cited=cited, found=spans)

    def returned(self, view: View, owner: str) -> View:
        """Back to where a citation, a hit or the strip was followed, be it in another book."""
        if view.back is None:
            return view
        document, at = view.back
        if self.entry(View(document), owner) is None:  # it was removed meanwhile
            return replace(view, back=None)
        view = self._beside(view, document, owner)
        return replace(view, at=at, back=None, cursor=None, cited=None, found=())

    def _beside(self, view: View, identifier: str, owner: str) -> View:
        """That document in view; a talk about all books goes on beside whichever is open."""
        if identifier == view.document:
            return view
        opened = self.open(identifier, owner, view)
        if view.bound != "shelf":
            return opened
        kept = {name: getattr(view, name) for name in ("talk", "bound", "editing", "draft", "answer")}
        return replace(opened, **kept)

    def leaf_html(self, view: View, owner: str) -> str:
        """The leaf in view as HTML, or an invitation."""
        entry = self.entry(view, owner)
        if entry is None:
            return markup.tag("p", "No book is open. Choose one on the shelf.", class_="lm-empty")
        document = self.document(view.document)
        shown = leaves.Shown(view.cited, view.found, entry.position or None, view.cursor)
        return leaves.leaf_html(document, self.leaf(view), shown)

    def place_words(self, view: View, owner: str) -> str:
        """Where the view is, and how far was read."""
        entry = self.entry(view, owner)
        if entry is None:
            return ""
        document, leaf = self.document(view.document), self.leaf(view)
        place = document.place(max(leaf.start, view.at))
        parts = [part for part in (place.chapter_name, place.page and f"page {place.page}") if part]
        parts.append(f"leaf {leaf.index + 1} of {len(self.starts(view.document))}")
        parts.append(f"you have read {leaves.share(document, entry.position)}")
        return " · ".join(parts)

    def search(self, view: View, query: str) -> str:
        """Full-text hits in the open document."""
        if not view.document:
            return ""
        hits = self.shelf.fulltext.search(query, view.document, limit=HITS)
        total = self.shelf.fulltext.count(query, view.document) if hits else 0
        document = self.document(view.document)
        return found.hits_html(query, hits, total, lambda hit: str(document.place(hit.start)))


def _number(value: object) -> int:
    return value if isinstance(value, int) and value >= 0 else 0

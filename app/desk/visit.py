"""Visit: one reader at the page: what they see of the shelf, may change on it, and where they read and talk.

Who it is stands here once: what shows or changes the shelf for a reader at the page goes through their visit,
which knows what is theirs. The shelf itself, which the desk holds, asks nobody who they are.
"""

import re
from dataclasses import replace
from pathlib import Path

from app.desk.desk import Desk
from app.desk.marks_desk import MarksDesk
from app.desk.reading_desk import ReadingDesk
from app.desk.state import BOUNDS, Line, View
from app.desk.talk_desk import TalkDesk
from app.html import shelf_html
from app.html.markup import Html
from engine import editions
from engine.demonstrations.demonstrations import CLASSIFY, ENCODE
from engine.demonstrations.store import DemonstrationLibrary
from engine.errors import Failure
from engine.paths import SAMPLES
from engine.shelf.accounts import Limits
from engine.shelf.entry import Entry
from engine.shelf.jobs import ADD, Job
from engine.shelf.leaving import leave
from engine.shelf.words import words
from engine.sums import file_hash
from ingest.errors import BadInput
from ingest.recognition.engines import AUTO

ADDRESS = re.compile(r"#book=(?P<book>[0-9a-f]{12,64})&at=(?P<at>\d{1,12})")


class Visit:
    """One reader (`owner`: the account, '' where there are none) at a desk; `reading`, `talking`, `marks`."""

    def __init__(self, desk: Desk, owner: str) -> None:
        self.desk, self.owner = desk, owner
        self.assistant = desk.assistant.of(owner)
        self.shelf = self.assistant.shelf
        self.demonstrations = desk.demonstrations.of(owner)
        self.speaker = desk.speaker.of(owner, lambda: getattr(self.limits(), "questions", None))
        self.reading = ReadingDesk(desk.books, self.assistant)
        self.marks = MarksDesk(self.reading, desk.read_only)
        self.talking = TalkDesk(self.reading, self.speaker)

    def limits(self) -> Limits | None:
        """Return what an account may ask of the page; None where nothing bounds it."""
        return self.desk.accounts.limits(self.owner) if self.desk.accounts else None

    def check_tokens(self, tokens: int) -> None:
        """Raise BadInput for more tokens than the account may ask for at a time."""
        limits = self.limits()
        if limits and tokens > limits.tokens:
            raise BadInput(f"an account gets up to {limits.tokens} tokens at a time: ask for fewer")

    def _check_room(self, path: Path) -> None:
        """Raise BadInput where the file is a further book, and more than the account may have."""
        if not (limits := self.limits()):
            return
        size = path.stat().st_size
        mine = [entry for entry in self.shelf.entries() if self.owner in entry.holders]
        alike = [entry.content_hash for entry in mine if entry.source_bytes == size]
        if alike and file_hash(path).startswith(tuple(alike)):
            return  # added again to go on or to mend it, it is no further book
        used = sum(entry.source_bytes + entry.bank_bytes for entry in mine)
        if len(mine) >= limits.books:
            raise BadInput(f"an account has up to {limits.books} books on the shelf: delete one first")
        if used + size > limits.megabytes * 1e6:
            raise BadInput(
                f"an account has up to {limits.megabytes} MB on the shelf; yours has {used / 1e6:.0f}, this "
                f"file {size / 1e6:.0f}: delete a book first"
            )

    def own(self, identifier: str) -> Entry:
        """Return a document that is to be changed. Raises BadInput where another account put it there."""
        self.desk.changeable()
        entry = self.shelf.get(identifier)
        if not entry.belongs_to(self.owner):
            raise BadInput(f"“{entry.title}” was added by another account, which alone can change it")
        return entry

    def own_library(self, identifier: str) -> DemonstrationLibrary:
        """Return a demonstration library that is to be changed. Raises BadInput as `own` does."""
        self.desk.changeable()
        library = self.demonstrations.store.get(identifier)
        if not library.belongs_to(self.owner):
            raise BadInput(f"“{library.name}” was made by another account, which alone can change it")
        return library

    def add(self, path: Path, password: str = "", encoding: str = "", ocr: str = "") -> Entry:
        """Queue a file; a copy in the upload folder is deleted once the shelf has its own."""
        self.desk.changeable()
        with self.desk.adding:
            if path.is_file():
                self._check_room(path)
            entry, _ = self.assistant.enqueue(
                path, password=password or None, encoding=encoding or None, ocr=ocr or None
            )
        self.desk.wake()
        return entry

    def add_sample(self, kind: str = "epub") -> Entry:
        """Put a sample on the shelf: the novel ("epub"), the stories ("pdf") or the lighthouses ("md")."""
        samples = [one for one in sorted(SAMPLES.glob("*")) if one.suffix == f".{kind}"]
        if not samples:
            raise Failure("this copy of the program has no sample book in assets/samples")
        return self.add(samples[0])

    def act(self, action: str, job: int, password: str = "", encoding: str = "", ocr: str = "") -> None:
        """Pause, cancel or resume a job that this reader may change; the rest is for a text read again."""
        self.desk.changeable()
        jobs = self.shelf.jobs
        self._check_job(jobs.get(job))
        if action in ("resume", "recognise"):
            ocr = ocr or (AUTO if action == "recognise" else "")
            self.desk.assistant.library.resume(
                job, password=password or None, encoding=encoding or None, ocr=ocr or None
            )
            self.desk.wake()
        else:
            {"pause": jobs.pause, "cancel": jobs.cancel}[action](job)

    def _check_job(self, job: Job) -> None:
        """Check who may steer a job: that of a memory its owner; of what another labels there is none."""
        if self.owner and job.options.get("owner") == self.owner:
            self.desk.changeable()
        elif job.kind == ADD:
            self.own(job.document)
        elif job.kind == ENCODE:
            self.own_library(job.document)
        elif self.owner and job.kind.startswith(CLASSIFY):
            mine = {CLASSIFY + run.id for run in self.demonstrations.runs(job.document)}
            if job.kind not in mine:
                raise BadInput(f"there is no job {job.id}: its document was removed")

    def rename(self, identifier: str, title: str) -> Entry:
        """Give a document another title."""
        return self.shelf.rename(self.own(identifier).id, title)

    def remove(self, identifier: str, keep_marks: bool = False) -> tuple[str, int]:
        """Delete a document with its memory and talks; returns its title and the bytes freed.

        What another account holds as well goes from this one alone, and frees nothing.
        """
        self.desk.changeable()
        entry = self.shelf.get(identifier)
        if self.owner in entry.holders and len(entry.holders) > 1:
            leave(self.shelf, identifier, keep_marks)
            return entry.title, 0
        self.own(identifier)
        return entry.title, self.desk.assistant.library.remove(entry.id, keep_marks)

    def replace(self, former: str, edition: str) -> tuple[str, int]:
        """Put a document in the place of an older edition; returns its title and how many notes it took."""
        older = self.own(former)
        if len(older.holders) > 1:
            raise BadInput(
                f"another account keeps the older edition of “{older.title}” too: leave it instead, and your "
                "notes in it may stay"
            )
        found, _ = editions.replace(self.desk.assistant.library, older.id, self.own(edition).id)
        return self.shelf.get(edition).title, found

    def tag(self, identifier: str, tags: str) -> None:
        """Give a document a reader's tags."""
        self.desk.changeable()
        self.shelf.tag(self.shelf.get(identifier).id, tags)

    def renew(self, identifier: str) -> None:
        """Make the memory of a document anew, from the text that is there."""
        self.desk.assistant.library.renew(self.own(identifier).id)
        self.desk.wake()

    def cards(self, document: str = "") -> str:
        """Write the shelf as HTML."""
        entries = self.shelf.entries()
        faults = {entry.id: self.desk.assistant.library.fault(entry.id) for entry in entries}
        rows = [(entry, self.job_of(entry)) for entry in entries]
        fixed = {entry.id for entry in entries if self.desk.read_only or not entry.belongs_to(self.owner)}
        shared = {entry.id for entry in entries if self.owner in entry.holders and not self.desk.read_only}
        damaged = shelf_html.damaged((one.title, one.what) for one in self.desk.watch.found)
        model = self.desk.assistant.library.model
        is_bare = model.is_loaded and model.checkpoint is None
        advice = shelf_html.unadapted(model.backbone.name) if is_bare else ""
        return advice + damaged + shelf_html.cards(
            rows, document, self.desk.read_only, faults, fixed, shared, self._more(entries, fixed),
            self.desk.waiting(), {one.id for one in entries if self.shelf.paths.pictures(one.id).is_dir()},
        )  # fmt: skip

    def _more(self, entries: list[Entry], fixed: set[str]) -> dict[str, list[Html]]:
        """Return further buttons by the id of their book: tags, an older edition, notes that may stay."""
        marked = self.shelf.marks.books()
        mine = [entry for entry in entries if entry.id not in fixed and len(entry.holders) < 2]
        named: dict[tuple[str, str], list[Entry]] = {}
        for entry in mine:
            named.setdefault(_named(entry), []).append(entry)
        more = {entry.id: [] if self.desk.read_only else [shelf_html.tagging(entry)] for entry in entries}
        for entry in mine:
            older = [one for one in named[_named(entry)] if one.created < entry.created and entry.characters]
            more[entry.id] += [shelf_html.replacing(entry, older[0].id)] if older else []
        for entry in entries:
            is_shared = self.owner in entry.holders and len(entry.holders) > 1 and not self.desk.read_only
            if entry.id in marked and (is_shared or entry in mine):
                more[entry.id].append(shelf_html.keeping(entry, is_shared))
        return more

    def job_of(self, entry: Entry) -> Job | None:
        """Return the newest job of a document; of another account's, only how far the book is."""
        job = self.shelf.jobs.latest(entry.id)
        if job is None or entry.belongs_to(self.owner) or job.options.get("owner") == self.owner:
            return job
        return replace(job, id=0, message="", options={}, wish="", worker="", pid=None, host="")

    def restored(self, kept: dict | None) -> View:
        """Return the view a browser had before a refresh, as far as it still exists."""
        kept = kept if isinstance(kept, dict) else {}
        identifier, talk, bound = (str(kept.get(name) or "") for name in ("document", "talk", "bound"))
        bound = bound if bound in BOUNDS.values() else "book"
        answer = kept.get("answer") if isinstance(kept.get("answer"), int) else None
        # an address names a book and a place in it, whatever was open before
        if (led := ADDRESS.match(str(kept.get("address") or ""))) and led["book"] != identifier:
            identifier, talk = led["book"], ""
        view = View(identifier, talk=talk, bound=bound, answer=answer)
        entry = self.reading.entry(view)
        if entry is not None:
            view.line.at = int(led["at"]) if led else self.reading.left(entry)
        if entry is None or not self.shelf.is_stored(identifier):
            # a talk about all books needs none that is open
            view = replace(view, document="", line=Line()) if view.is_shelf else View()
        else:
            view = replace(view, last=self.reading.away_since(identifier))
        return self.talking.present(view)


def _named(entry: Entry) -> tuple[str, str]:
    """Return the words of a book's title and author: one edition has curly quotes, another straight ones."""
    title, author = (" ".join(one.word for one in words(text)) for text in (entry.title, entry.author))
    return title or entry.title, author

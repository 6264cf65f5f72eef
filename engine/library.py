"""Library: from a file to a searchable bank, and back from a name to what is open.

Knows the shelf, the backbone and the banks; the parser is put in from outside. Whatever is interrupted
goes on where it stopped: parsing is repeated, encoding resumes at its last complete segment.
"""

import os
import sys
import threading
import time
from collections import OrderedDict
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Unpack

import numpy as np

from engine import aside, backmatter
from engine.bank.bank import MemoryBank, delete_bank
from engine.bank.layout import BankIdentity, BankLayout, BankMismatch
from engine.bank.manifest import FILE, DamagedBank, Manifest
from engine.bank.store import Store
from engine.cast.kept import keep_cast
from engine.catalogue.keeper import Keeper
from engine.catalogue.vectors import book_vectors
from engine.errors import Failure
from engine.filling import bank_identity, bank_layout, encode_text
from engine.intake import How, Parser, Recogniser, options_of
from engine.locks import holding
from engine.making import shared
from engine.model import Model
from engine.paths import PROGRAM, Paths
from engine.retrieval.memory import SearchableBank, Stretch
from engine.room import require_room
from engine.shelf.entry import Entry
from engine.shelf.jobs import Job, Listener
from engine.shelf.report import Report, Stopped
from engine.sums import folder_bytes
from engine.texts import Texts
from ingest.document import Document
from ingest.errors import BadInput

CHARACTERS_PER_TOKEN = 5  # at most, for an estimate that refuses nothing which has room


def fault_words(error: Exception) -> str:
    """Say why a bank cannot be used, without advice."""
    if isinstance(error, BankMismatch):
        return f"it was made with another model or checkpoint (another {error.field.replace('_', ' ')})"
    return str(error).partition(f": {PROGRAM}")[0]


def is_outdated(error: Exception) -> bool:
    """Tell whether a bank was laid out by an older version: the same model makes it anew."""
    return isinstance(error, BankMismatch) and error.field in ("format", "state_block", "values")


class Library(Texts):
    """The documents of one data folder, their banks, and the model that made them."""

    def __init__(
        self,
        paths: Paths,
        parse: Parser,
        model: str | None = None,
        sidenet: str | Path | None = None,
        threads: int | None = None,
        recognise: Recogniser | None = None,
    ) -> None:
        self.store = Store.named(paths.fetched)
        super().__init__(paths, parse if self.store is None else shared(parse, self.store), recognise)
        # whether a damaged memory is made anew unasked; a page for reading only changes nothing
        self.renews = True
        self.model = Model(paths, model, Path(sidenet) if sidenet else None, threads)
        self.keeper = Keeper(self.shelf, lambda: self.model, self.bank, self.passages)
        self._banks: OrderedDict[str, tuple[float, SearchableBank]] = OrderedDict()
        self._faults: dict[str, str] = {}
        # reading a text waits for no bank, nor for the model, which has a lock of its own
        self._banks_lock = threading.RLock()

    # documents

    def add(
        self,
        path: Path,
        *,
        dtype: str | None = None,
        progress: Listener | None = None,
        **how: Unpack[How],
    ) -> Entry:
        """Put a file on the shelf, parse and encode it here and now; the same file again goes on or is there.

        dtype: "float16" or "int8" for the keys and values of its bank; None leaves what it has.
        Raises BadInput for a file that cannot be read (nothing stays on the shelf then), Busy or Failure when
        the work cannot be done.
        """
        entry, new = self.shelf.add(path)
        self.intake.check(entry, how)
        if dtype is not None:
            self.shelf.configure(entry.id, dtype=dtype)
            self._let_go(entry.id)
        if entry.state == "ready" and self.is_current(entry.id):
            return entry
        job = self.enqueue(entry.id, **how)
        try:
            job = self.shelf.jobs.run(job.id, self.work, listen=progress)
        except BadInput:
            if new:
                self.shelf.remove(entry.id)
            raise
        if job.state == "failed":
            raise Failure(f"{entry.source_name}: {job.message}")
        if job.state != "done":
            raise BadInput(f"{entry.source_name} was {job.state} from elsewhere; add it again to go on")
        return self.shelf.get(entry.id)

    def enqueue(self, identifier: str, **how: Unpack[How]) -> Job:
        """Queue the job that parses and encodes a document; see `add`."""
        self.intake.keep_password(identifier, how)
        job = self.shelf.jobs.add(identifier, **options_of(how))
        self.intake.tell(job, how)
        return self.shelf.jobs.resume(job.id) if job.state == "paused" else job

    def resume(self, job: int, **how: Unpack[How]) -> Job:
        """Queue a job again that was paused, cancelled or failed, to be read otherwise; see `add`."""
        found = self.shelf.jobs.get(job)
        self.intake.keep_password(found.document, how)
        self.intake.tell(found, how)
        return self.shelf.jobs.resume(job)

    def work(self, job: Job, report: Report) -> None:
        """Work on one job: parse, encode, publish. Every stage that is done already is left out."""
        began = time.monotonic()
        identifier = job.document
        document = self._parsed(job, report)
        vectors = self._taken_over(identifier, document)
        if not self.shelf.fulltext.has(identifier):
            self.index(identifier)
        aside.done(keep_cast, self.paths.document(identifier))
        tokens, size = self._encode(identifier, document, report)
        report("publish", 0, 1)
        if vectors is None:
            source = self._open_bank(identifier, document)
            vectors, size = book_vectors(source, self.passages(identifier)), source.bank.nbytes
            if self.store is not None:
                name, folder = self._back_matter(identifier, document), self.paths.document(identifier)
                backmatter.publish(self.store, name, folder, vectors)
        seconds = self.shelf.get(identifier).settings.get("seconds", 0.0) + time.monotonic() - began
        self.shelf.configure(identifier, seconds=round(seconds, 2))
        self.shelf.update(identifier, tokens=tokens, bank_bytes=size)
        self.keeper.enter(identifier, vectors)
        self._faults.pop(identifier, None)

    def read(self, job: Job, report: Report) -> None:
        """Do only the first of a job's work: from then on its book can be read and searched."""
        self._parsed(job, report)
        if not self.shelf.fulltext.has(job.document):
            self.index(job.document)
        raise Stopped("queued")

    def find(self, words: str) -> Entry:
        """Find the document that a person means, see `Texts.find`; a file that is not there is added."""
        # unlike those of pathlib, these take a name that is too long, or the home of nobody, for no file
        path = Path(os.path.expanduser(words))
        if os.path.isfile(path):
            with suppress(BadInput):
                return self.shelf.find(words)
            return self.add(path)
        return super().find(words)

    def remove(self, words: str, keep_marks: bool = False) -> int:
        """Delete a document and all that was made from it, see `Shelf.remove`; returns the bytes freed."""
        identifier = self.shelf.find(words).id
        self._let_go(identifier)
        freed = self.shelf.remove(identifier, keep_marks=keep_marks)
        self.keeper.drop(identifier)
        self._faults.pop(identifier, None)
        return freed

    def bank(self, identifier: str) -> SearchableBank:
        """Return the open bank of a document that is ready.

        Raises BadInput when it is still being encoded, or was made with another model (names the field).
        """
        entry = self.shelf.get(identifier)
        if entry.state != "ready":
            raise BadInput(
                f'"{entry.title}" is not encoded yet ({entry.state}); wait for it, or run: '
                f"{PROGRAM} add with its file to go on"
            )
        try:
            opened = self._opened(
                self._banks_lock, self._banks, identifier,
                lambda _: self._open_bank(identifier, self.document(identifier)),
            )  # fmt: skip
        except (BadInput, Failure) as error:
            self._faults[identifier] = fault_words(error)
            if not (self.renews and self._is_damage(identifier, error)):
                raise
            self.renew(identifier)
            raise Failure(
                f'the memory of "{entry.title}" was damaged and is being made anew, by the page or by '
                f"{PROGRAM} doctor --repair; until then the book can be read and searched"
            ) from error
        self._faults.pop(identifier, None)
        return opened

    def bank_folder(self, identifier: str) -> Path:
        """Return where the bank of a document lies: beside it, or where it was fetched to from the store."""
        own = self.paths.bank(identifier)
        if self.store is None or (own / FILE).exists():
            return own
        return self.store.fetched(*self._made_of(identifier, self.document(identifier))) or own

    def bank_here(self, identifier: str) -> Path | None:
        """Return where the bank of a document lies on this machine; None where only the store has it."""
        own = self.paths.bank(identifier)
        if self.store is None or (own / FILE).exists():
            return own
        made_of = self._made_of(identifier, self.document(identifier))
        return self.store.cached(*made_of) or (None if self.store.manifest(*made_of) else own)

    def ready_bank(self, identifier: str) -> SearchableBank | None:
        """Return the open bank of a document; None while it is being made, or where it cannot be opened."""
        try:
            return self.bank(identifier)
        except (BadInput, Failure):
            return None

    def stretch(self, identifier: str, start: int, end: int) -> Stretch:
        """Return the part of a document's memory that lies inside the characters [start, end)."""
        return Stretch.of_characters(self.bank(identifier), start, end)

    def is_current(self, identifier: str) -> bool:
        """Tell whether the bank of a document, here or in the store, fits the model in use."""
        try:
            if self._in_store(identifier, self.document(identifier)) is None:
                self.bank(identifier)
        except (BadInput, Failure):
            return False
        return True

    def fault(self, identifier: str) -> str:
        """Say why a document's bank could not be opened when last tried or inspected; '' where it could."""
        return self._faults.get(identifier, "")

    def inspect(self) -> None:
        """Compare the manifests of all banks that are ready with the model in use, for `fault` to tell."""
        for entry in self.shelf.entries():
            if entry.state != "ready":
                continue
            try:
                manifest = Manifest.read(self.paths.bank(entry.id))
                if manifest is None and self.store is not None:  # fetched when it is needed
                    continue
                if manifest is None:
                    raise Failure("its memory is gone from the disk")
                manifest.layout.require(self._layout(entry.id))
                made = replace(manifest.identity, content="")
                made.require(replace(bank_identity("", self.model.backbone), content=""))
            except (BadInput, Failure) as error:
                self._faults[entry.id] = fault_words(error)
                if self.renews and (is_outdated(error) or self._is_damage(entry.id, error)):
                    with suppress(Failure):
                        self.renew(entry.id)

    def renew(self, identifier: str) -> Job:
        """Delete the bank of a document and queue the job that makes it again from the text that is there.

        Raises Failure while a job works on the document.
        """
        title = self.shelf.get(identifier).title
        refusal = f'"{title}" is being worked on: wait until that is done'
        try:
            with holding(self.shelf.lock(identifier), 0, refusal):
                self._let_go(identifier)
                delete_bank(self.bank_here(identifier) or self.paths.bank(identifier))
        except OSError as error:
            raise Failure(f'the memory of "{title}" cannot be made anew now: {error.strerror}') from error
        self._faults.pop(identifier, None)
        return self.enqueue(identifier)

    # inside

    def _layout(self, identifier: str) -> BankLayout:
        """Return how the bank of a document is laid out for the model in use."""
        dtype = self.shelf.get(identifier).settings.get("dtype")
        return bank_layout(self.model.sidenet.config, dtype, states=True)

    def _made_of(self, identifier: str, document: Document) -> tuple[BankIdentity, BankLayout]:
        return bank_identity(document.text, self.model.backbone), self._layout(identifier)

    def _in_store(self, identifier: str, document: Document) -> Manifest | None:
        """Return what the store tells of a document's bank; None where there is one here, or none."""
        if self.store is None or (self.paths.bank(identifier) / FILE).exists():
            return None
        return self.store.manifest(*self._made_of(identifier, document))

    def _taken_over(self, identifier: str, document: Document) -> np.ndarray | None:
        """Take over the index and cast that a worker made; returns its vectors, None where none made them."""
        if self.store is None:
            return None
        name = self._back_matter(identifier, document)
        return backmatter.take_over(self.store, name, self.paths.document(identifier))

    def _back_matter(self, identifier: str, document: Document) -> str:
        made_of = self._made_of(identifier, document)
        return backmatter.name_of(document, *made_of, self.model.sidenet.search)

    def _let_go(self, identifier: str) -> None:
        """Forget the bank of a document that is about to change or go; an answer under way keeps its own."""
        with self._banks_lock:
            opened = self._banks.pop(identifier, None)
        if opened is not None and sys.platform == "win32":  # where an open file cannot be deleted
            opened[1].bank.close()

    def _parsed(self, job: Job, report: Report) -> Document:
        if not self.shelf.is_stored(job.document):
            self.keep(job.document, self.intake.read_for(job, report))
        report("parse", 1, 1)
        return self.document(job.document)

    def _is_damage(self, identifier: str, error: Exception) -> bool:
        """Say whether a bank is lost or not what was written, rather than made for another model."""
        of_another_text = isinstance(error, BankMismatch) and error.field == "content"
        lost = self.store is None and not (self.paths.bank(identifier) / FILE).exists()
        return lost or of_another_text or isinstance(error, DamagedBank)

    def _encode(self, identifier: str, document: Document, report: Report) -> tuple[int, int]:
        """Fill the bank of a document, where it is not in the store; returns its tokens and bytes."""
        folder, layout = self.paths.bank(identifier), self._layout(identifier)
        if (shared := self._in_store(identifier, document)) is not None:
            return shared.counts.tokens, shared.nbytes
        needed = len(document.text) / CHARACTERS_PER_TOKEN * layout.bytes_per_token - folder_bytes(folder)
        require_room(self.paths.home, max(0, needed), f'the memory of "{document.title}"')

        def fill() -> int:
            return encode_text(document.text, folder, self.model.backbone, layout, partial(report, "encode"))

        try:
            tokens = fill()
        except (BankMismatch, DamagedBank):
            # made with another model or checkpoint, or spoilt: what it holds serves nobody now
            self._let_go(identifier)
            delete_bank(folder)
            tokens = fill()
        if self.store is not None:
            self.store.publish(folder)
        return tokens, folder_bytes(folder)

    def _open_bank(self, identifier: str, document: Document) -> SearchableBank:
        bank = MemoryBank.open(self.bank_folder(identifier), *self._made_of(identifier, document))
        return SearchableBank(bank, self.model.sidenet, identifier)

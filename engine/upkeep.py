"""Upkeep: read everything on the shelf against its sums, and mend what is not as it was written.

A text is parsed anew from the file that was kept, an index made from the text, a memory encoded anew; talks
and marks stay. A file that is damaged itself can only be added again.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from engine.bank.bank import MemoryBank, delete_bank
from engine.bank.derived import stored_keys
from engine.errors import Failure
from engine.filling import text_hash
from engine.library import Library
from engine.paths import PROGRAM
from engine.shelf.entry import Entry
from engine.shelf.jobs import ADD
from ingest.errors import BadInput


@dataclass(frozen=True)
class Fault:
    """Something that is not as it was written. mend: puts it right, where this program can; says how."""

    title: str
    what: str
    mend: Callable[[], str] | None = None


def faults(library: Library, rest: Callable[[], None] = lambda: None) -> Iterator[Fault]:
    """Read all files, texts, indexes and memories; a million tokens take some seconds. Needs no model.

    rest: called before each of them; what it raises ends the reading.
    """
    for entry in library.shelf.entries():
        rest()
        yield from _faults_of_book(library, entry)
    kept = [(library.paths.talks, "memory of a talk"), (library.paths.demonstrations, "memory of examples")]
    for home, name in kept:
        for folder in sorted(home.glob("[!.]*/bank")):
            rest()
            for what in _faults_of_bank(folder):
                yield Fault(name, what, partial(_discarded, folder))


def finish(library: Library) -> Iterator[tuple[Entry, Failure | BadInput | None]]:
    """Do here and now what is queued for books; yields each with what went wrong, None where nothing did."""
    for job in library.shelf.jobs.all(kind=ADD, unfinished=True):
        if job.state == "paused":
            continue
        error = None
        try:
            library.shelf.jobs.run(job.id, library.work)
        except (BadInput, Failure) as raised:
            error = raised
        yield library.shelf.get(job.document), error


def _faults_of_book(library: Library, entry: Entry) -> Iterator[Fault]:
    shelf, title = library.shelf, entry.title
    try:
        shelf.check_source(entry.id)
    except Failure as error:
        yield Fault(title, str(error))
    if not entry.characters and not shelf.is_stored(entry.id):  # not parsed yet
        return
    try:
        text = shelf.document(entry.id).text
    except Failure as error:
        yield Fault(title, _short(error), lambda: _read_anew(library, entry.id))
        return
    if not shelf.fulltext.is_whole(entry.id):
        yield Fault(title, "its full-text index is lost or damaged", lambda: _indexed(library, entry.id))
    # what the store alone has is checked by its sums when it is fetched
    if entry.state == "ready" and (folder := library.bank_here(entry.id)) is not None:
        for what in _faults_of_bank(folder, text):
            yield Fault(title, what, lambda: _renewed(library, entry.id))


def _faults_of_bank(folder: Path, text: str | None = None) -> Iterator[str]:
    """Yield what is wrong with a bank that only writing it anew mends; its derived keys are not looked at."""
    try:
        bank = MemoryBank.open(folder)
        bank.verify()
    except (BadInput, Failure) as error:
        yield _short(error)
        return
    if text is not None and bank.identity.content != text_hash(text):
        yield "its memory is of another text"


def _read_anew(library: Library, identifier: str) -> str:
    library.document(identifier)
    return "its text was read anew from its file"


def _indexed(library: Library, identifier: str) -> str:
    library.index(identifier)
    return "its index was made anew"


def _renewed(library: Library, identifier: str) -> str:
    if _keys_only(library.bank_folder(identifier)):
        return "its search keys are made anew when they are needed"
    library.renew(identifier)
    return "its memory is made anew"


def _discarded(folder: Path) -> str:
    if not _keys_only(folder):
        delete_bank(folder)
    return "it is made anew when it is needed"


def _keys_only(folder: Path) -> bool:
    """Delete derived keys that are damaged; says whether that was all."""
    for keys in stored_keys(folder):
        try:
            keys.verify()
        except Failure:
            keys.record.unlink(missing_ok=True)
            keys.data.unlink(missing_ok=True)
    return not list(_faults_of_bank(folder))


def _short(error: Exception) -> str:
    return str(error).partition(f": {PROGRAM}")[0].partition(": add its file")[0].partition(": delete")[0]

"""Shelf: the documents of one data folder, safe to use from several threads and processes at once.

A document is known by the hash of its file, so the same file is on the shelf once, whatever its name. Its
folder moves in and out of place by a rename inside the transaction that writes its row: whoever sees the row
sees the files. What a crash leaves behind is either finished or undone by `sweep`.
"""

import contextlib
import hashlib
import json
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from copy import copy
from pathlib import Path
from typing import Any

from engine.errors import Failure
from engine.locks import FileLock, document_lock, holding
from engine.marks.marks import Marks
from engine.paths import Paths
from engine.room import give_up_reserve, keep_reserve, require_room
from engine.shelf.connections import Connections, Unwritable
from engine.shelf.entry import Entry, Extent
from engine.shelf.fulltext import FullText
from engine.shelf.holders import joined
from engine.shelf.identifiers import LENGTH, checked, short_id
from engine.shelf.jobs import Jobs
from engine.shelf.leftovers import INCOMING, Leftovers, Moves, keep_graves, moving, set_aside
from engine.shelf.rebuilding import write_note
from engine.shelf.talks import Talks
from engine.shelf.titles import folded, one_line, tag_names
from engine.sums import file_hash, folder_bytes
from engine.whole import write_whole
from ingest.document import Document
from ingest.errors import BadInput

STATES = ("waiting", "parsing", "encoding", "paused", "ready", "failed")
SHORTEST_ID_START = 3
COPY_BYTES = 1 << 20
CHANGEABLE = ("author", "language", "format", "characters", "tokens", "bank_bytes", "state")


class DamagedText(Failure):
    """document.json is not what was written: it has to be parsed again from the source."""

    def __init__(self, title: str, what: str) -> None:
        super().__init__(f'the text of "{title}" is damaged ({what}): add its file again to read it anew')


class Shelf:
    """All documents of one data folder, as one reader sees them; `jobs`, `talks`, `marks`, `fulltext` too.

    owner: the reader's account, '' without accounts, whose talks, marks, tags and places in books these are.
    """

    def __init__(self, paths: Paths, owner: str = ""):
        self.paths, self.owner = paths, owner
        self.connections = Connections(paths.database, paths.locks, lambda: keep_graves(paths))
        self.jobs = Jobs(self.connections, paths.locks)
        self.talks = Talks(self.connections, paths.talks, owner)
        self.marks = Marks(self.connections, owner)
        self.fulltext = FullText(paths)

    def of(self, owner: str) -> "Shelf":
        """Return the same shelf as another reader sees it."""
        theirs = copy(self)
        theirs.owner = owner
        theirs.talks = Talks(self.connections, self.paths.talks, owner)
        theirs.marks = Marks(self.connections, owner)
        return theirs

    def close(self) -> None:
        """Close every connection of this shelf; using it again opens new ones."""
        self.connections.close()

    # the documents

    def add(self, source: Path, name: str | None = None) -> tuple[Entry, bool]:
        """Copy a file in. Returns its entry and whether it is new; the same content again is the old entry.

        `name` is what the user calls the file (default: the name of `source`); it is never used on disk.
        The reader gets a place of its own, see `engine.shelf.holders`. Raises BadInput when there is no such
        file, Failure when it cannot be copied.
        """
        source = Path(source)
        if not os.path.isfile(source):  # which, unlike pathlib's, takes a name that is too long for no file
            there = os.path.exists(source)
            what = (
                "a folder, or no file that can be read: give a file"
                if there
                else "there is no such file: check the name"
            )
            raise BadInput(f"{one_line(str(source))}: {what}")
        name = one_line(name or source.name) or "untitled"
        file_name = "source" + _safe_suffix(name)
        incoming = self.paths.documents / f"{INCOMING}{secrets.token_hex(8)}"
        require_room(self.paths.documents, source.stat().st_size, name)
        try:
            incoming.mkdir(parents=True)
            digest, size = _copy_and_hash(source, incoming / file_name)
            entered = self._enter(incoming, digest, size, name, file_name)
            keep_reserve(self.paths.reserve)
            return entered
        except OSError as error:
            raise Failure(
                f"{name} cannot be copied to the shelf in {self.paths.home}: {error.strerror or error}"
            ) from error
        finally:
            shutil.rmtree(incoming, ignore_errors=True)

    def get(self, identifier: str) -> Entry:
        """Return the document with exactly this id. Raises BadInput."""
        for entry in self._select("WHERE documents.id = :id", {"id": identifier}):
            return entry
        raise BadInput(f"there is no document {one_line(identifier, 40)} on the shelf")

    def entries(self) -> list[Entry]:
        """List all documents, the one this reader opened last (or added last) first."""
        order = "ORDER BY max(coalesce(readings.opened, 0), documents.created) DESC, documents.rowid DESC"
        return list(self._select(order, {}))

    def ready(self) -> dict[str, Extent]:
        """Return the extents of all documents that are ready, by id: a tenth of the work of `entries`."""
        sql = "SELECT id, created, characters, tokens FROM documents WHERE state = 'ready'"
        return {identifier: Extent(*extent) for identifier, *extent in self.connections.db.execute(sql)}

    def find(self, words: str) -> Entry:
        """Find the document that a person means: id, title or file name, start of an id, part of a title.

        Raises BadInput that names the candidates when there are several, or says that there is none.
        """
        wanted = folded(words)
        if not wanted:
            raise BadInput("name a document: its id, the start of it, or its title")
        entries = self.entries()
        for matches in (
            [entry for entry in entries if entry.id == wanted],
            [entry for entry in entries if wanted in (folded(entry.title), folded(entry.source_name))],
            [entry for entry in entries if len(wanted) >= SHORTEST_ID_START and entry.id.startswith(wanted)],
            [entry for entry in entries if wanted in folded(entry.title)],
        ):
            if len(matches) == 1:
                return matches[0]
            if matches:
                raise BadInput(f'"{one_line(words, 60)}" may be {_names(matches)}: give the id')
        shown = f"; there is {_names(entries)}" if entries else ": it is empty"
        raise BadInput(f'no document "{one_line(words, 60)}" on the shelf{shown}')

    def update(self, identifier: str, **values: str | int) -> Entry:
        """Set columns out of `CHANGEABLE`. Raises BadInput when the document is gone."""
        unknown = set(values) - set(CHANGEABLE)
        if unknown or values.get("state", STATES[0]) not in STATES:
            raise ValueError(f"cannot set {sorted(unknown) or values['state']}")
        with self.connections.writing() as db:
            self.get(identifier)
            db.table("documents").update(identifier, values)
        return self.get(identifier)

    def rename(self, identifier: str, title: str) -> Entry:
        """Give a document a title of one's own; parsing it again leaves that title alone."""
        title = one_line(title)
        if not title:
            raise BadInput("a document needs a title")
        with self.connections.writing() as db:
            self.get(identifier)
            db.table("documents").update(identifier, {"title": title, "renamed": 1})
            self.note_down(identifier)
        return self.get(identifier)

    def configure(self, identifier: str, **settings: Any) -> Entry:
        """Merge settings (JSON values) into the document's; None removes one."""
        with self.connections.writing():
            entry = self.get(identifier)
            merged = {key: value for key, value in (entry.settings | settings).items() if value is not None}
            self.set_settings(identifier, merged)
        return self.get(identifier)

    def read_to(self, identifier: str, position: int) -> Entry:
        """Remember how far a reader has read: all characters before `position`."""
        self._note(identifier, "position", max(0, int(position)))
        return self.get(identifier)

    def left_at(self, identifier: str, place: int) -> None:
        """Remember the line at which a reader looks, as the character that it begins with."""
        self._note(identifier, "place", max(0, int(place)))

    def opened(self, identifier: str) -> Entry:
        """Remember that a reader opened the document now."""
        self._note(identifier, "opened", time.time())
        return self.get(identifier)

    def tag(self, identifier: str, tags: str) -> Entry:
        """Give the document a reader's tags, parted by commas, for those it has; '' takes all away."""
        self._note(identifier, "tags", json.dumps(tag_names(tags)))
        return self.get(identifier)

    def remove(self, identifier: str, timeout: float = 30.0, keep_marks: bool = False) -> int:
        """Delete the document and all that was made from it (bank, full text, talks). Returns bytes freed.

        keep_marks: readers' marks stay, and are found again in the book should it come back.

        A job that works on it is told to stop, and waited for. Raises Failure when it does not within
        `timeout` seconds, BadInput when there is no such document.
        """
        title, lock = self.get(identifier).title, self.lock(identifier)
        for _ in range(2):
            try:
                return self._remove(identifier, title, lock, timeout, keep_marks)
            except Unwritable as error:
                if not error.full:
                    raise
                give_up_reserve(self.paths.reserve)
        # the rows can only go once the files have made room for that
        with holding(lock, timeout, f'"{title}" is being worked on by process {lock.holder()}: end that'):
            freed = folder_bytes(self._folder(identifier))
            shutil.rmtree(self._folder(identifier))
        return freed + self._remove(identifier, title, lock, timeout, keep_marks)

    def _remove(self, identifier: str, title: str, lock: FileLock, timeout: float, keep_marks: bool) -> int:
        refusal = (
            f'"{title}" is being worked on by process {lock.holder()}: pause or stop that, then remove it'
        )
        self.jobs.cancel_all(identifier)
        with holding(lock, timeout, refusal):
            gone = self._delete_rows(identifier, keep_marks)
            freed = sum(map(folder_bytes, gone.graves))
            gone.empty()
            lock.release(delete=True)
        self.connections.forget_deleted()
        keep_reserve(self.paths.reserve)
        return freed

    def sweep(self) -> None:
        """Finish or undo what a crash left in the data folder; to be called at every start."""
        with contextlib.suppress(Unwritable):
            Leftovers(self.paths, self.connections, self.jobs).sweep()

    # their files

    def lock(self, identifier: str) -> FileLock:
        """Return the lock to hold while changing a document's files."""
        return document_lock(self.paths.locks, checked(identifier))

    def source(self, identifier: str) -> Path:
        """Return our copy of the file. Raises Failure when it is gone."""
        path = self._folder(identifier) / self.get(identifier).source_file
        if not path.is_file():
            raise Failure(f"the file of document {identifier} is gone from the shelf: add it again")
        return path

    def check_source(self, identifier: str) -> None:
        """Compare our copy of the file with its hash. Raises Failure when it is gone or damaged."""
        entry = self.get(identifier)
        if not file_hash(self.source(identifier)).startswith(entry.content_hash):
            raise Failure(f'the file of "{entry.title}" is damaged on the shelf: add it again')

    def store(self, identifier: str, document: Document) -> Entry:
        """Write document.json (in one piece) and take over title, author, language, format and length."""
        self.get(identifier)
        path, text = self.paths.parsed(checked(identifier)), document.to_json()
        try:
            write_whole(path, text)
        except OSError as error:
            raise Failure(f"{path.name} cannot be written: {error.strerror or error}") from error
        with self.connections.writing() as db:
            self.get(identifier)
            db.execute(
                "UPDATE documents SET title = CASE WHEN renamed OR ? = '' THEN title ELSE ? END,"
                " author = ?, language = ?, format = ?, characters = ?, text_sum = ? WHERE id = ?",
                [one_line(document.title)] * 2
                + [one_line(document.author), one_line(document.language, 40), document.format]
                + [len(document.text), _text_sum(text), identifier],
            )
        return self.get(identifier)

    def is_stored(self, identifier: str) -> bool:
        """Tell whether the document was parsed: `document` can read it."""
        return self.paths.parsed(checked(identifier)).is_file()

    def document(self, identifier: str) -> Document:
        """Read document.json. Raises Failure when the document has not been parsed yet, or DamagedText."""
        path, title = self.paths.parsed(checked(identifier)), self.get(identifier).title
        sql = "SELECT text_sum FROM documents WHERE id = ?"
        known = self.connections.db.execute(sql, [identifier]).fetchone()
        try:
            text = path.read_text(encoding="utf-8", errors="surrogatepass")
            if known and known[0] not in ("", _text_sum(text)):
                raise DamagedText(title, "it is not what was written")
            return Document.from_json(text)
        except FileNotFoundError:
            if known and known[0]:
                raise DamagedText(title, "it is gone") from None
            raise Failure(f'"{title}" has not been parsed yet: add it again') from None
        except (OSError, UnicodeDecodeError, BadInput) as error:
            raise DamagedText(title, str(error).partition(":")[0]) from error

    # inside

    def _select(self, rest: str, values: dict[str, Any]) -> Iterator[Entry]:
        # fetched at once: an unfinished query would pin the write-ahead log
        rows = list(
            self.connections.db.query(
                "SELECT documents.*, coalesce(readings.position, 0) AS position, readings.opened AS opened,"
                " coalesce(readings.tags, '[]') AS tags, place FROM documents LEFT JOIN readings"
                f" ON readings.document = documents.id AND readings.owner = :owner {rest}",
                values | {"owner": self.owner},
            )
        )
        for row in rows:
            del row["renamed"], row["text_sum"]
            parsed = {"settings": json.loads(row["settings"]), "tags": tuple(json.loads(row["tags"]))}
            yield Entry(**row | parsed)

    def _note(self, identifier: str, column: str, value: float | str) -> None:
        # where nothing can be written, a book can be read all the same
        with contextlib.suppress(Unwritable), self.connections.writing() as db:
            self.get(identifier)
            db.table("readings").upsert(
                {"document": identifier, "owner": self.owner, column: value}, pk=("document", "owner")
            )

    def _enter(self, incoming: Path, digest: str, size: int, name: str, file_name: str) -> tuple[Entry, bool]:
        """Give what was copied its row and its folder; without its row it was not added."""
        with moving(self.connections) as moves:
            db = moves.db
            # of a book whose file was lost, the first letters of the hash may be all that is known
            known = db.execute(
                "SELECT id, source_file FROM documents WHERE content_hash IN (?, ?)",
                [digest, digest[:LENGTH]],
            )
            for identifier, old_name in known.fetchall():
                self._restore_source(incoming / file_name, self._folder(identifier) / old_name, digest)
                self.set_settings(identifier, joined(self.get(identifier).settings, self.owner))
                return self.get(identifier), False
            documents = db.table("documents")
            identifier = short_id(digest, lambda start: documents.count_where("id = ?", [start]) > 0)
            folder = self._folder(identifier)
            row = {
                "id": identifier,
                "content_hash": digest,
                "title": one_line(Path(name).stem) or name,
                "source_name": name,
                "source_file": file_name,
                "source_bytes": size,
                "created": time.time(),
                "settings": json.dumps({"owner": self.owner} if self.owner else {}),
            }
            if folder.exists():  # no row owns it, and it could not be put back on the shelf
                set_aside(self.paths, folder)
            write_note(incoming, row)
            moves.move(incoming, folder)
            documents.insert(row)
        return self.get(identifier), True

    @staticmethod
    def _restore_source(copy: Path, place: Path, digest: str) -> None:
        if not place.exists() or file_hash(place) != digest:
            place.parent.mkdir(parents=True, exist_ok=True)
            copy.replace(place)

    def _folder(self, identifier: str) -> Path:
        return self.paths.document(checked(identifier))

    def set_settings(self, identifier: str, settings: dict[str, Any]) -> None:
        """Write all settings of a document, in its row and its note."""
        with self.connections.writing() as db:
            db.table("documents").update(identifier, {"settings": json.dumps(settings)})
            self.note_down(identifier)

    def note_down(self, identifier: str) -> None:
        """Write the note beside a document's files, see `engine.shelf.rebuilding`."""
        for row in self.connections.db.query("SELECT * FROM documents WHERE id = ?", [identifier]):
            write_note(self._folder(identifier), row)

    def _delete_rows(self, identifier: str, keep_marks: bool) -> Moves:
        """Delete the rows; returns the graves of the document and of the talks that went with it."""
        with moving(self.connections) as gone:
            db = gone.db
            self.get(identifier)
            talks = [row["id"] for row in db.table("talks").rows_where("document = ?", [identifier])]
            if keep_marks:
                db.execute("UPDATE marks SET document = NULL WHERE document = ?", [identifier])
            db.table("documents").delete(identifier)
            try:
                for folder in (self._folder(identifier), *(self.paths.talks / talk for talk in talks)):
                    gone.bury(folder)
            except OSError as error:
                raise Failure(
                    f"the files of document {identifier} are in use ({error.strerror}): close them"
                ) from error
        return gone


def _names(entries: list[Entry]) -> str:
    shown = [f'"{one_line(entry.title, 60)}" ({entry.id})' for entry in entries[:5]]
    more = [f"{len(entries) - 5} more"] if len(entries) > 5 else []
    return " or ".join(shown + more)


def _text_sum(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _safe_suffix(name: str) -> str:
    suffix = Path(name).suffix.lower()
    return suffix if re.fullmatch(r"\.[a-z0-9]{1,8}", suffix) else ""


def _copy_and_hash(source: Path, target: Path) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    with source.open("rb") as reader, target.open("xb") as writer:
        while block := reader.read(COPY_BYTES):
            digest.update(block)
            writer.write(block)
            size += len(block)
        writer.flush()
        os.fsync(writer.fileno())
    return digest.hexdigest(), size

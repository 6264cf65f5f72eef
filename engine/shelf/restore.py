"""Restoring a backup: what is missing comes back, what is on the shelf stays as it is.

A backup is hostile until it was looked at: its names, sizes, schema, rows and texts, all before anything on
the shelf changes. Then its rows and folders go in together, in one transaction.
"""

import contextlib
import json
import secrets
import shutil
import sqlite3
import stat
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.errors import Failure
from engine.paths import TEXT, Paths
from engine.room import require_room
from engine.shelf.backup import ABOUT, DATABASE, FILES, FOLDERS, FORMAT, MEMORY
from engine.shelf.leftovers import RESTORING
from engine.shelf.migrations import MIGRATIONS, migrate, version
from engine.shelf.rebuilding import read_text, rebuilt_row
from engine.shelf.repair import fault
from engine.shelf.rows import TABLES, Columns, Row
from engine.shelf.shelf import Shelf
from engine.shelf.sqlite import sqlite_utils
from engine.sums import file_hash
from ingest.errors import BadInput


@dataclass
class Restored:
    """How many came back, and how many were there already and stay as they are."""

    books: int = 0
    talks: int = 0
    libraries: int = 0
    kept: dict[str, int] = field(default_factory=lambda: dict.fromkeys(FOLDERS, 0))


def restore(paths: Paths, source: Path) -> Restored:
    """Bring back what the backup `source` holds and the shelf has not.

    Raises BadInput, with nothing changed, for a file that is no whole backup; Failure where the disk refuses.
    """
    staging = paths.home / f"{RESTORING}{secrets.token_hex(8)}"
    try:
        with zipfile.ZipFile(source) as archive:
            _check(archive, source)
            require_room(paths.home, source.stat().st_size, "restoring")
            _unpack(archive, staging)
        return _merge(paths, staging, _rows(staging))
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError) as error:
        if isinstance(error, Failure):
            raise
        raise _refusal(source.name, f"it is cut short or damaged ({error})") from error
    except (Unsound, sqlite3.DatabaseError) as error:
        raise _refusal(source.name, str(error)) from error
    except OSError as error:
        raise Failure(f"{source} cannot be restored: {error.strerror or error}") from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)


class Unsound(Exception):
    """Something in a backup is not what this program writes."""


def _refusal(name: str, why: str) -> BadInput:
    return BadInput(
        f"{name} is no whole backup of this program: {why}; nothing was changed, take another copy"
    )


def _check(archive: zipfile.ZipFile, source: Path) -> None:
    """Refuse names that lead elsewhere, what is no plain file, and what would unpack to more than it is."""
    members = archive.infolist()
    names = {member.filename for member in members}
    if len(names) != len(members) or not {ABOUT, DATABASE} <= names:
        raise Unsound("parts are missing or there twice")
    for member in members:
        if member.filename not in (ABOUT, DATABASE) and not FILES.fullmatch(member.filename):
            raise Unsound("it holds a name that no backup has")
        kind = stat.S_IFMT(member.external_attr >> 16)
        if (
            member.compress_type != zipfile.ZIP_STORED
            or member.flag_bits & 1
            or kind not in (0, stat.S_IFREG)
        ):
            raise Unsound("it holds something that is no plain file")
    if sum(member.file_size for member in members) > source.stat().st_size:
        raise Unsound("it says that it is larger than it is")
    try:
        found = json.loads(archive.read(ABOUT))["format"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise Unsound(f"{ABOUT} cannot be read") from error
    if found != FORMAT:
        raise BadInput(
            f"{source.name} was made by another version of this program (format {found!s:.20}, this one reads"
            f" {FORMAT}): update the program"
        )


def _unpack(archive: zipfile.ZipFile, staging: Path) -> None:
    for member in archive.infolist():
        target = staging / member.filename
        target.parent.mkdir(parents=True, exist_ok=True)
        with archive.open(member) as content, target.open("xb") as file:
            shutil.copyfileobj(content, file, 1 << 20)  # which checks the sum at its end


def _rows(staging: Path) -> dict[str, list[Row]]:
    """Read all rows of a backup by table, in this program's form; each is sound, its files as they were."""
    path = staging / DATABASE
    if wrong := fault(path):
        raise Unsound(f"{DATABASE} is damaged ({wrong})")
    with contextlib.closing(sqlite_utils.Database(path, execute_plugins=False)) as db:
        if _schema(db) != _schema_of(version(db)):
            raise Unsound(f"the tables of {DATABASE} are not a shelf's")
        if db.execute("PRAGMA foreign_key_check").fetchone():
            raise Unsound(f"rows of {DATABASE} belong to nothing")
        migrate(db)
        columns, rows = Columns(db), {table: list(db.table(table).rows) for table in TABLES}
    for table in TABLES:
        if not all(columns.sound(table, row) for row in rows[table]):
            raise Unsound(f"a row among its {table} is not sound")
    for row in rows["documents"]:
        _check_book(staging / FOLDERS["documents"] / row["id"], row)
    return rows


def _schema(db: sqlite_utils.Database) -> list[tuple]:
    return db.execute("SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY type, name").fetchall()


def _schema_of(format: int) -> list[tuple]:
    if not 0 < format <= len(MIGRATIONS):
        raise Unsound(f"{DATABASE} has a format that this version does not know")
    with contextlib.closing(sqlite_utils.Database(memory=True)) as made:
        migrate(made, upto=format)
        return _schema(made)


def _check_book(folder: Path, row: Row) -> None:
    """Compare a book's file with its hash; a text that is not as it was written is parsed anew later on."""
    source = folder / row["source_file"]
    if not row["content_hash"].startswith(row["id"]):
        raise Unsound("a book is not the one it is said to be")
    if source.exists() and not file_hash(source).startswith(row["content_hash"]):
        raise Unsound(f'the file of "{row["title"]}" is damaged')
    text = folder / TEXT
    if text.exists() and (row["text_sum"] not in ("", file_hash(text)) or read_text(folder) is None):
        text.unlink()
    if not source.exists() and not text.exists():
        raise Unsound(f'neither file nor text of "{row["title"]}" is there')


def _merge(paths: Paths, staging: Path, rows: dict[str, list[Row]]) -> Restored:
    shelf, restored = Shelf(paths), Restored()
    with contextlib.closing(shelf):
        shelf.sweep()
        merge = _Merge(shelf, staging, rows, restored)
        with shelf.connections.writing() as db:
            merge.books(db)
            merge.marks(db)
            merge.talks(db)
            merge.libraries(db)
    return restored


@dataclass
class _Merge:
    """Takes rows and folders that the shelf has not; inside one transaction."""

    shelf: Shelf
    staging: Path
    rows: dict[str, list[Row]]
    restored: Restored

    def books(self, db: sqlite_utils.Database) -> None:
        known = {row["id"]: row["content_hash"] for row in db.query("SELECT id, content_hash FROM documents")}
        for row in self.rows["documents"]:
            identifier = row["id"]
            if identifier not in known and row["content_hash"] not in known.values():
                self._fill("documents", identifier)
                db.table("documents").insert(row)
                self._queue(db, identifier)
                self.shelf.note_down(identifier)
                self.restored.books += 1
                continue
            self.restored.kept["documents"] += 1
            if known.get(identifier) == row["content_hash"]:
                self._fill("documents", identifier)
        held = {row["id"] for row in db.query("SELECT id FROM documents")}
        for row in self.rows["readings"]:
            if row["document"] in held:
                db.table("readings").insert(row, ignore=True)

    def marks(self, db: sqlite_utils.Database) -> None:
        held = {row["id"] for row in db.query("SELECT id FROM documents")}
        for row in self.rows["marks"]:
            book = row["book"] if row["book"] in held else None
            db.table("marks").insert(row | {"document": book}, ignore=True)

    def talks(self, db: sqlite_utils.Database) -> None:
        known = {row["id"]: row["changed"] for row in db.query("SELECT id, changed FROM talks")}
        held = {None, *(row["id"] for row in db.query("SELECT id FROM documents"))}
        for row in filter(lambda row: row["document"] in held, self.rows["talks"]):
            said = [message for message in self.rows["messages"] if message["talk"] == row["id"]]
            said.sort(key=lambda message: message["position"])
            if row["id"] not in known:
                self._fill("talks", row["id"])
                db.table("talks").insert(row)
                self.restored.talks += 1
            elif known[row["id"]] <= row["changed"] and self._goes_on(db, row["id"], said):
                db.table("talks").update(row["id"], {"changed": row["changed"]})
            else:
                self.restored.kept["talks"] += 1
                continue
            self._say(db, row["id"], said)

    def libraries(self, db: sqlite_utils.Database) -> None:
        known = {row["id"] for row in db.query("SELECT id FROM libraries")}
        names = {(row["owner"], row["name"]) for row in db.query("SELECT owner, name FROM libraries")}
        for row in self.rows["libraries"]:
            if row["id"] in known:
                self.restored.kept["libraries"] += 1
                continue
            taken = (row["owner"], row["name"]) in names
            db.table("libraries").insert(row | ({"name": f"{row['name']} (restored)"} if taken else {}))
            self._take_examples(db, row["id"])
            self._fill("libraries", row["id"])
            for job in self.rows["jobs"]:
                if job["document"] == row["id"]:
                    state = "queued" if job["state"] == "running" else job["state"]
                    db.table("jobs").insert(_without_id(job) | {"state": state, "wish": ""})
            self.restored.libraries += 1

    def _fill(self, table: str, identifier: str) -> None:
        """Move what a folder of the shelf has not; a memory whole or not at all."""
        source = self.staging / FOLDERS[table] / identifier
        target = self.shelf.paths.home / FOLDERS[table] / identifier
        held = {"source" if one.stem == "source" else one.name for one in target.glob("*")}
        for part in sorted(source.glob("*")):
            if ("source" if part.stem == "source" else part.name) not in held:
                target.mkdir(parents=True, exist_ok=True)
                part.rename(target / part.name)

    def _queue(self, db: sqlite_utils.Database, identifier: str) -> None:
        """Queue what is still to be made of a book, in the encoding that was named for it."""
        rebuilt = rebuilt_row(self.shelf.paths.document(identifier))
        options = [json.loads(job["options"]) for job in self.rows["jobs"] if job["document"] == identifier]
        named = [one["encoding"] for one in options if isinstance(one.get("encoding"), str)]
        job = self.shelf.jobs.add(identifier, **({"encoding": named[-1]} if named else {}))
        if rebuilt is not None and rebuilt["state"] == "ready":
            db.execute("UPDATE jobs SET state = 'done' WHERE id = ?", [job.id])
            db.execute("UPDATE documents SET state = 'ready' WHERE id = ?", [identifier])

    def _goes_on(self, db: sqlite_utils.Database, talk: str, said: list[Row]) -> bool:
        """Say whether the shelf holds only the beginning of these messages."""
        mine = db.execute("SELECT position, text FROM messages WHERE talk = ? ORDER BY position", [talk])
        held = mine.fetchall()
        theirs = [(message["position"], message["text"]) for message in said]
        return len(held) < len(theirs) and theirs[: len(held)] == held

    def _say(self, db: sqlite_utils.Database, talk: str, said: list[Row]) -> None:
        """Insert the messages that a talk has not, with where they were read from."""
        traces = {trace["message"]: trace["trace"] for trace in self.rows["traces"]}
        first = db.execute("SELECT count(*) FROM messages WHERE talk = ?", [talk]).fetchone()[0]
        for message in said[first:]:
            number = db.table("messages").insert(_without_id(message), pk="id").last_pk
            if message["id"] in traces:
                db.table("traces").insert({"message": number, "trace": traces[message["id"]]})

    def _take_examples(self, db: sqlite_utils.Database, library: str) -> None:
        """Insert a library's examples: under their ids, or, where those are taken, without its memory."""
        examples = [row for row in self.rows["examples"] if row["library"] == library]
        taken = {row["id"] for row in db.query("SELECT id FROM examples")}
        if taken & {row["id"] for row in examples}:
            examples = [_without_id(row) for row in examples]
            for path in _memories(self.staging / FOLDERS["libraries"] / library):
                path.unlink()
        db.table("examples").insert_all(examples)


def _memories(folder: Path) -> Iterator[Path]:
    return (path for path in list(folder.rglob("*")) if path.is_file() and MEMORY.search(path.as_posix()))


def _without_id(row: Row) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "id"}

"""Backups: one ZIP file with the books, talks, places and labelled examples of a data folder.

Nothing in it is compressed: so nothing can unpack to more than the file itself holds, and a copy is as quick
as the disk. Memories are left out unless asked for, as they can be made again; so is the full-text index.
"""

import contextlib
import json
import os
import re
import secrets
import sqlite3
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from engine.errors import Failure
from engine.paths import Paths
from engine.room import require_room
from engine.shelf.shelf import Shelf
from ingest.errors import BadInput

FORMAT = 1
ABOUT = "backup.json"
DATABASE = "shelf.db"
FOLDERS = {"documents": "documents", "talks": "talks", "libraries": "demonstrations"}
_ID = "[0-9a-f]{12,64}"
_BANK = r"bank/[\w-][\w.-]*\.(bin|json)"
# everything that may stand in a backup, and nothing else
FILES = re.compile(
    rf"documents/{_ID}/(source(\.[a-z0-9]{{1,8}})?|document\.json|{_BANK})"
    rf"|talks/{_ID}/{_BANK}"
    rf"|demonstrations/{_ID}/(states\.bin|{_BANK}|{_ID}/(run\.json|texts\.jsonl|results\.jsonl))"
)
MEMORY = re.compile(r"/bank/|/states\.bin$")


@dataclass(frozen=True)
class Written:
    """What a backup holds."""

    books: int
    talks: int
    libraries: int
    bytes: int


def back_up(paths: Paths, target: Path, memories: bool = False) -> Written:
    """Write everything into the new file `target`. memories: with what was encoded, which is most of it.

    May be called while others work on the shelf. Raises BadInput where `target` cannot be, Failure where the
    disk refuses.
    """
    if target.exists():
        raise BadInput(f"there is a file {target} already: name another, or move that one away")
    if not target.parent.is_dir():
        raise BadInput(f"there is no folder {target.parent}: make it first")
    partial = target.with_name(f".{target.name}-{secrets.token_hex(4)}")
    copy = partial.with_name(f"{partial.name}.db")
    try:
        _require_room(paths, target.parent, memories)
        written = _write(paths, partial, copy, memories)
        partial.rename(target)
    except OSError as error:
        raise Failure(f"the backup {target} cannot be written: {error.strerror or error}") from error
    finally:
        for file in (partial, copy):
            file.unlink(missing_ok=True)
    return written


def _write(paths: Paths, partial: Path, copy: Path, memories: bool) -> Written:
    shelf = Shelf(paths)
    handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)  # talks are nobody else's
    with (
        contextlib.closing(shelf),
        contextlib.closing(_private(copy)) as database,
        os.fdopen(handle, "wb") as file,
        zipfile.ZipFile(file, "w", zipfile.ZIP_STORED, strict_timestamps=False) as archive,
    ):
        shelf.connections.db.conn.backup(database)
        for name in _names(paths, database, memories):
            with contextlib.suppress(FileNotFoundError):  # removed meanwhile
                archive.write(paths.home / name, name)
        _forget_removed(database, {name.split("/")[1] for name in archive.namelist()})
        counts = {name: database.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in FOLDERS}
        database.execute("PRAGMA journal_mode=DELETE").fetchall()
        archive.write(copy, DATABASE)
        archive.writestr(ABOUT, json.dumps({"format": FORMAT, "memories": memories} | counts, indent=1))
        archive.close()
        file.flush()
        os.fsync(file.fileno())
        return Written(counts["documents"], counts["talks"], counts["libraries"], file.tell())


def _private(copy: Path) -> sqlite3.Connection:
    os.close(os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    return sqlite3.connect(copy)


def _names(paths: Paths, database: sqlite3.Connection, memories: bool) -> Iterator[str]:
    """List the files to keep of all that has a row; a manifest before the arrays that grow after it."""
    for table, folder in FOLDERS.items():
        for (identifier,) in database.execute(f"SELECT id FROM {table} ORDER BY id").fetchall():
            found = (paths.home / folder / identifier).rglob("*")
            names = [path.relative_to(paths.home).as_posix() for path in found if path.is_file()]
            for name in sorted(names, key=lambda name: (not name.endswith(".json"), name)):
                if FILES.fullmatch(name) and (memories or not MEMORY.search(name)):
                    yield name


def _forget_removed(database: sqlite3.Connection, kept: set[str]) -> None:
    """Delete the rows of books that were removed while their files were being copied."""
    database.executescript("PRAGMA foreign_keys=ON; PRAGMA secure_delete=ON")
    for (identifier,) in database.execute("SELECT id FROM documents").fetchall():
        if identifier not in kept:
            database.execute("DELETE FROM documents WHERE id = ?", [identifier])
    database.commit()


def _require_room(paths: Paths, folder: Path, memories: bool) -> None:
    found = (path for name in FOLDERS.values() for path in (paths.home / name).rglob("*") if path.is_file())
    kept = (path for path in found if memories or not MEMORY.search(path.relative_to(paths.home).as_posix()))
    database = paths.database.stat().st_size if paths.database.exists() else 0
    require_room(folder, sum(path.stat().st_size for path in kept) + 2 * database, "the backup")

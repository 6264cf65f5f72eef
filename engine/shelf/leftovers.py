"""Leftovers: what a crash left in the data folder, finished or undone.

Rows are deleted together with the name of their folder, which becomes a grave, and written with the folder
that they describe. So a grave without a row is deleted, and a folder without one is somebody's: the database
was lost, or is an older copy. It goes back on the shelf where its row can be made again, else to `found`.
What is still being written has a name that begins with a dot; not touched for long, it is left over.
"""

import contextlib
import secrets
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from engine.paths import CONVERTING, Paths
from engine.shelf.connections import Connections
from engine.shelf.identifiers import SHAPE
from engine.shelf.jobs import Jobs
from engine.shelf.rebuilding import rebuilt_row
from engine.shelf.sqlite import sqlite_utils

LEFTOVER_SECONDS = 3600.0
INCOMING = ".incoming-"
REMOVED = ".removed-"
RESTORING = ".restoring-"


class Leftovers:
    """Of one data folder."""

    def __init__(self, paths: Paths, connections: Connections, jobs: Jobs) -> None:
        self.paths, self.connections, self.jobs = paths, connections, jobs

    def sweep(self) -> None:
        """Look through documents, talks, demonstration libraries and converted models."""
        for table, home in _homes(self.paths).items():
            known = {row["id"] for row in self.connections.db.query(f"SELECT id FROM {table}")}
            for folder in _within(home):
                if folder.name.startswith(REMOVED):
                    self._bury_or_restore(table, folder)
                elif folder.name.startswith(INCOMING):
                    _delete_old(folder)
                elif folder.name in known:
                    for unfinished in folder.glob(".*"):
                        _delete_old(unfinished)
                elif SHAPE.fullmatch(folder.name):
                    self._place(table, folder)
        for folder in (*self.paths.backbones.glob(f"{CONVERTING}*"), *self.paths.home.glob(f"{RESTORING}*")):
            _delete_old(folder)

    def _bury_or_restore(self, table: str, grave: Path) -> None:
        """Restore what has rows still, as it was not removed after all; else bury it."""
        home = _alive(grave)
        with self.connections.writing() as db:
            if db.table(table).count_where("id = ?", [home.name]) and not home.exists():
                grave.rename(home)
                return
        shutil.rmtree(grave, ignore_errors=True)

    def _place(self, table: str, folder: Path) -> None:
        """Write the row of a folder that has none, or move it to `found`."""
        row = rebuilt_row(folder) if table == "documents" else None
        # only now, and asked again: reading a book takes longer than others should wait
        with self.connections.writing() as db:
            rows = db.table(table)
            if rows.count_where("id = ?", [folder.name]) or not folder.exists():
                return
            if row is None or rows.count_where("content_hash = ?", [row["content_hash"]]):
                set_aside(self.paths, folder)
                return
            rows.insert(row)
            if row["state"] != "ready":
                self.jobs.add(row["id"])


class Moves:
    """Folders that get other names with what a transaction writes; `graves` are emptied once it stands."""

    def __init__(self, db: sqlite_utils.Database) -> None:
        self.db, self.made, self.graves = db, list[tuple[Path, Path]](), list[Path]()

    def move(self, folder: Path, target: Path) -> None:
        """Rename a folder. Raises OSError where a file in it is held open (Windows)."""
        folder.rename(target)
        self.made.append((folder, target))

    def bury(self, folder: Path) -> None:
        """Rename a folder into a grave, where it is there. Raises OSError, see `move`."""
        if folder.exists():
            self.graves.append(folder.with_name(f"{REMOVED}{folder.name}-{secrets.token_hex(4)}"))
            self.move(folder, self.graves[-1])

    def empty(self) -> None:
        """Delete what was buried."""
        for grave in self.graves:
            shutil.rmtree(grave, ignore_errors=True)


@contextlib.contextmanager
def moving(connections: Connections) -> Iterator[Moves]:
    """Open a transaction with the renames that belong to it: where it fails, folders have their old names.

    What ends the program may come after the rows were written: what it leaves is for `Leftovers`.
    """
    made: list[tuple[Path, Path]] = []
    try:
        with connections.writing() as db:
            moves = Moves(db)
            made = moves.made
            yield moves
    except Exception:
        for folder, target in reversed(made):
            target.rename(folder)
        raise


def _alive(grave: Path) -> Path:
    """Return where the folder of a grave was."""
    return grave.with_name(grave.name.removeprefix(REMOVED).rpartition("-")[0])


def keep_graves(paths: Paths) -> None:
    """Move graves to `found`: a database that is about to be made cannot know what was being removed."""
    for home in _homes(paths).values():
        for grave in filter(lambda one: one.name.startswith(REMOVED), _within(home)):
            set_aside(paths, grave)


def set_aside(paths: Paths, found: Path) -> Path:
    """Move a file or folder that nobody can place to `found`, beside whatever is there; returns where."""
    if found.is_dir() and not any(found.iterdir()):
        found.rmdir()  # nothing that anybody could miss
        return found
    paths.found.mkdir(parents=True, exist_ok=True)
    name, number = found.name.removeprefix(REMOVED), 1
    while (target := paths.found / (name if number == 1 else f"{name}.{number}")).exists():
        number += 1
    return found.rename(target)


def _homes(paths: Paths) -> dict[str, Path]:
    """Name, by table, the folder in which its rows say what belongs."""
    return {"documents": paths.documents, "talks": paths.talks, "libraries": paths.demonstrations}


def _within(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.is_dir() else []


def _delete_old(leftover: Path) -> None:
    with contextlib.suppress(OSError):  # gone, or on a disk that cannot be written
        if time.time() - leftover.stat().st_mtime > LEFTOVER_SECONDS:
            if leftover.is_dir():
                shutil.rmtree(leftover, ignore_errors=True)
            else:
                leftover.unlink()

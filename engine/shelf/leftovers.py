"""Leftovers: what a crash left in the data folder, finished or undone.

A folder without a row belongs to nobody: rows are deleted before their folders, and written with them. What
is still being written has a name that begins with a dot; not touched for long, it is left over.
"""

import contextlib
import shutil
import time
from pathlib import Path

from engine.paths import CONVERTING, Paths
from engine.shelf.connections import Connections
from engine.shelf.identifiers import SHAPE

LEFTOVER_SECONDS = 3600.0
INCOMING = ".incoming-"
REMOVED = ".removed-"


class Leftovers:
    """Of one data folder."""

    def __init__(self, paths: Paths, connections: Connections) -> None:
        self.paths, self.connections = paths, connections

    def sweep(self) -> None:
        """Look through documents, talks and converted models."""
        documents, talks = self._rows("documents"), self._rows("talks")
        for folder in _within(self.paths.documents):
            if folder.name.startswith(REMOVED):
                self._bury_or_restore(folder)
            elif folder.name.startswith(INCOMING):
                _delete_old(folder)
            elif SHAPE.fullmatch(folder.name):
                self._delete_without_row("documents", folder, documents)
                for unfinished in folder.glob(".*"):
                    _delete_old(unfinished)
        for folder in filter(lambda one: SHAPE.fullmatch(one.name), _within(self.paths.talks)):
            self._delete_without_row("talks", folder, talks)
        for folder in self.paths.backbones.glob(f"{CONVERTING}*"):
            _delete_old(folder)

    def _bury_or_restore(self, grave: Path) -> None:
        """Restore a document whose rows are still there, as it was not removed after all; else bury it."""
        identifier = grave.name.removeprefix(REMOVED).rpartition("-")[0]
        home = self.paths.document(identifier)
        with self.connections.writing() as db:
            alive = db.table("documents").count_where("id = ?", [identifier])
            if alive and not home.exists():
                grave.rename(home)
                return
        shutil.rmtree(grave, ignore_errors=True)

    def _rows(self, table: str) -> set[str]:
        return {row["id"] for row in self.connections.db.query(f"SELECT id FROM {table}")}

    def _delete_without_row(self, table: str, folder: Path, known: set[str]) -> None:
        """Delete folders without a row. known: rows that were there; only others cost a transaction."""
        if folder.name in known:
            return
        with self.connections.writing() as db:
            if not db.table(table).count_where("id = ?", [folder.name]):
                shutil.rmtree(folder, ignore_errors=True)


def _within(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.is_dir() else []


def _delete_old(leftover: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        if time.time() - leftover.stat().st_mtime > LEFTOVER_SECONDS:
            if leftover.is_dir():
                shutil.rmtree(leftover, ignore_errors=True)
            else:
                leftover.unlink()

"""Room on the disk: asked for before something large is written, so that nobody is left with half of it."""

import shutil
from pathlib import Path

from engine.errors import Failure

# what the database and its log may need besides
SPARE_BYTES = 1 << 20
# SQLite needs some pages to open a database at all
FULL_BYTES = 1 << 18


def require_room(folder: Path, needed: float, what: str) -> None:
    """Raise a Failure that says what is free and what is needed where a disk has less, in words of `what`."""
    there = next(one for one in (folder, *folder.parents) if one.exists())
    free, needed = shutil.disk_usage(there).free, needed + SPARE_BYTES
    if free < needed:
        raise Failure(
            f"{what} needs {needed / 1e6:,.1f} MB on the disk of {folder},"
            f" where {free / 1e6:,.1f} MB are free: make room, for instance remove a book"
        )


def is_full(folder: Path) -> bool:
    """Say whether nothing can be written on the disk of a folder for want of room."""
    return shutil.disk_usage(folder).free < FULL_BYTES

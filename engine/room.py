"""Room on the disk: asked for before something large is written, so that nobody is left with half of it.

A file that holds nothing keeps some for the day on which it is full: rows of what is removed need room too.
"""

import contextlib
import os
import shutil
from pathlib import Path

from engine.errors import Failure

# what the database and its log may need besides
SPARE_BYTES = 1 << 20
# SQLite needs some pages to open a database at all
FULL_BYTES = 1 << 18
RESERVE_BYTES = 1 << 20


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


def keep_reserve(reserve: Path) -> None:
    """Write the file that `give_up_reserve` deletes, where there is room for far more."""
    with contextlib.suppress(OSError):
        if not reserve.exists() and shutil.disk_usage(reserve.parent).free > 8 * RESERVE_BYTES:
            reserve.write_bytes(os.urandom(RESERVE_BYTES))  # zeros would take no room on some disks


def give_up_reserve(reserve: Path) -> None:
    """Make the room on a full disk that deleting rows takes."""
    with contextlib.suppress(OSError):
        reserve.unlink(missing_ok=True)

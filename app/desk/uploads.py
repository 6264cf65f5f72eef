"""Uploads: where the browser's files lie until the shelf has copied them, and how they go.

Each program has a folder of its own and holds a lock in it. The kernel lets go of the lock when the program
dies, however it dies: the next start removes the folders whose lock is free.
"""

import contextlib
import os
import re
import secrets
import shutil
import tempfile
import time
from pathlib import Path

from engine.locks import FileLock
from ingest import formats
from ingest.errors import BadInput
from ingest.limits import Limits, megabytes

# what a book may be on the command line, it may be here
LIMIT_BYTES = Limits().file_bytes
LIMIT_WORDS = megabytes(LIMIT_BYTES)
WORDS = ", ".join(formats.SHORT.values())
SUFFIXES = [*formats.SUFFIXES, *formats.ARCHIVES, *formats.PICTURES]
PREFIX = "longmem-uploads-"
LOCK = ".lock"
# the folder that Gradio makes for a whole upload; what else lies with the uploads is ours, or half of one
UPLOADED = re.compile("[0-9a-f]{64}")
# a folder without a lock may be one that another start is just making
UNLOCKED_SECONDS = 3600.0
# of files that were uploaded and not added; Gradio removes them after KEPT_SECONDS
MOST_BYTES = 20 * LIMIT_BYTES
KEPT_SECONDS = 3600
_held: dict[Path, FileLock] = {}


def folder() -> Path:
    """Make a private folder for uploads, away from the data; Gradio takes it from the environment.

    Where no disk has room even for that, it is only named, and made with the first upload.
    """
    try:
        made = Path(tempfile.mkdtemp(prefix=PREFIX))
        lock = FileLock(made / LOCK)
        lock.acquire(0)
        _held[made] = lock
    except OSError:
        made = _temporary() / f"{PREFIX}{secrets.token_hex(8)}"
    os.environ["GRADIO_TEMP_DIR"] = str(made)
    return made


def sweep() -> list[Path]:
    """Remove the upload folders of programs that are dead; returns them. Never a live program's."""
    removed = []
    for found in _temporary().glob(f"{PREFIX}*"):
        # what cannot be read or removed (another user's) is not ours to remove
        with contextlib.suppress(OSError):
            if _is_abandoned(found):
                shutil.rmtree(found)
                removed.append(found)
    return removed


def _is_abandoned(found: Path) -> bool:
    if found.is_symlink() or not found.is_dir() or found in _held:
        return False
    if hasattr(os, "getuid") and found.stat().st_uid != os.getuid():
        return False
    if not (found / LOCK).exists():
        return time.time() - found.stat().st_mtime > UNLOCKED_SECONDS
    lock = FileLock(found / LOCK)
    if not lock.acquire(0):
        return False
    lock.release()
    return True


def inside(path: Path) -> Path:
    """Return the path, if it was uploaded: no caller may name another file of this machine or folder."""
    folder = path.resolve().parent
    if folder.parent != _home() or not UPLOADED.fullmatch(folder.name):
        raise BadInput("that file was not uploaded; upload it first")
    return path


def is_crowded() -> bool:
    """Tell whether so much was uploaded, and never added, that nothing more is taken."""
    return sum(one.lstat().st_size for one in _home().glob("*/*")) > MOST_BYTES


def outgoing(name: str) -> Path:
    """Return where to write a file that is to be downloaded; it lies with the uploads and goes with them."""
    made = _home() / secrets.token_hex(8)
    made.mkdir(parents=True)
    return made / name


def discard(path: Path) -> None:
    """Delete an uploaded copy and the folder made for it; nothing outside the upload folder."""
    path, home = path.resolve(), _home()
    if home not in path.parents:
        return
    with contextlib.suppress(OSError):
        path.unlink()
        if path.parent != home:
            path.parent.rmdir()


def _home() -> Path:
    return Path(os.environ.get("GRADIO_TEMP_DIR") or _temporary()).resolve()


def _temporary() -> Path:
    """Return the folder for temporary files: on full disks the first that comes into question."""
    with contextlib.suppress(FileNotFoundError):
        return Path(tempfile.gettempdir())
    return Path(os.environ.get("TMPDIR") or Path.home())


def clear(made: Path) -> None:
    """Delete the upload folder with whatever is left in it."""
    if (lock := _held.pop(made, None)) is not None:
        lock.release()
    shutil.rmtree(made, ignore_errors=True)

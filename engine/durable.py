"""Writes that survive a crash: data first, fsync, then the name that points at it."""

import errno
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from engine.errors import Failure

REPLACE_ATTEMPTS = 50


def write_at(file: BinaryIO, offset: int, data: bytes | memoryview) -> None:
    """Write `data` at `offset` of an unbuffered file, cut whatever lay behind, and sync it to disk."""
    file.seek(offset)
    view = memoryview(data).cast("B")
    while view:
        view = view[file.write(view) :]
    file.truncate()
    os.fsync(file.fileno())


def publish_file(path: Path, data: bytes) -> None:
    """Put `data` at `path` in one step: a reader, or a crash, finds the old file or the new one."""
    temporary = path.with_name(path.name + ".tmp")
    with open(temporary, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    _replace(temporary, path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make new names in `folder` survive a power cut (Windows does so by itself)."""
    if sys.platform == "win32":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def clear_disk_errors(folder: Path) -> Iterator[None]:
    """Turn what the operating system says while writing into one line that says what to do."""
    try:
        yield
    except OSError as error:
        full = (errno.ENOSPC, errno.EDQUOT) if hasattr(errno, "EDQUOT") else (errno.ENOSPC,)
        if error.errno in full:
            raise Failure(
                f"the disk is full ({folder}): free some space and start again; what is encoded so far stays"
            ) from error
        raise Failure(f"cannot write the memory bank in {folder}: {error.strerror or error}") from error


def _replace(source: Path, target: Path) -> None:
    for attempt in range(REPLACE_ATTEMPTS):
        try:
            os.replace(source, target)
            return
        except PermissionError:
            # Windows refuses while another process has the target open; readers close it within milliseconds.
            if sys.platform != "win32" or attempt == REPLACE_ATTEMPTS - 1:
                raise
            time.sleep(0.02)

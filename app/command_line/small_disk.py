"""SmallDisk: a disk of its own in one file, small enough to be filled to its last page."""

import contextlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Self

from engine.errors import Failure

PIECES = (1 << 20, 1 << 16, 4096, 1)  # bytes, so that not one page stays free
FILLER = "filler"


class SmallDisk:
    """An ext4 file system in `file`, mounted at `place` while it is open, which root may do on Linux."""

    def __init__(self, file: Path, place: Path, megabytes: int) -> None:
        self.place, self._file, self._bytes = place, file, megabytes * 10**6
        self.is_full = False

    def __enter__(self) -> Self:
        if not sys.platform.startswith("linux") or os.geteuid():
            raise Failure("root alone mounts a disk that can be filled, on Linux: take --full-disks 0")
        self.place.mkdir(exist_ok=True)
        if not self._file.exists():
            with self._file.open("wb") as made:
                made.truncate(self._bytes)
            _call("mkfs.ext4", "-q", "-F", "-m", "0", str(self._file))
        _call("mount", "-o", "loop", str(self._file), str(self.place))
        (self.place / FILLER).unlink(missing_ok=True)
        return self

    def __exit__(self, *_: object) -> None:
        _call("umount", "-l", str(self.place))

    def fill(self) -> None:
        """Write until nothing more can be written."""
        self.is_full = True
        with (self.place / FILLER).open("wb", buffering=0) as file:
            for size in PIECES:
                with contextlib.suppress(OSError):
                    while True:
                        file.write(bytes(size))

    def free(self) -> None:
        """Give back what `fill` took."""
        (self.place / FILLER).unlink(missing_ok=True)
        self.is_full = False


def _call(*command: str) -> None:
    """Run a program of the system. Raises Failure with what it says."""
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        said = str(getattr(error, "stderr", "") or error).strip().splitlines()[-1]
        raise Failure(f"no small disk can be made here ({said}): take --full-disks 0") from error

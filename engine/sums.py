"""Sums of what lies on the disk: the hash of a file, the bytes of a folder."""

import contextlib
import hashlib
import os
from pathlib import Path


def file_hash(path: Path) -> str:
    """Return the SHA-256 of a file, hexadecimal."""
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def folder_bytes(folder: Path) -> int:
    """Count the bytes of all files below `folder`; what vanishes meanwhile counts nothing."""
    total = 0
    for base, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += os.lstat(os.path.join(base, name)).st_size
    return total

"""Files written as a whole: a reader, or a kill, finds the old file or the new one."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole(path: Path, shared: bool = False) -> Iterator[Path]:
    """Give a place beside a file to write it at; once it is written it takes the file's name.

    shared: other processes may write the same file. Where none does, all kills together leave one half file.
    """
    beside = path.with_name(f".{path.name}-{secrets.token_hex(4) if shared else 'half'}")
    try:
        yield beside
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def write_whole(path: Path, text: str) -> None:
    """Write a text, on the disk when this returns. Raises OSError."""
    with (
        whole(path, shared=True) as beside,
        beside.open("w", encoding="utf-8", errors="surrogatepass") as file,
    ):
        file.write(text)
        file.flush()
        os.fsync(file.fileno())

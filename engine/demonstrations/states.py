"""The states that vote: one fp16 row per example of a bank, in the bank's order, in a file beside it."""

import os
from pathlib import Path
from types import TracebackType

import numpy as np

from ingest.errors import BadInput

FILE = "states.bin"


class StatesLost(Exception):
    """There are fewer rows than the bank has examples: the bank has to be made again."""


class StateFile:
    """Appends rows. The bank's count is the truth: `cut` drops what a crash left beyond it."""

    def __init__(self, folder: Path, dim: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.row_bytes = 2 * dim
        self._file = open(folder / FILE, "a+b")  # noqa: SIM115 - closed by __exit__

    def cut(self, rows: int) -> None:
        """Keep the first `rows` rows. Raises StatesLost when there are fewer."""
        self._file.seek(0, os.SEEK_END)
        if self._file.tell() < rows * self.row_bytes:
            raise StatesLost(f"{FILE} holds fewer rows than its bank")
        self._file.truncate(rows * self.row_bytes)

    def append(self, rows: np.ndarray) -> None:
        """Add rows (n, dim) fp16, safely on disk before the bank counts them."""
        self._file.write(np.ascontiguousarray(rows, dtype="<f2").tobytes())
        self._file.flush()
        os.fsync(self._file.fileno())

    def __enter__(self) -> "StateFile":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


def has_states(folder: Path, rows: int, dim: int) -> bool:
    """Tell whether a library has the states of exactly `rows` examples."""
    file = folder / FILE
    return file.is_file() and file.stat().st_size >= rows * 2 * dim


def read_states(folder: Path, rows: int, dim: int) -> np.ndarray:
    """Read the states (rows, dim) of a library as float32. Raises BadInput where they are lost."""
    if not has_states(folder, rows, dim):
        raise BadInput("the states that vote are lost: encode the library again")
    data = np.fromfile(folder / FILE, dtype="<f2", count=rows * dim)
    return data.reshape(rows, dim).astype(np.float32)

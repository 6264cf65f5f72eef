"""Learned search keys beside a bank: computed once per map from the pooled hidden states, then mapped.

A better map makes new ones in seconds; the book is not encoded again. They are a cache: published like the
bank (data, sync, then the small file that counts), thrown away and made again when torn, never trusted
further than their own count, and done without where the folder cannot be written.
"""

import json
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from engine.bank.arrays import checksum, map_array
from engine.durable import publish_file, write_at
from engine.errors import Failure
from engine.locks import FileLock, holding
from ingest.errors import BadInput

FORMAT = 1
ROWS_AT_ONCE = 8192
WAIT_SECONDS = 600.0
NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")

Map = Callable[[np.ndarray], np.ndarray]


class Pooled(Protocol):
    """Hidden states (chunks, width), an array or what makes one of the rows asked for."""

    def __len__(self) -> int: ...

    def __getitem__(self, rows: slice, /) -> np.ndarray: ...


@dataclass(frozen=True)
class Committed:
    """How much of a derived array counts."""

    chunks: int
    dim: int
    crc32: int = 0
    format: int = FORMAT


class DerivedKeys:
    """The search keys (chunks, dim) fp16 that one map, named by its fingerprint, makes of one bank."""

    def __init__(self, folder: Path, fingerprint: str) -> None:
        if not NAME.fullmatch(fingerprint):
            raise BadInput(f"'{fingerprint}' cannot name search keys: use letters, digits, '-' and '_'")
        self.data = folder / f"derived.{fingerprint}.bin"
        self.record = folder / f"derived.{fingerprint}.json"
        self._lock = FileLock(folder / f"derived.{fingerprint}.lock")

    def keys(self, pooled: Pooled, make: Map) -> np.ndarray:
        """Return (chunks, dim) fp16 of pooled (chunks, width), computing what is missing by 8,192 chunks.

        Raises Failure when `make` gives other than one finite vector per chunk.
        """
        committed = self._committed()
        if committed is None or committed.chunks < len(pooled):
            try:
                committed = self._extend(pooled, make)
            except OSError:  # read-only or full: a cache is not worth failing for
                return np.concatenate(list(_blocks(pooled, make, 0)))
        return map_array(self.data, "<f2", (len(pooled), committed.dim))

    def verify(self) -> None:
        """Raise Failure where the stored keys are not those that were written."""
        committed = self._committed()
        if committed is None:
            return
        stored = map_array(self.data, "<f2", (committed.chunks, committed.dim))
        if checksum(stored) != committed.crc32:
            raise Failure(
                f"the search keys {self.data.name} are damaged: delete {self.data} and they are made again"
            )

    def _extend(self, pooled: Pooled, make: Map) -> Committed:
        refusal = f"another process is still writing {self.data.name}: try again later"
        with holding(self._lock, WAIT_SECONDS, refusal):
            committed = self._committed()
            if committed is not None and committed.chunks >= len(pooled):
                return committed  # another process was quicker
            return self._append(pooled, make, committed)

    def _append(self, pooled: Pooled, make: Map, committed: Committed | None) -> Committed:
        chunks, crc32 = (committed.chunks, committed.crc32) if committed else (0, 0)
        dim = committed.dim if committed else None
        self.data.touch()
        with open(self.data, "r+b", buffering=0) as file:
            for block in _blocks(pooled, make, chunks):
                if dim not in (None, block.shape[1]):
                    raise Failure(
                        f"the map of {self.data.name} gives {block.shape[1]} dimensions, before {dim}"
                    )
                dim = block.shape[1]
                write_at(file, chunks * dim * 2, block.data if block.size else b"")
                chunks, crc32 = chunks + len(block), checksum(block, crc32)
        committed = Committed(chunks, dim or 0, crc32)
        publish_file(self.record, json.dumps(asdict(committed)).encode())
        return committed

    def _committed(self) -> Committed | None:
        """Return what is there, None where nothing usable is."""
        try:
            committed = Committed(**json.loads(self.record.read_bytes()))
            whole = os.stat(self.data).st_size >= committed.chunks * committed.dim * 2
        except (OSError, ValueError, TypeError):
            return None
        return committed if whole and committed.format == FORMAT else None


def stored_keys(folder: Path) -> list[DerivedKeys]:
    """Find every derived array beside the bank in `folder`."""
    return [DerivedKeys(folder, path.name.split(".")[1]) for path in sorted(folder.glob("derived.*.json"))]


def _blocks(pooled: Pooled, make: Map, start: int) -> Iterator[np.ndarray]:
    """Yield fp16 keys of pooled[start:] by blocks; an empty one where nothing is left, to learn the dim."""
    for lo in range(start, len(pooled), ROWS_AT_ONCE) if start < len(pooled) else (start,):
        states = pooled[lo : lo + ROWS_AT_ONCE].astype(np.float32)
        keys = np.asarray(make(states))
        if keys.ndim != 2 or len(keys) != len(states) or not np.isfinite(keys).all():
            raise Failure(
                f"the search map gave {keys.shape} for {len(states)} chunks, or values that are not finite"
            )
        yield np.ascontiguousarray(keys, dtype="<f2")

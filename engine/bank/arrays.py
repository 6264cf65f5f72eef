"""Arrays mapped from disk, read-only: opening a bank of any length costs no memory."""

import zlib
from pathlib import Path

import numpy as np

from engine.bank.layout import ArraySpec
from engine.bank.manifest import DamagedBank, Manifest


def map_array(path: Path, dtype: str, shape: tuple[int, ...]) -> np.ndarray:
    """Map the start of a file read-only (shape); nothing is read yet."""
    if 0 in shape:
        return np.empty(shape, dtype)  # an empty file cannot be mapped
    return np.asarray(np.memmap(path, dtype=dtype, mode="r", shape=shape))


def checksum(array: np.ndarray, before: int = 0) -> int:
    """Return the CRC-32 of an array's bytes, going on from that of the rows before."""
    return zlib.crc32(array.data, before)


def open_array(folder: Path, manifest: Manifest, spec: ArraySpec) -> np.ndarray:
    """Map the rows of one array that count. Raises Failure where the file holds fewer."""
    path = folder / spec.file
    try:
        found = path.stat().st_size
    except FileNotFoundError:
        raise DamagedBank(folder, f"{spec.file} is missing") from None
    if found < manifest.size(spec.name):
        raise DamagedBank(folder, f"{spec.file} is too short")
    return map_array(path, spec.dtype, (getattr(manifest.counts, spec.rows), *spec.shape))

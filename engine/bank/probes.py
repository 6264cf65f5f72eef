"""Probes: searches with known answers, made when a bank is published and repeated at every opening.

A checksum of everything takes seconds for a long book, so an opening looks at up to 8 places: around each,
the search keys of 1,024 chunks are checksummed and searched with a stored key, and the tokens, keys and
values of the chunk itself are checksummed. `MemoryBank.verify` reads all.
"""

from pathlib import Path

import numpy as np

from engine.bank.arrays import checksum, open_array
from engine.bank.manifest import DamagedBank, Manifest

PLACES = 8
NEIGHBOURS = 1024
TOLERANCE = 1e-3


def make_probes(folder: Path, manifest: Manifest) -> tuple[dict, ...]:
    """Make up to 8 probes, evenly spread; none for an empty bank."""
    chunks = manifest.counts.chunks
    arrays = {spec.name: open_array(folder, manifest, spec) for spec in manifest.layout.arrays}
    places = sorted({round(place) for place in np.linspace(0, max(chunks - 1, 0), PLACES)}) if chunks else []
    return tuple(_probe(arrays, manifest, place) for place in places)


def check_probes(folder: Path, manifest: Manifest, arrays: dict[str, np.ndarray]) -> None:
    """Repeat every probe. Raises Failure naming the array whose answer is another one."""
    for known in manifest.probes:
        try:
            found = _probe(arrays, manifest, known["chunk"])
            wrong = _difference(known, found)
        except (KeyError, TypeError, ValueError, IndexError):
            wrong = "a probe"
        if wrong:
            raise DamagedBank(folder, f"{wrong} gives other answers than when it was written")


def _probe(arrays: dict[str, np.ndarray], manifest: Manifest, chunk: int) -> dict:
    lo, hi = max(0, chunk - NEIGHBOURS // 2), min(manifest.counts.chunks, chunk + NEIGHBOURS // 2)
    starts = arrays["chunk_starts"]
    begin = int(starts[chunk])
    end = int(starts[chunk + 1]) if chunk + 1 < len(starts) else manifest.counts.tokens
    segment = int(np.searchsorted(arrays.get("segment_starts", starts[:1]), begin, side="right")) - 1
    rows = {"tokens": slice(begin, end), "chunks": slice(lo, hi), "segments": slice(segment, segment + 1)}
    crc32 = {spec.name: checksum(arrays[spec.name][rows[spec.rows]]) for spec in manifest.layout.arrays}
    best = {
        spec.name: _best(arrays[spec.name][lo:hi], chunk - lo, lo) for spec in manifest.layout.search_arrays
    }
    return {"chunk": chunk, "crc32": crc32, "best": best}


def _best(keys: np.ndarray, query: int, lo: int) -> list[list]:
    """Find per head [id, score] of the best inner product of keys (n, heads, dim) or (n, dim) with one."""
    grouped = keys.reshape(len(keys), -1, keys.shape[-1]).astype(np.float64)
    scores = np.einsum("nhd,hd->hn", grouped, grouped[query])
    # Five digits: rounding of the last bits differs between processors.
    return [[lo + int(row.argmax()), float(f"{row.max():.5g}")] for row in scores]


def _difference(known: dict, found: dict) -> str | None:
    for name, heads in known["best"].items():
        for (chunk, score), (found_chunk, found_score) in zip(heads, found["best"][name], strict=True):
            close = abs(score - found_score) <= TOLERANCE * max(1.0, abs(score))
            if chunk != found_chunk or not close:
                return name
    return next((name for name, crc in known["crc32"].items() if found["crc32"][name] != crc), None)

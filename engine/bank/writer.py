"""Fills a bank, one segment at a time. A crash loses at most the segment in hand.

Arrays first, each synced, then the manifest in one step: what the manifest counts is there, and what it does
not count does not exist. On resuming, leftovers of an unfinished segment are cut off.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO, Self

import numpy as np
import torch
from torch import Tensor

from engine.bank import manifest as manifests
from engine.bank.arrays import checksum
from engine.bank.layout import BankIdentity, BankLayout
from engine.bank.manifest import Counts, DamagedBank, Manifest
from engine.bank.probes import make_probes
from engine.durable import clear_disk_errors, sync_folder, write_at
from engine.errors import Failure
from engine.locks import FileLock
from engine.quantise import FP16_LARGEST, quantise, quantise_states
from ingest.errors import BadInput

LOCK = "writer.lock"
BUSY = "another process is writing this memory bank ({}): wait until it has finished"
FILES = ("*.bin", "derived.*", "*.tmp")
INT32_LARGEST = 2**31 - 1


class BankWriter:
    """The only writer of one bank folder, until `close`.

    tokens, chunks, segments: how many are complete. end: character offset behind the last complete token,
    where encoding goes on.
    """

    def __init__(self, folder: Path, manifest: Manifest, lock: FileLock) -> None:
        self.folder = folder
        self._manifest = manifest
        self._lock = lock
        self._files: dict[str, BinaryIO] = {}
        self._last_span = (0, 0)
        try:
            self._restore()
        except BaseException:
            self.close()
            raise

    @classmethod
    def open(cls, folder: Path | str, layout: BankLayout, identity: BankIdentity) -> Self:
        """Start the bank in `folder`, or go on where it stopped.

        Raises
        ------
        BankMismatch
            The folder holds a bank of another format, identity or layout; `field` names which.
        Failure
            Another writer is at work, the disk refuses, or the bank is damaged.
        """
        folder = Path(folder)
        with clear_disk_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            lock = FileLock(folder / LOCK)
            if not lock.acquire(0):
                raise Failure(BUSY.format(folder))
            try:
                manifest = _existing(folder, layout, identity) or _fresh(folder, layout, identity)
                return cls(folder, manifest, lock)
            except BaseException:
                lock.release()
                raise

    @property
    def layout(self) -> BankLayout:
        return self._manifest.layout

    @property
    def tokens(self) -> int:
        return self._manifest.counts.tokens

    @property
    def chunks(self) -> int:
        return self._manifest.counts.chunks

    @property
    def segments(self) -> int:
        return self._manifest.counts.segments

    @property
    def published(self) -> bool:
        return self._manifest.published

    @property
    def end(self) -> int:
        return self._last_span[1]

    def append(
        self,
        token_ids: Sequence[int] | np.ndarray | Tensor,
        spans: Sequence[tuple[int, int]] | np.ndarray,
        keys: Mapping[int, Tensor],
        values: Mapping[int, Tensor],
        hidden: Tensor | None = None,
        breaks: Sequence[int] = (),
        states: Tensor | None = None,
    ) -> None:
        """Add one segment: all of it, or, whatever happens, nothing of it.

        Parameters
        ----------
        token_ids: (time,).
        spans: (time, 2) character offsets, neither starts nor ends ever going back.
        keys, values: per memory block (time, kv_heads, head_dim), before any position; values are left out
        where the layout stores none.
        hidden: (time, width) entering the search block; None when the layout stores none.
        states: (time, width) entering the state block; None when the layout stores none.
        breaks: tokens of the segment, rising, where a chunk must begin: none holds parts of two texts.

        Raises
        ------
        BadInput
            Nothing to add, or shapes that are not those of the layout.
        Failure
            Not finite, too large for fp16, or the disk is full: the bank stays at the segments it had.
        """
        rows = self._rows(token_ids, spans, keys, values, hidden, breaks, states)
        self._commit(rows)
        self._last_span = _pair(rows["spans"][-1])

    def publish(self) -> None:
        """Add probes, queries with known answers that every opening repeats, and mark the bank as finished.

        A later `append` takes the mark away until the next `publish`.
        """
        if self.published:
            return
        probes = make_probes(self.folder, self._manifest)
        self._write_manifest(dataclasses.replace(self._manifest, published=True, probes=probes))

    def close(self) -> None:
        """Let others write. The bank stays as it is."""
        for file in self._files.values():
            file.close()
        self._files.clear()
        self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _commit(self, rows: dict[str, np.ndarray]) -> None:
        before = self._manifest
        counts = Counts(
            before.counts.tokens + len(rows["tokens"]),
            before.counts.chunks + len(rows["chunk_starts"]),
            before.counts.segments + 1,
        )
        crc32 = {name: checksum(array, before.crc32.get(name, 0)) for name, array in rows.items()}
        after = dataclasses.replace(before, counts=counts, crc32=crc32, published=False, probes=())
        try:
            with clear_disk_errors(self.folder):
                for name, array in rows.items():
                    write_at(self._files[name], before.size(name), array.data)
        except BaseException:
            self._give_back_space()
            raise
        self._write_manifest(after)

    def _write_manifest(self, after: Manifest) -> None:
        try:
            with clear_disk_errors(self.folder):
                after.write(self.folder)
        except BaseException:
            # The new manifest may or may not have taken its place: what lies on disk is the truth.
            self._manifest = Manifest.read(self.folder) or self._manifest
            self._give_back_space()
            raise
        self._manifest = after

    def _give_back_space(self) -> None:
        """Cut off what a failed write left. This is only tidiness: the next append writes over it."""
        for name, file in self._files.items():
            with suppress(OSError):
                file.truncate(self._manifest.size(name))
        with suppress(OSError):
            (self.folder / f"{manifests.FILE}.tmp").unlink(missing_ok=True)

    def _restore(self) -> None:
        """Open the arrays and cut them to what the manifest counts."""
        for spec in self.layout.arrays:
            path = self.folder / spec.file
            wanted, found = self._manifest.size(spec.name), path.stat().st_size if path.exists() else -1
            if found < wanted:
                raise DamagedBank(self.folder, f"{spec.file} is too short")
            file = open(path, "r+b", buffering=0)  # noqa: SIM115 - closed by close()
            self._files[spec.name] = file
            if found > wanted:
                file.truncate(wanted)
        sync_folder(self.folder)
        if self.tokens:
            self._files["spans"].seek(self._manifest.size("spans") - 8)
            self._last_span = _pair(np.frombuffer(self._files["spans"].read(8), "<u4"))

    def _rows(
        self,
        token_ids: Sequence[int] | np.ndarray | Tensor,
        spans: Sequence[tuple[int, int]] | np.ndarray,
        keys: Mapping[int, Tensor],
        values: Mapping[int, Tensor],
        hidden: Tensor | None,
        breaks: Sequence[int] = (),
        states: Tensor | None = None,
    ) -> dict[str, np.ndarray]:
        """Return the new rows of every array, in the dtype of its file."""
        layout, head = self.layout, (self.layout.kv_heads, self.layout.head_dim)
        ids = np.asarray(token_ids)
        if ids.ndim != 1 or not len(ids):
            raise BadInput("a segment needs at least one token: token_ids must be (time,) with time ≥ 1")
        time = len(ids)
        if ids.dtype.kind not in "iu" or ids.min() < 0 or ids.max() > INT32_LARGEST:
            raise BadInput("token_ids must be integers from 0 to 2³¹ − 1")
        for name, given in (("keys", keys), ("values", values)):
            wanted = layout.memory_blocks if name == "keys" or layout.values else ()
            if not set(wanted) <= set(given) <= set(layout.memory_blocks):
                raise BadInput(
                    f"{name} are those of blocks {sorted(given)}, this bank stores {layout.memory_blocks}"
                )
        if (hidden is None) != (layout.search_block is None):
            raise BadInput(
                f"this bank stores hidden states of block {layout.search_block}: hidden must fit that"
            )
        if (states is None) != (layout.state_block is None):
            raise BadInput(
                f"this bank stores states of block {layout.state_block}: those given must fit that"
            )
        starts = _chunk_starts(time, layout.chunk_size, breaks)
        rows = {"tokens": ids.astype("<i4"), "spans": self._checked_spans(spans, time)}
        rows["chunk_starts"] = (starts + self.tokens).astype("<u4")
        for block in layout.memory_blocks:
            exact = {"keys": _checked(f"keys of block {block}", keys[block], (time, *head))}
            rows[f"chunk_keys.{block}"] = _means(exact["keys"], starts)
            if layout.values:
                exact["values"] = _checked(f"values of block {block}", values[block], (time, *head))
            for kind in layout.stored_kinds(block):
                rows |= _stored(kind, block, exact[kind], layout.dtype)
        if hidden is not None:
            what = f"hidden states entering block {layout.search_block}"
            means = _means(_checked(what, hidden, (time, layout.width)), starts)
            name = f"pooled.{layout.search_block}"
            rows |= {name: means} if states is None else _quantised(name, means.astype(np.float32))
        if states is not None:
            what = f"states entering block {layout.state_block}"
            checked = _checked(what, states, (time, layout.width))
            rows |= _quantised(f"states.{layout.state_block}", checked)
            rows["segment_starts"] = np.array([self.tokens], "<u4")
        return {spec.name: np.ascontiguousarray(rows[spec.name]) for spec in layout.arrays}

    def _checked_spans(self, spans: Sequence[tuple[int, int]] | np.ndarray, time: int) -> np.ndarray:
        array = np.asarray(spans, dtype=np.int64)
        if array.shape != (time, 2):
            raise BadInput(f"spans have shape {array.shape}, not ({time}, 2)")
        if (array[:, 0] > array[:, 1]).any() or array.max() >= 2**32:
            raise BadInput("every span must be (start, end) with 0 ≤ start ≤ end < 2³²")
        if (np.diff(array, axis=0, prepend=[self._last_span]) < 0).any():
            raise BadInput("spans must not go back: the bank finds a place by bisection")
        return array.astype("<u4")


def _pair(span: np.ndarray) -> tuple[int, int]:
    start, end = span.tolist()
    return start, end


def _chunk_starts(time: int, size: int, breaks: Sequence[int]) -> np.ndarray:
    """List where chunks begin: _chunk_starts(10, 4, [6]) = [0, 4, 6]."""
    edges = [0, *breaks, time]
    if any(later <= earlier for earlier, later in pairwise(edges)):
        raise BadInput(f"breaks of a segment must rise and lie between 1 and {time - 1}")
    return np.concatenate([np.arange(start, end, size) for start, end in pairwise(edges)])


def _existing(folder: Path, layout: BankLayout, identity: BankIdentity) -> Manifest | None:
    manifest = Manifest.read(folder)
    if manifest is not None:
        manifest.identity.require(identity)
        manifest.layout.require(layout)
    return manifest


def _fresh(folder: Path, layout: BankLayout, identity: BankIdentity) -> Manifest:
    for pattern in FILES:  # of a deletion that was cut short
        for path in folder.glob(pattern):
            path.unlink()
    manifest = Manifest(identity, layout)
    for spec in layout.arrays:  # before the manifest, which promises them
        (folder / spec.file).touch()
    manifest.write(folder)
    sync_folder(folder.parent)
    return manifest


def _checked(what: str, given: Tensor | np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    if tuple(given.shape) != shape:
        raise BadInput(f"the {what} have shape {tuple(given.shape)}, not {shape}")
    exact = torch.as_tensor(given).detach().to("cpu", torch.float32).contiguous().numpy()
    if not np.isfinite(exact).all():
        raise Failure(f"the {what} are not finite: encode with the backbone in float32")
    return exact


def _stored(kind: str, block: int, exact: np.ndarray, dtype: str) -> dict[str, np.ndarray]:
    if dtype == "int8":
        numbers, scales = quantise(exact)
        rows = {f"{kind}.{block}": numbers, f"{kind}_scale.{block}": scales}
    else:
        with np.errstate(over="ignore"):
            rows = {f"{kind}.{block}": exact.astype("<f2")}
    if not all(np.isfinite(array).all() for array in rows.values()):
        raise Failure(
            f"the {kind} of block {block} are too large for {dtype}: choose another memory layer or int8"
        )
    return rows


def _quantised(name: str, exact: np.ndarray) -> dict[str, np.ndarray]:
    numbers, scales, columns = quantise_states(exact)
    return {name: numbers, f"{name}.scale": scales, f"{name}.columns": columns[None]}


def _means(exact: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Return fp16 means (chunks, …) of float32 rows (time, …) from each start to the next.

    Saturates: some backbones have a few hidden dimensions in the tens of thousands, on their first token.
    """
    lengths = np.diff(starts, append=len(exact)).astype(np.float32)
    means = np.add.reduceat(exact, starts, axis=0) / lengths.reshape(-1, *(1,) * (exact.ndim - 1))
    return np.clip(means, -FP16_LARGEST, FP16_LARGEST).astype("<f2")

"""Reads a bank: mapped, never loaded; complete segments only, also while another process writes on.

What is open stays as it was when it was opened: a bank that grows is opened again.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import torch
from torch import Tensor

from engine.bank import manifest as manifests
from engine.bank.arrays import checksum, open_array
from engine.bank.derived import DerivedKeys, stored_keys
from engine.bank.layout import BankIdentity, BankLayout
from engine.bank.manifest import DamagedBank, Manifest
from engine.bank.probes import check_probes
from engine.bank.writer import BUSY, LOCK
from engine.durable import clear_disk_errors
from engine.locks import FileLock, holding
from engine.quantise import dequantise, dequantise_states
from ingest.errors import BadInput

CHECKSUM_BYTES = 1 << 24
KeysOf = Callable[[int, Tensor], Tensor]


@dataclass(frozen=True)
class QuantisedRows:
    """Hidden states at rest as int8; what is asked for by numbers or a slice comes as float32 (n, width).

    tokens: (rows,) the token that each row begins at, None where rows are tokens.
    """

    arrays: dict[str, np.ndarray]
    name: str
    tokens: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.arrays[self.name])

    def __getitem__(self, rows: np.ndarray | slice) -> np.ndarray:
        if isinstance(rows, slice):
            rows = np.arange(*rows.indices(len(self)))
        tokens = rows if self.tokens is None else self.tokens[rows]
        segments = np.searchsorted(self.arrays["segment_starts"], tokens, side="right") - 1
        columns = self.arrays[f"{self.name}.columns"][segments]
        return dequantise_states(
            self.arrays[self.name][rows], self.arrays[f"{self.name}.scale"][rows], columns
        )


class MemoryBank:
    """The memory of one document.

    Arrays are read-only views of files:
    token_ids (tokens,) int32; spans (tokens, 2) uint32 character offsets; chunk_starts (chunks,) uint32.
    """

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self.folder = folder
        self.manifest = manifest
        self._arrays = {spec.name: open_array(folder, manifest, spec) for spec in manifest.layout.arrays}

    @classmethod
    def open(
        cls, folder: Path | str, identity: BankIdentity | None = None, layout: BankLayout | None = None
    ) -> Self:
        """Open the complete segments of the bank in `folder`.

        Raises
        ------
        BankMismatch
            Its format, identity or layout is not the wanted one; `field` names which.
        BadInput
            There is no bank.
        Failure
            A file is missing, too short, or answers a probe otherwise than when it was written.
        """
        folder = Path(folder)
        manifest = Manifest.read(folder)
        if manifest is None:
            raise BadInput(f"there is no memory bank in {folder}: add the document first")
        if identity is not None:
            manifest.identity.require(identity)
        if layout is not None:
            manifest.layout.require(layout)
        bank = cls(folder, manifest)
        check_probes(folder, manifest, bank._arrays)
        return bank

    @property
    def layout(self) -> BankLayout:
        return self.manifest.layout

    @property
    def identity(self) -> BankIdentity:
        return self.manifest.identity

    @property
    def published(self) -> bool:
        """Tell whether encoding has finished."""
        return self.manifest.published

    @property
    def tokens(self) -> int:
        return self.manifest.counts.tokens

    @property
    def chunks(self) -> int:
        return self.manifest.counts.chunks

    @property
    def segments(self) -> int:
        return self.manifest.counts.segments

    @property
    def token_ids(self) -> np.ndarray:
        return self._arrays["tokens"]

    @property
    def spans(self) -> np.ndarray:
        return self._arrays["spans"]

    @property
    def chunk_starts(self) -> np.ndarray:
        return self._arrays["chunk_starts"]

    @property
    def nbytes(self) -> int:
        """Return the disk bytes of the arrays, learned search keys included."""
        return self.manifest.nbytes + sum(keys.data.stat().st_size for keys in stored_keys(self.folder))

    @property
    def bytes_per_token(self) -> float:
        """Return `nbytes` over tokens; 0 for an empty bank."""
        return self.nbytes / self.tokens if self.tokens else 0.0

    def chunk_keys(self, block: int) -> np.ndarray:
        """Return the mean attention key of every chunk, (chunks, kv_heads, head_dim) fp16: the paper's."""
        return self._arrays[f"chunk_keys.{self._stored(block)}"]

    @property
    def pooled(self) -> "np.ndarray | QuantisedRows":
        """Return the mean hidden states that enter the search block, (chunks, width)."""
        if self.layout.search_block is None:
            raise BadInput("this memory bank stores no hidden states to search by")
        name = f"pooled.{self.layout.search_block}"
        if self.layout.state_block is None:
            return self._arrays[name]
        return QuantisedRows(self._arrays, name, self.chunk_starts)

    def search_keys(self, fingerprint: str, make: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """Return the keys (chunks, dim) fp16 that a learned map makes of `pooled`; computed once and kept.

        fingerprint: names the map. make: float32 (n, width) -> (n, dim); called only for what is missing.
        """
        return DerivedKeys(self.folder, fingerprint).keys(self.pooled, make)

    def gather(
        self, block: int, chunk_ids: Tensor, until: int | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return keys and values of the tokens of chunks.

        chunk_ids (…, k) int64, −1 for none. until: as of `gather_heads`. Returns float32 keys and values
        (…, k · chunk_size, kv_heads, head_dim) and a mask (…, k · chunk_size), True where there is a token.
        Slots without a token hold zeros.
        """
        unique, slots, mask = self._slots(chunk_ids)
        keys = self._rows("keys", block, unique)[slots]
        values, known = self._values(block, unique, until)
        return keys, values[slots], mask & known[slots]

    def gather_heads(
        self, block: int, chunk_ids: Tensor, until: int | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Gather for chunks found per query head: each head gets the keys of its own kv head only.

        until: values are those of the token after each slot's; where that lies from here on, it is masked.
        chunk_ids (…, heads, k), heads a multiple of kv_heads. Returns keys and values
        (…, heads, k · chunk_size, head_dim) and a mask (…, heads, k · chunk_size).
        """
        unique, slots, mask = self._slots(chunk_ids)
        flat = self._per_head(slots)
        keys = self._rows("keys", block, unique).flatten(0, 1)[flat]
        values, known = self._values(block, unique, until)
        return keys, values.flatten(0, 1)[flat], mask & known[slots]

    def _values(self, block: int, tokens: np.ndarray, until: int | None) -> tuple[Tensor, Tensor]:
        """Return the values of tokens (n,) or, with `until`, of what follows them, and which there are; rows
        are as of `_rows`."""
        known = torch.ones(1 + len(tokens), dtype=torch.bool)
        if until is not None:
            tokens = tokens + 1
            known[1:] = torch.from_numpy(tokens < min(until, self.tokens))
            tokens = np.minimum(tokens, self.tokens - 1)
        return self._rows("values", block, tokens), known

    def states(self, tokens: np.ndarray) -> np.ndarray:
        """Return the states (n, width) float32 of tokens (n,) entering the state block.

        Raises BadInput where the bank stores none.
        """
        if self.layout.state_block is None:
            raise BadInput("this memory bank stores no states to be read")
        return QuantisedRows(self._arrays, f"states.{self.layout.state_block}")[tokens]

    def gather_following(
        self, block: int, chunk_ids: Tensor, end: int, keys_of: KeysOf | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Gather per head, with the token after each slot's (…, heads, k · chunk_size) in place of values.

        end: no token from here on is looked at; a slot whose follower lies there is masked. keys_of: the map
        (block, states) -> keys of the backbone, for a bank that stores states in place of keys.
        """
        unique, slots, mask = self._slots(chunk_ids)
        keys = self._keys(block, unique, keys_of).flatten(0, 1)[self._per_head(slots)]
        following = np.full(1 + len(unique), -1, np.int64)
        known = unique + 1 < min(end, self.tokens)
        following[1:][known] = self.token_ids[unique[known] + 1]
        tokens = torch.from_numpy(following)[slots]
        return keys, tokens.clamp(min=0), mask & (tokens >= 0)

    def _per_head(self, slots: Tensor) -> Tensor:
        """Turn slots (…, heads, n) into rows where tokens and kv heads share an axis: r · kv_heads + h."""
        kv_heads, heads = self.layout.kv_heads, slots.shape[-2]
        if heads % kv_heads:
            raise BadInput(f"{heads} query heads cannot share the {kv_heads} key/value heads of this bank")
        return slots * kv_heads + (torch.arange(heads) // (heads // kv_heads))[:, None]

    def token_range(self, char_start: int, char_end: int) -> tuple[int, int]:
        """Return the tokens [t0, t1) that lie wholly inside the characters [char_start, char_end)."""
        first = bisect_left(self.spans[:, 0], char_start)
        last = bisect_right(self.spans[:, 1], char_end)
        return first, max(first, last)

    def chunk_range(self, t0: int, t1: int) -> tuple[int, int]:
        """Return the chunks [c0, c1) that lie wholly inside the tokens [t0, t1)."""
        first = bisect_left(self.chunk_starts, t0)
        # Chunk c ends where c + 1 starts; the last one at the end of the bank.
        last = self.chunks if t1 >= self.tokens else bisect_right(self.chunk_starts, max(t1, 0)) - 1
        return first, max(first, last)

    def chunk_tokens(self, chunk: int) -> tuple[int, int]:
        """Return the tokens [t0, t1) of one chunk."""
        last = chunk + 1 == self.chunks
        return int(self.chunk_starts[chunk]), self.tokens if last else int(self.chunk_starts[chunk + 1])

    def verify(self) -> None:
        """Read everything against the checksums. Raises Failure naming the array that does not match."""
        for spec in self.layout.arrays:
            array, crc32 = self._arrays[spec.name], 0
            step = max(1, CHECKSUM_BYTES // spec.row_bytes)
            for lo in range(0, len(array), step):
                crc32 = checksum(array[lo : lo + step], crc32)
            if crc32 != self.manifest.crc32.get(spec.name, 0):
                raise DamagedBank(self.folder, f"{spec.file} does not match its checksum")
        for keys in stored_keys(self.folder):
            keys.verify()

    def close(self) -> None:
        """Let go of the files; needed before deletion on Windows."""
        self._arrays.clear()

    def _stored(self, block: int) -> int:
        if block not in self.layout.memory_blocks:
            raise BadInput(f"this memory bank holds blocks {self.layout.memory_blocks}, not {block}")
        return block

    def _slots(self, chunk_ids: Tensor) -> tuple[np.ndarray, Tensor, Tensor]:
        """Return token ids to fetch (n,), the row among them of each slot (…, k · chunk_size), and the mask.

        Many tokens and heads find the same chunks: each is fetched once. Row 0 of what is fetched is zeros.
        """
        size = self.layout.chunk_size
        unique, where = np.unique(np.asarray(chunk_ids), return_inverse=True)
        if len(unique) and (unique[-1] >= self.chunks or unique[0] < -1):
            raise BadInput(f"chunk ids must lie between −1 and {self.chunks - 1}")
        none = unique < 0
        starts = np.zeros(len(unique), np.int64)
        ends = np.zeros(len(unique), np.int64)
        found = unique[~none]
        starts[~none] = self.chunk_starts[found]
        last = found + 1 >= self.chunks
        ends[~none] = np.where(last, self.tokens, self.chunk_starts[np.where(last, 0, found + 1)])
        tokens = starts[:, None] + np.arange(size)
        held = tokens < ends[:, None]
        rows = np.where(held, np.cumsum(held).reshape(held.shape), 0)
        shape = (*chunk_ids.shape[:-1], chunk_ids.shape[-1] * size)
        slots = torch.from_numpy(rows[where.reshape(-1)].reshape(shape))
        return tokens[held], slots, slots > 0

    def _keys(self, block: int, tokens: np.ndarray, keys_of: KeysOf | None) -> Tensor:
        """Return float32 keys (1 + n, kv_heads, head_dim), stored or made of the stored states."""
        if "keys" in self.layout.stored_kinds(self._stored(block)):
            return self._rows("keys", block, tokens)
        if keys_of is None:
            raise BadInput("this memory bank stores states in place of keys: a backbone must map them")
        rows = torch.zeros(1 + len(tokens), self.layout.kv_heads, self.layout.head_dim)
        rows[1:] = keys_of(block, torch.from_numpy(self.states(tokens)))
        return rows

    def _rows(self, kind: str, block: int, tokens: np.ndarray) -> Tensor:
        """Return float32 (1 + n, kv_heads, head_dim): a row of zeros, then those of the tokens (n,)."""
        stored = self._arrays[f"{kind}.{self._stored(block)}"][tokens]
        if self.layout.dtype == "int8":
            stored = dequantise(stored, self._arrays[f"{kind}_scale.{block}"][tokens])
        rows = torch.zeros(1 + len(tokens), *stored.shape[1:])
        rows[1:] = torch.from_numpy(stored)
        return rows


def delete_bank(folder: Path | str) -> int:
    """Delete a bank with all that was derived from it; returns the bytes freed, 0 where there was none.

    The manifest goes first: a deletion cut short leaves no bank, and the next writer clears the rest.
    Raises Failure while a writer is at work, or when a file is held open (Windows).
    """
    folder = Path(folder)
    if not folder.is_dir():
        return 0
    with clear_disk_errors(folder):
        lock = FileLock(folder / LOCK)
        with holding(lock, 0, BUSY.format(folder)):
            freed = sum(path.stat().st_size for path in folder.iterdir() if path.is_file())
            (folder / manifests.FILE).unlink(missing_ok=True)
            for path in folder.iterdir():
                if path.name != LOCK:
                    path.unlink()
            lock.release(delete=True)
        lock.path.unlink(missing_ok=True)  # Windows unlinks no file that is open
        folder.rmdir()
    return freed

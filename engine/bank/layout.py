"""What a bank holds (layout) and what it was made of (identity): the two things a reader must agree on.

Every file is a raw little-endian array that only grows. `BankLayout.arrays` is the one list of them; the
writer, the reader and the checks all go through it.
"""

import dataclasses
import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ingest.errors import BadInput

DTYPES = ("float16", "int8")
SEGMENT = 1024  # tokens encoded in one pass


class BankMismatch(BadInput):
    """A bank was made of, or laid out for, something else. `field` names what differs."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True)
class ArraySpec:
    """One array file. rows: what its first axis counts, "tokens", "chunks" or "segments"; shape: of a row."""

    name: str
    dtype: str
    rows: str
    shape: tuple[int, ...] = ()

    @property
    def file(self) -> str:
        return f"{self.name}.bin"

    @property
    def row_bytes(self) -> int:
        return np.dtype(self.dtype).itemsize * math.prod(self.shape)


@dataclass(frozen=True)
class BankIdentity:
    """Hashes of the text, the backbone's weights and the tokenizer that a bank was made with."""

    content: str
    backbone: str
    tokenizer: str

    def require(self, wanted: "BankIdentity") -> None:
        """Raise BankMismatch for the first field that is not as wanted."""
        _require(self, wanted, "was made with another")


@dataclass(frozen=True)
class BankLayout:
    """Shape of a bank.

    memory_blocks: backbone blocks whose keys and values are stored, each (time, kv_heads, head_dim).
    search_block: block whose *entering* hidden states (time, width) are stored as chunk means; None for none.
    chunk_size: tokens per chunk (the last chunk of a segment may be shorter). dtype: of keys and values.
    state_block: block whose entering states are stored for every token, int8 (None for none); its keys are a
    linear map of them and are not stored a second time, and chunk means are int8 too. values: whether memory
    reads any.
    """

    memory_blocks: tuple[int, ...]
    kv_heads: int
    head_dim: int
    search_block: int | None
    width: int
    chunk_size: int = 4
    dtype: str = "float16"
    state_block: int | None = None
    values: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "memory_blocks", tuple(self.memory_blocks))
        if self.dtype not in DTYPES:
            raise BadInput(f"a bank stores {' or '.join(DTYPES)}, not '{self.dtype}'")
        if len(set(self.memory_blocks)) != len(self.memory_blocks):
            raise BadInput("memory_blocks names a block twice")
        if min(self.kv_heads, self.head_dim, self.width, self.chunk_size) < 1:
            raise BadInput("kv_heads, head_dim, width and chunk_size of a bank must be at least 1")
        if not self.memory_blocks and self.search_block is None:
            raise BadInput("a bank needs at least one memory block or a search block")

    def require(self, wanted: "BankLayout") -> None:
        """Raise BankMismatch for the first field that is not as wanted."""
        _require(self, wanted, "is laid out with another")

    @cached_property
    def arrays(self) -> tuple[ArraySpec, ...]:
        """Return every array file of the bank, in the order they are written."""
        head = (self.kv_heads, self.head_dim)
        specs = [ArraySpec("tokens", "<i4", "tokens"), ArraySpec("spans", "<u4", "tokens", (2,))]
        for block in self.memory_blocks:
            for kind in self.stored_kinds(block):
                if self.dtype == "int8":
                    specs.append(ArraySpec(f"{kind}.{block}", "|i1", "tokens", head))
                    specs.append(ArraySpec(f"{kind}_scale.{block}", "<f2", "tokens", (self.kv_heads,)))
                else:
                    specs.append(ArraySpec(f"{kind}.{block}", "<f2", "tokens", head))
        specs.append(ArraySpec("chunk_starts", "<u4", "chunks"))
        specs += [ArraySpec(f"chunk_keys.{block}", "<f2", "chunks", head) for block in self.memory_blocks]
        if self.search_block is not None:
            name = f"pooled.{self.search_block}"
            specs += (
                [ArraySpec(name, "<f2", "chunks", (self.width,))]
                if self.state_block is None
                else self._quantised(name, "chunks")
            )
        if self.state_block is not None:
            specs += self._quantised(f"states.{self.state_block}", "tokens")
            specs.append(ArraySpec("segment_starts", "<u4", "segments"))
        return tuple(specs)

    def _quantised(self, name: str, rows: str) -> list[ArraySpec]:
        """Return the arrays of hidden states (rows, width) as `quantise_states` makes them."""
        return [
            ArraySpec(name, "|i1", rows, (self.width,)),
            ArraySpec(f"{name}.scale", "<f2", rows),
            ArraySpec(f"{name}.columns", "<f2", "segments", (self.width,)),
        ]

    def stored_kinds(self, block: int) -> tuple[str, ...]:
        """Return which of keys and values of a memory block have arrays of their own."""
        if self.values:
            return ("keys", "values")
        return () if block == self.state_block else ("keys",)

    @property
    def search_arrays(self) -> tuple[ArraySpec, ...]:
        """Return the arrays that retrieval searches: chunk keys and pooled hidden states."""
        names = {f"chunk_keys.{block}" for block in self.memory_blocks} | {f"pooled.{self.search_block}"}
        return tuple(spec for spec in self.arrays if spec.name in names)

    @property
    def bytes_per_token(self) -> float:
        """Return the disk bytes that a token takes, learned search keys aside."""
        tokens = {"tokens": 1, "chunks": self.chunk_size, "segments": SEGMENT}
        return sum(spec.row_bytes / tokens[spec.rows] for spec in self.arrays)


def _require(made: BankIdentity | BankLayout, wanted: BankIdentity | BankLayout, verb: str) -> None:
    for field in dataclasses.fields(made):
        ours, theirs = getattr(made, field.name), getattr(wanted, field.name)
        if ours != theirs:
            raise BankMismatch(
                field.name,
                f"this memory bank {verb} {field.name} ({_short(ours)}, wanted {_short(theirs)}): "
                "add its file again to make it anew, or go back to the model it was made with",
            )


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 40 else text[:37] + "…"

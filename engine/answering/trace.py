"""Trace: where every token of an answer was read from, how much each memory layer took; packed to be kept.

Masses are shares of all the attention of the memory layers, 0 to 1; what is missing to 1 went to the null
slot, or to chunks that counted too little. An answer of 160 tokens takes some five kilobytes.
"""

import json
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

FORMAT = 1
KEPT_READS = 8
PARTS = 10_000


@dataclass(frozen=True)
class Read:
    """Memory mass (summed over layers and heads) on the characters [start, end) of a document."""

    document: str
    start: int
    end: int
    mass: float


@dataclass(frozen=True)
class TokenReads:
    """A token's text and what it read, most read first."""

    text: str
    reads: tuple[Read, ...]


@dataclass(frozen=True)
class LayerShare:
    """One memory layer over a whole answer, a number per head.

    gate: how much the head's reading counts; `is_share` says whether as a share between memory and the local
    window (0 to 1), or as a factor. null: mean mass on the null slot, which is reading nothing.
    """

    layer: int
    gate: tuple[float, ...]
    null: tuple[float, ...]
    is_share: bool


@dataclass(frozen=True)
class Trace:
    """All tokens of an answer (joined they are its text), its memory layers, the passages read again."""

    tokens: tuple[TokenReads, ...]
    layers: tuple[LayerShare, ...]
    passages: tuple[Read, ...] = ()

    @property
    def reads(self) -> list[Read]:
        """Return what all tokens read."""
        return [read for token in self.tokens for read in token.reads]

    def packed(self) -> bytes:
        """Pack the trace as compressed JSON."""
        documents = sorted({read.document for read in (*self.reads, *self.passages)})
        number = {name: at for at, name in enumerate(documents)}

        def row(reads: Sequence[Read]) -> list[int]:
            values: list[int] = []
            for read in reads:
                values += [number[read.document], read.start, read.end - read.start, round(read.mass * PARTS)]
            return values

        values = {
            "format": FORMAT,
            "documents": documents,
            "tokens": [[token.text, row(token.reads)] for token in self.tokens],
            "layers": [[one.layer, list(one.gate), list(one.null), one.is_share] for one in self.layers],
            "passages": row(self.passages),
        }
        return zlib.compress(json.dumps(values, separators=(",", ":")).encode(), 9)

    @classmethod
    def unpacked(cls, packed: bytes) -> "Trace | None":
        """Unpack a trace; None where another version of the program packed it."""
        values: dict[str, Any] = json.loads(zlib.decompress(packed))
        if values["format"] != FORMAT:
            return None
        documents = values["documents"]

        def reads(row: list[int]) -> tuple[Read, ...]:
            groups = zip(row[::4], row[1::4], row[2::4], row[3::4], strict=True)
            return tuple(
                Read(documents[one], start, start + size, mass / PARTS) for one, start, size, mass in groups
            )

        tokens = tuple(TokenReads(text, reads(row)) for text, row in values["tokens"])
        layers = tuple(
            LayerShare(layer, tuple(gate), tuple(null), share)
            for layer, gate, null, share in values["layers"]
        )
        return cls(tokens, layers, reads(values["passages"]))


class LayerOfToken(Protocol):
    """What the recorder looks at of a memory layer's reading of one token: null (heads,)."""

    @property
    def layer(self) -> int: ...

    @property
    def null(self) -> np.ndarray: ...


class Recorder:
    """Collects the trace of an answer while it is generated."""

    def __init__(self) -> None:
        self._tokens: list[tuple[str, Sequence[Read]]] = []
        self._nulls: dict[int, list[np.ndarray]] = {}
        self._heads = 0

    def take(self, text: str, reads: Sequence[Read], layers: Sequence[LayerOfToken]) -> None:
        """Record one token; the masses of `reads` are sums over layers and heads."""
        self._tokens.append((text, reads))
        self._heads = sum(len(layer.null) for layer in layers)
        for layer in layers:
            self._nulls.setdefault(layer.layer, []).append(layer.null)

    def finished(
        self, text: str, gates: dict[int, tuple[tuple[float, ...], bool]], passages: Sequence[Read] = ()
    ) -> Trace | None:
        """Make the trace of an answer whose text is `text`; None where nothing was read.

        gates: {layer: (a number per head, whether it is a share)}. passages: what the window held again.
        """
        tokens = list(self._fitted(text))
        if not passages and not any(token.reads for token in tokens):
            return None
        layers = []
        for layer, nulls in sorted(self._nulls.items()):
            gate, is_share = gates[layer]
            null = np.mean(nulls, axis=0)
            layers.append(LayerShare(layer, _rounded(gate), _rounded(null.tolist()), is_share))
        return Trace(tuple(tokens), tuple(layers), tuple(passages))

    def _fitted(self, text: str) -> Iterable[TokenReads]:
        """Yield the tokens that make up `text`: its ends were stripped, half characters have no text yet."""
        whole = "".join(piece for piece, _ in self._tokens)
        first = max(0, whole.find(text))
        last, at = first + len(text), 0
        waiting: list[Read] = []
        for piece, reads in self._tokens:
            begin, at = at, at + len(piece)
            waiting += reads
            shown = whole[max(first, begin) : min(last, at)]
            if shown:
                yield TokenReads(shown, self._most(waiting))
            if piece:
                waiting = []

    def _most(self, reads: Sequence[Read]) -> tuple[Read, ...]:
        kept = sorted(reads, key=lambda read: -read.mass)[:KEPT_READS]
        shares = [(read, round(read.mass / max(1, self._heads), 4)) for read in kept]
        return tuple(Read(read.document, read.start, read.end, share) for read, share in shares if share > 0)


def _rounded(values: Iterable[float]) -> tuple[float, ...]:
    return tuple(round(float(value), 4) for value in values)

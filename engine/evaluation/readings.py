"""How each row of the perplexity table reads a page: alone, with dense context, beside a SideNet, as MemTRM.

Two protocols. "block" is the paper's: a page of 1,024 tokens read from nothing. "sliding": every scored token
has at least half a page of local context, so recovering the text just before the page earns nothing. In both
the memory holds only what lies before the window that is read. Every row scores the same targets of a page.
"""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from engine.backbone.backbone import Backbone
from engine.evaluation.textbank import TextBank
from engine.sidenet.attention import Retrieved
from engine.sidenet.config import SideNetConfig
from engine.sidenet.sidenet import MemoryReader, SideNet
from engine.training.activations import Frozen
from engine.training.memtrm import MemTRM

PAGE = 1024
PROTOCOLS = ("block", "sliding")
ALONE, OFF, MEMTRM_OFF = "backbone, window alone", "SideNet, memory off", "MemTRM, memory off"


@dataclass(frozen=True)
class Window:
    """Tokens [start, end) read from nothing; of them the `targets` (their numbers in the book) are scored."""

    start: int
    end: int
    targets: tuple[int, ...]

    @property
    def places(self) -> Tensor:
        """Return the positions within the window whose next token is a target."""
        return torch.tensor(self.targets) - 1 - self.start


def windows(page: int, protocol: str, size: int = PAGE, every: int = 1) -> tuple[Window, ...]:
    """Cut a page: windows(3, "block", 8) reads 24…32; "sliding" reads 20…28 and 24…32, scores halves.

    Every protocol scores the targets 1 … size − 1 of the page (each `every`-th), so that totals compare.
    """
    start, half = page * size, size // 2
    targets = range(start + 1, start + size, every)
    if protocol == "block":
        return (Window(start, start + size, tuple(targets)),)
    first = Window(start - half, start + half, tuple(t for t in targets if t < start + half))
    return (first, Window(start, start + size, tuple(t for t in targets if t >= start + half)))


class Reading:
    """A book under evaluation: its tokens, its banks, and the activations of the page in hand.

    ids: (tokens,). segments: what the banks are made of, the book's first pages in order. states: the `H_j`
    that any row needs.
    """

    def __init__(
        self, backbone: Backbone, ids: Tensor, segments: list[Frozen], states: tuple[int, ...],
        protocol: str = "sliding", every: int = 1,
    ) -> None:  # fmt: skip
        self.backbone, self.ids, self.segments, self.states = backbone, ids, segments, states
        self.protocol, self.every = protocol, every
        self._banks: dict[SideNetConfig, TextBank] = {}
        self._page = -1
        self._hidden: dict[Any, Any] = {}

    def windows(self, page: int) -> tuple[Window, ...]:
        return windows(page, self.protocol, PAGE, self.every)

    def hidden(self, page: int, window: Window) -> dict[int, Tensor]:
        """Compute `{j: H_j}` (1, time, width) of a window read from nothing, once for all rows of a page."""
        if page != self._page:
            self._page, self._hidden = page, {}
        if window not in self._hidden:
            ids = self.ids[window.start : window.end]
            self._hidden[window] = self.backbone.encode(ids[None], hidden=self.states).hidden
        return self._hidden[window]

    def bank(self, config: SideNetConfig, write: Callable[[list[Frozen]], list[Frozen]]) -> TextBank:
        """Return the book's bank as one configuration reads it, filled once."""
        if config not in self._banks:
            self._banks[config] = TextBank.of(config, write(self.segments))
        return self._banks[config]

    def loss(self, normed: Tensor, window: Window) -> float:
        """Sum the loss over a window's targets; normed (targets, width) at their places."""
        return self.loss_of(self.backbone.head(normed.to(self.backbone.dtype)).float(), window)

    def loss_of(self, logits: Tensor, window: Window) -> float:
        """Sum the loss over a window's targets; logits (targets, vocabulary) at their places."""
        targets = self.ids[torch.tensor(window.targets)].to(logits.device)
        return F.cross_entropy(logits, targets, reduction="sum").item()


PageLoss = Callable[[Reading, int], float]


@dataclass(frozen=True)
class Variant:
    """One row: its name, its summed loss on a page, and the row it is compared with: the same, less memory.

    frozen: depends on the backbone alone, so that it is scored once for all checkpoints. costly: may be
    scored on fewer pages.
    """

    name: str
    loss: PageLoss
    base: str
    frozen: bool = False
    costly: bool = False


def backbone_alone(reading: Reading, page: int) -> float:
    """Score a page by the frozen model with the window as its whole context."""
    backbone, total = reading.backbone, 0.0
    for window in reading.windows(page):
        last = reading.hidden(page, window)[backbone.blocks][0, window.places]
        total += reading.loss(backbone.final_norm(last), window)
    return total


def dense_context(context: int) -> PageLoss:
    """Score pages by the frozen model over the last `context` tokens up to their end, in one pass.

    context: at least a page, whose first targets would otherwise stand before the window.
    """

    def loss(reading: Reading, page: int) -> float:
        backbone, end = reading.backbone, (page + 1) * PAGE
        start = max(0, end - context)
        window = Window(start, end, tuple(t for w in reading.windows(page) for t in w.targets))
        last = backbone.encode(reading.ids[None, start:end], hidden=(backbone.blocks,))
        return reading.loss(backbone.final_norm(last.hidden[backbone.blocks][0, window.places]), window)

    return loss


@dataclass(frozen=True)
class LayersAlone:
    """Serves some memory layers; the others find an empty bank. Implements `MemoryReader`.

    words: whether the book's own words are told.
    """

    memory: MemoryReader
    layers: tuple[int, ...]
    kv_heads: int
    words: bool = False

    def read(
        self, layer: int, query: Tensor, search: Tensor | None, chunks: Tensor | None = None
    ) -> Retrieved:
        if layer in self.layers:
            return self.memory.read(layer, query, search, chunks)
        return Retrieved.nothing(query, self.kv_heads)

    def counts(self, vocabulary: int) -> Tensor | None:
        return self.memory.counts(vocabulary) if self.words else None


def sidenet_reading(
    sidenet: SideNet,
    size: int | None,
    top_k: int | None = None,
    chunk: int | None = None,
    layers: tuple[int, ...] | None = None,
) -> PageLoss:
    """Score pages by a SideNet with `size` tokens before the window in memory: 0 all, None none.

    layers: the memory layers that read; None for all, () for the book's own words alone.
    """
    config = dataclasses.replace(sidenet.config, chunk_size=chunk or sidenet.config.chunk_size)

    def loss(reading: Reading, page: int) -> float:
        total = 0.0
        for window in reading.windows(page):
            reader: MemoryReader | None = None
            if size is not None:
                bank = reading.bank(config, lambda segments: segments)
                reader = bank.reader(window.start, size, sidenet.search, top_k)
                if reader is not None and layers is not None:
                    reader = LayersAlone(reader, layers, config.kv_heads, words=not layers)
            hidden, places = reading.hidden(page, window), window.places
            if sidenet.pointwise:  # no position looks at another: the scored ones do
                hidden, places = {j: state[:, places] for j, state in hidden.items()}, slice(None)
            total += reading.loss_of(sidenet(hidden, reader).logits(reading.backbone, at=places), window)
        return total

    return loss


def memtrm_reading(model: MemTRM, size: int | None) -> PageLoss:
    """Read with MemTRM: the last `size` tokens before the window as memory, written by its own weights."""

    def write(segments: list[Frozen]) -> list[Frozen]:
        return [Frozen(part.ids, {}, *model.store(part.hidden[model.block])) for part in segments]

    def loss(reading: Reading, page: int) -> float:
        total = 0.0
        for window in reading.windows(page):
            reader = None
            if size is not None:
                reader = reading.bank(model.config, write).reader(window.start, size)
            normed = model(reading.hidden(page, window), reader).normed[0, window.places]
            total += reading.loss(normed, window)
        return total

    return loss


@dataclass(frozen=True)
class Compared:
    """What the table compares, and at which settings."""

    sidenet: SideNet
    control: SideNet | None = None
    memtrm: MemTRM | None = None
    dense: tuple[int, ...] = ()
    sizes: tuple[int, ...] = ()
    top_k: int | None = None
    chunk_sizes: tuple[int, ...] = ()
    top_ks: tuple[int, ...] = ()

    def states(self) -> tuple[int, ...]:
        """List the `H_j` of a window that some row needs."""
        models = [model for model in (self.sidenet, self.control, self.memtrm) if model is not None]
        return tuple(sorted({j for model in models for j in model.states} | {self.sidenet.config.blocks}))

    def rows(self) -> list[Variant]:
        """List the rows of the table, in its order."""
        rows = [Variant(ALONE, backbone_alone, ALONE, frozen=True)]
        rows += [
            Variant(f"backbone, dense {n}", dense_context(n), ALONE, frozen=True, costly=True)
            for n in self.dense
        ]
        if self.control is not None:
            control = sidenet_reading(self.control, None)
            rows.append(Variant("control: SideNet trained without memory", control, OFF))
        rows.append(Variant(OFF, sidenet_reading(self.sidenet, None), OFF))
        rows += [
            Variant(f"SideNet, {memory(n)}", sidenet_reading(self.sidenet, n, self.top_k), OFF)
            for n in self.sizes
        ]
        rows += self._forms()
        rows += self._ablations()
        if self.memtrm is not None:
            rows.append(Variant(MEMTRM_OFF, memtrm_reading(self.memtrm, None), MEMTRM_OFF))
            ends = dict.fromkeys((self.sizes[0], self.sizes[-1])) if self.sizes else ()
            rows += [
                Variant(f"MemTRM, {memory(n)}", memtrm_reading(self.memtrm, n), MEMTRM_OFF) for n in ends
            ]
        return rows

    def _forms(self) -> list[Variant]:
        """List votes, values, and the book's own words alone, where a SideNet has several; whole past."""
        config = self.sidenet.config
        kinds: dict[str, list[int]] = {"votes": [], "values": []}
        for layer in config.memory_layers:
            kinds["values" if config.gives_values(layer) else "votes"].append(layer)
        there = {kind: layers for kind, layers in kinds.items() if layers}
        if config.lexicon:
            there["words"] = []
        return [
            Variant(
                f"SideNet, {kind} alone, whole past",
                sidenet_reading(self.sidenet, 0, self.top_k, layers=tuple(layers)),
                OFF,
            )
            for kind, layers in there.items()
            if len(there) > 1
        ]

    def _ablations(self) -> list[Variant]:
        """List other chunk sizes with as many tokens read, and other numbers of chunks; whole past."""
        config, rows = self.sidenet.config, []
        chunks = self.top_k or config.top_k
        for size in self.chunk_sizes:
            k = max(1, chunks * config.chunk_size // size)
            reading = sidenet_reading(self.sidenet, 0, k, size)
            rows.append(Variant(f"SideNet, whole past, top {k} chunks of {size}", reading, OFF))
        for k in self.top_ks:
            reading = sidenet_reading(self.sidenet, 0, k)
            rows.append(Variant(f"SideNet, whole past, top {k} chunks of {config.chunk_size}", reading, OFF))
        return list({row.name: row for row in rows}.values())


def memory(size: int) -> str:
    """Name a row: memory(8192) = "memory 8192", memory(0) = "memory whole past"."""
    return f"memory {size}" if size else "memory whole past"

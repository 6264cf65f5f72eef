"""The one generation loop: prefill, then token by token, backbone and SideNet each with its cache.

A token costs the same whatever the bank holds, but for the exact search over its chunk keys. When the local
window is full its older half is handed to `spill` (a bank for this text alone) and the rest is read again, so
a text never ends for want of room.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from threading import Event
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from engine.backbone.backbone import Backbone
from engine.sampling import Sampling, choose
from engine.sidenet.sidenet import LayerTrace, MemoryReader, SideCache, SideNet, SideOutput

WINDOW = 1024
PENALISED = 256


@dataclass(frozen=True)
class LayerRead:
    """What one memory layer read for one token: chunks (heads or 1, k), mass (heads, k), null (heads,)."""

    layer: int
    chunks: np.ndarray
    mass: np.ndarray
    null: np.ndarray


@dataclass(frozen=True)
class Token:
    """One generated token: `text` is what it adds (empty in the middle of a character)."""

    id: int
    text: str
    trace: tuple[LayerRead, ...]


class Spill(Protocol):
    """Takes the tokens that leave the local window."""

    def append(self, token_ids: Sequence[int]) -> None: ...


def layer_read(trace: LayerTrace, chunk_size: int) -> LayerRead:
    """Sum the trace of the last token of the first row of a batch per chunk."""
    mass = trace.mass[0, -1]
    heads = mass.shape[0]
    if trace.chunks is None:
        return LayerRead(trace.layer, np.zeros((1, 0), np.int64), np.zeros((heads, 0)), mass[:, -1].numpy())
    per_chunk = mass[:, :-1].unflatten(-1, (-1, chunk_size)).sum(-1)
    chunks = trace.chunks[0, -1]
    return LayerRead(trace.layer, chunks.cpu().numpy(), per_chunk.cpu().numpy(), mass[:, -1].cpu().numpy())


class StreamDecoder:
    """Turns token ids into text as they come, holding back bytes until their character is whole.

    Tokens are decoded behind the ones before: some tokenizers leave out the space that a text begins with.
    """

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer
        self.before: list[int] = []
        self.pending: list[int] = []

    def push(self, token_id: int) -> str:
        """Take a token and return the text that it completes."""
        self.pending.append(token_id)
        text = self._text(self.before + self.pending)
        if text.endswith("\ufffd") and len(self.pending) < 8:
            return ""
        told = len(self._text(self.before))
        self.before, self.pending = self.pending, []
        return text[told:]

    def _text(self, ids: list[int]) -> str:
        return self.tokenizer.decode(ids, skip_special_tokens=True)


class Reader:
    """Backbone and SideNet reading one local window beside a memory."""

    def __init__(self, backbone: Backbone, sidenet: SideNet, window: int = WINDOW) -> None:
        self.backbone = backbone
        self.sidenet = sidenet
        self.window = min(window, backbone.context)
        tokenizer = backbone.tokenizer
        self.ends = {tokenizer.eos_token_id, tokenizer.convert_tokens_to_ids("<|endoftext|>")} - {None}

    @torch.inference_mode()
    def generate(
        self,
        ids: Sequence[int],
        memory: MemoryReader | None,
        sampling: Sampling,
        stop: Event | None = None,
        spill: Spill | None = None,
    ) -> Iterator[Token]:
        """Yield tokens after `ids` until the end token, `sampling.max_tokens`, or `stop` is set.

        A prompt longer than the window keeps its end; what was before goes to `spill` if given.
        """
        window = self._fitted(list(ids), spill)
        generator = sampling.generator()
        decoder = StreamDecoder(self.backbone.tokenizer)
        recent: deque[int] = deque(maxlen=PENALISED)
        state = WindowState(self, window, memory)
        for _ in range(sampling.max_tokens):
            if stop is not None and stop.is_set():
                return
            token_id = choose(state.logits(), recent, sampling, generator)
            if token_id in self.ends:
                return
            yield Token(token_id, decoder.push(token_id), state.trace())
            recent.append(token_id)
            window.append(token_id)
            if stop is not None and stop.is_set():
                return
            if len(window) >= self.window:
                window = self._fitted(window, spill)
                state = WindowState(self, window, memory)
            else:
                state.feed([token_id])

    def _fitted(self, ids: list[int], spill: Spill | None) -> list[int]:
        """Return the part of a prompt that the window holds with room to go on; the older part is spilled."""
        if len(ids) < self.window:
            return ids
        kept = self.window // 2
        if spill is not None:
            spill.append(ids[:-kept])
        return ids[-kept:]


class WindowState:
    """The caches of both networks over the local window, and the newest position's output."""

    def __init__(self, reader: Reader, ids: Sequence[int], memory: MemoryReader | None) -> None:
        self.reader, self.memory = reader, memory
        self.backbone_cache = reader.backbone.new_cache()
        self.side_cache = SideCache()
        self.output: SideOutput
        self.feed(ids)

    def feed(self, ids: Sequence[int]) -> None:
        """Run both networks over new tokens."""
        backbone, sidenet = self.reader.backbone, self.reader.sidenet
        tensor = torch.tensor([list(ids)], device=backbone.device)
        encoding = backbone.encode(tensor, hidden=sidenet.states, cache=self.backbone_cache)
        hidden = encoding.hidden
        if sidenet.pointwise:  # what memory gave to earlier tokens changes nothing now
            hidden = {j: states[:, -1:] for j, states in hidden.items()}
        self.output = sidenet(hidden, self.memory, self.side_cache)

    def logits(self) -> Tensor:
        """Compute the logits (vocabulary,) after the newest token."""
        return self.output.logits(self.reader.backbone, at=slice(-1, None))[0]

    def trace(self) -> tuple[LayerRead, ...]:
        """Return what the newest position read, one entry a memory layer."""
        size = self.reader.sidenet.config.chunk_size
        return tuple(layer_read(trace, size) for trace in self.output.traces)

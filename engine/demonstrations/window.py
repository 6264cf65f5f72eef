"""The local window: demonstrations as a prefix that is read once, and the likelihood of labels after a text.

    log p(label | shots, text) = Σ_i log p(l_i | shots, text, l_1 … l_{i−1})    over the whole vocabulary

Texts of equal length form a batch, so that none is padded; labels share the cache of their text.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from engine.backbone.backbone import Backbone
from engine.backbone.growing import Cache
from engine.demonstrations.examplebank import padded
from engine.sidenet.sidenet import LayerTrace, MemoryReader, SideCache, SideLayer, SideOutput

ALONE = "backbone alone"  # in the place of a memory: what the backbone itself says, in the same pass
ROWS = 16  # of one batch of label continuations
BATCH_TOKENS = 512
CACHED_TOKENS = 16_384  # of all rows of a batch together: some 750 MB with the default model


@dataclass(frozen=True)
class Prefix:
    """Caches of both networks after the demonstrations of a window (batch of one)."""

    ids: tuple[int, ...]
    backbone: Cache
    side: SideCache


@dataclass(frozen=True)
class Scores:
    """labels: log-likelihood (texts, labels) of each label; top: (texts,) the likeliest first token of all;
    traces: per text what its last token read, one entry a memory layer, and the row of its batch."""

    labels: Tensor
    top: Tensor
    traces: list[tuple[tuple[LayerTrace, ...], int]]


class Beside(Protocol):
    """A network that reads the backbone's hidden states and a memory: the SideNet, or a rival of it.

    states: the j of the `H_j` it needs; layers: `SideLayer`s, lowest first; pointwise: see `SideNet`.
    """

    states: tuple[int, ...]
    layers: Sequence[SideLayer]
    pointwise: bool

    def __call__(
        self, hidden: dict[int, Tensor], memory: MemoryReader | None, cache: SideCache | None
    ) -> SideOutput: ...


class LabelScorer:
    """Backbone (and a network beside it, where given) over windows of one task."""

    def __init__(self, backbone: Backbone, sidenet: Beside | None, answers: Sequence[Sequence[int]]) -> None:
        """Prepare to score labels. answers: token ids of each label's word, none empty."""
        self.backbone, self.sidenet = backbone, sidenet
        self.answers = [tuple(answer) for answer in answers]
        # of each label that has more than one token, all but the last: what has to be read to score it
        longer = sorted({answer[:-1] for answer in self.answers if len(answer) > 1}, key=len, reverse=True)
        self._paths = [
            one for at, one in enumerate(longer) if not any(_starts(big, one) for big in longer[:at])
        ]
        self._path_of = [
            next(
                (at for at, path in enumerate(self._paths) if len(answer) > 1 and _starts(path, answer[:-1])),
                None,
            )
            for answer in self.answers
        ]

    @torch.inference_mode()
    def prefix(self, ids: Sequence[int]) -> Prefix:
        """Read the demonstrations of a window once; without any the caches are empty."""
        backbone_cache, side_cache = self.backbone.new_cache(), SideCache()
        if ids:
            encoding = self.backbone.encode(torch.tensor([list(ids)]), self._states, (), backbone_cache)
            if self.sidenet is not None:
                self.sidenet(encoding.hidden, None, side_cache)
        return Prefix(tuple(ids), backbone_cache, side_cache)

    @torch.inference_mode()
    def score(
        self,
        prefix: Prefix,
        texts: Sequence[Sequence[int]],
        memories: Sequence[MemoryReader | str | None] = (None,),
    ) -> list[Scores]:
        """Score texts (token ids of prompts) for each memory; the backbone runs once for all memories."""
        found = [_Collected(len(texts), len(self.answers)) for _ in memories]
        at_once = max(1, CACHED_TOKENS // max(1, len(prefix.ids)))
        for group in _equal_lengths(texts, BATCH_TOKENS, at_once):
            ids = torch.tensor([list(texts[at]) for at in group])
            caches = [
                _branched(prefix.backbone, len(group)),
                [_side(prefix.side, len(group)) for _ in memories],
            ]
            first = self._read(ids, caches, memories)
            for collected, (logits, traces) in zip(found, first, strict=True):
                collected.begin(group, logits, self.answers, traces)
            if self._paths:
                self._continue(group, caches, memories, found, min(ROWS, at_once))
        return [one.scores() for one in found]

    @property
    def _states(self) -> tuple[int, ...]:
        return (self.backbone.blocks,) if self.sidenet is None else self.sidenet.states

    def _read(
        self, ids: Tensor, caches: list, memories: Sequence[MemoryReader | str | None], every: bool = False
    ) -> list:
        """Return [(log-probabilities (batch, time or 1, vocabulary), traces)] a memory, after new tokens."""
        encoding = self.backbone.encode(ids, self._states, (), caches[0])
        results = []
        for memory, side in zip(memories, caches[1], strict=True):
            if self.sidenet is None or isinstance(memory, str):  # ALONE
                last = encoding.hidden[self.backbone.blocks]
                normed, traces = self.backbone.final_norm(last if every else last[:, -1:]), ()
            else:
                normed, traces = self._side_read(encoding.hidden, memory, side, every)
            logits = self.backbone.head(normed.to(self.backbone.dtype)).float()
            results.append((logits.log_softmax(-1), traces))
        return results

    def _side_read(
        self, hidden: dict, memory: MemoryReader | None, cache: SideCache, every: bool
    ) -> tuple[Tensor, tuple]:
        """Run the SideNet over new tokens. Where no later position and no layer above the reading one could
        tell, tokens whose output nobody asks for are read without memory: the result is the same, the search
        is saved.
        """
        assert self.sidenet is not None
        told = not self.sidenet.pointwise and self._read_above
        if not every and next(iter(hidden.values())).shape[1] > 1 and not told:
            if not self.sidenet.pointwise:
                self.sidenet({j: state[:, :-1] for j, state in hidden.items()}, None, cache)
            hidden = {j: state[:, -1:] for j, state in hidden.items()}
        output = self.sidenet(hidden, memory, cache)
        return (output.normed if every else output.normed[:, -1:]), output.traces

    @property
    def _read_above(self) -> bool:
        """Tell whether an active side layer stands above a memory layer."""
        assert self.sidenet is not None
        active = [layer for layer in self.sidenet.layers if layer.active]
        reading = [at for at, layer in enumerate(active) if layer.memory is not None]
        return bool(reading) and reading[0] != len(active) - 1

    def _continue(
        self, group: list[int], caches: list, memories: Sequence, found: Sequence["_Collected"], rows: int
    ) -> None:
        """Read the labels of more than one token after the texts of a group, some rows at a time."""
        for row, at in enumerate(group):
            for lo in range(0, len(self._paths), rows):
                paths = self._paths[lo : lo + rows]
                branch = [
                    _branched(caches[0], len(paths), row),
                    [_side(side, len(paths), row) for side in caches[1]],
                ]
                results = self._read(padded(paths), branch, memories, every=True)
                for label, path in enumerate(self._path_of):
                    if path is not None and lo <= path < lo + rows:
                        for collected, (logits, _) in zip(found, results, strict=True):
                            rest = self.answers[label][1:]
                            steps = logits[path - lo, torch.arange(len(rest)), list(rest)]
                            collected.sums[at, label] += steps.sum().item()


class _Collected:
    """Sums of the log-likelihoods of labels while their tokens are being read."""

    def __init__(self, texts: int, labels: int) -> None:
        self.sums = torch.zeros(texts, labels)
        self.top = torch.zeros(texts, dtype=torch.int64)
        self.traces: list = [((), 0)] * texts

    def begin(
        self, group: list[int], logits: Tensor, answers: Sequence[tuple[int, ...]], traces: tuple
    ) -> None:
        last = logits[:, -1].cpu()
        self.sums[group] = last[:, [answer[0] for answer in answers]]
        self.top[group] = last.argmax(-1)
        for row, at in enumerate(group):
            self.traces[at] = (traces, row)

    def scores(self) -> Scores:
        return Scores(self.sums, self.top, self.traces)


def _starts(long: tuple[int, ...], start: tuple[int, ...]) -> bool:
    return long[: len(start)] == start


def _equal_lengths(texts: Sequence[Sequence[int]], tokens: int, rows: int) -> list[list[int]]:
    """Group the positions of texts by length, up to `tokens` and `rows` together."""
    groups: dict[int, list[int]] = {}
    for at, text in enumerate(texts):
        groups.setdefault(len(text), []).append(at)
    return [
        group[lo : lo + size]
        for length, group in groups.items()
        for size in [max(1, min(rows, tokens // max(1, length)))]
        for lo in range(0, len(group), size)
    ]


def _branched(cache: Cache, rows: int, of: int = 0) -> Cache:
    """Copy a cache so that it goes on from row `of` of another `rows` times; the other stays as it is."""
    made = copy.copy(cache)
    made.layers = [copy.copy(layer) for layer in cache.layers]
    for layer in made.layers:
        if layer.keys is not None and layer.values is not None:
            layer.keys = layer.keys[of : of + 1].expand(rows, -1, -1, -1)
            layer.values = layer.values[of : of + 1].expand(rows, -1, -1, -1)
    return made


def _side(cache: SideCache, rows: int, of: int = 0) -> SideCache:
    layers = {
        layer: tuple(part[of : of + 1].expand(rows, -1, -1, -1) for part in pair)
        for layer, pair in cache.layers.items()
    }
    return SideCache(cache.position, layers)

"""The memory of a library: which demonstrations may be read, and how the SideNet reads them.

Any set of examples can be chosen (those not held out, 2,000 at random): chunks of others are no candidates.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from engine.bank.bank import MemoryBank
from engine.demonstrations.states import read_states
from engine.demonstrations.store import Example
from engine.retrieval.gathered import Gathered
from engine.retrieval.index import SearchIndex
from engine.retrieval.kinds import make_index
from engine.retrieval.memory import learned_keys
from engine.sidenet.attention import Retrieved
from engine.sidenet.sidenet import LayerTrace, SideNet


class DemonstrationMemory:
    """The encoded examples of one library, in the bank's order.

    folder: of the library. examples: (n) alive and encoded; states: (n, dim) float32, what votes; chunks:
    (n, 2) chunk ranges; ends: (tokens of the bank,) True for the last token of each demonstration.
    """

    def __init__(self, folder: Path, bank: MemoryBank, examples: Sequence[Example], dim: int) -> None:
        self.folder, self.bank = folder, bank
        ids, first = np.unique(bank.spans[:, 0], return_index=True)
        alive = {one.id: one for one in examples}
        rows = [row for row, identifier in enumerate(ids.tolist()) if identifier in alive]
        self.examples = [alive[int(ids[row])] for row in rows]
        self.ends = np.append(np.diff(bank.spans[:, 0].astype(np.int64)) != 0, True)
        edges = np.append(np.searchsorted(bank.chunk_starts, first), bank.chunks)
        self.chunks = np.stack((edges[:-1], edges[1:]), axis=1)[rows]
        self.states = read_states(folder, len(ids), dim)[rows]

    def rows(self, part: str = "memory") -> np.ndarray:
        """Return rows of the examples of one part."""
        return np.array([row for row, one in enumerate(self.examples) if one.part == part], dtype=np.int64)


class DemonstrationReader:
    """What the SideNet may read: the demonstrations at `rows`. Serves batches (implements `MemoryReader`)."""

    def __init__(self, memory: DemonstrationMemory, rows: np.ndarray, sidenet: SideNet) -> None:
        self.memory, self.rows, self.config = memory, np.sort(rows), sidenet.config
        ranges = memory.chunks[self.rows]
        self._chunks = np.concatenate([np.arange(lo, hi) for lo, hi in ranges] or [np.zeros(0, np.int64)])
        self._owner = np.repeat(self.rows, ranges[:, 1] - ranges[:, 0])
        self._search = sidenet.search if sidenet.config.reads_by_map else None
        self._indices: dict[int | None, SearchIndex] = {}

    def read(
        self, layer: int, query: Tensor, search: Tensor | None, chunks: Tensor | None = None
    ) -> Retrieved:
        """Fetch the best `top_k` chunks for every token of a batch; see `MemoryReader`."""
        block = self.config.read_block(layer)
        if chunks is not None:
            found = chunks.flatten(0, 1)
        else:
            asked = query if search is None else search[:, :, None]
            found, _ = self._index(block if search is None else None).search(
                asked.flatten(0, 1).float(), self.config.top_k
            )
        chunks = torch.from_numpy(np.where(found >= 0, np.append(self._chunks, 0)[found], -1))
        bank = self.memory.bank
        gathered = Gathered.of(bank, self.config, layer, chunks, bank.tokens)
        if gathered.following is not None:
            gathered = self._within_examples(gathered, chunks)
        return gathered.retrieved(query, found)

    def counts(self, vocabulary: int) -> None:
        """Say that examples are no text to go on with."""

    def _within_examples(self, gathered: Gathered, chunks: Tensor) -> Gathered:
        """Leave out the last token of each demonstration: what follows it is another one's."""
        bank = self.memory.bank
        starts = bank.chunk_starts[np.maximum(chunks.numpy(), 0)].astype(np.int64)
        places = torch.from_numpy(starts)[..., None] + torch.arange(self.config.chunk_size)
        ends = torch.from_numpy(self.memory.ends)[places.clamp(max=bank.tokens - 1)]
        assert gathered.mask is not None
        return replace(gathered, mask=gathered.mask & ~ends.flatten(-2))

    def masses(self, trace: LayerTrace, row: int) -> dict[int, float]:
        """Sum over heads the attention mass of the last token on each demonstration (row of the memory)."""
        assert trace.chunks is not None
        per_chunk = trace.mass[row, -1, :, :-1].unflatten(-1, (-1, self.config.chunk_size)).sum(-1)
        chunks = trace.chunks[row, -1].expand(len(per_chunk), -1)
        masses: dict[int, float] = {}
        for chunk, mass in zip(chunks.flatten().tolist(), per_chunk.flatten().tolist(), strict=True):
            if chunk >= 0 and mass > 0:
                owner = int(self._owner[chunk])
                masses[owner] = masses.get(owner, 0.0) + mass
        return masses

    def _index(self, block: int | None) -> SearchIndex:
        if block not in self._indices:
            bank = self.memory.bank
            source = bank.chunk_keys(block) if block is not None else learned_keys(bank, self._search)
            self._indices[block] = make_index(np.asarray(source[self._chunks]))
        return self._indices[block]

"""Memory: the chunks of one or several banks that may be read, and their retrieval for memory attention.

A stretch is a range of chunks of one bank: a whole book, a chapter, or "up to where I have read". What lies
outside is not a candidate, is not fetched, and its bytes are never touched. Chunk ids in a trace count
through all stretches of a memory in order; `locate` leads back to bank and tokens.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from engine.bank.bank import MemoryBank
from engine.retrieval.gathered import Gathered
from engine.retrieval.index import SearchIndex
from engine.retrieval.kinds import make_index
from engine.sidenet.attention import Retrieved
from engine.sidenet.lexicon import counted
from engine.sidenet.search import SearchMap
from engine.sidenet.sidenet import SideNet
from ingest.errors import BadInput


class SearchableBank:
    """One open bank with the search keys of a SideNet, made at the first search and kept in memory."""

    def __init__(self, bank: MemoryBank, sidenet: SideNet, name: str = "") -> None:
        self.bank = bank
        self.name = name
        self.search = sidenet.search
        self.keys_of = sidenet.keys_of
        self._indices: dict[int | None, SearchIndex] = {}

    def index(self, block: int | None) -> SearchIndex:
        """Return the index of a memory block's attention keys or (block None) of the learned map's keys."""
        if block not in self._indices:
            keys = self.learned_keys() if block is None else self.bank.chunk_keys(block)
            self._indices[block] = make_index(keys)
        return self._indices[block]

    def learned_keys(self) -> np.ndarray:
        """Return a learned map's search keys (chunks, search_dim), computed once and kept beside the bank."""
        return learned_keys(self.bank, self.search)


def learned_keys(bank: MemoryBank, search: SearchMap | None) -> np.ndarray:
    """Search keys (chunks, search_dim) of a learned map, computed once and kept beside the bank.

    Raises BadInput where the SideNet has no such map.
    """
    if search is None:
        raise BadInput("this SideNet reads by attention keys, not by a learned map")

    @torch.inference_mode()
    def make(pooled: np.ndarray) -> np.ndarray:
        return search.keys(torch.from_numpy(pooled).to(search.mean)).cpu().numpy()

    return bank.search_keys(search.fingerprint(), make)


@dataclass(frozen=True)
class Stretch:
    """Chunks [start, end) of one bank."""

    source: SearchableBank
    start: int
    end: int

    @classmethod
    def of_characters(cls, source: SearchableBank, start: int, end: int) -> "Stretch":
        """Return the chunks that lie wholly inside the characters [start, end)."""
        return cls(source, *source.bank.chunk_range(*source.bank.token_range(start, end)))

    @classmethod
    def whole(cls, source: SearchableBank) -> "Stretch":
        """Return all that a bank holds."""
        return cls(source, 0, source.bank.chunks)

    @property
    def tokens(self) -> int:
        return len(self.token_ids)

    @property
    def token_ids(self) -> np.ndarray:
        """Return the tokens that it holds (tokens,)."""
        bank = self.source.bank
        if self.end <= self.start:
            return bank.token_ids[:0]
        return bank.token_ids[int(bank.chunk_starts[self.start]) : bank.chunk_tokens(self.end - 1)[1]]


@dataclass(frozen=True)
class Location:
    """Where one chunk of a memory stands: bank name, its tokens and characters there."""

    name: str
    chunk: int
    tokens: tuple[int, int]
    characters: tuple[int, int]


class Memory:
    """What the SideNet may read: implements `MemoryReader` for one row over stretches of banks.

    goes_on: whether the window goes on with their text, so that their own words are told; a talk about a book
    is no such text, and would drift towards the book's names.
    """

    def __init__(self, stretches: Sequence[Stretch], sidenet: SideNet, goes_on: bool = True) -> None:
        self.config, self.goes_on = sidenet.config, goes_on
        self.stretches: list[Stretch] = []
        self._offsets = np.zeros(1, np.int64)
        self.take(*stretches)

    def take(self, *stretches: Stretch) -> None:
        """Let more be read; chunk ids given out so far keep their meaning."""
        self.stretches += [stretch for stretch in stretches if stretch.end > stretch.start]
        sizes = [stretch.end - stretch.start for stretch in self.stretches]
        self._offsets = np.cumsum([0, *sizes])
        self._counts: Tensor | None = None

    @property
    def tokens(self) -> int:
        """Return how many tokens can be read."""
        return sum(stretch.tokens for stretch in self.stretches)

    @property
    def chunks(self) -> int:
        return int(self._offsets[-1])

    def locate(self, chunk: int) -> Location:
        """Return bank, tokens and characters of a chunk id of this memory."""
        which = int(np.searchsorted(self._offsets, chunk, side="right")) - 1
        stretch = self.stretches[which]
        bank = stretch.source.bank
        local = stretch.start + chunk - int(self._offsets[which])
        t0, t1 = bank.chunk_tokens(local)
        characters = (int(bank.spans[t0, 0]), int(bank.spans[t1 - 1, 1]))
        return Location(stretch.source.name, local, (t0, t1), characters)

    def search(self, queries: Tensor, k: int, block: int | None) -> tuple[Tensor, Tensor]:
        """Find the best k chunks over all stretches.

        queries: (time, heads, dim) for attention keys of `block`, (time, 1, dim) for the learned map (None).
        Returns ids (time, heads, k) of this memory, −1 where too few, and scores, −inf there.
        """
        shape = (*queries.shape[:2], k)
        ids = torch.full(shape, -1, dtype=torch.int64)
        scores = torch.full(shape, float("-inf"))
        for stretch, offset in zip(self.stretches, self._offsets, strict=False):
            found, found_scores = stretch.source.index(block).search(queries, k, stretch.start, stretch.end)
            found = torch.where(found >= 0, found - stretch.start + int(offset), found)
            scores, order = torch.cat((scores, found_scores), dim=-1).topk(k, dim=-1)
            ids = torch.cat((ids, found), dim=-1).gather(-1, order)
        return ids, scores

    def read(
        self, layer: int, query: Tensor, search: Tensor | None, chunks: Tensor | None = None
    ) -> Retrieved:
        """Fetch keys and values of the best `top_k` chunks for every token of one row.

        query: (1, time, heads, head_dim). search: (1, time, search_dim) or None. chunks: (1, time, heads or
        1, k), found before, or None.
        """
        block = self.config.read_block(layer)
        if chunks is not None:
            chunks = chunks[0]
        elif search is None:
            chunks, _ = self.search(query[0].float(), self.config.top_k, block)
        else:
            chunks, _ = self.search(search[0, :, None].float(), self.config.top_k, None)
        return self._gather(layer, chunks).retrieved(query, chunks)

    def counts(self, vocabulary: int) -> Tensor | None:
        """Count the tokens that may be read: (1, vocabulary); None where the window is not their text."""
        if not self.goes_on:
            return None
        if self._counts is None:
            parts = [torch.from_numpy(stretch.token_ids.astype(np.int64)) for stretch in self.stretches]
            self._counts = counted(torch.cat([torch.zeros(0, dtype=torch.int64), *parts]), vocabulary)[None]
        return self._counts

    def _gather(self, layer: int, chunks: Tensor) -> Gathered:
        """Fetch what chunks (time, heads or 1, k) of this memory give a memory layer."""
        found = Gathered.nothing(self.config, layer, chunks)
        for stretch, offset in zip(self.stretches, self._offsets, strict=False):
            mine = (chunks >= offset) & (chunks < offset + stretch.end - stretch.start)
            local = torch.where(mine, chunks - int(offset) + stretch.start, -1)
            bank = stretch.source.bank
            end = bank.chunk_tokens(stretch.end - 1)[1]
            found = found.joined(Gathered.of(bank, self.config, layer, local, end, stretch.source.keys_of))
        return found

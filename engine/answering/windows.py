"""Windows: the passages found, with their neighbouring sentences, as readers take them.

Their states come out of the memory bank. A document that has no bank yet is read all the same: its passages
are encoded for this one question.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from engine.backbone.backbone import Backbone
from engine.bank.bank import MemoryBank
from engine.library import Library
from engine.shelf.fulltext import Hit
from ingest.passages import sentences
from ingest.segments import plain_tokens

MARGIN = 100  # characters of neighbouring sentences, on either side


@dataclass(frozen=True)
class Source:
    """The text of a document, and the bank that holds its states; None while there is none."""

    text: str
    bank: MemoryBank | None


@dataclass(frozen=True)
class Window:
    """A passage with its neighbouring sentences: spans (tokens, 2) characters, states (tokens, width).

    rank: its place among the passages found, 0 the first.
    """

    document: str
    rank: int
    spans: np.ndarray
    states: Tensor


def source_of(library: Library, document: str, block: int) -> Source:
    """Open the text of a document, and its bank where that holds states of the block."""
    found = library.ready_bank(document)
    holds = found is not None and found.bank.layout.state_block == block
    return Source(library.document(document).text, found.bank if found is not None and holds else None)


def states_of(backbone: Backbone, block: int, ids: Sequence[int]) -> Tensor:
    """Run the frozen backbone: states (tokens, width) entering the block."""
    return backbone.encode(torch.tensor([list(ids)]), hidden=(block,)).hidden[block][0]


def window(
    backbone: Backbone, block: int, source: Source, hit: Hit, rank: int, span: tuple[int, int | None]
) -> Window | None:
    """Return a passage as the reading layers take it, None where no whole token of `span` may be read."""
    text, bank = source.text, source.bank
    low, high = span
    start, end = widened(text, hit.start, hit.end, low, len(text) if high is None else high)
    if start > low and text[start - 1] == " ":
        start -= 1  # a word's first token holds the blank before it
    if bank is None:
        ids, spans = plain_tokens(backbone.tokenizer, text[start:end])
        if not ids:
            return None
        return Window(hit.document, rank, np.array(spans) + start, states_of(backbone, block, ids))
    first, last = bank.token_range(start, end)
    if first == last:
        return None
    states = torch.from_numpy(bank.states(np.arange(first, last)))
    return Window(hit.document, rank, np.asarray(bank.spans[first:last], np.int64), states)


def widened(text: str, start: int, end: int, low: int, high: int) -> tuple[int, int]:
    """Widen a passage by the sentences before and after it that lie within `MARGIN` characters."""
    least, most = max(low, start - 2 * MARGIN), min(high, end + 2 * MARGIN)
    before = [one for one in sentences(text, least, start) if start - one[0] <= MARGIN]
    after = [one for one in sentences(text, end, most) if one[1] - end <= MARGIN]
    return before[0][0] if before else start, after[-1][1] if after else end


def batched(windows: Sequence[Window], tokens: int = 1536) -> Iterable[list[Window]]:
    """Yield windows of similar length together, up to so many tokens: of more a third is filling."""
    part: list[Window] = []
    for one in sorted(windows, key=lambda one: len(one.states)):
        if part and (len(part) + 1) * len(one.states) > tokens:
            yield part
            part = []
        part.append(one)
    yield part

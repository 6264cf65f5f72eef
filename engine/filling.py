"""Filling a memory bank: segment by segment through the frozen backbone, once for a document.

Only the blocks below the last memory block run, so filling a bank costs less than a forward pass. A bank that
was interrupted goes on at its last complete segment; the arrays come out the same to the byte.
"""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from engine.backbone.backbone import Backbone
from engine.bank.layout import SEGMENT, BankIdentity, BankLayout
from engine.bank.writer import BankWriter
from engine.sidenet.config import SideNetConfig
from ingest.segments import segments

DEFAULT_SEARCH_BLOCK = 4
Progress = Callable[[int, int], None]


def bank_layout(config: SideNetConfig, dtype: str | None = None, states: bool = False) -> BankLayout:
    """Return the layout of a bank for this SideNet; pooled states are kept for search maps to come."""
    search_block = config.search_block
    return BankLayout(
        memory_blocks=config.memory_blocks,
        kv_heads=config.kv_heads,
        head_dim=config.head_dim,
        search_block=min(DEFAULT_SEARCH_BLOCK, config.blocks) if search_block is None else search_block,
        width=config.width,
        chunk_size=config.chunk_size,
        dtype=dtype or config.dtype,
        state_block=config.state_block if states else None,
        values=config.keeps_values,
    )


def text_hash(text: str) -> str:
    """Name a text by what it holds."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def bank_identity(text: str, backbone: Backbone) -> BankIdentity:
    """Return the hashes of what a bank of this text, made with this backbone, is made of."""
    return BankIdentity(text_hash(text), backbone.fingerprint, backbone.tokenizer_hash)


def encode_segment(
    writer: BankWriter, backbone: Backbone, token_ids: Sequence[int], spans: Sequence[tuple[int, int]]
) -> None:
    """Append one segment (time ≤ 1,024) to a bank: one pass, no earlier context, as in the paper."""
    layout = writer.layout
    hidden = [block for block in (layout.search_block, layout.state_block) if block is not None]
    encoding = backbone.encode(torch.tensor([list(token_ids)]), hidden, layout.memory_blocks)

    def entering(block: int | None) -> Tensor | None:
        return None if block is None else encoding.hidden[block][0].cpu()

    writer.append(
        token_ids,
        spans,
        {block: keys[0].cpu() for block, keys in encoding.keys.items()},
        {block: values[0].cpu() for block, values in encoding.values.items()} if layout.values else {},
        entering(layout.search_block),
        states=entering(layout.state_block),
    )


def encode_text(
    text: str,
    folder: Path,
    backbone: Backbone,
    layout: BankLayout,
    progress: Progress = lambda done, total: None,
) -> int:
    """Encode a whole text into the bank at `folder`, from its last complete segment on; publish it.

    progress: called where the work goes on from and after each segment, with tokens done and an estimate of
    all tokens; what it raises stops the work between two segments. Returns the number of tokens.
    """

    def tell(read: int) -> None:
        progress(writer.tokens, max(writer.tokens, round(writer.tokens * len(text) / max(1, read))))

    with BankWriter.open(folder, layout, bank_identity(text, backbone)) as writer:
        tell(writer.end)
        for segment in segments(text, backbone.tokenizer, SEGMENT, start=writer.segments):
            encode_segment(writer, backbone, segment.token_ids, segment.spans)
            tell(segment.spans[-1][1])
        writer.publish()
        return writer.tokens

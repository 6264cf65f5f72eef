"""A talk's own memory bank: what no longer fits the local window is remembered like a book.

Messages go in whole, oldest first, and only new ones are encoded. Where a talk is cut (undo, edit, retry)
below what was banked, the bank is made again.
"""

import contextlib
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

import numpy as np

from engine.answering.evidence import Weights, content_stems, stems_of
from engine.answering.prompt import Turn
from engine.backbone.backbone import Backbone
from engine.bank.bank import MemoryBank, delete_bank
from engine.bank.layout import SEGMENT, BankIdentity, BankLayout
from engine.bank.writer import BankWriter
from engine.errors import Failure
from engine.filling import bank_layout, encode_segment
from engine.retrieval.memory import Memory, SearchableBank, Stretch
from engine.sidenet.sidenet import SideNet
from ingest.errors import BadInput

RECALLED = 2
LEAST_RECALL = 0.5
TALK = "talk-"
SAID = TALK + "said"
OVERFLOW = TALK + "overflow"


def transcript_ids(turns: Sequence[Turn], tokenizer: Any) -> list[int]:
    """Return the tokens that a talk's bank holds: each message by itself, so none changes those before."""
    said = (f"{turn.role}: {turn.text}\n\n" for turn in turns)
    return [token for text in said for token in tokenizer(text, add_special_tokens=False)["input_ids"]]


def remember(turns: Sequence[Turn], folder: Path, backbone: Backbone, sidenet: SideNet) -> SearchableBank:
    """Open the bank at `folder` holding exactly these turns: what is new is appended, else made again."""
    ids = transcript_ids(turns, backbone.tokenizer)
    layout, identity = bank_layout(sidenet.config), identity_of("talk", backbone)
    if not _begins_with(folder, layout, identity, ids):
        delete_bank(folder)
    with BankWriter.open(folder, layout, identity) as writer:
        append_tokens(writer, backbone, ids[writer.tokens :])
        writer.publish()
    return SearchableBank(MemoryBank.open(folder), sidenet, SAID)


def _begins_with(folder: Path, layout: BankLayout, identity: BankIdentity, ids: Sequence[int]) -> bool:
    """Tell whether there is a bank that holds how these tokens begin."""
    try:
        held = MemoryBank.open(folder, identity, layout).token_ids
    except (BadInput, Failure):  # none, another model's, or one that was cut short
        return False
    return np.array_equal(held, ids[: len(held)])


def identity_of(content: str, backbone: Backbone) -> BankIdentity:
    """Return the identity of a bank that grows: what it holds is told by its tokens."""
    return BankIdentity(content, backbone.fingerprint, backbone.tokenizer_hash)


def append_tokens(writer: BankWriter, backbone: Backbone, token_ids: Sequence[int]) -> None:
    """Encode these tokens as further segments; spans count tokens, not characters."""
    for at in range(0, len(token_ids), SEGMENT):
        piece = token_ids[at : at + SEGMENT]
        begin = writer.end
        encode_segment(writer, backbone, piece, [(begin + n, begin + n + 1) for n in range(len(piece))])


class Overflow:
    """Takes what leaves the local window of a long text, and lets memory read it from then on.

    Its bank lies in a temporary folder, made with the first of it: a short answer needs no room on a disk.
    """

    def __init__(self, backbone: Backbone, sidenet: SideNet, memory: Memory) -> None:
        self.backbone, self.sidenet, self.memory = backbone, sidenet, memory
        self._scratch: TemporaryDirectory[str] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._scratch is not None:
            self._scratch.cleanup()

    def append(self, token_ids: Sequence[int]) -> None:
        """Encode these tokens into the text's own bank; memory goes without where no disk has room for it."""
        with contextlib.suppress(OSError, Failure):
            self._append(token_ids)

    def _append(self, token_ids: Sequence[int]) -> None:
        self._scratch = self._scratch or TemporaryDirectory(prefix="longmem-")
        folder = Path(self._scratch.name) / "bank"
        layout, identity = bank_layout(self.sidenet.config), identity_of("overflow", self.backbone)
        with BankWriter.open(folder, layout, identity) as writer:
            first = writer.chunks
            append_tokens(writer, self.backbone, token_ids)
            writer.publish()
        source = SearchableBank(MemoryBank.open(folder), self.sidenet, OVERFLOW)
        self.memory.take(Stretch(source, first, source.bank.chunks))


def recalled(question: str, turns: Sequence[Turn]) -> list[str]:
    """Return what was said earlier that holds most of the question's content, two messages at most."""
    asked = content_stems(question)
    held = [stems_of(turn.text) for turn in turns]
    weights = Weights.among(asked, held)
    scores = [(weights.coverage(asked, stems), number) for number, stems in enumerate(held)]
    best = sorted((one for one in scores if one[0] >= LEAST_RECALL), reverse=True)[:RECALLED]
    return [turns[number].text for number in sorted(number for _, number in best)]

"""A talk's own memory bank: what no longer fits the local window is remembered like a book.

Messages go in whole, oldest first. Where a talk is cut (undo, edit, retry) below what was banked, the bank is
made again; its identity is the hash of the text it holds.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from engine.answering.evidence import Weights, content_stems, stems_of
from engine.answering.prompt import Turn
from engine.backbone.backbone import Backbone
from engine.bank.bank import MemoryBank, delete_bank
from engine.bank.layout import BankIdentity, BankMismatch
from engine.bank.writer import BankWriter
from engine.encoding import SEGMENT, bank_layout, encode_segment, encode_text
from engine.retrieval.memory import Memory, SearchableBank, Stretch
from engine.sidenet.sidenet import SideNet

RECALLED = 2
LEAST_RECALL = 0.5
TALK = "talk-"
OVERFLOW = TALK + "overflow"


def transcript_of(turns: Sequence[Turn]) -> str:
    """The text that a talk's bank holds."""
    return "\n\n".join(f"{turn.role}: {turn.text}" for turn in turns)


def remember(turns: Sequence[Turn], folder: Path, backbone: Backbone, sidenet: SideNet) -> SearchableBank:
    """The bank at `folder` holding exactly these turns, made or made again where it holds others."""
    text = transcript_of(turns)
    layout = bank_layout(sidenet.config)
    try:
        encode_text(text, folder, backbone, layout)
    except BankMismatch:
        delete_bank(folder)
        encode_text(text, folder, backbone, layout)
    name = TALK + hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=6).hexdigest()
    return SearchableBank(MemoryBank.open(folder), sidenet, name)


class Overflow:
    """Takes what leaves the local window of a long text, and lets memory read it from then on."""

    def __init__(self, folder: Path, backbone: Backbone, sidenet: SideNet, memory: Memory) -> None:
        self.folder, self.backbone, self.sidenet, self.memory = folder, backbone, sidenet, memory
        self._written = 0

    def append(self, token_ids: Sequence[int]) -> None:
        """Encode these tokens as segments of the text's own bank; spans count tokens, not characters."""
        identity = BankIdentity("overflow", self.backbone.fingerprint, self.backbone.tokenizer_hash)
        with BankWriter.open(self.folder, bank_layout(self.sidenet.config), identity) as writer:
            first = writer.chunks
            for at in range(0, len(token_ids), SEGMENT):
                piece = token_ids[at : at + SEGMENT]
                begin = self._written + at
                spans = [(number, number + 1) for number in range(begin, begin + len(piece))]
                encode_segment(writer, self.backbone, piece, spans)
            writer.publish()
        self._written += len(token_ids)
        source = SearchableBank(MemoryBank.open(self.folder), self.sidenet, OVERFLOW)
        self.memory.take(Stretch(source, first, source.bank.chunks))


def recalled(question: str, turns: Sequence[Turn]) -> list[str]:
    """What was said earlier that holds most of the question's content, at most two messages, in order."""
    asked = content_stems(question)
    held = [stems_of(turn.text) for turn in turns]
    weights = Weights.among(asked, held)
    scores = [(weights.coverage(asked, stems), number) for number, stems in enumerate(held)]
    best = sorted((one for one in scores if one[0] >= LEAST_RECALL), reverse=True)[:RECALLED]
    return [turns[number].text for number in sorted(number for _, number in best)]

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
from engine.bank.layout import BankMismatch
from engine.encoding import bank_layout, encode_text
from engine.retrieval.memory import SearchableBank
from engine.sidenet.sidenet import SideNet

RECALLED = 2
LEAST_RECALL = 0.5


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
    name = "talk-" + hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=6).hexdigest()
    return SearchableBank(MemoryBank.open(folder), sidenet, name)


def recalled(question: str, turns: Sequence[Turn]) -> list[str]:
    """What was said earlier that holds most of the question's content, at most two messages, in order."""
    asked = content_stems(question)
    held = [stems_of(turn.text) for turn in turns]
    weights = Weights.among(asked, held)
    scores = [(weights.coverage(asked, stems), number) for number, stems in enumerate(held)]
    best = sorted((one for one in scores if one[0] >= LEAST_RECALL), reverse=True)[:RECALLED]
    return [turns[number].text for number in sorted(number for _, number in best)]

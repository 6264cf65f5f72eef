"""Encoding a library: every demonstration by itself, packed whole into segments of the bank.

A demonstration is read from nothing, so what is stored of it depends on no neighbour: adding some encodes
only those, and any part of a library can be read as if the rest were not there. The span of a token in this
bank is (id, id + 1) of its example, and a chunk never holds tokens of two. Beside the bank lie the states
that vote: per example the mean over its prompt's tokens of the hidden states of a few blocks.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from engine.backbone.backbone import Backbone
from engine.bank.bank import MemoryBank, delete_bank
from engine.bank.layout import SEGMENT, BankIdentity, BankLayout, BankMismatch
from engine.bank.manifest import DamagedBank
from engine.bank.writer import BankWriter
from engine.demonstrations.states import StateFile, StatesLost
from engine.demonstrations.store import Example
from engine.demonstrations.task import Task
from engine.filling import Progress
from ingest.errors import BadInput
from ingest.segments import plain_ids

BLOCK_TOKENS = 8_192  # encoded between two writes
BATCH_TOKENS = 1_024  # of one pass, padding included
MOST_DEAD = 0.5
VOTING_DEPTHS = (0.27, 0.47)  # which blocks' states vote, as shares of the depth


@dataclass(frozen=True)
class Written:
    """Token ids of one demonstration; the first `prompt` of them stand before the label."""

    example: int
    ids: list[int]
    prompt: int


def voting_blocks(backbone: Backbone) -> tuple[int, ...]:
    """Choose the j of the `H_j` whose means vote."""
    return tuple(sorted({max(1, round(share * backbone.blocks)) for share in VOTING_DEPTHS}))


def written(example: Example, task: Task, tokenizer: object) -> Written:
    """Write a demonstration as tokens: prompt, label and line end, each tokenised by itself."""
    prompt, answer, tail = (
        plain_ids(tokenizer, part)
        for part in (task.prompt(example.text), task.answer(example.label), task.tail)
    )
    return Written(example.id, [*prompt, *answer, *tail], len(prompt))


def bank_identity(library: str, task: Task, backbone: Backbone) -> BankIdentity:
    """Return the hashes of what the bank of a library, made with this backbone, is made of."""
    content = hashlib.blake2b(f"{library} {task.fingerprint}".encode(), digest_size=16).hexdigest()
    return BankIdentity(content, backbone.fingerprint, backbone.tokenizer_hash)


def encoded_ids(folder: Path) -> np.ndarray:
    """List the ids of the examples that a library's bank holds, in its order; none without a bank."""
    try:
        bank = MemoryBank.open(folder / "bank")
    except (BadInput, DamagedBank):  # what is damaged is encoded anew
        return np.zeros(0, np.int64)
    ids = np.unique(bank.spans[:, 0]).astype(np.int64)
    bank.close()
    return ids


def encode_examples(
    examples: Sequence[Example],
    library: str,
    task: Task,
    folder: Path,
    backbone: Backbone,
    layout: BankLayout,
    progress: Progress = lambda done, total: None,
) -> int:
    """Bring the bank in `folder` up to these examples (rising ids); returns how many it holds now.

    Goes on after the last complete segment. What is no longer among the examples stays in the bank, unread,
    until it is half of it; then, or when the task or the model changed, or the states that vote are lost, the
    bank is made again. progress: called with examples done and all; what it raises stops the work between two
    segments.
    """
    identity = bank_identity(library, task, backbone)
    held = encoded_ids(folder)
    dead = len(held) - len(np.intersect1d(held, [one.id for one in examples]))
    if len(held) and dead > MOST_DEAD * len(held):
        delete_bank(folder / "bank")
    try:
        return _fill(examples, task, folder, backbone, layout, identity, progress)
    except (BankMismatch, DamagedBank, StatesLost):
        delete_bank(folder / "bank")
        return _fill(examples, task, folder, backbone, layout, identity, progress)


def _fill(
    examples: Sequence[Example],
    task: Task,
    folder: Path,
    backbone: Backbone,
    layout: BankLayout,
    identity: BankIdentity,
    progress: Progress,
) -> int:
    blocks = voting_blocks(backbone)
    with BankWriter.open(folder / "bank", layout, identity) as writer:
        done = len(encoded_ids(folder))
        missing = [one for one in examples if one.id >= writer.end]
        total, done_before = done + len(missing), done
        with StateFile(folder, len(blocks) * backbone.width) as states:
            states.cut(done)
            progress(done, total)
            for group in _blocks(missing, task, backbone):
                read = {one.example: one for one in Encoder(backbone, layout, blocks).read(group)}
                for segment in packed(group):
                    parts = [read[one.example] for one in segment]
                    states.append(np.stack([part.state for part in parts]))
                    _append(writer, segment, parts)
                    done += len(segment)
                    progress(done, total)
        if done > done_before or not writer.published:
            writer.publish()
    return done


def packed(group: Sequence[Written]) -> Iterator[list[Written]]:
    """Pack whole demonstrations, as many as a segment holds; one that is longer stands alone."""
    segment: list[Written] = []
    size = 0
    for one in group:
        if segment and size + len(one.ids) > SEGMENT:
            yield segment
            segment, size = [], 0
        segment.append(one)
        size += len(one.ids)
    if segment:
        yield segment


def _blocks(examples: Sequence[Example], task: Task, backbone: Backbone) -> Iterator[list[Written]]:
    """Yield demonstrations as tokens, some thousands at a time. Raises BadInput for one no pass can hold."""
    group: list[Written] = []
    size = 0
    for example in examples:
        one = written(example, task, backbone.tokenizer)
        if len(one.ids) > backbone.context:
            raise BadInput(
                f'the example "{example.text[:60]}…" has {len(one.ids):,} tokens, more than the '
                f"{backbone.context:,} that the model reads at once: shorten it"
            )
        group.append(one)
        size += len(one.ids)
        if size >= BLOCK_TOKENS:
            yield group
            group, size = [], 0
    if group:
        yield group


def _append(writer: BankWriter, segment: Sequence[Written], parts: Sequence["Read"]) -> None:
    lengths = [len(one.ids) for one in segment]
    blocks = writer.layout.memory_blocks
    writer.append(
        [token for one in segment for token in one.ids],
        [(one.example, one.example + 1) for one in segment for _ in one.ids],
        {block: torch.cat([part.keys[block] for part in parts]) for block in blocks},
        {block: torch.cat([part.values[block] for part in parts]) for block in blocks},
        torch.cat([part.hidden for part in parts]) if parts[0].hidden is not None else None,
        breaks=np.cumsum(lengths)[:-1].tolist(),
    )


@dataclass(frozen=True)
class Read:
    """What the backbone made of one demonstration. keys, values: {block: (time, kv_heads, head_dim)}; hidden:
    (time, width) entering the search block; state: (voting blocks · width,) fp16."""

    example: int
    keys: dict[int, Tensor]
    values: dict[int, Tensor]
    hidden: Tensor | None
    state: np.ndarray


class Encoder:
    """Reads demonstrations in batches of similar length, padded where causal attention never looks."""

    def __init__(self, backbone: Backbone, layout: BankLayout, blocks: tuple[int, ...]) -> None:
        self.backbone, self.layout, self.blocks = backbone, layout, blocks

    def read(self, group: Sequence[Written]) -> Iterator[Read]:
        """Encode a group of demonstrations; yield what is stored of each, in no order."""
        search = self.layout.search_block
        wanted = self.blocks if search is None else (*self.blocks, search)
        for batch in batches([one.ids for one in group]):
            ids = padded([group[at].ids for at in batch])
            encoding = self.backbone.encode(ids, wanted, self.layout.memory_blocks)
            for row, at in enumerate(batch):
                one, time = group[at], len(group[at].ids)
                yield Read(
                    one.example,
                    {block: keys[row, :time].cpu() for block, keys in encoding.keys.items()},
                    {block: values[row, :time].cpu() for block, values in encoding.values.items()},
                    None if search is None else encoding.hidden[search][row, :time].cpu(),
                    voting_state([encoding.hidden[block][row] for block in self.blocks], one.prompt),
                )


def batches(sequences: Sequence[Sequence[int]], tokens: int = BATCH_TOKENS) -> Iterator[list[int]]:
    """Yield positions of sequences of similar length, together below `tokens` with padding (or one alone)."""
    order = sorted(range(len(sequences)), key=lambda at: len(sequences[at]))
    batch: list[int] = []
    for at in order:
        if batch and len(sequences[at]) * (len(batch) + 1) > tokens:
            yield batch
            batch = []
        batch.append(at)
    if batch:
        yield batch


def padded(sequences: Sequence[Sequence[int]]) -> Tensor:
    """Return (batch, longest) token ids, zeros behind each."""
    ids = torch.zeros(len(sequences), max(map(len, sequences)), dtype=torch.int64)
    for row, sequence in enumerate(sequences):
        ids[row, : len(sequence)] = torch.tensor(sequence)
    return ids


def voting_state(hidden: Sequence[Tensor], prompt: int) -> np.ndarray:
    """Average several blocks' states (time, width) over a prompt's tokens; the means side by side, fp16.

    The first token is left out where there are others: its state is huge in many models and says nothing.
    """
    means = [state[min(1, prompt - 1) : prompt].float().mean(0).cpu().numpy() for state in hidden]
    return np.clip(np.concatenate(means), -60_000, 60_000).astype(np.float16)

"""MemTRM in `evaluate icl`: demonstrations in a bank that MemTRM writes with the weights it was trained to.

As for LongMem every demonstration is read from nothing and fills whole chunks of its own.
"""

from collections.abc import Iterator, Sequence

import torch

from engine.backbone.backbone import Backbone
from engine.demonstrations.examplebank import padded
from engine.evaluation.textbank import Batched, TextBank
from engine.training.activations import Frozen
from engine.training.memtrm import MemTRM

BATCH = 32


@torch.inference_mode()
def demonstration_bank(
    model: MemTRM, backbone: Backbone, demonstrations: Sequence[Sequence[int]]
) -> TextBank:
    """Fill a bank with demonstrations (token ids), each up to whole chunks with its last token."""
    chunk = model.config.chunk_size
    whole = [[*ids, *[ids[-1]] * (-len(ids) % chunk)] for ids in demonstrations]
    return TextBank.of(model.config, list(_written(model, backbone, sorted(whole, key=len))))


def _written(model: MemTRM, backbone: Backbone, whole: Sequence[Sequence[int]]) -> Iterator[Frozen]:
    for first in range(0, len(whole), BATCH):
        batch = whole[first : first + BATCH]
        entering = backbone.encode(padded(batch), hidden=model.states).hidden[model.block]
        for ids, state in zip(batch, entering, strict=True):
            keys, values = model.store(state[: len(ids)])
            yield Frozen(torch.tensor(list(ids)), {}, keys, values)


def demonstration_reader(
    model: MemTRM, backbone: Backbone, demonstrations: Sequence[Sequence[int]]
) -> Batched:
    """Let MemTRM read all of the demonstrations, top chunks for every token of a batch."""
    bank = demonstration_bank(model, backbone, demonstrations)
    return Batched(bank.reader(bank.tokens))

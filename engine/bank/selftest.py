"""A bank's whole life in a second: write, publish, open, verify, search, read back, delete."""

import tempfile
from pathlib import Path

import numpy as np
import torch

from engine.bank.bank import MemoryBank, delete_bank
from engine.bank.layout import BankIdentity, BankLayout
from engine.bank.writer import BankWriter
from engine.errors import Failure

TOKENS = 32


def round_trip(parent: Path) -> str:
    """Make a small random bank in `parent`, read it back, delete it; returns what was done in a few words.

    Raises
    ------
    Failure
        What comes back is not what was written.
    OSError
        `parent` cannot be written.
    """
    layout = BankLayout(memory_blocks=(0,), kv_heads=2, head_dim=8, search_block=None, width=16)
    identity = BankIdentity(content="self-test", backbone="none", tokenizer="none")
    random = torch.Generator().manual_seed(0)
    keys, values = torch.randn(2, TOKENS, 2, 8, generator=random)
    spans = np.stack([np.arange(TOKENS), np.arange(TOKENS) + 1], axis=1)
    with tempfile.TemporaryDirectory(prefix=".self-test-", dir=parent) as scratch:
        folder = Path(scratch) / "bank"
        with BankWriter.open(folder, layout, identity) as writer:
            writer.append(list(range(TOKENS)), spans, {0: keys}, {0: values})
            writer.publish()
        bank = MemoryBank.open(folder, identity, layout)
        bank.verify()
        _, found, _ = bank.gather(0, torch.arange(bank.chunks))
        bank.close()
        if not torch.allclose(found.reshape(values.shape).float(), values, atol=1e-2):
            raise Failure("a memory bank gives back other values than were written")
        delete_bank(folder)
        if folder.exists():
            raise Failure("a deleted memory bank is still there")
    return f"a memory bank of {TOKENS} tokens written, verified, read back and deleted"

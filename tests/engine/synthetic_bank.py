"""Banks of made-up segments, the same every time; also what the processes that get killed run."""

import os
import random
import signal
import time
from pathlib import Path

import torch

from engine import durable
from engine.bank import manifest, writer
from engine.bank.layout import BankIdentity, BankLayout
from engine.bank.writer import BankWriter

LAYOUT = BankLayout((3, 5), kv_heads=2, head_dim=8, search_block=4, width=12)
INT8 = BankLayout((3,), kv_heads=2, head_dim=8, search_block=None, width=12, dtype="int8")
IDENTITY = BankIdentity("book", "backbone", "tokenizer")
SIZES = (16, 7, 12, 1, 9, 21)  # tokens per segment, in turn


def size(index: int) -> int:
    return SIZES[index % len(SIZES)]


def tokens_of(segments: int) -> int:
    return sum(size(index) for index in range(segments))


def segment(index: int, layout: BankLayout = LAYOUT, scale: float = 1.0) -> dict:
    """Arguments of `append` for segment `index`; two characters per token, one between segments."""
    time_, start = size(index), tokens_of(index)
    generator = torch.Generator().manual_seed(index)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(time_, *shape, generator=generator) * scale

    head = (layout.kv_heads, layout.head_dim)
    first = 2 * start + index
    return {
        "token_ids": [(start + number) % 50_000 for number in range(time_)],
        "spans": [(first + 2 * number, first + 2 * number + 2) for number in range(time_)],
        "keys": {block: normal(*head) for block in layout.memory_blocks},
        "values": {block: normal(*head) for block in layout.memory_blocks},
        "hidden": None if layout.search_block is None else normal(layout.width),
    }


def fill(folder: Path, segments: int, layout: BankLayout = LAYOUT, publish: bool = True) -> Path:
    """Encodes what is missing of `segments` segments."""
    with BankWriter.open(folder, layout, IDENTITY) as bank:
        while bank.segments < segments:
            bank.append(**segment(bank.segments, layout))
        if publish:
            bank.publish()
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a bank but the lock."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != writer.LOCK}


def fill_slowly(folder: Path, segments: int, seed: int, ready) -> None:
    """`fill`, with every write in two halves and pauses within, so that a kill falls anywhere."""
    torch.set_num_threads(1)
    _interrupt_writes(random.Random(seed), lambda chance: time.sleep(chance.random() * 0.001))
    ready.send(True)
    fill(folder, segments)


def fill_and_die(folder: Path, segments: int, step: int) -> None:
    """`fill`, killed by SIGKILL at the `step`-th of the places where a write stands half or whole."""
    torch.set_num_threads(1)
    left = iter(range(step, -1, -1))

    def countdown(_: random.Random) -> None:
        if next(left) == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    _interrupt_writes(random.Random(0), countdown)
    fill(folder, segments)


def _interrupt_writes(chance: random.Random, pause) -> None:
    def write_at(file, offset, data):
        pause(chance)
        file.seek(offset)
        file.write(memoryview(data).cast("B")[: len(memoryview(data).cast("B")) // 2])
        pause(chance)
        durable.write_at(file, offset, data)

    def publish_file(path, data):
        pause(chance)
        path.with_name(path.name + ".tmp").write_bytes(data[: len(data) // 2])
        pause(chance)
        durable.publish_file(path, data)
        pause(chance)

    writer.write_at = write_at
    manifest.publish_file = publish_file

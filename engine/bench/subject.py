"""What is measured: the default backbone with a SideNet, a text to encode, banks of any size.

Benchmarks that read memory also run an "active" SideNet, every branch small but not zero: the cost of a fully
trained one, whatever the shipped checkpoint leaves out.
"""

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from engine.arguments import add_device_arguments, thread_count
from engine.backbone.backbone import Backbone
from engine.backbone.load import load_backbone
from engine.bank.bank import MemoryBank
from engine.bank.layout import SEGMENT, BankIdentity
from engine.bank.writer import BankWriter
from engine.filling import bank_layout
from engine.paths import Paths
from engine.retrieval.memory import Memory, SearchableBank, Stretch
from engine.sidenet.attention import Retrieved
from engine.sidenet.config import SideNetConfig
from engine.sidenet.sidenet import SideNet
from engine.threads import Crew

LAMP = (
    "# The Lamp\n\nOld Tobias kept the lamp of the northern lighthouse for forty years. "
    "He had a grey cat called Pepper, who slept beside the great lens.\n\n"
    "In the winter of the great storm the supply ship Meridian came too close to the rocks. "
    "Tobias rang the iron bell all night, and the ship turned away in time.\n"
)


def add_common_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that every benchmark of the default model takes."""
    parser.add_argument("--threads", type=thread_count, default=2, help="CPU threads (default: 2)")
    add_json(parser)
    add_device_arguments(parser)


def home_with_backbone(scratch: Path) -> Path:
    """Make a data folder below `scratch` with the models converted already, which belongs to set-up."""
    home = scratch / "home"
    if Paths.default().backbones.is_dir():
        shutil.copytree(Paths.default().backbones, home / "backbones")
    return home


def default_backbone(arguments: argparse.Namespace) -> Backbone:
    """Load the model that comes along, on as many threads as the command says."""
    torch.set_num_threads(arguments.threads)
    backbone = load_backbone(Paths.default())
    backbone.crew = Crew(arguments.threads)
    return backbone


def active_sidenet(backbone: Backbone) -> SideNet:
    """Make a SideNet whose every branch counts."""
    torch.manual_seed(0)
    sidenet = SideNet(SideNetConfig.for_backbone(backbone, search="pooled", search_block=8), backbone)
    with torch.no_grad():
        for layer in sidenet.layers:
            layer.attention_scale.fill_(1e-3)
            layer.mlp_scale.fill_(1e-3)
    return sidenet.eval()


class TimedMemory(Memory):
    """A memory that adds up the seconds it takes to read it: search, and fetching what was found."""

    seconds = 0.0

    def read(
        self, layer: int, query: Tensor, search: Tensor | None, chunks: Tensor | None = None
    ) -> Retrieved:
        began = time.perf_counter()
        found = super().read(layer, query, search, chunks)
        self.seconds += time.perf_counter() - began
        return found


@contextmanager
def synthetic_memory(sidenet: SideNet, tokens: int) -> Iterator[TimedMemory]:
    """Open a memory of `tokens` random keys and values; its files are gone afterwards."""
    layout = bank_layout(sidenet.config)
    random = torch.Generator().manual_seed(tokens)
    shape = (SEGMENT, layout.kv_heads, layout.head_dim)
    with tempfile.TemporaryDirectory(prefix="longmem-bench-") as scratch:
        folder = Path(scratch) / "bank"
        with BankWriter.open(folder, layout, BankIdentity("synthetic", "synthetic", "synthetic")) as writer:
            for start in range(0, tokens, SEGMENT):
                made = {block: torch.randn(shape, generator=random) for block in layout.memory_blocks}
                hidden = torch.randn(SEGMENT, layout.width, generator=random)
                spans = np.arange(start, start + SEGMENT)[:, None] + np.array([0, 1])
                writer.append(np.zeros(SEGMENT, np.int64), spans, made, made, hidden)
            writer.publish()
        bank = MemoryBank.open(folder)
        source = SearchableBank(bank, sidenet, "synthetic")
        if sidenet.search is not None:
            source.learned_keys()
        yield TimedMemory([Stretch.whole(source)], sidenet)
        bank.close()


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add --json, which every benchmark has."""
    parser.add_argument("--json", action="store_true", help="print one JSON object on standard output")


def print_object(result: dict, arguments: argparse.Namespace) -> None:
    """Print one JSON object where a command's result belongs, which is not where all else is printed."""
    print(json.dumps(result), file=getattr(arguments, "results", sys.stdout), flush=True)


def report(results: dict, arguments: argparse.Namespace) -> int:
    """Print results as lines, or as one JSON object; return the exit code 0."""
    if arguments.json:
        print_object(results, arguments)
        return 0
    for name, value in results.items():
        print(f"{name:58} {value:,.3f}" if isinstance(value, float) else f"{name:58} {value}")
    return 0

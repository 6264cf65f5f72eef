"""`python launch.py evaluate staleness`: what training does to a bank that was filled before.

A bank is filled from a book, the model takes training steps, and the next page is read beside the stale bank
and beside one written anew. LongMem's bank is written by the frozen backbone: nothing can change. MemTRM
writes with the weights that it trains.
"""

import argparse
import dataclasses
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.arguments import natural, numbers, positive
from engine.backbone.backbone import Backbone
from engine.backbone.load import load_backbone
from engine.evaluation.textbank import TextBank
from engine.paths import Paths
from engine.report import keep, table
from engine.sidenet.sidenet import SideOutput
from engine.training.activations import Frozen, TextBooks, Wanted, freeze
from engine.training.books import book_texts
from engine.training.learners import Learner, learner_for
from engine.training.options import add_model_arguments
from engine.training.rows import Rows
from engine.training.settings import METHODS, TrainingSettings
from engine.training.start import copying_start
from engine.training.train import first_segments, start_model, with_last
from engine.training.trainer import Trainer
from ingest.errors import BadInput


@dataclass(frozen=True)
class Row:
    """One method after so many steps.

    moved: relative distance |K_fresh − K_stale| / |K_stale| of all keys. overlap: share of the top-k chunks
    that stale and fresh bank have in common, over tokens and heads. stale, fresh: nats per token of the page.
    """

    method: str
    steps: int
    identical: bool
    moved: float
    overlap: float
    stale: float
    fresh: float


@torch.inference_mode()
def compare(
    method: str, steps: int, learner: Learner, backbone: Backbone, bank: list[Frozen], stale: list[Frozen],
    page: Frozen,
) -> Row:  # fmt: skip
    """Read a page beside the bank as it was written and as it would be written now."""
    fresh = written(learner, [refrozen(backbone, part) for part in bank])
    outputs = [_read(learner, part, page) for part in (stale, fresh)]
    keys = [torch.cat([next(iter(part.keys.values())) for part in parts]) for parts in (stale, fresh)]
    chunks = [found[0] for output in outputs if (found := output.traces[0].chunks) is not None]
    shared = (chunks[0][..., :, None] == chunks[1][..., None, :]).any(-1).float().mean()
    losses = [_loss(output.logits(backbone, at=slice(-1)), page.ids) for output in outputs]
    distance = (keys[1] - keys[0]).norm() / keys[0].norm()
    same = all(
        torch.equal(getattr(a, name)[block], getattr(b, name)[block])
        for a, b in zip(stale, fresh, strict=True)
        for name in ("keys", "values")
        for block in a.keys
    )
    return Row(method, steps, same, distance.item(), shared.item(), *losses)


def refrozen(backbone: Backbone, part: Frozen) -> Frozen:
    """Encode the same segment again with the backbone of now."""
    return freeze(backbone, part.ids, Wanted(tuple(part.hidden), tuple(part.keys)))


def written(learner: Learner, segments: list[Frozen]) -> list[Frozen]:
    """Return segments with the keys and values that the model of now would put into the bank."""
    stored = ((part, *learner.store(part)) for part in segments)
    return [dataclasses.replace(part, keys=keys, values=values) for part, keys, values in stored]


def _read(learner: Learner, segments: list[Frozen], page: Frozen) -> SideOutput:
    bank = TextBank.of(learner.model.config, segments)
    reader = bank.reader(bank.tokens, 0, learner.model.search)
    return learner.model({j: state[None] for j, state in page.hidden.items()}, reader)


def _loss(logits: Tensor, ids: Tensor) -> float:
    return F.cross_entropy(logits, ids[1:].to(logits.device)).item()


def staleness(
    method: str, model: nn.Module, backbone: Backbone, source: TextBooks, settings: TrainingSettings,
    at: tuple[int, ...], bank_segments: int,
) -> list[Row]:  # fmt: skip
    """Measure one method: the bank is filled from the source's first long enough book before any step."""
    book = next((b for b in range(len(source.names)) if source.length(b) > bank_segments), None)
    if book is None:
        raise BadInput(f"no book has {bank_segments + 1} segments; give longer books or a smaller --bank")
    kept = [source.segment(book, index) for index in range(bank_segments + 1)]
    segments = [refrozen(backbone, part) for part in kept]  # what a cache keeps is rounded
    trainer = Trainer(model, backbone, Rows(source, settings.rows, settings.seed), settings)
    stale, rows = written(trainer.learner, segments[:-1]), []
    for steps in at:
        while trainer.done < steps:
            trainer.step()
        rows.append(compare(method, steps, trainer.learner, backbone, segments[:-1], stale, segments[-1]))
    return rows


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("--books", type=Path, required=True, metavar="DIR", help="books to train on")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where the table goes")
    parser.add_argument(
        "--at", type=numbers, default="0,4,16", metavar="N,M", help="training steps after which to compare"
    )
    parser.add_argument("--bank", type=positive, default=8192, metavar="N", help="tokens of the bank")
    parser.add_argument("--methods", default=",".join(METHODS), metavar="A,B", help="which methods")
    parser.add_argument("--segment", type=positive, default=1024, metavar="N", help="tokens of a segment")
    parser.add_argument("--first-layer", type=natural, default=0, metavar="I", help="of the SideNet's layers")
    parser.add_argument("--rate", type=float, default=TrainingSettings.rate, help="learning rate of both")
    parser.add_argument("--max-books", type=natural, default=0, metavar="N", help="books to use (0: all)")
    parser.add_argument("--cache", type=Path, metavar="DIR", help="keep the backbone's activations here")
    add_model_arguments(parser)
    parser.set_defaults(start=None)


def run(arguments: argparse.Namespace) -> int:
    """Train, compare, write staleness.md and .json, print the table."""
    backbone = load_backbone(Paths.default(), arguments.model)
    at = tuple(sorted(arguments.at))
    rows: list[Row] = []
    for method in arguments.methods.split(","):
        settings = TrainingSettings(
            method=method, steps=max(1, *at), rows=1, segment=arguments.segment, capacity=arguments.bank,
            first_layer=arguments.first_layer, rate=arguments.rate, warmup=1, final_share=1.0, forget=0.0,
        )  # fmt: skip
        model = start_model(backbone, settings, arguments)
        wanted = with_last(learner_for(model).wanted(settings), backbone)
        texts = book_texts(arguments.books, arguments.parse_file, arguments.max_books)
        source = TextBooks(backbone, texts, wanted, settings.segment, folder=arguments.cache)
        if arguments.copy_start and method == "sidenet" and arguments.start is None:
            copying_start(model, backbone, first_segments(source, arguments.copy_start))
        count = arguments.bank // settings.segment
        rows += staleness(method, model, backbone, source, settings, at, count)
    print(write_result(arguments.out, rows))
    return 0


def write_result(folder: Path, rows: list[Row]) -> str:
    """Write staleness.md and .json; returns the Markdown."""
    heads = ("method", "steps:", "bank unchanged", "keys moved:", "same top chunks:", "stale bank (nats):")
    cells = [
        (row.method, str(row.steps), "yes" if row.identical else "no", f"{row.moved:.3f}",
         f"{row.overlap:.1%}", f"{row.stale:.4f}", f"{row.fresh:.4f}")
        for row in rows
    ]  # fmt: skip
    text = table([*heads, "fresh:"], cells) + "\n"
    return keep(folder, "staleness", text, [dataclasses.asdict(row) for row in rows])

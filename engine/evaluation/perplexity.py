"""`python launch.py evaluate perplexity`: what memory is worth in language modelling, with its controls.

Two protocols. "block" is the paper's: a page of 1,024 tokens read from nothing. "sliding": every scored token
has at least half a page of local context, so recovering the text just before the page earns nothing. In both
the memory holds only what lies before the window that is read. Rows of the table score the same tokens.
"""

import argparse
import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from engine.backbone.backbone import Backbone
from engine.backbone.load import load_backbone
from engine.evaluation.bootstrap import Total, interval, mean_loss
from engine.evaluation.pages import ChosenBook, choose_books
from engine.evaluation.report import Row, write_report
from engine.evaluation.textbank import TextBank
from engine.paths import Paths
from engine.sidenet.checkpoint import load_sidenet, sidenet_for
from engine.sidenet.sidenet import SideNet
from engine.training.activations import TextBooks, Wanted
from engine.training.books import book_texts
from ingest.errors import BadInput

PAGE = 1024
PROTOCOLS = ("block", "sliding")
MEMORY_SIZES = (8192, 16384, 32768, 65536, 0)


@dataclass(frozen=True)
class Window:
    """Tokens [start, end) read from nothing; those from `scored` on (after the first) are scored."""

    start: int
    end: int
    scored: int


def windows(page: int, protocol: str, size: int = PAGE) -> tuple[Window, ...]:
    """How a page is read: windows(3, "block", 8) reads 24…32; "sliding" reads 20…28 and 24…32, scores halves.

    Every protocol scores the targets 1 … size − 1 of the page, so that totals compare.
    """
    start, half = page * size, size // 2
    if protocol == "block":
        return (Window(start, start + size, start + 1),)
    first = Window(start - half, start + half, start + 1)
    return (first, Window(start, start + size, start + half))


def target_losses(normed: Tensor, ids: Tensor, backbone: Backbone, start: int, window: Window) -> float:
    """Summed loss of a window's scored targets; normed (time, width) and ids (time,) begin at `start`."""
    first = window.scored - start - 1
    logits = backbone.head(normed[first : len(ids) - 1].to(backbone.dtype)).float()
    return F.cross_entropy(logits, ids[first + 1 :].to(logits.device), reduction="sum").item()


@dataclass(frozen=True)
class Variant:
    """One row: name, and the loss of one window of one book."""

    name: str
    loss: Callable[["Reading", Window], float]


class Reading:
    """A book under evaluation: its tokens, its bank, and the activations of the window in hand."""

    def __init__(self, backbone: Backbone, ids: Tensor, bank: TextBank, states: tuple[int, ...]) -> None:
        self.backbone, self.ids, self.bank, self.states = backbone, ids, bank, states
        self._last: tuple[Window, dict[int, Tensor]] | None = None

    def window_ids(self, window: Window) -> Tensor:
        return self.ids[window.start : window.end]

    def hidden(self, window: Window) -> dict[int, Tensor]:
        """`{j: H_j}` (1, time, width) of a window read from nothing, computed once for all rows."""
        if self._last is None or self._last[0] != window:
            states = self.backbone.encode(self.window_ids(window)[None], hidden=self.states).hidden
            self._last = window, states
        return self._last[1]


def backbone_alone(reading: Reading, window: Window) -> float:
    """The frozen model with the window as its whole context."""
    last = reading.hidden(window)[reading.backbone.blocks][0]
    normed = reading.backbone.final_norm(last)
    return target_losses(normed, reading.window_ids(window), reading.backbone, window.start, window)


def dense_context(context: int) -> Callable[[Reading, Window], float]:
    """The frozen model over the last `context` tokens up to the window's end, full attention."""

    def loss(reading: Reading, window: Window) -> float:
        start = max(0, window.end - context)
        ids = reading.ids[start : window.end]
        last = reading.backbone.encode(ids[None], hidden=(reading.backbone.blocks,))
        normed = reading.backbone.final_norm(last.hidden[reading.backbone.blocks][0])
        return target_losses(normed, ids, reading.backbone, start, window)

    return loss


def sidenet_reading(
    sidenet: SideNet, size: int | None, top_k: int | None = None
) -> Callable[[Reading, Window], float]:
    """A SideNet with the last `size` tokens before the window as memory: 0 for all, None for none."""

    def loss(reading: Reading, window: Window) -> float:
        reader = None if size is None else reading.bank.reader(window.start, size, sidenet.search, top_k)
        normed = sidenet(reading.hidden(window), reader).normed[0]
        return target_losses(normed, reading.window_ids(window), reading.backbone, window.start, window)

    return loss


def variants(
    sidenet: SideNet, control: SideNet | None, dense: tuple[int, ...], sizes: tuple[int, ...]
) -> list[Variant]:
    """The rows of the table, in its order."""
    rows = [Variant("backbone, window alone", backbone_alone)]
    rows += [Variant(f"backbone, dense {context}", dense_context(context)) for context in dense]
    if control is not None:
        rows.append(Variant("control: SideNet trained without memory", sidenet_reading(control, None)))
    rows.append(Variant("SideNet, memory off", sidenet_reading(sidenet, None)))
    for size in sizes:
        name = f"SideNet, memory {size}" if size else "SideNet, memory whole past"
        rows.append(Variant(name, sidenet_reading(sidenet, size)))
    return rows


@torch.inference_mode()
def score_book(
    book: ChosenBook, source: TextBooks, backbone: Backbone, sidenet: SideNet, control: SideNet | None,
    rows: list[Variant], protocol: str,
) -> list[Total]:  # fmt: skip
    """Totals of every row over the chosen pages of one book."""
    segments = [source.segment(book.index, number) for number in range(max(book.pages) + 1)]
    bank = TextBank.of(sidenet.config, segments[:-1])
    states = set(sidenet.states) | (set(control.states) if control is not None else set())
    reading = Reading(backbone, torch.cat([part.ids for part in segments]), bank, tuple(sorted(states)))
    losses, tokens = [0.0] * len(rows), 0
    for page in book.pages:
        for window in windows(page, protocol):
            tokens += window.end - window.scored
            for number, row in enumerate(rows):
                losses[number] += row.loss(reading, window)
    return [Total(loss, tokens) for loss in losses]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("--books", type=Path, required=True, metavar="DIR", help="books to score")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where table and plot go")
    parser.add_argument("--model", help="hub name, folder or GGUF file (default: the one that comes along)")
    parser.add_argument("--sidenet", type=Path, metavar="DIR", help="checkpoint (default: the one in assets)")
    parser.add_argument("--control", type=Path, metavar="DIR", help="the same trained without memory")
    parser.add_argument("--protocol", choices=PROTOCOLS, default="sliding", help="default: sliding")
    parser.add_argument(
        "--dense", default="2048,4096,8192", metavar="N,M", help="dense contexts, '' for none"
    )
    parser.add_argument(
        "--sizes",
        default=",".join(map(str, MEMORY_SIZES)),
        metavar="N,M",
        help="memory sizes, 0 = whole past",
    )
    parser.add_argument("--books-per-split", type=int, default=0, metavar="N", help="0 (default): all")
    parser.add_argument("--pages", type=int, default=0, metavar="N", help="pages of a book, 0 (default): all")
    parser.add_argument("--max-tokens", type=int, default=0, metavar="N", help="read no further into a book")
    parser.add_argument("--top-k", type=int, metavar="N", help="chunks a token reads (default: checkpoint's)")
    parser.add_argument("--cache", type=Path, metavar="DIR", help="keep keys and values here")


def run(arguments: argparse.Namespace) -> int:
    """Score, write the report, print the table."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    backbone = load_backbone(Paths.default(), arguments.model, device)
    sidenet = sidenet_for(backbone, arguments.sidenet)
    if arguments.top_k:
        sidenet.config = dataclasses.replace(sidenet.config, top_k=arguments.top_k)
    control = load_sidenet(arguments.control, backbone) if arguments.control else None
    source = evaluation_books(arguments, backbone, sidenet)
    chosen = chosen_books(arguments, source)
    rows = variants(sidenet, control, _numbers(arguments.dense), _numbers(arguments.sizes))
    results = []
    for book in chosen:
        results.append(score_book(book, source, backbone, sidenet, control, rows, arguments.protocol))
        print(f"{len(results)}/{len(chosen)} {book.name}", flush=True)
    made = table(rows, chosen, results)
    setup = {
        name: str(value) for name, value in vars(arguments).items()
        if name in ("protocol", "books_per_split", "pages", "max_tokens", "top_k")
    }  # fmt: skip
    setup |= {"books": [dataclasses.asdict(book) for book in chosen], "backbone": backbone.name}
    print(write_report(arguments.out, "perplexity", setup, made))
    return 0


def evaluation_books(arguments: argparse.Namespace, backbone: Backbone, sidenet: SideNet) -> TextBooks:
    """The books with the activations that fill a bank; nothing above the last memory block is computed."""
    texts = book_texts(arguments.books, arguments.parse_file)
    limit = arguments.max_tokens // PAGE
    return TextBooks(backbone, texts, Wanted.of(sidenet.config, ()), PAGE, 0, limit, arguments.cache)


def chosen_books(arguments: argparse.Namespace, source: TextBooks) -> list[ChosenBook]:
    """The books and pages to score.

    Raises
    ------
    BadInput
        No book has two whole pages.
    """
    lengths = {name: source.tokens(number) for number, name in enumerate(source.names)}
    segments = {name: source.length(number) for number, name in enumerate(source.names)}
    chosen = choose_books(lengths, segments, arguments.books_per_split, arguments.pages)
    if not chosen:
        raise BadInput(f"no book in {arguments.books} has two pages of {PAGE} tokens; give longer books")
    return chosen


def table(rows: list[Variant], books: list[ChosenBook], results: list[list[Total]]) -> list[Row]:
    """One row per variant and split (and "all"): loss, perplexity, interval, difference to "memory off"."""
    made = []
    off = [row.name for row in rows].index("SideNet, memory off")
    for split in dict.fromkeys([*(book.split for book in books), "all"]):
        inside = [r for book, r in zip(books, results, strict=True) if split in ("all", book.split)]
        for number, row in enumerate(rows):
            mine, base = [r[number] for r in inside], [r[off] for r in inside]
            made.append(
                Row(
                    row.name, split, len(inside), sum(total.tokens for total in mine), mean_loss(mine),
                    interval(mine), mean_loss(mine) - mean_loss(base), interval(mine, base),
                )
            )  # fmt: skip
    return made


def _numbers(words: str) -> tuple[int, ...]:
    try:
        return tuple(int(word) for word in words.split(",") if word)
    except ValueError:
        raise BadInput(f"'{words}' is no list of numbers; write it like 8192,16384,0") from None

"""`train-lexicon`: count the words of books at large, and fit how much more readily the book's own are said.

Of the shares λ and trusts α of a grid (`engine.sidenet.lexicon`), the pair is kept that gives pages of books
held out the least loss, beside all else that the SideNet reads of what came before them.
"""

import argparse
import dataclasses
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from engine.arguments import positive
from engine.backbone.backbone import Backbone
from engine.backbone.load import load_backbone
from engine.bank.layout import SEGMENT
from engine.paths import Paths
from engine.sidenet.checkpoint import load_sidenet, save_sidenet
from engine.sidenet.lexicon import Lexicon, counted
from engine.sidenet.sidenet import SideNet
from engine.training.activations import Wanted, freeze, freeze_all
from engine.training.books import book_texts
from engine.training.ring import Ring
from ingest.errors import BadInput
from ingest.segments import segments

SHARES = (0.0, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4)
TRUSTS = (2e3, 4e3, 8e3, 16e3, 32e3)
PASTS = (8, 24)  # segments before the pages that are scored
AT_ONCE = 4
UNSEEN = 0.5  # what a token counts that no book has


@dataclass(frozen=True)
class Page:
    """Logits (tokens, vocabulary) without the book's own words, what followed (tokens,), how often each token
    stands before the page (1, vocabulary)."""

    logits: Tensor
    targets: Tensor
    counts: Tensor


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("--books", type=Path, required=True, metavar="DIR", help="the books to count")
    parser.add_argument(
        "--held-out", type=Path, required=True, metavar="DIR", help="other books, to fit the two numbers on"
    )
    parser.add_argument("--start", type=Path, required=True, metavar="DIR", help="the checkpoint to add to")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where the checkpoint goes")
    parser.add_argument("--model", help="hub name, folder or GGUF file (default: the one that comes along)")
    parser.add_argument(
        "--limit", type=positive, default=40, metavar="N", help="segments of a book that are counted"
    )


def run(arguments: argparse.Namespace) -> int:
    """Count, fit, save; the exit code is 0."""
    backbone = load_backbone(Paths.default(), arguments.model)
    start = load_sidenet(arguments.start, backbone)
    counts = torch.zeros(len(backbone.head_weight))
    for name, text in book_texts(arguments.books, arguments.parse_file).items():
        counts += counted(tokens_of(text(), backbone, arguments.limit), len(counts))
        print(f"{name}: {counts.sum():,.0f} tokens in all", flush=True)
    sidenet = with_lexicon(start, usual(counts), backbone)
    held_out = book_texts(arguments.held_out, arguments.parse_file)
    losses = fit(sidenet, pages(sidenet, backbone, held_out.values()))
    assert sidenet.lexicon is not None
    share, trust = sidenet.lexicon.share.item(), sidenet.lexicon.trust.item()
    print(f"share {share:g}, trust {trust:g}: {losses.min() - losses[0, 0]:+.4f} nats", flush=True)
    save_sidenet(sidenet, backbone, arguments.out)
    return 0


def tokens_of(text: str, backbone: Backbone, limit: int) -> Tensor:
    """Return the tokens of up to `limit` whole segments of a text (tokens,)."""
    pieces: list[Tensor] = []
    for piece in segments(text, backbone.tokenizer, SEGMENT):
        if len(piece) < SEGMENT or len(pieces) == limit:
            break
        pieces.append(torch.tensor(list(piece.token_ids)))
    return torch.cat(pieces) if pieces else torch.zeros(0, dtype=torch.int64)


def usual(counts: Tensor) -> Tensor:
    """Return the log of each token's share of books at large (vocabulary,)."""
    mended = counts + UNSEEN
    return (mended / mended.sum()).log()


def with_lexicon(sidenet: SideNet, shares: Tensor, backbone: Backbone) -> SideNet:
    """Give a SideNet, all else unchanged, the words of books at large, log shares (vocabulary,)."""
    made = SideNet(dataclasses.replace(sidenet.config, lexicon=True), backbone)
    made.load_state_dict(sidenet.state_dict(), strict=False)
    made.lexicon = Lexicon(len(shares))
    made.lexicon.usual.copy_(shares)
    return made.to(backbone.device, backbone.dtype).eval()


def pages(sidenet: SideNet, backbone: Backbone, texts: Iterable[Callable[[], str]]) -> Iterable[Page]:
    """Read the half segments after `PASTS` whole ones of every book, beside what came before.

    Raises
    ------
    BadInput
        No book is as long.
    """
    found = False
    for text in texts:
        ids = tokens_of(text(), backbone, max(PASTS) + 1).view(-1, SEGMENT)
        for past in PASTS:
            if len(ids) > past:
                found = True
                yield page(sidenet, backbone, ids[: past + 1])
    if not found:
        raise BadInput(f"no book held out has {(min(PASTS) + 1) * SEGMENT:,} tokens; name longer ones")


@torch.inference_mode()
def page(sidenet: SideNet, backbone: Backbone, ids: Tensor) -> Page:
    """Read the second half of the last of some segments (segments, time)."""
    config, past = sidenet.config, ids[:-1]
    ring = Ring(config, 1, past.numel(), backbone.device)
    entering = () if config.search_block is None or not config.reads_by_map else (config.search_block,)
    for some in past.split(AT_ONCE):
        for part in freeze_all(backbone, some.to(backbone.device), Wanted(entering, config.memory_blocks)):
            ring.append(0, part.ids, part.keys, part.values, part.hidden.get(config.search_block or 0))
    read = freeze(backbone, ids[-1].to(backbone.device), Wanted(sidenet.states, ()))
    output = sidenet(
        {j: state[None] for j, state in read.hidden.items()}, ring.reader(0, "sparse", sidenet.search)
    )
    scored = slice(SEGMENT // 2 - 1, SEGMENT - 1)
    logits = backbone.head(output.normed[0, scored].to(backbone.dtype)).float().cpu()
    return Page(logits, ids[-1, SEGMENT // 2 :], counted(past, logits.shape[-1])[None])


@torch.inference_mode()
def fit(
    sidenet: SideNet,
    pages: Iterable[Page],
    shares: Sequence[float] = SHARES,
    trusts: Sequence[float] = TRUSTS,
) -> Tensor:
    """Set share and trust of the SideNet's lexicon to the best; return mean losses (shares, trusts), nats."""
    lexicon = sidenet.lexicon
    assert lexicon is not None
    losses = []
    for one in pages:
        rows = torch.empty(len(shares), len(trusts))
        for column, trust in enumerate(trusts):
            lexicon.share.fill_(1.0)
            lexicon.trust.fill_(trust)
            words = lexicon(one.counts)
            for row, share in enumerate(shares):
                rows[row, column] = F.cross_entropy(one.logits + share * words, one.targets)
        losses.append(rows)
    mean = torch.stack(losses).mean(0)
    row, column = divmod(int(mean.argmin()), len(trusts))
    lexicon.share.fill_(shares[row])
    lexicon.trust.fill_(trusts[column])
    return mean

"""`evaluate continuing`: what a reader notices in a text that is written on, with and without memory.

From places spaced over a book the text is written on as the page does it. Counted are the names that the book
had used before (and that do not stand in the window), the names that nobody in it bears, and the words that
repeat; the loss of the true continuation stands beside them.
"""

import argparse
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
import torch.nn.functional as F

from engine.arguments import positive
from engine.backbone.backbone import Backbone
from engine.backbone.load import load_backbone
from engine.bank.layout import SEGMENT
from engine.cast.names import bare, name_words
from engine.evaluation.pages import spaced
from engine.evaluation.readings import LayersAlone
from engine.evaluation.textbank import TextBank
from engine.paths import Paths
from engine.reader import Reader
from engine.report import table, tell
from engine.sampling import CONTINUING, Sampling
from engine.sidenet.checkpoint import sidenet_for
from engine.sidenet.sidenet import MemoryReader, SideNet
from engine.training.activations import Wanted, freeze, freeze_all
from engine.training.books import book_texts
from ingest.errors import BadInput
from ingest.segments import segments

LOCAL = 512  # tokens before the place that stand in the window
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
REPEATED = 4


@dataclass(frozen=True)
class Written:
    """One continuation.

    words: of all. recalled: names that the book had used before, but not in the window. foreign: names that
    it had not. repeated: runs of four words that stand in it twice. loss: of the true continuation, in nats.
    """

    words: int
    recalled: int
    foreign: int
    repeated: int
    loss: float


def rows(sidenet: SideNet) -> dict[str, Callable[[MemoryReader], MemoryReader | None]]:
    """Map the name of each row to what it reads of the memory."""
    heads = sidenet.config.kv_heads
    all_rows: dict[str, Callable[[MemoryReader], MemoryReader | None]] = {
        "memory off": lambda memory: None,
        "memory": lambda memory: memory,
    }
    if sidenet.lexicon is not None:
        layers = sidenet.config.memory_layers
        all_rows["votes alone"] = lambda memory: LayersAlone(memory, layers, heads)
        all_rows["the book's own words alone"] = lambda memory: LayersAlone(memory, (), heads, words=True)
    return all_rows


def judged(text: str, local: str, known: set[str], loss: float) -> Written:
    """Count what stands in a continuation. known: names of the book before the place; local: the window."""
    words = _WORD.findall(text)
    near, names = {bare(word) for word in _WORD.findall(local)}, known | name_words(local + text)
    capital = [bare(word) for word in words if word[0].isupper()]
    far = [name for name in capital if name in names and name not in near]
    runs = list(zip(*(words[at:] for at in range(REPEATED)), strict=False))
    return Written(
        len(words),
        sum(name in known for name in far),
        sum(name not in known for name in far),
        len(runs) - len(set(runs)),
        loss,
    )


@torch.inference_mode()
def continued(
    sidenet: SideNet, backbone: Backbone, ids: torch.Tensor, bank: TextBank, at: int, sampling: Sampling
) -> dict[str, tuple[str, float]]:
    """Write on from token `at`, once for each row: the text, and the loss of as many true tokens."""
    reader, found = Reader(backbone, sidenet), {}
    before, after = ids[at - LOCAL : at], ids[at : at + sampling.max_tokens]
    hidden = freeze(backbone, torch.cat((before, after)), Wanted(sidenet.states, ())).hidden
    memory = bank.reader(at - LOCAL, 0, sidenet.search)
    assert memory is not None
    for name, reads in rows(sidenet).items():
        tokens = reader.generate(before.tolist(), reads(memory), sampling)
        text = "".join(token.text for token in tokens)
        output = sidenet({j: state[None] for j, state in hidden.items()}, reads(memory))
        logits = output.logits(backbone, at=slice(LOCAL - 1, -1))
        found[name] = text, F.cross_entropy(logits, after.to(logits.device)).item()
    return found


def judge_book(
    text: str, sidenet: SideNet, backbone: Backbone, places: int, past: int, sampling: Sampling
) -> Iterable[dict[str, tuple[str, Written]]]:
    """Write on from each of some places of one book.

    Raises
    ------
    BadInput
        The book is too short.
    """
    pieces = [piece for piece in segments(text, backbone.tokenizer, SEGMENT) if len(piece) == SEGMENT][
        : past + 1
    ]
    if len(pieces) < 4:
        raise BadInput(f"a book has {len(pieces) * SEGMENT:,} tokens; name books of {4 * SEGMENT:,} and more")
    ids = torch.tensor([token for piece in pieces for token in piece.token_ids])
    wanted = Wanted.of(sidenet.config, ())
    parts = [part for one in ids.view(-1, SEGMENT)[:-1] for part in freeze_all(backbone, one[None], wanted)]
    bank = TextBank.of(sidenet.config, parts)
    for segment in spaced(3, len(pieces) - 1, places):
        at = segment * SEGMENT
        known = name_words(backbone.tokenizer.decode(ids[: at - LOCAL].tolist()))
        local = backbone.tokenizer.decode(ids[at - LOCAL : at].tolist())
        made = continued(sidenet, backbone, ids, bank, at, sampling)
        yield {name: (words, judged(words, local, known, loss)) for name, (words, loss) in made.items()}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("--books", type=Path, required=True, metavar="DIR", help="books to write on in")
    parser.add_argument("--places", type=positive, default=5, metavar="N", help="places of a book")
    parser.add_argument(
        "--past", type=positive, default=24, metavar="N", help="segments of a book that are read"
    )
    parser.add_argument("--tokens", type=positive, default=120, metavar="N", help="tokens of a continuation")
    parser.add_argument("--seed", type=positive, default=1, metavar="N")
    parser.add_argument("--sidenet", type=Path, metavar="DIR", help="checkpoint (default: the one in assets)")
    parser.add_argument("--model", help="hub name, folder or GGUF file (default: the one that comes along)")
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder for the table and what was written")


def run(arguments: argparse.Namespace) -> int:
    """Write on, count, print the table; the exit code is 0."""
    backbone = load_backbone(Paths.default(), arguments.model)
    sidenet = sidenet_for(backbone, arguments.sidenet)
    sampling = replace(CONTINUING, max_tokens=arguments.tokens, seed=arguments.seed)
    found: dict[str, list[Written]] = {}
    texts: list[dict[str, str]] = []
    for book, text in book_texts(arguments.books, arguments.parse_file).items():
        for made in judge_book(text(), sidenet, backbone, arguments.places, arguments.past, sampling):
            texts.append({name: words for name, (words, _) in made.items()})
            for name, (_, written) in made.items():
                found.setdefault(name, []).append(written)
        print(f"{book}: {len(texts)} continuations so far", flush=True)
    tell(arguments.out, "continuing", markdown(found), {"written": texts})
    return 0


def markdown(found: dict[str, list[Written]]) -> str:
    """Write one row for what was read, a hundred words at a time."""
    heads = ["", "names of the book beyond the window:", "other names:", "repeats:", "loss of the true text:"]
    return table(heads, [[name, *_cells(written)] for name, written in found.items()]) + "\n"


def _cells(written: Sequence[Written]) -> list[str]:
    words = max(1, sum(one.words for one in written))
    counts = [sum(getattr(one, name) for one in written) for name in ("recalled", "foreign", "repeated")]
    return [
        *(f"{100 * count / words:.2f}" for count in counts),
        f"{sum(w.loss for w in written) / len(written):.4f}",
    ]

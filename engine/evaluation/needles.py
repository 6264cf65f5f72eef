"""`evaluate needles`: made-up facts planted in a book, found again by depth and length.

Ten facts at each of five depths of one long stretch of a book no question was learned from; facts of one form
are the hardest distractors for one another. A cell of the grid is the share of its questions whose passage a
method ranks first.
"""

import argparse
import random
import tempfile
from bisect import bisect_left
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from engine.arguments import lengths
from engine.backbone.load import load_backbone
from engine.evaluation.haystack import Haystack, Needle, Range, overlapping
from engine.evaluation.retrieval import Evaluation, Words, search_of
from engine.paths import Paths
from engine.report import drawing, table, tell
from engine.training.books import book_texts
from engine.training.questions import flowing
from ingest.document import Document
from ingest.errors import BadInput
from ingest.passages import passages, sentences

DEPTHS = (0.0, 0.25, 0.5, 0.75, 1.0)
AROUND = 0.04  # of the text: how far from its depth a fact may lie
CHARACTERS = 6  # per token, at most
NAMES = (
    "Orlando", "Bettina", "Casimir", "Philippa", "Ambrose", "Leocadia", "Thaddeus", "Rosalba", "Ignatius",
    "Cordelia",
)  # fmt: skip
FORMS = (
    ("{} keeps the copper lantern under the stairs of the {}.", "Where does {} keep the copper lantern?"),
    ("The password that {} told to nobody was {}.", "Which password did {} tell to nobody?"),
    ("For the journey {} bought a mule from a dealer in {}.", "Where did {} buy a mule?"),
    ("At the fair {} won a barrel of {}.", "What did {} win at the fair?"),
    ("{} had learned to play the {} from a sailor.", "What did {} learn to play from a sailor?"),
)
THINGS = (
    "mill", "brewery", "granary", "chapel", "tannery", "foundry", "dairy", "smithy", "boathouse", "orangery",
)  # fmt: skip


def facts() -> list[tuple[str, str]]:
    """Make fifty (sentence, question), in the order in which they are dealt to the depths."""
    rng = random.Random(0)
    made = []
    for statement, question in FORMS:
        things = rng.sample(THINGS, len(THINGS))
        made += [
            (statement.format(name, thing), question.format(name))
            for name, thing in zip(NAMES, things, strict=True)
        ]
    rng.shuffle(made)
    return made


def planted(text: str) -> Haystack:
    """Plant all facts between a text's sentences; `reading` of a needle is the number of its depth."""
    rng, borders = random.Random(0), [end for _, end in sentences(text)]
    each = len(facts()) // len(DEPTHS)
    places = []
    for number, (statement, question) in enumerate(facts()):
        depth = number // each
        wanted = (DEPTHS[depth] + rng.uniform(-AROUND, AROUND)) * len(text)
        border = borders[min(len(borders) - 1, bisect_left(borders, wanted))]
        places.append((border, statement, question, depth))
    whole, at, spans = "", 0, []
    for border, statement, question, depth in sorted(places, key=lambda place: place[0]):
        whole += text[at:border] + " "
        spans.append((len(whole), len(whole) + len(statement), question, depth))
        whole, at = whole + statement, border
    whole += text[at:]
    document = Document("planted", "", "en", "text", whole)
    cut = np.array([(one.start, one.end) for one in passages(document)])
    needles = tuple(
        Needle(question, tuple(overlapping(cut, start, end)), "planted", depth)
        for start, end, question, depth in spans
    )
    return Haystack("planted", document, cut, needles, (0, len(whole)))


def grid(hay: Haystack, ranks: dict[str, list[float]]) -> dict[str, list[float]]:
    """Return by method the share found first at each depth."""
    depths = np.array([needle.reading for needle in hay.needles])
    first = {method: np.array(found) < 1 for method, found in ranks.items()}
    return {
        method: [float(found[depths == depth].mean()) for depth in range(len(DEPTHS))]
        for method, found in first.items()
    }


def markdown(grids: dict[int, dict[str, list[float]]]) -> str:
    """Write one row for a method and a length."""
    rows = [
        [method, f"{tokens:,}", *(f"{share:.1f}" for share in found[method])]
        for method in next(iter(grids.values()))
        for tokens, found in grids.items()
    ]
    return table(["method", "tokens:", *(f"depth {depth:.0%}:" for depth in DEPTHS)], rows) + "\n"


def draw(grids: dict[int, dict[str, list[float]]], picture: Path) -> None:
    """Draw one panel a method: depth downwards, length to the right, green where every fact is first."""
    methods = list(next(iter(grids.values())))
    size = (3.2 * len(methods), 3)
    with drawing(picture, size, ncols=len(methods), squeeze=False, sharey=True) as axes:
        for axis, method in zip(axes[0], methods, strict=True):
            shares = np.array([found[method] for found in grids.values()]).T
            axis.imshow(shares, vmin=0, vmax=1, cmap="RdYlGn", aspect="auto")
            axis.set_title(method, fontsize=9)
            axis.set_xticks(range(len(grids)), [f"{tokens // 1000}k" for tokens in grids])
            axis.set_yticks(range(len(DEPTHS)), [f"{depth:.0%}" for depth in DEPTHS])
            for (row, column), share in np.ndenumerate(shares):
                axis.text(column, row, f"{share:.1f}", ha="center", va="center", fontsize=8)
        axes[0][0].set_ylabel("depth")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument(
        "--books", type=Path, required=True, metavar="DIR", help="books to plant the facts in"
    )
    parser.add_argument(
        "--lengths", type=lengths, default="10000,30000,100000", metavar="N,N", help="in tokens"
    )
    parser.add_argument("--map", type=Path, metavar="DIR", help="search map of a training run")
    parser.add_argument("--sidenet", type=Path, metavar="DIR", help="checkpoint whose search map is measured")
    parser.add_argument("--model", help="hub name, folder or GGUF file (default: the one that comes along)")
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder for needles.md, .json and .png")


def run(arguments: argparse.Namespace) -> int:
    """Plant, search, print the grid; the exit code is 0.

    Raises
    ------
    BadInput
        The books are shorter than the longest document asked for.
    """
    backbone = load_backbone(Paths.default(), arguments.model)
    search, block = search_of(arguments, backbone)
    lengths = sorted(arguments.lengths)
    texts = (text() for text in book_texts(arguments.books, arguments.parse_file).values())
    book = first_characters(texts, CHARACTERS * lengths[-1])
    ends = backbone.tokenizer(book, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
    if len(ends) < lengths[-1]:
        raise BadInput(f"the books hold {len(ends):,} tokens; give more, or shorter --lengths")
    grids = {}
    for tokens in lengths:
        hay = planted(book[: ends[tokens - 1][1]])
        evaluation = Evaluation(hay, backbone, search, block)
        with tempfile.TemporaryDirectory() as home:
            within = Range(0, len(hay.text), tuple(range(len(hay.needles))))
            _, ranks = evaluation.ranks(within, Words(hay, Path(home)))
        grids[tokens] = grid(hay, ranks)
    tell(arguments.out, "needles", markdown(grids), {"depths": DEPTHS, "grids": grids})
    if arguments.out is not None:
        draw(grids, arguments.out / "needles.png")
    return 0


def first_characters(texts: Iterable[str], count: int) -> str:
    """Join texts one after the other, and return the first `count` characters."""
    whole = ""
    for text in texts:
        if len(whole) >= count:
            break
        whole += ("\n\n" if whole else "") + flowing(text)
    return whole[:count]

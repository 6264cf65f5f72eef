"""`evaluate retrieval`: which passages memory, full-text search and both together find for a question.

Recall@1/4/8 and mean reciprocal rank of the first right passage, by length of the document. Every method
ranks the same passages within the same range of characters; BM25 is the product's own full-text search.
Two outside neighbours on request: raw attention keys as in the paper, and a sentence-embedding model.
"""

import argparse
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from engine.answering.passages import FUSION_CONSTANT
from engine.arguments import lengths, natural, positive
from engine.backbone.backbone import Backbone
from engine.backbone.load import load_backbone
from engine.evaluation.embedder import Embedder, Embeddings
from engine.evaluation.haystack import Haystack, Range, haystack, ranges
from engine.evaluation.rawkeys import RawKeys
from engine.paths import Paths
from engine.report import parts, table, tell
from engine.retrieval.votes import Ballot, ballot, owners, passage_scores, question_states
from engine.shelf.fulltext import FullText
from engine.sidenet.checkpoint import sidenet_for
from engine.sidenet.search import SearchMap
from engine.training.books import book_texts
from engine.training.questions import sectioned
from engine.training.search import freeze_text, load_map
from ingest.errors import BadInput

CUTS = (1, 4, 8)
CHARACTERS_PER_TOKEN = 6  # more than enough to pad with; what is too long is cut at the token
DOCUMENT = "0" * 12


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    questions: str
    tokens: int
    method: str
    count: int
    passages: int
    recall_1: float
    recall_4: float
    recall_8: float
    mrr: float


def first_rank(scores: np.ndarray, gold: Sequence[int]) -> float:
    """Rank the best right passage (0 is first); ties stand before it by halves, −inf is never found."""
    best = scores[list(gold)].max()
    if np.isneginf(best):
        return float("inf")
    wrong = np.delete(scores, list(gold))
    return float((wrong > best).sum() + 0.5 * (wrong == best).sum())


def row(name: str, tokens: int, method: str, passages: int, ranks: Sequence[float]) -> Row:
    """Make the line for the ranks of one method."""
    values = np.array(ranks)
    one, four, eight = (float((values < cut).mean()) for cut in CUTS)
    mean = float((1 / (values + 1)).mean())
    return Row(name, tokens, method, len(values), passages, one, four, eight, mean)


def standardised(scores: np.ndarray) -> np.ndarray:
    """Scale scores to zero mean and unit variance over the passages; one that does not match is 0 before."""
    finite = np.where(np.isneginf(scores), 0.0, scores)
    spread = finite.std()
    return (finite - finite.mean()) / spread if spread > 0 else finite - finite.mean()


def reciprocal(scores: np.ndarray) -> np.ndarray:
    """Return what `ask` fuses by: 1 / (10 + rank) of every passage, 0 for one that does not match."""
    ranks = np.empty(len(scores))
    ranks[np.argsort(-scores, kind="stable")] = np.arange(len(scores))
    return np.where(np.isneginf(scores), 0.0, 1 / (FUSION_CONSTANT + ranks))


def fusions(memory: np.ndarray, words: np.ndarray) -> dict[str, np.ndarray]:
    """Add the scores of memory and full-text search in two ways."""
    return {
        "fusion (z-scores)": standardised(memory) + standardised(words),
        "fusion (reciprocal ranks)": reciprocal(memory) + reciprocal(words),
    }


class Words:
    """BM25 over the passages of one haystack, by the shelf's full-text search."""

    def __init__(self, hay: Haystack, home: Path) -> None:
        paths = Paths(home)
        paths.document(DOCUMENT).mkdir(parents=True, exist_ok=True)
        self.fulltext, self.count = FullText(paths), len(hay.spans)
        rows = ((i, int(a), int(b), hay.text[a:b]) for i, (a, b) in enumerate(hay.spans))
        self.fulltext.index(DOCUMENT, rows)

    def scores(self, question: str, within: Range) -> np.ndarray:
        """Return scores (passages of the haystack,), −inf where no word matches or outside the range."""
        scores = np.full(self.count, -np.inf)
        ranges = {DOCUMENT: (within.start, within.end)}
        for hit in self.fulltext.rank(question, ranges, limit=self.count):
            scores[hit.index] = hit.score
        return scores


class Evaluation:
    """One haystack, encoded once, and every method's ranking of its questions."""

    def __init__(self, hay: Haystack, backbone: Backbone, search: SearchMap, block: int) -> None:
        self.hay, self.backbone = hay, backbone
        pooled, starts, spans = freeze_text(backbone, hay.text, block)
        self.token_ends = spans[:, 1].numpy()
        self.owner = owners(spans.numpy(), starts.numpy(), hay.spans)
        with torch.inference_mode():
            parts = [search.keys(part.float()).half() for part in pooled.split(8192)]
        self.keys = torch.cat(parts).numpy()
        self.asked: list[Ballot] = [
            ballot(search, question_states(backbone, needle.question, block)) for needle in hay.needles
        ]

    def rows(
        self, tokens: int, words: Words, raw: RawKeys | None = None, embeddings: Embeddings | None = None
    ) -> list[Row]:
        """Measure all methods at one length."""
        ranks: dict[str, list[float]] = {}
        sizes = []
        for within in ranges(self.hay, self.token_ends, tokens):
            size, found = self.ranks(within, words, raw, embeddings)
            sizes.append(size)
            for method, values in found.items():
                ranks.setdefault(method, []).extend(values)
        size = round(float(np.mean(sizes)))
        return [row(self.hay.name, tokens, method, size, found) for method, found in ranks.items()]

    def ranks(
        self, within: Range, words: Words, raw: RawKeys | None = None, embeddings: Embeddings | None = None
    ) -> tuple[int, dict[str, list[float]]]:
        """Count the passages of a range, and rank by method the right one for each of its needles."""
        inside = (self.hay.spans[:, 0] >= within.start) & (self.hay.spans[:, 1] <= within.end)
        first, last = np.flatnonzero(inside)[[0, -1]]
        # owners with −1 replaced by the last passage before, so that they rise and can be searched
        chunks = slice(*np.searchsorted(np.maximum.accumulate(self.owner), [first, last + 1]))
        ranks: dict[str, list[float]] = {}
        for number in within.needles:
            needle = self.hay.needles[number]
            gold = [index - first for index in needle.gold if first <= index <= last]
            scored = self._methods(number, within, chunks, words, raw)
            if embeddings is not None:
                scored["sentence embeddings"] = embeddings.scores(number, within)
            for method, scores in scored.items():
                ranks.setdefault(method, []).append(first_rank(scores[first : last + 1], gold))
        return last + 1 - first, ranks

    def _methods(
        self, number: int, within: Range, chunks: slice, words: Words, raw: RawKeys | None
    ) -> dict[str, np.ndarray]:
        count = len(self.hay.spans)
        owner = self.owner[chunks]
        memory = passage_scores(self.keys[chunks], owner, count, self.asked[number])
        by_words = words.scores(self.hay.needles[number].question, within)
        found = {}
        if raw is not None and raw.chunks >= chunks.stop:
            found["raw attention keys"] = raw.scores(number, chunks, owner, count)
        found |= {"memory (trained search)": memory, "BM25": by_words}
        inside = slice(*np.searchsorted(self.hay.spans[:, 0], [within.start, within.end]))
        for name, fused in fusions(memory[inside], by_words[inside]).items():
            found[name] = np.full(count, -np.inf)
            found[name][inside] = fused
        return found


def markdown(rows: Sequence[Row]) -> str:
    """Write one table for each set of questions."""
    heads = ("tokens:", "passages:", "questions:", "method", "R@1:", "R@4:", "R@8:", "MRR:")
    return parts(rows, lambda one: one.questions, lambda part: table(heads, map(_cells, part)))


def _cells(one: Row) -> tuple[str, ...]:
    found = (f"{share:.3f}" for share in (one.recall_1, one.recall_4, one.recall_8, one.mrr))
    return (f"{one.tokens:,}", f"{one.passages:,}", str(one.count), one.method, *found)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument(
        "--sections", nargs=2, type=Path, action="append", required=True, metavar=("DOCUMENTS", "QUESTIONS"),
        help="documents in sections, and questions that name them",
    )  # fmt: skip
    parser.add_argument("--padding", type=Path, metavar="DIR", help="books to make long documents with")
    parser.add_argument(
        "--lengths", type=lengths, default="10000,100000", metavar="N,N", help="document lengths in tokens"
    )
    parser.add_argument("--map", type=Path, metavar="DIR", help="search map of a training run")
    parser.add_argument("--sidenet", type=Path, metavar="DIR", help="checkpoint whose search map is measured")
    parser.add_argument("--raw-block", type=natural, metavar="B", help="also search block B's attention keys")
    parser.add_argument("--raw-tokens", type=positive, default=100_000, metavar="N", help="up to this length")
    parser.add_argument("--embeddings", action="store_true", help="also a sentence-embedding model")
    parser.add_argument(
        "--questions", type=natural, default=0, metavar="N", help="only N of each set, drawn by a seed"
    )
    parser.add_argument("--model", help="hub name, folder or GGUF file (default: the one that comes along)")
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder for retrieval.md and retrieval.json")


def search_of(arguments: argparse.Namespace, backbone: Backbone) -> tuple[SearchMap, int]:
    """Load the search map that the command names, and its block.

    Raises
    ------
    BadInput
        The checkpoint has no search map.
    """
    if arguments.map is not None:
        return load_map(arguments.map, backbone)
    sidenet = sidenet_for(backbone, arguments.sidenet)
    if sidenet.search is None or sidenet.config.search_block is None:
        raise BadInput("this SideNet has no search map; name one with --map")
    return sidenet.search.float(), sidenet.config.search_block


def run(arguments: argparse.Namespace) -> int:
    """Encode, rank, print the table; the exit code is 0."""
    backbone = load_backbone(Paths.default(), arguments.model)
    search, block = search_of(arguments, backbone)
    lengths = sorted(arguments.lengths)
    books = book_texts(arguments.padding, arguments.parse_file) if arguments.padding is not None else {}
    embedder = Embedder() if arguments.embeddings else None
    rows: list[Row] = []
    began = time.monotonic()
    for documents, questions in arguments.sections:
        padding = (text() for text in books.values())
        size = CHARACTERS_PER_TOKEN * lengths[-1]
        hay = haystack(documents.stem, sectioned(documents, questions), padding, size).of(arguments.questions)
        evaluation = Evaluation(hay, backbone, search, block)
        raw = None
        if arguments.raw_block is not None:
            raw = RawKeys(hay, backbone, arguments.raw_block, arguments.raw_tokens)
        embeddings = Embeddings(hay, embedder) if embedder is not None else None
        with tempfile.TemporaryDirectory() as home:
            words = Words(hay, Path(home))
            for tokens in lengths:
                rows += evaluation.rows(tokens, words, raw, embeddings)
                seconds = time.monotonic() - began
                print(f"{documents.stem}: {tokens:,} tokens, {seconds:.0f} s", flush=True)
    result = {"seconds": round(time.monotonic() - began), "rows": [asdict(one) for one in rows]}
    tell(arguments.out, "retrieval", markdown(rows), result)
    return 0

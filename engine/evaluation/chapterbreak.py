"""`python launch.py evaluate chapterbreak`: which of six beginnings is that of the next chapter?

As the benchmark defines it: the context ends where a chapter ends; the true beginning of the next chapter
stands against the beginnings of five other chapters of the same book; the one whose tokens are likelier
(mean log-likelihood given the context) is chosen. Chance is 1 in 6. Instances are built from the books
themselves, with the chapters that the parser found.
"""

import argparse
import json
import random
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from engine.backbone.backbone import Backbone
from engine.backbone.load import load_backbone
from engine.evaluation.bootstrap import Total, interval
from engine.evaluation.textbank import TextBank
from engine.paths import Paths
from engine.sidenet.checkpoint import sidenet_for
from engine.sidenet.sidenet import SideNet
from engine.training.activations import Wanted, freeze
from engine.training.books import Parse, book_files
from ingest.document import Document
from ingest.errors import BadInput

CHOICES = 6
SUFFIX = 128
SEGMENT = 1024
LOCAL = 896  # with the suffix one window of 1,024


@dataclass(frozen=True)
class Instance:
    """One question: context `text[:boundary]`, the starts of six beginnings; `starts[answer]` is true."""

    boundary: int
    starts: tuple[int, ...]
    answer: int


def chapter_starts(document: Document, least: int = 2000) -> list[int]:
    """Where the running text of each chapter begins, after its heading; chapters below `least` characters
    are left out (contents, dedications)."""
    starts = []
    for chapter in document.chapters:
        if chapter.kind != "body" or chapter.end - chapter.start < least:
            continue
        body = document.text.find("\n", chapter.start, chapter.end)
        start = chapter.start if body < 0 else body
        while start < chapter.end and document.text[start].isspace():
            start += 1
        starts.append(start)
    return sorted(set(starts))


def instances(document: Document, count: int, seed: int) -> list[Instance]:
    """Up to `count` questions of one book; none where too few chapters follow a boundary.

    Wrong beginnings are those of chapters after the boundary: what a memory of the past has read before
    cannot give a beginning away. Every beginning has a whole suffix of text.
    """
    starts = [s for s in chapter_starts(document) if s + 12 * SUFFIX <= len(document.text)]
    usable = range(1, len(starts) - CHOICES + 1)
    choose = random.Random(f"{seed} {len(document.text)}")
    made = []
    for number in sorted(choose.sample(usable, min(count, len(usable)))):
        others = choose.sample(starts[number + 1 :], CHOICES - 1)
        answer = choose.randrange(CHOICES)
        order = [*others[:answer], starts[number], *others[answer:]]
        made.append(Instance(starts[number], tuple(order), answer))
    return made


@dataclass(frozen=True)
class Reader:
    """One row: "backbone" reads a local window; "sidenet" one with memory of `memory` tokens (None: off)."""

    name: str
    context: int = LOCAL
    sidenet: SideNet | None = None
    memory: int | None = None


def readers(sidenet: SideNet, contexts: tuple[int, ...]) -> list[Reader]:
    """The rows of the table."""
    rows = [Reader("backbone, window of 1k")]
    rows += [Reader(f"backbone, dense {context}", context - SUFFIX) for context in contexts]
    rows.append(Reader("SideNet, memory off", sidenet=sidenet))
    rows += [Reader(f"SideNet, memory {size}", sidenet=sidenet, memory=size) for size in contexts]
    rows.append(Reader("SideNet, memory whole past", sidenet=sidenet, memory=0))
    return rows


@torch.inference_mode()
def suffix_scores(
    backbone: Backbone, reader: Reader, context: Tensor, suffixes: Tensor, bank: TextBank
) -> Tensor:
    """Mean log-likelihood (choices,) of suffixes (choices, time) after context (tokens,).

    Memory holds what lies before the local window.
    """
    local = context[-reader.context :]
    scores = []
    for suffix in suffixes:
        ids = torch.cat((local, suffix)).to(backbone.device)
        states = (backbone.blocks,) if reader.sidenet is None else reader.sidenet.states
        hidden = backbone.encode(ids[None], hidden=states).hidden
        if reader.sidenet is None:
            normed = backbone.final_norm(hidden[backbone.blocks][0])
        else:
            memory = None
            if reader.memory is not None:
                until = len(context) - len(local)
                memory = bank.reader(until, reader.memory, reader.sidenet.search)
            normed = reader.sidenet(hidden, memory).normed[0]
        first = len(local) - 1
        logits = backbone.head(normed[first:-1].to(backbone.dtype)).float()
        scores.append(-F.cross_entropy(logits, ids[first + 1 :]))
    return torch.stack(scores)


def score_book(
    document: Document, backbone: Backbone, rows: list[Reader], sidenet: SideNet, count: int, seed: int
) -> tuple[list[int], int]:
    """Right answers of every row, and the number of questions."""
    right, asked = [0] * len(rows), 0
    for instance in instances(document, count, seed):
        context = torch.tensor(_ids(backbone, document.text[: instance.boundary]))
        suffixes = torch.tensor(
            [_ids(backbone, document.text[start : start + 12 * SUFFIX])[:SUFFIX] for start in instance.starts]
        )
        bank = _bank(backbone, sidenet, context)
        for number, row in enumerate(rows):
            best = int(suffix_scores(backbone, row, context, suffixes, bank).argmax())
            right[number] += best == instance.answer
        asked += 1
    return right, asked


def _ids(backbone: Backbone, text: str) -> list[int]:
    return backbone.tokenizer(text, add_special_tokens=False)["input_ids"]


def _bank(backbone: Backbone, sidenet: SideNet, context: Tensor) -> TextBank:
    whole = context[: len(context) // SEGMENT * SEGMENT].split(SEGMENT) if len(context) >= SEGMENT else ()
    wanted = Wanted.of(sidenet.config, ())
    return TextBank.of(sidenet.config, [freeze(backbone, ids, wanted) for ids in whole])


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("--books", type=Path, required=True, metavar="DIR", help="books with chapters")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where the result goes")
    parser.add_argument("--model", help="hub name, folder or GGUF file (default: the one that comes along)")
    parser.add_argument("--sidenet", type=Path, metavar="DIR", help="checkpoint (default: the one in assets)")
    parser.add_argument("--contexts", default="4096,6144,8192", metavar="N,M", help="context lengths")
    parser.add_argument("--per-book", type=int, default=8, metavar="N", help="questions of one book")
    parser.add_argument("--max-books", type=int, default=0, metavar="N", help="0 (default): all")
    parser.add_argument("--seed", type=int, default=0)


def run(arguments: argparse.Namespace) -> int:
    """Ask, write chapterbreak.md and .json, print the table."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    backbone = load_backbone(Paths.default(), arguments.model, device)
    sidenet = sidenet_for(backbone, arguments.sidenet)
    rows = readers(sidenet, tuple(int(n) for n in arguments.contexts.split(",") if n))
    results = score_books(arguments, backbone, sidenet, rows, arguments.parse_file)
    print(write_result(arguments.out, rows, results))
    return 0


def score_books(
    arguments: argparse.Namespace, backbone: Backbone, sidenet: SideNet, rows: list[Reader], parse: Parse
) -> list[tuple[list[int], int]]:
    """`score_book` over a folder.

    Raises
    ------
    BadInput
        No book has enough chapters.
    """
    results = []
    for file in book_files(arguments.books)[: arguments.max_books or None]:
        right, asked = score_book(parse(file), backbone, rows, sidenet, arguments.per_book, arguments.seed)
        if asked:
            results.append((right, asked))
            print(f"{file.name}: {asked} questions, right {right}", flush=True)
    if not results:
        raise BadInput(f"no book in {arguments.books} has {CHOICES + 1} chapters; give books with chapters")
    return results


def write_result(folder: Path, rows: list[Reader], results: list[tuple[list[int], int]]) -> str:
    """Accuracy of every row in percent, with an interval over books; returns the Markdown."""
    questions = sum(asked for _, asked in results)
    lines = [f"{questions} questions from {len(results)} books; chance {100 / CHOICES:.1f} %\n"]
    lines += ["| | right (%) | 95 % over books |", "|---|---|---|"]
    values = []
    for number, row in enumerate(rows):
        totals = [Total(100 * right[number], asked) for right, asked in results]
        share, (low, high) = sum(t.loss for t in totals) / questions, interval(totals)
        known = low == low  # one book gives NaN
        lines.append(f"| {row.name} | {share:.1f} | {f'{low:.1f} to {high:.1f}' if known else '-'} |")
        values.append({"name": row.name, "right": share, "interval": [low, high] if known else None})
    folder.mkdir(parents=True, exist_ok=True)
    text = "\n".join(lines) + "\n"
    (folder / "chapterbreak.md").write_text(text)
    content = {"questions": questions, "books": len(results), "rows": values}
    (folder / "chapterbreak.json").write_text(json.dumps(content, indent=2) + "\n")
    return text

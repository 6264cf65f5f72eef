"""`python launch.py evaluate chapterbreak`: which of six beginnings is that of the next chapter?

As the benchmark defines it: the context ends where a chapter ends; the true beginning of the next chapter,
without its heading, stands against the beginnings of five other chapters of the same book; the one whose
tokens are likelier (mean log-likelihood given the context) is chosen. Chance is 1 in 6. Instances are built
from the books themselves, with the chapters that the parser found.

How plain a beginning is weighs more in its likelihood than whether it belongs here, so the table also says
how often the context raised the likelihood of the true one most, against the suffix after one token alone,
by the same network without memory.

A book's bank is filled once and read up to each boundary; the context is read once for its six suffixes, and
the window of 1k once for all rows.
"""

import argparse
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from engine.arguments import natural, positive, sizes
from engine.backbone.backbone import Backbone
from engine.backbone.load import load_backbone
from engine.bank.layout import SEGMENT
from engine.evaluation.chapterbreak_report import Score, write_result
from engine.evaluation.kept import Kept
from engine.evaluation.textbank import Batched, TextBank
from engine.paths import Paths
from engine.sidenet.checkpoint import sidenet_for
from engine.sidenet.sidenet import MemoryReader, SideCache, SideNet, SideOutput
from engine.training.activations import TextBooks, Wanted
from engine.training.books import Parse, book_files
from ingest.document import Document
from ingest.errors import BadInput
from ingest.segments import segments

CHOICES = 6
SUFFIX = 128
LOCAL = 896  # with the suffix one window of 1,024


@dataclass(frozen=True)
class Instance:
    """One question: context `text[:boundary]`, up to the next chapter's heading, and the starts of six
    beginnings, after their headings; `starts[answer]` is true."""

    boundary: int
    starts: tuple[int, ...]
    answer: int


@dataclass(frozen=True)
class Opening:
    """A chapter's heading begins at character `heading`, its running text at `text`."""

    heading: int
    text: int


def openings(document: Document, least: int = 2000) -> list[Opening]:
    """Find how each chapter begins; those below `least` characters are left out (contents, dedications).

    A part that begins with its first chapter has that one's text, and one opening stands for both.
    """
    texts: dict[int, int] = {}
    made: dict[int, int] = {}
    for chapter in reversed(document.chapters):
        heading_end = document.text.find("\n", chapter.start, chapter.end)
        text = chapter.start if heading_end < 0 else heading_end
        while text < chapter.end and document.text[text].isspace():
            text += 1
        texts[chapter.start] = text = texts.get(text, text)
        if chapter.kind == "body" and chapter.end - chapter.start >= least:
            made[text] = min(chapter.start, made.get(text, chapter.start))
    return [Opening(heading, text) for text, heading in sorted(made.items())]


def instances(document: Document, count: int, seed: int) -> list[Instance]:
    """Draw up to `count` questions of one book; none where too few chapters follow a boundary.

    Wrong beginnings are those of chapters after the boundary: what a memory of the past has read before
    cannot give a beginning away. Every beginning has a whole suffix of text.
    """
    found = [one for one in openings(document) if one.text + 12 * SUFFIX <= len(document.text)]
    usable = range(1, len(found) - CHOICES + 1)
    choose = random.Random(f"{seed} {len(document.text)}")
    made = []
    for number in sorted(choose.sample(usable, min(count, len(usable)))):
        others = [one.text for one in choose.sample(found[number + 1 :], CHOICES - 1)]
        answer = choose.randrange(CHOICES)
        order = [*others[:answer], found[number].text, *others[answer:]]
        made.append(Instance(found[number].heading, tuple(order), answer))
    return made


@dataclass(frozen=True)
class Reader:
    """One row: the backbone, or a SideNet with memory of `memory` tokens (None: off, 0: the whole past).

    context: tokens before the suffixes that it reads densely; 0 for the window of 1k that all share.
    """

    name: str
    context: int = 0
    sidenet: SideNet | None = None
    memory: int | None = None

    @property
    def costly(self) -> bool:
        return self.context > 0


def readers(sidenet: SideNet, contexts: tuple[int, ...], dense: bool = True) -> list[Reader]:
    """List the rows of the table, the backbone with the window of 1k first."""
    rows = [Reader("backbone, window of 1k")]
    if dense:
        rows += [Reader(f"backbone, dense {context}", context - SUFFIX) for context in contexts]
    rows.append(Reader("SideNet, memory off", sidenet=sidenet))
    rows += [Reader(f"SideNet, memory {size}", sidenet=sidenet, memory=size) for size in contexts]
    rows.append(Reader("SideNet, memory whole past", sidenet=sidenet, memory=0))
    return rows


class Context:
    """The end of a context, read once, and its suffixes after it in one batch.

    local: (tokens,); suffixes: (choices, time). Hidden states: `{j: H_j}` of the states asked for.
    """

    def __init__(self, backbone: Backbone, local: Tensor, suffixes: Tensor, states: tuple[int, ...]) -> None:
        self.backbone, self.suffixes = backbone, suffixes.to(backbone.device)
        cache = backbone.new_cache()
        self.before = backbone.encode(local[None], hidden=states, cache=cache).hidden
        cache.batch_repeat_interleave(len(suffixes))
        self.after = backbone.encode(suffixes[:, :-1], hidden=states, cache=cache).hidden

    def scores(self, reader: Reader, memory: MemoryReader | None) -> Tensor:
        """Return the mean log-likelihood (choices,) of the suffixes."""
        words: Tensor | None = None
        if reader.sidenet is None:
            last, rest = (x[self.backbone.blocks] for x in (self.before, self.after))
            last, rest = self.backbone.final_norm(last[:, -1:]), self.backbone.final_norm(rest)
        else:
            before, after = self._beside(reader.sidenet, memory)
            last, rest, words = before.normed[:, -1:], after.normed, before.words
        normed = torch.cat((last.expand(len(rest), -1, -1), rest), dim=1)
        logits = self.backbone.head(normed.to(self.backbone.dtype)).float()
        if words is not None:  # the same at every position
            logits += words
        losses = F.cross_entropy(logits.flatten(0, 1), self.suffixes.flatten(), reduction="none")
        return -losses.view(self.suffixes.shape).mean(1)

    def _beside(self, sidenet: SideNet, memory: MemoryReader | None) -> tuple[SideOutput, SideOutput]:
        """Return what is read up to the context's last token, and of the suffixes."""
        many = None if memory is None else Batched(memory)
        if sidenet.pointwise:  # no position looks at another: the last one is enough
            before = {j: state[:, -1:] for j, state in self.before.items()}
            return sidenet(before, memory), sidenet(self.after, many)
        cache = SideCache()
        last = sidenet(self.before, memory, cache)
        count = len(self.suffixes)
        layers = {
            i: (k.expand(count, -1, -1, -1), v.expand(count, -1, -1, -1))
            for i, (k, v) in cache.layers.items()
        }
        return last, sidenet(self.after, many, SideCache(cache.position, layers))


class Book:
    """A document as tokens with its bank, filled as far as the questions need."""

    def __init__(self, document: Document, backbone: Backbone, sidenet: SideNet, cache: Path | None) -> None:
        self.backbone, self.config = backbone, sidenet.config
        pieces = list(segments(document.text, backbone.tokenizer, SEGMENT))
        self.ids = torch.tensor([token for piece in pieces for token in piece.token_ids])
        self._starts = np.array([start for piece in pieces for start, _ in piece.spans])
        wanted = Wanted.of(sidenet.config, ())
        if not sidenet.config.reads_by_map:
            # With a cache, what `evaluate perplexity` keeps serves here as well.
            wanted = Wanted(sidenet.config.memory_blocks if cache else (), sidenet.config.memory_blocks)
        self._source = TextBooks(backbone, {"": lambda: document.text}, wanted, SEGMENT, folder=cache)

    def token(self, character: int) -> int:
        """Find the first token that begins at or after a character."""
        return int(np.searchsorted(self._starts, character))

    def bank(self, until: int) -> TextBank:
        """Return the bank of the whole segments before a token."""
        parts = [self._source.segment(0, number) for number in range(until // SEGMENT)]
        return TextBank.of(self.config, parts)


@torch.inference_mode()
def score_book(
    document: Document, backbone: Backbone, rows: list[Reader], sidenet: SideNet, count: int, seed: int,
    kept: Kept | None = None, cache: Path | None = None, dense_count: int = 0,
) -> list[Score]:  # fmt: skip
    """Count right answers and questions of every row; costly rows answer the first `dense_count` (0: all)."""
    asked = instances(document, count, seed)
    kept = kept or Kept(None, "")
    answered: list[list[Any]] = [[] for _ in rows]
    if asked:
        book = Book(document, backbone, sidenet, cache)
        bank = book.bank(book.token(max(question.boundary for question in asked)))
    for number, question in enumerate(asked):
        at = book.token(question.boundary)
        suffixes = torch.stack([book.ids[i : i + SUFFIX] for i in map(book.token, question.starts)])
        states = tuple(sorted({*sidenet.states, backbone.blocks}))
        near = Context(backbone, book.ids[max(0, at - LOCAL) : at], suffixes, states)
        last = Context(backbone, book.ids[at - 1 : at], suffixes, states)
        plain = {one: last.scores(Reader("alone", sidenet=one), None).cpu() for one in (None, sidenet)}
        for place, row in enumerate(rows):
            if row.costly and dense_count and number >= dense_count:
                continue
            if row.costly:
                context = book.ids[max(0, at - row.context) : at]
                key = f"{backbone.fingerprint} likelihoods {row.name} {context.tolist()} {suffixes.tolist()}"
                kept_scores = kept.get(key, lambda: _likelihoods(backbone, context, suffixes).tolist())  # noqa: B023
                scores = torch.tensor(kept_scores)
            else:
                memory = None
                if row.memory is not None:
                    until = at - min(at, LOCAL)
                    memory = bank.reader(until, row.memory, sidenet.search)
                scores = near.scores(row, memory).cpu()
            answered[place].append(
                tuple(choice == question.answer for choice in chosen(scores, plain[row.sidenet]))
            )
    return [Score.of(answers) for answers in answered]


def chosen(scores: Tensor, alone: Tensor) -> tuple[int, int]:
    """Choose the likeliest suffix, and the one the context raised most. scores, alone: (choices,)."""
    return int(scores.argmax()), int((scores - alone).argmax())


def _likelihoods(backbone: Backbone, context: Tensor, suffixes: Tensor) -> Tensor:
    """Return the mean log-likelihood (choices,) of the suffixes after a context, by the backbone."""
    return Context(backbone, context, suffixes, (backbone.blocks,)).scores(Reader("backbone"), None).cpu()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("--books", type=Path, required=True, metavar="DIR", help="books with chapters")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where the result goes")
    parser.add_argument("--model", help="hub name, folder or GGUF file (default: the one that comes along)")
    parser.add_argument("--sidenet", type=Path, metavar="DIR", help="checkpoint (default: the one in assets)")
    parser.add_argument(
        "--contexts", type=sizes, default="4096,6144,8192", metavar="N,M", help="context lengths"
    )
    parser.add_argument("--per-book", type=positive, default=8, metavar="N", help="questions of one book")
    parser.add_argument(
        "--dense-per-book",
        type=natural,
        metavar="N",
        help="of them for dense contexts, 0 for none (default: all)",
    )
    parser.add_argument("--max-books", type=natural, default=0, metavar="N", help="0 (default): all")
    parser.add_argument("--seed", type=natural, default=0)
    parser.add_argument("--cache", type=Path, metavar="DIR", help="keep what the backbone computes here")


def run(arguments: argparse.Namespace) -> int:
    """Ask, write chapterbreak.md and .json, print the table. Raises BadInput where no book has chapters."""
    backbone = load_backbone(Paths.default(), arguments.model)
    sidenet = sidenet_for(backbone, arguments.sidenet)
    contexts = arguments.contexts
    rows = readers(sidenet, contexts, arguments.dense_per_book != 0)
    results, text = [], ""
    for scores in score_books(arguments, backbone, sidenet, rows, arguments.parse_file):
        results.append(scores)  # written book by book, should the run be cut short
        text = write_result(arguments.out, [row.name for row in rows], results, CHOICES)
    if not results:
        raise BadInput(f"no book in {arguments.books} has {CHOICES + 1} chapters; give books with chapters")
    print(text)
    return 0


def score_books(
    arguments: argparse.Namespace, backbone: Backbone, sidenet: SideNet, rows: list[Reader], parse: Parse
) -> Iterator[list[Score]]:
    """Run `score_book` over a folder, book by book; books without enough chapters are left out."""
    kept = Kept(arguments.cache, "answers")
    for file in book_files(arguments.books)[: arguments.max_books or None]:
        scores = score_book(
            parse(file), backbone, rows, sidenet, arguments.per_book, arguments.seed, kept, arguments.cache,
            arguments.dense_per_book or 0,
        )  # fmt: skip
        if scores[0].asked:
            right, raised = ([getattr(score, name) for score in scores] for name in ("right", "raised"))
            print(f"{file.name}: {scores[0].asked} questions, right {right}, by gain {raised}", flush=True)
            yield scores

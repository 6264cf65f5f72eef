"""`python launch.py evaluate perplexity`: what memory is worth in language modelling, with its controls.

The rows are in `readings`. A fixed subset for a CPU: --books-per-split, --pages, --every. With --cache the
backbone's part (a book's activations, its token count, the losses of the frozen rows) is computed once and
serves every checkpoint with the same memory block.
"""

import argparse
import dataclasses
import hashlib
import math
import time
from collections.abc import Callable
from pathlib import Path

import torch

from engine.arguments import natural, numbers, positive, sizes
from engine.backbone.backbone import Backbone
from engine.backbone.load import load_backbone
from engine.evaluation.kept import Kept
from engine.evaluation.pages import ChosenBook, choose_books
from engine.evaluation.perplexity_report import Scored, table, write_report
from engine.evaluation.readings import PAGE, PROTOCOLS, Compared, Reading, Variant
from engine.paths import Paths
from engine.sidenet.checkpoint import load_sidenet, sidenet_for
from engine.training.activations import TextBooks, Wanted
from engine.training.books import book_files, book_texts
from engine.training.memtrm import load_memtrm
from ingest.errors import BadInput
from ingest.segments import segments

MEMORY_SIZES = (8192, 16384, 32768, 65536, 0)


@torch.inference_mode()
def score_book(
    book: ChosenBook, source: TextBooks, backbone: Backbone, compared: Compared, kept: Kept,
    protocol: str = "sliding", every: int = 1, dense_pages: int = 0,
) -> Scored:  # fmt: skip
    """Compute the losses of every row over one book's chosen pages; costly rows on its last `dense_pages`."""
    last = max(book.pages)
    ids = torch.tensor([token for page in range(last + 1) for token in source.ids(book.index, page)])
    parts = [source.segment(book.index, number) for number in range(last)]
    reading = Reading(backbone, ids, parts, compared.states(), protocol, every)
    rows, tokens = compared.rows(), len(range(1, PAGE, every))
    losses: list[list[float | None]] = [[] for _ in rows]
    for page in book.pages:
        for number, row in enumerate(rows):
            skipped = row.costly and dense_pages and page not in book.pages[-dense_pages:]
            losses[number].append(None if skipped else _loss(row, reading, page, kept))
    return Scored(book.split, tokens, losses)


def _loss(row: Variant, reading: Reading, page: int, kept: Kept) -> float:
    if not row.frozen:
        return row.loss(reading, page)
    context = reading.ids[max(0, page - 16) * PAGE : (page + 1) * PAGE].tolist()
    key = f"{reading.backbone.fingerprint} {row.name} {reading.protocol} {reading.every} {context}"
    return kept.get(key, lambda: row.loss(reading, page))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("--books", type=Path, required=True, metavar="DIR", help="books to score")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where table and plot go")
    parser.add_argument("--model", help="hub name, folder or GGUF file (default: the one that comes along)")
    parser.add_argument("--sidenet", type=Path, metavar="DIR", help="checkpoint (default: the one in assets)")
    parser.add_argument("--control", type=Path, metavar="DIR", help="the same trained without memory")
    parser.add_argument("--memtrm", type=Path, metavar="DIR", help="a run of train --method memtrm")
    parser.add_argument("--protocol", choices=PROTOCOLS, default="sliding", help="default: sliding")
    parser.add_argument(
        "--dense", type=sizes, default="2048,4096,8192", metavar="N,M", help="dense contexts, '' for none"
    )
    parser.add_argument(
        "--sizes",
        type=numbers,
        default=",".join(map(str, MEMORY_SIZES)),
        metavar="N,M",
        help="memory sizes, 0 = whole past",
    )
    parser.add_argument("--books-per-split", type=natural, default=0, metavar="N", help="0 (default): all")
    parser.add_argument(
        "--pages", type=natural, default=0, metavar="N", help="pages of a book, 0 (default): all"
    )
    parser.add_argument(
        "--dense-pages", type=natural, default=0, metavar="N", help="dense rows on a book's last N pages only"
    )
    parser.add_argument(
        "--every", type=positive, default=1, metavar="N", help="score each N-th token of a page (default: 1)"
    )
    parser.add_argument(
        "--max-tokens", type=natural, default=0, metavar="N", help="read no further into a book"
    )
    parser.add_argument(
        "--top-k", type=positive, metavar="N", help="chunks a token reads (default: checkpoint's)"
    )
    parser.add_argument(
        "--chunk-sizes", type=sizes, default="", metavar="N,M", help="also these chunk sizes, whole past"
    )
    parser.add_argument(
        "--top-ks", type=sizes, default="", metavar="N,M", help="also these numbers of chunks, whole past"
    )
    parser.add_argument("--cache", type=Path, metavar="DIR", help="keep what the backbone computes here")


def run(arguments: argparse.Namespace) -> int:
    """Score, write the report, print the table."""
    began = time.monotonic()
    backbone = load_backbone(Paths.default(), arguments.model)
    compared = what_to_compare(arguments, backbone)
    source = evaluation_books(arguments, backbone, compared)
    chosen = chosen_books(arguments, backbone)
    kept, results, text = Kept(arguments.cache, "losses"), [], ""
    options = (arguments.protocol, arguments.every, arguments.dense_pages)
    for book in chosen:
        results.append(score_book(book, source, backbone, compared, kept, *options))
        source.forget(book.index)
        print(f"{len(results)}/{len(chosen)} {book.name} {time.monotonic() - began:.0f} s", flush=True)
        setup = described(arguments, chosen[: len(results)]) | {"backbone": backbone.name}
        setup["seconds"] = round(time.monotonic() - began)
        made = table([(row.name, row.base) for row in compared.rows()], results)
        text = write_report(arguments.out, "perplexity", setup, made)  # so far, should the run be cut short
    print(text)
    return 0


def described(arguments: argparse.Namespace, books: list[ChosenBook]) -> dict:
    """Describe the settings that decide what is scored, and the books scored."""
    named = ("protocol", "books_per_split", "pages", "dense_pages", "every", "max_tokens", "top_k")
    setup = {name: str(getattr(arguments, name)) for name in named}
    return setup | {"books": [dataclasses.asdict(book) for book in books]}


def what_to_compare(arguments: argparse.Namespace, backbone: Backbone) -> Compared:
    """Load the models and collect the settings that the command names.

    Raises
    ------
    BadInput
        A chunk size does not divide a page; a dense context holds no page, or --max-tokens.
    """
    if 0 < arguments.max_tokens < PAGE:
        raise BadInput(
            f"--max-tokens {arguments.max_tokens} holds no page; give {PAGE} or more, or 0 for all"
        )
    chunks, dense = arguments.chunk_sizes, arguments.dense
    if any(size < 1 or PAGE % size for size in chunks):
        raise BadInput(f"a chunk size has to divide {PAGE}; write --chunk-sizes 2,4,8")
    if any(context < PAGE for context in dense):
        raise BadInput(f"a dense context has to hold a page of {PAGE} tokens; write --dense 2048,4096,8192")
    return Compared(
        sidenet_for(backbone, arguments.sidenet),
        load_sidenet(arguments.control, backbone) if arguments.control else None,
        load_memtrm(arguments.memtrm, backbone) if arguments.memtrm else None,
        dense, tuple(sorted(arguments.sizes, key=lambda size: size or math.inf)), arguments.top_k, chunks,
        arguments.top_ks,
    )  # fmt: skip


def evaluation_books(arguments: argparse.Namespace, backbone: Backbone, compared: Compared) -> TextBooks:
    """Open the books with what fills a bank; nothing above the last memory block is computed.

    With a cache the states that enter the memory blocks are kept as well, for a MemTRM to come.
    """
    config, memtrm = compared.sidenet.config, compared.memtrm
    states = set(config.memory_blocks) if arguments.cache else set()
    if memtrm is not None:
        states.add(memtrm.block)
    if config.reads_by_map:
        assert config.search_block is not None
        states.add(config.search_block)
    wanted = Wanted(tuple(sorted(states)), config.memory_blocks)
    texts = book_texts(arguments.books, arguments.parse_file)
    return TextBooks(backbone, texts, wanted, PAGE, 0, arguments.max_tokens // PAGE, arguments.cache)


def chosen_books(arguments: argparse.Namespace, backbone: Backbone) -> list[ChosenBook]:
    """Choose the books and pages to score.

    Raises
    ------
    BadInput
        No book has two whole pages.
    """
    lengths = book_lengths(arguments, backbone)
    most = arguments.max_tokens // PAGE or max(lengths.values())
    parts = {name: min(tokens // PAGE, most) for name, tokens in lengths.items()}
    chosen = choose_books(lengths, parts, arguments.books_per_split, arguments.pages)
    if not chosen:
        raise BadInput(f"no book in {arguments.books} has two pages of {PAGE} tokens; give longer books")
    return chosen


def book_lengths(arguments: argparse.Namespace, backbone: Backbone) -> dict[str, int]:
    """Return the tokens of every book, counted once where there is a cache."""
    kept, files = Kept(arguments.cache, "lengths"), book_files(arguments.books)
    texts = book_texts(arguments.books, arguments.parse_file)
    lengths = {}
    for file, (name, text) in zip(files, texts.items(), strict=True):
        content = hashlib.blake2b(file.read_bytes(), digest_size=16).hexdigest()

        def count(text: Callable[[], str] = text) -> int:
            return sum(len(piece) for piece in segments(text(), backbone.tokenizer, PAGE))

        lengths[name] = kept.get(f"{backbone.tokenizer_hash} {content}", count)
    return lengths

"""Labels: what a page is called: by the PDF's own labels, or by the numbers printed in its running heads."""

import re
from collections import Counter

import pymupdf

from ingest.cleaning import one_line
from ingest.pdf.leaf import Leaf
from ingest.pdf.trouble import TROUBLE

_FIRST_NUMBER = re.compile(r"^\W*(\d{1,5})\b")
_LAST_NUMBER = re.compile(r"\b(\d{1,5})\W*$")
_LEAST_PAGES = 3
_MOST_PAGES = 0.6  # share of pages with text that bear a printed number in step


def page_labels(book: pymupdf.Document, leaves: list[Leaf]) -> list[tuple[str, str]]:
    """Return (label, alias) of each page: labels that contradict printed numbers stand behind them.

    Where a PDF has none, its pages are counted, as every viewer does, and what is printed is the alias.
    """
    count = len(leaves)
    plain = [str(number) for number in range(1, count + 1)]
    own = _own_labels(book, plain)
    printed = _printed(leaves)
    agree = sum(_LAST_NUMBER.findall(own[index]) == [str(value)] for index, value in printed.items())
    if not printed or 2 * agree >= len(printed):
        return [(label, "") for label in own]
    index, value = next(iter(printed.items()))
    by_print = [str(number + value - index) for number in range(count)]
    return list(zip(plain, by_print, strict=True) if own == plain else zip(by_print, own, strict=True))


def _own_labels(book: pymupdf.Document, plain: list[str]) -> list[str]:
    try:
        if book.get_page_labels():
            return [one_line(book[index].get_label()) or label for index, label in enumerate(plain)]
    except (*TROUBLE, KeyError, TypeError):
        pass  # damaged labels are no labels
    return plain


def _edge_numbers(texts: list[str]) -> set[int]:
    """Return the numbers that open or close running heads."""
    found = [pattern.findall(text) for text in texts for pattern in (_FIRST_NUMBER, _LAST_NUMBER)]
    return {int(number) for numbers in found for number in numbers}


def _printed(leaves: list[Leaf]) -> dict[int, int]:
    """Map page index to the number printed there, where most pages bear one that rises with them."""
    numbers = [_edge_numbers(leaf.removed) for leaf in leaves]
    steps = Counter(value - index for index, values in enumerate(numbers) for value in values)
    if not steps:
        return {}
    step, hits = steps.most_common(1)[0]
    with_text = sum(bool(leaf.lines or leaf.removed) for leaf in leaves)
    if step < 1 or hits < max(_LEAST_PAGES, _MOST_PAGES * with_text):
        return {}
    return {index: index + step for index, values in enumerate(numbers) if index + step in values}

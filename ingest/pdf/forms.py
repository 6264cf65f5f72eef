"""What a PDF shows of the form of its text: words in italics and bold, and links from page to page.

Lines change on their way into paragraphs: hyphens go, first letters come before their words. So the letters
of a line are looked for again, without blanks, in the text of the page; where they are not found, nothing is
told of them.
"""

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from operator import itemgetter

import pymupdf

from ingest.document import Document, Page
from ingest.form import Span
from ingest.pdf.leaf import Leaf
from ingest.pdf.line import LEADERS, letters_of
from ingest.pdf.mending import mended
from ingest.pdf.pieces import UPRIGHT
from ingest.pdf.trouble import TROUBLE

_MOST_SHARE = 0.5  # of a text's letters: a form that more have is the form of the text itself
_MOST_LINKS = 300  # of a page
_MOST_LOOKED = 300_000  # letters of a page that its links look at
_SHORTEST = 2  # letters that are looked for


def find_forms(document: Document, leaves: list[Leaf], book: pymupdf.Document) -> list[Span]:
    """Find the spans of a document whose pages are these leaves of a book."""
    found: list[Span] = []
    for number, (page, leaf) in enumerate(zip(document.pages, leaves, strict=False)):
        words = _Letters(document.text, page.start, page.end)
        found += _set_words(words, leaf)
        found += _links(words, book, number, document.pages)
    counts: Counter[str] = Counter()
    for span in found:
        counts[span.kind] += span.end - span.start
    usual = {kind for kind in ("italic", "bold") if counts[kind] > _MOST_SHARE * len(document.text)}
    return sorted((span for span in found if span.kind not in usual), key=lambda span: span.start)


class _Letters:
    """The letters of a stretch of text without blanks, and where each of them stands."""

    def __init__(self, text: str, start: int, end: int) -> None:
        self._offsets = [at for at in range(start, end) if not text[at].isspace()]
        self._letters = "".join(text[at] for at in self._offsets)
        self._at = 0

    def find(self, letters: str) -> int | None:
        """Return where letters stand, counted in letters: behind those found last, or else anywhere."""
        if len(letters) < _SHORTEST:
            return None
        at = self._letters.find(letters, self._at)
        at = self._letters.find(letters) if at < 0 else at
        if at < 0:
            return None
        self._at = at + 1
        return at

    def span(self, kind: str, first: int, last: int, value: int = 0) -> Span | None:
        """Return the span of the letters [first, last); None where there are none."""
        if not 0 <= first < last <= len(self._offsets):
            return None
        return Span(kind, self._offsets[first], self._offsets[last - 1] + 1, value)


def _set_words(words: _Letters, leaf: Leaf) -> Iterator[Span]:
    for line in leaf.every_line:
        at = words.find(line.letters) if line.forms else None
        if at is None:
            continue
        for kind, first, last in line.forms:
            if (span := words.span(kind, at + first, at + last)) is not None:
                yield span


def _links(words: _Letters, book: pymupdf.Document, number: int, pages: Sequence[Page]) -> Iterator[Span]:
    try:
        page = book[number]
        links = [one for one in _inner_links(page) if 0 <= one[1] < len(pages)][:_MOST_LINKS]
        printed = _Print(page) if links else None
        said = [(printed.inside(place), target) for place, target in links] if printed else []
    except (*TROUBLE, TypeError, ValueError):
        return
    for shown, target in said:
        letters = letters_of(LEADERS.sub("…", shown))
        at = words.find(letters)
        span = None if at is None else words.span("link", at, at + len(letters), pages[target].start)
        if span is not None:
            yield span


def _inner_links(page: pymupdf.Page) -> Iterator[tuple[pymupdf.Rect, int]]:
    """Yield the place of each link on a page and the page that it leads to.

    The library's own list reads the whole page anew for each of its links.
    """
    mupdf, book = pymupdf.mupdf, page.parent.this
    link = mupdf.fz_load_links(page.this)
    while link.m_internal:
        address = link.uri()
        if address and not mupdf.fz_is_external_link(address):
            location, _, _ = mupdf.fz_resolve_link(book, address)
            place = pymupdf.Rect(mupdf.FzRect(link.rect()))
            yield place, mupdf.fz_page_number_from_location(book, location)
        link = link.next()


class _Print:
    """The letters of a page by the middle of each, so that a link looks at the lines that it covers alone."""

    def __init__(self, page: pymupdf.Page) -> None:
        self._left = _MOST_LOOKED
        self._lines: list[tuple[float, list[tuple[float, str]]]] = []  # height; place and letter of each
        for block in page.get_text("rawdict", flags=pymupdf.TEXT_PRESERVE_WHITESPACE)["blocks"]:
            for line in block.get("lines", ()):
                printed = [one for span in line["spans"] for one in span["chars"]]
                changed = mended(line, printed)
                letters = [
                    (_middle(one["bbox"]), changed.get(at, one["c"])) for at, one in enumerate(printed)
                ]
                if letters and line["dir"][0] > UPRIGHT:
                    x = [(x, letter) for (x, _), letter in letters]
                    self._lines.append((_middle(line["bbox"])[1], x))
                else:
                    self._lines += [(y, [(x, letter)]) for (x, y), letter in letters]
        self._lines.sort(key=itemgetter(0))
        self._heights = [height for height, _ in self._lines]

    def inside(self, place: pymupdf.Rect) -> str:
        """Return what stands in a rectangle; nothing once the links of a page have asked for too much."""
        first, last = bisect_left(self._heights, place.y0), bisect_right(self._heights, place.y1)
        found: list[str] = []
        for _, letters in self._lines[first:last]:
            self._left -= len(letters)
            if self._left < 0:
                return ""
            found += [letter for x, letter in letters if place.x0 <= x <= place.x1]
        return "".join(found)


def _middle(box: tuple[float, float, float, float]) -> tuple[float, float]:
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2

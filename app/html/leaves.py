"""Leaves: a document cut into pieces of some 8,000 characters, so that only what is looked at is sent.

A leaf ends at the end of a paragraph, never before a chapter's heading, and a chapter of the two outermost
levels begins a leaf of its own. Only a paragraph that is longer than a leaf is cut.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice

from app.html import form, markup
from app.html.markup import Html
from app.html.spans import Span, flat
from ingest.document import Document

LEAF = 8_000
LONGEST = 12_000


@dataclass(frozen=True)
class Leaf:
    """Characters [start, end) of a document, the `index`-th piece of it."""

    index: int
    start: int
    end: int


@dataclass(frozen=True)
class Shown:
    """What is to be seen on a leaf beside its text: the passage led to, words found, how far one has read.

    marks: what the reader highlighted, with the class that shows it so.
    """

    cited: tuple[int, int] | None = None
    found: tuple[tuple[int, int], ...] = ()
    read_to: int | None = None
    cursor: int | None = None
    pictures: str = "pictures/"  # the address of the folder in which the document's are
    marks: tuple[Span, ...] = ()
    printed: str = ""  # the address of the folder of printed pages, where there are any


def leaf_starts(document: Document) -> list[int]:
    """Find where each leaf begins."""
    openings = {chapter.start for chapter in document.chapters if chapter.level <= 2}
    headings = {chapter.start for chapter in document.chapters}
    starts = [0]
    for start, end in document.paragraphs:
        long_enough = start - starts[-1] >= LEAF // 8
        full = start - starts[-1] >= LEAF or end - starts[-1] > LONGEST
        if start > starts[-1] and ((start in openings and long_enough) or full):
            starts.append(start)
        while end - starts[-1] > LONGEST:
            starts.append(_cut(document.text, starts[-1] + LEAF, end))
    # a heading alone at the foot of a leaf goes over to the next one
    return [start for start in starts if start < max(1, len(document.text)) or not headings]


def _cut(text: str, near: int, end: int) -> int:
    space = text.rfind(" ", near - 400, near)
    return min(end, space + 1 if space > 0 else near)


def leaf_of(starts: list[int], size: int, offset: int) -> Leaf:
    """Return the leaf on which a character stands."""
    index = max(0, bisect_right(starts, max(0, offset)) - 1)
    return leaf_at(starts, size, index)


def leaf_at(starts: list[int], size: int, index: int) -> Leaf:
    """Return the leaf of that number; the first or last where there is none."""
    index = max(0, min(index, len(starts) - 1))
    end = starts[index + 1] if index + 1 < len(starts) else size
    return Leaf(index, starts[index], end)


def leaf_html(document: Document, leaf: Leaf, shown: Shown | None = None, *below: str) -> Html:
    """Write an article that holds one leaf; see `sheet_html`."""
    sheet = sheet_html(document, leaf, shown, *below)
    return markup.tag("article", sheet, class_="lm-leaf", lang=document.language or None, tabindex="0")


def sheet_html(document: Document, leaf: Leaf, shown: Shown | None = None, *below: str) -> Html:
    """Write the leaf as paragraphs and headings, escaped, with its marks. below: what stands at its foot."""
    shown = shown or Shown()
    headings = {chapter.start: chapter for chapter in document.chapters}
    pages = sorted(page.start for page in document.pages if leaf.start <= page.start < leaf.end)
    first = max(0, bisect_right(document.paragraph_starts, leaf.start) - 1)
    read_to = shown.read_to if shown.read_to is not None and shown.read_to < len(document.text) else -1
    here = markup.tag("div", "you have read to here", class_="lm-readto", role="note")
    parts: list[Html] = []
    reached = leaf.start
    for start, end in islice(document.paragraphs, first, None):
        if start >= leaf.end:
            break
        begin, end = max(start, leaf.start), min(end, leaf.end)
        if begin >= end:
            continue
        crossed = pages[bisect_left(pages, begin) : bisect_left(pages, end)]
        if reached < read_to <= begin:
            parts.append(here)
        marks = {at: _page_mark(document, at, shown, is_inside=at > begin) for at in crossed}
        if begin in marks:
            parts.append(markup.tag("div", marks.pop(begin), class_="lm-page"))
        chapter = next((headings[at] for at in range(start, min(end, start + 3)) if at in headings), None)
        parts.append(_block(document, begin, end, chapter.level if chapter else None, shown, marks))
        parts += [_printed_page(document, at, shown) for at in crossed]
        if begin < read_to <= end:
            parts.append(here)
        reached = end
    if reached < read_to <= leaf.end:
        parts.append(here)
    return markup.tag("section", *parts, *below, class_="lm-sheet", data_leaf=leaf.index)


def _page_mark(document: Document, start: int, shown: Shown, is_inside: bool) -> Html:
    """Tell that a page begins; of a PDF it opens the printed page.

    is_inside: whether it stands between words of a paragraph, where only the style sheet may add letters.
    """
    label = _page_label(document, start)
    told = {"class_": "lm-turn", "data_label": label, "aria_label": label} if is_inside else {}
    words = "" if is_inside else label
    if not _is_printed(document, shown):
        return markup.tag("span", words, role="note", **told) if is_inside else markup.text(label)
    return markup.tag(
        "button", words, type="button", title="as it is printed",
        popovertarget=f"lm-print-{document.page_index(start)}", **({"class_": "lm-link"} | told),
    )  # fmt: skip


def _page_label(document: Document, start: int) -> str:
    page = document.pages[document.page_index(start)]
    sure = f" · recognised text, {page.sure} % sure" if page.sure is not None else ""
    return f"page {page.label}{sure}"


def _is_printed(document: Document, shown: Shown) -> bool:
    return document.format == "pdf" and shown.printed != ""


def _printed_page(document: Document, start: int, shown: Shown) -> Html:
    """Write the view of a printed page, closed, with what is cited marked on it, where pages are drawn."""
    if not _is_printed(document, shown):
        return markup.NOTHING
    number = document.page_index(start)
    cited = shown.cited if shown.cited and shown.cited[0] < document.pages[number].end else None
    address = f"{shown.printed}{number}" + (f"?marked={cited[0]}-{cited[1]}" if cited else "")
    image = markup.tag(
        "img", src=address, alt=f"{_page_label(document, start)}, as it is printed", loading="lazy"
    )
    close = markup.tag(
        "button", "Close", type="button", class_="lm-button", popovertarget=f"lm-print-{number}",
        popovertargetaction="hide",
    )  # fmt: skip
    return markup.tag(
        "aside", close, image, popover="auto", id=f"lm-print-{number}", class_="lm-pop lm-print"
    )


def page_html(document: Document, start: int, end: int, pictures: str, style: str) -> Html:
    """Write the leaves that begin in [start, end) as a page that stands alone, with a style sheet in it."""
    starts = leaf_starts(document)
    shown = Shown(pictures=pictures)
    numbers = [number for number, at in enumerate(starts) if start <= at < max(end, start + 1)]
    body = [leaf_html(document, leaf_at(starts, len(document.text), number), shown) for number in numbers]
    head = [markup.tag("meta", charset="utf-8"), markup.tag("title", document.title),
            markup.tag("style", markup.Html(style))]  # fmt: skip
    page = [markup.tag("head", *head), markup.tag("body", *body)]
    return markup.Html("<!DOCTYPE html>\n") + markup.tag("html", *page, lang=document.language or None)


def _block(
    document: Document, begin: int, end: int, level: int | None, shown: Shown, turns: Mapping[int, Html]
) -> Html:
    # what is cited lies over what was found, and both over what the reader marked
    spans = [*shown.marks, *((*span, "found") for span in shown.found)]
    spans += [(*shown.cited, "cited")] if shown.cited else []
    chosen = "lm-cursor" if shown.cursor is not None and begin <= shown.cursor < end else None
    return form.block(
        document, begin, end, level, flat(spans, begin, end), shown.pictures, turns, class_=chosen
    )


def contents(document: Document) -> list[tuple[str, int]]:
    """List (indented chapter title, start) for a list of contents."""
    titles = [" ".join(chapter.title.split()) or "untitled" for chapter in document.chapters]
    return [
        ("\u2003" * (chapter.level - 1) + (title if len(title) <= 70 else title[:69] + "…"), chapter.start)
        for chapter, title in zip(document.chapters, titles, strict=True)
    ]


def share(document: Document, offset: int) -> str:
    """Say how far into the document a character stands."""
    return f"{100 * offset / max(1, len(document.text)):.0f} %"

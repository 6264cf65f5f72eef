"""Chapters of a PDF: its own outline, else headings in larger letters, else headings by their wording."""

from collections import Counter, defaultdict

import pymupdf

from ingest.cleaning import one_line, typeset
from ingest.outline import find_outline
from ingest.pdf.paragraphs import Paragraph
from ingest.pdf.trouble import TROUBLE
from ingest.pdf.type import LARGE
from ingest.reflow import Paragraph as PlainParagraph

Chapters = dict[int, list[tuple[str, int]]]  # paragraph index -> (title, level) of what begins there

_MOST_ENTRIES = 20_000  # of an outline
_HEADINGS_SHARE = 0.15  # of the letters
_LONGEST_TITLE = 400  # letters of the titles of one place together
_REACH = 200  # paragraphs of one page in which a title is looked for


def find_chapters(book: pymupdf.Document, paragraphs: list[Paragraph]) -> Chapters:
    """Find where chapters begin; one index may open a chapter and its first section."""
    return _by_outline(book, paragraphs) or _by_size(paragraphs)


def _by_outline(book: pymupdf.Document, paragraphs: list[Paragraph]) -> Chapters:
    begins: dict[int, list[int]] = defaultdict(list)
    for index, item in enumerate(paragraphs):
        begins[item.first_page].append(index)
    try:
        entries = book.get_toc(simple=False)[:_MOST_ENTRIES]
    except TROUBLE:
        return {}
    chapters: Chapters = {}
    least = 0
    for level, title, page, target in entries:
        title = typeset(one_line(title))
        if not title or not 1 <= page <= book.page_count:
            continue
        where = _target(paragraphs, begins, page - 1, title, target, least)
        if where is not None:
            _open(chapters.setdefault(where, []), title, level)
            least = where
    return chapters


def _open(here: list[tuple[str, int]], title: str, level: int) -> None:
    """Add a chapter; one at the same place that is no section of the last shares its entry."""
    while here and here[-1][1] >= level:
        above, above_level = here.pop()
        known = title.casefold() in above.casefold() or len(above) + len(title) > _LONGEST_TITLE
        title = above if known else f"{above} / {title}"
        level = min(level, above_level)
    here.append((title, level))


def _target(paragraphs, begins, page: int, title: str, target: dict, least: int) -> int | None:
    """Return the index of the paragraph that an outline entry means: by its words, its height, its page."""
    here = [index for index in begins.get(page, ())[:_REACH] if index >= least]
    plain = _letters(title)
    for index in here:
        text = paragraphs[index].text
        if len(text) >= 3 * len(title) + 60:
            continue
        words = _letters(text[:300])
        if plain and words and (plain in words or words in plain and len(words) > 3):
            return index
    point = target.get("to")
    if point is not None and here:
        below = [index for index in here if paragraphs[index].y >= point.y - 15]
        if below and point.y > 0:
            return below[0]
    if here:
        return here[0]
    later = min((number for number in begins if number > page), default=None)
    return None if later is None else max(least, begins[later][0])


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text.casefold()))


def _by_size(paragraphs: list[Paragraph]) -> Chapters:
    """Find chapters of a PDF without outline: short paragraphs in letters larger than the body's."""
    sizes: Counter[int] = Counter()
    for item in paragraphs:
        sizes[round(item.size)] += sum(len(text) for _, text in item.parts)
    body = sizes.most_common(1)[0][0] if sizes else 0
    large = [
        (index, round(item.size))
        for index, item in enumerate(paragraphs)
        if item.size >= LARGE * body and _looks_like_heading(item)
    ]
    often = Counter(paragraphs[index].text for index, _ in large)
    large = [
        entry for entry in large if often[paragraphs[entry[0]].text] < 3
    ]  # repeated: a header in the margin
    large = _without_title_page(large, paragraphs)
    # headings are few, or short beside what stands below them
    words = sum(len(paragraphs[index].text) for index, _ in large)
    few = len(large) <= max(3, len(paragraphs) // 3) or words < _HEADINGS_SHARE * sizes.total()
    if len(large) < 2 or not few:
        return _by_wording(paragraphs)
    ranks = {size: rank for rank, size in enumerate(sorted({size for _, size in large}, reverse=True), 1)}
    return {index: [(paragraphs[index].text, ranks[size])] for index, size in large if ranks[size] <= 3}


def _looks_like_heading(item: Paragraph) -> bool:
    if item.rows or item.aside or len(item.parts) > 4:
        return False
    text = item.text
    return (
        len(text) <= 120
        and sum(map(str.isalpha, text)) >= 3
        and text[-1] not in ".,;，。；、"
        and text[0] not in "•●▪◦‣∙·■□➢▶►▸➤–—*-"
        and not text[0].islower()
        and "@" not in text
    )


def _without_title_page(large: list[tuple[int, int]], paragraphs: list[Paragraph]) -> list[tuple[int, int]]:
    """Leave out a title page: large lines on the first page with text, with none between them."""
    ahead = sum(item.aside for item in paragraphs[: large[0][0]]) if large else 0
    if not large or large[0][0] - ahead > 2:
        return large
    page = paragraphs[0].first_page
    while len(large) > 1 and large[1][0] == large[0][0] + 1 and paragraphs[large[1][0]].first_page == page:
        if any(size == large[0][1] for _, size in large[2:]):
            break  # a chapter that begins with its first section
        large = large[1:]
    alone = sum(size == large[0][1] for _, size in large) == 1
    if large[0][0] - ahead <= 2 and alone and large[0][1] == max(size for _, size in large):
        return large[1:]  # the title of the whole
    return large


def _by_wording(paragraphs: list[Paragraph]) -> Chapters:
    """Find chapters by what their headings say ("Chapter III"), where all letters are of one size."""
    plain = [PlainParagraph(item.text.split("\n"), 1) for item in paragraphs]
    return {mark.index: [(mark.title, mark.level)] for mark in find_outline(plain)}

"""PDF: text by its place on the page, put in reading order, with page labels and the outline as chapters."""

import html
import re
from collections import Counter

import pymupdf

from ingest.cleaning import one_line, typeset
from ingest.document import Document
from ingest.errors import BadInput
from ingest.manuscript import Manuscript
from ingest.outline import find_outline
from ingest.pdf.columns import reading_order
from ingest.pdf.furniture import without_furniture
from ingest.pdf.line import Line, page_lines
from ingest.pdf.paragraphs import Paragraph, Vocabulary, build_paragraphs, continues
from ingest.reflow import Paragraph as PlainParagraph
from ingest.source import Source

NAME = "pdf"

# what a damaged file makes pymupdf raise, depending on how deep the damage lies
_TROUBLE = (RuntimeError, ValueError, pymupdf.mupdf.FzErrorBase)
_LEAST_LETTERS = 15  # a page with fewer shows a number or a stamp, not text
_SCANNED_SHARE = 0.1
_UNMAPPED_SHARE = 0.3
_UNREAD = "\ufffd"
_JUNK_TITLE = re.compile(
    r"^(?:Microsoft Word - |Microsoft PowerPoint - )|\.(?:docx?|tex|dvi|indd|pdf|odt|rtf|pptx?)$",
    re.IGNORECASE,
)
_NO_TITLE = re.compile(
    r"(?:untitled|document|title|\d+|slide \d+|print|\(?unspecified\)?)?\d*", re.IGNORECASE
)
_HEADING_SIZE = 1.15  # of the body's letters


def accepts(source: Source) -> bool:
    return b"%PDF-" in source.data[:1024]


def parse(source: Source) -> Document:
    """Raises BadInput for what is damaged, locked, scanned or in fonts without letters."""
    book = _open(source)
    try:
        if book.page_count > source.limits.pages:
            raise BadInput(
                f"the PDF has too many pages ({book.page_count:,}; the limit is {source.limits.pages:,})"
            )
        manuscript = Manuscript(source.limits)
        vocabulary = Vocabulary()
        pages = _read_pages(book, vocabulary, manuscript)
        _refuse_scans(pages, book, manuscript)
        paragraphs = _join_pages(pages, vocabulary)
        chapters = _outline(book, paragraphs) or _by_size(paragraphs)
        _write(paragraphs, chapters, _labels(book, len(pages)), manuscript)
        return manuscript.document(
            title=_title(book, pages) or source.stem,
            author=_metadata(book, "author"),
            language=_language(book),
            format=NAME,
        )
    finally:
        book.close()


def _open(source: Source) -> pymupdf.Document:
    pymupdf.TOOLS.mupdf_display_errors(False)
    pymupdf.TOOLS.mupdf_display_warnings(False)
    damaged = "this PDF is damaged and cannot be opened: get another copy"
    try:
        book = pymupdf.open(stream=source.data, filetype="pdf")
        if book.needs_pass:
            if source.password is None:
                raise BadInput("this PDF is encrypted: give its password (--password)")
            if not book.authenticate(source.password):
                raise BadInput("the password does not open this PDF: try another (--password)")
        if book.page_count == 0:
            raise BadInput("this PDF has no pages: get another copy")
    except BadInput:
        raise
    except _TROUBLE as error:
        raise BadInput(damaged) from error
    return book


def _read_pages(
    book: pymupdf.Document, vocabulary: Vocabulary, manuscript: Manuscript
) -> list[list[Paragraph]]:
    raw = []
    for number in range(book.page_count):
        try:
            lines, _, height = page_lines(book[number])
        except (*_TROUBLE, IndexError):
            manuscript.warn(f"page {number + 1} of the PDF is damaged and was left out")
            lines, height = [], 1.0
        raw.append((lines, height))
    raw = _drop_unread(raw, manuscript)
    for lines, _ in raw:
        for line in lines:
            vocabulary.add(line.text)
    return [
        build_paragraphs(reading_order(lines), number, vocabulary)
        for number, lines in enumerate(without_furniture(raw))
    ]


def _refuse_scans(pages: list[list[Paragraph]], book: pymupdf.Document, manuscript: Manuscript) -> None:
    letters = [sum(sum(map(str.isalnum, item.text)) for item in page) for page in pages]
    with_text = sum(count >= _LEAST_LETTERS for count in letters)
    counted = f"{with_text} of {len(pages)} pages have text" if len(pages) > 1 else "its one page has no text"
    pictured = sum(
        count < _LEAST_LETTERS and _has_picture(book, number) for number, count in enumerate(letters)
    )
    if sum(letters) == 0 and not pictured:
        raise BadInput(
            "there is no text in this PDF, its pages are empty or drawn: run text recognition (OCR) first"
        )
    if sum(letters) == 0 or (pictured and with_text <= _SCANNED_SHARE * len(pages)):
        raise BadInput(
            f"the PDF looks scanned: {counted}; run text recognition (OCR) first, ocrmypdf for example"
        )
    if pictured > 0.2 * len(pages):
        manuscript.warn(f"the PDF looks scanned in part: {counted}")


def _has_picture(book: pymupdf.Document, number: int) -> bool:
    try:
        return bool(book[number].get_images())
    except (*_TROUBLE, IndexError):
        return False  # the pages of a damaged file may be fewer than it said at first


def _drop_unread(
    raw: list[tuple[list[Line], float]], manuscript: Manuscript
) -> list[tuple[list[Line], float]]:
    """Leave out lines whose fonts do not tell the letters. Raises BadInput where most of the text is such."""
    total = sum(len(line.text) for lines, _ in raw for line in lines)
    unread = sum(line.text.count(_UNREAD) for lines, _ in raw for line in lines)
    if unread > _UNMAPPED_SHARE * total:
        raise BadInput(
            "the fonts of this PDF do not say which letters they show: run text recognition (OCR) first"
        )
    if unread:
        manuscript.warn(f"{unread:,} letters of the PDF could not be read: its fonts do not name them")
    return [
        ([line for line in lines if line.text.count(_UNREAD) <= len(line.text) / 2], height)
        for lines, height in raw
    ]


def _join_pages(pages: list[list[Paragraph]], vocabulary: Vocabulary) -> list[Paragraph]:
    """All paragraphs; one that runs over a page break becomes one with a piece for each page."""
    found: list[Paragraph] = []
    for number, page in enumerate(pages):
        for position, item in enumerate(page):
            last = found[-1] if found else None
            if position == 0 and last and last.pieces[-1][0] == number - 1 and continues(last, item):
                before = last.pieces[-1][1]
                joined = vocabulary.join(before, item.text)
                # cut where the page ended; a hyphen there is gone, a space opens the next page's piece
                cut = len(joined) - len(item.text)
                cut -= joined[cut - 1] == " "
                last.pieces[-1] = (number - 1, joined[:cut])
                last.pieces.append((number, joined[cut:]))
                last.lines += item.lines
                last.full = item.full
            else:
                found.append(item)
    return found


def _outline(book: pymupdf.Document, paragraphs: list[Paragraph]) -> dict[int, list[tuple[str, int]]]:
    """Paragraph index -> chapters (title, level) that begin there, from the PDF's own outline."""
    begins: dict[int, list[int]] = {}
    for index, item in enumerate(paragraphs):
        begins.setdefault(item.pieces[0][0], []).append(index)
    chapters: dict[int, list[tuple[str, int]]] = {}
    try:
        entries = book.get_toc(simple=False)
    except _TROUBLE:
        return {}
    least = 0
    for level, title, page, target in entries:
        title = typeset(one_line(title))
        if not title or not 1 <= page <= book.page_count:
            continue
        where = _target(paragraphs, begins, page - 1, title, target, least)
        if where is not None:
            chapters.setdefault(where, []).append((title, level))
            least = where
    return chapters


def _target(paragraphs, begins, page: int, title: str, target: dict, least: int) -> int | None:
    here = [index for index in begins.get(page, ()) if index >= least]
    plain = _letters(title)
    for index in here:
        text = _letters(paragraphs[index].text[:300])
        if (
            plain
            and text
            and len(paragraphs[index].text) < 3 * len(title) + 60
            and (plain in text or text in plain and len(text) > 3)
        ):
            return index
    point = target.get("to")
    if point is not None and here:
        below = [index for index in here if paragraphs[index].y >= point.y - 15]
        if below and point.y > 0:
            return below[0]
    if here:
        return here[0]
    return next(
        (index for index, item in enumerate(paragraphs) if index >= least and item.pieces[0][0] > page), None
    )


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text.casefold()))


def _by_size(paragraphs: list[Paragraph]) -> dict[int, list[tuple[str, int]]]:
    """Chapters of a PDF without outline: short paragraphs in letters larger than the body's."""
    sizes: Counter[int] = Counter()
    for item in paragraphs:
        sizes[round(item.size)] += len(item.text)
    body = sizes.most_common(1)[0][0] if sizes else 0
    large = [
        (index, round(item.size))
        for index, item in enumerate(paragraphs)
        if item.size >= _HEADING_SIZE * body and _looks_like_heading(item)
    ]
    often = Counter(paragraphs[index].text for index, _ in large)
    large = [
        entry for entry in large if often[paragraphs[entry[0]].text] < 3
    ]  # repeated: a header in the margin
    large = _without_title_page(large, paragraphs)
    if not 1 < len(large) <= max(3, len(paragraphs) // 3):
        return _by_wording(paragraphs)
    ranks = {size: rank for rank, size in enumerate(sorted({size for _, size in large}, reverse=True), 1)}
    return {index: [(paragraphs[index].text, ranks[size])] for index, size in large if ranks[size] <= 3}


def _looks_like_heading(item: Paragraph) -> bool:
    text = item.text
    return (
        not item.rows
        and len(text) <= 120
        and sum(map(str.isalpha, text)) >= 3
        and text[-1] not in ".,;，。；、"
        and not text[0].islower()
        and "@" not in text
    )


def _without_title_page(large: list[tuple[int, int]], paragraphs: list[Paragraph]) -> list[tuple[int, int]]:
    """On the first page with text, large lines with no text between them are a title page."""
    if not large or large[0][0] > 2:
        return large
    page = paragraphs[0].pieces[0][0]
    while len(large) > 1 and large[1][0] == large[0][0] + 1 and paragraphs[large[1][0]].pieces[0][0] == page:
        large = large[1:]
    alone = sum(size == large[0][1] for _, size in large) == 1
    if large[0][0] <= 2 and alone and large[0][1] == max(size for _, size in large):
        return large[1:]  # the title of the whole
    return large


def _by_wording(paragraphs: list[Paragraph]) -> dict[int, list[tuple[str, int]]]:
    """Chapters by what their headings say ("Chapter III"), where all letters are of one size."""
    plain = [PlainParagraph(item.text.split("\n"), 1) for item in paragraphs]
    return {mark.index: [(mark.title, mark.level)] for mark in find_outline(plain)}


def _write(
    paragraphs: list[Paragraph],
    chapters: dict[int, list[tuple[str, int]]],
    labels: list[str],
    manuscript: Manuscript,
) -> None:
    opened = 0
    for index, item in enumerate(paragraphs):
        first, text = item.pieces[0]
        while opened <= first:
            manuscript.page(labels[opened])
            opened += 1
        for title, level in chapters.get(index, ()):
            manuscript.chapter(title, level)
        manuscript.paragraph(text)
        for page, text in item.pieces[1:]:
            while opened <= page:
                manuscript.page_here(labels[opened])
                opened += 1
            manuscript.continue_paragraph(text)
    while opened < len(labels):
        manuscript.page(labels[opened])
        opened += 1


def _labels(book: pymupdf.Document, count: int) -> list[str]:
    """The printed label of each page, its number where the PDF names none."""
    labels = [str(number) for number in range(1, count + 1)]
    try:
        if book.get_page_labels():
            labels = [one_line(book[index].get_label()) or label for index, label in enumerate(labels)]
    except (*_TROUBLE, IndexError, KeyError, TypeError):
        pass  # damaged labels are no labels
    return labels


def _metadata(book: pymupdf.Document, name: str) -> str:
    words = html.unescape(typeset(one_line((book.metadata or {}).get(name) or "")))
    return "" if words.casefold() in ("none", "unknown", "anonymous") else words


def _title(book: pymupdf.Document, pages: list[list[Paragraph]]) -> str:
    title = _JUNK_TITLE.sub("", _metadata(book, "title")).strip()
    if not _NO_TITLE.fullmatch(title) and "\ufffd" not in title and any(map(str.isalpha, title)):
        return title
    first = next((page for page in pages if page), [])
    largest = max(first, key=lambda item: item.size, default=None)
    others = [item.size for item in first if item is not largest]
    if largest and others and len(largest.text) <= 150 and largest.size >= _HEADING_SIZE * min(others):
        return largest.text
    return ""


def _language(book: pymupdf.Document) -> str:
    try:
        kind, value = book.xref_get_key(book.pdf_catalog(), "Lang")
    except _TROUBLE:
        return ""
    return value if kind == "string" else ""

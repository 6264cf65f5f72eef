"""The text of a PDF: what its pages have, in reading order, with labels of pages and chapters."""

import html
import re
from dataclasses import replace

import pymupdf

from ingest.cleaning import one_line, typeset
from ingest.cyrillic import set_right
from ingest.document import Document
from ingest.manuscript import Manuscript
from ingest.pdf.book import open_book
from ingest.pdf.chapters import Chapters, find_chapters
from ingest.pdf.columns import reading_order, turned_order
from ingest.pdf.forms import find_forms
from ingest.pdf.furniture import take_furniture
from ingest.pdf.labels import page_labels
from ingest.pdf.leaf import Leaf
from ingest.pdf.line import SOFT_HYPHEN
from ingest.pdf.margin import join_initials, without_line_numbers
from ingest.pdf.paragraphs import Paragraph, Vocabulary, build_paragraphs, stitch
from ingest.pdf.reading import read_leaves
from ingest.pdf.trouble import TROUBLE
from ingest.pdf.type import LARGE, Type, body_type
from ingest.recognition.sheet import read_sheets
from ingest.source import Source

_LEFT_OUT = "what comes again at the edge of pages (running heads), page numbers and doubled print"
_JUNK_TITLE = re.compile(
    r"^(?:Microsoft Word - |Microsoft PowerPoint - )|\.(?:docx?|tex|dvi|indd|pdf|odt|rtf|pptx?)$",
    re.IGNORECASE,
)
_NO_TITLE = re.compile(
    r"(?:untitled|document|title|slide \d{1,9}|print|\(?unspecified\)?)?\d*", re.IGNORECASE
)


def read_document(source: Source, format: str) -> Document:
    """Read a PDF, as a document of this format. Raises BadInput, see `ingest.parsers.pdf.parse`."""
    book = open_book(source)
    try:
        manuscript = Manuscript(source.limits)
        leaves = read_leaves(book, source.limits, manuscript, read_sheets(source.sheets))
        for leaf in leaves:
            manuscript.expect(leaf.plain, _LEFT_OUT)
        manuscript.warn_of_attached(_attached(book), "PDF reader")
        paragraphs = _paragraphs(leaves)
        labels = page_labels(book, leaves)
        _write(paragraphs, find_chapters(book, paragraphs), labels, manuscript)
        document = manuscript.document(
            title=_title(book, paragraphs) or source.stem,
            author=_metadata(book, "author"),
            language=_language(book),
            format=format,
        )
        pages = [replace(page, sure=leaf.sure) for page, leaf in zip(document.pages, leaves, strict=True)]
        return set_right(replace(document, pages=pages, spans=find_forms(document, leaves, book)))
    finally:
        book.close()


def _paragraphs(leaves: list[Leaf]) -> list[Paragraph]:
    """Build the paragraphs of all pages; one that runs over a page break has a piece on each page."""
    vocabulary = Vocabulary()
    for leaf in leaves:
        for line in leaf.every_line:
            # what a large initial may have parted is no word yet
            vocabulary.add(line.text.split(" ", 2)[-1] if line.apart else line.text)
    letters = body_type(line for leaf in leaves for line in leaf.lines)
    take_furniture(leaves, letters)
    pages = (_page(leaf, number, vocabulary, letters) for number, leaf in enumerate(leaves))
    return stitch(pages, vocabulary)


def _page(leaf: Leaf, number: int, vocabulary: Vocabulary, letters: Type) -> list[Paragraph]:
    lines = join_initials(leaf.lines, letters, vocabulary.words)
    text = without_line_numbers([line for line in lines if not line.aside])
    heads = [line for line in lines if line.aside and line.y0 < leaf.height / 2]
    feet = [line for line in lines if line.aside and line.y0 >= leaf.height / 2]
    groups = [heads, *reading_order(text), feet]
    for turned in leaf.turned:
        groups += turned_order(turned)
    return build_paragraphs(groups, number, vocabulary, letters)


def _write(
    paragraphs: list[Paragraph], chapters: Chapters, labels: list[tuple[str, str]], manuscript: Manuscript
) -> None:
    opened = 0
    for index, item in enumerate(paragraphs):
        first, text = item.pieces[0]
        while opened <= first:
            manuscript.page(*labels[opened])
            opened += 1
        for title, level in chapters.get(index, ()):
            manuscript.chapter(title, level)
        manuscript.paragraph(text)
        for page, text in item.pieces[1:]:
            while opened <= page:
                manuscript.page_here(*labels[opened])
                opened += 1
            manuscript.continue_paragraph(text.replace(SOFT_HYPHEN, ""))
    while opened < len(labels):
        manuscript.page(*labels[opened])
        opened += 1


def _attached(book: pymupdf.Document) -> list[str]:
    """Return the names of the files that a PDF carries along."""
    try:
        return list(book.embfile_names())
    except TROUBLE:
        return []


def _metadata(book: pymupdf.Document, name: str) -> str:
    words = html.unescape(typeset(one_line((book.metadata or {}).get(name) or "")))
    return "" if words.casefold() in ("none", "unknown", "anonymous") else words


def _title(book: pymupdf.Document, paragraphs: list[Paragraph]) -> str:
    title = _JUNK_TITLE.sub("", _metadata(book, "title")).strip()
    if not _NO_TITLE.fullmatch(title) and "\ufffd" not in title and any(map(str.isalpha, title)):
        return title
    first = [item for item in paragraphs if item.first_page == paragraphs[0].first_page and not item.aside]
    largest = max(first, key=lambda item: item.size, default=None)
    others = [item.size for item in first if item is not largest]
    if largest and others and len(largest.text) <= 150 and largest.size >= LARGE * min(others):
        return one_line(largest.text)
    return ""


def _language(book: pymupdf.Document) -> str:
    try:
        kind, value = book.xref_get_key(book.pdf_catalog(), "Lang")
    except TROUBLE:
        return ""
    return value if kind == "string" else ""

"""HTML pages: the text without menus, forms and scripts; headings are the chapters."""

import re

from lxml import etree

from ingest.charset import decode_markup, first_letters
from ingest.document import Document
from ingest.errors import BadInput
from ingest.form import Block
from ingest.headings import merge_headings
from ingest.limits import Limits
from ingest.manuscript import Manuscript
from ingest.markup import Book, blocks
from ingest.outline import find_outline
from ingest.pictures import Gallery
from ingest.reflow import Paragraph
from ingest.source import Source
from ingest.tree import every_word, local_name, parse_markup, prolog_end

NAME = "html"
LEFT_OUT = "menus, forms, footers, licences and what the page hides"

_SUFFIXES = (".html", ".htm", ".xhtml", ".svg")
_OPENING = re.compile(r"<(?:!doctype\s{1,9}html|html|head|body|svg)\b", re.IGNORECASE)
# what a piece of a page has, where its name says that it is one
_TAG = re.compile(
    r"<(?:p|div|body|h[1-6r]|br|table|span|[abisu]|[duo]l|d[dt]|li|pre|su[bp]|em|strong|tt|code|font|img|center|"
    r"blockquote|section|article|main|header|footer|nav|small|script|style|link|meta|base)[\s/>]",
    re.IGNORECASE,
)
_TAG_REACH = 100_000
_MAIN_SHARE = 0.5  # of a page's text, for <main> or <article> to stand for the page
_CHAPTER_LEVELS = 3
_LONGEST_TITLE = 150


def accepts(source: Source) -> bool:
    head = first_letters(source.data)
    if _OPENING.match(head, prolog_end(head)):
        return True
    return source.suffix in _SUFFIXES and _TAG.search(first_letters(source.data, _TAG_REACH)) is not None


def parse(source: Source) -> Document:
    """Parse a web page. Raises BadInput when no text is left without menus and scripts."""
    text, warning = decode_markup(source.data, source.encoding)
    return read_page(parse_markup(text, limits=source.limits), source, warning)


def read_page(root: etree._Element | None, source: Source, warning: str | None = None) -> Document:
    """Read the tree of a page. Raises BadInput as `parse` does."""
    if root is None:
        raise BadInput("this HTML page has no text: choose another file")
    manuscript = Manuscript(source.limits, Gallery(source.pictures))
    if warning:
        manuscript.warn(warning)
    manuscript.expect(every_word(root), LEFT_OUT)
    found = _main_blocks(root, source.limits)
    if not found:
        raise BadInput(
            "there is no text in this HTML page (it may be made by scripts): save it as text or PDF"
        )
    title = write_blocks(found, manuscript)
    return manuscript.document(
        title=title or _page_title(root) or source.stem,
        author=_meta(root, "author"),
        language=root.get("lang") or root.get("{http://www.w3.org/XML/1998/namespace}lang") or "",
        format=NAME,
    )


def write_blocks(found: list[Block], manuscript: Manuscript) -> str:
    """Write blocks with their headings as chapters; returns the title where the first heading is one."""
    found = merge_headings(found)
    headings = [block for block in found if block.level]
    top = min((block.level for block in headings), default=0)
    title = ""
    if headings and headings[0].level == top and sum(block.level == top for block in headings) == 1:
        # one heading above all others names the document, not a chapter of it
        title = headings[0].text
        headings = headings[1:]
        top = min((block.level for block in headings), default=0)
    chapters = {
        id(block): (block.text, block.level)
        for block in headings
        if block.level < top + _CHAPTER_LEVELS and len(block.text) <= _LONGEST_TITLE
    }
    if not headings:
        chapters = {id(found[mark.index]): (mark.title, mark.level) for mark in find_outline(_lines(found))}
    for block in found:
        if id(block) in chapters:
            manuscript.chapter(*chapters[id(block)])
        manuscript.block(block)
    return title


def _lines(found: list[Block]) -> list[Paragraph]:
    """Turn blocks into paragraphs of plain text, to look for headings that are not marked as such."""
    return [Paragraph(block.text.split("\n"), 1) for block in found]


def _main_blocks(root, limits: Limits) -> list[Block]:
    everything = blocks(root, web_page=True, book=Book(limits))
    total = sum(len(block.text) for block in everything)
    for name in ("main", "article"):
        parts = [element for element in root.iter(f"{{*}}{name}") if local_name(element) == name]
        if len(parts) == 1:
            inside = blocks(parts[0], web_page=True, book=Book(limits))
            if sum(len(block.text) for block in inside) >= _MAIN_SHARE * total > 0:
                return inside
    return everything or blocks(root, book=Book(limits))


def _page_title(root) -> str:
    element = root.find(".//{*}title")
    return "" if element is None else " ".join("".join(element.itertext()).split())


def _meta(root, name: str) -> str:
    for element in root.iter("{*}meta"):
        if element.get("name", "").lower() == name and element.get("content"):
            return element.get("content")
    return ""

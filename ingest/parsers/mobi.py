"""Kindle books without DRM: read as HTML; chapters are the headings, or what the table of contents names."""

import itertools
import re

from ingest.document import Document
from ingest.errors import BadInput
from ingest.form import Block
from ingest.manuscript import Manuscript
from ingest.markup import Book, blocks
from ingest.palm import is_palm, read_palm
from ingest.parsers.html import LEFT_OUT, write_blocks
from ingest.source import Source
from ingest.tree import every_word, parse_markup

NAME = "mobi"

_TARGET = re.compile(rb"filepos=[\"']?(\d{1,10})")
_CONTENTS = re.compile(rb"<reference\s[^<>]{0,300}")
_LINK_END = re.compile(rb">([^<>]{0,300}(?:<[^<>]{0,100}>[^<>]{0,300}){0,4}?)</a", re.IGNORECASE)
_MARKS = re.compile(rb"<[^<>]{0,100}>")
_CONTENTS_GAP = 1_000  # bytes between two links of one table of contents
_MOST_LINKS = 5_000
_LONGEST_TAG = 2_000  # bytes
_TITLE_LEVEL = 2


def accepts(source: Source) -> bool:
    return is_palm(source.data)


def parse(source: Source) -> Document:
    """Parse a Kindle book. Raises BadInput for what is protected, damaged or without text."""
    book = read_palm(source.data, source.limits)
    contents = _contents(book.markup)
    markup = _with_anchors(book.markup, [place for place, _ in contents])
    root = parse_markup(markup.decode(book.encoding, errors="replace"), limits=source.limits)
    found = [] if root is None else blocks(root, book=Book(source.limits))
    if not found:
        raise BadInput("there is no text in this Kindle book (pictures only?): choose another copy")
    if not any(block.level for block in found):
        found = _headed(
            found, {_anchor(place): title.decode(book.encoding, "replace") for place, title in contents}
        )
    manuscript = Manuscript(source.limits)
    manuscript.expect(every_word(root), LEFT_OUT)
    title = write_blocks(found, manuscript)
    return manuscript.document(
        title=book.title or title or source.stem, author=book.author, language=book.language, format=NAME
    )


def _contents(markup: bytes) -> list[tuple[int, bytes]]:
    """List (position, title) of the links of the table of contents; empty where the book names none."""
    begins = next((mark[0] for mark in _CONTENTS.finditer(markup) if b'type="toc"' in mark[0].lower()), b"")
    start = _TARGET.search(begins)
    if not start:
        return []
    found: list[tuple[int, bytes]] = []
    last = int(start[1])
    for link in itertools.islice(_TARGET.finditer(markup, last), _MOST_LINKS):
        if link.start() - last > _CONTENTS_GAP:
            break
        last = link.start()
        words = _LINK_END.search(markup, link.end(), link.end() + _LONGEST_TAG)
        title = b" ".join(_MARKS.sub(b"", words[1]).split()) if words else b""
        if title and 0 < int(link[1]) < len(markup):
            found.append((int(link[1]), title))
    return found


def _anchor(place: int) -> str:
    return f"filepos{place}"


def _with_anchors(markup: bytes, places: list[int]) -> bytes:
    """Put an anchor at each place of a text, moved out of the tag in which it may stand."""
    pieces, at = [], 0
    for place in sorted(set(places)):
        opens = markup.rfind(b"<", max(at, place - _LONGEST_TAG), place)
        begin = opens if opens >= 0 and b">" not in markup[opens:place] else max(at, place)
        pieces += [markup[at:begin], f'<a id="{_anchor(place)}"></a>'.encode()]
        at = begin
    return b"".join([*pieces, markup[at:]])


def _headed(found: list[Block], titles: dict[str, str]) -> list[Block]:
    """Return the blocks with the titles of the table of contents as headings, where they are none yet."""
    made: list[Block] = []
    for block in found:
        title = next((titles[anchor] for anchor in block.anchors if anchor in titles), "")
        if title:
            if " ".join(block.text.split()).casefold() == title.casefold():
                block.level = _TITLE_LEVEL
            else:
                made.append(Block(title, _TITLE_LEVEL))
        made.append(block)
    return made

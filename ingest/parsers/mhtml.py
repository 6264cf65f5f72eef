"""Saved web pages (MHTML): the first page among the parts, with the pages in its frames, read as HTML."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from urllib.parse import urljoin

from lxml import etree

from ingest.charset import decode_markup
from ingest.document import Document
from ingest.errors import BadInput
from ingest.frames import show_inside
from ingest.message import PAGES, Part
from ingest.parsers import html
from ingest.source import Source
from ingest.stylesheet import all_classes, mark_styled
from ingest.tree import parse_markup

NAME = "mhtml"

_SUFFIXES = (".mht", ".mhtml")
_END_OF_HEADER = re.compile(rb"\r?\n\r?\n")
_KINDS = re.compile(rb"^content-type:\s*(?:multipart/related|text/html)\b", re.MULTILINE)


def accepts(source: Source) -> bool:
    head = source.head.lower()
    if source.suffix in _SUFFIXES:
        return b"content-type:" in head
    head = _END_OF_HEADER.split(head, 1)[0]  # what a text says of messages stands further down
    return b"mime-version:" in head and _KINDS.search(head) is not None and not head.lstrip().startswith(b"<")


@dataclass(frozen=True)
class Page:
    """One page among the parts; `names` are the addresses under which a frame may show it."""

    data: bytes
    charset: str = ""
    address: str = ""
    names: tuple[str, ...] = ()

    def tree(self, source: Source) -> tuple[etree._Element | None, str | None]:
        """Return the root of its elements, and what its encoding was not sure of."""
        # the charset of the part counts before what the page itself says
        text, warning = decode_markup(self.data, source.encoding, self.charset)
        return parse_markup(text, limits=source.limits), warning


def parse(source: Source) -> Document:
    """Parse a saved web page. Raises BadInput where no part is a page, and as the HTML parser does."""
    parts = list(Part.whole(source.data).walk())
    found = list(pages_of(parts))
    if not found:
        raise BadInput("there is no page in this saved web page: save it again, or as HTML or PDF")
    root, warning = found[0].tree(source)
    if root is not None:
        mark_styled(root, all_classes(_sheets_of(parts)))
        _fill_frames(
            root, found[0], {name: page for page in reversed(found[1:]) for name in page.names}, source
        )
    return replace(html.read_page(root, source, warning), format=NAME)


def pages_of(parts: Iterable[Part]) -> Iterator[Page]:
    """Yield the HTML pages among the parts of a message."""
    for part in parts:
        if part.kind in PAGES:
            address, identity = part.words("content-location"), part.words("content-id").strip("<>")
            names = tuple(name for name in (address, identity and f"cid:{identity}") if name)
            yield Page(part.body(), part.charset, address, names)


def _sheets_of(parts: Iterable[Part]) -> Iterator[str]:
    """Yield the style sheets among the parts of a message."""
    for part in parts:
        if part.kind == "text/css":
            yield part.body().decode("utf-8", "replace")


def _fill_frames(root: etree._Element, page: Page, others: dict[str, Page], source: Source) -> None:
    """Put the pages that frames show in the place of the frames, each once."""
    waiting = [(root, page)]
    while waiting:
        tree, page = waiting.pop()
        for frame in list(tree.iter("{*}frame", "{*}iframe")):
            shown = others.get(_address(page.address, frame.get("src", "")))
            inner = shown.tree(source)[0] if shown else None
            if shown is None or inner is None:
                continue
            for name in shown.names:
                others.pop(name, None)
            _show(frame, inner)
            waiting.append((frame, shown))


def _address(base: str, name: str) -> str:
    name = name.partition("#")[0].strip()
    try:
        return name if name.startswith("cid:") else urljoin(base, name)
    except ValueError:
        return name


def _show(frame: etree._Element, inner: etree._Element) -> None:
    for element in list((frame.getparent() if frame.getparent() is not None else frame).iter("{*}noframes")):
        element.text = None  # what is said where frames are not shown
        element[:] = []
    show_inside(frame, inner)

"""Saved web pages (MHTML): the first page among the parts, with the pages in its frames, read as HTML."""

import base64
import binascii
import quopri
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from email.message import Message
from email.parser import BytesHeaderParser
from urllib.parse import urljoin

from lxml import etree

from ingest.charset import decode, decode_markup
from ingest.document import Document
from ingest.errors import BadInput
from ingest.parsers import html
from ingest.source import Source
from ingest.tree import parse_markup

NAME = "mhtml"

_SUFFIXES = (".mht", ".mhtml")
_HEADER_REACH = 20_000  # bytes
_DEEPEST = 5  # parts in parts
_MOST_PARTS = 2_000
_END_OF_HEADER = re.compile(rb"\r?\n\r?\n")
_KINDS = re.compile(rb"^content-type:\s*(?:multipart/related|text/html)\b", re.MULTILINE)
_CHARSET = re.compile(r"[A-Za-z0-9._-]{1,40}")
_PAGES = frozenset(["text/html", "application/xhtml+xml"])


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
    charset: str | None = None
    address: str = ""
    names: tuple[str, ...] = ()

    def tree(self, source: Source) -> tuple[etree._Element | None, str | None]:
        """Return the root of its elements, and what its encoding was not sure of."""
        # the charset of the part counts before what the page itself says
        text, warning = decode_markup(self.data, source.encoding or self.charset)
        return parse_markup(text, limits=source.limits), warning


def parse(source: Source) -> Document:
    """Raises BadInput where no part is a page, and as the HTML parser does."""
    found = list(pages_of(source.data))
    if not found:
        raise BadInput("there is no page in this saved web page: save it again, or as HTML or PDF")
    root, warning = found[0].tree(source)
    if root is not None:
        _fill_frames(
            root, found[0], {name: page for page in reversed(found[1:]) for name in page.names}, source
        )
    return replace(html.read_page(root, source, warning), format=NAME)


def pages_of(data: bytes, depth: int = 0) -> Iterator[Page]:
    """Yield the HTML pages among the parts of a message."""
    header, body = _split(data)
    kind = header.get_content_type()
    if kind in _PAGES:
        data, charset = _plain(header, body), header.get_content_charset("")
        address = str(header.get("Content-Location", "")).strip()
        identity = str(header.get("Content-ID", "")).strip().strip("<>")
        names = tuple(name for name in (address, identity and f"cid:{identity}") if name)
        yield Page(data, charset if _fits(data, charset) else None, address, names)
    boundary = header.get_boundary("")
    if not boundary or depth > _DEEPEST:
        return
    for part in body.split(b"--" + boundary.encode("ascii", "replace"), _MOST_PARTS)[1:]:
        yield from pages_of(part.lstrip(b"\r\n"), depth + 1)


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
    body = next((part for part in inner.iter("{*}body", "{*}frameset")), inner)
    tail = frame.tail
    for element in list((frame.getparent() if frame.getparent() is not None else frame).iter("{*}noframes")):
        element.text = None  # what is said where frames are not shown
        element[:] = []
    frame.clear()
    frame.tag, frame.text, frame.tail = "div", body.text, tail
    frame[:] = list(body)


def _split(data: bytes) -> tuple[Message, bytes]:
    match = _END_OF_HEADER.search(data[:_HEADER_REACH])
    end = match.end() if match else 0
    return BytesHeaderParser().parsebytes(data[:end]), data[end:]


def _plain(header: Message, body: bytes) -> bytes:
    """Decode the bytes of a part from their transfer encoding; damage ends them."""
    coding = str(header.get("Content-Transfer-Encoding", "")).strip().lower()
    if coding == "quoted-printable":
        return quopri.decodestring(body)
    if coding == "base64":
        letters = re.sub(rb"[^A-Za-z0-9+/]", b"", body)
        try:
            return base64.b64decode(letters[: len(letters) // 4 * 4] + _rest(letters))
        except binascii.Error:
            return b""
    return body


def _rest(letters: bytes) -> bytes:
    over = len(letters) % 4
    return letters[-over:] + b"=" * (4 - over) if over > 1 else b""


def _fits(data: bytes, charset: str) -> bool:
    if not _CHARSET.fullmatch(charset):
        return False
    try:
        decode(data, charset)
    except BadInput:
        return False
    return True

"""Saved web pages (MHTML): the first page among the parts, read as HTML."""

import base64
import binascii
import quopri
import re
from dataclasses import replace
from email.message import Message
from email.parser import BytesHeaderParser

from ingest.charset import decode
from ingest.document import Document
from ingest.errors import BadInput
from ingest.parsers import html
from ingest.source import Source

NAME = "mhtml"

_SUFFIXES = (".mht", ".mhtml")
_HEADER_REACH = 20_000  # bytes
_DEEPEST = 5  # parts in parts
_MOST_PARTS = 2_000
_END_OF_HEADER = re.compile(rb"\r?\n\r?\n")
_CHARSET = re.compile(r"[A-Za-z0-9._-]{1,40}")
_PAGES = frozenset(["text/html", "application/xhtml+xml"])


def accepts(source: Source) -> bool:
    head = source.head.lower()
    if b"content-type:" not in head:
        return False
    return source.suffix in _SUFFIXES or (
        b"mime-version:" in head and b"multipart/related" in head and not head.lstrip().startswith(b"<")
    )


def parse(source: Source) -> Document:
    """Raises BadInput where no part is a page, and as the HTML parser does."""
    found = page_of(source.data)
    if found is None:
        raise BadInput("there is no page in this saved web page: save it again, or as HTML or PDF")
    data, charset = found
    # the charset of the part counts before what the page itself says
    return replace(html.parse(replace(source, data=data, encoding=source.encoding or charset)), format=NAME)


def page_of(data: bytes, depth: int = 0) -> tuple[bytes, str | None] | None:
    """Return (bytes, charset or "") of the first HTML page among the parts of a message; None without one."""
    header, body = _split(data)
    kind = header.get_content_type()
    if kind in _PAGES:
        page, charset = _plain(header, body), header.get_content_charset("")
        return page, charset if _fits(page, charset) else None
    boundary = header.get_boundary("")
    if not boundary or depth > _DEEPEST:
        return None
    for part in body.split(b"--" + boundary.encode("ascii", "replace"), _MOST_PARTS)[1:]:
        found = page_of(part.lstrip(b"\r\n"), depth + 1)
        if found is not None:
            return found
    return None


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

"""Message: the parts of a mail or of a saved page (MIME); the `email` library reads headers and codings.

Which parts there are is found here, each once and down to a depth: in time in step with the file's size.
"""

import re
from collections.abc import Iterator
from email.errors import HeaderParseError
from email.header import decode_header
from email.parser import BytesHeaderParser

from ingest.charset import decode
from ingest.cleaning import one_line

PAGES = frozenset(["text/html", "application/xhtml+xml"])
DEEPEST = 6  # parts in parts
_MOST_PARTS = 2_000  # of a whole message
_LONGEST_FIELD = 2_000  # letters of one that names kinds and files: `email` takes the square of it
LINE_END = re.compile(rb"\r\n?")
# a line of blanks goes on with a field only where another one follows; else it is the end of the header
FOLDED = rb"(?:[ \t]++[^ \t\n].*+\n|[ \t]++\n(?=[!-9;-~]{1,200}:))"
HEADER_END = re.compile(rb"[ \t]*+\n")
_HEADER = re.compile(rb"(?:(?:From |[!-9;-~]{1,200}:).*+\n|" + FOLDED + rb")*+")
_CODING = "Content-Transfer-Encoding"
_NAMING = ("Content-Type", "Content-Disposition")
_WORD = r"=\?[^?\s]{1,60}\?[bBqQ]\?[^?\n]{0,1000}\?="
_WORDS = re.compile(rf"{_WORD}(?:\s{{1,20}}{_WORD})*")
_DASHED = re.compile(rb"^--([^\n]*)(?:\n|\Z)", re.MULTILINE)
_BASE64 = re.compile(rb"(?:[ \t]*+[A-Za-z0-9+/]*+={0,2}[ \t]*+\n)*+")


class Part:
    """A message or one of its parts: the header, and the body as it was sent."""

    def __init__(self, data: bytes, message: "Part | None" = None):
        """Read the header of a part. message: the outermost one, which counts its parts."""
        match = _HEADER.match(data)
        end = match.end() if match else 0
        self.header = BytesHeaderParser().parsebytes(data[:end])
        for name in _NAMING:
            if len(value := str(self.header.get(name, ""))) > _LONGEST_FIELD:
                self.header.replace_header(name, value[:_LONGEST_FIELD])
        self._message, self._count = message or self, 0
        closing = HEADER_END.match(data, end)
        self.raw = data[closing.end() if closing else end :]
        self.kind = self.header.get_content_type()
        charset = self.header.get_content_charset("") or ""
        # "us-ascii" says nothing of letters beyond it
        self.charset = "" if charset == "us-ascii" else charset
        self.coding = str(self.header.get(_CODING, "")).partition(";")[0].strip().lower()
        if self.coding:
            self.header.replace_header(_CODING, self.coding)

    @classmethod
    def whole(cls, data: bytes, message: "Part | None" = None) -> "Part":
        """Read a message: the outermost of a file, or one that lies in another."""
        return cls(LINE_END.sub(b"\n", data.removeprefix(b"\xef\xbb\xbf").lstrip()), message)

    def body(self) -> bytes:
        """Return the body without its transfer coding; damage in it costs what is damaged."""
        self.header.set_payload(self.raw.decode("ascii", "surrogateescape"))
        return bytes(self.header.get_payload(decode=True))  # which is no list here

    def behind(self) -> bytes:
        """Cut off what a list or a scanner wrote behind a body in base64, or the last part, and return it."""
        end = len(self.raw)
        if self.coding == "base64" and (coded := _BASE64.match(self.raw + b"\n")):
            end = coded.end()
        else:
            end = next((behind for _, behind, is_last in self._marks(self.raw) if is_last), end)
        self.raw, rest = self.raw[:end], self.raw[end:]
        return rest

    def parts(self) -> list["Part"]:
        """Return the parts right inside; none where there are none that can be told apart."""
        if self.kind == "message/rfc822":
            return [Part.whole(self.body(), self._message)]
        text, start = self.body(), -1
        found: list[Part] = []
        for end, behind, is_last in self._marks(text):
            if start >= 0:
                found.append(self._inner(text[start:end]))
            start = -1 if is_last else behind
            if self._message._count > _MOST_PARTS:
                break
        if 0 <= start < len(text):  # it was cut off
            found.append(self._inner(text[start:]))
        return found

    def _inner(self, data: bytes) -> "Part":
        self._message._count += 1
        return Part(data, self._message)

    def _marks(self, text: bytes) -> Iterator[tuple[int, int, bool]]:
        """Yield where each line between parts begins and ends, and whether it stands behind the last."""
        boundary = self.header.get_boundary("") if self.kind.startswith("multipart/") else ""
        opening = boundary.encode("ascii", "replace")
        for mark in _DASHED.finditer(text) if boundary else ():
            if (line := mark[1].rstrip(b" \t")) in (opening, opening + b"--"):
                yield mark.start(), mark.end(), line != opening

    def file_name(self) -> str:
        """Return the name under which a part is to be saved; "" where it has none."""
        return one_line(_WORDS.sub(lambda run: _decoded(run[0]), self.header.get_filename("") or ""))

    def is_attached(self) -> bool:
        """Tell whether a part says that it is no part of what is read."""
        return self.header.get_content_disposition() == "attachment"

    def walk(self, depth: int = 0) -> Iterator["Part"]:
        """Yield this part and all in it, the outer one first."""
        yield self
        for part in self.parts() if depth < DEEPEST else ():
            yield from part.walk(depth + 1)

    def words(self, name: str) -> str:
        """Return a field of the header on one line, its coded words decoded."""
        raw = next((value for key, value in self.header.raw_items() if key.lower() == name), "")
        text = decode(str(raw).encode("ascii", "surrogateescape"), None, "utf-8")[0]
        return one_line(_WORDS.sub(lambda run: _decoded(run[0]), text))


def _decoded(run: str) -> str:
    try:
        pieces = decode_header(run)
    except HeaderParseError:  # its base64 is none
        return run
    return "".join(decode(bytes(words), None, charset or "")[0] for words, charset in pieces)

"""Mail: a message as a mail program saves it, or a mailbox of many, each a chapter by its subject.

Of the same words in several forms the richest is read. What is attached is named: it is a file of its own.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, groupby

from lxml import etree

from ingest.charset import decode, decode_markup
from ingest.document import Document
from ingest.errors import BadInput
from ingest.manuscript import Manuscript, count_letters, few_of
from ingest.markup import Book, blocks
from ingest.message import DEEPEST, FOLDED, HEADER_END, LINE_END, PAGES, Part
from ingest.parsers.html import LEFT_OUT, write_blocks
from ingest.parsers.text import write_paragraphs
from ingest.reflow import Paragraph, reflow
from ingest.source import Source
from ingest.tree import every_word, parse_markup

NAME = "mail"

_SUFFIXES = (".eml", ".emlx", ".mbox")
_REACH = 60_000  # bytes in which the header of the first message ends
_START = re.compile(rb"(?:\xef\xbb\xbf)?\s{0,20}(?:From .{3,80}\d\d:\d\d.{0,80}\n)?")
_FIELD = re.compile(rb"([!-9;-~]{1,80}):.*+\n" + FOLDED + rb"*+")
_CODED = frozenset([b"mime-version", b"content-transfer-encoding", b"message-id", b"received"])
_SENT = frozenset([b"to", b"message-id", b"received", b"return-path", b"delivered-to"])
_USUAL = _CODED | {b"from", b"date", b"subject", b"to"}
_BETWEEN = re.compile(rb"(?:\A|\n\n)From .{3,80}\d\d:\d\d.{0,80}\n(?=[!-9;-~]{1,80}:)")
_QUOTED_FROM = re.compile(rb"^>(>*From )", re.MULTILINE)
_COUNT = re.compile(rb"\s{0,20}(\d{1,9})[ \t]{0,20}\r?\n")  # Apple writes how long the message is
_QUOTE = re.compile(r"(?:> ?)+")
_READ = frozenset(["text", "message", "multipart"])  # a multipart of no parts is damaged, and read as it is
_NOT_READ = frozenset(["text/calendar", "text/rtf", "text/richtext", "text/vcard", "text/x-vcard"])
_LOCKED = frozenset(["multipart/encrypted", "application/pkcs7-mime", "application/x-pkcs7-mime"])
_LOCKED_PART = "an encrypted part"
_SEAL = re.compile(r"application/(?:pgp|(?:x-)?pkcs7)-signature")
_SHOWN = ("from", "to", "cc", "date")
_SAME = 0.5  # of the letters of the fullest form, for a richer one to be the same words


@dataclass(frozen=True)
class _Piece:
    """What comes next of a message: the header of one, a page, text, or the name of what is not read."""

    text: str = ""
    header: Part | None = None
    page: etree._Element | None = None
    left: str = ""
    warning: str | None = None


def accepts(source: Source) -> bool:
    head = LINE_END.sub(b"\n", source.data[:_REACH])
    count = _COUNT.match(head) if source.suffix == ".emlx" else None
    start = _START.match(head, count.end() if count else 0)
    at, names, kinds = start.end() if start else 0, set(), b""
    while field := _FIELD.match(head, at):
        at = field.end()
        names.add(field[1].lower())
        kinds += field[0].lower() if field[1].lower() == b"content-type" else b""
    if at < len(head) < _REACH and not HEADER_END.match(head, at):
        return False  # a text that only begins so
    if len(names & _USUAL) < 2 or source.suffix in _SUFFIXES:
        return len(names & _USUAL) > 1
    saved_page = b"multipart/related" in kinds or b"text/html" in kinds
    return bool(names & _CODED) and (bool(names & _SENT) or (bool(kinds) and not saved_page))


def parse(source: Source) -> Document:
    """Parse a mail or a mailbox. Raises BadInput where no message has text."""
    messages = [Part.whole(data) for data in _messages(source)]
    alone = messages[0] if len(messages) == 1 else None
    manuscript = Manuscript(source.limits)
    titles: list[str] = []
    left: list[str] = []
    letters = 0
    for number, message in enumerate(messages, 1):
        pieces = _pieces(message, source)
        left += [piece.left for piece in pieces if piece.left]
        letters += _letters(pieces)
        if not alone:
            manuscript.chapter(message.words("subject") or f"Message {number}")
        titles += _write([_Piece(header=message), *pieces], manuscript, source, alone is not None)
    _tell_what_is_left(left, manuscript, letters)
    sender = alone.words("from") if alone else ""
    name, _, _ = sender.partition("<")
    return manuscript.document(
        title=(alone.words("subject") if alone else "") or next(filter(None, titles), source.stem),
        author=name.strip(' "') or sender,
        language="",
        format=NAME,
    )


def _messages(source: Source) -> Iterator[bytes]:
    data = LINE_END.sub(b"\n", source.data).removeprefix(b"\xef\xbb\xbf").lstrip()
    if source.suffix == ".emlx" and (count := _COUNT.match(source.data)):
        data = source.data[count.end() :][: int(count[1])]
    marks = list(_BETWEEN.finditer(data)) if data.startswith(b"From ") else []
    if not marks:
        yield data
    ends = [mark.start() for mark in marks[1:]] + [len(data)]
    for mark, end in zip(marks, ends, strict=bool(marks)):
        yield _QUOTED_FROM.sub(rb"\1", data[mark.end() : end])


def _pieces(part: Part, source: Source, depth: int = 0) -> list[_Piece]:
    """Return what is to be read of a part, in order."""
    behind = part.behind()
    found = _inside(part, source, depth)
    return [*found, _text(behind, "", source)] if behind.strip() else found


def _inside(part: Part, source: Source, depth: int) -> list[_Piece]:
    if part.kind in _LOCKED:
        return [_Piece(left=_LOCKED_PART)]
    inner = part.parts() if depth < DEEPEST else []
    within = [_pieces(one, source, depth + 1) for one in inner]
    if part.kind == "message/rfc822" and inner:
        return [_Piece(header=inner[0]), *within[0]]
    if part.kind == "multipart/alternative" and inner:
        most = max(map(_letters, within))
        return next(one for one in reversed(within) if _letters(one) >= _SAME * most)
    if inner:
        return list(chain.from_iterable(within))
    name, family = part.file_name(), part.kind.partition("/")[0]
    if (name and part.is_attached()) or family not in _READ or part.kind in _NOT_READ:
        shown = family == "image" and part.words("content-id") and not part.is_attached()
        return [] if shown or _SEAL.fullmatch(part.kind) else [_Piece(left=name or part.kind)]
    if part.kind in PAGES:
        words, warning = decode_markup(part.body(), source.encoding, part.charset)
        root = parse_markup(words, limits=source.limits)
        return [] if root is None else [_Piece(every_word(root), page=root, warning=warning)]
    return [_text(part.body(), part.charset, source)]


def _text(data: bytes, charset: str, source: Source) -> _Piece:
    words, warning = decode(data, source.encoding, charset)
    is_locked = words.lstrip().startswith("-----BEGIN PGP MESSAGE-----")
    return _Piece(left=_LOCKED_PART) if is_locked else _Piece(words, warning=warning)


def _letters(pieces: list[_Piece]) -> int:
    return sum(count_letters(piece.text) for piece in pieces)


def _write(pieces: list[_Piece], manuscript: Manuscript, source: Source, alone: bool) -> Iterator[str]:
    """Write one message; yield the titles that its pages have."""
    for piece in pieces:
        manuscript.expect(piece.text, LEFT_OUT)
        if piece.warning:
            manuscript.warn(piece.warning)
        if piece.header is not None:
            shown = ((name, piece.header.words(name)) for name in _SHOWN)
            manuscript.paragraph(piece.header.words("subject"))
            manuscript.paragraph(
                "\n".join(f"{name.title()}: {words}" for name, words in shown if words), True
            )
        elif piece.page is not None:
            found = blocks(piece.page, web_page=True, book=Book(source.limits))
            if alone:
                yield write_blocks(found, manuscript)
            else:
                for block in found:
                    manuscript.block(block)
        else:
            write_paragraphs(list(_paragraphs(piece.text)), manuscript, alone)


def _paragraphs(text: str) -> Iterator[Paragraph]:
    """Yield the paragraphs of a text; one that is quoted keeps its mark, on each line that is left of it."""
    for depth, lines in groupby(text.splitlines(), _depth):
        for paragraph in reflow("\n".join(line if not depth else _QUOTE.sub("", line, 1) for line in lines)):
            if depth:
                paragraph.lines = [f"{'>' * depth} {line}" for line in paragraph.lines]
            yield paragraph


def _depth(line: str) -> int:
    quote = _QUOTE.match(line)
    return quote[0].count(">") if quote else 0


def _tell_what_is_left(left: list[str], manuscript: Manuscript, letters: int) -> None:
    """Warn of what is attached. Raises BadInput where there is nothing else."""
    if not letters and _LOCKED_PART in left:
        raise BadInput("this message is encrypted: open it in your mail program and save its text")
    if left and not letters:
        raise BadInput(
            f"there is no text in this message but what is attached ({few_of(left)}): "
            "save what you need from your mail program and add it as a file of its own"
        )
    manuscript.warn_of_attached(left, "mail program")

"""Kindle and Palm books (MOBI, AZW, AZW3 without DRM): the records of a file as one HTML text."""

import struct
from collections.abc import Callable
from dataclasses import dataclass

from ingest.errors import BadInput
from ingest.huffman import Huffman
from ingest.limits import Limits, megabytes

KINDS = (b"BOOKMOBI", b"TEXtREAd")
_KIND_AT = 60
_PLAIN, _PALM, _HUFF = 1, 2, 17480
_HUFF_AT = 0x70  # number of the first record of its tables, and how many
_UTF8 = 65001
_AUTHOR, _TITLE, _LANGUAGE = 100, 503, 524
_KF8 = 8
_SPACE_PAIR = 0x80


@dataclass(frozen=True)
class PalmBook:
    """`markup` is the text with its tags; positions in links count its bytes."""

    markup: bytes
    encoding: str
    title: str
    author: str
    language: str


def is_palm(data: bytes) -> bool:
    return data[_KIND_AT : _KIND_AT + 8] in KINDS


def read_palm(data: bytes, limits: Limits) -> PalmBook:
    """Read a book. Raises BadInput for a protected or damaged one, and above the limit on unpacked bytes."""
    records = _records(data)
    head = records[0]
    try:
        packing, _, count, _, protection = struct.unpack_from(">HxxIHHH", head)
    except struct.error as error:
        raise _damaged() from error
    if protection:
        raise BadInput("this Kindle book is protected (DRM), its text cannot be read: get a copy without it")
    unpacked = _unpacker(packing, records, limits)
    mobi = head[16:20] == b"MOBI"
    flags = _number(head, 0xF2, ">H") if mobi and _number(head, 20) >= 0xE4 else 0
    parts, size = [], 0
    for record in records[1 : count + 1]:
        record = _without_trailer(record, flags)
        parts.append(unpacked(record))
        size += len(parts[-1])
        if size > limits.entry_bytes:
            raise BadInput(f"this Kindle book unpacks to more than {megabytes(limits.entry_bytes)}: split it")
    markup = b"".join(parts)
    encoding = "utf-8" if mobi and _number(head, 28) == _UTF8 else "cp1252"
    if mobi and _number(head, 36) == _KF8:
        markup = markup[: _first_flow(records, head) or None]
    about = _about(head) if mobi else {}
    name = _full_name(head) if mobi else b""

    def words(kind: int, otherwise: bytes = b"") -> str:
        return about.get(kind, otherwise).decode(encoding, errors="replace")

    return PalmBook(markup, encoding, words(_TITLE, name), words(_AUTHOR), words(_LANGUAGE))


def _unpacker(packing: int, records: list[bytes], limits: Limits) -> Callable[[bytes], bytes]:
    """Return what unpacks the records of text."""
    if packing == _HUFF:
        first, count = _number(records[0], _HUFF_AT), _number(records[0], _HUFF_AT + 4)
        return Huffman(records[first : first + min(count, len(records))], limits).unpack
    if packing == _PALM:
        return unpack
    if packing == _PLAIN:
        return bytes
    raise BadInput(
        f"this Kindle book is packed in a way that cannot be read (method {packing}): convert it to EPUB"
    )


def unpack(packed: bytes) -> bytes:
    """Unpack one record of PalmDOC: single bytes, runs, a space and a letter, or a piece of before."""
    made = bytearray()
    at, end = 0, len(packed)
    while at < end:
        byte = packed[at]
        at += 1
        if 1 <= byte <= 8:
            made += packed[at : at + byte]
            at += byte
        elif byte < 0x80:
            made.append(byte)
        elif byte >= 0xC0:
            made += bytes((0x20, byte ^ _SPACE_PAIR))
        elif at < end:
            pair = (byte << 8 | packed[at]) & 0x3FFF
            at += 1
            distance, length = pair >> 3, (pair & 7) + 3
            if not 0 < distance <= len(made):
                break  # damaged: what follows refers to what is not there
            for _ in range(length):
                made.append(made[-distance])
    return bytes(made)


def _damaged() -> BadInput:
    return BadInput("this Kindle book is damaged and cannot be read: get another copy")


def _records(data: bytes) -> list[bytes]:
    count = _number(data, 76, ">H")
    starts = [_number(data, 78 + 8 * at) for at in range(count)]
    if not starts or starts != sorted(starts) or starts[0] < 78:
        raise _damaged()
    return [data[start:end] for start, end in zip(starts, [*starts[1:], len(data)], strict=True)]


def _number(data: bytes, at: int, form: str = ">I") -> int:
    """Read a number in a header; 0 where the header ends before."""
    return struct.unpack_from(form, data, at)[0] if at + struct.calcsize(form) <= len(data) else 0


def _without_trailer(record: bytes, flags: int) -> bytes:
    """Cut off what the header says stands behind the text of a record."""
    for bit in range(15, 0, -1):
        if flags >> bit & 1:
            record = record[: max(0, len(record) - _backward(record))]
    if flags & 1 and record:
        record = record[: max(0, len(record) - (record[-1] & 3) - 1)]
    return record


def _backward(record: bytes) -> int:
    """Read the number at the end of a record, seven bits a byte, the first byte marked."""
    number = 0
    for byte in record[-4:]:
        if byte & 0x80:
            number = 0
        number = number << 7 | byte & 0x7F
    return number


def _first_flow(records: list[bytes], head: bytes) -> int:
    """Find where the text ends and style sheets begin, in the newer form; 0 where nothing says so."""
    at = _number(head, 0xC0)
    table = records[at] if 0 < at < len(records) else b""
    return _number(table, 16) if table[:4] == b"FDST" else 0


def _full_name(head: bytes) -> bytes:
    start = _number(head, 84)
    return head[start : start + min(_number(head, 88), 1000)]


def _about(head: bytes) -> dict[int, bytes]:
    """Read the records about the book as kind -> value; the first of each kind."""
    at = 16 + _number(head, 20)
    if head[at : at + 4] != b"EXTH":
        return {}
    found: dict[int, bytes] = {}
    place = at + 12
    for _ in range(min(_number(head, at + 8), 1000)):
        kind, length = _number(head, place), _number(head, place + 4)
        if length < 8:
            break
        found.setdefault(kind, head[place + 8 : place + length])
        place += length
    return found

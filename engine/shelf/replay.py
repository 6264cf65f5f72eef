"""Replay: what a SQLite database and its write-ahead log say together, in memory.

SQLite writes beside a database to read its log, which a full or read-only disk refuses; the temporary folder
mostly lies on the same disk. The format: https://www.sqlite.org/fileformat2.html#walformat
"""

import struct
from collections.abc import Iterator

HEADER, FRAME = 32, 24
MAGIC = 0x377F0682  # the last bit says that its sums are taken of big-endian words
LARGEST_PAGE = 65536
ROLLBACK = bytes([1, 1])  # "no log" in the header of a database, which an image in memory has to say


def replayed(database: bytes, log: bytes) -> bytes:
    """Return the database as its log leaves it: all transactions that the log holds to their end."""
    image = bytearray(database)
    pending: dict[int, bytes] = {}
    for number, pages, content in _frames(log):
        pending[number] = content
        if pages:  # the last of its transaction
            size = len(content)
            image.extend(bytes(max(0, pages * size - len(image))))
            for page, changed in pending.items():
                image[(page - 1) * size : page * size] = changed
            del image[pages * size :]
            pending.clear()
    image[18:20] = ROLLBACK
    return bytes(image)


def _frames(log: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Yield (page number, pages of the database or 0, page) as long as their sums hold."""
    if len(log) < HEADER:
        return
    magic, _, size, _, *salts, first, second = struct.unpack_from(">8I", log)
    order = ">" if magic & 1 else "<"
    sums = _summed(log[: HEADER - 8], order, (0, 0))
    if magic & ~1 != MAGIC or sums != (first, second) or not 512 <= size <= LARGEST_PAGE:
        return
    for at in range(HEADER, len(log) - FRAME - size + 1, FRAME + size):
        number, pages, *salted, first, second = struct.unpack_from(">6I", log, at)
        content = log[at + FRAME : at + FRAME + size]
        sums = _summed(content, order, _summed(log[at : at + 8], order, sums))
        if salted != salts or sums != (first, second) or not number:
            return
        yield number, pages, content


def _summed(data: bytes, order: str, sums: tuple[int, int]) -> tuple[int, int]:
    """Go on with the two sums of a log over further words."""
    first, second = sums
    words = struct.unpack(f"{order}{len(data) // 4}I", data)
    for even, odd in zip(words[::2], words[1::2], strict=True):
        first = (first + even + second) & 0xFFFFFFFF
        second = (second + odd + first) & 0xFFFFFFFF
    return first, second

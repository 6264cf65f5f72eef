"""HUFF/CDIC, the tighter packing of Kindle books: codes for phrases, which may be packed themselves."""

import struct

from ingest.errors import BadInput
from ingest.limits import Limits, megabytes

_HUFF, _CDIC = b"HUFF", b"CDIC"
_BITS = 32
_DEEPEST = 64  # phrases in phrases
_IS_PLAIN = 0x8000


class Huffman:
    """Unpacks the records of one book. Raises BadInput for tables without sense, and above the limits."""

    def __init__(self, records: list[bytes], limits: Limits) -> None:
        self._limit = limits.entry_bytes
        self._made = 0
        self._phrases: list[tuple[bytes, bool]] = []
        try:
            self._codes(records[0])
            for record in records[1:]:
                self._dictionary(record)
        except (struct.error, IndexError) as error:
            raise _damaged() from error

    def unpack(self, packed: bytes, depth: int = 0) -> bytes:
        """Unpack one record, or one phrase."""
        if depth > _DEEPEST:
            raise _damaged()
        made: list[bytes] = []
        left, window, have, at = 8 * len(packed), 0, 0, 0
        while left > 0:
            while have < _BITS:  # behind the end there are zeros
                window = window << 8 | (packed[at] if at < len(packed) else 0)
                at, have = at + 1, have + 8
            code = window >> (have - _BITS) & 0xFFFFFFFF
            length, index = self._decode(code)
            left -= length
            if left < 0:
                break
            have -= length
            window &= (1 << have) - 1
            made.append(self._phrase(index, depth))
        return b"".join(made)

    def _codes(self, record: bytes) -> None:
        """Read how long the codes are, by their first eight bits, and the range of each length."""
        if record[:4] != _HUFF:
            raise _damaged()
        first, second = struct.unpack_from(">II", record, 8)
        self._short = struct.unpack_from(">256I", record, first)
        ranges = struct.unpack_from(">64I", record, second)
        self._least = [0] + [ranges[2 * at] << _BITS - at - 1 for at in range(_BITS)]
        self._most = [0] + [(ranges[2 * at + 1] + 1 << _BITS - at - 1) - 1 for at in range(_BITS)]

    def _dictionary(self, record: bytes) -> None:
        if record[:4] != _CDIC:
            raise _damaged()
        total, bits = struct.unpack_from(">II", record, 8)
        for at in range(min(1 << min(bits, 20), total - len(self._phrases))):
            start = 16 + struct.unpack_from(">H", record, 16 + 2 * at)[0]
            size = struct.unpack_from(">H", record, start)[0]
            words = record[start + 2 : start + 2 + (size & ~_IS_PLAIN)]
            self._phrases.append((words, bool(size & _IS_PLAIN)))

    def _decode(self, code: int) -> tuple[int, int]:
        """Return (bits, number of the phrase) of the code with which 32 bits begin."""
        short = self._short[code >> 24]
        length, most = short & 0x1F, ((short >> 8) + 1 << _BITS - (short & 0x1F)) - 1
        if not short & 0x80:
            while 0 < length <= _BITS and code < self._least[length]:
                length += 1
            most = self._most[length] if length <= _BITS else 0
        if not 0 < length <= _BITS:
            raise _damaged()
        return length, (most - code) >> (_BITS - length)

    def _phrase(self, index: int, depth: int) -> bytes:
        if not 0 <= index < len(self._phrases):
            raise _damaged()
        words, plain = self._phrases[index]
        if not plain:
            self._phrases[index] = b"", True  # one that holds itself is empty there
            words = self.unpack(words, depth + 1)
            self._phrases[index] = words, True
        self._made += len(words)
        if self._made > self._limit:
            raise BadInput(f"this Kindle book unpacks to more than {megabytes(self._limit)}: split it")
        return words


def _damaged() -> BadInput:
    return BadInput("this Kindle book is damaged (the tables that it is packed by): get another copy")

"""Encodings that show in the bytes themselves though nothing names them.

UTF-16 and UTF-32 have one or two bytes of each letter that take few values; ISO-2022 and HZ are all ASCII and
change to another alphabet and back by signs that stand in no other text.
"""

import re
import unicodedata
from collections import Counter

_SAMPLE = 4_096  # bytes
_LEAST = 8  # letters
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")  # in no text of one byte a letter
_WIDE = ("utf-32-le", "utf-32-be", "utf-16-le", "utf-16-be")
_WELL_KNOWN, _SOUND = 0.95, 0.99  # shares of letters
_COMMON = frozenset([0x00, 0x01, 0x02, 0x20, 0x21, 0x22, 0x25, 0xFB, 0xFE, 0xFF])  # signs and Latin letters
_CHINESE, _KOREAN = 0x4E, 0xAC  # the first of their pages; the kana are with Chinese
_EASTERN = (_CHINESE, _KOREAN)
_MOST_BETWEEN = 200  # letters for each blank, line end, comma or full stop
_UNSOUND = frozenset(["Cc", "Cn", "Co", "Cs"])
_ESCAPE = re.compile(rb"\x1b\$(?:[@AB]|\([CDOPQ]|(\)C))")
_JAPANESE = ("iso2022_jp_2", "iso2022_jp_3", "iso2022_jp_2004", "iso2022_jp_ext")
_HZ = re.compile(rb"~\{((?:[!-w][!-~])++)~\}")
_HZ_LEAST = 4  # letters
_HZ_USUAL = b"!#" + bytes(range(0x30, 0x58))  # first bytes of punctuation and of the commoner letters


def wide_encoding(data: bytes) -> str | None:
    """Find UTF-16 or UTF-32 without a mark."""
    if not _CONTROL.search(data[:_SAMPLE]):
        return None
    pages = {name: _pages(data[:_SAMPLE], name) for name in _WIDE}
    known = [name for name, count in pages.items() if count]
    # the other order gives letters of many alphabets
    return min(known, key=lambda name: pages[name]) if known else _half_zero(data[:60_000])


def _pages(sample: bytes, name: str) -> int:
    """Count the pages of Unicode that a sample has letters of; 0 where it is no text of one script."""
    width = 4 if "32" in name else 2
    text = sample[: len(sample) // width * width].decode(name, errors="replace")
    sound = [one for one in text if one in "\t\n\f\r" or unicodedata.category(one) not in _UNSOUND]
    if len(text) < _LEAST or len(sound) - sound.count("\ufffd") < _SOUND * len(text):
        return 0
    scripts = Counter(_script(ord(one) >> 8) for one in text)
    known = scripts.pop(0, 0) + sum(count for _, count in scripts.most_common(2))
    if scripts and max(scripts, key=scripts.__getitem__) in _EASTERN:
        # two bytes of any text are such a letter: it is one only among signs of the same making
        usual = sum(map(text.count, " \n、。，"))
        if sample.isascii() or usual * _MOST_BETWEEN < len(text):
            return 0
    return len({ord(one) >> 8 for one in text}) if known >= _WELL_KNOWN * len(text) else 0


def _script(page: int) -> int:
    """Name a script by its first page; 0 for signs and Latin letters, which stand in texts of any."""
    if page in _COMMON:
        return 0
    if 0x2E <= page <= 0x9F:
        return _CHINESE
    return _KOREAN if _KOREAN <= page <= 0xD7 else page


def _half_zero(sample: bytes) -> str | None:
    """Find UTF-16 of which every other byte is mostly zero, whatever else is in it."""
    half = len(sample) // 2
    if half < 2:
        return None
    even, odd = sample[0::2].count(0) / half, sample[1::2].count(0) / half
    if odd > 0.4 and even < 0.1:
        return "utf-16-le"
    return "utf-16-be" if even > 0.4 and odd < 0.1 else None


def escaped_encoding(data: bytes) -> str | None:
    """Find ISO-2022 (Japanese or Korean) or HZ (Chinese)."""
    if not data.isascii():
        return None
    if escape := _ESCAPE.search(data):
        names = ("iso2022_kr",) if escape[1] else _JAPANESE
        return min(names, key=lambda name: data.decode(name, errors="replace").count("\ufffd"))
    return "hz" if b"~{" in data and _is_hz(data) else None


def _is_hz(data: bytes) -> bool:
    runs = _HZ.findall(data)
    first = b"".join(run[0::2] for run in runs)
    if len(runs) < data.count(b"~{") or len(first) < _HZ_LEAST:
        return False
    try:
        data.decode("hz")
    except UnicodeDecodeError:
        return False
    return sum(byte in _HZ_USUAL for byte in first) > 0.9 * len(first)

"""Bytes to text: byte order mark, what a page declares, strict UTF-8, then a guess that is told."""

import base64
import codecs
import re

from charset_normalizer import from_bytes
from charset_normalizer.utils import is_multi_byte_encoding

from ingest.cyrillic import cyrillic_encoding
from ingest.errors import BadInput
from ingest.latin import latin_encoding
from ingest.unmarked import escaped_encoding, wide_encoding

_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# what browsers read where a page names something narrower, older or only near
_LABELS = {
    "iso-8859-1": "cp1252", "iso8859-1": "cp1252", "latin1": "cp1252", "latin-1": "cp1252", "l1": "cp1252",
    "ascii": "cp1252", "us-ascii": "cp1252", "ansi": "cp1252", "x-cp1252": "cp1252", "x-ansi": "cp1252",
    "iso-8859-9": "cp1254", "latin5": "cp1254", "iso-8859-11": "cp874", "tis-620": "cp874",
    "shift-jis": "cp932", "shiftjis": "cp932", "sjis": "cp932", "x-sjis": "cp932", "ms-kanji": "cp932",
    "windows-31j": "cp932", "euc-jp": "euc_jis_2004", "x-euc-jp": "euc_jis_2004",
    "gb2312": "gb18030", "gb-2312-80": "gb18030", "gbk": "gb18030", "x-gbk": "gb18030", "chinese": "gb18030",
    "euc-kr": "cp949", "ks-c-5601-1987": "cp949", "ksc5601": "cp949", "korean": "cp949",
    "big5": "big5hkscs", "x-x-big5": "big5hkscs", "iso-8859-8-i": "iso8859_8",
    "macintosh": "mac_roman", "x-mac-roman": "mac_roman", "x-mac-cyrillic": "mac_cyrillic",
    "utf8": "utf-8", "utf-16": "utf-8", "utf-16le": "utf-8", "utf-16be": "utf-8", "unicode": "utf-8",
}  # fmt: skip
# codecs for text that strangers may name; others (punycode, unicode_escape) are none or are slow
_TEXT_CODECS = re.compile(r"(?:utf|cp\d|iso|koi8|mac|gb|big5|euc|shift|hz|johab|kz|ptcp|tis)")
_NAME = re.compile(rb"[A-Za-z0-9_.:-]{1,40}")
_TAG = re.compile(rb"<[^<>]*>")
_HIGH = re.compile(rb"[\x80-\xff]")
_SHIFT = re.compile(rb"\+([A-Za-z0-9+/]{2,400})-?")
_SHIFTS = 5  # letters that UTF-7 writes as "+AOQ-": a text with fewer may be about something else
_KANA = re.compile("[\u3041-\u3096\u30a1-\u30fa]")
_DECLARATION_REACH = 200_000  # bytes in which a page names its encoding
_SAMPLE = 60_000
_SURE_COHERENCE = 0.3  # share of letters that the detector's language model finds in place
_SURE_CHAOS = 0.1


def decode(data: bytes, encoding: str | None = None, label: str = "") -> tuple[str, str | None]:
    """Return (text, warning of a guessed encoding); `label` is what a message says of it, right or wrong.

    Raises BadInput when `encoding` does not fit.
    """
    if encoding:
        return _decode_as(data, encoding), None
    return (
        _declared(data, _known(label.lower()))
        or _marked(data)
        or _escaped(data)
        or _shifted(data)
        or _unnamed(data, data)
    )


def decode_markup(data: bytes, encoding: str | None = None, label: str = "") -> tuple[str, str | None]:
    """Decode a page, which may name its encoding itself; tags say nothing about letters."""
    if encoding:
        return _decode_as(data, encoding), None
    return (
        _declared(data, _known(label.lower()))
        or _marked(data)
        or _declared(data, declared_encoding(data))
        or _escaped(data)
        or _unnamed(data, _TAG.sub(b" ", data[: 8 * _SAMPLE]))
    )


def first_letters(data: bytes, size: int = 4096) -> str:
    """Decode the beginning of a file, to tell what it is: ASCII comes out right in any encoding."""
    head = data[:size]
    wide = next((name for mark, name in _MARKS if data.startswith(mark)), None) or wide_encoding(head)
    return head.decode(wide or "latin-1", errors="ignore").lstrip("\ufeff").removeprefix("ï»¿")


def _marked(data: bytes) -> tuple[str, str | None] | None:
    """Decode what says by its first bytes, or by every other one, how it is written."""
    for mark, marked in _MARKS:
        if data.startswith(mark):
            return data.decode(marked, errors="replace"), None
    wide = wide_encoding(data)
    return (data.decode(wide, errors="replace"), _guessed(wide)) if wide else None


def _escaped(data: bytes) -> tuple[str, str | None] | None:
    """Decode what changes to another alphabet and back."""
    name = escaped_encoding(data)
    return (data.decode(name, errors="replace"), _guessed(name)) if name else None


def _declared(data: bytes, name: str | None) -> tuple[str, str | None] | None:
    """Decode what says how it is written, where that fits but for a few bytes."""
    if name is None:
        return None
    if not is_multi_byte_encoding(name) and name != "utf-8" and _is_plainly_utf8(data):
        return data.decode("utf-8"), None
    text = data.decode(name, errors="replace")
    bad = text.count("\ufffd")
    if bad == 0:
        return text, None
    if _few(bad, text):
        return text, _replaced(name)
    return None


def declared_encoding(data: bytes) -> str | None:
    """Return the encoding that an XML declaration or a <meta> names, as Python calls it, or None."""
    head = data[:_DECLARATION_REACH].lower()
    places = [head[:200].partition(b"?>")[0].partition(b"encoding")[2]] if head.startswith(b"<?xml") else []
    places += [tag.partition(b">")[0].partition(b"charset")[2] for tag in head.split(b"<meta")[1:]]
    for place in places:
        value = place.lstrip()
        match = _NAME.match(value[1:].lstrip(b" \t\r\n\"'")) if value.startswith(b"=") else None
        name = match and _known(match[0].decode())
        if name:
            return name
    return None


def _known(label: str) -> str | None:
    label = _LABELS.get(label.replace("_", "-"), label)
    try:
        name = codecs.lookup(label).name
    except LookupError:
        return None
    return label if _TEXT_CODECS.match(name) and not name.startswith("utf-7") else None


def _unnamed(data: bytes, telling: bytes) -> tuple[str, str | None]:
    try:
        return data.decode("utf-8"), None
    except UnicodeDecodeError:
        text = data.decode("utf-8", errors="replace")
    if _few(text.count("\ufffd"), text):
        return text, _replaced("UTF-8")
    name = _detect(_telling_sample(telling)) or "cp1252"
    return data.decode(name, errors="replace"), _guessed(name)


def _shifted(data: bytes) -> tuple[str, str | None] | None:
    """Decode UTF-7, which is all ASCII: where everything that may be a letter beyond that is one."""
    if not data.isascii():
        return None
    shifts = list(_SHIFT.finditer(data))
    runs = [_letters_of(shift[1]) for shift in shifts]
    beyond = [run for run in runs if not run.isascii()]
    # a sum of names may be one Chinese letter by chance; few are one with an accent
    is_latin = all(run.isalpha() and max(run) < "\u0250" for run in beyond)
    is_sure = is_latin and all(shift[0].endswith(b"-") for shift in shifts)
    if "" in runs or len(beyond) < (1 if is_sure else _SHIFTS):
        return None
    try:
        return data.decode("utf-7"), _guessed("utf-7")
    except UnicodeDecodeError:
        return None


def _letters_of(run: bytes) -> str:
    """Read six bits a sign as letters of UTF-16; "" where they are none."""
    if len(run) % 4 == 1:
        return ""
    data = base64.b64decode(run + b"=" * (-len(run) % 4))
    whole = len(data) // 2 * 2
    text = data[:whole].decode("utf-16-be", errors="replace")
    is_sound = not any(data[whole:]) and all(one.isprintable() or one.isspace() for one in text)
    return text if is_sound and "\ufffd" not in text else ""


def _replaced(name: str) -> str:
    return f"a few bytes are not valid {name} and were replaced; get another copy if words are missing"


def _guessed(name: str) -> str:
    return f"the encoding was guessed as {name}; if letters look wrong, name the right one (--encoding)"


def _decode_as(data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding).removeprefix("\ufeff")
    except LookupError as error:
        raise BadInput(f"there is no encoding called {encoding!r}: try utf-8, cp1252, gb18030 …") from error
    except UnicodeError as error:
        raise BadInput(f"the file is not valid {encoding}: leave the encoding out or name another") from error


def _few(bad: int, text: str) -> bool:
    """Tell the right encoding with a scratch: plenty of letters beyond ASCII and hardly a bad byte."""
    good = sum(1 for character in text[:_SAMPLE] if character > "\x7f" and character != "\ufffd")
    return good >= 20 * bad


def _is_plainly_utf8(data: bytes) -> bool:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return sum(1 for character in text[:_SAMPLE] if character > "\x7f") >= 3


def _detect(sample: bytes) -> str | None:
    """Detect the encoding of a sample where it can be told; None means cp1252, the likeliest by far."""
    known = latin_encoding(sample) or cyrillic_encoding(sample)
    if known:
        return known
    best = from_bytes(sample).best()
    if best is None or best.encoding in ("ascii", "utf_8") or best.chaos > _SURE_CHAOS:
        return None
    if is_multi_byte_encoding(best.encoding):
        return (_japanese(sample) or best.encoding) if _paired(sample) else None
    if best.coherence < _SURE_COHERENCE or _mostly_latin(sample, best.encoding):
        return None
    return best.encoding


def _japanese(sample: bytes) -> str | None:
    """Find the Japanese encoding in which a good part of the letters are kana."""
    for name in ("euc_jp", "cp932"):
        text = sample.decode(name, errors="replace")
        letters = sum(letter > "\x7f" for letter in text)
        if text.count("\ufffd") <= 2 and len(_KANA.findall(text)) > 0.25 * letters:
            return name
    return None


def _paired(sample: bytes) -> bool:
    """Tell by high bytes that come in pairs: in Chinese, Japanese and Korean, one by one in Western text."""
    high = [byte > 0x7F for byte in sample]
    together = sum(
        here and (before or after) for before, here, after in zip(high, high[1:], high[2:], strict=False)
    )
    return together > 0.6 * sum(high)


def _mostly_latin(sample: bytes, encoding: str) -> bool:
    letters = [letter for letter in sample.decode(encoding, errors="replace") if letter.isalpha()]
    return sum(letter < "\u0250" for letter in letters) > 0.5 * len(letters)


def _telling_sample(data: bytes) -> bytes:
    """Return the stretch around the first bytes that are not ASCII: elsewhere there is nothing to tell."""
    first = _HIGH.search(data)
    at = first.start() if first else 0
    return data[max(0, at - _SAMPLE // 4) : at + _SAMPLE]

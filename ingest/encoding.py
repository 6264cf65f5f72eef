"""Bytes to text: byte order mark, then strict UTF-8, then a detector where it is sure, then cp1252."""

import codecs

from charset_normalizer import from_bytes
from charset_normalizer.utils import is_multi_byte_encoding

from ingest.errors import BadInput

_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_SAMPLE = 60_000
_SURE_COHERENCE = 0.3  # share of letters that the detector's language model finds in place
_SURE_CHAOS = 0.1
_CENTRAL_EUROPEAN = frozenset(["cp1250", "iso8859_2", "cp852", "cp1254", "cp1257"])


def decode(data: bytes, encoding: str | None = None) -> tuple[str, str | None]:
    """(text, warning): the warning names a guessed encoding. Raises BadInput when `encoding` does not fit."""
    if encoding:
        return _decode_as(data, encoding), None
    for mark, name in _MARKS:
        if data.startswith(mark):
            return data.decode(name, errors="replace"), None
    wide = _wide_encoding(data)
    if wide:
        return data.decode(wide, errors="replace"), _guessed(wide)
    try:
        return data.decode("utf-8"), None
    except UnicodeDecodeError as error:
        if _is_cut_utf8(data, error):
            return data.decode("utf-8", errors="replace"), "a few bytes are not valid UTF-8 and were replaced"
    guess = _detect(data) or "cp1252"
    return data.decode(guess, errors="replace"), _guessed(guess)


def _guessed(name: str) -> str:
    return f"the encoding was guessed as {name}; if letters look wrong, name the right one (--encoding)"


def _decode_as(data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding).removeprefix("\ufeff")
    except LookupError as error:
        raise BadInput(f"there is no encoding called {encoding!r}: try utf-8, cp1252, gb18030 …") from error
    except UnicodeError as error:
        raise BadInput(f"the file is not valid {encoding}: leave the encoding out or name another") from error


def _wide_encoding(data: bytes) -> str | None:
    """UTF-16 without a mark: in every other byte mostly zeros."""
    sample = data[: _SAMPLE // 2 * 2]
    if len(sample) < 4:
        return None
    half = len(sample) / 2
    even, odd = sample[0::2].count(0) / half, sample[1::2].count(0) / half
    if odd > 0.4 and even < 0.1:
        return "utf-16-le"
    if even > 0.4 and odd < 0.1:
        return "utf-16-be"
    return None


def _is_cut_utf8(data: bytes, error: UnicodeDecodeError) -> bool:
    """Plenty of valid multi-byte characters and hardly a bad byte: UTF-8 with a scratch."""
    text = data.decode("utf-8", errors="replace")
    bad = text.count("\ufffd")
    good = sum(1 for character in text[:_SAMPLE] if character > "\x7f" and character != "\ufffd")
    return good >= 20 * bad


def _detect(data: bytes) -> str | None:
    """The detector's guess where it can be trusted; None means cp1252, the likeliest by far."""
    sample = _telling_sample(data)
    matches = from_bytes(sample)
    best = matches.best()
    if best is None or best.encoding in ("ascii", "utf_8") or best.chaos > _SURE_CHAOS:
        return None
    if is_multi_byte_encoding(best.encoding):
        return best.encoding if _paired(sample) else None
    if best.coherence < _SURE_COHERENCE:
        return None
    western = next((match for match in matches if match.encoding == "cp1252"), None)
    # the Latin code pages differ in a few letters only: another one must fit clearly better
    if western and western.chaos <= best.chaos + 0.02 and western.coherence >= best.coherence - 0.1:
        return None
    if _mostly_latin(sample, best.encoding) and best.encoding not in _CENTRAL_EUROPEAN:
        return None
    return best.encoding


def _paired(sample: bytes) -> bool:
    """High bytes come in pairs in Chinese, Japanese and Korean, one by one in Western text."""
    high = [byte > 0x7F for byte in sample]
    together = sum(
        here and (before or after) for before, here, after in zip(high, high[1:], high[2:], strict=False)
    )
    return together > 0.6 * sum(high)


def _mostly_latin(sample: bytes, encoding: str) -> bool:
    letters = [letter for letter in sample.decode(encoding, errors="replace") if letter.isalpha()]
    return sum(letter < "\u0250" for letter in letters) > 0.5 * len(letters)


def _telling_sample(data: bytes) -> bytes:
    """The stretch around the first bytes that are not ASCII: elsewhere there is nothing to tell."""
    for position, byte in enumerate(data):
        if byte > 0x7F:
            return data[max(0, position - _SAMPLE // 4) : position + _SAMPLE]
    return data[:_SAMPLE]

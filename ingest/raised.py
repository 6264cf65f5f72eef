"""Raised signs on a line of plain text: 10⁵ is "10^5", a reference is "word[3]", the 19th stays so."""

import re
from collections.abc import Sequence

_NUMBER = re.compile(r"[+−–-]?\d{1,4}")
_REFERENCES = re.compile(r"[(\[]?\d{1,3}(?: ?[,;–-] ?\d{1,3})*[)\]]?")
_VARIABLE = re.compile(r"[nmkxyij](?: ?[+−–-] ?\d)?")
_FRACTION = re.compile(r"/\d{1,3}\b")
_WHOLE = re.compile(r"(?<!\d)\d{1,2}\Z")
_WORDS = re.compile(r"[^\W\d_]{3}")
_UNITS = frozenset(["mm", "cm", "dm", "km", "nm", "µm", "μm", "ft", "yd", "mi", "kg", "sec"])
_REACH = 40  # letters before the sign that are looked at


def raised(before: str, sign: str, after: str) -> str:
    """Write a raised sign as it is read between what stands before and behind it."""
    sign = " ".join(sign.split())
    before = before[-_REACH:]
    last = before[-1:]
    if not sign:
        return ""
    if sign in ("o", "º") and last.isdigit():
        return "°"
    if sign.isdigit() and (after.strip() in ("/", "⁄") or after[:1] == "⁄"):
        return f" {sign}" if last.isdigit() else sign  # 3 1/2
    if after[:1] == "/":
        is_fraction = sign.isdigit() and _FRACTION.match(after) and _WHOLE.search(before)
        return f" {sign}" if is_fraction else sign  # 3 1/2, but the year 1650/1
    apart = not last or last.isspace()
    if apart:
        return f"{sign} " if sign.isdigit() and after[:1].isalpha() else sign  # the number of a verse
    if _NUMBER.fullmatch(sign) and _is_base(before, sign) or _VARIABLE.fullmatch(sign) and _is_small(before):
        return f"^{sign}"
    if _REFERENCES.fullmatch(sign):
        return f"[{sign.strip('()[]')}]"
    return sign


def raised_behind(pieces: Sequence[str], sign: str, after: str) -> str:
    """Write a raised sign as `raised` does, behind a text in pieces."""
    return raised("".join(piece[-_REACH:] for piece in pieces[-_REACH:]), sign, after)


def _is_base(before: str, exponent: str) -> bool:
    if before.endswith(")"):
        return not _WORDS.search(before[before.rfind("(") :])
    word = _last_word(before)
    if word.isdigit():
        year = len(word) == 4 and word[0] in "12" and exponent.isdigit()
        return not year
    unit = word.lstrip("0123456789")
    return _is_symbol(before) or unit in _UNITS or not exponent.isdigit() and bool(word)


def _is_symbol(before: str) -> bool:
    """Tell whether a number or a single letter stands at the end."""
    word = _last_word(before)
    return word.isdigit() or len(word.lstrip("0123456789")) == 1


def _is_small(before: str) -> bool:
    """Tell x and 2 from the W of an old Wm."""
    return _is_symbol(before) and not before[-1].isupper()


def _last_word(before: str) -> str:
    at = len(before)
    while at and before[at - 1].isalnum():
        at -= 1
    return before[at:]

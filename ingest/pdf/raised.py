"""Raised letters: what a small sign above the line means where text has no above.

After a number or a unit it is an exponent (10⁵, m²), after a word or a full stop a reference ("air.[4]");
letters of an ordinal number or an abbreviation (19th, Mme) stay where they are.
"""

import re

_HIGH = str.maketrans("0123456789+-\u2212n", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻ⁿ")
_EXPONENT = re.compile(r"[+\-\u2212]?\d+|[+\-\u2212]?n|\d+[+\-\u2212]")
_NEGATIVE = re.compile(r"[-\u2212]\d+|\d*[+\-\u2212]")  # a note has no sign, an ion and a power have
_BASE = re.compile(r"(?:\d|(?<![^\W\d_])[^\W\d_]{1,2}|[)\]])$")
_REFERENCE = re.compile(r"\[?\d{1,3}(?:\s?[,;–-]\s?\d{1,3})*\]?|[a-z](?:,\s?[a-z\d*†‡§])*")
_WORD_END = re.compile(r"[^\W\d_]{3}$")


def raise_letters(before: str, raised: str) -> str:
    """How `raised` is written after `before`, the text of its line so far.

    >>> "about 10" + raise_letters("about 10", "5"), "physics" + raise_letters("physics", "1,2")
    ('about 10⁵', 'physics [1,2]')
    """
    mark = raised.strip()
    if not mark:
        return raised
    if _EXPONENT.fullmatch(mark) and (_BASE.search(before) or _NEGATIVE.fullmatch(mark)):
        return mark.translate(_HIGH) + raised[len(raised.rstrip()) :]
    if not _REFERENCE.fullmatch(mark) or (mark[0].isalpha() and not _WORD_END.search(before)):
        return raised
    apart = " " if before[-1:].isalnum() else ""
    behind = " " if not before.strip() or raised[-1].isspace() else ""  # a note begins with its number
    return f"{apart}[{mark.strip('[]')}]{behind}"

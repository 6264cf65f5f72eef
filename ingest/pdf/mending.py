"""Mending: accents that a page prints on a letter and a PDF sets apart, put together by their boxes."""

import unicodedata

from ingest.pdf.spelled import Spelled, respell

# an accent with a place of its own -> the one that belongs to the letter before it
_ACCENTS = {
    "`": "\u0300", "\u00b4": "\u0301", "\u02c6": "\u0302", "\u02dc": "\u0303", "\u00af": "\u0304",
    "\u02d8": "\u0306", "\u02d9": "\u0307", "\u00a8": "\u0308", "\u02da": "\u030a", "\u02dd": "\u030b",
    "\u02c7": "\u030c", "\u00b8": "\u0327", "\u02db": "\u0328",
}  # fmt: skip
_DOTLESS = {"\u0131": "i", "\u0237": "j"}
_ON_LETTER = 0.5  # of the narrower box, at least, an accent shares with its letter
_BLANK = 0.12  # of the height of letters: less white is none between words
_SIGNS = frozenset(_ACCENTS)


def is_to_mend(text: str) -> bool:
    """Tell whether letters of a page have to be looked at one by one."""
    return not _SIGNS.isdisjoint(text)


def mend(spelled: list[Spelled]) -> None:
    """Mend the text of the lines of a page by the boxes of their letters."""
    for line, letters in spelled:
        respell(line, accented(letters))


def accented(letters: list[dict]) -> dict[int, str]:
    """Map the places of accents, and of their letters, in a line to what stands there when they are one."""
    changed: dict[int, str] = {}
    for at, letter in enumerate(letters):
        if letter["c"] not in _ACCENTS:
            continue
        base = _base(letters, at)
        if base is None or base in changed:
            continue
        plain = letters[base]["c"]
        whole = _DOTLESS.get(plain, plain) + _ACCENTS[letter["c"]]
        changed |= {at: "", base: unicodedata.normalize("NFC", whole)}
        if _is_wide_accent(letters, at, base):
            changed[at - 1] = ""
    return changed


def _base(letters: list[dict], at: int) -> int | None:
    """Return the letter that an accent is printed on, of the two beside it; None where it stands alone."""
    beside = [
        index for index in (at + 1, at - 1) if 0 <= index < len(letters) and letters[index]["c"].isalpha()
    ]
    shares = {index: _shared(letters[at]["bbox"], letters[index]["bbox"]) for index in beside}
    best = max(shares, key=shares.__getitem__, default=None)
    return best if best is not None and shares[best] >= _ON_LETTER else None


def _shared(one: tuple, other: tuple) -> float:
    """Return the share of the narrower of two boxes that lies below or above the other."""
    narrower = min(one[2] - one[0], other[2] - other[0])
    return (min(one[2], other[2]) - max(one[0], other[0])) / narrower if narrower > 0 else 0.0


def _is_wide_accent(letters: list[dict], at: int, base: int) -> bool:
    """Tell whether MuPDF saw a blank before an accent though its letter follows the one before closely."""
    if base < at or at < 2 or letters[at - 1]["c"] != " ":
        return False
    box = letters[base]["bbox"]
    return box[0] - letters[at - 2]["bbox"][2] < _BLANK * (box[3] - box[1])

"""Mending: what the boxes of letters tell better than their order.

Accents that a page prints on a letter and a PDF sets apart; the two letters of an Arabic ligature, which
MuPDF takes apart in the order of the eye; the white between the words of scripts in which it sees none.
"""

import re
import unicodedata
from itertools import pairwise

from ingest.pdf.pieces import UPRIGHT
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
_ALEFS = "\u0622\u0623\u0625\u0627\u0671"
_LAM = "\u0644"
_NO_WIDTH = 0.1  # points
_HANGUL = "\u1100-\u11ff\u3130-\u318f\uac00-\ud7a3"
_SPACED = re.compile(f"[{_HANGUL}\u1f00-\u1fff]")  # and Greek of many accents
_OPENING, _CLOSING = (
    "([{<\u2018\u201c\u3008\u300a\u300c\u300e\u3010",
    ")]}>\u2019\u201d.,;:!?%\u3001\u3002\u3009\u300b\u300d\u300f\u3011",
)
_WORD_GAP = 0.15  # of the size, beyond the gap that most letters of a line have
_TO_MEND = re.compile(f"[{''.join(_ACCENTS)}{_HANGUL}\u1f00-\u1fff]|[{_ALEFS}]{_LAM}")


def is_to_mend(text: str) -> bool:
    """Tell whether letters of a page have to be looked at one by one."""
    return _TO_MEND.search(text) is not None


def mend(spelled: list[Spelled]) -> None:
    """Mend the text of the lines of a page by the boxes of their letters."""
    for line, letters in spelled:
        respell(line, mended(line, letters))


def mended(line: dict, letters: list[dict]) -> dict[int, str]:
    """Map places in a line to the text that is to stand there."""
    changed = _accented(letters)
    if line["dir"][0] > UPRIGHT:
        changed |= _ligatures(letters) | _blanks(letters)
    return changed


def _accented(letters: list[dict]) -> dict[int, str]:
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
    beside = [index for index in (at + 1, at - 1) if 0 <= index < len(letters)]
    beside = [index for index in beside if _takes_accents(letters[index]["c"])]
    shares = {index: _shared(letters[at]["bbox"], letters[index]["bbox"]) for index in beside}
    best = max(shares, key=shares.__getitem__, default=None)
    return best if best is not None and shares[best] >= _ON_LETTER else None


def _takes_accents(letter: str) -> bool:
    """Tell letters of scripts with accents by their two cases: over a Chinese letter a dot is emphasis."""
    return letter.lower() != letter.upper() or letter in _DOTLESS


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


def _ligatures(letters: list[dict]) -> dict[int, str]:
    """Map the places of an alef without width and the lam that it is one letter with to their right order."""
    changed: dict[int, str] = {}
    for at, (alef, lam) in enumerate(pairwise(letters)):
        if alef["c"] not in _ALEFS or lam["c"] != _LAM:
            continue
        left, right = alef["bbox"][0], alef["bbox"][2]
        if right - left < _NO_WIDTH and abs(lam["bbox"][2] - right) < _NO_WIDTH:
            changed |= {at: lam["c"], at + 1: alef["c"]}
    return changed


def _blanks(letters: list[dict]) -> dict[int, str]:
    """Map the places of letters that begin a word, where MuPDF sees no blank, to a blank and the letter."""
    gaps = {
        at: after["bbox"][0] - before["bbox"][2]
        for at, (before, after) in enumerate(pairwise(letters), 1)
        if _is_spaced(before["c"], after["c"])
    }
    if not gaps:
        return {}
    usual = sorted(gaps.values())[len(gaps) // 4]  # fewer than one in four letters end a word
    return {
        at: f" {letters[at]['c']}"
        for at, gap in gaps.items()
        if gap - min(usual, 0) > _WORD_GAP * (letters[at]["bbox"][3] - letters[at]["bbox"][1])
    }


def _is_spaced(before: str, after: str) -> bool:
    """Tell whether white between two letters is a blank between words: one of them is of such a script."""
    if before.isspace() or after.isspace() or before in _OPENING or after in _CLOSING:
        return False
    return bool(_SPACED.match(before) or _SPACED.match(after))

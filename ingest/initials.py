"""The first letter of a chapter, set large: a picture of it, or one that floats beside the first line."""

import re
from collections import Counter
from itertools import islice

_QUOTES = "“”„‘’«\"'"
_ORNAMENT = frozenset(
    [
        "initial",
        "letter",
        "capital",
        "drop",
        "cap",
        "dropcap",
        "dropped",
        "ornamental",
        "ornate",
        "decorative",
    ]
    + ["decorated", "illuminated", "illustrated", "historiated", "large", "the", "an", "a"]
)
_FLOAT = re.compile(r"float\s*:\s*left", re.IGNORECASE)
_MARKED = ("{*}span", "{*}div", "{*}p", "{*}b", "{*}big", "{*}strong", "{*}font")
_MOST_PARTS = 6  # elements in an initial, itself among them
_WORD = re.compile(r"[^\W\d_]+")
_CLASSES = ("drop", "initial", "lettrine", "firstletter", "first-letter", "versal")
_WORDS = frozenset("AIOEYUÀÉÓВКСОУЯИ")  # letters that are words: what follows them may stand apart


def pictured_initial(alternative: str) -> str:
    """Read the letter that a picture shows: "O" for "O", "“O" or "Illuminated letter O"; else ""."""
    words = alternative.split()
    plain = [word for word in words if word.casefold().strip(":,()") not in _ORNAMENT or len(words) == 1]
    return plain[0] if len(plain) == 1 and is_initial(plain[0]) else ""


def floating_initial(element) -> str:
    """Read the letter that an element holds alone and sets apart by its style; "" for other elements."""
    if not element.attrib:
        return ""
    named = (element.get("class") or "").casefold()
    if not (any(word in named for word in _CLASSES) or _FLOAT.search(element.get("style") or "")):
        return ""
    return _lone_letter(element)


def mark_initials(root, floating: frozenset[str], large: frozenset[str]) -> None:
    """Let float by its own style what a class floats: a capital alone, right before the rest of its word.

    One that may be a word itself needs the whole word elsewhere on the page; one that is not large must be
    the only one there, for the letters of a list may float too.
    """
    found = [
        (element, letter, named)
        for element in (root.iter(*_MARKED) if floating else ())
        if not (named := frozenset((element.get("class") or "").split())).isdisjoint(floating)
        and (letter := _lone_letter(element))
    ]
    words = Counter(_WORD.findall(" ".join(root.itertext()).casefold())) if found else Counter()
    for element, letter, named in found:
        match = _WORD.match(_following(element))
        if not match or not match[0].islower() or not (len(found) == 1 or named & large):
            continue
        capital, rest = letter[-1].casefold(), match[0]
        if letter[-1] in _WORDS:
            is_sure = words[capital + rest] > 0 and words[rest] == 1
        else:
            is_sure = rest[0] != capital  # it may head a list of its words
        if is_sure:
            element.set("style", f"{element.get('style') or ''};float:left")


def _lone_letter(element) -> str:
    """Return the first letter that an element holds alone; "" for other elements."""
    if len(list(islice(element.iter(), _MOST_PARTS))) == _MOST_PARTS:
        return ""
    letter = "".join(element.itertext()).strip()
    return letter if is_initial(letter) else ""


def _following(element) -> str:
    """Return the text that goes on behind an element, or in the next one with any."""
    while element is not None:
        if (element.tail or "").strip():
            return element.tail
        after = element.getnext()
        if after is None:
            element = element.getparent()
            continue
        pieces = after.itertext() if isinstance(after.tag, str) else ()  # a comment has none
        if text := next((piece for piece in pieces if piece.strip()), ""):
            return text.lstrip()
        element = after
    return ""


def joined(letter: str, text: str) -> str | None:
    """Put its first letter before a text; None where it does not go on with a word of that letter."""
    rest = text.lstrip()
    if not rest:
        return None
    apart = rest != text
    if letter[-1] in _WORDS and apart:
        return f"{letter} {rest}"
    goes_on = rest[0] in "’'" or rest[0].islower() or rest[0].isupper() and not rest[1:2].islower()
    return letter + rest if goes_on else None


def is_initial(letter: str) -> bool:
    """Tell a capital alone, or behind a quotation mark, from other words."""
    bare = letter.strip(_QUOTES)
    return len(bare) == 1 and bare.isupper() and len(letter) <= 3

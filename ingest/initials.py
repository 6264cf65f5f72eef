"""The first letter of a chapter, set large: a picture of it, or one that floats beside the first line."""

import re

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
_CLASSES = ("drop", "initial", "lettrine", "firstletter", "first-letter", "versal")
_WORDS = frozenset("AIOEYUÀÉÓВКСОУЯИ")  # letters that are words: what follows them may stand apart


def pictured_initial(alternative: str) -> str:
    """Read the letter that a picture shows: "O" for "O", "“O" or "Illuminated letter O"; else ""."""
    words = alternative.split()
    plain = [word for word in words if word.casefold().strip(":,()") not in _ORNAMENT or len(words) == 1]
    return plain[0] if len(plain) == 1 and is_initial(plain[0]) else ""


def floating_initial(element) -> str:
    """Read the letter that an element holds alone and sets apart by its style; "" for other elements."""
    if len(element) > 3 or not element.attrib:
        return ""
    named = (element.get("class") or "").casefold()
    if not (any(word in named for word in _CLASSES) or _FLOAT.search(element.get("style") or "")):
        return ""
    letter = "".join(element.itertext()).strip()
    return letter if is_initial(letter) else ""


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

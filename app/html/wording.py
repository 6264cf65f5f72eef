"""Wording: sizes and messages for people; those of the command line in the words of the page, too."""

import re

CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
CHARACTERS_A_MINUTE = 1_300  # some 230 words
# where the fields of the shelf are, seen from a card
SHELF = {
    " (--password)": " above, and press “Try again”",
    " (--encoding)": " above when you add the file again, after deleting it here",
    " (--ocr)": ": press “Recognise text”",
    " (add --ocr)": ": delete it here, name the language of the scan above and add the file again",
}
# a table is read again as soon as its encoding is named
TABLE = {" (--encoding)": " in the field for it"}


def here(words: str, fields: dict[str, str]) -> str:
    """Replace the options in a message by what the page offers."""
    for option, field in fields.items():
        words = words.replace(option, field)
    return words


def plain(text: str) -> str:
    """Return the text without control characters (line breaks and tabs stay)."""
    return CONTROL.sub("", text)


def size(count: int) -> str:
    """Put a number of bytes into words: 1234567 -> '1.2 MB'."""
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= factor:
            return f"{count / factor:.1f} {unit}"
    return f"{count} bytes"


def reading_time(characters: int) -> str:
    """Say how long it takes to read that many characters: 130000 -> '1.7 h', 26000 -> '20 min'."""
    minutes = max(1, round(characters / CHARACTERS_A_MINUTE))
    return f"{minutes / 60:.1f} h" if minutes >= 90 else f"{minutes} min"

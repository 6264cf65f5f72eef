"""One harmless line out of a title or a file name that came from outside."""

import unicodedata

# they reorder the text around them: a title could make a terminal or a page show something else
BIDI_CONTROLS = dict.fromkeys([*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F])
LONGEST_TAG, MOST_TAGS = 40, 20


def one_line(text: str, limit: int = 300) -> str:
    """Return `text` without control characters, half surrogate pairs, runs of space; at most `limit` long."""
    kept = "".join(
        " " if character.isspace() else character
        for character in text.translate(BIDI_CONTROLS)
        if character.isspace() or unicodedata.category(character) not in ("Cc", "Cs")
    )
    line = " ".join(kept.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def folded(text: str) -> str:
    """Fold `text` for comparison by people: case and composition of letters do not matter."""
    return unicodedata.normalize("NFC", one_line(text).casefold())


def tag_names(tags: str) -> list[str]:
    """Return the tags in words parted by commas, each once."""
    lines = [one_line(tag, LONGEST_TAG) for tag in tags.split(",")]
    return list({folded(line): line for line in lines if line}.values())[:MOST_TAGS]

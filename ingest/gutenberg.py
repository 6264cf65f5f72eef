"""Project Gutenberg's header, footer and credits, taken off; title, author and language read from them."""

import re
from dataclasses import dataclass

_START = re.compile(
    r"^[ \t]*\*\*\*\s?START OF (?:THE|THIS)? ?PROJECT GUTENBERG.{0,300}?\*\*\*[^\n]*\n"
    r"|^\*END\*? ?THE SMALL PRINT!.*\n",
    re.IGNORECASE | re.MULTILINE | re.DOTALL,
)
_END = re.compile(
    r"^[ \t]*(?:\*\*\*\s?END OF (?:THE|THIS)? ?PROJECT GUTENBERG"
    r"|\**\s?End of (?:The |This )?Project Gutenberg)",
    re.IGNORECASE | re.MULTILINE,
)
_CREDITS = re.compile(
    r"(?:\s*^(?:(?:Produced|Transcribed|Prepared|Proofread|Digitized|Scanned)\b.{0,60}\b(?:by|from)\b"
    r"|E-?text (?:prepared|produced|scanned) by|This e-?(?:book|text) was (?:produced|prepared|transcribed))"
    r".*(?:\n[^\n]+)*)+",
    re.IGNORECASE | re.MULTILINE,
)
_FIELD = re.compile(r"^(Title|Author|Language):[ \t]*(.+(?:\n[ \t]+\S.*)*)", re.MULTILINE)
_HEADER_REACH = 60_000
_LANGUAGES = {
    "english": "en", "french": "fr", "german": "de", "spanish": "es", "italian": "it", "portuguese": "pt",
    "dutch": "nl", "latin": "la", "greek": "el", "finnish": "fi", "swedish": "sv", "danish": "da",
    "norwegian": "no", "polish": "pl", "russian": "ru", "chinese": "zh", "japanese": "ja", "hungarian": "hu",
    "czech": "cs", "esperanto": "eo", "catalan": "ca", "hebrew": "he", "arabic": "ar", "tagalog": "tl",
}  # fmt: skip


@dataclass(frozen=True)
class Gutenberg:
    """The book's own text, and what the header said ("" where it said nothing)."""

    text: str
    title: str = ""
    author: str = ""
    language: str = ""


def strip_gutenberg(text: str) -> Gutenberg | None:
    """Take the boilerplate off a text with "\\n" line ends; None when it has none."""
    start = _START.search(text, 0, _HEADER_REACH)
    end = None
    for end in _END.finditer(text, start.end() if start else 0):
        if start or end.start() > len(text) // 2:
            break  # the first end mark; everything behind it is licence
    else:
        end = None
    if start is None and end is None:
        return None
    header = text[: start.start()] if start else ""
    body = text[start.end() if start else 0 : end.start() if end else len(text)]
    credits_ = _CREDITS.match(body)
    if credits_:
        body = body[credits_.end() :]
    fields = {name.lower(): " ".join(value.split()) for name, value in _FIELD.findall(header)}
    language = fields.get("language", "")
    return Gutenberg(
        text=body,
        title=fields.get("title", ""),
        author=fields.get("author", ""),
        language=_LANGUAGES.get(language.casefold(), language),
    )

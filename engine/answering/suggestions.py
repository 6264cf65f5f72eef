"""Suggestions: questions to begin with, that a book can be expected to answer. No model is asked.

Who speaks most is asked after, then what the table of contents knows. Only what may be read is looked at.
"""

import re
from collections import Counter

from ingest.document import Document

MOST = 4
PERSONS = 2
LEAST = 3  # times that somebody has to speak
LOOKED_AT = 400_000  # characters
_NAME = r"((?:(?:Mr|Mrs|Miss|Dr|Lady|Sir|Captain|Aunt|Uncle)\.? )?[A-Z][a-z]{2,}(?: [A-Z][a-z]{2,})?)"
_VERB = r"(?:said|asked|cried|replied|answered|exclaimed|whispered)"
_SPEAKERS = (re.compile(rf"\b{_VERB} {_NAME}"), re.compile(rf"{_NAME} {_VERB}\b"))
_NOBODY = re.compile(
    r"(?:The|He|She|They|You|I|It|We|And|But|Then|When|What|That|This|There|His|Her|One|Not|Who)\b"
)


def suggestions(document: Document, end: int | None = None) -> list[str]:
    """Return up to four questions about `text[:end]` of a document."""
    found = [f"Who is {name}?" for name in speakers(document.text[: min(end or LOOKED_AT, LOOKED_AT)])]
    if document.author:
        found.append("Who wrote this book?")
    if len(document.chapters) > 1:
        found.append("How many chapters are there?")
        found.append("What is the first chapter called?")
    return found[:MOST]


def speakers(text: str) -> list[str]:
    """Return the names of those who speak most in an English text, most first."""
    named = Counter(match[1] for pattern in _SPEAKERS for match in pattern.finditer(text))
    often = [name for name, count in named.most_common() if count >= LEAST and not _NOBODY.match(name)]
    return often[:PERSONS]

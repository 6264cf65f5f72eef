"""Names in a question that was typed in small letters: "who marries jane" is asked as "Who marries Jane?".

The backbone tells names by their capitals, and a question from a phone has none.
"""

import re
from collections.abc import Callable

from engine.cast.person import Cast
from engine.shelf.words import STOP_WORDS

WORD = re.compile(r"[^\W\d_]+")
ENDS = "?!.…？。؟"  # a question that has one of them at its end needs no other
CLOSERS = " \t\n\"'”’»)"


def with_capitals(question: str, cast: Callable[[], Cast], until: int) -> str:
    """Return a question with the capitals of the names that a book gives before a character, and its mark.

    cast: gives who is who, and is called only for a question that has no capital behind its first letter.
    """
    if not question.strip() or any(one.isupper() for one in question.strip()[1:]):
        return question
    written = {
        word.lower(): word
        for figure in cast().known(until)
        for name in figure.names
        for word in WORD.findall(name)
        if word[0].isupper() and word.lower() not in STOP_WORDS
    }
    asked = WORD.sub(lambda match: written.get(match[0], match[0]), question).strip()
    return asked[0].upper() + asked[1:] + ("" if asked.rstrip(CLOSERS).endswith(tuple(ENDS)) else "?")

"""Identifiers of documents: the first letters of the SHA-256 of the file, and a folder's name."""

import re
from collections.abc import Callable

from ingest.errors import BadInput

LENGTH = 12
SHAPE = re.compile(r"[0-9a-f]{12,64}")


def short_id(digest: str, taken: Callable[[str], bool]) -> str:
    """Return the shortest start of a hexadecimal digest, of 12 letters at least, that is not taken."""
    for length in range(LENGTH, len(digest)):
        if not taken(digest[:length]):
            return digest[:length]
    return digest


def checked(identifier: str) -> str:
    """Return the identifier itself. Raises BadInput for what is none: "../.." would leave the shelf."""
    if not SHAPE.fullmatch(identifier):
        raise BadInput("there is no such document on the shelf: give the id that `shelf` lists")
    return identifier

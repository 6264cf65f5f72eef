"""Entry: one document of the shelf, and who may change it."""

from dataclasses import dataclass
from typing import Any, NamedTuple

from engine.shelf.holders import holders


@dataclass(frozen=True)
class Entry:
    """One document of the shelf, as one reader (`owner`) sees it. Times are seconds since 1970."""

    id: str
    content_hash: str
    title: str
    author: str
    language: str
    format: str
    source_name: str
    source_file: str
    source_bytes: int
    characters: int
    tokens: int
    bank_bytes: int
    state: str
    created: float
    settings: dict[str, Any]
    position: int
    opened: float | None
    tags: tuple[str, ...] = ()
    place: int | None = None

    def belongs_to(self, owner: str) -> bool:
        """Tell whether that account may change or delete it, see `may_change`."""
        return may_change(owner, self.settings.get("owner", ""))

    @property
    def is_readable(self) -> bool:
        """Tell whether its text can be read, with its memory or before that is made."""
        return self.state == "ready" or self.characters > 0

    @property
    def holders(self) -> list[str]:
        """Return the accounts that it is kept for, see `engine.shelf.holders`."""
        return holders(self.settings)

    @property
    def warnings(self) -> list[str]:
        """Return what its parser could not be sure of."""
        return self.settings.get("warnings", [])


class Extent(NamedTuple):
    """How much there is of a document that is ready, and when it came to the shelf."""

    created: float
    characters: int
    tokens: int


def may_change(account: str, owner: str) -> bool:
    """Tell whether an account may change what `owner` made: what an account made, no other may.

    Without accounts ('') everything may be changed, and what was made without one is everybody's.
    """
    return account == "" or owner in ("", account)

"""Holders: the accounts that a book is kept for.

Who added it first may steer and rename it (`owner`). Another account that adds the same file gets a place of
its own on the shelf (`also`): the book stays for it when the first one leaves, and then it steers.
"""

from typing import Any

Settings = dict[str, Any]


def holders(settings: Settings) -> list[str]:
    """Return the accounts, the one that steers first; none where the book is everybody's."""
    owner = settings.get("owner", "")
    return [owner, *settings.get("also", [])] if owner else []


def joined(settings: Settings, account: str) -> Settings:
    """Return the settings of a book that is kept for that account as well."""
    known = holders(settings)
    if not account or not known or account in known:
        return settings
    return settings | {"also": [*known[1:], account]}


def left(settings: Settings, account: str) -> Settings:
    """Return the settings of a book that is no longer kept for that account; another one has to be left."""
    owner, *also = [one for one in holders(settings) if one != account]
    rest = {name: value for name, value in settings.items() if name != "also"}
    return rest | {"owner": owner} | ({"also": also} if also else {})

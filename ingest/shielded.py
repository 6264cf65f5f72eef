"""Shielded: text in a cell that a spreadsheet would run as a formula has an apostrophe before it."""

import re

# also of full width, and behind blanks; after apostrophes of its own, so that ours is told from them
_FORMULA = re.compile(r"'*\s*[=+@\-＝＋－＠]|'*[\t\r\n]")


def shielded(text: str) -> str:
    """Put an apostrophe before what begins as a formula does; `bare` takes it away."""
    return f"'{text}" if _FORMULA.match(text) and not _is_number(text) else text


def bare(cell: str) -> str:
    """Return the text that `shielded` wrote as this cell; any other cell is as it is."""
    return cell[1:] if cell[:1] == "'" and shielded(cell[1:]) == cell else cell


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True

"""Formulas of MathML on a line of plain text: x^2, a_1, (a + b)/2."""

from lxml import etree

from ingest.cleaning import one_line
from ingest.tree import local_name, plain_text

_LONGEST = 3_000  # letters; what is longer is no formula
_NOTES = frozenset(["annotation", "annotation-xml"])


class Formulas:
    """The formulas of one book. An alternative text that stands for different ones says nothing of any."""

    def __init__(self) -> None:
        self._meant: dict[str, str] = {}
        self._empty: set[str] = set()

    def look_at(self, root) -> None:
        """Learn which alternative texts of a page are only placeholders."""
        walk = etree.iterwalk(root, events=("start",), tag="{*}math")
        for _, element in walk:
            words, own = one_line(element.get("alttext") or ""), formula(element)
            if words and own and self._meant.setdefault(words, own) != own:
                self._empty.add(words)
            walk.skip_subtree()

    def text(self, element) -> str:
        """Write a formula in the words of its author where they say the same, else as its signs are."""
        words, own = one_line(element.get("alttext") or ""), formula(element)
        if not own:
            return "" if words in self._empty else words
        signs = {sign for sign in own.casefold() if sign.isalnum() and sign.isascii()}
        told = sum(sign in words.casefold() for sign in signs)
        return words if words and words not in self._empty and 2 * told >= len(signs) else own


def formula(element) -> str:
    """Write the signs of a <math> element on one line."""
    if sum(map(len, element.itertext())) > _LONGEST:
        return plain_text(element)
    parts: list[list[str]] = [[]]
    walk = etree.iterwalk(element, events=("start", "end"))
    for event, item in walk:
        name = local_name(item)
        if event == "start":
            parts.append([one_line(item.text or "")] if not len(item) else [])
            if name in _NOTES:
                walk.skip_subtree()
            continue
        written = "" if name in _NOTES else _written(name, parts.pop())
        if name in _NOTES:
            parts.pop()
        if written:
            parts[-1].append(written)
    return "".join(parts[0])


def _written(name: str, parts: list[str]) -> str:
    first, second, third = (*parts, "", "", "")[:3]
    if name == "mfrac" and second:
        return f"{closed(first)}/{closed(second)}"
    if name == "msup" and second:
        return f"{closed(first)}^{closed(second)}"
    if name in ("msub", "munder") and second:
        return f"{first}_{closed(second)}"
    if name in ("msubsup", "munderover") and third:
        return f"{first}_{closed(second)}^{closed(third)}"
    if name == "msqrt":
        return f"√{closed(''.join(parts))}"
    if name == "mroot" and second:
        return f"{closed(first)}^(1/{second})"
    if name == "mfenced":
        return f"({', '.join(parts)})"
    if name == "mtr":
        return ", ".join(parts)
    return "; ".join(parts) if name == "mtable" else "".join(parts)


def closed(part: str) -> str:
    """Put brackets around what is more than one sign or word."""
    return part if part.isalnum() or len(part) == 1 else f"({part})"

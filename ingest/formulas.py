"""Formulas on a line of plain text: those of MathML as x^2, (a + b)/2; pictures in their author's words."""

import re
from itertools import islice

from lxml import etree

from ingest.cleaning import one_line
from ingest.tree import is_hidden, local_name, plain_text

_LONGEST = 3_000  # letters; what is longer is no formula
_NOTES = frozenset(["annotation", "annotation-xml"])
_CLASS = re.compile(
    r"(?:^|\s)(?:mwe-math[\w-]{0,60}|(?:(?:inline|display|block|informal)[-_]?)?"
    r"(?:math|tex|latex|formula|equation|eqn?)(?:[-_]?(?:image|img|inline|display|png|gif|svg))?)(?=\s|$)",
    re.IGNORECASE,
)
_MAKER = re.compile(r"codecogs\.com/|/math/render/|/math/[0-9a-f]/|mathtex\.cgi|\bcht=tx\b")  # in an address
_TEX = re.compile(r"\$.+\$|\\\(.+\\\)|\\\[.+\\\]|\{\\displaystyle\b.+\}", re.DOTALL)
_PLACEHOLDER = re.compile(
    r"(?:(?:inline|display|block)[ -]?)?"
    r"(?:math(?:s|ml)?|formula|equation|eqn?|image|img|picture|graphic|latex|tex)[ #(\d.]{0,12}\)?"
    r"|.{0,200}\.(?:png|gif|jpe?g|svg)",
    re.IGNORECASE,
)
_AROUND = 2  # elements around a picture whose class may say what it shows
_LONGEST_TOLD = 1_000  # letters of an alternative text
_SIGN = 3  # letters; so short a text may stand for several pictures of one sign


class Formulas:
    """The formulas of one book. An alternative text that stands for different ones says nothing of any."""

    def __init__(self) -> None:
        self._meant: dict[str, str] = {}
        self._shown: dict[str, str] = {}  # alternative text -> the first picture of it
        self._empty: set[str] = set()

    def look_at(self, root) -> None:
        """Learn which alternative texts of a page are only placeholders."""
        walk = etree.iterwalk(root, events=("start",), tag="{*}math")
        for _, element in walk:
            words, own = one_line(element.get("alttext") or ""), formula(element)
            if words and own and self._meant.setdefault(words, own) != own:
                self._empty.add(words)
            walk.skip_subtree()
        for picture in root.iter("{*}img"):
            words, address = one_line(picture.get("alt") or ""), picture.get("src") or ""
            if len(words) > _SIGN and self._shown.setdefault(words, address) != address:
                self._empty.update([words] if words.replace(" ", "").isalnum() else ())

    def text(self, element) -> str:
        """Write a formula in the words of its author where they say the same, else as its signs are."""
        words, own = one_line(element.get("alttext") or ""), formula(element)
        if not own:
            return "" if words in self._empty else words
        signs = {sign for sign in own.casefold() if sign.isalnum() and sign.isascii()}
        told = sum(sign in words.casefold() for sign in signs)
        return words if words and words not in self._empty and 2 * told >= len(signs) else own

    def pictured(self, element) -> str:
        """Return the formula that a picture shows, as its author wrote it; "" for other pictures."""
        words = one_line(element.get("alt") or "")
        if not words or len(words) > _LONGEST_TOLD or words in self._empty or _PLACEHOLDER.fullmatch(words):
            return ""
        return words if (_TEX.fullmatch(words) or _is_formula(element)) and not _is_beside(element) else ""


def _is_formula(picture) -> bool:
    """Tell by its role, its address, or its class and those around it."""
    if picture.get("role") == "math" or _MAKER.search((picture.get("src") or "")[:_LONGEST_TOLD]):
        return True
    around = [picture, *islice(picture.iterancestors("{*}span", "{*}div", "{*}p", "{*}figure"), _AROUND)]
    return any(_CLASS.search(element.get("class") or "") for element in around)


def _is_beside(picture) -> bool:
    """Tell whether a picture stands right beside the same formula in MathML, which is read."""
    return any(
        other is not None
        and isinstance(other.tag, str)
        and not is_hidden(other)
        and (local_name(other) == "math" or other.find(".//{*}math") is not None)
        for other in (picture.getprevious(), picture.getnext())
    )


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

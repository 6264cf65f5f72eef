"""Raised letters that a page marks by style, in the element or by a rule for its class, become <sup>."""

import re
from collections.abc import Iterable

from ingest.tree import local_name

_RULE = re.compile(r"([^{}]{1,1000})\{([^{}]{0,2000})\}")
_CLASS = re.compile(r"(?:^|[\s>+~])[a-z]{0,10}\.([\w-]{1,100})$")
_SELECTORS = 100  # of one rule
_LONGEST = 500_000  # letters of one sheet
# over the line by name or by a height above zero; one that is moved up is set small beside it
_RAISED = re.compile(
    r"vertical-align\s*:\s*(?:super|text-top|\+?(?:[1-9]\d{0,3}|0{0,3}\.\d{0,3}[1-9])[\d.]{0,9}\s*(?:%|r?em|ex|pt|px))"
    r"|position\s*:\s*relative\s*;[^{}]{0,200}\btop\s*:\s*-\.?\d",
    re.IGNORECASE,
)
_INLINE = ("{*}span", "{*}small", "{*}font", "{*}b", "{*}i", "{*}em", "{*}strong", "{*}a")
_SIGN = 12  # letters; what is longer is no sign


def raised_classes(sheet: str) -> frozenset[str]:
    """Return the classes whose letters a style sheet raises."""
    return frozenset(
        match[1]
        for rule in _RULE.finditer(_without_comments(sheet[:_LONGEST]))
        if _RAISED.search(rule[2])
        for selector in rule[1].split(",", _SELECTORS)
        if (match := _CLASS.search(selector.strip()))
    )


def _without_comments(sheet: str) -> str:
    first, *others = sheet.split("/*")
    return " ".join([first, *(part.partition("*/")[2] for part in others)])


def own_classes(root) -> frozenset[str]:
    """Return those of a page's own style rules."""
    return frozenset().union(*(raised_classes(style.text or "") for style in root.iter("{*}style")))


def mark_raised(root, classes: Iterable[str] = ()) -> None:
    """Make <sup> of the elements of a page whose style, or one of whose classes, raises few letters."""
    known = own_classes(root).union(classes)
    for element in list(root.iter(*_INLINE)):
        if not element.attrib:
            continue
        named = element.get("class")
        by_class = known and named and not known.isdisjoint(named.split())
        if (by_class or _RAISED.search(element.get("style") or "")) and _is_sign(element):
            _raise(element)


def _is_sign(element) -> bool:
    parent = element.getparent()
    return parent is not None and local_name(parent) != "sup" and len("".join(element.itertext())) <= _SIGN


def _raise(element) -> None:
    space, _, name = element.tag.rpartition("}")
    high = f"{space}}}sup" if space else "sup"
    if name.lower() != "a":
        element.tag = high
        return
    around = element.makeelement(high)
    around.tail, element.tail = element.tail, None
    element.getparent().replace(element, around)
    around.append(element)

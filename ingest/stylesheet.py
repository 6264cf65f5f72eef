"""Style sheets: the letters that a page raises, or floats beside its text, by a rule for their class.

Raised ones, which the element itself may say too, become <sup>; a floating first letter says so itself.
"""

import re
from collections.abc import Iterable, Iterator
from functools import reduce
from typing import NamedTuple

from ingest.initials import mark_initials
from ingest.tree import local_name

_SELECTED, _SET = 1_000, 2_000  # letters of a rule's selectors, the last ones, and of what it may set
_CLASS = re.compile(r"(?:^|[\s>+~])[a-z]{0,10}\.([\w-]{1,100})$")
_SELECTORS = 100  # of one rule
_LONGEST = 500_000  # letters of one sheet
# over the line by name or by a height above zero; one that is moved up is set small beside it
_RAISED = re.compile(
    r"vertical-align\s*:\s*(?:super|text-top|\+?(?:[1-9]\d{0,3}|0{0,3}\.\d{0,3}[1-9])[\d.]{0,9}\s*(?:%|r?em|ex|pt|px))"
    r"|position\s*:\s*relative\s*;[^{}]{0,200}\btop\s*:\s*-\.?\d",
    re.IGNORECASE,
)
_FLOATING = re.compile(r"float\s*:\s*left", re.IGNORECASE)
_LARGE = re.compile(
    r"font-size\s*:\s*(?:x{1,3}-large|larger|(?:1[5-9]\d|[2-9]\d\d)[\d.]{0,9}\s*%"
    r"|(?:1\.[5-9]|[2-9])[\d.]{0,9}\s*r?em|[2-9]\d[\d.]{0,9}\s*p[tx])",
    re.IGNORECASE,
)
_INLINE = ("{*}span", "{*}small", "{*}font", "{*}b", "{*}i", "{*}em", "{*}strong", "{*}a")
_SIGN = 12  # letters; what is longer is no sign


class Classes(NamedTuple):
    """Classes whose letters style sheets raise, float beside the text, and float there in a large size."""

    raised: frozenset[str] = frozenset()
    floating: frozenset[str] = frozenset()
    large: frozenset[str] = frozenset()

    def union(self, other: "Classes") -> "Classes":
        return Classes(*(mine | its for mine, its in zip(self, other, strict=True)))


def read_classes(sheet: str) -> Classes:
    """Return the classes that a style sheet sets so."""
    raised, floating, large = set[str](), set[str](), set[str]()
    for selectors, body in _rules(_without_comments(sheet[:_LONGEST])):
        high, floats = _RAISED.search(body), _FLOATING.search(body)
        if not (high or floats):
            continue
        matches = (_CLASS.search(selector.strip()) for selector in selectors.split(",", _SELECTORS))
        named = [match[1] for match in matches if match]
        raised.update(named if high else ())
        floating.update(named if floats else ())
        large.update(named if floats and _LARGE.search(body) else ())
    return Classes(frozenset(raised), frozenset(floating), frozenset(large))


def _rules(sheet: str) -> Iterator[tuple[str, str]]:
    """Yield the selectors of each rule with what they set."""
    for part in sheet.split("}")[:-1]:
        before, brace, body = part.rpartition("{")
        if brace and len(body) <= _SET:
            yield before.rpartition("{")[2][-_SELECTED:], body


def _without_comments(sheet: str) -> str:
    first, *others = sheet.split("/*")
    return " ".join([first, *(part.partition("*/")[2] for part in others)])


def all_classes(sheets: Iterable[str]) -> Classes:
    """Return those of several style sheets."""
    return reduce(Classes.union, map(read_classes, sheets), Classes())


def mark_styled(root, classes: Classes) -> None:
    """Make <sup> of the elements of a page whose style or class raises few letters, and mark its initials."""
    classes = classes.union(all_classes(style.text or "" for style in root.iter("{*}style")))
    mark_initials(root, classes.floating, classes.large)
    known = classes.raised
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

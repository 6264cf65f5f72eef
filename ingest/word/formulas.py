"""Formulas of Word documents on a line of plain text, as those of MathML are written: x^2, a_1, (a+b)/2."""

from lxml import etree

from ingest.formulas import closed
from ingest.tree import local_name
from ingest.xmlparts import value

_INTEGRAL = "∫"  # what a sum, product or integral is where nothing says which
_ROWS = frozenset(["m", "eqarr"])
_DELETED = frozenset(["del", "movefrom"])


def formula(element) -> str:
    """Write the signs of an <oMath> element on one line."""
    parts: list[list[tuple[str, str]]] = [[]]
    walk = etree.iterwalk(element, events=("start", "end"))
    for event, item in walk:
        name = local_name(item)
        if event == "start":
            parts.append([])
            if name in _DELETED or name.endswith("pr"):  # fPr, rPr: how it looks
                walk.skip_subtree()
            continue
        inside = parts.pop()
        written = (item.text or "") if name == "t" else _written(item, name, inside)
        if written:
            parts[-1].append((name, written))
    return "".join(written for _, written in parts[0])


def _written(item, name: str, inside: list[tuple[str, str]]) -> str:
    part = dict(inside)
    base, low, high = (part.get(one, "") for one in ("e", "sub", "sup"))
    if name == "f":
        return f"{closed(part.get('num', ''))}/{closed(part.get('den', ''))}"
    if name in ("ssup", "ssub", "ssubsup"):
        return _with_signs(closed(base) if high else base, low, high)
    if name in ("limlow", "limupp"):
        return f"{base}{'_' if name == 'limlow' else '^'}{closed(part.get('lim', ''))}"
    if name == "rad":
        return f"{closed(base)}^(1/{part['deg']})" if part.get("deg") else f"√{closed(base)}"
    if name == "nary":
        sign = item.find("{*}naryPr/{*}chr")
        return f"{_with_signs(_INTEGRAL if sign is None else value(sign), low, high)} {base}"
    if name == "d":
        left, right = (item.find(f"{{*}}dPr/{{*}}{end}Chr") for end in ("beg", "end"))
        within = ", ".join(words for _, words in inside)
        return f"{'(' if left is None else value(left)}{within}{')' if right is None else value(right)}"
    apart = "; " if name in _ROWS else ", " if name == "mr" else " " if name == "func" else ""
    return apart.join(words for _, words in inside)


def _with_signs(base: str, low: str, high: str) -> str:
    return base + (f"_{closed(low)}" if low else "") + (f"^{closed(high)}" if high else "")

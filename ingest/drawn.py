"""Words drawn in SVG: one line for each <text>, with blanks where a part of it stands elsewhere."""

from lxml import etree

from ingest.cleaning import flow
from ingest.tree import local_name

_HELD = frozenset(["text", "foreignobject"])
_UNSEEN = frozenset(["title", "desc", "style", "script", "metadata"])
_MOVES = ("x", "y", "dy")


def address_of(element) -> str:
    """Return the address of a picture, by whatever attribute gives it."""
    return next((element.get(name) for name in element.attrib if name.endswith(("src", "href"))), "")


def drawn_pictures(svg) -> list[tuple[str, str]]:
    """List (address, words) of the pictures that a drawing frames, such as a cover."""
    words = svg.findtext("{*}title") or ""
    return [(address_of(item), item.get("aria-label") or words) for item in svg.iter("{*}image")]


def drawn_text(svg) -> str:
    """Read the words of a drawing, line by line; "" where it has none."""
    parts: list[str] = []
    held = 0
    walk = etree.iterwalk(svg, events=("start", "end"))
    for event, item in walk:
        name = local_name(item)
        if event == "end":
            held -= name in _HELD
            if held and item is not svg:
                parts.append(item.tail or "")
            continue
        held += name in _HELD
        if name in _UNSEEN:
            walk.skip_subtree()
            continue
        if name in _HELD:
            parts.append("\n")
        elif held and any(item.get(move) is not None for move in _MOVES):
            parts.append(" ")
        if held:
            parts.append(" ".join(f".{item.text or ''}.".split())[1:-1])
    return flow("".join(parts))

"""Frames: pages that stand inside of a page, and are read in their place."""

from lxml import etree

from ingest.limits import Limits
from ingest.tree import parse_markup

_DEEPEST = 3  # frames in frames


def fill_frames(root: etree._Element, limits: Limits) -> None:
    """Put the pages that frames bring along (`srcdoc`) in the place of the frames."""
    waiting = [(root, 0)]
    while waiting:
        tree, depth = waiting.pop()
        for frame in list(tree.iter("{*}iframe")) if depth < _DEEPEST else ():
            said = frame.get("srcdoc", "")
            inner = parse_markup(said, limits=limits) if said else None
            if inner is not None:
                show_inside(frame, inner)
                waiting.append((frame, depth + 1))


def show_inside(frame: etree._Element, inner: etree._Element) -> None:
    """Make a frame a division that holds what the body of a page holds."""
    body = next((part for part in inner.iter("{*}body", "{*}frameset")), inner)
    tail = frame.tail
    frame.clear()
    frame.tag, frame.text, frame.tail = "div", body.text, tail
    frame[:] = list(body)

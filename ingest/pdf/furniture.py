"""Furniture: running headers, footers and page numbers, told by coming again at the same height."""

import re
from collections import Counter, defaultdict

from ingest.headings import read_heading
from ingest.pdf.line import Line

_BAND = 0.13  # of the page's height, at the top and at the bottom
_NUMBER = re.compile(
    r"[\[(–—-]?\s*(?:page|p\.|seite|página|pagina)?\s*(?:\d{1,4}|[ivxlcdm]{1,8})(?:\s*(?:/|of|von|de|sur|di)\s*\d{1,4})?\s*[\])–—-]?",
    re.IGNORECASE,
)
_VARYING = re.compile(r"\d+|\b[ivxlcdm]+\b", re.IGNORECASE)
_SAME_HEIGHT = 6.0  # points


def without_furniture(pages: list[tuple[list[Line], float]]) -> list[list[Line]]:
    """`pages` are (lines, page height); the lines of each page without what is only printed around them."""
    repeated = _repeated(pages)
    numbered = _numbered_edges(pages)
    slots = _header_slots(pages, repeated)
    kept = []
    for number, (lines, height) in enumerate(pages):
        inner = [
            line
            for line in lines
            if not (_in_band(line, height) and _key(line, height) in repeated)
            and (number, id(line)) not in numbered
            and not _fills_slot(line, lines, height, slots)
        ]
        kept.append(inner or lines)  # a page of nothing but repeated lines holds them as its text
    return kept


def _header_slots(pages: list[tuple[list[Line], float]], repeated: set[tuple[str, int]]) -> set[int]:
    """Heights at which most pages bear a repeated line: a short chapter's title there is a header as well."""
    used: dict[int, set[int]] = defaultdict(set)
    for number, (lines, height) in enumerate(pages):
        for line in lines:
            if _in_band(line, height) and _key(line, height) in repeated:
                used[_key(line, height)[1]].add(number)
    with_text = sum(bool(lines) for lines, _ in pages)
    return {slot for slot, numbers in used.items() if len(numbers) >= max(4, 0.6 * with_text)}


def _fills_slot(line: Line, lines: list[Line], height: float, slots: set[int]) -> bool:
    """A short line at a header's height with nothing beyond it and white space before the text."""
    if not _in_band(line, height) or _key(line, height)[1] not in slots or len(line.text) > 80:
        return False
    others = [other for other in lines if other is not line and abs(other.y0 - line.y0) > 0.5 * line.height]
    if line.y1 < height / 2:
        return all(other.y0 > line.y1 + 0.8 * line.height for other in others)
    return all(other.y1 < line.y0 - 0.8 * line.height for other in others)


def _in_band(line: Line, height: float) -> bool:
    return line.y1 < height * _BAND or line.y0 > height * (1 - _BAND)


def _key(line: Line, height: float) -> tuple[str, int]:
    plain = _VARYING.sub("#", line.text.casefold())
    side = line.y0 if line.y1 < height / 2 else height - line.y0
    return " ".join(plain.split()), round(side / _SAME_HEIGHT)


def _repeated(pages: list[tuple[list[Line], float]]) -> set[tuple[str, int]]:
    """Texts that stand at the same height on enough pages (left and right pages may differ)."""
    seen: dict[tuple[str, int], set[int]] = defaultdict(set)
    copies = Counter(line.text for lines, height in pages for line in lines if _in_band(line, height))
    for number, (lines, height) in enumerate(pages):
        for line in lines:
            # "Chapter 1", "Chapter 2" at the head of pages differ by a number too, but each comes once
            heads_chapter = (
                copies[line.text] == 1 and read_heading(line.text) and not _NUMBER.fullmatch(line.text)
            )
            if _in_band(line, height) and not heads_chapter:
                seen[_key(line, height)].add(number)
    with_text = sum(bool(lines) for lines, _ in pages)
    repeated = set()
    for (text, side), numbers in seen.items():
        # a header may fall between two steps of height
        near = numbers | seen.get((text, side + 1), set()) | seen.get((text, side - 1), set())
        if len(near) >= 3 or (len(near) == 2 and with_text <= 5):
            repeated.add((text, side))
    return repeated


def _numbered_edges(pages: list[tuple[list[Line], float]]) -> set[tuple[int, int]]:
    """The outermost line of a page where it is a number, if most pages have one there."""
    found = set()
    for pick in (min, max):
        hits = []
        with_text = 0
        for number, (lines, height) in enumerate(pages):
            if not lines:
                continue
            with_text += 1
            edge = pick(lines, key=lambda line: line.y0)
            own = edge.text.strip("-–— ") == str(number + 1) and len(lines) > 1
            # below a deep margin it may stand higher; a chapter's number never ends a page
            if own and pick is max and _stands_apart(edge, lines):
                found.add((number, id(edge)))
            if _in_band(edge, height) and _NUMBER.fullmatch(edge.text):
                hits.append((number, id(edge)))
                if own:
                    found.add((number, id(edge)))
        if len(hits) >= 2 and len(hits) >= 0.3 * with_text:
            found.update(hits)
    return found


def _stands_apart(edge: Line, lines: list[Line]) -> bool:
    """Whether the lowest line has white space above it, more than between two lines of text."""
    return all(other.y1 < edge.y0 - 0.8 * edge.height for other in lines if other is not edge)

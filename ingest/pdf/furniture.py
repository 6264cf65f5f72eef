"""Furniture: running headers, footers and page numbers, told by coming again at the same height.

No word is lost with them: the first copy of a running head stays (aside, so that it interrupts no sentence)
where its words do not stand in the text anyway.
"""

import re
from bisect import bisect_left
from collections import Counter, defaultdict

from ingest.headings import read_heading
from ingest.numerals import roman
from ingest.pdf.leaf import Leaf
from ingest.pdf.line import Line
from ingest.pdf.type import Type

_BAND = 0.13  # of the page's height, at the top and at the bottom
_NUMBER = re.compile(
    r"[\[(–—-]? ?(?:page|p\.|seite|página|pagina)? ?(?:\d{1,4}|[ivxlcdm]{1,8})"
    r"(?: ?(?:/|of|von|de|sur|di) ?\d{1,4})? ?[\])–—-]?",
    re.IGNORECASE,
)
_VARYING = re.compile(r"\d+|\b[ivxlcdm]+\b", re.IGNORECASE)
_SAME_HEIGHT = 6.0  # points
_PLENTY = 8  # letters; with fewer a head is a label, not words of the text
_PLENTY_VARYING = 25  # of a line that bears a number which changes from page to page
_PROSE_LINE = 40  # letters
_LINE_STEP = 1.6  # of the letters' size, from a line of text to the next
_MOST_ROWS = 4
_NEIGHBOURS = 12  # lines around a head that are looked at
_ROW_STEP = 1.3  # of the step between two rows of a table, at most to the next one
_ALIGNED = 2.5  # points
_MOST_CELLS = 50  # of a row that are looked at
_NEAR = 4  # pages before its first copy where the words of a head are looked for

_Key = tuple[str, int]  # what a line says but for its number, and how far from the edge of the page it stands


def take_furniture(leaves: list[Leaf], letters: Type) -> None:
    """Take off what is only printed around the text; what went stands in `Leaf.removed`."""
    tables = {identity for leaf in leaves for identity in _table_edges(leaf)}
    repeated = _repeated(leaves, letters, tables)
    numbered = _numbered_edges(leaves, tables)
    slots = _header_slots(leaves, repeated)
    gone: list[list[Line]] = []
    for number, leaf in enumerate(leaves):
        out = [
            line
            for line in leaf.lines
            if id(line) not in tables
            and (
                (_in_band(line, leaf.height) and _key(line, leaf.height) in repeated)
                or (number, id(line)) in numbered
                or _fills_slot(line, leaf, slots, letters)
            )
        ]
        out = _without_text(out, leaf)
        # a page of nothing but repeated lines holds them as its text
        gone.append(out if len(out) < len(leaf.lines) else [])
    first_copies = _first_copies(leaves, gone, letters)
    for leaf, out in zip(leaves, gone, strict=True):
        leaf.removed = [line.text for line in out]
        away = {id(line) for line in out} - first_copies
        leaf.lines = [line for line in leaf.lines if id(line) not in away]


def _table_edges(leaf: Leaf) -> set[int]:
    """Return ids of the cells at the edge of a page: they stand in a row that goes on the rows of a table."""
    rows: list[list[Line]] = []
    for line in sorted(leaf.lines, key=lambda line: line.y1):
        if rows and line.y1 - rows[-1][0].y1 < 0.3 * line.size:
            rows[-1].append(line)
        else:
            rows.append([line])
    found = set()
    for order in (rows, rows[::-1]):
        for row, inner, following in zip(order, order[1:], order[2:], strict=False):
            if not _in_band(row[0], leaf.height):
                break
            step, usual = (abs(other[0].y1 - one[0].y1) for one, other in ((row, inner), (inner, following)))
            if len(row) > 1 and step <= _ROW_STEP * usual and all(_is_below(cell, inner) for cell in row):
                found |= {id(cell) for cell in row}
    return found


def _is_below(cell: Line, row: list[Line]) -> bool:
    """Tell whether a cell begins or ends where one of a row does."""
    return any(
        min(abs(cell.x0 - other.x0), abs(cell.x1 - other.x1)) < _ALIGNED for other in row[:_MOST_CELLS]
    )


def _without_text(out: list[Line], leaf: Leaf) -> list[Line]:
    """Leave out lines that go on in a line of the text, or number a row: a head stands apart."""
    away = {id(line) for line in out}
    by_height = sorted(leaf.lines, key=lambda line: line.y0)
    for line in sorted(out, key=lambda line: abs(line.y0 - leaf.height / 2)):  # from the text outwards
        at = bisect_left(by_height, line.y0 - _LINE_STEP * line.size, key=lambda other: other.y0)
        for other in by_height[at : at + _NEIGHBOURS]:
            if id(other) not in away and (_flows(line, other) or _is_number_of(line, other)):
                away.discard(id(line))
                break
    return _few_rows([line for line in out if id(line) in away], leaf)


def _few_rows(out: list[Line], leaf: Leaf) -> list[Line]:
    """Keep of each margin only what fills a row or two: more of it is a form that comes again."""
    kept = []
    for margin in (True, False):
        lines = [line for line in out if (line.y1 < leaf.height / 2) == margin]
        rows = {round(line.y1 / _SAME_HEIGHT) for line in lines if _plain(line.text)}
        kept += [line for line in lines if len(rows) <= _MOST_ROWS or not _plain(line.text)]
    return kept


def _flows(line: Line, other: Line) -> bool:
    """Tell whether two lines stand one below the other as lines of one text do."""
    if not _plain(line.text) and _plain(other.text):
        return False  # a page number below a column
    edge = 3 * line.size if len(line.text) >= _PROSE_LINE else 1.0
    step = abs(other.y0 - line.y0)
    alike = abs(other.size - line.size) < 0.5 and other.bold == line.bold
    return alike and 0.5 * line.size < step < _LINE_STEP * line.size and abs(other.x0 - line.x0) < edge


def _is_number_of(line: Line, other: Line) -> bool:
    return abs(other.y1 - line.y1) < 0.3 * line.size and not _plain(line.text)


def _first_copies(leaves: list[Leaf], gone: list[list[Line]], letters: Type) -> set[int]:
    """Return ids of the furniture that stays; it is marked as aside, but for larger lines: headings."""
    out = {id(line) for lines in gone for line in lines}
    kept = [[_plain(line.text) for line in leaf.lines if id(line) not in out] for leaf in leaves]
    known = {words for lines in kept for words in lines}
    variants: dict[_Key, set[str]] = defaultdict(set)
    for leaf, lines in zip(leaves, gone, strict=True):
        for line in lines:
            variants[_key(line, leaf.height)].add(line.text)
    stay = set()
    for number, (leaf, lines) in enumerate(zip(leaves, gone, strict=True)):
        for line in lines:
            words = _plain(line.text)
            varies = len(variants[_key(line, leaf.height)]) > 1
            if len(words) < (_PLENTY_VARYING if varies else _PLENTY) or words in known:
                continue
            known.add(words)
            # a title of several lines, on the page that it heads
            if not any(words in "".join(near) for near in kept[max(0, number - _NEAR) : number + 1]):
                stay.add(id(line))
                line.aside = not letters.stands_out(line)
    return stay


def _plain(text: str) -> str:
    return "".join(filter(str.isalpha, text.casefold()))


def _header_slots(leaves: list[Leaf], repeated: set[_Key]) -> set[int]:
    """Find heights where most pages bear a repeated line: there a short chapter's title is a header, too."""
    used: dict[int, set[int]] = defaultdict(set)
    for number, leaf in enumerate(leaves):
        for line in leaf.lines:
            if _in_band(line, leaf.height) and _key(line, leaf.height) in repeated:
                used[_key(line, leaf.height)[1]].add(number)
    with_text = sum(bool(leaf.lines) for leaf in leaves)
    return {slot for slot, numbers in used.items() if len(numbers) >= max(4, 0.6 * with_text)}


def _fills_slot(line: Line, leaf: Leaf, slots: set[int], letters: Type) -> bool:
    """Tell a short line at a header's height with nothing beyond it and white space before the text."""
    if not _in_band(line, leaf.height) or _key(line, leaf.height)[1] not in slots or len(line.text) > 80:
        return False
    if letters.stands_out(line):
        return False
    others = (other for other in leaf.lines if abs(other.y0 - line.y0) > 0.5 * line.height)
    if line.y1 < leaf.height / 2:
        return all(other.y0 > line.y1 + 0.8 * line.height for other in others)
    return all(other.y1 < line.y0 - 0.8 * line.height for other in others)


def _in_band(line: Line, height: float) -> bool:
    return line.y1 < height * _BAND or line.y0 > height * (1 - _BAND)


def _key(line: Line, height: float) -> _Key:
    plain = _VARYING.sub(_number_sign, line.text.casefold())
    side = line.y0 if line.y1 < height / 2 else height - line.y0
    return " ".join(plain.split()), round(side / _SAME_HEIGHT)


def _number_sign(match: re.Match) -> str:
    return "#" if match[0].isdigit() or roman(match[0]) is not None else match[0]  # "did" is no number


def _repeated(leaves: list[Leaf], letters: Type, tables: set[int]) -> set[_Key]:
    """Find texts that stand at the same height on enough pages (left and right pages may differ)."""
    seen: dict[_Key, set[int]] = defaultdict(set)
    large: dict[_Key, set[str]] = defaultdict(set)
    inside = Counter(line.text for leaf in leaves for line in leaf.lines if _in_band(line, leaf.height))
    outside = Counter(
        _look(line) for leaf in leaves for line in leaf.lines if not _in_band(line, leaf.height)
    )
    for number, leaf in enumerate(leaves):
        for line in leaf.lines:
            if not _in_band(line, leaf.height) or id(line) in tables:
                continue
            # "Chapter 1", "Chapter 2" at the head of pages differ by a number too, but each comes once
            heads = inside[line.text] == 1 and read_heading(line.text) and not _NUMBER.fullmatch(line.text)
            refrain = _plain(line.text) and 3 * outside[_look(line)] >= inside[line.text]
            if heads or refrain:
                continue
            key = _key(line, leaf.height)
            seen[key].add(number)
            if letters.stands_out(line) and _plain(line.text):
                large[key].add(line.text)
    with_text = sum(bool(leaf.lines) for leaf in leaves)
    repeated = set()
    for text, side in seen:
        # a header may fall between two steps of height
        beside = [(text, side), (text, side + 1), (text, side - 1)]
        near = set().union(*(seen.get(key, ()) for key in beside))
        titles = set().union(*(large.get(key, ()) for key in beside))
        if len(titles) > 1:
            continue  # "Lesson 1", "Lesson 2" in large letters
        if len(near) >= 3 or (len(near) == 2 and with_text <= 5):
            repeated.add((text, side))
    return repeated


def _look(line: Line) -> tuple[str, int, bool]:
    """Return what a line says and in which letters: a title is not set like its running head."""
    return line.text, round(line.size), line.bold


def _numbered_edges(leaves: list[Leaf], tables: set[int]) -> set[tuple[int, int]]:
    """Find the outermost line of a page where it is a number, if most pages have one there."""
    found = set()
    for pick in (min, max):
        hits = []
        with_text = 0
        for number, leaf in enumerate(leaves):
            if not leaf.lines:
                continue
            with_text += 1
            edge = pick(leaf.lines, key=lambda line: line.y0)
            if id(edge) in tables:
                continue
            own = edge.text.strip("-–— ") == str(number + 1) and len(leaf.lines) > 1
            # below a deep margin it may stand higher; a chapter's number never ends a page
            if own and pick is max and _stands_apart(edge, leaf.lines):
                found.add((number, id(edge)))
            if _in_band(edge, leaf.height) and _NUMBER.fullmatch(edge.text):
                hits.append((number, id(edge)))
                if own:
                    found.add((number, id(edge)))
        if len(hits) >= 2 and len(hits) >= 0.3 * with_text:
            found.update(hits)
    return found


def _stands_apart(edge: Line, lines: list[Line]) -> bool:
    """Tell whether the lowest line has white space above it, more than between two lines of text."""
    return all(other.y1 < edge.y0 - 0.8 * edge.height for other in lines if other is not edge)

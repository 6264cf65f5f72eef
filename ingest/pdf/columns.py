"""Columns: the reading order of a page's lines.

The page is cut into bands; the largest run of bands that a white gutter divides is read column by column, and
what spans the page (a title, a wide table) is read where it stands. Rows of a table stay rows.
"""

from dataclasses import replace

from ingest.pdf.line import Line, overlap
from ingest.raised import raised

_LEAST_LINES = 3  # in each column
_LEAST_LETTERS = 60
_PROSE_LINE = 40  # letters; a line as long belongs to the text itself
_TURNED_LINE = 25  # letters in the middle line of turned text; shorter ones do not flow
_USUAL_BANDS = 80  # on a page
_WIDEST = 0.6  # of the width of all lines, has a column that begins higher than its neighbour
_LEADER = " … "  # between the words of an entry and its pages
_LETTER = 0.5  # of the size is as wide as one
_LEAST_LINE = 14  # letters in the middle line of a column; shorter ones are cells of a table


def reading_order(lines: list[Line]) -> list[list[Line]]:
    """Group lines in reading order; each group is one column or one band of the page."""
    lines, margin = _margin_notes(sorted(lines, key=lambda line: (line.y0, line.x0)))
    if margin:
        return [*reading_order(lines), _rows(margin)]
    # without lines of some length there are no columns of text to look for, only tables
    if sum(_length(line) >= _LEAST_LINE for line in lines) < 2 * _LEAST_LINES or not _side_by_side(lines):
        return [_rows(lines)] if lines else []
    return [_rows(group) for group in _order(lines, 0)]


def turned_order(lines: list[Line]) -> list[list[Line]]:
    """Group turned lines in reading order.

    Where most are short (cells, labels of an axis) each stays a line, as rows of a table do.
    """
    groups = reading_order(lines)
    if not lines or sorted(len(line.text) for line in lines)[len(lines) // 2] >= _TURNED_LINE:
        return groups
    return [[replace(line, cells=max(2, line.cells)) for line in group] for group in groups]


def _margin_notes(lines: list[Line]) -> tuple[list[Line], list[Line]]:
    """Return (text, short lines outside its edges): a note in the margin breaks into no line beside it."""
    long = [line for line in lines if len(line.text) >= _PROSE_LINE]
    if len(long) < 8:
        return lines, []
    left, right = min(line.x0 for line in long), max(line.x1 for line in long)
    outside = [line for line in lines if line.x0 > right - 1 or line.x1 < left + 1]
    letters = sum(letter.isalpha() for line in outside for letter in line.text)
    if len(outside) > len(lines) / 4 or letters < 4 * len(outside):  # figures belong to a table
        return lines, []
    if any(len(line.text) > _PROSE_LINE for line in outside):
        return lines, []
    notes = {id(line) for line in outside}
    return [line for line in lines if id(line) not in notes], outside


def _side_by_side(lines: list[Line]) -> bool:
    for above, below in zip(lines, lines[1:], strict=False):
        if overlap(above, below) > 0.5 and (above.x1 <= below.x0 or below.x1 <= above.x0):
            return True
    return False


def _order(lines: list[Line], depth: int) -> list[list[Line]]:
    if depth > 6 or len(lines) < 2 * _LEAST_LINES:
        return [lines]
    bands = _bands(lines)
    widest = _WIDEST * (max(line.x1 for line in lines) - min(line.x0 for line in lines))
    groups: list[list[Line]] = []
    at = 0
    loose: list[Line] = []
    while at < len(bands):
        until, columns = _largest_run(bands, at, widest)
        if columns is None:
            following = at + max(1, (until - at) // _USUAL_BANDS)  # not every row of an endless table
            loose += [line for band in bands[at:following] for line in band]
            at = following
            continue
        if loose:
            groups.append(loose)
            loose = []
        for column in columns:
            groups += _order(column, depth + 1)
        at = until
    if loose:
        groups.append(loose)
    return groups


def _bands(lines: list[Line]) -> list[list[Line]]:
    """Group the lines that no white line across the page tells apart, top to bottom."""
    bands: list[list[Line]] = []
    bottom = float("-inf")
    for line in sorted(lines, key=lambda line: line.y0):
        # boxes of neighbouring lines overlap by ascenders; half a line is still the next line
        if line.y0 >= bottom - 0.35 * line.height:
            bands.append([])
        bands[-1].append(line)
        bottom = max(bottom, line.y1) if len(bands[-1]) > 1 else line.y1
    return bands


def _largest_run(bands: list[list[Line]], at: int, widest: float) -> tuple[int, list[list[Line]] | None]:
    """Find the longest run of bands from `at` on that one gutter divides: (its end, its columns or None).

    A column may begin higher than the others where it is at most `widest`.
    """
    spans: list[tuple[float, float]] = []
    stages: list[tuple[int, list[tuple[float, float]]]] = []  # how far each set of gutters reaches
    for end in range(at, len(bands)):
        for line in bands[end]:
            spans = _merge(spans, line.x0, line.x1)
        if len(spans) < 2:
            # one column may begin higher, beside a picture or the white above a heading
            narrow = spans[0][1] - spans[0][0] <= widest and end - at < _USUAL_BANDS
            if not stages and narrow and _goes_on(bands[end], bands[end + 1 : end + 2]):
                continue
            break  # more lines can only close gutters
        if stages and len(stages[-1][1]) == len(spans):
            stages.pop()
        stages.append((end + 1, spans))
    for end, gutters in reversed(stages):
        columns = _divide([line for band in bands[at:end] for line in band], gutters)
        if columns:
            return end, columns
    return stages[-1][0] if stages else at, None


def _goes_on(band: list[Line], following: list[list[Line]]) -> bool:
    """Tell whether a line of the band has its next one right below it, in the same column."""
    return any(
        abs(line.x0 - below.x0) < 2 * line.size and below.y0 - line.y0 < 1.7 * line.height
        for line in band
        for beneath in following
        for below in beneath
    )


def _merge(spans: list[tuple[float, float]], x0: float, x1: float) -> list[tuple[float, float]]:
    kept = []
    for left, right in spans:
        if right < x0 or left > x1:
            kept.append((left, right))
        else:
            x0, x1 = min(x0, left), max(x1, right)
    return sorted([*kept, (x0, x1)])


def _divide(lines: list[Line], spans: list[tuple[float, float]]) -> list[list[Line]] | None:
    """Divide lines into columns of text at gutters; None where the pieces are cells or just indented."""
    columns: list[list[Line]] = []
    edges: list[tuple[float, float]] = []
    for left, right in spans:
        if edges and left - edges[-1][1] < 5:
            edges[-1] = (edges[-1][0], right)
            columns[-1] += [line for line in lines if left <= line.x0 <= right]
        else:
            edges.append((left, right))
            columns.append([line for line in lines if left <= line.x0 <= right])
    if len(columns) < 2 or not all(map(_is_text_column, columns)):
        return None
    tops = [min(line.y0 for line in column) for column in columns]
    bottoms = [max(line.y1 for line in column) for column in columns]
    if max(tops) >= min(bottoms):
        return None  # one below the other
    return columns


def _is_text_column(lines: list[Line]) -> bool:
    lengths = sorted(map(_length, lines))
    return (
        len(lines) >= _LEAST_LINES
        and sum(lengths) >= _LEAST_LETTERS
        and lengths[len(lengths) // 2] >= _LEAST_LINE
    )


def _length(line: Line) -> int:
    """Count the letters of a line; an entry of an index is as long as the dots made it that stood in it."""
    if _LEADER not in line.text:
        return len(line.text)
    return max(len(line.text), int((line.x1 - line.x0) / (_LETTER * max(1, line.size))))


def _rows(lines: list[Line]) -> list[Line]:
    """Join pieces that share a baseline into one line, left to right."""
    rows: list[list[Line]] = []
    for line in sorted(lines, key=lambda line: (line.y0, line.x0)):
        if rows and overlap(rows[-1][0], line) > 0.6 and not _stacked(rows[-1], line):
            rows[-1].append(line)
        else:
            rows.append([line])
    return [_join_row(sorted(row, key=lambda line: line.x0)) for row in rows]


def _stacked(row: list[Line], line: Line) -> bool:
    return any(
        min(line.x1, other.x1) - max(line.x0, other.x0) > 0.5 * min(line.x1 - line.x0, other.x1 - other.x0)
        for other in row
    )


def _join_row(row: list[Line]) -> Line:
    if len(row) == 1:
        return row[0]
    longest = max(row, key=lambda line: len(line.text))
    parts, cells = [row[0].text], 1
    for before, line in zip(row, row[1:], strict=False):
        gap = line.x0 - before.x1
        if gap > 1.6 * max(before.size, 6):
            parts.append(" | ")
            cells += 1
        elif _is_raised(line, longest) and (sign := raised(before.text, line.text, "")) != line.text:
            parts.append(sign)
            continue
        elif gap >= 0.12 * before.size:
            parts.append(" ")
        parts.append(line.text)
    return replace(
        longest, x0=row[0].x0, y0=min(line.y0 for line in row), x1=max(line.x1 for line in row),
        y1=max(line.y1 for line in row), text="".join(parts), cells=max(cells, *(line.cells for line in row)),
    )  # fmt: skip


def _is_raised(line: Line, main: Line) -> bool:
    return line.size < 0.85 * main.size and line.y1 < main.y1 - 0.15 * main.size

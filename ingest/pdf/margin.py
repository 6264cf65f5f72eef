"""What stands beside the lines of a page: large initials, which belong to them, and their numbers."""

from bisect import bisect_left
from collections import Counter

from ingest.pdf.line import Line
from ingest.pdf.paragraphs import ends_sentence
from ingest.pdf.type import Type

_INITIAL = 1.8  # of the body's letters
_MOST_INITIALS = 40  # on one page; more are a display of letters
_WORDS = frozenset("aioyeàèé")  # letters that are words of their own
_STEPS = (1, 2, 5, 10)  # every line is numbered, or every fifth
_LEAST_NUMBERS = 5
_LEAST_EXACT = 3  # where each stands beside the line that it counts
_PROSE = 25  # letters in the middle one of numbered lines; shorter ones are rows of a table or a list


def join_initials(lines: list[Line], letters: Type, words: Counter[str]) -> list[Line]:
    """Put a large first letter before the rest of its word, and the lines beside it under one edge.

    `words` counts the words of the document: it tells "A long way" from "Along the way".
    """
    for line in lines:
        if line.apart and _is_parted(line, words):
            line.text = line.text[: line.apart] + line.text[line.apart + 1 :]
    initials = [line for line in lines if _is_initial(line, letters)]
    if len(initials) > _MOST_INITIALS:
        return lines
    joined = set()
    for initial in initials:
        beside = [line for line in lines if line is not initial and _is_beside(line, initial, letters)]
        if beside:
            first = min(beside, key=lambda line: line.y0)
            first.text = initial.text + _space(initial.text, first.text, words) + first.text
            joined.add(id(initial))
        for line in beside:
            line.x0 = initial.x0
    return [line for line in lines if id(line) not in joined]


def _is_initial(line: Line, letters: Type) -> bool:
    plain = line.text.strip("“”\"'‘’«»„ ")
    return len(plain) == 1 and plain.isalpha() and line.size >= _INITIAL * letters.size


def _is_beside(line: Line, initial: Line, letters: Type) -> bool:
    return (
        line.size < initial.size / 1.5
        and -0.2 * initial.size < line.x0 - initial.x1 < 1.5 * letters.size
        and initial.y0 < (line.y0 + line.y1) / 2 < initial.y1 - 0.1 * initial.height
    )


def _is_parted(line: Line, words: Counter[str]) -> bool:
    """Tell "A ll that" from "A lone man": the document has the whole word elsewhere, and not its rest."""
    rest = _first_word(line.text[line.apart + 1 :])
    return bool(words[line.text[line.apart - 1].casefold() + rest]) and not words[rest]


def _first_word(text: str) -> str:
    return text.split(" ", 1)[0].strip('.,;:!?”"’').casefold()


def _space(initial: str, following: str, words: Counter[str]) -> str:
    letter = initial[-1].casefold()
    rest = _first_word(following)
    own = letter in _WORDS and not words[letter + rest] and words[rest] > 1
    return " " if own or not following[0].isalpha() else ""


def without_line_numbers(lines: list[Line]) -> list[Line]:
    """Leave out columns of numbers that count the lines of a text beside them."""
    numbers = [line for line in lines if line.text.isdecimal() and len(line.text) <= 5]
    if len(numbers) < _LEAST_EXACT:
        return lines
    text = sorted((line for line in lines if not line.text.isdecimal()), key=lambda line: line.y0)
    away: set[int] = set()
    for edge in ("x0", "x1"):
        columns: dict[int, list[Line]] = {}
        for line in numbers:
            columns.setdefault(round(getattr(line, edge) / 4), []).append(line)
        for column in columns.values():
            if _counts_lines(sorted(column, key=lambda line: line.y0), text):
                away |= {id(line) for line in column}
    return [line for line in lines if id(line) not in away]


def _counts_lines(column: list[Line], text: list[Line]) -> bool:
    """Tell whether numbers rise by one step as the lines of running text beside them do."""
    values = [int(line.text) for line in column]
    steps = {after - before for before, after in zip(values, values[1:], strict=False)}
    step = steps.pop() if len(steps) == 1 else 0
    if step not in _STEPS or len(column) < _LEAST_EXACT:
        return False
    tops = [line.y0 for line in text]
    rows = []
    for number in column:
        near = text[bisect_left(tops, number.y0 - number.height) : bisect_left(tops, number.y1)]
        row = [line for line in near if abs(line.y1 - number.y1) < 0.4 * number.height]
        if not 1 <= len(row) <= 2 or any(line.x0 < number.x1 and line.x1 > number.x0 for line in row):
            return False  # the cells of a table, or a number that stands alone
        rows.append(min(row, key=lambda line: abs(line.x0 - number.x1)))
    places = [bisect_left(tops, row.y0) for row in rows]
    if step >= 5 and all(after - before == step for before, after in zip(places, places[1:], strict=False)):
        return True  # also beside verse, whose lines end where they will
    if len(column) < _LEAST_NUMBERS:
        return False
    if places[-1] - places[0] > 2.2 * step * len(column):
        return False  # the items of a list, of several lines each
    lengths = sorted(len(line.text) for line in rows)
    left, right = min(line.x0 for line in rows), max(line.x1 for line in rows)
    full = sum(line.x1 > right - 0.2 * (right - left) for line in rows)
    ended = sum(ends_sentence(line.text) for line in rows)
    # the items of a list end where they will; running text runs up to its edge
    return lengths[len(rows) // 2] >= _PROSE and full >= 0.6 * len(rows) and ended < 0.7 * len(rows)

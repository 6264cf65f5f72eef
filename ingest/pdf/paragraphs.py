"""Paragraphs: lines in reading order put together, hyphens at line ends and page breaks joined."""

import re
from collections import Counter
from dataclasses import dataclass, field

from ingest.pdf.line import Line

_WORD = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")
_HYPHEN_END = re.compile(r"([^\W\d_]+)[-\u2010\u00ad]$")
_FIRST_WORD = re.compile(r"[^\W\d_]+")
_TERMINAL = re.compile(r"[.!?…:;。！？؟۔।][\"'”’»)\]』」]*(?:\[?\d{0,3}\]?)$")
_ITEM = re.compile(r"(?:[•●▪◦‣∙·■□➢–—*-]|\(?\d{1,3}[.)]|\(?[a-zA-Z][.)])\s+\S")
_CJK = re.compile(r"[\u3000-\u30ff\u3400-\u9fff\uf900-\ufaff\uff00-\uffef]")


@dataclass
class Paragraph:
    """Pieces of text by page (index, text): more than one where the paragraph runs over a page break.

    `indented` tells of its first line, `full` that its last line runs up to the right edge.
    """

    pieces: list[tuple[int, str]]
    size: float
    bold: bool
    y: float
    rows: bool = False
    lines: int = 1
    indented: bool = False
    full: bool = False

    @property
    def text(self) -> str:
        return "".join(text for _, text in self.pieces)


@dataclass
class Vocabulary:
    """The words of the whole document: they tell a broken word from a compound at a line end."""

    words: Counter = field(default_factory=Counter)
    broken: bool = False  # whether the line before ended inside a word

    def add(self, text: str) -> None:
        """Count the words of the next line, leaving out pieces of words at line ends."""
        found = _WORD.findall(text.casefold())
        if self.broken:
            found = found[1:]
        self.broken = _HYPHEN_END.search(text) is not None
        self.words.update(found[:-1] if self.broken else found)

    def join(self, before: str, after: str) -> str:
        """Two lines as one text: "exam-" + "ple" gives "example", "well-" + "known" stays "well-known".

        Where neither form occurs elsewhere, two parts that are words of their own keep the hyphen.
        """
        if _CJK.match(before[-1:]) and _CJK.match(after[:1]):
            return before + after
        match = _HYPHEN_END.search(before)
        following = _FIRST_WORD.match(after)
        if not match or not following:
            return f"{before} {after}"
        compound = f"{match[1]}-{following[0]}".casefold()
        whole = (match[1] + following[0]).casefold()
        pair = self.words[match[1].casefold()] and self.words[following[0].casefold()]
        own_hyphen = self.words[compound] > self.words[whole] or (pair and not self.words[whole])
        if not after[0].islower() or own_hyphen:
            return before + after
        return before[:-1] + after


def build_paragraphs(groups: list[list[Line]], page: int, vocabulary: Vocabulary) -> list[Paragraph]:
    """The paragraphs of one page from its groups of lines (columns and bands)."""
    found: list[Paragraph] = []
    for group in groups:
        fresh = _paragraphs_of(group, page, vocabulary)
        if found and fresh and continues(found[-1], fresh[0]):
            # text that runs from one column into the next
            joined = vocabulary.join(found[-1].text, fresh[0].text)
            found[-1].pieces = [(page, joined)]
            found[-1].lines += fresh[0].lines
            found[-1].full = fresh[0].full
            fresh = fresh[1:]
        found += fresh
    return found


def continues(before: Paragraph, after: Paragraph) -> bool:
    """Whether a paragraph goes on in the next column or page."""
    if before.rows or after.rows or abs(before.size - after.size) > 0.6 or before.bold != after.bold:
        return False
    if _ITEM.match(after.text):
        return False
    if before.full and before.indented and not after.indented:
        return True  # where paragraphs are indented, a first line at the edge is no first line
    if _TERMINAL.search(before.text) or after.indented or before.lines < 2:
        return False
    first = after.text[0]
    return first.islower() or before.text[-1] in "-\u2010," or bool(_CJK.match(first) and before.lines > 1)


def _paragraphs_of(lines: list[Line], page: int, vocabulary: Vocabulary) -> list[Paragraph]:
    if not lines:
        return []
    pitch = _pitch(lines)
    left = _common([line.x0 for line in lines])
    right = max(line.x1 for line in lines)
    hanging = _is_hanging(lines, left)
    found: list[Paragraph] = []
    for number, line in enumerate(lines):
        before = lines[number - 1] if number else None
        if before is None or _begins(before, line, found[-1], pitch, left, right, hanging):
            found.append(Paragraph([(page, line.text)], line.size, line.bold, line.y0, line.cells > 1))
            found[-1].indented = line.x0 - left > 0.7 * line.size
            found[-1].full = line.x1 > right - 0.03 * (right - left)
            continue
        paragraph = found[-1]
        text = (
            f"{paragraph.text}\n{line.text}"
            if paragraph.rows or line.mono
            else vocabulary.join(paragraph.text, line.text)
        )
        paragraph.pieces = [(page, text)]
        paragraph.lines += 1
        paragraph.full = line.x1 > right - 0.03 * (right - left)
    return found


def _begins(
    before: Line, line: Line, paragraph: Paragraph, pitch: float, left: float, right: float, hanging: bool
) -> bool:
    """Whether a line begins a new paragraph."""
    if (line.cells > 1) != paragraph.rows:
        return True
    if _HYPHEN_END.search(before.text) and line.text[0].islower() and abs(line.size - before.size) < 0.8:
        return False  # in the middle of a word, whatever the lines look like
    step = line.y0 - before.y0
    if step > max(1.45 * pitch, 1.35 * line.size) or step < -1:
        return True
    if paragraph.rows:
        return False
    if abs(line.size - before.size) > max(0.8, 0.08 * before.size) or line.bold != before.bold:
        return (
            line.bold != before.bold and _splits_at_bold(before, line) or abs(line.size - before.size) > 0.8
        )
    if _ITEM.match(line.text) and (_TERMINAL.search(before.text) or line.x0 <= before.x0 + 1):
        return True
    indent = line.x0 - left
    if hanging and (indent > 0.7 * line.size or indent < -1):
        return False
    if hanging and indent < 0.3 * line.size:
        return True
    if indent > 0.7 * line.size and line.x0 - before.x0 > 0.7 * line.size and not _ITEM.match(before.text):
        return True  # first line of an indented paragraph
    if indent > 0.7 * line.size and abs(line.x0 - before.x0) < 1 and _TERMINAL.search(before.text):
        return True  # one indented paragraph of a single line after another
    return bool(before.x1 < right - 0.18 * (right - left) and _TERMINAL.search(before.text))


def _splits_at_bold(before: Line, line: Line) -> bool:
    """A bold line is a heading of its own, unless bold words only happen to fill a line of prose."""
    bold = before if before.bold else line
    return not _TERMINAL.search(bold.text) or bold is before


def _is_hanging(lines: list[Line], left: float) -> bool:
    """Whether first lines stand out to the left (lists, references) rather than in to the right."""
    ended: dict[bool, list[bool]] = {True: [], False: []}
    for before, line in zip(lines, lines[1:], strict=False):
        ended[line.x0 - left > 0.7 * line.size].append(bool(_TERMINAL.search(before.text)))
    if len(ended[True]) < 2 or not ended[False]:
        return False
    share = {indented: sum(ends) / len(ends) for indented, ends in ended.items()}
    return share[False] > share[True] + 0.3


def _pitch(lines: list[Line]) -> float:
    """The usual distance from line to line."""
    steps = [round(below.y0 - above.y0, 0) for above, below in zip(lines, lines[1:], strict=False)]
    steps = [step for step in steps if step > 2]
    if not steps:
        return 1.3 * lines[0].size
    common = Counter(steps).most_common()
    # among the steps that are nearly as common as any, the smallest is the line pitch
    return float(min(step for step, count in common if count >= 0.5 * common[0][1]))


def _common(values: list[float]) -> float:
    """The left edge: the smallest of the usual starts."""
    counts = Counter(round(value) for value in values)
    most = max(counts.values())
    return float(min(value for value, count in counts.items() if count >= 0.4 * most))

"""Paragraphs: lines in reading order put together, hyphens at line ends and page breaks joined."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from itertools import groupby, takewhile

from ingest.pdf.line import SOFT_HYPHEN, Line
from ingest.pdf.type import Type

_WORD = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")
_GOES_ON_IN_PATH = re.compile(r"[\d/]|\.\w")
_FIRST_WORD = re.compile(r"[^\W\d_]+")
_HYPHENS = ("-", "\u2010", SOFT_HYPHEN)
_BETWEEN_FIGURES = ("-", "\u2010", "\u2013")
_LONGEST_WORD = 60  # letters; what is longer is no word that was broken at a line end
_TERMINAL = re.compile(r"[.!?…:;。！？؟۔।][\"'”’»)\]』」]*(?:\s?\[?\d{0,3}\]?)$")
_TAIL = 40  # letters at the end of a text in which a sentence's end is looked for
_ITEM = re.compile(r"(?:[•●▪◦‣∙·■□➢–—*-]|\(?\d{1,3}[.)]|\(?[^\W\d_][.)])\s+\S|[▶►▸➤]\s*\S")
_CAPTION = re.compile(
    r"(?:fig(?:ure|\.)|table|tab\.|abb(?:ildung|\.)|tabelle|plate|chart|box)\s*[\dIVX]", re.I
)
_CJK = re.compile(r"[\u3000-\u30ff\u3400-\u9fff\uf900-\ufaff\uff00-\uffef]")
_LEAST_LINE = 20  # letters of a single line that a sentence may begin with
_NEARLY_FULL = 0.12  # of the column may be free behind a line that a sentence runs on from
_NEARLY_AS_LARGE = 0.75  # of each other are the sizes of its lines
_LONG_LINE = 40  # letters of one that is no heading, wherever it ends
_MOST_PLATES = 2  # pages without text that may stand inside a sentence
_LEAST_VERSE = 3  # lines
_CAPITALS = 0.8  # of the lines of a verse begin with one
_ROOM = 0.6  # of them had room for another word
_MOST_MARGINS = 3  # at which the lines of a stanza begin
_OPEN = 0.5  # of its lines, at least, end inside a sentence
_LONGEST_VERSE = 64  # letters of such a line
_FIGURES = 0.2  # of them, at most, hold figures
_MOST_BETWEEN = 8  # notes, tables and captions that may stand inside a sentence


@dataclass
class Paragraph:
    """Lines of text with their page (index, text): of more than one where it runs over a page break.

    `indented` tells of its first line, `full` that its last line runs up to the right edge; what is `aside`
    (a note, a running head) stands beside the text and does not interrupt it. Lines of `verse` stay lines.
    """

    parts: list[tuple[int, str]]
    size: float
    bold: bool
    y: float
    rows: bool = False
    lines: int = 1
    indented: bool = False
    full: bool = False
    aside: bool = False
    verse: bool = False

    @property
    def pieces(self) -> list[tuple[int, str]]:
        """Return (page, all of its text there), in order."""
        return [
            (page, "".join(text for _, text in parts))
            for page, parts in groupby(self.parts, lambda part: part[0])
        ]

    @property
    def text(self) -> str:
        return "".join(text for _, text in self.parts)

    @property
    def first_page(self) -> int:
        return self.parts[0][0]

    @property
    def ending(self) -> str:
        """Return its last line."""
        return self.parts[-1][1]

    @property
    def is_float(self) -> bool:
        """Tell whether it may stand inside a sentence of the text: a table or the words below a figure."""
        return self.aside or self.rows or bool(_CAPTION.match(self.parts[0][1]))

    def add(self, page: int, text: str, vocabulary: "Vocabulary") -> None:
        """Go on with the next line of prose; a space before it belongs to its own page."""
        last_page, before = self.parts[-1]
        before, after = vocabulary.join(before, text)
        self.parts[-1] = (last_page, before)
        self.parts.append((page, after))

    def take(self, other: "Paragraph", vocabulary: "Vocabulary") -> None:
        """Go on with what was taken for a paragraph of its own."""
        self.add(*other.parts[0], vocabulary)
        self.parts += other.parts[1:]
        self.lines += other.lines
        self.full = other.full


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
        self.broken = bool(_broken_word(text))
        self.words.update(found[:-1] if self.broken else found)

    def join(self, before: str, after: str) -> tuple[str, str]:
        """Return two lines as they are put together: "exam-", "ple" as "exam", "ple", others with a space.

        "well-" + "known" keep their hyphen where the document writes it elsewhere, or both parts as words.
        """
        if _CJK.match(before[-1:]) and _CJK.match(after[:1]) or _is_broken_range(before, after):
            return before, after
        broken = _broken_word(before)
        following = _FIRST_WORD.match(after[:_LONGEST_WORD])
        if not broken or not following:
            unbroken = _is_broken_path(before, after)
            return before.rstrip(SOFT_HYPHEN), after if unbroken else f" {after}"
        if before.endswith(SOFT_HYPHEN):
            return before[:-1], after
        compound = f"{broken}-{following[0]}".casefold()
        whole = (broken + following[0]).casefold()
        pair = self.words[broken.casefold()] and self.words[following[0].casefold()]
        own_hyphen = self.words[compound] > self.words[whole] or (pair and not self.words[whole])
        capitals = len(broken) > 1 and (broken + following[0]).isupper() and self.words[whole] > 0
        if not (after[0].islower() or capitals) or own_hyphen:
            return before, after
        return before[:-1], after


def _broken_word(text: str) -> str:
    """Return the part of a word that a line ends with before its hyphen, "" where it ends otherwise."""
    if not text.endswith(_HYPHENS):
        return ""
    return "".join(takewhile(str.isalpha, text[-2 : -_LONGEST_WORD - 2 : -1]))[::-1]


def _is_broken_range(before: str, after: str) -> bool:
    """Tell whether a date or a range is broken behind its hyphen: "2020-", "02-28" or "983–", "987"."""
    return before[-1:] in _BETWEEN_FIGURES and before[-2:-1].isdigit() and after[:1].isdigit()


def _is_broken_path(before: str, after: str) -> bool:
    """Tell whether a path or an address is broken at a slash: "/var/", "log/installer" or "/dev/", "sda3".

    An ordinary word behind a slash may be the next word of the sentence ("copy /home/", "to another disk").
    """
    begun, following = before.rpartition(" ")[2], after.partition(" ")[0]
    is_path = begun.endswith("/") and (begun.startswith("/") or "://" in begun)
    return is_path and _GOES_ON_IN_PATH.search(following) is not None


def ends_sentence(text: str) -> bool:
    """Tell whether a text ends with a full stop or its like, perhaps with a reference behind it."""
    return _TERMINAL.search(text[-_TAIL:]) is not None


def build_paragraphs(
    groups: list[list[Line]], page: int, vocabulary: Vocabulary, letters: Type
) -> list[Paragraph]:
    """Build the paragraphs of one page from its groups of lines (columns and bands)."""
    made = [_paragraphs_of(group, page, vocabulary, letters) for group in groups if group]
    has_body = any(not letters.is_small(item.size) for items in made for item in items)
    for items in made:
        for item in reversed(items):  # notes stand below the text, in smaller letters
            if not has_body or not letters.is_small(item.size):
                break
            item.aside = True
    return stitch(made, vocabulary)


def stitch(made: Iterable[list[Paragraph]], vocabulary: Vocabulary) -> list[Paragraph]:
    """Put paragraphs of columns (or of pages) in a row; one that runs into the next becomes one."""
    found: list[Paragraph] = []
    for fresh in made:
        last = _open_paragraph(found)
        first = next((index for index, item in enumerate(fresh[:_MOST_BETWEEN]) if not item.is_float), None)
        if found and fresh and _goes_on(found[-1], fresh[0]):
            found[-1].take(fresh[0], vocabulary)
            fresh = fresh[1:]
        elif last is not None and first is not None and _runs_on(last, fresh[first]):
            last.take(fresh[first], vocabulary)
            fresh = fresh[:first] + fresh[first + 1 :]
        _join_notes(found, fresh, vocabulary)
        found += fresh
    return found


def _open_paragraph(found: list[Paragraph]) -> Paragraph | None:
    """Return the last paragraph of the text itself, above notes and captions."""
    return next((item for item in found[: -_MOST_BETWEEN - 1 : -1] if not item.is_float), None)


def _goes_on(before: Paragraph, after: Paragraph) -> bool:
    """Tell whether a paragraph goes on in what follows it, in the next column or on the next page."""
    near = after.first_page - before.parts[-1][0] <= 1
    return near and before.aside == after.aside and continues(before, after)


def _runs_on(before: Paragraph, after: Paragraph) -> bool:
    """Tell whether a sentence goes on around what was printed between: open, and going on small."""
    near = after.first_page - before.parts[-1][0] <= _MOST_PLATES + 1
    small = not after.parts[0][1][0].isupper() or before.ending.endswith(_HYPHENS)
    return near and small and not ends_sentence(before.ending) and continues(before, after)


def _join_notes(found: list[Paragraph], fresh: list[Paragraph], vocabulary: Vocabulary) -> None:
    """Join a note that was not finished on its page to what goes on below the text of the next."""
    if not found or not found[-1].aside or found[-1].rows:
        return
    rest = next((index for index, item in enumerate(fresh) if item.aside and not item.rows), None)
    if rest is not None and rest > 0 and _runs_on(found[-1], fresh[rest]):
        found[-1].take(fresh.pop(rest), vocabulary)


def continues(before: Paragraph, after: Paragraph) -> bool:
    """Tell whether two paragraphs can be one, by their letters, their edges and their words."""
    if (
        before.rows
        or after.rows
        or before.verse
        or after.verse
        or abs(before.size - after.size) > 0.6
        or before.bold != after.bold
    ):
        return False
    first = after.parts[0][1]
    if _ITEM.match(first):
        return False
    if before.full and before.indented and not after.indented:
        return True  # where paragraphs are indented, a first line at the edge is no first line
    if ends_sentence(before.ending) or after.indented:
        return False
    if _broken_word(before.ending) and first[0].islower():
        return True
    if before.lines < 2:  # the first line of a paragraph, or a heading
        turns = after.first_page > before.parts[-1][0]  # the page: below a heading stands what it heads
        least = _LONG_LINE if turns and not before.full else _LEAST_LINE
        return (before.full or turns) and first[0].islower() and len(before.ending) >= least
    return first[0].islower() or before.ending.endswith((*_HYPHENS, ",")) or bool(_CJK.match(first))


def _paragraphs_of(lines: list[Line], page: int, vocabulary: Vocabulary, letters: Type) -> list[Paragraph]:
    pitch = _pitch(lines)
    left = _common([line.x0 for line in lines])
    right = max(line.x1 for line in lines)
    stanzas = _stanzas(lines, pitch, right)
    hanging = _is_hanging([line for line in lines if id(line) not in stanzas], left)
    found: list[Paragraph] = []
    printed: list[list[Line]] = []  # the lines of each
    for number, line in enumerate(lines):
        before = lines[number - 1] if number else None
        full = line.x1 > right - 0.03 * (right - left)
        begins = stanzas.get(id(line))
        if begins is None:
            begins = before is None or _begins(before, line, found[-1], pitch, left, right, hanging)
        if begins:
            paragraph = Paragraph([(page, line.text)], line.size, line.bold, line.y0, line.cells > 1)
            paragraph.indented = line.x0 - left > 0.7 * line.size
            paragraph.aside = line.aside
            found.append(paragraph)
            printed.append([])
        else:
            paragraph = found[-1]
            if paragraph.rows or line.mono:
                paragraph.parts.append((page, f"\n{line.text}"))
            else:
                paragraph.add(page, line.text, vocabulary)
            paragraph.lines += 1
        paragraph.full = full
        printed[-1].append(line)
    for paragraph, own in zip(found, printed, strict=True):
        verse = not paragraph.rows and (id(own[-1]) in stanzas or _is_verse(own, right))
        if verse and not any(map(letters.stands_out, own)):
            paragraph.verse = True
            paragraph.parts = [(page, f"\n{line.text}" if at else line.text) for at, line in enumerate(own)]
    return found


def _stanzas(lines: list[Line], pitch: float, right: float) -> dict[int, bool]:
    """Map ids of the lines of stanzas, of which some are set in and yet begin nothing, to whether they do."""
    found: dict[int, bool] = {}
    run: list[Line] = []
    for line in [*lines, None]:
        if line is not None and run and _is_next(run[-1], line, pitch) and _is_alike(run[-1], line):
            run.append(line)
            continue
        margins = {round(one.x0) for one in run}
        set_in = 2 <= len(margins) <= min(_MOST_MARGINS, len(run) - 1) and not _is_listed(run)
        if set_in and _is_verse(_at_one_edge(run), right):
            ended = sum(ends_sentence(one.text) for one in run[:-1])
            if ended <= _OPEN * (len(run) - 1):
                found |= {id(one): one is run[0] for one in run}
        run = [] if line is None else [line]
    return found


def _is_listed(lines: list[Line]) -> bool:
    """Tell items and references, whose lines are set in as well, by marks, figures and length."""
    figures = sum(any(map(str.isdigit, line.text)) for line in lines)
    long = any(len(line.text) > _LONGEST_VERSE for line in lines)
    return long or figures > _FIGURES * len(lines) or any(_ITEM.match(line.text) for line in lines)


def _at_one_edge(lines: list[Line]) -> list[Line]:
    left = min(line.x0 for line in lines)
    return [replace(line, x0=left, x1=line.x1 - line.x0 + left) for line in lines]


def _is_next(before: Line, line: Line, pitch: float) -> bool:
    """Tell whether a line stands one step below another."""
    return -1 <= line.y0 - before.y0 <= max(1.45 * pitch, 1.35 * line.size)


def _is_alike(before: Line, line: Line) -> bool:
    return (
        abs(line.size - before.size) < 0.8
        and (line.bold, line.aside) == (before.bold, before.aside)
        and line.cells == before.cells == 1
    )


def _is_verse(lines: list[Line], right: float) -> bool:
    """Tell whether lines end where their author ended them: they begin with capitals, and most had room for
    the first word of the next."""
    if len(lines) < _LEAST_VERSE or any(line.mono or _broken_word(line.text) for line in lines):
        return False
    if all(line.text.isupper() for line in lines):
        return False  # in capitals, none of them says where a line begins
    capitals = sum(next(filter(str.isalnum, line.text), "").isupper() for line in lines)
    if capitals < _CAPITALS * len(lines):
        return False
    had_room = 0
    for line, below in zip(lines, lines[1:], strict=False):
        letter = (below.x1 - below.x0) / len(below.text)
        had_room += line.x1 + letter * (len(below.text.split()[0]) + 1) < right
    return had_room >= _ROOM * (len(lines) - 1)


def _begins(
    before: Line, line: Line, paragraph: Paragraph, pitch: float, left: float, right: float, hanging: bool
) -> bool:
    """Tell whether a line begins a new paragraph."""
    if (line.cells > 1) != paragraph.rows or line.aside != before.aside:
        return True
    if _broken_word(before.text) and line.text[0].islower() and abs(line.size - before.size) < 0.8:
        return False  # in the middle of a word, whatever the lines look like
    if not _is_next(before, line, pitch):
        return True
    if paragraph.rows or _runs_into(before, line, left, right):
        return False
    if abs(line.size - before.size) > max(0.8, 0.08 * before.size) or line.bold != before.bold:
        return (
            line.bold != before.bold and _splits_at_bold(before, line) or abs(line.size - before.size) > 0.8
        )
    if _ITEM.match(line.text) and (ends_sentence(before.text) or line.x0 <= before.x0 + 1):
        return True
    indent = line.x0 - left
    if hanging and (indent > 0.7 * line.size or indent < -1):
        return False
    if hanging and indent < 0.3 * line.size and not _is_open(before, left, right):
        return True
    if indent > 0.7 * line.size and line.x0 - before.x0 > 0.7 * line.size and not _ITEM.match(before.text):
        return True  # first line of an indented paragraph
    if indent > 0.7 * line.size and abs(line.x0 - before.x0) < 1 and ends_sentence(before.text):
        return True  # one indented paragraph of a single line after another
    return before.x1 < right - 0.18 * (right - left) and ends_sentence(before.text)


def _runs_into(before: Line, line: Line, left: float, right: float) -> bool:
    """Tell whether a sentence runs from a full line into one that begins small, wherever that stands."""
    alike = min(before.size, line.size) >= _NEARLY_AS_LARGE * max(before.size, line.size)
    prose = not before.mono and not line.mono and not _ITEM.match(line.text)
    return alike and prose and line.text[0].islower() and _is_open(before, left, right)


def _is_open(line: Line, left: float, right: float) -> bool:
    """Tell whether a line runs up to the right edge inside a sentence."""
    full = line.x1 > right - _NEARLY_FULL * (right - left) and len(line.text) >= _LEAST_LINE
    return full and not line.text[-1].isdigit() and not ends_sentence(line.text)  # figures end an index entry


def _splits_at_bold(before: Line, line: Line) -> bool:
    """Tell a bold line that is a heading of its own from bold words that happen to fill a line of prose."""
    bold = before if before.bold else line
    return not ends_sentence(bold.text) or bold is before


def _is_hanging(lines: list[Line], left: float) -> bool:
    """Tell whether first lines stand out to the left (lists, references) rather than in to the right."""
    ended: dict[bool, list[bool]] = {True: [], False: []}
    for before, line in zip(lines, lines[1:], strict=False):
        ended[line.x0 - left > 0.7 * line.size].append(ends_sentence(before.text))
    if len(ended[True]) < 2 or not ended[False]:
        return False
    share = {indented: sum(ends) / len(ends) for indented, ends in ended.items()}
    return share[False] > share[True] + 0.3


def _pitch(lines: list[Line]) -> float:
    """Return the usual distance from line to line."""
    steps = [round(below.y0 - above.y0, 0) for above, below in zip(lines, lines[1:], strict=False)]
    steps = [step for step in steps if step > 2]
    if not steps:
        return 1.3 * lines[0].size
    common = Counter(steps).most_common()
    # among the steps that are nearly as common as any, the smallest is the line pitch
    return float(min(step for step, count in common if count >= 0.5 * common[0][1]))


def _common(values: list[float]) -> float:
    """Return the left edge: the smallest of the usual starts."""
    counts = Counter(round(value) for value in values)
    most = max(counts.values())
    return float(min(value for value, count in counts.items() if count >= 0.4 * most))

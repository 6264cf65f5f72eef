"""Outline: the chapter headings of a plain text, found by their wording and by the space around them.

Headings that stand in a list with nothing between them are a table of contents and open no chapter.
"""

import re
from dataclasses import dataclass

from ingest.headings import EASTERN, is_number_only, read_heading
from ingest.reflow import Paragraph, is_spaceless

_NAMED = frozenset(
    ["preface", "introduction", "prologue", "prelude", "epilogue", "conclusion", "foreword", "afterword"]
    + [
        "postscript",
        "appendix",
        "footnotes",
        "notes",
        "glossary",
        "index",
        "interlude",
        "dedication",
        "envoi",
    ]
    + ["author's note", "dramatis personae", "introductory", "finale", "vorwort", "einleitung"]
)
_NAMED |= frozenset(
    ["nachwort", "prolog", "epilog", "préface", "prologue", "épilogue", "avant-propos", "prólogo", "epílogo"]
    + ["prefazione", "prologo", "epilogo", "предисловие", "пролог", "эпилог", "послесловие", "введение"]
)
_NAMED_EASTERN = re.compile(
    r"(?:序[章幕言曲]?|楔子|引[子言]|前言|尾[声聲]|[后後][记記]|[终終]章|跋|番外篇?|自序|プロローグ|エピローグ|あとがき|まえがき|はじめに"
    r"|おわりに|프롤로그|에필로그|머리말|작가의 말)(?:[ \u3000:：]{1,2}[^。！？；，：、“”…]{1,20})?"
)
_OUTER = frozenset(["volume", "part", "book", "act", "teil", "część", "часть"])
_BARE_NUMERAL = re.compile(r"(?:[IVXLC]+|\d{1,3})\.?")
_NUMBERED_TITLE = re.compile(r"[IVXLC]+(?:\.|:| [—–-]+) *[\"“'‘]?[A-ZÀ-Þ\d]")
_EASTERN_LINE = re.compile(
    rf"(?P<lead>[^\W\d_]{{1,6}}[ \u3000]{{1,2}})?(?:{EASTERN.pattern})"
    r"(?:[ \u3000:：、.·—-]{1,3}.{1,40}|[^。！？；，：、“”‘’\s,.!?;:]{1,16})?"
)
_VOLUME = "卷巻"  # before its number without 第: a heading where others count on
_SENTENCE_SIGNS = frozenset("。！？；，：、“”…")
_LONGEST_EASTERN = 20  # letters of a title below its number
_LONGEST = 120
_LIST_GAP = 160  # fewer characters between two headings than any chapter has
_RANKS = {"outer": 1, "title": 1, "kinded": 2, "bare": 3}


@dataclass
class Mark:
    """A heading made of `count` paragraphs from number `index` on."""

    index: int
    count: int
    title: str
    form: str  # outer, kinded (Chapter 3), bare (III.), named (Preface), title (ALL CAPS)
    key: tuple[str, int | str]
    level: int = 1


def find_outline(paragraphs: list[Paragraph]) -> list[Mark]:
    """Find the headings in order, with levels from 1 on."""
    marks: list[Mark] = []
    for index in range(len(paragraphs)):
        inside = marks and index < marks[-1].index + marks[-1].count
        mark = None if inside else _read(paragraphs, index)
        if mark:
            marks.append(mark)
    marks = _without_lone_volumes(marks)
    offsets = _offsets(paragraphs)
    marks = _without_contents(_without_title_lines(marks), offsets)
    marks = _without_page_numbers(marks, offsets)
    forms = {mark.form for mark in marks}
    lowest = min((_RANKS[form] for form in forms if form in _RANKS), default=1)
    for mark in marks:
        mark.level = _RANKS.get(mark.form, lowest)
    return marks


def _read(paragraphs: list[Paragraph], index: int) -> Mark | None:
    paragraph = paragraphs[index]
    lines = [line.strip() for line in paragraph.lines]
    if len(lines) > 3 or sum(map(len, lines)) > _LONGEST:
        return None
    if not paragraph.blanks and not (_is_eastern(lines) or _is_named_eastern(lines)):
        return None
    form, key = _form(lines, paragraph, index == 0)
    if form is None:
        return None
    title, count = _join_title(lines), 1
    if is_number_only(title) and index + 1 < len(paragraphs):
        below = paragraphs[index + 1]
        if _is_title(below):
            title = _join_title([title, *below.lines])
            count = 2
    return Mark(index, count, title, form, key)


def _form(lines: list[str], paragraph: Paragraph, first_of_all: bool) -> tuple[str | None, tuple]:
    first = lines[0].strip("[]*【】 ")
    eastern = _EASTERN_LINE.fullmatch(first) if _is_eastern(lines) else None
    numbered = read_heading(first.removeprefix(eastern["lead"] or "")) if eastern else None
    if eastern and numbered:
        form = {"section": "bare", "part": "outer", "volume": "outer", "act": "outer"}.get(numbered.kind)
        kind = _VOLUME if numbered.name[0] in _VOLUME else numbered.kind
        return form or "kinded", ((eastern["lead"] or "") + kind, numbered.number)
    heading = read_heading(first)
    plain = first.rstrip(".:").casefold()
    if heading and _BARE_NUMERAL.fullmatch(first):
        return "bare", ("chapter", heading.number)
    if heading and heading.name.startswith("Chapter") and _NUMBERED_TITLE.match(first):
        if len(lines) < 3 and _looks_titled(first.partition(" ")[2]):
            return "bare", ("chapter", heading.number)
        return None, ()
    if heading and first[0].isupper() and _ends_like_heading(first, heading.name, lines[1:]):
        if not first.casefold().startswith(heading.kind):
            return None, ()
        return "outer" if heading.kind in _OUTER else "kinded", (heading.kind, heading.number)
    if _is_named_eastern(lines):
        return "named", ("named", first)
    if plain in _NAMED and len(lines) == 1 and first[0].isupper():
        return "named", ("named", plain)
    if paragraph.blanks >= 2 and _is_capitals(lines) and not first_of_all:
        return "title", ("title", " ".join(lines).casefold().strip(". "))
    return None, ()


def _is_named_eastern(lines: list[str]) -> bool:
    return len(lines) == 1 and _NAMED_EASTERN.fullmatch(lines[0].strip("[]*【】 ")) is not None


def _is_eastern(lines: list[str]) -> bool:
    """Tell a line like "第三章 渡口", which needs no blank line before it, from a sentence about it."""
    first = lines[0].strip("[]*【】 ")
    return len(lines) == 1 and first[-1:] not in _SENTENCE_SIGNS and bool(_EASTERN_LINE.fullmatch(first))


def _ends_like_heading(first: str, name: str, others: list[str]) -> bool:
    """Tell a heading from the beginning of a sentence that happens to say "Part one of …"."""
    tail = " ".join([first, *others])[len(name) :].strip(" .:;,—–-")
    return not tail or tail[0].isupper() or tail[0] in "\"“'‘(" or tail[0].isdigit() or len(tail) < 40


def _looks_titled(words: str) -> bool:
    parts = [word for word in re.split(r"[\s—-]+", words) if word[:1].isalpha()]
    large = sum(word[0].isupper() or len(word) < 4 for word in parts)
    return bool(parts) and large >= 0.6 * len(parts) and len(words) <= 80


def _is_capitals(lines: list[str]) -> bool:
    text = " ".join(lines)
    letters = [letter for letter in text if letter.isalpha()]
    large = any(letter.isupper() for letter in letters) and not any(letter.islower() for letter in letters)
    return len(lines) <= 2 and len(text) <= 70 and len(letters) >= 4 and large


def _is_title(paragraph: Paragraph) -> bool:
    """Tell a short block below "Chapter II" that is its title, not its first sentence."""
    text = " ".join(line.strip() for line in paragraph.lines)
    if len(paragraph.lines) > 2 or len(text) > 90 or read_heading(text) or not text[0].isprintable():
        return False
    if _is_capitals([text[:70]]):
        return True
    if is_spaceless(text):
        return len(text) <= _LONGEST_EASTERN and not _SENTENCE_SIGNS & set(text)
    return text[-1] not in ".,;:" and _looks_titled(text.strip("\"“”'‘’_"))


def _join_title(lines: list[str]) -> str:
    parts = [" ".join(line.split()) for line in lines]
    title = parts[0]
    for part in parts[1:]:
        title += (" " if title[-1] in ".:—-" or not is_number_only(title) else ": ") + part
    return title


def _offsets(paragraphs: list[Paragraph]) -> list[int]:
    """Count the characters before each paragraph; one more count for the end."""
    offsets = [0]
    for paragraph in paragraphs:
        offsets.append(offsets[-1] + sum(map(len, paragraph.lines)))
    return offsets


def _without_title_lines(marks: list[Mark]) -> list[Mark]:
    """Keep lines in capitals as headings only where no chapter is called a chapter, and never alone."""
    forms = [mark.form for mark in marks]
    if forms.count("kinded") > 1 or forms.count("title") < 3:
        return [mark for mark in marks if mark.form != "title"]
    skip = {"contents", "the end", "finis", "end", "by", "illustrations", "list of illustrations"}
    return [mark for mark in marks if mark.form != "title" or mark.key[1] not in skip]


def _without_lone_volumes(marks: list[Mark]) -> list[Mark]:
    """Leave out lines like "卷一 风" that neither go on from another nor are gone on from."""
    counted = {mark.key[1] for mark in marks if mark.key[0].endswith(_VOLUME)}
    beside = {number + step for number in counted if isinstance(number, int) for step in (-1, 1)}
    return [mark for mark in marks if not mark.key[0].endswith(_VOLUME) or mark.key[1] in beside]


def _without_contents(marks: list[Mark], offsets: list[int]) -> list[Mark]:
    last = {mark.key: number for number, mark in enumerate(marks)}
    ends = [mark.index for mark in marks[1:]] + [len(offsets) - 1] * bool(marks)
    kept: list[Mark] = []
    run: list[Mark] = []
    for number, (mark, end) in enumerate(zip(marks, ends, strict=True)):
        body = offsets[end] - offsets[min(end, mark.index + mark.count)]
        following = marks[number + 1] if number + 1 < len(marks) else None
        repeated = last[mark.key] > number
        # the last line of a list has more behind it, but then the first heading of the list comes again
        closes = len(run) >= 2 and following is not None and following.key == run[0].key
        if repeated and (body < _LIST_GAP or closes):
            run.append(mark)
            continue
        run = []
        opens = following is not None and _RANKS.get(following.form, 9) > _RANKS.get(mark.form, 0)
        if mark.form == "title" and body < _LIST_GAP and not opens:
            continue  # a line of a title page
        kept.append(mark)
    return kept


def _without_page_numbers(marks: list[Mark], offsets: list[int]) -> list[Mark]:
    """Leave out bare figures that stand close together: they are page numbers or a list."""
    digits = [mark for mark in marks if mark.form == "bare" and mark.title[:1].isdigit()]
    if len(digits) < 2:
        return [mark for mark in marks if mark not in digits]
    span = offsets[digits[-1].index] - offsets[digits[0].index]
    if span / (len(digits) - 1) < 2000:
        return [mark for mark in marks if mark not in digits]
    return marks

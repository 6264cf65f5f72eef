"""What a chapter heading says: its kind (chapter, part, book …) and its number, and how to call it in short.

"CHAPTER XII. In which …", "XII: A Letter" and "Chapter the Twelfth" are all chapter 12, called "Chapter XII";
"第十二章 渡口" is chapter 12 too, called "第十二章", and so is "פרק י״ב".
"""

import re
from dataclasses import dataclass

from ingest.form import Block
from ingest.numerals import numeral, roman

KINDS = (
    "chapter", "part", "book", "volume", "act", "scene", "canto", "letter", "stave", "section", "appendix",
    "lecture", "psalm", "fit", "kapitel", "chapitre", "capitolo", "capítulo", "teil", "hoofdstuk", "kapitola",
    "rozdział", "część", "глава", "часть",
)  # fmt: skip

_NUMBER = r"(?:\d{1,4}|[ivxlcdm]+|(?:the\s+)?[a-z]+(?:[\s-][a-z]+)?)"
_KINDED = re.compile(rf"({'|'.join(KINDS)})\s+(the\s+)?({_NUMBER})(?=$|[\s.:,;—–\-\]])", re.IGNORECASE)
_BARE = re.compile(r"(\d{1,3}|[IVXLCDM]+|[ivxlcdm]+)(?:\.?$|\s*[:.—–]\s*\D|\s+[—–-]\s)")
_INITIAL = re.compile(r"[LCDMlcdm]\.\s*\S")  # "C. Dickens" is a name, not chapter 100
# "第六回合" is the sixth round and "第一集团" the first group: no headings
_EASTERN_NUMBER = "[0-9０-９零〇○一二两兩三四五六七八九十百千]{1,9}"
EASTERN = re.compile(
    rf"第 ?({_EASTERN_NUMBER}) ?"
    r"(部分|[章回节節卷巻部篇集幕折話话編编讲講课課])(?![合团團队隊门門])"
    r"|제 ?(\d{1,4}) ?([장부편막절화])(?=\s|$)"
    r"|(פרק|חלק|שער|כרך|מערכה) +(\d{1,4}|[א-ת]{1,3}[׳'״\"]?[א-ת]?|[א-ת]{4,8})(?= *(?:[:.–—-]|$))"
    rf"|([卷巻])之?({_EASTERN_NUMBER})(?=[\s:：、.·—-]|$)"  # 卷一 风
)
EASTERN_KINDS = dict.fromkeys("章回話话讲講课課折장화", "chapter") | dict.fromkeys("节節절", "section")
EASTERN_KINDS |= dict.fromkeys(["部", "部分", "篇", "集", "編", "编", "부", "편"], "part")
EASTERN_KINDS |= {"卷": "volume", "巻": "volume", "幕": "act", "막": "act"}
EASTERN_KINDS |= {"פרק": "chapter", "חלק": "part", "שער": "part", "כרך": "volume", "מערכה": "act"}
_TRUNCATE = 80


@dataclass(frozen=True)
class Heading:
    """Kind in lower case, number as a value, and the name a person would use."""

    kind: str
    number: int
    name: str


def read_heading(title: str) -> Heading | None:
    """Read kind and number from a title; None when it has none ("Preface", "I am born")."""
    title = " ".join(title.split())
    match = _KINDED.match(title)
    if match:
        words = match[3]
        # "chapter twenty three" takes two words, "chapter three begins" only one
        for candidate in (words, words.rsplit(" ", 1)[0]):
            number = numeral(candidate)
            if number is not None and number >= 0:
                shown = candidate.upper() if roman(candidate) is not None else candidate.title()
                name = f"{match[1].capitalize()} {(match[2] or '').lower()}{shown}"
                return Heading(match[1].lower(), number, name)
        return None
    match = EASTERN.match(title)
    if match:
        number = numeral(match[1] or match[3] or match[6] or match[8])
        kind = EASTERN_KINDS[match[2] or match[4] or match[5] or match[7]]
        return None if number is None else Heading(kind, number, match[0])
    match = _BARE.match(title)
    if match and not _INITIAL.match(title):
        number = numeral(match[1])
        if number is not None:
            return Heading("chapter", number, f"Chapter {match[1].upper()}")
    return None


def short_name(title: str) -> str:
    """Return what a place calls a title: "Chapter XII" where it is numbered, else its first 80 letters."""
    heading = read_heading(title)
    if heading:
        return heading.name
    title = " ".join(title.split())
    return title if len(title) <= _TRUNCATE else title[: _TRUNCATE - 1].rstrip() + "…"


def is_number_only(title: str) -> bool:
    """Tell whether a title is a number and nothing else: "IV.", "Chapter the Third", "BOOK II"."""
    heading = read_heading(title)
    plain = " ".join(title.split()).rstrip(".: ").casefold()
    return heading is not None and plain in (
        heading.name.casefold(),
        heading.name.casefold().removeprefix("chapter "),
    )


def merge_headings(found: list[Block]) -> list[Block]:
    """Put a heading that is only a number together with the heading below it: "Chapter I" + "The Start"."""
    merged: list[Block] = []
    for block in found:
        above = merged[-1] if merged else None
        if above and above.level and block.level and not block.anchors and is_number_only(above.text):
            above.take_in(f"{' ' if above.text[-1] in '.:' else ': '}{block.text}", block)
            above.refs += block.refs
            above.breaks += [(len(above.text), label) for _, label in block.breaks]
        else:
            merged.append(block)
    return merged

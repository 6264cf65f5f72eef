"""From a person's words to an offset or a chapter: what `--until` and `--within` accept."""

import math
import re
from bisect import bisect_left

from ingest.document import Chapter, Document
from ingest.errors import BadInput
from ingest.headings import KINDS, is_number_only, read_heading
from ingest.numerals import numeral

# what is asked has single spaces, see `_plain`
_PERCENT = re.compile(r"(\d{1,9}(?:[.,]\d{1,9})?) ?(?:%|percent|per cent)")
_CHARACTER = re.compile(r"(?:char(?:acter)?|offset) ?(\d{1,12})")
_LINE = re.compile(r"line ?(\d{1,12})")
_PAGE = re.compile(r"(?:pages?|pg\.?|pp?\.?)(?: (\S.*)|(\d+))")
_PARAGRAPH = re.compile(
    r"(?:(?P<chapter>.+?)[,:;]? )??(?:paragraphs?|par\.?|¶) ?(?:\d{1,12} ?[–-] ?)?(?P<number>\d{1,12})"
)
_HEADING = re.compile(r"(?P<chapter>.+), ?heading")
_NUMBERED = re.compile(rf"(?P<kind>{'|'.join(KINDS)}|ch\.?|chap\.?|vol\.?)? ?(?P<number>[\w -]+)")
_INSIDE = re.compile(r" ?[,/>›:] ?")
_DEEPEST = 6  # marks between an outer chapter and an inner one; each may be part of a title
_KIND_SHORT = {"ch": "chapter", "chap": "chapter", "vol": "volume"}
_SHOWN = 6


def find_position(document: Document, words: str) -> int:
    """Find the character offset just after the place that a person named: all before it was read.

    Reads "page 12", "p. xii", "chapter 3", "Chapter III", "Chapter III, paragraph 4", "paragraph 9",
    "Part 2, Chapter 3", a chapter title (or an unambiguous piece of it), "45%", "char 1234", "start",
    "end", and whatever `str(place)` gives. Raises BadInput that names what exists.
    """
    asked = _plain(words)
    found = _position(document, asked)
    if found is None:
        found = _span_end(document, asked)
    if found is None:
        raise BadInput(f"no place called {_quoted(words)} in this document: {_what_exists(document)}")
    return found


def find_start(document: Document, words: str) -> int:
    """Find where a place that a person named begins: a page, a chapter, a paragraph, or the point itself.

    Reads what `find_position` reads. Raises BadInput as that does.
    """
    end, asked = find_position(document, words), _plain(words)
    if end == 0 or _PERCENT.fullmatch(asked) or _CHARACTER.fullmatch(asked):
        return max(0, min(end, len(document.text) - 1))
    if _PAGE.fullmatch(asked):
        return next((page.start for page in document.pages if page.end == end), end)
    chapter = _find_chapter(document, asked)
    if chapter is not None and document.chapters[chapter].end == end:
        return document.chapters[chapter].start
    index = bisect_left([stop for _, stop in document.paragraphs], end)
    return document.paragraphs[min(index, len(document.paragraphs) - 1)][0]


def _position(document: Document, asked: str) -> int | None:
    printed = _printed_position(document, asked)
    if printed is not None:
        return printed
    chapter = _exact_chapter(document, asked)
    if chapter is not None:
        return document.chapters[chapter].end
    found = _simple_position(document, asked)
    return _chapter_position(document, asked) if found is None else found


def _printed_position(document: Document, asked: str) -> int | None:
    """Read what a place prints, before any chapter of that name: a page, a paragraph before the chapters."""
    match = _PAGE.fullmatch(asked)
    if match and document.pages:
        return _labelled_end(document, match[1] or match[2])
    match = _PARAGRAPH.fullmatch(asked)
    if match and not match["chapter"]:
        span = document.paragraph(None, int(match["number"]))
        if span and (not document.pages or span[0] < document.pages[0].start):
            return _block_end(document, span)
    return None


def _block_end(document: Document, span: tuple[int, int]) -> int:
    """Return the end of a block: what of it stands on the first page is called by that page."""
    start, end = span
    first = document.pages[0].start if document.pages else end
    return first if start < first < end else end


def _span_end(document: Document, asked: str) -> int | None:
    """Read a span over a border, named by both its ends ("A – B"): the place after the second."""
    parts = asked.split(" – ")
    for number in range(max(1, len(parts) - _DEEPEST), len(parts)):
        try:
            found = _position(document, " – ".join(parts[number:]))
        except BadInput:
            continue  # the dash belongs to a title
        if found is not None:
            return found
    return None


def find_chapter(document: Document, words: str) -> Chapter:
    """Find the chapter that a person named by number, title or piece of a title.

    Raises BadInput naming what exists.
    """
    found = _find_chapter(document, _plain(words))
    if found is None:
        raise BadInput(f"no chapter called {_quoted(words)} in this document: {_chapters_exist(document)}")
    return document.chapters[found]


def _plain(words: str) -> str:
    return " ".join(str(words).split()).casefold()


def _quoted(words: str) -> str:
    words = " ".join(str(words).split())
    return repr(words if len(words) <= 60 else words[:59] + "…")


def _simple_position(document: Document, asked: str) -> int | None:
    """Find positions that need no chapter: ends, percentages, offsets, lines, pages."""
    size = len(document.text)
    if asked in ("start", "beginning", "the beginning"):
        return 0
    if asked in ("end", "the end"):
        return size
    match = _PERCENT.fullmatch(asked)
    if match:
        share = float(match[1].replace(",", "."))
        if share > 100:
            raise BadInput(f"{asked} is beyond the end: give a percentage from 0 to 100")
        return min(size, math.ceil(size * share / 100))
    match = _CHARACTER.fullmatch(asked)
    if match:
        if int(match[1]) > size:
            raise BadInput(f"character {match[1]} is beyond the end: this document has {size:,} characters")
        return int(match[1])
    match = _LINE.fullmatch(asked)
    if match:
        return _line_end(document.text, int(match[1]))
    match = _PAGE.fullmatch(asked)
    return _page_end(document, match[1] or match[2]) if match else None


def _line_end(text: str, number: int) -> int:
    end = -1
    for _ in range(max(1, number)):
        end = text.find("\n", end + 1)
        if end < 0:
            break
    if number < 1 or (end < 0 and text.count("\n") + 1 < number):
        raise BadInput(f"there is no line {number}: this document has {text.count(chr(10)) + 1:,} lines")
    return len(text) if end < 0 else end


def _page_end(document: Document, label: str) -> int | None:
    if not document.pages:
        return None  # perhaps a chapter is called "Page 3"
    end = _labelled_end(document, label)
    if end is not None or _find_chapter(document, f"page {label}") is not None:
        return end
    raise BadInput(f"there is no page {label}: {_pages_exist(document)}")


def _labelled_end(document: Document, label: str) -> int | None:
    """Return the end of the page of this label, or of the last of "12–14"; a label goes before an alias."""
    ends = {page.alias.casefold(): page.end for page in document.pages if page.alias}
    ends |= {page.label.casefold(): page.end for page in document.pages}
    if label in ends:
        return ends[label]
    # a label may hold a dash itself ("pages A-2–A-4")
    lasts = [label[dash.end() :].strip() for dash in re.finditer("–", label)]
    lasts += [label[dash.end() :].strip() for dash in re.finditer("-", label)]
    return next((ends[last] for last in lasts if last in ends), None)


def _chapter_position(document: Document, asked: str) -> int | None:
    """Find the end of a chapter, of a paragraph or of a heading."""
    match = _PARAGRAPH.fullmatch(asked)
    if match:
        return _paragraph_end(document, match["chapter"], int(match["number"]))
    match = _HEADING.fullmatch(asked)
    if match:
        chapter = _find_chapter(document, match["chapter"])
        span = None if chapter is None else document.paragraph(chapter, 0)
        return span and _block_end(document, span)
    chapter = _find_chapter(document, asked)
    return None if chapter is None else document.chapters[chapter].end


def _paragraph_end(document: Document, named: str | None, number: int) -> int | None:
    chapter = None
    if named is not None:
        chapter = _find_chapter(document, named)
        if chapter is None:
            return None
    span = document.paragraph(chapter, number)
    if span is None or number < 1:
        count = document.paragraph_count(chapter)
        where = "before the first chapter" if chapter is None else f"in {document.chapter_names[chapter]}"
        if not document.chapters:
            where = "in this document"
        raise BadInput(f"there is no paragraph {number} {where}: it has {count}")
    return _block_end(document, span)


def _find_chapter(document: Document, asked: str) -> int | None:
    """Find a chapter by exact name or title, then number, then "outer, inner", then a piece of one title."""
    for find in (_exact_chapter, _numbered_chapter, _nested_chapter, _partial_chapter):
        found = find(document, asked)
        if found is not None:
            return found
    return None


def _exact_chapter(document: Document, asked: str) -> int | None:
    named = {name.casefold(): index for index, name in enumerate(document.chapter_names)}
    if asked in named:
        return named[asked]
    return _only(
        document, [i for i, chapter in enumerate(document.chapters) if _plain(chapter.title) == asked], asked
    )


def _numbered_chapter(document: Document, asked: str) -> int | None:
    asked = re.sub(r"(?:the )?last (\w+)", r"\1 last", asked)
    match = _NUMBERED.fullmatch(asked)
    number = numeral(match["number"]) if match else None
    if match is None or number is None:
        return None
    kind = (match["kind"] or "chapter").rstrip(".")
    kind = _KIND_SHORT.get(kind, kind)
    sections = document.section_numbers
    headings = [
        None if index in sections else read_heading(chapter.title)
        for index, chapter in enumerate(document.chapters)
    ]
    of_kind = {
        index: heading.number for index, heading in enumerate(headings) if heading and heading.kind == kind
    }
    if number == -1:
        counted = list(of_kind) or _body(document)
        return counted[-1] if counted else None
    fits = [index for index, given in of_kind.items() if given == number]
    if fits:
        return _only(document, fits, asked)
    if kind == "chapter" and not of_kind:
        # no title carries a number: count the chapters themselves
        body = _body(document)
        least = min((document.chapters[index].level for index in body), default=0)
        body = [index for index in body if document.chapters[index].level == least]
        return body[number - 1] if 1 <= number <= len(body) else None
    return None


def _body(document: Document) -> list[int]:
    return [index for index, chapter in enumerate(document.chapters) if chapter.kind == "body"]


def _nested_chapter(document: Document, asked: str) -> int | None:
    marks = list(_INSIDE.finditer(asked))
    for mark in marks if len(marks) <= _DEEPEST else ():
        outer = _find_chapter(document, asked[: mark.start()])
        if outer is None:
            continue
        inner = _inside(document, outer, asked[mark.end() :])
        if inner is not None:
            return inner
    return None


def _inside(document: Document, outer: int, asked: str) -> int | None:
    """Find a chapter below `outer`, named by its own title or number."""
    around = document.chapters[outer]
    below = [
        index
        for index, chapter in enumerate(document.chapters)
        if index > outer and chapter.start < around.end and chapter.level > around.level
    ]
    exact = [index for index in below if _plain(document.chapters[index].title) == asked]
    if exact:
        return exact[0]
    wanted = read_heading(asked) if is_number_only(asked) else None
    number = wanted.number if wanted else numeral(asked)
    kind = wanted.kind if wanted else "chapter"
    if number is None:
        return None
    for index in below:
        heading = read_heading(document.chapters[index].title)
        if heading and heading.number == number and heading.kind == kind:
            return index
    return None


def _partial_chapter(document: Document, asked: str) -> int | None:
    if len(asked) < 3:
        return None
    titles = [_plain(chapter.title) for chapter in document.chapters]
    starts = [index for index, title in enumerate(titles) if title.startswith(asked)]
    if starts:
        return _only(document, starts, asked)
    holds = [index for index, title in enumerate(titles) if _holds_words(title, asked)]
    return _only(document, holds, asked)


def _holds_words(title: str, asked: str) -> bool:
    """Tell whether a title has these words one after another, whole ones."""
    title, asked = (" ".join(re.findall(r"\w+", words)) for words in (title, asked))
    return bool(asked) and f" {asked} " in f" {title} "


def _only(document: Document, fits: list[int], asked: str) -> int | None:
    if len(fits) > 1:
        names = ", ".join(repr(document.chapter_names[index]) for index in fits[:_SHOWN])
        more = ", …" if len(fits) > _SHOWN else ""
        raise BadInput(f"{asked!r} could be any of {names}{more}: say which")
    return fits[0] if fits else None


def _what_exists(document: Document) -> str:
    if document.pages:
        return f"{_pages_exist(document)}; a chapter, '45%' or 'char 1234' works too"
    return f"{_chapters_exist(document)}; '45%' or 'char 1234' works too"


def _pages_exist(document: Document) -> str:
    labels = [page.label for page in document.pages]
    if not labels:
        return "it has no pages"
    return (
        f"its pages run from {labels[0]} to {labels[-1]}"
        if len(labels) > 1
        else f"its only page is {labels[0]}"
    )


def _chapters_exist(document: Document) -> str:
    names = document.chapter_names
    if not names:
        return f"it has no chapters, only paragraphs 1 to {document.paragraph_count(None)}"
    if len(names) <= _SHOWN:
        return "its chapters are " + ", ".join(map(repr, names))
    shown = ", ".join(map(repr, names[:3]))
    return f"its {len(names)} chapters are {shown} … {names[-1]!r}"

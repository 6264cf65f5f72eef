"""Questions about the document itself are answered from its table of contents, never by the model.

A model that sees passages invents chapter lists. These answers name only what lies inside the range that may
be read, except for counts, which give nothing away.
"""

import re
from dataclasses import dataclass

from engine.shelf.words import words
from ingest.document import Chapter, Document
from ingest.position import find_chapter

_NUMBER = r"(?:\d+|[ivxlc]+|one|two|three|four|five|six|seven|eight|nine|ten|first|last)"
_HOW_MANY = re.compile(r"\bhow many (chapters|pages|words|parts|sections)\b", re.I)
_LIST = re.compile(
    r"\b(?:list|name|show|give|what are)\b.{0,30}\b(?:chapters|chapter titles|table of contents|contents)\b"
    r"|\btable of contents\b",
    re.I,
)
_TITLE_OF = re.compile(
    rf"\b(?:title|name|called|heading)\b.*\bchapter ({_NUMBER})\b"
    rf"|\bchapter ({_NUMBER})\b.*\b(?:called|titled)\b",
    re.I,
)
_WHO_WROTE = re.compile(r"\b(?:who wrote|the (?:author|writer)(?: of)?)\b(.*)", re.I | re.S)
# nothing more is said, or the work itself is meant: a letter in it has another writer
_WORK = re.compile(
    r"it|this|(?:(?:this|the) (?:book|document|novel|text|story|work|paper|report|article))?", re.I
)
_OWN_TITLE = re.compile(
    r"\bwhat(?:'s| is) (?:the )?(?:title|name) of (?:this|the) (?:book|document|novel)\b", re.I
)
_HOW_LONG = re.compile(r"\bhow long is (?:this|the) (?:book|document|novel|text)\b", re.I)


@dataclass(frozen=True)
class StructureAnswer:
    """Text of the answer and the heading it rests on, if one."""

    text: str
    chapter: Chapter | None = None


def structure_answer(question: str, document: Document, end: int | None = None) -> StructureAnswer | None:
    """Answer a question about chapters, pages, length, title or author; None for any other question.

    end: titles of chapters that start after it are not told.
    """
    end = len(document.text) if end is None else end
    chapters = [chapter for chapter in document.chapters if chapter.kind == "body"]
    if match := _HOW_MANY.search(question):
        return _how_many(match[1].lower(), document, chapters)
    if match := _TITLE_OF.search(question):
        return _title_of(match[1] or match[2], document, chapters, end)
    if _LIST.search(question):
        return _listing(document, chapters, end)
    if _asks_author(question, document.title):
        named = f"{document.title} is by {document.author}." if document.author else None
        return StructureAnswer(named or f"The file of {document.title} does not name its author.")
    if _OWN_TITLE.search(question):
        return StructureAnswer(f"The title is {document.title}.")
    if _HOW_LONG.search(question):
        pages = f" on {len(document.pages)} pages" if document.pages else ""
        return StructureAnswer(f"{document.title} has about {_words(document):,} words{pages}.")
    return None


def _asks_author(question: str, title: str) -> bool:
    """Tell whether a question asks who wrote the work that has that title."""
    if (match := _WHO_WROTE.search(question)) is None:
        return False
    what, named = ([one.word for one in words(part)] for part in (match[1], title))
    return _WORK.fullmatch(" ".join(what)) is not None or what == named


def _words(document: Document) -> int:
    return round(len(document.text.split()), -2) or len(document.text.split())


def _how_many(what: str, document: Document, chapters: list[Chapter]) -> StructureAnswer:
    if what == "words":
        return StructureAnswer(f"{document.title} has about {_words(document):,} words.")
    if what == "pages":
        if document.pages:
            return StructureAnswer(f"{document.title} has {len(document.pages)} pages.")
        return StructureAnswer("This file has no fixed pages; places are given by chapter and paragraph.")
    if not chapters:
        return StructureAnswer(
            "The document has no table of contents and no chapter headings that I could find."
        )
    outer = [chapter for chapter in chapters if chapter.level == min(one.level for one in chapters)]
    inner = len(chapters) - len(outer)
    if not inner:
        return StructureAnswer(f"The table of contents lists {len(chapters)} chapters.")
    return StructureAnswer(
        f"The table of contents lists {len(outer)} main parts and {inner} chapters or sections within them."
    )


def _title_of(number: str, document: Document, chapters: list[Chapter], end: int) -> StructureAnswer | None:
    if number.lower() == "first":
        chapter = chapters[0] if chapters else None
    elif number.lower() == "last":
        chapter = chapters[-1] if chapters else None
    else:
        try:
            chapter = find_chapter(document, f"chapter {number}")
        except ValueError:
            chapter = None
    if chapter is None:
        return StructureAnswer(f"The table of contents lists no chapter {number}.")
    if document.heading_end(chapter) > end:
        return StructureAnswer("That chapter lies beyond the place up to which I may read.")
    return StructureAnswer(f"It is headed “{chapter.title}”.", chapter)


def _listing(document: Document, chapters: list[Chapter], end: int) -> StructureAnswer:
    seen = [chapter for chapter in chapters if document.heading_end(chapter) <= end]
    if not seen:
        return StructureAnswer(
            "The document has no table of contents and no chapter headings that I could find."
        )
    least = min(chapter.level for chapter in seen)
    lines = [f"{'    ' * (chapter.level - least)}- {chapter.title}" for chapter in seen]
    hidden = len(chapters) - len(seen)
    note = f"\n\n{hidden} more lie beyond the place up to which I may read." if hidden else ""
    return StructureAnswer("\n".join(lines) + note)

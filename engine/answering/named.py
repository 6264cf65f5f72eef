"""Places that a question names itself: "Who arrives in chapter 7?", "What is said on page 12?"."""

import re

from ingest.document import Document
from ingest.errors import BadInput
from ingest.position import find_chapter

PLACE = re.compile(
    r"(?:\b(?:in|on|of|from|during|at|within|summari[sz]e|outline|recap) (?:the )?|^\W*)"
    r"(?:(?P<chapter>(?:chapter|part|book|volume|letter|act|canto|section) [\w-]+)|"
    r"(?P<end>first|last) chapter|(?:page|p\.) ?(?P<page>\w+))",
    re.I,
)


def named_range(question: str, document: Document) -> tuple[int, int] | None:
    """Return the characters [start, end) of the chapter or page that a question names, None without one."""
    found = PLACE.search(question)
    if found is None:
        return None
    if found["page"]:
        pages = [page for page in document.pages if found["page"] in (page.label, page.alias)]
        return (pages[0].start, pages[0].end) if pages else None
    if found["end"]:
        body = [chapter for chapter in document.chapters if chapter.kind == "body"]
        chapter = (body[0] if found["end"].lower() == "first" else body[-1]) if body else None
    else:
        try:
            chapter = find_chapter(document, found["chapter"])
        except BadInput:  # "in part because", "on book shelves": no place of this document
            chapter = None
    return None if chapter is None else (chapter.start, chapter.end)


def without_place(question: str) -> str:
    """Return a question without the chapter or page that it names: "What happens?"."""
    found = PLACE.search(question)
    if found is None:
        return question
    verb = re.match(r"(?:summari[sz]e|outline|recap)", found[0], re.I)
    return f"{question[: found.start()]}{verb[0] if verb else ''}{question[found.end() :]}"

"""Document: the text of one file with a place for every character.

Chapters nest: a chapter runs to the next one of its own or a higher level, so it holds its sub-chapters; the
flat list is in reading order and `Document.place` names the innermost. Pages follow one another without gaps.
Paragraphs are the blocks between blank lines; a chapter's heading is its block 0, so "paragraph 4" is the
fourth below the heading. Every lookup is a bisection. All offsets count characters of `Document.text`.
"""

import json
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from operator import attrgetter

from ingest.errors import BadInput
from ingest.form import Picture, Span
from ingest.headings import is_number_only, read_heading, short_name
from ingest.limits import Limits, check_paragraphs

JSON_VERSION = 2
_READ = (1, JSON_VERSION)  # the first one knew of no form
_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Chapter:
    """One entry of the table of contents: `text[start:end]`, level 1 = outermost.

    `kind` is "body", or "front"/"back" for title pages, imprints, indexes and their like.
    """

    title: str
    start: int
    end: int
    level: int = 1
    kind: str = "body"


@dataclass(frozen=True, slots=True)
class Page:
    """One page: its printed label ("xii", "12", "A-3"), `text[start:end]`, and what else it may be called.

    `sure` is how sure its text is, in percent, where that was recognised in a picture (OCR).
    """

    label: str
    start: int
    end: int
    alias: str = ""
    sure: int | None = None


@dataclass(frozen=True)
class Place:
    """Where a span stands in its source; `str(place)` is what `find_position` reads back.

    `chapter` is the index into `Document.chapters` (None before the first), `paragraph` counts from 1 within
    that chapter (0 = its heading), `page` is a label. `last_…` differ only where the span crosses a border.
    """

    start: int
    end: int
    chapter: int | None
    chapter_name: str | None
    paragraph: int
    page: str | None
    last_chapter_name: str | None
    last_paragraph: int
    last_page: str | None

    def __str__(self) -> str:
        if self.page is not None:
            if self.page == self.last_page:
                return f"page {self.page}"
            return f"pages {self.page}–{self.last_page}"
        first = _within(self.chapter_name, self.paragraph)
        if self.last_page is not None:  # it goes over from before the first page
            return f"{first} – page {self.last_page}"
        if self.chapter_name != self.last_chapter_name:
            return f"{first} – {_within(self.last_chapter_name, self.last_paragraph)}"
        if self.paragraph == self.last_paragraph:
            return first
        if self.paragraph == 0:
            return f"{first} – {_within(self.last_chapter_name, self.last_paragraph)}"
        prefix = f"{self.chapter_name}, " if self.chapter_name else ""
        return f"{prefix}paragraphs {self.paragraph}–{self.last_paragraph}"


def _within(chapter: str | None, paragraph: int) -> str:
    part = f"paragraph {paragraph}" if paragraph else "heading"
    return f"{chapter}, {part}" if chapter else part


@dataclass(frozen=True)
class Document:
    """Clean text of one file, and where everything in it stands.

    `paragraphs` are (start, end) spans in order; left empty, they are found at the blank lines of the text.
    `format` is the parser's name ("epub", "pdf", "text", "markdown", "html", "docx"). `spans` (by where they
    begin), `pictures` and the name of the `cover` tell how it is set; a document without them is whole.
    """

    title: str
    author: str
    language: str
    format: str
    text: str
    chapters: Sequence[Chapter] = ()
    pages: Sequence[Page] = ()
    paragraphs: Sequence[tuple[int, int]] = field(default=(), repr=False)
    warnings: Sequence[str] = ()
    spans: Sequence[Span] = field(default=(), repr=False)
    pictures: Sequence[Picture] = field(default=(), repr=False)
    cover: str = ""

    def __post_init__(self) -> None:
        for name in ("chapters", "pages", "warnings", "spans", "pictures"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        paragraphs = tuple((start, end) for start, end in self.paragraphs) or split_paragraphs(self.text)
        object.__setattr__(self, "paragraphs", paragraphs)

    def __len__(self) -> int:
        return len(self.text)

    def place(self, start: int, end: int | None = None) -> Place:
        """Return the place of `text[start:end]` (of one character when `end` is left out)."""
        first = max(0, min(start, len(self.text) - 1))
        last = first if end is None else max(first, min(end, len(self.text)) - 1)
        chapter, paragraph = self._address(first)
        last_chapter, last_paragraph = self._address(last)
        return Place(
            start=first,
            end=last + 1,
            chapter=chapter,
            chapter_name=None if chapter is None else self.chapter_names[chapter],
            paragraph=paragraph,
            page=self._page_label(first),
            last_chapter_name=None if last_chapter is None else self.chapter_names[last_chapter],
            last_paragraph=last_paragraph,
            last_page=self._page_label(last),
        )

    def heading_end(self, chapter: Chapter) -> int:
        """Find where the line that heads a chapter ends."""
        end = self.text.find("\n", chapter.start, chapter.end)
        return chapter.end if end < 0 else end

    def paragraph(self, chapter: int | None, number: int) -> tuple[int, int] | None:
        """Find the span of a numbered paragraph, or None; chapter: its index, None before the first."""
        first, stop = self._paragraph_range(chapter)
        # before the first chapter there is no heading to be number 0
        index = first + number - (1 if chapter is None else 0)
        return self.paragraphs[index] if first <= index < stop else None

    def paragraph_count(self, chapter: int | None) -> int:
        """Count the numbered paragraphs directly in a chapter, heading and sub-chapters excluded."""
        first, stop = self._paragraph_range(chapter)
        return max(0, stop - first - (0 if chapter is None else 1))

    def spans_in(self, start: int, end: int) -> list[Span]:
        """List the spans of form that stand in `text[start:end]`, in part or whole."""
        numbers: list[int] = []
        for longest, (starts, known) in self._spans_by_size.items():
            numbers += known[bisect_left(starts, start - longest) : bisect_left(starts, end)]
        # an empty cell of a table stands where it begins
        return [
            one
            for one in map(self.spans.__getitem__, sorted(numbers))
            if one.end > start or one.start == one.end == start
        ]

    def pictures_in(self, start: int, end: int) -> tuple[Picture, ...]:
        """Return the pictures before, in and right behind `text[start:end]`."""
        ats = self._picture_ats
        return tuple(self.pictures[bisect_left(ats, start) : bisect_right(ats, end)])

    def page_index(self, offset: int) -> int:
        """Return the index of the page on which a character stands, or of the first."""
        return max(0, bisect_right(self._page_starts, offset) - 1)

    def note_at(self, start: int) -> tuple[int, int]:
        """Return the span of the note that begins there: of its paragraph, where nothing tells its end."""
        notes = [one for one in self.spans_in(start, start + 1) if one.kind == "note" and one.start == start]
        _, end = self.paragraphs[max(0, bisect_right(self.paragraph_starts, start) - 1)]
        return start, max([end, *(note.end for note in notes)])

    @cached_property
    def body_start(self) -> int:
        """Return where reading begins: behind title page, imprint and their like, where there are any."""
        kinds = [chapter.kind for chapter in self.chapters]
        if "body" not in kinds or kinds[0] != "front":
            return 0
        return self.chapters[kinds.index("body")].start

    @cached_property
    def references(self) -> dict[int, int]:
        """Return for the beginning of each note where it is first referred to."""
        return {one.value: one.start for one in reversed(self.spans) if one.kind == "reference"}

    @cached_property
    def chapter_names(self) -> tuple[str, ...]:
        """Return one unambiguous name per chapter: "Chapter III", "1660, January", "Notes (2)"."""
        names = [short_name(chapter.title) for chapter in self.chapters]
        taken = Counter(name.casefold() for name in names)
        parents = self._parents
        for index, name in enumerate(names):
            parent = parents[index]
            if parent is None:
                continue
            # parents come first in the list, so theirs are final already
            if is_section(self.chapters[parent], self.chapters[index]):
                names[index] = f"{names[parent]}, {self.chapters[index].title.rstrip('. ')}"
            elif taken[name.casefold()] > 1:
                names[index] = f"{names[parent]}, {name}"
        seen: Counter[str] = Counter()
        used = set()
        for index, name in enumerate(names):
            unique = name
            while unique.casefold() in used:
                seen[name.casefold()] += 1
                unique = f"{name} ({seen[name.casefold()] + 1})"
            used.add(unique.casefold())
            names[index] = unique
        return tuple(names)

    def to_json(self) -> str:
        """Write everything as one line of JSON; `from_json` gives an equal document back."""
        record = {"version": JSON_VERSION} | {item.name: getattr(self, item.name) for item in fields(self)}
        names = [item.name for item in fields(Chapter)]
        record["chapters"] = [{name: getattr(one, name) for name in names} for one in self.chapters]
        for name, kind in (("pages", Page), ("spans", Span), ("pictures", Picture)):
            values = attrgetter(*(item.name for item in fields(kind)))  # `astuple` would copy each of them
            record[name] = [values(one) for one in record[name]]
        return json.dumps(record, ensure_ascii=False)

    @classmethod
    def from_json(cls, line: str) -> "Document":
        """Read what `to_json` wrote. Raises BadInput when it is something else or of another version."""
        try:
            record = json.loads(line)
            if record.pop("version") not in _READ:
                raise BadInput("this document record was written by another version: add the file again")
            record["chapters"] = [Chapter(**chapter) for chapter in record["chapters"]]
            record["pages"] = [Page(*page) for page in record["pages"]]
            record["spans"] = [Span(*span) for span in record.get("spans", ())]
            record["pictures"] = [Picture(*picture) for picture in record.get("pictures", ())]
            return cls(**record)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            if isinstance(error, BadInput):
                raise
            raise BadInput("this document record is damaged: add the file again") from error

    @cached_property
    def section_numbers(self) -> frozenset[int]:
        """Return the indexes of chapters that are only numbered sections of a titled one."""
        return frozenset(
            index
            for index, parent in enumerate(self._parents)
            if parent is not None and is_section(self.chapters[parent], self.chapters[index])
        )

    @cached_property
    def _parents(self) -> tuple[int | None, ...]:
        parents: list[int | None] = []
        open_chapters: list[int] = []
        for index, chapter in enumerate(self.chapters):
            while open_chapters and self.chapters[open_chapters[-1]].level >= chapter.level:
                open_chapters.pop()
            parents.append(open_chapters[-1] if open_chapters else None)
            open_chapters.append(index)
        return tuple(parents)

    @cached_property
    def _spans_by_size(self) -> dict[int, tuple[list[int], list[int]]]:
        """Return where spans begin, and which they are, by a power of two that none is longer than.

        One span over a whole book must not have every other one looked at for each paragraph.
        """
        found: dict[int, tuple[list[int], list[int]]] = {}
        for number, span in enumerate(self.spans):
            starts, known = found.setdefault(1 << (span.end - span.start).bit_length(), ([], []))
            starts.append(span.start)
            known.append(number)
        return found

    @cached_property
    def _picture_ats(self) -> list[int]:
        return [picture.at for picture in self.pictures]

    @cached_property
    def _chapter_starts(self) -> list[int]:
        return [chapter.start for chapter in self.chapters]

    @cached_property
    def _page_starts(self) -> list[int]:
        return [page.start for page in self.pages]

    @cached_property
    def paragraph_starts(self) -> list[int]:
        """Return where the paragraphs begin."""
        return [start for start, _ in self.paragraphs]

    def _address(self, offset: int) -> tuple[int | None, int]:
        """Return (innermost chapter, paragraph number in it) of a character; a gap is of what precedes it."""
        index = bisect_right(self._chapter_starts, offset) - 1
        chapter = index if index >= 0 else None
        first, _ = self._paragraph_range(chapter)
        paragraph = max(first, bisect_right(self.paragraph_starts, offset) - 1)
        return chapter, paragraph - first + (1 if chapter is None else 0)

    def _paragraph_range(self, chapter: int | None) -> tuple[int, int]:
        starts = self._chapter_starts
        begin = 0 if chapter is None else starts[chapter]
        following = 0 if chapter is None else chapter + 1
        until = starts[following] if following < len(starts) else len(self.text) + 1
        # the block in which the chapter begins is its heading, wherever in the block the mark stands
        first = max(0, bisect_right(self.paragraph_starts, begin) - 1)
        stop = bisect_right(self.paragraph_starts, until - 1)
        return first, max(stop, first)

    def _page_label(self, offset: int) -> str | None:
        index = bisect_right(self._page_starts, offset) - 1
        return self.pages[index].label if index >= 0 else None  # what stands before the first printed page


def is_section(parent: Chapter, chapter: Chapter) -> bool:
    """Tell a bare number below a titled, unnumbered chapter: a section of a story, not chapter 3."""
    bare = is_number_only(chapter.title) and not chapter.title[:3].casefold().startswith(
        ("cha", "par", "boo")
    )
    return bare and parent.kind == "body" and read_heading(parent.title) is None


def split_paragraphs(text: str) -> tuple[tuple[int, int], ...]:
    """Return (start, end) of every block of text between blank lines."""
    spans: list[tuple[int, int]] = []
    at = 0
    while at < len(text):
        end = text.find("\n\n", at)
        block = text[at : end if end >= 0 else len(text)]
        stripped = block.strip("\n")
        if stripped:
            start = at + block.index(stripped[0]) if block[0] == "\n" else at
            spans.append((start, start + len(stripped)))
        check_paragraphs(len(spans), _LIMITS)
        at += len(block) + 2
    return tuple(spans)

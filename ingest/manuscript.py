"""Manuscript: where a parser writes paragraphs, chapters and pages down, and the offsets come out exact."""

from collections.abc import Sequence

from ingest.cleaning import flow, layout, one_line
from ingest.document import Chapter, Document, Page
from ingest.errors import BadInput
from ingest.form import Binding, Block, Picture
from ingest.limits import Limits, check_letters, check_paragraphs
from ingest.pictures import Gallery

BREAK = "\n\n"
KEPT = 0.92  # of the letters that a plain reading gives; fewer are told of
MOST_NAMES = 5  # of attached files, in one warning
FEW_LETTERS = 10  # that may always be missing: a page number


class Manuscript:
    """Grows from the front until `document()`. A chapter or page begins at the paragraph written next."""

    def __init__(self, limits: Limits, gallery: Gallery | None = None):
        self.limits = limits
        self.gallery = gallery or Gallery()
        self.binding = Binding()
        self.cover = ""
        self._pictures: list[Picture] = []
        self.warnings: list[str] = []
        self._parts: list[str] = []
        self._size = 0
        self._paragraphs: list[tuple[int, int]] = []
        self._chapters: list[tuple[str, int, str, int]] = []  # title, level, kind, start
        self._pages: list[tuple[str, int, str]] = []  # label, start, alias
        self._labels: dict[str, int] = {}  # how often a printed page of this name was met
        self._expected = 0
        self._left_out = ""

    @property
    def next_start(self) -> int:
        """Return the offset at which the next paragraph will begin."""
        return self._size + len(BREAK) if self._parts else 0

    @property
    def letters(self) -> int:
        """Return the number of characters written so far."""
        return self._size

    def paragraph(self, text: str, keep_layout: bool = False, breaks: Sequence[tuple[int, str]] = ()) -> None:
        """Write one block; white space is put in order, an empty one is left out.

        `breaks` are printed pages that begin in it: an offset in a text that is in order, and a label.
        """
        text = layout(text) if keep_layout else flow(text)
        if not text.strip():
            return
        if self._parts:
            self._parts.append(BREAK)
        start = self.next_start
        self._parts.append(text)
        self._size = start + len(text)
        self._paragraphs.append((start, self._size))
        check_paragraphs(len(self._paragraphs), self.limits)
        for offset, label in breaks:
            self._printed_page(label, min(start + offset, self._size))
        check_letters(self._size, self.limits)

    def block(self, block: Block, part: str = "") -> None:
        """Write one block with its form; its ids and the addresses in it are those of the file `part`."""
        start = self.next_start
        self.paragraph(block.text, block.keep_layout, block.breaks)
        for identity in ("", *block.anchors):
            self.binding.anchor(part, identity, start)
        if self._size > start:
            self.binding.add(block, start, self._size, part)
        self.picture(block.pictures, start, part)

    def picture(self, pictures: Sequence[tuple[int, str, str]], start: int, part: str = "") -> None:
        """Put pictures (offset from `start`, address, words) where they stand."""
        for at, address, words in pictures:
            name = self.gallery.keep(part, address)
            if name or one_line(words):
                self._pictures.append(Picture(min(start + at, self._size), name, one_line(words)))

    def continue_paragraph(self, text: str) -> tuple[int, int]:
        """Add to the last block (a paragraph that runs over a page); returns the span of what was added."""
        start, end = self._paragraphs[-1]
        self._parts.append(text)
        self._size += len(text)
        self._paragraphs[-1] = (start, self._size)
        return end, self._size

    def chapter(self, title: str, level: int = 1, kind: str = "body") -> None:
        """Begin a chapter with the next paragraph, which should be its heading."""
        title = one_line(title)
        if title:
            self._chapters.append((title, max(1, level), kind, self.next_start))

    def page(self, label: str, alias: str = "") -> None:
        """Begin a page with the next paragraph (or with what continues the last one)."""
        self._pages.append((label, self.next_start, alias))

    def page_here(self, label: str, alias: str = "") -> None:
        """Begin a page right here, inside a paragraph that will be continued."""
        self._pages.append((label, self._size, alias))

    def _printed_page(self, label: str, start: int) -> None:
        """Begin a page of a printed edition; one that is told of twice begins where it was first told."""
        if self._pages and self._pages[-1][0] == label:
            return
        count = self._labels.get(label.casefold(), 0) + 1
        self._labels[label.casefold()] = count
        self._pages.append((label if count == 1 else f"{label} ({count})", start, ""))

    def warn(self, words: str) -> None:
        if words not in self.warnings:
            self.warnings.append(words)

    def warn_of_attached(self, names: list[str], program: str) -> None:
        """Warn of files that are attached to this one, which are no part of what is read."""
        if names:
            what = "1 attachment was" if len(names) == 1 else f"{len(names):,} attachments were"
            self.warn(
                f"{what} left out ({few_of(names)}): save what you need from your {program} "
                "and add it as a file of its own"
            )

    def expect(self, text: str, left_out: str) -> None:
        """Count the letters of a plain reading of the file, or of a part of it.

        Where far fewer are written, `document` warns of it; `left_out` says what they may have been.
        """
        self._expected += count_letters(text)
        self._left_out = left_out

    def document(self, *, title: str, author: str, language: str, format: str) -> Document:
        """Close: chapter and page ends, levels without gaps. Raises BadInput when there is no text."""
        text = "".join(self._parts)
        if not text.strip():
            raise BadInput("there is no text in this file: choose another copy")
        self._warn_of_losses(text)
        return Document(
            title=one_line(title) or "Untitled",
            author=one_line(author),
            language=one_line(language),
            format=format,
            text=text,
            chapters=_close_chapters(self._chapters, len(text)),
            pages=_close_pages(self._pages, len(text)),
            paragraphs=self._paragraphs,
            warnings=self.warnings,
            spans=self.binding.spans(),
            pictures=sorted(self._pictures, key=lambda picture: picture.at),
            cover=self.cover,
        )

    def _warn_of_losses(self, text: str) -> None:
        lost = self._expected - count_letters(text)
        if lost >= max(FEW_LETTERS, (1 - KEPT) * self._expected):
            self.warn(f"{lost:,} of {self._expected:,} letters in the file were left out: {self._left_out}")


def few_of(names: list[str]) -> str:
    """Write the first of many names on one line."""
    return ", ".join(map(one_line, names[:MOST_NAMES])) + (" …" if len(names) > MOST_NAMES else "")


def count_letters(text: str) -> int:
    """Count letters and figures."""
    return sum(map(str.isalnum, text))


def _close_chapters(opened: list[tuple[str, int, str, int]], size: int) -> list[Chapter]:
    opened = [entry for entry in opened if entry[3] < size]
    levels = {level: rank for rank, level in enumerate(sorted({entry[1] for entry in opened}), 1)}
    ends = [size] * len(opened)
    waiting: list[int] = []
    for index, (_, level, _, start) in enumerate(opened):
        while waiting and opened[waiting[-1]][1] >= level:
            ends[waiting.pop()] = start
        waiting.append(index)
    return [
        Chapter(title, start, end, levels[level], kind)
        for (title, level, kind, start), end in zip(opened, ends, strict=True)
    ]


def _close_pages(opened: list[tuple[str, int, str]], size: int) -> list[Page]:
    """Close each page where the next begins; one without text holds nothing.

    Labels that repeat are replaced by plain page numbers.
    """
    starts = [min(start, size) for _, start, _ in opened] + [size]
    labels = [label.strip() for label, _, _ in opened]
    if len({label.casefold() for label in labels}) < len(labels) or "" in labels:
        labels = [str(number) for number in range(1, len(labels) + 1)]
    aliases = [alias for _, _, alias in opened]
    return [
        Page(label, starts[index], starts[index + 1], aliases[index]) for index, label in enumerate(labels)
    ]

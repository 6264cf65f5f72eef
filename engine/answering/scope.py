"""Scope: what one question may read, and what said before it may be known."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from engine.answering.history import turns_before
from engine.answering.named import named_range
from engine.answering.prompt import Turn
from engine.library import Library
from engine.shelf.talks import Message
from ingest.errors import BadInput
from ingest.position import find_chapter, find_position

READ = "read"  # the place up to which this reader has read, of one book or of each


@dataclass(frozen=True)
class Scope:
    """Characters [start, end) of each document that one question may read.

    read_only: of all books, only what this reader has read.
    """

    ranges: Mapping[str, tuple[int, int]]
    read_only: bool = False

    @classmethod
    def of(
        cls,
        library: Library,
        words: str | None,
        until: str | None = None,
        within: str | None = None,
    ) -> "Scope":
        """Bound a question to the document called so (None: the shelf), up to a place, within a chapter.

        The place `READ` is how far the library's reader has read, and the only one that the shelf has. Raises
        BadInput for an unknown document or place, a place without a document, or bounds that leave nothing
        to read.
        """
        if words is None:
            if within or until not in (None, READ):
                raise BadInput(f"name a document to bound the answer by a place, or {READ} for what was read")
            # a book is asked from when it can be read on, as it is where it is asked alone
            there = [entry for entry in library.shelf.entries() if entry.characters]
            if not there:
                raise BadInput("the shelf holds no document that can be read yet; add one first")
            if until is None:
                return cls({entry.id: (0, entry.characters) for entry in there})
            begun = {e.id: (0, min(e.position, e.characters)) for e in there if e.position}
            if not begun:
                raise BadInput("you have not read anything of any book yet: ask one of them, or all there is")
            return cls(begun, read_only=True)
        entry = library.find(words)
        document = library.document(entry.id)
        start, end = 0, len(document.text)
        if within:
            chapter = find_chapter(document, within)
            start, end = chapter.start, chapter.end
        if until:
            end = min(end, entry.position if until == READ else find_position(document, until))
        if end <= start and until == READ:
            raise BadInput(f'you have not read so far in "{entry.title}": choose a place, or ask without one')
        if end <= start:
            what = f"nothing of {within}" if within else "nothing"
            raise BadInput(f"{what} stands before {until}; choose a later place")
        return cls({entry.id: (start, end)})

    def narrowed(self, library: Library, question: str) -> "Scope":
        """Return the part of the only document that a question names: "in chapter 7"; else this scope."""
        if self.single is None:
            return self
        low, high = self.ranges[self.single]
        named = named_range(question, library.document(self.single))
        if named is None or max(low, named[0]) >= min(high, named[1]):
            return self
        return Scope({self.single: (max(low, named[0]), min(high, named[1]))})

    @property
    def single(self) -> str | None:
        """Return the only document; None unless there is exactly one."""
        return next(iter(self.ranges)) if len(self.ranges) == 1 else None

    def tokens(self, library: Library) -> int:
        """Count the tokens that may be read; of parts of many books about, opening no bank."""
        if self.single is None:
            ready = library.shelf.ready()
            shares = ((end - start, ready[one]) for one, (start, end) in self.ranges.items() if one in ready)
            return sum(round(part * of.tokens / max(1, of.characters)) for part, of in shares)
        if library.ready_bank(self.single) is None:
            return 0
        return library.stretch(self.single, *self.ranges[self.single]).tokens

    def known(self, library: Library, messages: Sequence[Message]) -> list[Turn]:
        """Return the exchanges of a talk whose answers could not read beyond what may be read now."""
        if self.read_only:
            return turns_before(messages, lambda question: question.settings.get("until") == READ)
        name = self.single
        if name is None or self.ranges[name][1] == len(library.document(name).text):
            return turns_before(messages, lambda question: True)

        def may_know(question: Message) -> bool:
            until, within = question.settings.get("until"), question.settings.get("within")
            return Scope.of(library, name, until, within).ranges[name][1] <= self.ranges[name][1]

        return turns_before(messages, may_know)

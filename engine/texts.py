"""Texts: what the books of one data folder say, found by name and kept open. No model is loaded for it."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from copy import copy
from pathlib import Path
from typing import Self, TypeVar

from engine import aside
from engine.errors import Failure
from engine.intake import Intake, Parser, Recogniser
from engine.paths import Paths
from engine.shelf.entry import Entry
from engine.shelf.fulltext import index_folder
from engine.shelf.shelf import DamagedText, Shelf
from ingest.document import JSON_VERSION, Document
from ingest.errors import BadInput
from ingest.passages import Passage, passages

OPEN_DOCUMENTS = 32
Opened = TypeVar("Opened")


class Texts:
    """The documents of one data folder, to be found and read; the parser is put in from outside."""

    def __init__(self, paths: Paths, parse: Parser, recognise: Recogniser | None = None) -> None:
        self.paths = paths
        self.shelf = Shelf(paths)
        self.shelf.fulltext.remake = self.index
        self.intake = Intake(self.shelf, paths, parse, recognise)
        self._documents: OrderedDict[str, tuple[float, Document]] = OrderedDict()
        self._passages: OrderedDict[str, tuple[float, list[Passage]]] = OrderedDict()
        self._lock = threading.RLock()

    def of(self, owner: str) -> Self:
        """Return the same as another reader sees it, see `Shelf.of`."""
        theirs = copy(self)
        theirs.shelf = self.shelf.of(owner)
        return theirs

    def find(self, words: str) -> Entry:
        """Find the document that a person means: an id, the start of one, or a title."""
        try:
            return self.shelf.find(words)
        except BadInput:
            if Path(words).suffix and ("/" in words or "\\" in words):
                raise BadInput(f"{words}: there is no such file, and no such document on the shelf") from None
            raise

    def index(self, identifier: str) -> None:
        """Make the full-text index of a document that was parsed."""
        aside.done(index_folder, self.paths.document(identifier))

    def document(self, identifier: str) -> Document:
        """Return the parsed document, kept open for a while."""
        return self._opened(self._lock, self._documents, identifier, self._read)

    def passages(self, identifier: str) -> list[Passage]:
        """Return the passages of a document, in order, kept open for a while."""
        indexed = self.shelf.fulltext.passages
        return self._opened(
            self._lock, self._passages, identifier, lambda one: indexed(one) or passages(self.document(one))
        )

    def keep(self, identifier: str, document: Document) -> None:
        """Store what was parsed."""
        entry = self.shelf.store(identifier, document)
        self.shelf.marks.settle(identifier, document)
        with self._lock:  # to read it back would hold up the page while millions of letters are decoded
            self._documents[identifier] = entry.created, document
        self.shelf.configure(identifier, warnings=list(document.warnings) or None, form=JSON_VERSION)

    # inside

    def _opened(
        self,
        lock: threading.RLock,
        kept: "OrderedDict[str, tuple[float, Opened]]",
        identifier: str,
        open_it: Callable[[str], Opened],
    ) -> Opened:
        """Return what is open of a document; the least recently used is let go beyond `OPEN_DOCUMENTS`.

        Another process may remove the document and add it again: what was open before that is let go too.
        """
        created = self.shelf.get(identifier).created
        with lock:
            if identifier not in kept or kept[identifier][0] != created:
                kept[identifier] = created, open_it(identifier)
                while len(kept) > OPEN_DOCUMENTS:
                    kept.popitem(last=False)
            kept.move_to_end(identifier)
            return kept[identifier][1]

    def _read(self, identifier: str) -> Document:
        """Read the text of a document; a damaged one is parsed anew from the file that was kept."""
        try:
            return self.shelf.document(identifier)
        except DamagedText as damage:
            try:
                self.shelf.check_source(identifier)
                document = self.intake.read(identifier)
            except (BadInput, Failure) as error:
                raise Failure(f"{damage}; the file that was kept does not help ({error})") from error
            with suppress(Failure):  # on a full disk it can be read all the same
                self.keep(identifier, document)
                self._passages.pop(identifier, None)
                self.index(identifier)
            return document

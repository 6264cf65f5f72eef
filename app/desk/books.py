"""Books: what the page keeps of the open documents, the same for every reader: leaves, and who is who."""

from collections import OrderedDict
from pathlib import Path
from threading import Lock

from app.desk.state import View
from app.html import leaves
from engine.cast.kept import kept_cast, made_cast
from engine.cast.person import Cast
from engine.library import Library
from ingest.document import Document

KEPT_LEAVES, KEPT_CASTS = 16, 4


class Books:
    """The open documents of one page."""

    def __init__(self, library: Library) -> None:
        self.library = library
        self._starts: OrderedDict[str, tuple[int, list[int]]] = OrderedDict()
        self._casts: OrderedDict[str, Cast] = OrderedDict()
        self._lock = Lock()

    def document(self, identifier: str) -> Document:
        """Return a document of the shelf. Raises BadInput, Failure."""
        return self.library.document(identifier)

    def starts(self, identifier: str) -> list[int]:
        """Return where the leaves of a document begin."""
        document = self.document(identifier)
        with self._lock:
            known = self._starts.get(identifier)
            if known is None or known[0] != len(document.text):
                self._starts[identifier] = (len(document.text), leaves.leaf_starts(document))
                while len(self._starts) > KEPT_LEAVES:
                    self._starts.popitem(last=False)
            return self._starts[identifier][1]

    def leaf(self, view: View) -> leaves.Leaf:
        """Return the leaf in view."""
        return leaves.leaf_of(self.starts(view.document), len(self.document(view.document).text), view.at)

    def paragraph_end(self, view: View) -> int | None:
        """Return where the chosen paragraph ends; None where none was chosen."""
        if view.cursor is None:
            return None
        paragraphs = self.document(view.document).paragraphs
        return next((end for start, end in paragraphs if start <= view.cursor < end), None)

    def cast(self, identifier: str) -> Cast:
        """Return who is who in a document; where it is not made yet it is made, which takes seconds."""
        if (known := self.made_cast(identifier)) is not None:
            return known
        return self._remember(identifier, kept_cast(*self._kept(identifier)))

    def made_cast(self, identifier: str) -> Cast | None:
        """Return who is who in a document at once; None where it is not made yet."""
        path, document = self._kept(identifier)
        with self._lock:
            known = self._casts.get(identifier)
        if known is not None and known.size == len(document.text):
            return known
        made = made_cast(path, document)
        return None if made is None else self._remember(identifier, made)

    def _kept(self, identifier: str) -> tuple[Path, Document]:
        """Return where the cast of a document is kept, and the document."""
        return self.library.paths.cast(identifier), self.document(identifier)

    def _remember(self, identifier: str, cast: Cast) -> Cast:
        with self._lock:
            self._casts[identifier] = cast
            while len(self._casts) > KEPT_CASTS:
                self._casts.popitem(last=False)
        return cast

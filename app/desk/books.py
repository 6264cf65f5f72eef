"""Books: what the page keeps of the open documents, the same for every reader: leaves, and who is who."""

from collections import OrderedDict
from collections.abc import Callable
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
        known = self._cast(identifier, kept_cast)
        assert known is not None
        return known

    def made_cast(self, identifier: str) -> Cast | None:
        """Return who is who in a document at once; None where it is not made yet."""
        return self._cast(identifier, made_cast)

    def _cast(self, identifier: str, read: Callable[[Path, Document], Cast | None]) -> Cast | None:
        document = self.document(identifier)
        with self._lock:
            known = self._casts.get(identifier)
        if known is not None and known.size == len(document.text):
            return known
        if (made := read(self.library.paths.cast(identifier), document)) is None:
            return None
        with self._lock:
            self._casts[identifier] = made
            while len(self._casts) > KEPT_CASTS:
                self._casts.popitem(last=False)
        return made

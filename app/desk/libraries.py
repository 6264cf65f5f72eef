"""Libraries: what the page shows of the demonstration libraries, the same for every reader."""

from dataclasses import dataclass, replace
from pathlib import Path

from app.desk import import_draft, uploads
from app.desk.import_draft import Draft
from app.html import markup
from app.html.demonstrations_html import Facts
from engine.demonstrations.demonstrations import ENCODE, Demonstrations
from engine.demonstrations.files import SUFFIXES
from engine.demonstrations.store import DemonstrationLibrary, Example
from engine.sums import folder_bytes
from ingest.errors import BadInput
from ingest.tables import Table

PAGE = 20


@dataclass(frozen=True)
class Looked:
    """What one browser looks at: a library, some of its examples, the example being edited (0: a new one).

    filled: the library and example that the fields for typing were filled from; see `in_hand`.
    """

    library: str = ""
    offset: int = 0
    part: str = ""
    label: str = ""
    query: str = ""
    editing: int = 0
    filled: tuple[str, int] = ("", 0)

    @property
    def in_hand(self) -> tuple[str, int]:
        """Return the library and example whose text and template can be typed over.

        Another one fills the fields anew; with the same one, what was typed and not saved yet stays.
        """
        return self.library, self.editing

    def kept(self) -> dict[str, str]:
        """Return what the browser remembers over a refresh."""
        return {"library": self.library}


class Libraries:
    """The demonstration libraries of one page."""

    def __init__(self, demos: Demonstrations) -> None:
        self.demos, self.store = demos, demos.store
        self._known: dict[str, tuple[tuple, Facts]] = {}

    def library(self, looked: Looked) -> DemonstrationLibrary | None:
        """Return the library looked at; None when there is none (any more)."""
        try:
            return self.store.get(looked.library) if looked.library else None
        except BadInput:
            return None

    def present(self, looked: Looked) -> Looked:
        """Return what is looked at, as far as it still exists: an example may be removed while in hand."""
        if self.library(looked) is None:
            return Looked()
        return looked if self.example(looked) else replace(looked, editing=0)

    def restored(self, kept: object) -> Looked:
        """Return what a browser looked at before a refresh, as far as it still exists."""
        looked = Looked(str(kept.get("library") or "")) if isinstance(kept, dict) else Looked()
        if self.library(looked) is not None:
            return looked
        every = self.store.libraries()
        return Looked(every[0].id) if len(every) == 1 else Looked()

    def facts(self, library: DemonstrationLibrary) -> Facts:
        """Tell state, encoded examples and size on disk; counted again only when something changed."""
        jobs = self.demos.jobs.all(library.id, kind=ENCODE)
        job = jobs[-1] if jobs else None
        key = (library.changed, job and (job.id, job.state))
        known = self._known.get(library.id)
        if known is None or known[0] != key:
            encoded, _ = self.demos.encoded(library.id)
            size = folder_bytes(self.demos.folder(library.id))
            known = key, Facts(library, self.demos.state(library.id), job, encoded, size)
            self._known[library.id] = known
        return replace(known[1], library=library, job=job)

    def draft(
        self, data: bytes | str, table: Table, into: str, text: str | None = None, label: str | None = None,
        join: bool = False,
    ) -> Draft:  # fmt: skip
        """Check a table row by row, for a new library or for one that is there."""
        return import_draft.judged(self.demos, data, table, into, text, label, join)

    def examples(self, looked: Looked) -> tuple[list[Example], bool]:
        """Return one page of the examples looked at, and whether there are more."""
        found = self.store.examples(
            looked.library, part=looked.part or None, label=looked.label or None, containing=looked.query,
            offset=looked.offset, limit=PAGE + 1,
        )  # fmt: skip
        return found[:PAGE], len(found) > PAGE

    def example(self, looked: Looked) -> Example | None:
        """Return the example being edited."""
        if not looked.editing:
            return None
        found = self.store.examples(looked.library)
        return next((one for one in found if one.id == looked.editing), None)

    def export(self, identifier: str, suffix: str) -> Path:
        """Write a file of all examples, to be downloaded."""
        name = file_name(self.store.get(identifier).name, suffix)
        path = uploads.outgoing(name)
        self.demos.export(identifier, path)
        return path


def file_name(words: str, suffix: str) -> str:
    """Make a harmless file name out of a user's words."""
    if suffix not in SUFFIXES:
        raise BadInput(f"a download is one of {', '.join(SUFFIXES)}")
    letters = "".join(c if c.isalnum() else "-" for c in words.translate(markup.CONTROLS))
    return ("-".join(filter(None, letters.split("-")))[:60] or "library") + suffix

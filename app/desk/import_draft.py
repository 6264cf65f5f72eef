"""Import draft: a table on its way into a demonstration library. Nothing is kept before its reader says so.

The file's bytes stay with the draft, so that it can be read otherwise (encoding, header) without an upload.
"""

import secrets
import tempfile
import threading
from collections import Counter, OrderedDict
from copy import copy
from dataclasses import dataclass
from pathlib import Path

from app.desk import uploads
from engine.demonstrations.demonstrations import Demonstrations
from engine.demonstrations.importing import Preview
from ingest.apart import pasted_table, read_table
from ingest.errors import BadInput
from ingest.spellings import join_spellings, spelling_groups
from ingest.tables import Table

HEADERS = {"Guess": "", "The names of the columns": "names", "An example already": "example"}
_HEADER = {"names": True, "example": False}
# drafts in hand: the newest ones, and no more memory than this for the tables they were read from
KEPT_DRAFTS, KEPT_BYTES = 16, 256 * 1024**2


@dataclass(frozen=True)
class Draft:
    """A table with the columns chosen. data: the file as it came, or the pasted text. into: id of the library
    to join, '' for a new one. preview: None where no row can be judged; `fault` then says why. spellings:
    groups of labels that may be one label each; joined: whether the preview has them as one."""

    data: bytes | str
    table: Table
    into: str = ""
    preview: Preview | None = None
    fault: str = ""
    spellings: tuple[tuple[str, ...], ...] = ()
    joined: bool = False


def table_of(name: str, data: bytes | str, encoding: str = "", header: str = "") -> Table:
    """Read the table in the bytes of a file, or in pasted text. Raises BadInput."""
    named = _HEADER.get(header)
    if isinstance(data, str):
        return pasted_table(data, header=named)
    with tempfile.TemporaryDirectory(prefix="longmem-table-") as folder:
        path = Path(folder) / (Path(name).name or "table")
        path.write_bytes(data)
        return read_table(path, encoding=(encoding or "").strip() or None, header=named)


def uploaded(path: Path, encoding: str = "", header: str = "") -> tuple[bytes, Table]:
    """Return the bytes and the table of an uploaded file, and delete the uploaded copy. Raises BadInput."""
    uploads.inside(path)
    try:
        table = read_table(path, encoding=(encoding or "").strip() or None, header=_HEADER.get(header))
        return path.read_bytes(), table
    finally:
        uploads.discard(path)


def judged(
    demos: Demonstrations,
    data: bytes | str,
    table: Table,
    into: str = "",
    text_column: str | None = None,
    label_column: str | None = None,
    join: bool = False,
) -> Draft:
    """Check every row of a draft; columns that are None are guessed. join: one label for each group of
    spellings."""
    spellings: tuple[tuple[str, ...], ...] = ()
    try:
        preview = demos.preview(table, text_column, label_column, into or None)
        spellings = spelling_groups(preview.counts)
        if join and spellings:
            text, label = preview.text_column, preview.label_column
            preview = demos.preview(joined(table, label), text, label, into or None)
    except BadInput as error:
        return Draft(data, table, into, None, str(error), spellings, join)
    return Draft(data, table, into, preview, "", spellings, join)


def joined(table: Table, label_column: str) -> Table:
    """Write each label of a table as it is written most often."""
    at = table.columns.index(label_column)
    return join_spellings(table, label_column, spelling_groups(Counter(row[at] for row in table.rows)))


class Drafts:
    """One reader's drafts in hand. A browser keeps the mark of its own, so that a refresh loses no table."""

    owner = ""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, tuple[str, Draft]] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, owner: str) -> "Drafts":
        """Return another reader's drafts; all readers' together have room for so many."""
        theirs = copy(self)
        theirs.owner = owner
        return theirs

    def keep(self, draft: Draft) -> str:
        """Keep a draft; returns its mark, which cannot be guessed."""
        mark = secrets.token_urlsafe(16)
        with self._lock:
            self._kept[mark] = (self.owner, draft)
            while len(self._kept) > 1 and (len(self._kept) > KEPT_DRAFTS or self._size() > KEPT_BYTES):
                self._kept.popitem(last=False)
        return mark

    def find(self, mark: str) -> Draft | None:
        """Return the reader's draft of that mark; None when there is none (any more)."""
        with self._lock:
            whose, draft = self._kept.get(mark, ("", None))
        return draft if whose == self.owner else None

    def drop(self, mark: str) -> None:
        """Forget a draft of the reader."""
        with self._lock:
            if self._kept.get(mark, ("", None))[0] == self.owner:
                self._kept.pop(mark, None)

    def _size(self) -> int:
        return sum(len(draft.data) for _, draft in self._kept.values())

"""Importdraft: a table on its way into a demonstration library. Nothing is kept before its reader says so.

The file's bytes stay with the draft, so that it can be read otherwise (encoding, header) without an upload.
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from app import uploads
from engine.demonstrations.demonstrations import Demonstrations
from engine.demonstrations.importing import Preview
from ingest.errors import BadInput
from ingest.tables import Table, pasted_table, read_table

HEADERS = {"Guess": "", "The names of the columns": "names", "An example already": "example"}
_HEADER = {"names": True, "example": False}


@dataclass(frozen=True)
class Draft:
    """A table with the columns chosen. data: the file as it came, or the pasted text. into: id of the library
    to join, '' for a new one. preview: None where no row can be judged; `fault` then says why."""

    data: bytes | str
    table: Table
    into: str = ""
    preview: Preview | None = None
    fault: str = ""


def table_of(name: str, data: bytes | str, encoding: str = "", header: str = "") -> Table:
    """The table in the bytes of a file, or in pasted text. Raises BadInput."""
    named = _HEADER.get(header)
    if isinstance(data, str):
        return pasted_table(data, header=named)
    with tempfile.TemporaryDirectory(prefix="longmem-table-") as folder:
        path = Path(folder) / (Path(name).name or "table")
        path.write_bytes(data)
        return read_table(path, encoding=(encoding or "").strip() or None, header=named)


def uploaded(path: Path, encoding: str = "", header: str = "") -> tuple[bytes, Table]:
    """Bytes and table of an uploaded file, whose copy is deleted. Raises BadInput."""
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
) -> Draft:
    """A draft with every row checked; columns that are None are guessed."""
    try:
        preview = demos.preview(table, text_column, label_column, into or None)
    except BadInput as error:
        return Draft(data, table, into, None, str(error))
    return Draft(data, table, into, preview)

"""A document's row, made again from its folder: from the note beside it, the source, the text and the bank.

The note says what no other file does: the name and title that people gave, and whose it is.
"""

import contextlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine.errors import Failure
from engine.parsed import read_document
from engine.shelf.titles import one_line
from engine.sums import file_hash
from engine.whole import write_whole
from ingest.document import Document
from ingest.errors import BadInput

NOTE = "entry.json"
SOURCE = re.compile(r"source(\.[a-z0-9]{1,8})?")
NOTED = {"content_hash": str, "title": str, "renamed": int, "source_name": str, "source_file": str,
         "created": float, "settings": str}  # fmt: skip


def write_note(folder: Path, row: Mapping[str, Any]) -> None:
    """Keep what only the database knows of a document beside its files, as far as the disk takes it."""
    with contextlib.suppress(OSError):
        write_whole(folder / NOTE, json.dumps({name: row.get(name, 0) for name in NOTED}, indent=1))


def rebuilt_row(folder: Path) -> dict[str, Any] | None:
    """Make the row of the document in `folder` again; None where there is neither its file nor its text."""
    note, document = _note(folder), read_text(folder)
    source = next(iter(sorted(folder.glob("source*"))), None)
    if source is None and document is None:
        return None
    row: dict[str, Any] = {"created": folder.stat().st_mtime, "settings": "{}", "renamed": 0} | note
    row |= {"id": folder.name, "content_hash": note.get("content_hash") or _content_hash(folder, source)}
    row |= {"source_file": source.name if source else note.get("source_file", "source")}
    row |= {"source_bytes": source.stat().st_size if source else 0}
    own = one_line(document.title) if document and not row["renamed"] else ""
    row["title"] = own or note.get("title") or folder.name
    row.setdefault("source_name", row["title"] + Path(row["source_file"]).suffix)
    if document is not None:
        row |= {"author": one_line(document.author), "language": one_line(document.language, 40)}
        row |= {"format": document.format, "characters": len(document.text)}
    return row | _bank_columns(folder / "bank", row["settings"], document is not None)


def read_text(folder: Path) -> Document | None:
    """Read document.json; None where it is not there or not what a parser makes."""
    try:
        document = read_document(folder)
        lines = (document.title, document.author, document.language, document.format, document.text)
        spans = [(one.start, one.end) for one in document.chapters]
        spans += [(one.start, one.end) for one in document.pages]
        spans += [(one.start, one.end) for one in document.spans]
        spans += [(one.at, one.at) for one in document.pictures]
        names = [one.title for one in document.chapters] + [one.label for one in document.pages]
        names += [one.kind for one in document.spans] + [document.cover]
        names += [word for one in document.pictures for word in (one.name, one.words)]
        inside = all(0 <= start <= end <= len(document.text) for start, end in [*spans, *document.paragraphs])
        return document if inside and all(isinstance(one, str) for one in (*lines, *names)) else None
    except (OSError, ValueError, TypeError, RecursionError, BadInput):
        return None


def _content_hash(folder: Path, source: Path | None) -> str:
    """Hash the file, or take what its folder's name tells of it where the file is gone or damaged."""
    digest = file_hash(source) if source else ""
    return digest if digest.startswith(folder.name) else folder.name


def _note(folder: Path) -> dict[str, Any]:
    """Read the note, as far as it belongs to the folder and says what a note says."""
    try:
        values = json.loads((folder / NOTE).read_text(encoding="utf-8"))
        note = {name: kind(values[name]) for name, kind in NOTED.items()}
        settings = json.loads(note["settings"])
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    note |= {name: one_line(note[name]) for name in ("title", "source_name")}
    is_note = isinstance(settings, dict) and SOURCE.fullmatch(note["source_file"])
    return note if is_note and note["content_hash"].startswith(folder.name) else {}


def _bank_columns(folder: Path, settings: str, parsed: bool) -> dict[str, Any]:
    """Read what the manifest of a bank tells: the book is ready where it is whole."""
    from engine.bank.manifest import Manifest  # which brings more along than a shelf needs to open

    try:
        manifest = Manifest.read(folder)
    except (BadInput, Failure):
        manifest = None
    if manifest is None:
        return {"state": "waiting"}
    known = json.loads(settings)
    if manifest.layout.dtype == "int8":
        known.setdefault("dtype", "int8")
    return {
        "state": "ready" if manifest.published and parsed else "waiting",
        "tokens": manifest.counts.tokens,
        "bank_bytes": manifest.nbytes,
        "settings": json.dumps(known),
    }

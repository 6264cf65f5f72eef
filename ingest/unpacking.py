"""Unpacking: a ZIP archive of several books, laid out as files of their own."""

import json
import os
import posixpath
from dataclasses import replace
from pathlib import Path

from ingest.archive import Archive
from ingest.cleaning import one_line
from ingest.errors import named
from ingest.formats import SUFFIXES
from ingest.limits import Limits
from ingest.parse import is_plain_archive
from ingest.source import read_source

_LONGEST_NAME = 120
_MOST_BYTES = 2_000_000_000  # of all books in one archive


def unpack(path: str | os.PathLike, limits: dict, folder: str | os.PathLike) -> str:
    """Write the books of a ZIP archive of several into numbered folders; return their paths as JSON.

    There are none where it is no such archive: `ingest.parse` says what it is. Raises BadInput at a limit.
    """
    source = read_source(path, limits=Limits(**limits))
    if not is_plain_archive(source):
        return "[]"
    wide = replace(source.limits, entry_bytes=source.limits.file_bytes, unpacked_bytes=_MOST_BYTES)
    found: list[str] = []
    with named(one_line(source.name)):
        archive = Archive(source.data, wide, "ZIP archive")
        books = [name for name in archive.names() if _is_book(name)]
        for number, name in enumerate(books if len(books) > 1 else ()):
            at = Path(folder, f"{number:05}", _file_name(name))
            at.parent.mkdir(parents=True)
            # a damaged one is as good as empty, and refused as that by its name when it is added
            at.write_bytes(archive.read(name) or b"")
            found.append(str(at))
    return json.dumps(found)


def _is_book(name: str) -> bool:
    parts = [part for part in name.split("/") if part != ".."]
    hidden = any(part.startswith((".", "__MACOSX")) for part in parts)
    return not hidden and Path(name).suffix.lower() in SUFFIXES


def _file_name(name: str) -> str:
    """Return a name that any system takes, with the ending of the entry."""
    stem, suffix = posixpath.splitext(posixpath.basename(one_line(name)))
    kept = "".join(letter if letter.isalnum() or letter in " -_.,()'" else "_" for letter in stem)
    return (kept.strip(" .")[:_LONGEST_NAME] or "book") + suffix.lower()

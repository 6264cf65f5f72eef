"""Source: one file as its parser gets it: the bytes, the name, and what the person said about it."""

import io
import os
import zipfile
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from ingest.cleaning import one_line
from ingest.errors import BadInput
from ingest.limits import Limits, check_file_size

_ENTRY = b"PK\x01\x02"  # opens each name in the list of a ZIP archive
_MOST_ENTRIES = 100_000


@dataclass(frozen=True)
class Source:
    """`data` is the whole file; `suffix` is its extension in lower case and only ever a hint."""

    name: str
    data: bytes = field(repr=False)
    password: str | None = field(default=None, repr=False)
    encoding: str | None = None
    limits: Limits = Limits()
    pictures: Path | None = None  # the folder in which its pictures are kept
    sheets: Path | None = None  # the folder with what was recognised on its pages (OCR)

    @cached_property
    def suffix(self) -> str:
        return Path(self.name).suffix.lower()

    @cached_property
    def stem(self) -> str:
        """Return the file name as a makeshift title."""
        return " ".join(Path(self.name).stem.replace("_", " ").split()) or "Untitled"

    @cached_property
    def head(self) -> bytes:
        return self.data[:4096]

    @cached_property
    def entries(self) -> tuple[str, ...]:
        """Return the names in a ZIP archive, in its order; none for other files and for damaged archives."""
        if not self.data.startswith(b"PK") or self.data.count(_ENTRY) > _MOST_ENTRIES:
            return ()
        try:
            with zipfile.ZipFile(io.BytesIO(self.data)) as archive:
                return tuple(name.replace("\\", "/") for name in archive.namelist())
        except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError, UnicodeError):
            return ()


def read_source(
    path, *, name=None, password=None, encoding=None, limits=None, pictures=None, sheets=None
) -> Source:
    """Read a file within its size limit; `name` is what its owner calls it. Raises BadInput for what is not a
    readable file."""
    limits = limits or Limits()
    path = Path(os.path.expanduser(path))  # which leaves the home of nobody as it is
    name = Path(name).name if name else path.name
    try:
        if path.is_dir():
            raise BadInput(f"{path} is a folder: give a file")
        if not path.is_file():
            raise BadInput(f"there is no file {path}: check the name")
        check_file_size(one_line(name), path.stat().st_size, limits)
        data = path.read_bytes()
    except OSError as error:
        raise BadInput(
            f"{path} cannot be read ({error.strerror or 'unreadable'}): check its permissions"
        ) from error
    except ValueError as error:
        if isinstance(error, BadInput):
            raise
        raise BadInput("this file name cannot be used: rename the file") from error
    check_file_size(one_line(name), len(data), limits)
    pictures, sheets = (folder and Path(folder) for folder in (pictures, sheets))
    return Source(name, data, password, encoding, limits, pictures, sheets)

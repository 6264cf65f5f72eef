"""Archive: a ZIP file read with caps counted while reading, so that a bomb ends at the cap and not in memory.

Nothing is ever written to disk by an entry's own name, so a path with ".." can reach nothing.
"""

import io
import posixpath
import unicodedata
import zipfile
import zlib
from contextlib import suppress
from urllib.parse import unquote

from ingest.errors import BadInput
from ingest.limits import Limits, megabytes

_BLOCK = 1 << 16
_LISTED = b"PK\x01\x02"  # opens each name in the list of an archive
_MOST_LISTED = 100_000
_RATIO_FLOOR = 1_000_000  # small entries may compress as well as they like


def _file_name(info: zipfile.ZipInfo) -> str:
    """Decode the name of an entry; many programs write UTF-8 without saying so."""
    name = info.filename
    if not info.flag_bits & 0x800:
        with suppress(UnicodeError):
            name = name.encode("cp437").decode("utf-8")
    return name.replace("\\", "/")


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


class Archive:
    """Entries by name. Raises BadInput when the file is no complete ZIP archive or has too many entries."""

    def __init__(self, data: bytes, limits: Limits, what: str):
        self.limits = limits
        self.what = what
        self._unpacked = 0
        self._read = 0
        if data.count(_LISTED) > _MOST_LISTED:
            raise BadInput(f"this {what} lists more than {_MOST_LISTED:,} files: unpack it, or save it anew")
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(data))
        except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError, UnicodeError) as error:
            raise BadInput(
                f"this {what} is damaged (its ZIP archive is incomplete): get another copy"
            ) from error
        infos = [info for info in self._zip.infolist() if info.filename and not info.is_dir()]
        self._entries = {_file_name(info): info for info in infos}
        # of several entries of one name the last is read
        self.doubled = sorted(
            {_file_name(info) for info in infos if self._entries[_file_name(info)].CRC != info.CRC}
        )
        self._folded = {_folded(name): name for name in reversed(self._entries)}

    def __contains__(self, name: str) -> bool:
        return self.find(name) is not None

    def names(self) -> list[str]:
        return list(self._entries)

    def find(self, name: str) -> str | None:
        """Find the entry that a reference means: as written, %-decoded, or in other case or accents."""
        if name in self._entries:
            return name
        for candidate in (name, unquote(name)):
            path = posixpath.normpath(candidate.replace("\\", "/")).lstrip("/")
            if path in self._entries:
                return path
            if _folded(path) in self._folded:
                return self._folded[_folded(path)]
        return None

    def read(self, name: str) -> bytes | None:
        """Read an entry's bytes; None when missing or damaged. Raises BadInput at a cap or a password."""
        found = self.find(name)
        if found is None:
            return None
        info = self._entries[found]
        if info.flag_bits & 0x1:
            raise BadInput(f"this {self.what} is encrypted: remove the protection first")
        self._read += 1
        if self._read > self.limits.entries:
            raise BadInput(
                f"this {self.what} has too many files to read (more than {self.limits.entries:,}): split it"
            )
        blocks, size = [], 0
        try:
            with self._zip.open(info) as stream:
                while block := stream.read(_BLOCK):
                    size += len(block)
                    self._unpacked += len(block)
                    self._check(size, info.compress_size)
                    blocks.append(block)
        except (
            zipfile.BadZipFile,
            zlib.error,
            EOFError,
            OSError,
            NotImplementedError,
            RuntimeError,
            ValueError,
        ) as error:
            if isinstance(error, BadInput):
                raise
            return None
        return b"".join(blocks)

    def _check(self, size: int, packed: int) -> None:
        limits = self.limits
        if size > limits.entry_bytes:
            raise BadInput(
                f"a part of this {self.what} unpacks to more than {megabytes(limits.entry_bytes)}: split it, "
                "or save the text as plain text"
            )
        if size > _RATIO_FLOOR and size > limits.ratio * max(1, packed):
            raise BadInput(
                f"this {self.what} unpacks to over {limits.ratio} times its size (a ZIP bomb): "
                "get another copy"
            )
        if self._unpacked > limits.unpacked_bytes:
            raise BadInput(
                f"this {self.what} unpacks to more than {megabytes(limits.unpacked_bytes)}: split it into "
                "several files"
            )

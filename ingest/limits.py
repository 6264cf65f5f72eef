"""How much a file may ask of the machine before it is refused."""

from dataclasses import dataclass

from ingest.errors import BadInput


@dataclass(frozen=True)
class Limits:
    """Caps for one document; what is counted is counted while reading, never taken from a file's own word."""

    file_bytes: int = 300_000_000
    entries: int = 2_000  # files in a ZIP archive (EPUB, DOCX)
    unpacked_bytes: int = 200_000_000  # of the whole archive
    ratio: int = 200  # unpacked to packed size of one entry
    entry_bytes: int = 20_000_000  # one document inside the archive
    pages: int = 20_000
    characters: int = 50_000_000  # of clean text
    nodes: int = 1_200_000  # elements and attributes of one XML part: a tree takes 130 bytes for each
    nesting: int = 50  # tables in tables, groups in groups
    rows: int = 500_000  # of a table of demonstrations
    cells: int = 3_000_000  # of all its rows together


def check_file_size(name: str, size: int, limits: Limits) -> None:
    """Raise BadInput for an empty file or one above `file_bytes`."""
    if size == 0:
        raise BadInput(f"{name}: the file is empty (0 bytes): choose another copy")
    if size > limits.file_bytes:
        raise BadInput(
            f"{name}: the file is too large ({megabytes(size)}; the limit is {megabytes(limits.file_bytes)})"
        )


def megabytes(size: int) -> str:
    """A size for people: "3.2 MB"."""
    return f"{size / 1e6:,.1f} MB" if size < 1e8 else f"{size / 1e6:,.0f} MB"

"""How much a file may ask of the machine before it is refused."""

from dataclasses import dataclass, replace

from ingest.errors import BadInput

# a file may have so many paragraphs, and one more for so many bytes: packed, thousands of them take a few
_FEW_PARAGRAPHS, _BYTES_OF_ONE = 30_000, 4


@dataclass(frozen=True)
class Limits:
    """Caps for one document; what is counted is counted while reading, never taken from a file's own word."""

    file_bytes: int = 300_000_000
    entries: int = 10_000  # files that are read from a ZIP archive (EPUB, DOCX)
    unpacked_bytes: int = 200_000_000  # of the whole archive
    ratio: int = 200  # unpacked to packed size of one entry
    entry_bytes: int = 20_000_000  # one document inside the archive
    pages: int = 20_000
    characters: int = 50_000_000  # of clean text
    paragraphs: int = 500_000  # a long novel has ten thousand
    objects: int = 2_000_000  # of a PDF
    nodes: int = 1_200_000  # elements and attributes of one XML part: a tree takes 130 bytes for each
    nesting: int = 50  # tables in tables, groups in groups
    rows: int = 500_000  # of a table of demonstrations
    cells: int = 3_000_000  # of all its rows together
    # of the process that reads it (`ingest.apart`), and what each byte of the file allows beside that
    memory_bytes: int = 300_000_000
    memory_factor: int = 10
    most_memory: int = 2_000_000_000
    seconds: float = 30.0  # of a processor
    seconds_per_megabyte: float = 5.0

    def of_size(self, size: int) -> "Limits":
        """Return the limits on a file of `size` bytes, packed as it may be."""
        return replace(self, paragraphs=min(self.paragraphs, _FEW_PARAGRAPHS + size // _BYTES_OF_ONE))

    def memory(self, size: int) -> int:
        """Return the bytes of memory that reading a file of `size` bytes may take."""
        return min(self.memory_bytes + self.memory_factor * size, self.most_memory)

    def time(self, size: int) -> float:
        """Return the processor seconds that reading a file of `size` bytes may take."""
        return self.seconds + self.seconds_per_megabyte * size / 1e6


def check_file_size(name: str, size: int, limits: Limits) -> None:
    """Raise BadInput for an empty file or one above `file_bytes`."""
    if size == 0:
        raise BadInput(f"{name}: the file is empty (0 bytes): choose another copy")
    if size > limits.file_bytes:
        raise BadInput(
            f"{name}: the file is too large ({megabytes(size)}; the limit is "
            f"{megabytes(limits.file_bytes)}): split it, or save its text alone"
        )


def check_letters(letters: int, limits: Limits) -> None:
    """Raise BadInput for more letters than a document may have."""
    if letters > limits.characters:
        raise BadInput(f"the text is too long (more than {limits.characters:,} characters): split the file")


def check_paragraphs(count: int, limits: Limits) -> None:
    """Raise BadInput for more paragraphs than a document may have."""
    if count > limits.paragraphs:
        raise BadInput(f"the text has more than {limits.paragraphs:,} paragraphs: split the file")


def check_nesting(what: str, depth: int, limits: Limits) -> None:
    """Raise BadInput for things, named in the plural, that stand in one another too deep."""
    if depth > limits.nesting:
        raise BadInput(f"{what} stand in one another more than {limits.nesting} deep: save it as text or PDF")


def megabytes(size: int) -> str:
    """Write a size for people: "3.2 MB"."""
    return f"{size / 1e6:,.1f} MB" if size < 1e8 else f"{size / 1e6:,.0f} MB"

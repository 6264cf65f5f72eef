"""A folder of books as texts: parsed one at a time, by the parser that the caller puts in."""

from collections.abc import Callable
from pathlib import Path

from ingest.document import Document
from ingest.errors import BadInput

Parse = Callable[[Path], Document]


def book_files(folder: Path) -> list[Path]:
    """List every file below a folder, in a fixed order; a single file is a folder of one.

    Raises
    ------
    BadInput
        There is no such folder, or nothing in it.
    """
    if folder.is_file():
        return [folder]
    files = sorted(
        path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".")
    ) if folder.is_dir() else []  # fmt: skip
    if not files:
        raise BadInput(f"there are no books in {folder}; give a folder with text files")
    return files


def book_texts(folder: Path, parse: Parse, limit: int = 0) -> dict[str, Callable[[], str]]:
    """Map each name to a function that gives the text of its book; the first `limit` books, 0 for all."""
    files = book_files(folder)[: limit or None]
    return {
        str(file.relative_to(folder) if folder.is_dir() else file.name): _reader(file, parse)
        for file in files
    }


def _reader(file: Path, parse: Parse) -> Callable[[], str]:
    return lambda: parse(file).text

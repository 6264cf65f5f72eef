"""The cast of a document, kept beside its text: made when the book is added, or when first asked for."""

from contextlib import suppress
from pathlib import Path

from engine import aside
from engine.cast.casting import make_cast
from engine.cast.person import Cast
from engine.parsed import read_document
from engine.paths import CAST
from engine.whole import write_whole
from ingest.document import Document


def made_cast(path: Path, document: Document) -> Cast | None:
    """Return who is who in a document, out of the file where it is kept; None where it is not made yet."""
    with suppress(OSError, UnicodeDecodeError):
        cast = Cast.from_json(path.read_text(encoding="utf-8"))
        if cast is not None and cast.size == len(document.text):
            return cast
    return None


def kept_cast(path: Path, document: Document) -> Cast:
    """Return who is who in a document; where it is not made yet it is made, which takes seconds, and kept."""
    if (made := made_cast(path, document)) is not None:
        return made
    cast = aside.done(make_cast, document)
    with suppress(OSError):  # it is made again when it is asked for
        write_whole(path, cast.to_json())
    return cast


def keep_cast(folder: Path) -> None:
    """Have who is who kept beside the document that was parsed into a folder, see `kept_cast`.

    Nothing is handed over but the folder: neither document nor cast, each of which would hold up the page.
    """
    kept_cast(folder / CAST, read_document(folder))

"""The document that a file was parsed into, as it lies in its folder of the shelf."""

from pathlib import Path

from engine.paths import TEXT
from ingest.document import Document


def read_document(folder: Path) -> Document:
    """Read the document of a folder.

    Raises OSError where there is none; UnicodeDecodeError or BadInput where it is not what was written.
    """
    return Document.from_json((folder / TEXT).read_text(encoding="utf-8", errors="surrogatepass"))

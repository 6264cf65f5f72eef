"""Uploads: where the browser's files lie until the shelf has copied them, and how they go."""

import contextlib
import os
import secrets
import shutil
import tempfile
from pathlib import Path

from ingest.errors import BadInput

LIMIT_BYTES = 200 * 1024**2
LIMIT_WORDS = "200 MB"
SUFFIXES = [".epub", ".pdf", ".txt", ".md", ".markdown", ".html", ".htm", ".docx"]


def folder() -> Path:
    """A private folder for uploads, away from the data; Gradio takes it from its environment variable."""
    made = Path(tempfile.mkdtemp(prefix="longmem-uploads-"))
    os.environ["GRADIO_TEMP_DIR"] = str(made)
    return made


def inside(path: Path) -> Path:
    """The path, if it lies in the upload folder: no caller may name another file of this machine."""
    if _home() not in path.resolve().parents:
        raise BadInput("that file was not uploaded; upload it first")
    return path


def outgoing(name: str) -> Path:
    """Where to write a file that is to be downloaded; it lies with the uploads and goes with them."""
    made = _home() / secrets.token_hex(8)
    made.mkdir(parents=True)
    return made / name


def discard(path: Path) -> None:
    """Delete an uploaded copy and the folder made for it; nothing outside the upload folder."""
    path, home = path.resolve(), _home()
    if home not in path.parents:
        return
    with contextlib.suppress(OSError):
        path.unlink()
        if path.parent != home:
            path.parent.rmdir()


def _home() -> Path:
    return Path(os.environ.get("GRADIO_TEMP_DIR", tempfile.gettempdir())).resolve()


def clear(made: Path) -> None:
    """Delete the upload folder with whatever is left in it."""
    shutil.rmtree(made, ignore_errors=True)

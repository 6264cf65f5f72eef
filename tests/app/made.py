"""Documents, entries, jobs and messages as tests want them."""

import re
import secrets
import time
from pathlib import Path

from app.desk import uploads
from engine.shelf.entry import Entry
from engine.shelf.jobs import Job
from engine.shelf.talks import Message
from ingest.document import Chapter, Document
from tests.app.conftest import book


def document(text: str, **more) -> Document:
    return Document("T", "A", "en", "text", text, **more)


def novel_document() -> Document:
    text = book()
    starts = [match.start() for match in re.finditer(r"^## ", text, re.M)]
    chapters = [Chapter(f"Chapter {n + 1}", at, end) for n, (at, end) in
                enumerate(zip(starts, [*starts[1:], len(text)], strict=True))]  # fmt: skip
    return document(text, chapters=chapters)


def entry(**more) -> Entry:
    values = {
        "id": "ab12cd34", "content_hash": "x", "title": "Emma", "author": "Jane Austen", "language": "en",
        "format": "epub", "source_name": "emma.epub", "source_file": "source.epub", "source_bytes": 10,
        "characters": 1000, "tokens": 250, "bank_bytes": 2_000_000, "state": "encoding", "created": 0.0,
        "settings": {}, "position": 120, "opened": None,
    }  # fmt: skip
    return Entry(**values | more)


def job(**more) -> Job:
    values = {
        "id": 7, "document": "ab12cd34", "kind": "add", "options": {}, "state": "running", "wish": "",
        "stage": "encode", "done": 500, "total": 1000, "rate": 100.0, "message": "", "created": 0.0,
        "started": 0.0, "finished": None, "heartbeat": time.time(), "attempts": 1, "worker": "w", "pid": 1,
        "host": "h",
    }  # fmt: skip
    return Job(**values | more)


def message(role: str, text: str, citations=(), position: int = 0, **statistics) -> Message:
    return Message(1, "t", position, role, text, list(citations), statistics, {}, 0.0)


def uploaded(name: str) -> Path:
    """Where the page's server would keep an uploaded file of that name; the folder for it is made."""
    folder = uploads.outgoing(name).parent.parent / secrets.token_hex(32)
    folder.mkdir()
    return folder / name

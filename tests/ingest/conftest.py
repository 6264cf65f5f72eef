"""Fixtures of the parsers' tests."""

from collections.abc import Callable
from pathlib import Path

import pytest

from ingest.document import Document
from ingest.parse import parse
from tests.ingest.invariants import check_document


@pytest.fixture
def read(tmp_path: Path, request: pytest.FixtureRequest) -> Callable[..., Document]:
    """Read bytes or text as a file, by default of the module's NAME, and check the document."""

    def read_bytes(data: bytes | str, name: str | None = None, **options) -> Document:
        path = tmp_path / (name or request.module.NAME)
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        document = parse(path, **options)
        check_document(document)
        return document

    return read_bytes

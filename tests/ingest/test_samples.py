"""Every sample document, row by row; the rest of the collection must at least read cleanly or say why not."""

import functools
import time
from pathlib import Path

import pytest

from ingest.document import Document
from ingest.errors import BadInput
from ingest.parse import parse
from tests.conftest import SHARED_DATA
from tests.ingest.invariants import check_document
from tests.ingest.rows import ROWS, Row

SAMPLES = SHARED_DATA / "samples"
IN_ROWS = {row.file for row in ROWS if row.password is None}
FILES = sorted(
    {path.relative_to(SAMPLES).as_posix() for path in SAMPLES.rglob("*") if path.is_file()} - IN_ROWS
)


@functools.cache
def read(name: str, password: str | None = None) -> tuple[Document | BadInput, float]:
    """(document or what was said instead, processor seconds); each sample is read once."""
    begin = time.process_time()
    try:
        result = parse(SAMPLES / name, password=password)
    except BadInput as error:
        result = error
    return result, time.process_time() - begin


def one_clear_line(error: BadInput) -> str:
    words = str(error)
    assert "\n" not in words and 20 < len(words) < 300, words
    assert "Traceback" not in words and "Error" not in words, words
    return words


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{Path(row.file).name}{'+' if row.password else ''}")
def test_row(shared_data, row: Row):
    document, _ = read(row.file, row.password)
    if row.error:
        assert isinstance(document, BadInput)
        words = one_clear_line(document)
        assert all(part in words for part in row.error), words
        return
    assert isinstance(document, Document), document
    assert not row.title or document.title == row.title
    assert not row.author or document.author == row.author
    assert not row.language or document.language == row.language
    titles = tuple(chapter.title for chapter in document.chapters)
    if isinstance(row.chapters, int):
        assert len(titles) == row.chapters, titles
    elif row.chapters:
        assert titles[: len(row.chapters)] == row.chapters
    for part in row.include:
        assert part in document.text, part
    for part in row.exclude:
        assert part not in document.text, part
    assert row.warning in " ".join(document.warnings)


@pytest.mark.parametrize("name", FILES or [pytest.param("", marks=pytest.mark.skip("no shared samples"))])
def test_every_other_sample_reads_or_says_why_not(name):
    document, _ = read(name)
    if isinstance(document, BadInput):
        words = one_clear_line(document)
        assert "built in a way" not in words, f"the parser stumbled: {words} ({document.__cause__!r})"
        return
    check_document(document)


def test_a_million_words_take_seconds(shared_data):
    document, seconds = read("novels/samuel-pepys_the-diary.epub")
    assert len(document.text.split()) > 1_200_000
    assert seconds < 20

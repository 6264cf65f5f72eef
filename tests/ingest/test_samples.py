"""Every sample document, row by row; the rest of the shared ones must at least read cleanly or say why not.

Those of tests/data are there for everyone; the rows of the shared ones are skipped where those are not.
"""

import functools
import time
from pathlib import Path

import pytest

from ingest.document import Document
from ingest.errors import BadInput
from ingest.parse import parse
from tests.conftest import PROJECT, SHARED_DATA
from tests.ingest.invariants import check_document
from tests.ingest.rows import OWN_ROWS, SHARED_ROWS, Row

OWN = PROJECT / "tests" / "data"
SAMPLES = SHARED_DATA / "samples"
IN_ROWS = {row.file for row in SHARED_ROWS if row.password is None}
FILES = sorted(
    {path.relative_to(SAMPLES).as_posix() for path in SAMPLES.rglob("*") if path.is_file()} - IN_ROWS
)


@functools.cache
def read(name: str, password: str | None = None) -> tuple[Document | BadInput, float]:
    """(document or what was said instead, processor seconds); each sample is read once."""
    begin = time.process_time()
    try:
        result = parse(OWN / name if (OWN / name).exists() else SAMPLES / name, password=password)
    except BadInput as error:
        result = error
    return result, time.process_time() - begin


def one_clear_line(error: BadInput) -> str:
    words = str(error)
    assert "\n" not in words and 20 < len(words) < 300, words
    assert "Traceback" not in words and "Error" not in words, words
    return words


@pytest.mark.parametrize(
    "row", [*OWN_ROWS, *SHARED_ROWS], ids=lambda row: f"{Path(row.file).name}{'+' * bool(row.password)}"
)
def test_row(row: Row):
    if row in SHARED_ROWS and not SHARED_DATA.is_dir():
        pytest.skip("the shared sample data is not on this machine")
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
    assert row.words is None or len(document.text.split()) == row.words
    for words, place in row.places:
        at = document.text.index(words)
        assert str(document.place(at, at + len(words))) == place
    assert row.warning in " ".join(document.warnings)


def test_a_clone_alone_has_a_row_of_every_common_format():
    files = {path for path in OWN.iterdir() if path.name != "README.md"}
    assert {path.name for path in files} == {row.file for row in OWN_ROWS}
    common = {".csv", ".docx", ".epub", ".fb2", ".html", ".md", ".odt", ".pdf", ".pptx", ".rtf", ".txt"}
    assert {path.suffix for path in files} >= common
    sizes = [path.stat().st_size for path in files]
    assert max(sizes) < 60_000 and sum(sizes) < 400_000


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

"""The page of a tiny random model in an empty data folder, served for the tests of a module."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from engine.paths import Paths
from tests.app.browser import chromium, furnished, program, reader  # noqa: F401 (fixtures)


@dataclass
class Served:
    """A running page: its address, its desk, its data folder."""

    url: str
    desk: object
    home: Path


NOUNS = ("keeper", "boat", "storm", "letter", "lamp")


def book(chapters: int = 4, paragraphs: int = 14) -> str:
    """A Markdown novel whose sentences are all different, several leaves long."""
    parts = ["# The Lighthouse of Amber Bay"]
    for chapter in range(1, chapters + 1):
        parts.append(f"## Chapter {chapter}: The {NOUNS[chapter % 5]}")
        for paragraph in range(1, paragraphs + 1):
            parts.append(
                f"In chapter {chapter} the keeper Marigold wrote line {paragraph} of her logbook. "
                f"The lamp number {chapter * 100 + paragraph} burned through the night, and the gulls of the "
                f"bay slept on the roof. Nobody had told her of the boat called Heron{chapter}{paragraph}. "
                + "The sea was grey and the wind came from the west all day long. "
                * 5
            )
    return "\n\n".join(parts) + "\n"


@pytest.fixture(scope="module")
def served(tmp_path_factory, tiny_folder, monkeypatch_module) -> Iterator[Served]:
    """The page in this process, on a free port of 127.0.0.1."""
    from app import access, page, uploads
    from app.view import Desk
    from engine.assistant import Assistant
    from engine.library import Library
    from ingest.parse import parse

    home = tmp_path_factory.mktemp("home")
    monkeypatch_module.setenv("GRADIO_TEMP_DIR", "")
    folder = uploads.folder()
    desk = Desk(Assistant(Library(Paths(home), parse, model=str(tiny_folder))))
    desk.start()
    opened = page.serve(desk, "127.0.0.1", access.free_port("127.0.0.1", None), [])
    yield Served(opened.local_url, desk, home)
    desk.stop()
    opened.close(verbose=False)
    uploads.clear(folder)


@pytest.fixture(scope="module")
def monkeypatch_module() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@pytest.fixture
def novel(tmp_path) -> Path:
    path = tmp_path / "lighthouse.md"
    path.write_text(book(), encoding="utf-8")
    return path

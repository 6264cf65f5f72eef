"""The page of a tiny random model in an empty data folder, served for the tests of a module."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Event

import pytest

from app.desk.desk import Desk
from app.desk.visit import Visit
from engine.paths import Paths
from tests.app.browser import a_free_port, chromium, furnished, program, reader  # noqa: F401 (fixtures)


@dataclass
class Served:
    """A running page: its address, its desk, its data folder."""

    url: str
    desk: Desk
    home: Path

    @property
    def visit(self) -> Visit:
        """A visit without an account."""
        return Visit(self.desk, "")


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
def served(tmp_path_factory, tiny_folder, upload_folder) -> Iterator[Served]:
    """The page in this process, on a free port of 127.0.0.1."""
    with serving(tmp_path_factory.mktemp("home"), tiny_folder) as page:
        yield page


@contextlib.contextmanager
def serving(
    home: Path,
    model: Path,
    accounts: list[tuple[str, str]] | None = None,
    read_only: bool = False,
    host: str = "127.0.0.1",
) -> Iterator[Served]:
    """The page over a data folder; wants `upload_folder`."""
    from app.page import access, page
    from engine.assistant import Assistant
    from engine.library import Library
    from ingest.apart import parse, recognise

    named = access.opened(Paths(home), [f"{user}:{password}" for user, password in accounts or []])
    assistant = Assistant(Library(Paths(home), parse, recognise=recognise, model=str(model)))
    desk = Desk(assistant, read_only, named if accounts else None)
    desk.start()
    opened = page.serve(desk, host, a_free_port())
    yield Served(opened.local_url, desk, home)
    desk.stop()
    opened.close(verbose=False)


@pytest.fixture(scope="module")
def upload_folder(monkeypatch_module) -> Iterator[Path]:
    """Where the pages of a module keep their uploads."""
    from app.desk import uploads

    monkeypatch_module.setenv("GRADIO_TEMP_DIR", "")
    folder = uploads.folder()
    yield folder
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


@dataclass
class Told:
    """Two books on a desk whose answers a test lets come: each asks `gate` before every one of its words."""

    desk: Desk
    books: tuple[str, str]
    gate: Event

    @property
    def visit(self) -> Visit:
        """A visit of their reader, as each event of the page has one."""
        return Visit(self.desk, "")

    def ended(self, view) -> None:
        """Let the answer in the talk of that view come to its end."""
        self.gate.set()
        assert self.desk.speaker.current(view.talk).end.wait(30)

    def said(self, view) -> list[str]:
        """The talk of that view."""
        return [one.text for one in self.desk.shelf.talks.messages(view.talk)]


@pytest.fixture(scope="module")
def two_books(tmp_path_factory, tiny_folder):
    """A desk with two encoded books, and no page."""
    from engine.assistant import Assistant
    from engine.library import Library
    from ingest.parse import parse

    home = tmp_path_factory.mktemp("home")
    assistant = Assistant(Library(Paths(home), parse, model=str(tiny_folder)))
    for number in (1, 2):
        path = tmp_path_factory.mktemp("books") / f"{number}.md"
        path.write_text(book(3, 5).replace("Amber Bay", f"Bay {number}"), encoding="utf-8")
        assistant.library.add(path)
    return Desk(assistant)


@pytest.fixture
def told(two_books, monkeypatch) -> Iterator[Told]:
    """The two books, with made-up answers: "<question> one two three"."""
    from engine.answering.answer import Answer, AnswerEvent

    gate, talks = Event(), two_books.shelf.talks

    def answered(words, question, *, talk=None, stop=None, **bounds):
        talks.append(talk, "user", question)
        text = question
        for word in ("", " one", " two", " three"):
            while not gate.wait(0.01) and not stop.is_set():
                pass
            if stop.is_set():
                break
            text += word
            yield AnswerEvent(word or question)
        talks.append(talk, "assistant", text)
        yield AnswerEvent(answer=Answer(text, stopped=stop.is_set()))

    monkeypatch.setattr(two_books.assistant, "ask", answered)
    first, second = sorted(two_books.shelf.entries(), key=lambda entry: entry.title)
    yield Told(two_books, (first.id, second.id), gate)
    two_books.speaker.stop_all()
    for about in (first.id, second.id, None):
        for talk in talks.about(about):
            talks.delete(talk.id)

"""`add` of many files over a fake assistant: what is told of each, the report, watching; and real workers."""

import contextlib
import json
import os
import signal
import time
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from app.command_line import adding, commands
from engine.executors.executor import Died
from engine.executors.processes import Processes
from ingest.errors import BadInput
from ingest.gathering import gather

FIELDS = {"author": "", "tokens": 9, "bank_bytes": 8, "state": "ready", "warnings": []}


class FakeShelf:
    """Knows a file by its content; refuses what holds "broken"."""

    def __init__(self):
        self.books: dict[str, SimpleNamespace] = {}
        self.shelf = self.library = self.keeper = self
        self.gathering = contextlib.nullcontext

    def entries(self):
        return list(self.books.values())

    def add(self, path, **options):
        words = path.read_text() if path.is_file() else "broken"
        if "broken" in words:
            raise BadInput(f"{path.name} cannot be read")
        return self.books.setdefault(words, SimpleNamespace(id=words, title=path.stem, **FIELDS))

    def rename(self, identifier, title):
        return self.update(identifier, title=title)

    def update(self, identifier, **values):
        vars(self.books[identifier]).update(values)
        return self.books[identifier]


@pytest.fixture
def shelf(monkeypatch) -> FakeShelf:
    made = FakeShelf()
    monkeypatch.setattr(commands, "assistant", lambda arguments: made)
    monkeypatch.setattr(commands, "stay_local", lambda model: None)
    return made


def write(folder: Path, **files: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name, words in files.items():
        (folder / f"{name}.txt").write_text(words)
    return folder


def test_a_folder_is_added_and_one_bad_file_stops_nothing(shelf, tmp_path, capsys):
    folder = write(tmp_path / "books", a="first", b="broken", c="first", d="second")
    assert commands.main(["add", str(folder), "--json"]) == 2
    told = json.loads(capsys.readouterr().out)
    assert (told["added"], told["there_already"]) == (2, 1)
    assert [one["id"] for one in told["documents"]] == ["first", "second", "first"]
    assert told["refused"] == [{"file": str(folder / "b.txt"), "why": "b.txt cannot be read"}]
    assert commands.main(["add", str(folder)]) == 2
    assert "0 added, 3 there already, 1 refused\n  b.txt cannot be read" in capsys.readouterr().err


def test_a_feed_gives_title_and_author(shelf, tmp_path, capsys):
    write(tmp_path, one="first")
    (tmp_path / "feed.atom").write_text(
        '<feed xmlns="http://www.w3.org/2005/Atom"><entry><title>The One</title>'
        '<author><name>A. Writer</name></author><link rel="enclosure" href="one.txt"/></entry>'
        '<entry><title>Far</title><link rel="enclosure" href="http://example.org/b.txt"/></entry></feed>'
    )
    assert commands.main(["add", str(tmp_path / "feed.atom")]) == 2
    assert (shelf.books["first"].title, shelf.books["first"].author) == ("The One", "A. Writer")
    assert "another machine" in capsys.readouterr().err


def test_watching_takes_what_comes_and_what_changes_once_it_is_whole(tmp_path):
    folder = write(tmp_path / "books", a="first")
    steps = iter([lambda: None, lambda: write(folder, b="half"), lambda: write(folder, b="whole now")])

    def wait(seconds):
        next(steps, lambda: None)()

    came = adding.watched([str(folder)], wait)
    assert [next(came).path.name for _ in range(2)] == ["a.txt", "b.txt"]
    assert (folder / "b.txt").read_text() == "whole now"


def work(thing: int) -> int:
    """Count, or end as a process that runs out of memory does; once only where a file is there to tell."""
    if thing == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    mark = Path(os.environ["ADDING_MARK"])
    if thing == 5 and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    if thing == 7:
        raise BadInput("seven")
    return thing * thing


def prepare() -> None:
    """Make nothing ready."""


@pytest.mark.skipif(os.name == "nt", reason="no SIGKILL there")
def test_a_worker_that_dies_costs_nobody_else(tmp_path, monkeypatch):
    monkeypatch.setenv("ADDING_MARK", str(tmp_path / "mark"))
    done = dict(Processes(work, prepare, (), 2).each(range(9)))
    assert isinstance(done.pop(3), Died)
    assert isinstance(done.pop(7), BadInput)
    assert done == {thing: thing * thing for thing in (0, 1, 2, 4, 5, 6, 8)}


def test_a_zip_of_several_books_is_added_book_by_book(tmp_path):
    path = tmp_path / "books.zip"
    with zipfile.ZipFile(path, "w") as made:
        made.writestr("one.txt", "One.")
        made.writestr("two.txt", "Two.")
    with contextlib.ExitStack() as scratch:
        books = [one.path for one in adding.unpacked(gather([str(path)]), scratch)]
        assert [book.read_text() for book in books] == ["One.", "Two."]
        path.write_bytes(b"PK no archive")
        assert [one.path for one in adding.unpacked(gather([str(path)]), scratch)] == [path]
    assert not any(book.exists() for book in books)


@pytest.mark.parametrize("model", ["model", "hub/name", None])
def test_a_worker_that_works_elsewhere_finds_the_models_folder(model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model").mkdir()
    given = adding.sendable(SimpleNamespace(model=model, results=object(), threads=1))
    assert (given.threads, given.results) == (1, None)
    assert given.model == (str(tmp_path / "model") if model == "model" else model)


def beside(thing: int) -> int:
    """End with a process that ends (3), once by oneself, and count the third time (5)."""
    folder = Path(os.environ["ADDING_MARK"])
    begun = len(list(folder.iterdir()))
    if thing == 5:
        (folder / str(begun)).touch()
        time.sleep(60 if begun == 0 else 0)
    while thing == 3 and not list(folder.iterdir()):
        time.sleep(0.05)
    if thing == 3 or begun == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return thing * thing


@pytest.mark.skipif(os.name == "nt", reason="no SIGKILL there")
def test_a_death_beside_another_thing_is_not_counted(tmp_path, monkeypatch):
    monkeypatch.setenv("ADDING_MARK", str(tmp_path))
    done = dict(Processes(beside, prepare, (), 2).each([3, 5]))
    assert isinstance(done[3], Died) and done[5] == 25

"""The data folder is its user's own: what an older version left open, and what is written now."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.library import Library
from engine.paths import Paths
from ingest.parse import parse

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no such rights")


@pytest.fixture(autouse=True)
def umask() -> Iterator[None]:
    """Give the tests that follow their rights back."""
    before = os.umask(0o022)
    yield
    os.umask(before)


def is_open(folder: Path) -> list[str]:
    """What others may do something with, in a folder and below."""
    places = [folder, *folder.rglob("*")]
    return [place.relative_to(folder).as_posix() for place in places if place.lstat().st_mode & 0o077]


def test_what_is_written_is_private(tmp_path, tiny_folder):
    paths = Paths(tmp_path / "data" / "home")
    paths.keep_private()
    book = tmp_path / "book.txt"
    book.write_text("A quiet day in the bay. Nobody came.\n\n" * 40)
    library = Library(paths, parse, model=str(tiny_folder))
    entry = library.add(book)
    talk = library.shelf.talks.create(entry.id)
    library.shelf.talks.append(talk.id, "user", "Who came?")
    assert len(list(paths.home.rglob("*"))) > 10 and is_open(paths.home) == []
    library.shelf.close()
    for place in (paths.home, *paths.home.rglob("*")):  # as another program might have left it
        place.chmod(0o755 if place.is_dir() else 0o644)
    assert paths.reserve.is_file()
    paths.keep_private()
    assert is_open(paths.home) == [], "all that is ours is known to be"


def filled(home: Path) -> Paths:
    """A data folder as it was written once, and a folder that it leads to."""
    paths = Paths(home)
    (paths.documents / "d1" / "bank").mkdir(parents=True)
    (paths.documents / "d1" / "bank" / "keys").write_bytes(b"keys")
    (paths.documents / "d1" / "book.txt").write_text("text")
    paths.database.write_bytes(b"")
    (home.parent / "models").mkdir()
    paths.backbones.symlink_to(home.parent / "models", target_is_directory=True)
    return paths


def test_what_was_open_is_closed(tmp_path):
    paths = filled(tmp_path / "home")
    paths.keep_private()
    assert is_open(paths.home) == ["backbones"], "a link, whose own rights say nothing"
    assert paths.parsed("d1").parent.stat().st_mode & 0o700 == 0o700
    assert (tmp_path / "models").stat().st_mode & 0o077, "which others may use"


def test_what_else_lies_in_the_folder_stays_as_it_is(tmp_path):
    paths = filled(tmp_path / "home")
    (paths.home / "recipes").mkdir()
    paths.keep_private()
    assert sorted(is_open(paths.home)) == [".", "backbones", "recipes"]


def test_there_may_be_no_folder_yet(tmp_path):
    Paths(tmp_path / "none").keep_private()
    assert not (tmp_path / "none").exists()

"""Books outlive their database: whatever becomes of shelf.db, the advice that is given keeps every one."""

import contextlib
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from engine.errors import Failure
from engine.paths import Paths
from engine.shelf import repair
from engine.shelf.rows import RULES, TABLES
from engine.shelf.shelf import Shelf
from ingest.document import Document

TEXT = "The whale is white.\n\nThe sea is wide."
PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture
def shelf(tmp_path):
    """Three books: one read and renamed by ann, one that waits, one with a talk of many messages."""
    shelf = Shelf(Paths(tmp_path / "home"))
    for name in ("one", "two", "three"):
        source = tmp_path / f"{name}.txt"
        source.write_text(f"{name}: {TEXT}")
        entry, _ = shelf.of("ann" if name == "one" else "").add(source)
        if name != "two":
            shelf.store(entry.id, Document("", "A. Nonymous", "en", "text", f"{name}: {TEXT}"))
    shelf.rename(shelf.find("one").id, "My own title")
    shelf.of("ann").read_to(shelf.find("own").id, 7)
    talk = shelf.talks.create(shelf.find("three").id)
    for number in range(400):
        shelf.talks.append(talk.id, "user", f"question {number} " * 20)
    yield shelf
    shelf.close()


def books(shelf: Shelf) -> list[tuple]:
    """What a person knows of the books, in the order they were added."""
    entries = sorted(shelf.entries(), key=lambda entry: entry.created)
    return [(one.id, one.content_hash, one.title, one.author, one.source_name, one.settings,
             one.characters, shelf.source(one.id).read_text()) for one in entries]  # fmt: skip


def gone(database: Path) -> None:
    database.unlink()


def overwritten(database: Path) -> None:
    database.write_bytes(b"something else entirely " * 100)


def truncated(database: Path) -> None:
    os.truncate(database, database.stat().st_size // 2)


def middle(database: Path) -> None:
    """Every page but the first and the last few."""
    size = database.stat().st_size
    with database.open("r+b") as file:
        file.seek(size // 3)
        file.write(os.urandom(size // 3))


def page(database: Path) -> None:
    """One page of the many that hold messages."""
    at = database.read_bytes().index(b"question 200 ")
    with database.open("r+b") as file:
        file.seek(at // 4096 * 4096)
        file.write(bytes(4096))


def emptied(database: Path) -> None:
    database.write_bytes(b"")


DAMAGES = [gone, overwritten, truncated, middle, page, emptied]


@pytest.mark.parametrize("damage", DAMAGES)
def test_no_damage_of_the_database_costs_a_book(shelf, damage):
    before = books(shelf)
    shelf.close()
    damage(shelf.paths.database)
    found = repair.fault(shelf.paths.database)
    if found:
        kept, count = repair.rebuild(shelf.paths)
        assert count == 3 and kept.parent == shelf.paths.found and kept.stat().st_size > 0
    assert bool(found) == (damage not in (gone, emptied))
    shelf.sweep()
    assert books(shelf) == before
    assert repair.fault(shelf.paths.database) == ""
    assert {job.document for job in shelf.jobs.all()} >= {shelf.find("two").id}, "what waited goes on"


def test_what_a_damaged_database_still_tells_is_kept(shelf):
    shelf.close()
    page(shelf.paths.database)
    repair.rebuild(shelf.paths)
    (talk,) = shelf.talks.about(shelf.find("three").id)
    said = [message.text for message in shelf.talks.messages(talk.id)]
    assert 380 < len(said) < 400
    assert said[0] == "question 0 " * 20 and said[-1] == "question 399 " * 20
    assert shelf.of("ann").find("own").position == 7


@pytest.mark.parametrize("damage", [overwritten, truncated, middle])
def test_the_error_line_leads_back_to_every_book(shelf, damage, tiny_folder):
    """The line says what to run, and running it is all that is needed."""
    before = books(shelf)
    shelf.close()
    damage(shelf.paths.database)
    with pytest.raises(Failure) as refusal:
        shelf.entries()
        shelf.talks.messages(shelf.talks.about(shelf.find("three").id)[0].id)
    (advice,) = re.findall(r"python launch\.py ([a-z -]+),", str(refusal.value))
    shelf.close()
    command = [
        sys.executable,
        "-c",
        "import sys; from app.command_line import commands; sys.exit(commands.main(sys.argv[1:]))",
    ]
    environment = os.environ | {"LONGMEM_HOME": str(shelf.paths.home), "PYTHONPATH": str(PROJECT)}
    environment |= {"LONGMEM_MODEL": str(tiny_folder)}
    done = subprocess.run([*command, *advice.split()], env=environment, capture_output=True, text=True)
    assert done.returncode == 0 and "kept as" in done.stdout, done.stderr
    assert [book[:5] for book in books(shelf)] == [book[:5] for book in before]
    assert {entry.state for entry in shelf.entries()} == {"ready"}, "what was not encoded is"


def test_moving_the_database_away_and_starting_again_keeps_every_book(shelf, tmp_path):
    """What earlier versions advised: only shelf.db moves, its log stays where it was."""
    before = books(shelf)
    assert Path(f"{shelf.paths.database}-wal").exists()
    shutil.copytree(shelf.paths.home, tmp_path / "copy")
    paths = Paths(tmp_path / "copy")
    paths.database.rename(tmp_path / "away.db")
    again = Shelf(paths)
    again.sweep()
    again.sweep()
    assert books(again) == before
    assert not paths.found.exists()
    again.close()


def test_an_older_copy_of_the_database_keeps_the_books_added_since(shelf, tmp_path):
    shelf.close()
    shutil.copy(shelf.paths.database, tmp_path / "old.db")
    (tmp_path / "four.txt").write_text("four")
    entry, _ = shelf.add(tmp_path / "four.txt")
    shelf.close()
    shutil.copy(tmp_path / "old.db", shelf.paths.database)
    shelf.sweep()
    assert len(shelf.entries()) == 4 and shelf.get(entry.id).source_name == "four.txt"


def test_a_book_without_its_note_comes_back_too(shelf):
    """As books do that were added before there were notes."""
    ids = {entry.id: entry.content_hash for entry in shelf.entries()}
    shelf.close()
    shelf.paths.database.unlink()
    for note in shelf.paths.documents.glob("*/entry.json"):
        note.unlink()
    shelf.source_gone = next(shelf.paths.documents.glob("*/document.json")).parent
    (lost,) = shelf.source_gone.glob("source*")
    content = lost.read_text()
    lost.unlink()
    shelf.sweep()
    found = {entry.id: entry.content_hash for entry in shelf.entries()}
    assert found.keys() == ids.keys()
    kept = shelf.source_gone.name
    assert {one: found[one] for one in ids if one != kept} == {one: ids[one] for one in ids if one != kept}
    # without file and note the whole hash is unknown, yet the file is known again when it is added
    assert shelf.document(kept).text == content
    with pytest.raises(Failure, match="add it again"):
        shelf.source(kept)
    lost.with_name("again.txt").write_text(content)
    entry, new = shelf.add(lost.with_name("again.txt"))
    assert (entry.id, new) == (kept, False) and shelf.source(kept).read_text() == content


@pytest.mark.parametrize("note", ["{", "[]", "{}", '{"content_hash": "ffff"}', "\x00"])
def test_a_damaged_note_is_no_note(shelf, note):
    ids = {entry.id for entry in shelf.entries()}
    shelf.close()
    shelf.paths.database.unlink()
    for one in shelf.paths.documents.glob("*/entry.json"):
        one.write_text(note)
    shelf.sweep()
    assert {entry.id for entry in shelf.entries()} == ids


def test_what_cannot_be_placed_goes_to_found_and_no_further(shelf):
    strange = [
        shelf.paths.documents / ("a" * 12),
        shelf.paths.talks / ("b" * 16),
        shelf.paths.demonstrations / ("c" * 12),
    ]
    for folder in strange:
        (folder / "bank").mkdir(parents=True)
        (folder / "bank" / "keys.bin").write_text(folder.name)
    (shelf.paths.documents / ("d" * 12)).mkdir()
    for _ in range(2):
        shelf.sweep()
    kept = {path.name: (path / "bank" / "keys.bin").read_text() for path in shelf.paths.found.iterdir()}
    assert kept == {folder.name: folder.name for folder in strange}
    assert not (shelf.paths.documents / ("d" * 12)).exists(), "an empty one held nothing"
    strange[0].mkdir()
    (strange[0] / "other").write_text("another of that name")
    shelf.sweep()
    assert len(list(shelf.paths.found.iterdir())) == 4, "what is there already stays"


def test_beside_a_new_database_not_even_a_grave_is_deleted(shelf):
    identifier = shelf.find("three").id
    shelf.close()
    shelf.paths.database.unlink()
    shelf.paths.document(identifier).rename(shelf.paths.documents / f".removed-{identifier}-00ff")
    shelf.sweep()
    assert len(shelf.entries()) == 2
    (kept,) = shelf.paths.found.iterdir()
    assert (kept / "document.json").exists()
    kept.rename(shelf.paths.document(identifier))
    shelf.sweep()
    assert len(shelf.entries()) == 3, "whoever wants it back moves it back"


def test_a_shelf_that_is_open_elsewhere_is_not_repaired(shelf):
    shelf.entries()
    holder = (
        "import sys, time; from pathlib import Path; from engine.paths import Paths;"
        "from engine.shelf.shelf import Shelf; Shelf(Paths(Path(sys.argv[1]))).entries();"
        "print(1, flush=True); time.sleep(60)"
    )
    other = subprocess.Popen([sys.executable, "-c", holder, shelf.paths.home], stdout=subprocess.PIPE,
                             env=os.environ | {"PYTHONPATH": str(PROJECT)})  # fmt: skip
    assert other.stdout is not None and other.stdout.readline()
    shelf.close()
    with pytest.raises(Failure, match="close the page"):
        repair.rebuild(shelf.paths)
    other.kill()
    other.wait()
    assert len(shelf.entries()) == 3


def test_every_table_is_rescued(shelf):
    names = {name for name in shelf.connections.db.table_names() if not name.startswith("sqlite_")}
    assert names == set(TABLES)
    assert {table for table, _ in RULES} <= names


@pytest.mark.parametrize(
    ("change", "values"),
    [
        ("UPDATE documents SET id = ?", ["../../../x"]),
        ("UPDATE documents SET source_file = ?", ["../../../etc/passwd"]),
        ("UPDATE documents SET settings = ?", ["["]),
        ("UPDATE documents SET created = ?", ["yesterday"]),
        ("UPDATE documents SET state = ?", ["eaten"]),
        ("UPDATE documents SET title = ?", ["two\nlines"]),
    ],
)
def test_a_row_that_would_break_the_rest_is_left_and_made_again(shelf, change, values):
    before = books(shelf)
    identifier = shelf.find("three").id
    shelf.close()
    with contextlib.closing(sqlite3.connect(shelf.paths.database)) as db:
        db.execute(f"{change} WHERE id = '{identifier}'", values)
        db.commit()
    repair.rebuild(shelf.paths)
    assert books(shelf) == before
    assert json.loads((shelf.paths.document(identifier) / "entry.json").read_text())["title"] == "three"

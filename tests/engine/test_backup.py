"""What was backed up comes back: into an empty folder, over a half one; never over what is newer."""

import contextlib
import json
import os
import shutil
import sqlite3
import stat
import struct
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from engine.demonstrations.importing import Row
from engine.demonstrations.store import Store
from engine.demonstrations.task import Task
from engine.errors import Failure
from engine.paths import Paths
from engine.shelf import backup
from engine.shelf.backup import ABOUT, DATABASE, back_up
from engine.shelf.restore import Restored, restore
from engine.shelf.rows import TABLES
from engine.shelf.shelf import Shelf
from ingest.document import Chapter, Document
from ingest.errors import BadInput

TEXT = "The whale is white.\n\nThe sea is wide."
DOCUMENT = Document("The Whale", "A. Nonymous", "en", "text", TEXT, chapters=(Chapter("One", 0, 20),))


def manifest() -> str:
    """A manifest as small as one can be."""
    from engine.bank.layout import BankIdentity, BankLayout
    from engine.bank.manifest import Manifest

    made = Manifest(BankIdentity("book", "model", "tokens"), BankLayout((0,), 1, 2, 0, 4), published=True)
    return made.to_json()


@pytest.fixture
def shelf(tmp_path):
    """A parsed book of ann's with a bank, a talk, a place read; a book that waits; examples."""
    shelf = Shelf(Paths(tmp_path / "home"))
    for name in ("whale", "waiting"):
        (tmp_path / f"{name}.txt").write_text(f"{name}: {TEXT}")
    whale, _ = shelf.of("ann").add(tmp_path / "whale.txt")
    waiting, _ = shelf.add(tmp_path / "waiting.txt")
    shelf.jobs.add(waiting.id, encoding="cp1252")
    shelf.store(whale.id, DOCUMENT)
    bank = shelf.paths.bank(whale.id)
    bank.mkdir()
    (bank / "manifest.json").write_text(manifest())
    (bank / "keys.0.bin").write_bytes(b"keys")
    (bank / "writer.lock").write_bytes(b"")
    shelf.update(whale.id, state="ready", tokens=0)
    shelf.fulltext.index(whale.id, [(0, 0, 19, TEXT[:19])])
    hers = shelf.of("ann")
    hers.read_to(whale.id, 20)
    talk = hers.talks.create(whale.id, "About the whale")
    hers.talks.append(talk.id, "user", "What colour?")
    hers.talks.append(talk.id, "assistant", "White.", trace=b"trace")
    shelf.paths.talk_bank(talk.id).mkdir(parents=True)
    (shelf.paths.talk_bank(talk.id) / "manifest.json").write_text(manifest())
    task = Task("{} is {}", {"good": "good", "bad": "bad"})
    Store(shelf).create("Films", task, [Row(2, "a fine film", "good"), Row(3, "a dull film", "bad")])
    yield shelf
    shelf.close()


def told(shelf: Shelf) -> dict:
    """Everything that people put there, as they see it."""
    shelf.sweep()
    hers = shelf.of("ann")
    books = {
        one.id: (one.title, one.author, one.source_name, one.created, one.settings, one.state,
                 shelf.source(one.id).read_text(), shelf.is_stored(one.id) and shelf.document(one.id))
        for one in hers.entries()
    }  # fmt: skip
    places = {one.id: one.position for one in hers.entries()}
    talks = {
        talk.title: [(one.role, one.text, one.created) for one in hers.talks.messages(talk.id)]
        for one in shelf.entries() for talk in hers.talks.about(one.id)
    }  # fmt: skip
    traces = [hers.talks.trace(talk.id, 1) for one in shelf.entries() for talk in hers.talks.about(one.id)]
    store = Store(shelf)
    libraries = {
        one.name: [(kept.text, kept.label) for kept in store.examples(one.id)] for one in store.libraries()
    }
    return {"books": books, "places": places, "talks": talks, "traces": traces, "libraries": libraries}


@pytest.fixture
def kept(shelf, tmp_path) -> Path:
    back_up(shelf.paths, tmp_path / "kept.zip", memories=True)
    return tmp_path / "kept.zip"


@pytest.mark.parametrize("memories", [True, False])
def test_an_empty_folder_gets_everything_back(shelf, tmp_path, memories):
    written = back_up(shelf.paths, tmp_path / "kept.zip", memories)
    assert (written.books, written.talks, written.libraries) == (2, 1, 1)
    assert written.bytes == (tmp_path / "kept.zip").stat().st_size
    assert stat.S_IMODE((tmp_path / "kept.zip").stat().st_mode) == 0o600
    other = Shelf(Paths(tmp_path / "other"))
    back = restore(other.paths, tmp_path / "kept.zip")
    assert (back.books, back.talks, back.libraries, sum(back.kept.values())) == (2, 1, 1, 0)
    before, after = told(shelf), told(other)
    assert {job.document: job.options for job in other.jobs.all(unfinished=True)} == {
        one.id: {"encoding": "cp1252"} if one.source_name == "waiting.txt" else {}
        for one in other.entries()
        if one.state != "ready"
    }
    if not memories:  # which are encoded again
        before["books"] = {one: book[:5] + ("waiting", *book[6:]) for one, book in before["books"].items()}
    assert after == before
    whale = other.find("whale").id
    assert (other.paths.bank(whale) / "keys.0.bin").exists() == memories
    assert sorted(path.name for path in other.paths.home.iterdir()) == sorted(
        ["documents", "locks", "shelf.db", "shelf.db-shm", "shelf.db-wal"] + ["talks"] * memories
    )
    other.close()


def test_a_second_restoring_changes_nothing(shelf, kept):
    before = told(shelf)
    back = restore(shelf.paths, kept)
    assert (back.books, back.talks, back.libraries) == (0, 0, 0)
    assert back.kept == {"documents": 2, "talks": 1, "libraries": 1}
    assert told(shelf) == before


def lose_a_folder(shelf: Shelf) -> None:
    shutil.rmtree(shelf.paths.document(shelf.find("whale").id))


def lose_the_text(shelf: Shelf) -> None:
    shelf.paths.parsed(shelf.find("whale").id).unlink()


def lose_the_database(shelf: Shelf) -> None:
    shelf.close()
    for file in shelf.paths.home.glob("shelf.db*"):
        file.unlink()


def lose_a_book(shelf: Shelf) -> None:
    shelf.remove(shelf.find("whale").id)


def lose_the_last_messages(shelf: Shelf) -> None:
    with shelf.connections.writing() as db:
        db.execute("DELETE FROM messages WHERE position = 1")


def lose_a_library(shelf: Shelf) -> None:
    Store(shelf).remove(Store(shelf).libraries()[0].id)


LOSSES = [
    lose_a_folder,
    lose_the_text,
    lose_the_database,
    lose_a_book,
    lose_the_last_messages,
    lose_a_library,
]


@pytest.mark.parametrize("lose", LOSSES)
def test_over_a_half_folder_what_is_missing_comes_back(shelf, kept, lose):
    before = told(shelf)
    lose(shelf)
    restore(shelf.paths, kept)
    after = told(shelf)
    if lose is lose_the_database:  # the folders told more of the books than the backup had to
        after["books"] = {
            one: (*book[:5], before["books"][one][5], *book[6:]) for one, book in after["books"].items()
        }
    assert after == before


def test_what_is_newer_stays(shelf, kept):
    whale = shelf.find("whale").id
    hers = shelf.of("ann")
    (talk,) = hers.talks.about(whale)
    shelf.rename(whale, "Renamed since")
    hers.read_to(whale, 30)
    hers.talks.truncate(talk.id, 1)
    hers.talks.append(talk.id, "user", "And the sea?")
    before = told(shelf)
    assert restore(shelf.paths, kept).kept["talks"] == 1
    assert told(shelf) == before


def test_examples_come_back_beside_others_that_took_their_ids(shelf, kept, tmp_path):
    other = Shelf(Paths(tmp_path / "other"))
    store = Store(other)
    task = Task("{} is {}", {"good": "good", "bad": "bad"})
    store.create("Films", task, [Row(2, "another film", "bad")])
    restore(other.paths, kept)
    assert sorted(one.name for one in store.libraries()) == ["Films", "Films (restored)"]
    assert told(other)["libraries"]["Films (restored)"] == told(shelf)["libraries"]["Films"]
    other.close()


def test_every_table_is_brought_back(shelf):
    source = (Path(backup.__file__).parent / "restore.py").read_text()
    for table in TABLES:
        assert f'"{table}"' in source


# refusals


def rewritten(kept: Path, change) -> Path:
    """The backup with its members changed: `change(members)` of a dict from names to contents."""
    with zipfile.ZipFile(kept) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    other = kept.with_name("hostile.zip")
    with zipfile.ZipFile(other, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return other


def renamed(name: str):
    return lambda members: members.update({name: b"x"})


def in_the_database(*statements: str):
    """Run statements in the backup's database."""

    def change(members: dict) -> None:
        with contextlib.closing(sqlite3.connect(":memory:")) as db:
            db.deserialize(members[DATABASE])
            for statement in statements:
                db.execute(statement)
            db.commit()
            members[DATABASE] = db.serialize()

    return change


def whole(name: str) -> str:
    return "documents/" + "a" * 12 + "/" + name


CHANGES = [
    renamed("../evil"),
    renamed("/etc/evil"),
    renamed("documents/../../evil"),
    renamed("documents\\evil"),
    renamed(whole("../../evil")),
    renamed(whole("bank/../../evil.bin")),
    renamed(whole("evil.sh")),
    renamed(whole("bank/.hidden.bin")),
    renamed("C:/evil"),
    lambda members: members.pop(DATABASE),
    lambda members: members.pop(ABOUT),
    lambda members: members.update({ABOUT: b"["}),
    lambda members: members.update({ABOUT: b"[" * 100_000}),
    lambda members: members.update({DATABASE: b"no database " * 1000}),
    lambda members: members.update({DATABASE: members[DATABASE][:9000]}),
    lambda members: members.update({name: b"other" for name in members if "/source" in name}),
    lambda members: [members.pop(name) for name in list(members) if "/source" in name or "/document" in name],
    in_the_database("UPDATE documents SET source_file = '../../../etc/passwd'"),
    in_the_database("UPDATE documents SET content_hash = id || '../..' || id"),
    in_the_database("UPDATE talks SET id = '../../x'"),
    in_the_database("UPDATE talks SET settings = '['"),
    in_the_database("UPDATE messages SET role = '<script>'"),
    in_the_database("UPDATE documents SET created = 'yesterday'"),
    in_the_database("UPDATE messages SET talk = 'nobody'"),
    in_the_database("CREATE TRIGGER evil AFTER INSERT ON talks BEGIN DELETE FROM documents; END"),
    in_the_database("DROP TABLE readings", "CREATE VIEW readings AS SELECT 1 AS document"),
    in_the_database("PRAGMA user_version = 0"),
    in_the_database("PRAGMA user_version = 999"),
]


@pytest.mark.parametrize("number", range(len(CHANGES)))
def test_what_is_no_backup_is_refused_in_one_line_and_changes_nothing(shelf, kept, number):
    check_refused(shelf, rewritten(kept, CHANGES[number]))


def check_refused(shelf: Shelf, path: Path) -> None:
    shelf.remove(shelf.find("whale").id)
    before = told(shelf)
    files = sorted(path.relative_to(shelf.paths.home) for path in shelf.paths.home.rglob("*"))
    outside = sorted(shelf.paths.home.parent.iterdir())
    with pytest.raises(BadInput) as refusal:
        restore(shelf.paths, path)
    print("REFUSED", refusal.value)
    assert "\n" not in str(refusal.value) and path.name in str(refusal.value)
    assert told(shelf) == before
    assert sorted(path.relative_to(shelf.paths.home) for path in shelf.paths.home.rglob("*")) == files
    assert sorted(shelf.paths.home.parent.iterdir()) == outside


@pytest.mark.parametrize("part", [0, 1, 10, 0.1, 0.5, 0.9, 0.999])
def test_a_file_cut_short_is_refused(shelf, kept, part):
    data = kept.read_bytes()
    kept.write_bytes(data[: part if isinstance(part, int) else int(len(data) * part)])
    check_refused(shelf, kept)


def test_a_flipped_byte_is_refused(shelf, kept):
    data = bytearray(kept.read_bytes())
    data[data.index(b"The whale is white")] ^= 1
    kept.write_bytes(data)
    check_refused(shelf, kept)


def test_a_bomb_is_refused(shelf, kept):
    with zipfile.ZipFile(kept, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(whole("document.json"), bytes(10**8))
    assert kept.stat().st_size < 10**6
    check_refused(shelf, kept)


def test_a_bomb_of_one_content_under_many_names_is_refused(shelf, kept):
    """Every entry of the directory leads to the same bytes: little stored, much unpacked."""
    with zipfile.ZipFile(kept, "a") as archive:
        first = archive.infolist()[0]
        for number in range(50):
            info = zipfile.ZipInfo(f"documents/{number:012x}/document.json")
            names = ("CRC", "file_size", "compress_size", "header_offset")
            for name in names:
                setattr(info, name, getattr(archive.getinfo(DATABASE), name))
            archive.filelist.append(info)
            archive.NameToInfo[info.filename] = info
        archive._didModify = True
        assert first is not None
    check_refused(shelf, kept)


def test_a_link_is_refused(shelf, kept):
    with zipfile.ZipFile(kept, "a") as archive:
        link = zipfile.ZipInfo(whole("source.txt"))
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    check_refused(shelf, kept)


def test_a_name_that_stands_twice_is_refused(shelf, kept):
    with zipfile.ZipFile(kept, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr(DATABASE, "another")
    check_refused(shelf, kept)


def test_an_encrypted_entry_is_refused(shelf, kept):
    data = bytearray(kept.read_bytes())
    at = data.index(b"PK\x01\x02") + 8
    data[at : at + 2] = struct.pack("<H", struct.unpack("<H", data[at : at + 2])[0] | 1)
    kept.write_bytes(data)
    check_refused(shelf, kept)


def test_a_text_that_no_parser_made_is_parsed_anew(shelf, kept, tmp_path):
    for hostile in ('{"version": 1}', json.dumps(json.loads(DOCUMENT.to_json()) | {"text": 5})):
        forged = in_the_database("UPDATE documents SET text_sum = ''")

        def change(members: dict, hostile=hostile, forged=forged) -> None:
            members.update({name: hostile.encode() for name in members if name.endswith("document.json")})
            forged(members)

        other = Shelf(Paths(tmp_path / "other"))
        restore(other.paths, rewritten(kept, change))
        whale = other.find("whale")
        assert not other.is_stored(whale.id) and whale.state == "waiting"
        other.close()
        shutil.rmtree(other.paths.home)


def test_what_a_newer_version_wrote_says_so(shelf, kept):
    newer = rewritten(kept, lambda members: members.update({ABOUT: b'{"format": 99}'}))
    with pytest.raises(BadInput, match="another version.*99.*update the program"):
        restore(shelf.paths, newer)


def test_what_is_no_file_is_refused(shelf, tmp_path):
    for path in (tmp_path / "none.zip", tmp_path):
        with pytest.raises((BadInput, Failure), match="cannot be restored"):
            restore(shelf.paths, path)


def test_a_backup_never_takes_the_place_of_a_file(shelf, tmp_path):
    (tmp_path / "mine").write_text("mine")
    with pytest.raises(BadInput, match="already: name another, or move that one away"):
        back_up(shelf.paths, tmp_path / "mine")
    assert (tmp_path / "mine").read_text() == "mine"
    (tmp_path / "mine").rename(tmp_path / "away")
    assert back_up(shelf.paths, tmp_path / "mine").books == 2
    with pytest.raises(BadInput, match="no folder"):
        back_up(shelf.paths, tmp_path / "nowhere" / "mine")


@pytest.mark.parametrize(
    "work", [lambda shelf, path: back_up(shelf.paths, path), lambda shelf, path: restore(shelf.paths, path)]
)
def test_too_little_room_is_told_before_anything_is_written(shelf, kept, monkeypatch, work):
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=1000))
    path = kept if work.__code__.co_names[0] == "restore" else kept.with_name("new.zip")
    before = sorted(os.listdir(kept.parent))
    with pytest.raises(Failure, match=r"needs 1\.\d MB .*, where 0\.0 MB are free"):
        work(shelf, path)
    assert sorted(os.listdir(kept.parent)) == before


def test_an_empty_shelf_can_be_backed_up(tmp_path):
    (tmp_path / "home").mkdir()
    assert back_up(Paths(tmp_path / "home"), tmp_path / "kept.zip").books == 0
    assert restore(Paths(tmp_path / "other"), tmp_path / "kept.zip") == Restored()

"""A disk that is full, or cannot be written: books are read and asked, and one that is removed makes room."""

import contextlib
import gc
import os
import shutil
import sqlite3
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from engine.assistant import Assistant
from engine.demonstrations.demonstrations import Demonstrations
from engine.demonstrations.importing import Row
from engine.demonstrations.store import Store
from engine.demonstrations.task import Task
from engine.errors import Failure
from engine.library import Library
from engine.paths import Paths
from engine.reader import WINDOW
from engine.sampling import Sampling
from engine.shelf import connections
from engine.shelf.connections import Unwritable
from engine.shelf.entry import Entry
from engine.shelf.runner import JobRunner
from engine.shelf.shelf import Shelf
from engine.sidenet.config import SideNetConfig
from engine.sidenet.sidenet import SideNet
from engine.upkeep import faults
from ingest.parse import parse
from ingest.tables import read_table

BOOK = "# The Harbour\n\n" + "\n\n".join(
    f"Captain Farrow walked to the harbour on day {n} and counted {n * 3} grey gulls." for n in range(20)
)
SHORT = Sampling(max_tokens=4)


@pytest.fixture(scope="module")
def added(tiny_folder, tmp_path_factory) -> Library:
    home = tmp_path_factory.mktemp("added")
    library = Library(Paths(home / "home"), parse, model=str(tiny_folder))
    config = SideNetConfig.for_backbone(library.model.backbone, search="pooled", search_block=2)
    torch.manual_seed(2)
    library.model.take(sidenet=SideNet(config, library.model.backbone).eval())
    (home / "harbour.md").write_text(BOOK)
    library.add(home / "harbour.md")
    library.shelf.close()
    return library


@pytest.fixture
def disk(tmp_path):
    """A small disk of its own, that can be filled and made read-only."""
    place = tmp_path / "disk"
    place.mkdir()
    if not hasattr(os, "geteuid") or os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("only root can mount a disk for this test")
    size = "size=24m"
    if subprocess.run(["mount", "-t", "tmpfs", "-o", size, "tmpfs", place], capture_output=True).returncode:
        pytest.skip("this machine lets nobody mount a disk")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


def opened(added: Library, place: Path) -> Library:
    """The book of `added` on that disk, as the next start finds it."""
    if not (place / "home").exists():
        shutil.copytree(added.paths.home, place / "home")
    library = Library(Paths(place / "home"), parse)
    library.model = added.model
    return library


def fill(place: Path) -> None:
    """Leave not one page."""
    with contextlib.suppress(OSError), (place / "filler").open("wb", buffering=0) as file:
        while True:
            file.write(bytes(1 << 16))
    with contextlib.suppress(OSError), (place / "rest").open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    assert shutil.disk_usage(place).free == 0


def read_only(place: Path) -> None:
    """Take the right to write, once nobody holds a file open for it any more."""
    gc.collect()
    for _ in range(50):
        if subprocess.run(["mount", "-o", "remount,ro", place], capture_output=True).returncode == 0:
            return
        time.sleep(0.2)
    pytest.fail(f"{place} is still written to")


@pytest.mark.parametrize("spoil", [fill, read_only])
def test_books_are_read_and_asked_where_nothing_can_be_written(added, disk, spoil):
    library = opened(added, disk)
    talk = library.shelf.talks.create(library.shelf.entries()[0].id).id
    library.shelf.close()
    spoil(disk)
    assistant = Assistant(opened(added, disk))
    (entry,) = assistant.shelf.entries()
    assert assistant.library.find("harbour").id == entry.id
    assert "gulls" in assistant.library.document(entry.id).text
    assert assistant.shelf.fulltext.count("gulls", entry.id) > 0
    *_, last = assistant.ask(entry.id, "How many gulls?", sampling=SHORT)
    assert last.answer.memory_tokens > 0
    said = []
    with pytest.raises(Failure, match="this answer is not kept: the shelf cannot be changed"):
        said.extend(assistant.ask(entry.id, "How many gulls?", talk=talk, sampling=SHORT))
    assert said[-1].answer.text, "a question inside a talk is answered all the same"
    *_, last = assistant.continue_(entry.id, tokens=3)
    assert 1 <= last.answer.tokens <= 3, "chance may end it at once"
    assistant.shelf.read_to(entry.id, 5)
    assert assistant.shelf.opened(entry.id).id == entry.id, "not remembered, and no reason to fail"
    with pytest.raises(Unwritable, match="cannot be changed") as refusal:
        assistant.shelf.rename(entry.id, "Another title")
    assert "\n" not in str(refusal.value)
    with pytest.raises(Unwritable, match="cannot be changed") as refusal:
        assistant.shelf.talks.create(entry.id)
    assert "\n" not in str(refusal.value) and [one.id for one in assistant.shelf.talks.about(entry.id)] == [
        talk
    ]
    if spoil is fill:
        (disk / "filler").unlink()
    else:
        subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
    assert assistant.shelf.rename(entry.id, "Another title").title == "Another title", "once it was seen to"
    assert assistant.shelf.talks.create(entry.id).document == entry.id
    assistant.shelf.close()


@pytest.mark.parametrize("spoil", [fill, read_only])
def test_texts_are_labelled_where_nothing_can_be_written(added, disk, spoil):
    library = opened(added, disk)
    task = Task("{} is {}", {"good": "good", "bad": "bad"})
    rows = [Row(n, f"a {word} film, number {n}", label) for n in range(4)
            for word, label in (("fine", "good"), ("dull", "bad"))]  # fmt: skip
    films = Store(library.shelf).create("Films", task, rows)
    Demonstrations(library, read_table).encode(films.id)
    library.shelf.close()
    spoil(disk)
    library = opened(added, disk)
    library.shelf.sweep()
    demonstrations = Demonstrations(library, read_table)
    found = demonstrations.find("films")
    demonstrations.encode(found.id)
    assert demonstrations.classify(found.id, "a dull film").label in ("good", "bad")
    library.shelf.close()


@pytest.fixture
def nowhere(disk, monkeypatch) -> Path:
    """The temporary folder on the same small disk, and no other: as on a machine with one disk."""
    place = disk / "temporary"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: [str(place)])
    return place


def renamed_in_the_log(library: Library) -> Entry:
    """Rename the only book, then leave the shelf as a kill does: the change stands in the log alone."""
    (entry,) = library.shelf.entries()
    library.shelf.rename(entry.id, "In the log")
    database = library.paths.database
    kept = {name: Path(f"{database}{name}").read_bytes() for name in ("", "-wal")}
    library.shelf.close()
    for name, content in kept.items():
        Path(f"{database}{name}").write_bytes(content)
    return entry


def test_all_goes_on_where_the_temporary_folder_is_full_too(added, disk, nowhere):
    """Killed, so that its last changes are in the log alone; then not one page is free anywhere."""
    entry = renamed_in_the_log(opened(added, disk))
    fill(disk)
    with pytest.raises(OSError):
        tempfile.gettempdir()
    assistant = Assistant(opened(added, disk))
    assert [one.title for one in assistant.shelf.entries()] == ["In the log"]
    assert "gulls" in assistant.library.document(entry.id).text
    *_, last = assistant.ask(entry.id, "How many gulls?", sampling=SHORT)
    assert last.answer.memory_tokens > 0
    *_, last = assistant.continue_(entry.id, prompt="A gull. " * WINDOW, tokens=2)
    assert last.answer.tokens, "what leaves the window has no place to go"
    assert assistant.library.remove(entry.id) > 100_000 and assistant.shelf.entries() == []
    assistant.shelf.close()


def test_an_empty_shelf_on_a_disk_that_cannot_be_written_is_empty(disk):
    read_only(disk)
    shelf = Shelf(Paths(disk / "home"))
    assert shelf.entries() == []
    shelf.sweep()
    with pytest.raises(Failure, match="cannot be (copied|changed)"):
        shelf.add(Path(__file__))


def test_what_another_left_in_its_log_is_read_too(added, disk):
    """Killed, so that its last changes are in the log alone; then the disk fails."""
    library = opened(added, disk)
    renamed_in_the_log(library)
    read_only(disk)
    assert [one.title for one in Shelf(library.paths).entries()] == ["In the log"]


def test_following_the_line_of_a_full_disk_makes_room(added, disk, tmp_path):
    """Remove a book, as it says: then the next can be added."""
    library = opened(added, disk)
    library.shelf.close()
    fill(disk)
    assistant = Assistant(opened(added, disk))
    (tmp_path / "new.md").write_text(BOOK + "\n\nAnd one line more.")
    with pytest.raises(Failure, match=r"new\.md needs [\d.]+ MB .*, where 0\.0 MB are free: make room"):
        assistant.library.add(tmp_path / "new.md")
    assert assistant.library.remove("harbour") > 100_000
    assert assistant.shelf.entries() == [] and list(assistant.library.paths.documents.iterdir()) == []
    (disk / "rest").unlink()
    os.truncate(disk / "filler", 0)
    assert assistant.library.add(tmp_path / "new.md").state == "ready"
    assistant.shelf.close()


def test_a_book_without_a_memory_makes_room_too(added, disk, tmp_path):
    """As it is left by an upload that filled the disk."""
    (tmp_path / "large.txt").write_bytes(b"all there is " * 50_000)
    shelf = Shelf(Paths(disk / "home"))
    entry, _ = shelf.add(tmp_path / "large.txt")
    shelf.jobs.add(entry.id)
    shelf.close()
    fill(disk)
    assert shelf.remove(entry.id) >= 600_000
    assert shelf.entries() == [] and shelf.jobs.all() == []
    assert shutil.disk_usage(disk).free > 600_000
    shelf.close()


def test_a_book_that_frees_less_than_its_rows_take_goes_too(added, disk, tmp_path):
    """Rows first, on the reserve; the next goes by the room of the last."""
    shelf = Shelf(Paths(disk / "home"))
    ids = []
    for number in range(3):
        (tmp_path / f"{number}.txt").write_text(f"Some words, {number}.")
        ids.append(shelf.add(tmp_path / f"{number}.txt")[0].id)
    shelf.close()
    fill(disk)
    for number, one in enumerate(ids):
        shelf.remove(one)
        assert {entry.id for entry in shelf.entries()} == set(ids[number + 1 :])
        assert not shelf.paths.document(one).exists()
    shelf.close()


def test_folders_have_their_names_back_where_their_rows_stay(added, disk, tmp_path, monkeypatch):
    """A disk that is full when the transaction ends: nothing is half removed, or half added."""
    library = opened(added, disk)
    shelf, identifier = library.shelf, library.shelf.entries()[0].id
    talk = shelf.talks.create(identifier).id
    (shelf.paths.talks / talk).mkdir(parents=True)
    there = set(shelf.paths.home.rglob("*")) | {shelf.paths.home / "reserve"}

    @contextlib.contextmanager
    def full_at_its_end(self):
        with writing(self):
            yield self.db
            raise Unwritable("", full=True)

    (tmp_path / "new.md").write_text("New words.")
    writing = connections.Connections.writing
    with monkeypatch.context() as patch:
        patch.setattr(connections.Connections, "writing", full_at_its_end)
        for deed in (
            lambda: shelf._delete_rows(identifier, False),
            lambda: shelf.talks.delete(talk),
            lambda: shelf.add(tmp_path / "new.md"),
        ):
            with pytest.raises(Unwritable):
                deed()
            assert {*shelf.paths.home.rglob("*"), shelf.paths.home / "reserve"} == there
    library.shelf.close()


def test_a_runner_starts_where_a_job_was_interrupted_and_the_disk_is_full(added, disk, tmp_path):
    shelf = Shelf(Paths(disk / "home"))
    (tmp_path / "new.txt").write_text("New words.")
    job = shelf.jobs.add(shelf.add(tmp_path / "new.txt")[0].id)
    with shelf.connections.writing() as db:
        db.execute("UPDATE jobs SET state = 'running', worker = 'dead' WHERE id = ?", [job.id])
    shelf.close()
    fill(disk)
    runner = JobRunner(shelf.jobs, lambda job, report: None)
    runner.start()
    assert shelf.jobs.get(job.id).state == "running"
    (disk / "filler").unlink()
    (disk / "rest").unlink()
    shelf.jobs.recover()
    runner.wake()
    for _ in range(200):
        if shelf.jobs.get(job.id).state == "done":
            break
        time.sleep(0.05)
    assert shelf.jobs.get(job.id).state == "done"
    assert runner.stop()
    shelf.close()


def test_an_encoding_that_would_not_fit_is_refused_and_goes_on_with_room(added, disk, tmp_path):
    library = opened(added, disk)
    needed = library.shelf.entries()[0].bank_bytes
    (disk / "filler").write_bytes(bytes(shutil.disk_usage(disk).free - needed // 2 - (1 << 20)))
    (tmp_path / "new.md").write_text(BOOK * 3)
    with pytest.raises(Failure, match='the memory of "The Harbour" needs .* make room'):
        library.add(tmp_path / "new.md")
    entry = next(one for one in library.shelf.entries() if one.state == "failed")
    assert library.document(entry.id).text, "what was read stays, and can be read"
    (disk / "filler").unlink()
    assert library.add(tmp_path / "new.md").state == "ready"
    library.shelf.close()


def test_nothing_is_lost_over_ten_full_disks(added, disk, tmp_path):
    """Each is full at another moment of an addition, which goes on as soon as there is room."""
    library = opened(added, disk)
    kept, cut_off = {library.shelf.entries()[0].id: "The Harbour"}, 0
    for number in range(10):
        file = tmp_path / f"{number}.md"
        file.write_text(f"{BOOK}\n\nThis is copy {number}.")
        filling = threading.Timer(0.03 * number, fill, [disk])
        filling.start()
        try:
            library.add(file)
        except Failure as refusal:
            assert "\n" not in str(refusal)
            cut_off += 1
        filling.join()
        library.shelf.close()
        for name in ("filler", "rest"):
            (disk / name).unlink(missing_ok=True)
        library = opened(added, disk)
        library.shelf.sweep()
        kept[library.add(file).id] = f"This is copy {number}."
        there = {entry.id: library.document(entry.id).text for entry in library.shelf.entries()}
        assert there.keys() == kept.keys() and all(words in there[book] for book, words in kept.items())
    assert cut_off, "the disk was full in time"
    assert all(entry.state == "ready" for entry in library.shelf.entries())
    assert not list(faults(library))
    library.shelf.close()


def test_a_shelf_that_can_be_written_again_is_seen_by_every_thread(added, disk, monkeypatch):
    library = opened(added, disk)
    library.shelf.close()
    fill(disk)
    shelf = Shelf(library.paths)
    titles = {}
    go = threading.Event()

    def look() -> None:
        shelf.entries()
        go.wait(30)
        titles["there"] = [entry.title for entry in shelf.entries()]

    monkeypatch.setattr(connections, "COPY_SECONDS", 0.0)
    other = threading.Thread(target=look)
    other.start()
    (entry,) = shelf.entries()
    (disk / "filler").unlink()
    shelf.rename(entry.id, "Renamed")
    go.set()
    other.join()
    assert titles == {"there": ["Renamed"]}
    shelf.close()


def test_files_are_only_given_up_where_the_disk_is_full(added, tmp_path, monkeypatch):
    """A database that cannot be written for another reason costs no book its files."""
    library = opened(added, tmp_path)
    (entry,) = library.shelf.entries()

    def refused(*_: object) -> None:
        raise Unwritable("attempt to write a readonly database", full=False)

    monkeypatch.setattr(library.shelf.jobs, "cancel_all", refused)
    with pytest.raises(Unwritable):
        library.remove(entry.id)
    assert library.shelf.source(entry.id).exists() and library.bank(entry.id).bank.tokens


def test_a_full_disk_is_told_apart(tmp_path, monkeypatch):
    """Faked at one seam, for machines where no disk can be mounted."""
    shelf = Shelf(Paths(tmp_path / "home"))
    (tmp_path / "book.txt").write_text("a book")
    entry, _ = shelf.add(tmp_path / "book.txt")
    shelf.connections.db.execute("PRAGMA max_page_count = 1").fetchall()
    with (
        pytest.raises(Unwritable, match="the disk is full: make room") as refusal,
        shelf.connections.writing(),
    ):
        for number in range(1000):
            shelf.talks.create(entry.id, title=str(number) * 100)
    assert refusal.value.full
    assert isinstance(refusal.value.__cause__, sqlite3.OperationalError)
    assert shelf.talks.about(entry.id) == [] and shelf.remove(entry.id) > 0
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=2 << 20))
    (tmp_path / "large.txt").write_bytes(bytes(3 << 20))
    with pytest.raises(Failure, match=r"large\.txt needs 4\.2 MB .*, where 2\.1 MB are free: make room"):
        shelf.add(tmp_path / "large.txt")
    shelf.close()

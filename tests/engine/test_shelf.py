"""The shelf: one entry per content, names and ids, files, deletion, crashes, several processes at once."""

import hashlib
import json
import os
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import sqlite_utils

from engine.demonstrations.store import Store
from engine.errors import Failure
from engine.paths import Paths
from engine.shelf import migrations
from engine.shelf.identifiers import short_id
from engine.shelf.shelf import Shelf
from engine.shelf.titles import one_line
from engine.sums import folder_bytes
from ingest.document import Chapter, Document
from ingest.errors import BadInput

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture
def make(shelf, tmp_path):
    """Add a file with the given content."""

    def make(content: str, name: str = "book.txt"):
        path = tmp_path / "incoming.txt"
        path.write_text(content, encoding="utf-8")
        return shelf.add(path, name)[0]

    return make


def start(shelf: Shelf, script: str, *arguments: object) -> subprocess.Popen:
    """Run a script in another process with `shelf` open on the same folder and `arguments` in sys.argv."""
    head = (
        "import sys, os, time; from pathlib import Path; from engine.paths import Paths;"
        "from engine.shelf.shelf import Shelf; shelf = Shelf(Paths(Path(sys.argv[1])))\n"
    )
    command = [sys.executable, "-c", head + script, shelf.paths.home, *map(str, arguments)]
    environment = os.environ | {"PYTHONPATH": str(PROJECT)}
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)


def files_below(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


# adding


def test_nothing_is_created_before_the_first_use(tmp_path):
    Shelf(Paths(tmp_path / "home"))
    assert not (tmp_path / "home").exists()


def test_adding_copies_the_file_under_a_name_of_our_own(shelf, tmp_path):
    source = tmp_path / "Moby Dick; or, the Whale.EPUB"
    source.write_bytes(b"whale" * 1000)
    entry, new = shelf.add(source)
    assert new and entry.content_hash == hashlib.sha256(source.read_bytes()).hexdigest()
    assert entry.content_hash.startswith(entry.id) and len(entry.id) == 12
    assert (entry.title, entry.source_name) == ("Moby Dick; or, the Whale", source.name)
    assert (entry.state, entry.source_bytes, entry.position, entry.opened) == ("waiting", 5000, 0, None)
    assert shelf.source(entry.id) == shelf.paths.document(entry.id) / "source.epub"
    assert shelf.source(entry.id).read_bytes() == source.read_bytes()
    assert files_below(shelf.paths.documents) == [f"{entry.id}/entry.json", f"{entry.id}/source.epub"]


def test_the_same_content_is_one_document(shelf, make):
    first = make("one")
    other = make("two")
    again = make("one", "another name.md")
    assert again.id == first.id != other.id and again.source_name == "book.txt"
    assert len(shelf.entries()) == 2
    shelf.source(first.id).unlink()
    make("one")
    assert shelf.source(first.id).read_text() == "one", "a lost copy comes back"


@pytest.mark.parametrize(
    "name",
    [
        "../../evil.sh",
        "/etc/passwd",
        "a\x00b\n.txt",
        "x" * 5000 + ".pdf",
        "\u202egpj.exe",
        "con.txt ",
        ".",
        "\ud800.txt",
    ],
    ids=range(8),
)
def test_names_from_outside_stay_off_the_disk(shelf, make, name):
    entry = make("content " + name.encode("utf-8", "replace").decode(), name)
    note, file = files_below(shelf.paths.documents)
    assert note == f"{entry.id}/entry.json" and file.startswith(f"{entry.id}/source") and len(file) < 40
    assert entry.title and entry.title == one_line(entry.title)
    assert "\n" not in entry.source_name and "\x00" not in entry.source_name and len(entry.source_name) <= 300


def test_what_is_no_file_is_refused(shelf, tmp_path):
    for path, says in ((tmp_path, "a folder"), (tmp_path / "missing.txt", "no such file")):
        with pytest.raises(BadInput, match=says):
            shelf.add(path)
    assert shelf.entries() == []


def test_ids_grow_where_they_would_collide():
    digest = "0123456789abcdef" * 4
    assert short_id(digest, lambda start: False) == digest[:12]
    assert short_id(digest, {digest[:12], digest[:13]}.__contains__) == digest[:14]


# finding

FINDS = [
    # words, the title found, or what the refusal says
    ("Love Among the Chickens", "Love Among the Chickens", None),
    ("love among the CHICKENS", "Love Among the Chickens", None),
    ("chickens", "Love Among the Chickens", None),
    ("Moby Dick", "Moby Dick", None),
    ("moby", None, '"Moby Dick annotated".*or "Moby Dick"'),
    ("annotated", "Moby Dick annotated", None),
    ("Ünïcode", "U\u0308nïcode title", None),
    ("three.txt", "Moby Dick annotated", None),
    ("squid", None, 'no document "squid".*Love Among'),
    ("", None, "name a document"),
    ("  \n ", None, "name a document"),
    ("%", None, "no document"),
]


@pytest.mark.parametrize(("query", "title", "refusal"), FINDS)
def test_find(shelf, make, query, title, refusal):
    titles = ["Love Among the Chickens", "Moby Dick", "Moby Dick annotated", "U\u0308nïcode title"]
    for number, (name, book) in enumerate(zip(("one", "two", "three", "four"), titles, strict=True)):
        shelf.rename(make(f"content {number}", f"{name}.txt").id, book)
    if refusal is None:
        assert shelf.find(query).title == title
    else:
        with pytest.raises(BadInput, match=refusal):
            shelf.find(query)


def test_find_by_id_and_start_of_id(shelf, make):
    entries = [make(f"content {number}") for number in range(3)]
    for entry in entries:
        assert shelf.find(entry.id) == entry
        assert shelf.find(entry.id[:6].upper()) == entry
    shelf.rename(entries[0].id, entries[1].id)
    assert shelf.find(entries[1].id).id == entries[1].id, "an id wins over a title"
    with pytest.raises(BadInput, match="it is empty"):
        Shelf(Paths(shelf.paths.home / "empty")).find("anything")


def test_two_documents_of_one_title_are_told_apart_by_id(shelf, make):
    for number in range(2):
        shelf.rename(make(f"content {number}").id, "Poems")
    with pytest.raises(BadInput) as refusal:
        shelf.find("poems")
    assert all(entry.id in str(refusal.value) for entry in shelf.entries())
    assert "\n" not in str(refusal.value)


# what is kept


def sample_document(**changes) -> Document:
    text = "Chapter I\n\nThe sea. 海 😀\n\nChapter II\n\nThe shore."
    values = {
        "title": "The Sea",
        "author": "A. Nonymous",
        "language": "en",
        "format": "text",
        "text": text,
        "chapters": [Chapter("Chapter I", 0, 24), Chapter("Chapter II", 24, len(text))],
    }
    return Document(**values | changes)


def test_the_parsed_document_is_stored_whole(shelf, make):
    entry = make("content")
    assert not shelf.is_stored(entry.id)
    with pytest.raises(Failure, match="not been parsed"):
        shelf.document(entry.id)
    stored = shelf.store(entry.id, sample_document())
    assert (stored.title, stored.author, stored.language, stored.format) == (
        "The Sea",
        "A. Nonymous",
        "en",
        "text",
    )
    assert stored.characters == len(sample_document().text)
    assert shelf.is_stored(entry.id) and shelf.document(entry.id) == sample_document()
    assert files_below(shelf.paths.document(entry.id)) == ["document.json", "entry.json", "source.txt"]


def test_an_own_title_survives_parsing_again(shelf, make):
    entry = make("content")
    assert shelf.store(entry.id, sample_document(title="")).title == "book", "no title: the file's name stays"
    assert shelf.store(entry.id, sample_document(title="One\nline\x1b[31m")).title == "One line[31m"
    shelf.rename(entry.id, "  My   title ")
    assert shelf.store(entry.id, sample_document()).title == "My title"
    with pytest.raises(BadInput):
        shelf.rename(entry.id, " \n ")


def test_positions_belong_to_readers(shelf, make):
    entry = make("content")
    shelf.of("ann").read_to(entry.id, 120)
    shelf.read_to(entry.id, 50)
    shelf.read_to(entry.id, 60)
    assert shelf.get(entry.id).position == 60
    assert shelf.of("ann").get(entry.id).position == 120
    assert shelf.of("bob").get(entry.id).position == 0
    assert shelf.of("ann").opened(entry.id).opened is not None
    assert shelf.of("ann").get(entry.id).position == 120 and shelf.of("bob").get(entry.id).opened is None


def test_the_shelf_shows_what_was_opened_last_first(shelf, make):
    ids = [make(f"content {number}").id for number in range(3)]
    assert [entry.id for entry in shelf.entries()] == ids[::-1]
    shelf.of("ann").opened(ids[0])
    assert [entry.id for entry in shelf.of("ann").entries()] == [ids[0], ids[2], ids[1]]
    assert [entry.id for entry in shelf.entries()] == ids[::-1]


def test_columns_and_settings(shelf, make):
    entry = make("content")
    assert shelf.update(entry.id, tokens=12, bank_bytes=34, state="ready").tokens == 12
    for wrong in ({"state": "eaten"}, {"id": "x"}, {"title": "use rename"}):
        with pytest.raises(ValueError):
            shelf.update(entry.id, **wrong)
    shelf.configure(entry.id, dtype="int8", until=3)
    assert shelf.configure(entry.id, until=None, within="II").settings == {"dtype": "int8", "within": "II"}
    with pytest.raises(BadInput):
        shelf.update("f" * 12, tokens=1)


@pytest.mark.parametrize("identifier", ["../..", "", "zz", "a/b/c"])
def test_no_identifier_leaves_the_shelf(shelf, make, identifier):
    make("content")
    for call in (
        shelf.get,
        shelf.source,
        shelf.document,
        shelf.lock,
        shelf.remove,
        shelf.opened,
    ):
        with pytest.raises(BadInput):
            call(identifier)
    with pytest.raises(BadInput):
        shelf.store(identifier, sample_document())


# removing


def test_removing_really_deletes(shelf, make):
    kept, entry = make("kept"), make("the source holds sesquipedalian-source")
    shelf.store(
        entry.id, sample_document(text="sesquipedalian-text", title="sesquipedalian-title", chapters=())
    )
    shelf.fulltext.index(entry.id, [(0, 0, 19, "sesquipedalian-text")])
    bank = shelf.paths.bank(entry.id)
    bank.mkdir()
    (bank / "keys.bin").write_bytes(b"sesquipedalian" * 10_000)
    talks = shelf.of("ann").talks
    talk = talks.create(entry.id, title="sesquipedalian-talk")
    talks.append(talk.id, "user", "sesquipedalian-question")
    (shelf.paths.talks / talk.id).mkdir(parents=True)
    (shelf.paths.talks / talk.id / "bank.bin").write_bytes(b"sesquipedalian")
    shelf.jobs.add(entry.id)
    expected = folder_bytes(shelf.paths.document(entry.id)) + 14
    assert shelf.remove(entry.id) == expected > 140_000
    assert [entry.id for entry in shelf.entries()] == [kept.id]
    assert shelf.jobs.all() == [] and shelf.fulltext.search("sesquipedalian") == []
    with pytest.raises(BadInput):
        talks.get(talk.id)
    for path in shelf.paths.home.rglob("*"):
        assert entry.id not in path.name
        if path.is_file():
            content = path.read_bytes()
            assert b"sesquipedalian" not in content and entry.id.encode() not in content, path
    with pytest.raises(BadInput):
        shelf.remove(entry.id)
    again = make("the source holds sesquipedalian-source")
    assert (again.id, again.state, again.title) == (entry.id, "waiting", "book")


def test_removing_is_safe_while_another_process_reads(shelf, make):
    entry = make("content")
    (shelf.paths.document(entry.id) / "bank").mkdir()
    (shelf.paths.bank(entry.id) / "keys.bin").write_bytes(b"k" * 100_000)
    shelf.fulltext.index(entry.id, [(0, 0, 5, "whale")])
    reader = start(
        shelf,
        "import mmap\n"
        "identifier = sys.argv[2]\n"
        "file = (shelf.paths.bank(identifier) / 'keys.bin').open('rb')\n"
        "keys = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)\n"
        "with shelf.fulltext._open(identifier) as db:\n"
        "    print('open', flush=True)\n"
        "    while shelf.paths.document(identifier).exists(): time.sleep(0.01)\n"
        "    time.sleep(0.1)\n"
        "    assert db.execute('SELECT text FROM texts').fetchone() == ('whale',)\n"
        "    assert keys[:] == b'k' * 100_000\n"
        "assert shelf.entries() == []\n"
        "print('read to the end')\n",
        entry.id,
    )
    assert reader.stdout.readline() == "open\n"
    assert shelf.remove(entry.id) > 100_000
    assert reader.communicate(timeout=30)[0] == "read to the end\n" and reader.returncode == 0


def test_removing_waits_for_the_worker_and_says_who_it_is(shelf, make):
    entry = make("content")
    holder = start(
        shelf,
        "lock = shelf.lock(sys.argv[2]); lock.acquire(); print(1, flush=True); time.sleep(60)",
        entry.id,
    )
    holder.stdout.readline()
    with pytest.raises(Failure, match=f"process {holder.pid}"):
        shelf.remove(entry.id, timeout=0.1)
    assert shelf.get(entry.id) and shelf.source(entry.id).exists()
    holder.kill()
    holder.wait()
    assert shelf.remove(entry.id, timeout=10) > 0


# crashes


def test_sweep_finishes_or_undoes_what_a_crash_left(shelf, make):
    entry, deleted = make("content"), "d" * 12
    documents = shelf.paths.documents
    # killed after the folder was moved away, before the transaction was committed: undone
    shelf.paths.document(entry.id).rename(documents / f".removed-{entry.id}-00ff")
    # killed after the commit: finished
    (documents / f".removed-{deleted}-00ff").mkdir()
    # killed between the rename and the commit of an addition
    (documents / ("e" * 12)).mkdir()
    # killed while copying, long ago and just now
    for name, age in ((".incoming-old", 7200), (".incoming-new", 0)):
        (documents / name).mkdir()
        os.utime(documents / name, (time.time() - age,) * 2)
    (documents / "somebody's own folder").mkdir()
    # killed between the rows of a talk and its folder, and while writing into a document's folder
    talk = shelf.talks.create(entry.id)
    for name in (talk.id, "f" * 16, "notes"):
        (shelf.paths.talks / name).mkdir(parents=True)
    half = documents / f".removed-{entry.id}-00ff" / ".document.json-00ff"
    half.write_text("{")
    converting = shelf.paths.backbones / ".converting-00ff"
    converting.mkdir(parents=True)
    for path in (half, converting):
        os.utime(path, (time.time() - 7200,) * 2)
    shelf.sweep()
    shelf.sweep()  # what was restored is looked through at the next start
    assert sorted(path.name for path in shelf.paths.talks.iterdir()) == sorted([talk.id, "notes"])
    assert not converting.exists()
    assert sorted(path.name for path in shelf.paths.document(entry.id).iterdir()) == [
        "entry.json",
        "source.txt",
    ]
    assert sorted(path.name for path in documents.iterdir()) == sorted(
        [entry.id, ".incoming-new", "somebody's own folder"]
    )
    assert shelf.source(entry.id).read_text() == "content"


def test_an_addition_that_fails_leaves_nothing(shelf, make, monkeypatch):
    make("kept")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("engine.shelf.shelf.os.fsync", full)
    with pytest.raises(Failure, match="No space left"):
        make("lost")
    monkeypatch.undo()
    assert len(shelf.entries()) == 1 and len(list(shelf.paths.documents.iterdir())) == 1


# migrations


def test_an_old_database_is_brought_up_with_its_rows(tmp_path):
    paths = Paths(tmp_path)
    db = sqlite_utils.Database(paths.database)
    migrations.migrate(db, upto=1)
    row = {"id": "a" * 12, "content_hash": "a" * 64, "title": "Old", "source_name": "old.txt"}
    db.table("documents").insert(row | {"source_file": "source.txt", "created": 1.0})
    assert set(db.table_names()) == {"documents", "readings"}
    db.close()
    shelf = Shelf(paths)
    assert shelf.find("old").created == 1.0
    assert shelf.jobs.add("a" * 12).state == "queued"
    assert shelf.talks.create("a" * 12).document == "a" * 12
    assert migrations.version(shelf.connections.db) == len(migrations.MIGRATIONS)
    assert shelf.connections.db.journal_mode == "wal"


def test_a_library_of_before_there_were_owners_is_everybodys(tmp_path):
    paths = Paths(tmp_path)
    db = sqlite_utils.Database(paths.database)
    migrations.migrate(db, upto=migrations.MIGRATIONS.index(migrations.add_library_owners))
    row = {"id": "b" * 12, "name": "Old", "template": "{} is {}", "words": '{"good": "good", "bad": "bad"}'}
    db.table("libraries").insert(row | {"created": 1.0, "changed": 1.0})
    db.close()
    store = Store(Shelf(paths))
    old = store.find("old")
    assert (old.owner, old.created) == ("", 1.0)
    assert old.belongs_to("ann") and old.belongs_to("ben") and old.belongs_to("")
    new = store.create("New", old.task, [], owner="ann")
    assert [store.get(new.id).belongs_to(one) for one in ("ann", "ben", "")] == [True, False, True]


@pytest.mark.parametrize("first", range(len(migrations.MIGRATIONS)))
def test_every_old_format_leads_to_the_same_schema(tmp_path, first):
    schemas = []
    for stops in ([first], []):
        db = sqlite_utils.Database(memory=True)
        for stop in stops:
            migrations.migrate(db, upto=stop)
        migrations.migrate(db)
        schemas.append(db.schema)
    assert schemas[0] == schemas[1]


def test_a_failing_migration_changes_nothing(monkeypatch):
    db = sqlite_utils.Database(memory=True)
    migrations.migrate(db, upto=1)
    before = db.schema

    def broken(db):
        db.execute("CREATE TABLE half (x)")
        raise RuntimeError("broken")

    monkeypatch.setattr(migrations, "MIGRATIONS", [migrations.MIGRATIONS[0], broken])
    with pytest.raises(RuntimeError):
        migrations.migrate(db)
    assert db.schema == before and migrations.version(db) == 1


def test_a_newer_database_is_refused_in_one_line(tmp_path):
    db = sqlite_utils.Database(tmp_path / "shelf.db")
    db.execute("PRAGMA user_version = 999")
    db.execute("CREATE TABLE future (x)")
    db.close()
    content = (tmp_path / "shelf.db").read_bytes()
    with pytest.raises(Failure, match="newer LongMem Reader.*update the program") as refusal:
        Shelf(Paths(tmp_path)).entries()
    assert "\n" not in str(refusal.value)
    assert (tmp_path / "shelf.db").read_bytes() == content


def test_a_file_that_is_no_database_is_refused_in_one_line(tmp_path):
    (tmp_path / "shelf.db").write_bytes(b"something else entirely " * 100)
    with pytest.raises(Failure, match="damaged or not ours"):
        Shelf(Paths(tmp_path)).entries()


def test_a_data_folder_that_cannot_be_made_is_refused_in_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(Failure, match="shelf cannot be"):
        Shelf(Paths(tmp_path / "file" / "home")).entries()


# several at once


def finish(processes) -> list[str]:
    outputs = [process.communicate(timeout=60)[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * len(processes)
    return outputs


def test_processes_that_add_one_file_at_once_make_one_document(shelf, tmp_path):
    source = tmp_path / "book.txt"
    source.write_bytes(os.urandom(300_000))
    script = (
        "print(1, flush=True)\n"
        "while not Path(sys.argv[3]).exists(): pass\n"
        "entry, new = shelf.add(Path(sys.argv[2]))\n"
        "job = shelf.jobs.add(entry.id)\n"
        "print(entry.id, new, job.id)\n"
    )
    go = tmp_path / "go"
    processes = [start(shelf, script, source, go) for _ in range(4)]
    for process in processes:
        process.stdout.readline()
    go.touch()
    answers = [output.split() for output in finish(processes)]
    (entry,) = shelf.entries()
    assert {answer[0] for answer in answers} == {entry.id}
    assert sorted(answer[1] for answer in answers) == ["False", "False", "False", "True"]
    assert {answer[2] for answer in answers} == {str(job.id) for job in shelf.jobs.all()}
    assert len(shelf.jobs.all()) == 1
    assert files_below(shelf.paths.documents) == [f"{entry.id}/entry.json", f"{entry.id}/source.txt"]
    assert shelf.source(entry.id).read_bytes() == source.read_bytes()


def test_processes_and_threads_that_write_at_once_lose_nothing(shelf, make):
    entry = make("content")
    talk = shelf.talks.create(entry.id)
    script = (
        "import threading\n"
        "document, talk = sys.argv[2:4]\n"
        "def write():\n"
        "    for _ in range(15):\n"
        "        with shelf.connections.writing():\n"
        "            count = shelf.get(document).settings.get('count', 0)\n"
        "            shelf.configure(document, count=count + 1)\n"
        "        shelf.talks.append(talk, 'user', 'hello')\n"
        "threads = [threading.Thread(target=write) for _ in range(2)]\n"
        "[thread.start() for thread in threads]; [thread.join() for thread in threads]\n"
    )
    finish([start(shelf, script, entry.id, talk.id) for _ in range(3)])
    assert shelf.get(entry.id).settings == {"count": 90}
    assert [message.position for message in shelf.talks.messages(talk.id)] == list(range(90))
    assert shelf.connections.db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_adding_and_removing_at_once_never_shows_a_row_without_files(shelf, tmp_path):
    source = tmp_path / "book.txt"
    source.write_bytes(b"content" * 100)
    add = "for _ in range(10): shelf.add(Path(sys.argv[2]))"
    remove = (
        "from ingest.errors import BadInput\n"
        "for _ in range(10):\n"
        "    for entry in shelf.entries():\n"
        "        try: shelf.remove(entry.id)\n"
        "        except BadInput: pass\n"
    )
    processes = [start(shelf, script, source) for script in (add, remove, add, remove)]
    while any(process.poll() is None for process in processes):
        with shelf.connections.writing():
            for entry in shelf.entries():
                assert shelf.source(entry.id).is_file()
        time.sleep(0.005)
    finish(processes)
    entry, _ = shelf.add(source)
    assert sorted(path.name for path in shelf.paths.documents.iterdir()) == [entry.id]


def test_a_killed_writer_leaves_a_sound_database(shelf, make):
    entry = make("content")
    talk = shelf.talks.create(entry.id)
    writer = start(
        shelf,
        "print(1, flush=True)\n"
        "for number in range(10**6): shelf.talks.append(sys.argv[2], 'user', str(number) * 50)\n",
        talk.id,
    )
    writer.stdout.readline()
    time.sleep(0.3)
    writer.kill()
    writer.wait()
    messages = shelf.talks.messages(talk.id)
    assert [message.text for message in messages] == [str(number) * 50 for number in range(len(messages))]
    assert shelf.connections.db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    shelf.talks.append(talk.id, "user", "and on")


def test_a_transaction_that_fails_leaves_nothing(shelf, make):
    entry = make("content")
    with pytest.raises(RuntimeError), shelf.connections.writing():
        shelf.rename(entry.id, "half")
        raise RuntimeError
    assert shelf.get(entry.id).title == "book"


def test_threads_have_connections_of_their_own(shelf, make):
    make("content")
    seen = []
    threads = [threading.Thread(target=lambda: seen.append(shelf.connections.db)) for _ in range(2)]
    for thread in threads:
        thread.start()
        thread.join()
    assert len({id(db) for db in [*seen, shelf.connections.db]}) == 3
    shelf.close()
    with pytest.raises(sqlite3.ProgrammingError):
        seen[0].execute("SELECT 1")
    assert len(shelf.entries()) == 1, "a closed shelf opens again when it is used"


def test_entries_are_plain_data(shelf, make):
    entry = make("content")
    assert json.loads(json.dumps(entry.__dict__))["id"] == entry.id

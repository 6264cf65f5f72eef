"""Files are read in a process of its own: what it finds comes back as it is, what it does stays there."""

import os
import subprocess
import sys
import threading
import time

import psutil
import pytest

from ingest import apart, parse, tables
from ingest.child import DAMAGED
from ingest.errors import BadInput
from ingest.limits import Limits
from tests.conftest import PROJECT
from tests.ingest import hostile
from tests.ingest.build import archive, epub, page

SAMPLES = sorted((PROJECT / "assets" / "samples").iterdir())
WORDS = " of a quiet text, which goes on for a while.\n\nAnd on."


@pytest.fixture
def obeying(monkeypatch):
    """Children that do what a text says (see `tests.ingest.hostile`)."""
    monkeypatch.setattr(apart, "START", hostile.START)
    yield
    apart.close()


def written(folder, deed: str):
    path = folder / "book.txt"
    path.write_text(deed + WORDS)
    return path


def until(condition, seconds: float = 30.0) -> None:
    """Wait for what must come."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.02)


def is_gone(pid: int) -> bool:
    """Whether a process has ended, be it that nobody has asked how."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.suffix)
def test_a_document_is_the_same_apart(path):
    assert apart.parse(path, name="as called.epub") == parse.parse(path, name="as called.epub")


def test_a_table_is_the_same_apart(tmp_path):
    path = tmp_path / "films.csv"
    path.write_bytes('text,label\nGrüße,good\n"a\nb",bad\n'.encode("cp1252"))
    assert apart.read_table(path) == tables.read_table(path)
    assert apart.read_table(path, encoding="latin-1", header=False) == tables.read_table(
        path, encoding="latin-1", header=False
    )
    pasted = path.read_text(encoding="cp1252")
    assert apart.pasted_table(pasted, header=True) == tables.pasted_table(pasted, header=True)


REFUSED = [
    ("empty.txt", b"", {}),
    ("picture.txt", b"\x89PNG and more", {}),
    ("locked.txt", "Grüße".encode("cp1252"), {"encoding": "utf-8"}),
    ("strange.txt", b"a text", {"encoding": "klingon"}),
    ("missing.txt", None, {}),
]


@pytest.mark.parametrize(("name", "content", "options"), REFUSED, ids=[row[0] for row in REFUSED])
def test_what_is_refused_is_refused_in_the_same_words(tmp_path, name, content, options):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    said = []
    for read in (parse.parse, apart.parse):
        with pytest.raises(BadInput) as refusal:
            read(tmp_path / name, **options)
        said.append(str(refusal.value))
    assert said[0] == said[1]
    assert "Traceback" in str(refusal.value.__cause__), "which --debug shows"


def test_a_table_is_refused_in_the_same_words(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_bytes(b"PK\x03\x04")
    for module in (tables, apart):
        with pytest.raises(BadInput, match=r"^rows\.csv: this is a workbook"):
            module.read_table(path)
        with pytest.raises(BadInput, match="what was pasted: there are no rows"):
            module.pasted_table("")


SMALL = Limits(memory_bytes=200_000_000, seconds=2)
HOSTILE = [
    ("loop", r"took more than 2 s and was given up: "),
    ("allocate", r"took more than 200 MB of memory and was given up: "),
    ("take_all", r"took more than 200 MB of memory and was given up: "),
    ("crash", DAMAGED),
    ("fail", "damaged or built in a way"),
]


@pytest.mark.parametrize(("deed", "words"), HOSTILE, ids=[row[0] for row in HOSTILE])
def test_what_passes_a_limit_is_given_up_in_one_line(obeying, tmp_path, deed, words):
    with pytest.raises(BadInput, match=rf"^my book\.txt: .*{words}") as refusal:
        apart.parse(written(tmp_path, deed), name="my book.txt", limits=SMALL)
    assert "\n" not in str(refusal.value)
    assert not apart._children._alive


def test_what_a_library_prints_stays_out_of_the_reply(obeying, tmp_path, capfd):
    assert apart.parse(written(tmp_path, "chatter")).text.startswith("chatter of a quiet text")
    assert capfd.readouterr().out == ""


def test_whoever_waits_is_asked_all_the_while_and_may_give_up(obeying, tmp_path):
    asked = []

    def waiting() -> None:
        asked.append(1)
        if len(asked) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        apart.parse(written(tmp_path, "loop"), waiting=waiting)
    assert len(asked) == 3 and not apart._children._alive


def test_closing_ends_what_is_being_read(obeying, tmp_path):
    said = []

    def read() -> None:
        try:
            apart.parse(written(tmp_path, "loop"))
        except BadInput as error:
            said.append(str(error))

    reading = threading.Thread(target=read)
    reading.start()
    until(lambda: apart._children._alive)
    apart.close()
    reading.join(30)
    assert not reading.is_alive() and len(said) == 1


def test_a_spare_one_waits_reads_one_file_and_is_followed_by_another(tmp_path):
    path = written(tmp_path, "Beginning")
    try:
        apart.keep_spare()
        (first,) = apart._children._alive
        assert apart.parse(path).text.startswith("Beginning of")
        (second,) = apart._children._alive
        assert first is not second and first.poll() is not None
        second.kill()
        second.wait()
        assert apart.parse(path).text.startswith("Beginning of"), "a dead spare one is no harm"
    finally:
        apart.close()
    assert not apart._children._alive


PARENT = """
import sys
from ingest import apart
from tests.ingest import hostile
apart.START = hostile.START
if sys.argv[1:]:
    apart.parse(sys.argv[1])
else:
    apart.keep_spare()
    sys.stdin.read()
"""


@pytest.mark.parametrize("deed", ["loop", ""], ids=["reading", "spare"])
def test_a_child_ends_with_a_parent_that_is_killed(tmp_path, deed):
    given = [str(written(tmp_path, deed))] if deed else []
    command = [sys.executable, "-c", PARENT, *given]
    parent = subprocess.Popen(
        command, cwd=PROJECT, stdin=subprocess.PIPE, env=os.environ | {"PYTHONPATH": "."}
    )
    try:
        until(lambda: psutil.Process(parent.pid).children())
        (child,) = psutil.Process(parent.pid).children()
        if deed:
            until(lambda: child.cpu_times().user > 1 or is_gone(child.pid), 60)  # it is in the loop by then
        assert not is_gone(child.pid)
    finally:
        parent.kill()
        parent.communicate()
    until(lambda: is_gone(child.pid), 10 if deed else 30)


def test_a_flood_of_tables_is_refused_and_not_queued(monkeypatch):
    monkeypatch.setattr(apart, "_tables", threading.BoundedSemaphore(1))
    with apart._one_of_few(), pytest.raises(BadInput, match="several tables are being read"):
        apart.pasted_table("text,label\na,b\n")
    assert apart.pasted_table("text,label\na,b\n").rows == (("a", "b"),)


def test_a_zip_of_several_books_is_laid_out_as_files(tmp_path):
    entries = {
        "a/One.txt": "The one.",
        "b/One.txt": "The other.",
        "../../up\n.md": "Up.",
        "x.jpg": "x",
        ".h.txt": "x",
    }
    path = tmp_path / "books.zip"
    path.write_bytes(archive(entries | {"__MACOSX/One.txt": "x"}))
    found = apart.unpack(path, tmp_path / "out")
    assert [one.relative_to(tmp_path / "out").as_posix() for one in found] == [
        "00000/One.txt", "00001/One.txt", "00002/up.md",
    ]  # fmt: skip
    assert [apart.parse(one).text for one in found] == ["The one.", "The other.", "Up."]
    path.write_bytes(
        archive({"a.txt": "A lamp.", "b/../../c.txt": "A cat."}).replace(b"b/../../c", b"b/../../d", 1)
    )
    first, second = apart.unpack(path, tmp_path / "odd")  # the second's names contradict each other: damage
    assert apart.parse(first).text == "A lamp."
    with pytest.raises(BadInput, match="^c.txt: .*empty"):
        apart.parse(second)
    for entries in ({"a.txt": "x"}, {"a.jpg": "x", "b.jpg": "x"}):
        path.write_bytes(archive(entries))
        assert apart.unpack(path, tmp_path / "none") == [] and not (tmp_path / "none").exists()
    path.write_bytes(epub({"one.xhtml": page("<body><p>x</p></body>")}))
    assert apart.unpack(path, tmp_path / "none") == []
    path.write_bytes(archive({"a.txt": b"x" * 3_000_000, "b.txt": "x"}))
    with pytest.raises(BadInput, match="books.zip: .*ZIP bomb"):
        apart.unpack(path, tmp_path / "none")

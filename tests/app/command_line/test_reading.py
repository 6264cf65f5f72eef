"""search, read, notes and export over a true shelf, without a model."""

import io
import json

import ebooklib
import pytest
from ebooklib import epub

from app.command_line import commands
from app.desk.epubs import of_marks
from engine.marks.mark import Mark
from engine.paths import Paths
from engine.shelf.shelf import Shelf
from ingest.document import Chapter, Document, Page
from ingest.form import Span

TEXT = "Chapter I\n\nThe keeper slept.\n\nChapter II\n\nThe boat came in.\n\nNobody saw the boat go."


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """A shelf with one book that was read, and indexed."""
    monkeypatch.setenv("LONGMEM_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(commands, "stay_local", lambda model: None)
    shelf = Shelf(Paths.default())
    (tmp_path / "keeper.txt").write_text(TEXT)
    identifier = shelf.add(tmp_path / "keeper.txt")[0].id
    second = TEXT.index("Chapter II")
    chapters = [Chapter("Chapter I", 0, second), Chapter("Chapter II", second, len(TEXT))]
    pages = [Page("1", 0, second), Page("2", second, len(TEXT))]
    spans = [Span("italic", TEXT.index("boat"), TEXT.index("boat") + 4)]
    shelf.store(
        identifier, Document("The Keeper", "A. Writer", "en", "text", TEXT, chapters, pages, spans=spans)
    )
    starts = [0, second]
    shelf.fulltext.index(identifier, [(n, at, end, TEXT[at:end]) for n, (at, end) in
                                      enumerate(zip(starts, [second, len(TEXT)], strict=True))])  # fmt: skip
    yield shelf
    shelf.close()


@pytest.mark.parametrize(
    ("argv", "printed"),
    [
        (["search", "keeper", "the boat"], ["page 2: Chapter II The boat came in."]),
        (["search", "nobody saw"], ["The Keeper, page 2: Chapter II"]),
        (["search", "keeper", "baot came"], ["The boat came in."]),
        (["read", "keeper"], [TEXT]),
        (
            ["read", "keeper", "--html"],
            ["<title>The Keeper<", ">Chapter II</h2>", "The <em>boat</em> came"],
        ),
        (["read", "keeper", "--at", "page 2"], ["Nobody saw the boat go."]),
        (
            ["notes", "keeper", "--add", "Chapter II", "--note", "at last"],
            ["page 2: “Chapter II”", "at last"],
        ),
        (["notes", "--add", "Chapter II", "keeper", "--search", "boat"], []),
    ],
)
def test_what_is_printed(shelf, capsys, argv, printed):
    assert commands.main(argv) == 0
    out = capsys.readouterr().out
    assert all(line in out for line in printed)


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["export"], "no notes to export"),
        (["notes", "--add", "page 2"], "needs the document"),
        (["notes", "keeper", "--note", "x"], "--note belongs to --add"),
        (["notes", "--import", "nowhere.json"], "nowhere.json cannot be read"),
        (["read", "keeper", "--at", "Chapter IX"], "no place called"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(shelf, capsys, argv, says):
    assert commands.main(argv) == 2
    err = capsys.readouterr().err
    assert says in err and err.count("\n") == 1


def test_notes_leave_and_come_back(shelf, tmp_path, capsys):
    commands.main(["notes", "keeper", "--add", "page 2", "--note", "at last"])
    for name in ("notes.json", "notes.md", "notes.epub"):
        assert commands.main(["export", "keeper", "--output", str(tmp_path / name)]) == 0
    assert commands.main(["export", "--output", str(tmp_path / "notes.md")]) == 2
    assert "at last" in (tmp_path / "notes.md").read_text()
    (mark,) = shelf.marks.all()
    shelf.marks.delete(mark.id)
    capsys.readouterr()
    argv = ["notes", "--import", str(tmp_path / "notes.json"), "--json"]
    assert commands.main(argv) == 0
    (back,) = json.loads(capsys.readouterr().out)["notes"]
    assert back == mark.record()


def test_an_epub_of_notes_holds_no_markup_of_a_book():
    hostile = "<script>bad()</script> & “words”"
    marks = [Mark("ab12cd34ef56", "note", 0, 5, hostile, title=hostile, note=hostile, place="page 3"),
             Mark("cd34ef56ab12", "highlight", 0, 5, "fine", title="Other")]  # fmt: skip
    book = epub.read_epub(io.BytesIO(of_marks(marks)))
    pages = [item.get_content().decode() for item in book.get_items_of_type(ebooklib.ITEM_DOCUMENT)]
    first = next(page for page in pages if "page 3" in page)
    assert first.count("&lt;script&gt;bad()&lt;/script&gt; &amp; “words”") >= 2
    assert "<script" not in "".join(pages)
    assert any("fine" in page for page in pages)

"""What the desk tells of the shelf: whose turn is next, tags, another edition, notes that stay. No model."""

from dataclasses import replace

import pytest

from app.desk.desk import CHARACTERS_PER_TOKEN, Desk
from app.desk.visit import Visit
from engine.assistant import Assistant
from engine.library import Library
from engine.paths import Paths
from ingest.errors import BadInput
from ingest.parse import parse
from tests.app.conftest import book


@pytest.fixture
def desk(tmp_path):
    desk = Desk(Assistant(Library(Paths(tmp_path / "home"), parse)))
    yield desk
    desk.shelf.close()


def added(desk: Desk, folder, chapters: int, title: str = "") -> str:
    path = folder / f"{chapters} {title}.md"
    text = book(chapters, 3)
    path.write_text(text.replace("The Lighthouse of Amber Bay", title) if title else text, encoding="utf-8")
    return Visit(desk, "").add(path).id


def read(desk: Desk) -> None:
    """Read all that is new, as the desk's first runner does."""
    while desk.reader._take_one():
        pass


def test_a_new_book_can_be_read_and_searched_before_its_memory_is_filled(desk, tmp_path):
    one = added(desk, tmp_path, 2)
    read(desk)
    assert desk.shelf.get(one).state == "waiting" and desk.shelf.get(one).characters
    assert "Read meanwhile" in Visit(desk, "").cards()
    assert desk.shelf.fulltext.search("Marigold", one)


def test_short_books_come_first_and_each_says_when_its_turn_is(desk, tmp_path):
    long, short = added(desk, tmp_path, 9, "Long"), added(desk, tmp_path, 1, "Short")
    read(desk)
    assert [job.document for job in desk.runner.queued()] == [short, long]
    cards = Visit(desk, "").cards()
    # the one added last stands first
    at = [cards.index(words) for words in (short, "next in line", f'data-id="{long}"', "second in line")]
    assert at == sorted(at)


def test_a_long_book_under_way_lets_examples_and_short_books_go_first(desk, tmp_path):
    long, short, middle = (added(desk, tmp_path, size, str(size)) for size in (9, 1, 6))
    jobs = desk.shelf.jobs
    running, quick, other = (jobs.latest(one) for one in (long, short, middle))
    assert not desk._gives_way(running, quick)  # neither was read
    read(desk)
    examples = replace(quick, document="a library of examples", kind="encode-demonstrations")
    tokens, seen = round(desk.shelf.get(long).characters / CHARACTERS_PER_TOKEN), []

    def work(job, report):
        report("encode", 1, tokens)
        seen.extend(desk._gives_way(job, one) for one in (quick, other, examples))

    jobs.run(running.id, work)
    assert seen == [True, False, True]
    assert not desk._gives_way(replace(running, kind="classify:1"), quick)


def test_a_newer_edition_is_offered_and_takes_the_notes_over(desk, tmp_path):
    older = added(desk, tmp_path, 2)
    read(desk)
    document = desk.books.document(older)
    start = document.text.index("Marigold")
    desk.shelf.marks.add(older, document, start, start + 30, note="who?", kind="note")
    assert (
        "Replace the older edition" not in Visit(desk, "").cards()
        and "Delete, keep notes" in Visit(desk, "").cards()
    )
    newer = added(desk, tmp_path, 3)
    read(desk)
    Visit(desk, "").rename(older, "Marigold's Lamp")
    Visit(desk, "").rename(newer, "Marigold’s lamp")
    assert Visit(desk, "").cards().count("Replace the older edition") == 1
    assert Visit(desk, "").replace(older, newer)[1] == 1
    assert [entry.id for entry in desk.shelf.entries()] == [newer]
    assert [mark.note for mark in desk.shelf.marks.of(newer)] == ["who?"]
    Visit(desk, "").remove(newer, keep_marks=True)
    assert [mark.document for mark in desk.shelf.marks.all()] == [None]


def test_tags_are_shown_and_a_page_for_reading_only_changes_none(desk, tmp_path):
    one = added(desk, tmp_path, 1)
    Visit(desk, "").tag(one, "sea, <i>")
    assert "&#60;i&#62;" in Visit(desk, "").cards() and "<i>" not in Visit(desk, "").cards()
    desk.read_only = True
    with pytest.raises(BadInput, match="--read-only"):
        Visit(desk, "").tag(one, "x")
    with pytest.raises(BadInput, match="--read-only"):
        Visit(desk, "").marks.changeable()

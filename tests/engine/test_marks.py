"""Marks: kept by reader and book, searched, exported and read back, found again in another edition."""

import json
from dataclasses import replace

import pytest
from markdown_it import MarkdownIt

from engine import editions
from engine.marks import export
from engine.marks.mark import COLOURS, Mark
from ingest.document import Document
from ingest.editions import Edition, Quote
from ingest.errors import BadInput

TEXT = "\n\n".join(
    [
        "The Keeper",
        "In spring the keeper painted the door blue. Nobody came to see it.",
        "In autumn the keeper painted the door green, and the miller laughed.",
        "She said: “I will not sell the boat.” The sea was grey.",
        "The sea was grey. At last the boat was sold.",
    ]
)


def document(text: str = TEXT) -> Document:
    return Document("The Keeper", "A. Writer", "en", "text", text)


def book(shelf, folder, text: str = TEXT) -> str:
    path = folder / f"keeper {len(list(folder.iterdir()))}.txt"
    path.write_text(text)
    identifier = shelf.add(path)[0].id
    shelf.store(identifier, document(text))
    return identifier


def span(words: str, text: str = TEXT) -> tuple[int, int]:
    return text.index(words), text.index(words) + len(words)


def test_marks_are_kept_by_reader_and_in_the_order_of_the_book(shelf, tmp_path):
    one = book(shelf, tmp_path)
    shelf.marks.add(one, document(), *span("sell the boat"), kind="note", note="never!")
    shelf.marks.add(one, document(), *span("painted the door blue"), colour="rose")
    shelf.of("ann").marks.add(one, document(), *span("miller"))
    found = shelf.marks.of(one)
    assert [(mark.quote, mark.colour, mark.note) for mark in found] == [
        ("painted the door blue", "rose", ""), ("sell the boat", COLOURS[0], "never!"),
    ]  # fmt: skip
    assert found[0].place == "paragraph 2" and found[0].title == "The Keeper"
    assert [mark.quote for mark in shelf.of("ann").marks.all()] == ["miller"]
    assert (shelf.of("ann").marks.books(), shelf.of("bob").marks.books()) == ({one}, set())
    with pytest.raises(BadInput, match="no such mark"):
        shelf.of("ann").marks.delete(found[0].id)


def test_the_same_words_marked_again_change_their_mark(shelf, tmp_path):
    one = book(shelf, tmp_path)
    first = shelf.marks.add(one, document(), *span("miller"), colour="blue")
    again = shelf.marks.add(one, document(), *span("miller"), colour="green")
    assert (again.id, [mark.colour for mark in shelf.marks.of(one)]) == (first.id, ["green"])
    noted = shelf.marks.change(first.id, " who? ")
    assert (noted.kind, noted.note) == ("note", "who?")
    assert shelf.marks.change(first.id, "").kind == "highlight"
    shelf.marks.delete(first.id)
    assert shelf.marks.all() == []


REFUSED = [
    ({"start": 10, "end": 5}, "not in the book"),
    ({"start": 0, "end": 10**6}, "not in the book"),
    ({"start": 0, "end": 0}, "nothing is selected"),
    ({"start": 0, "end": 5, "colour": "red"}, "colour"),
    ({"start": 0, "end": 5, "kind": "star"}, "a mark is one of"),
    ({"start": 0, "end": 5, "kind": "note", "note": "  "}, "empty"),
    ({"start": 0, "end": 5, "note": "x" * 20_001}, "at most"),
]


@pytest.mark.parametrize(("given", "says"), REFUSED)
def test_a_mark_that_cannot_be_is_refused(shelf, tmp_path, given, says):
    one = book(shelf, tmp_path)
    values = {"kind": "highlight"} | given
    start, end = values.pop("start"), values.pop("end")
    if says == "nothing is selected":
        start, end = span("\n\n")
    with pytest.raises(BadInput, match=says):
        shelf.marks.add(one, document(), start, end, **values)
    assert shelf.marks.all() == []


@pytest.mark.parametrize(
    ("query", "found"),
    [("boat", 1), ("never sell", 1), ("NÉVER", 1), ("keep", 2), ("paragraph 2", 1), ("zebra", 0), ("", 2)],
)
def test_marks_are_searched_in_their_words_notes_and_books(shelf, tmp_path, query, found):
    one = book(shelf, tmp_path)
    shelf.marks.add(one, document(), *span("sell the boat"), kind="note", note="never!")
    shelf.marks.add(one, document(), *span("painted the door blue"))
    assert len(shelf.marks.search(query)) == found


# what a quotation becomes in another edition, and what of it is to be found there
EDITIONS = [
    ("the keeper painted the door green", TEXT, "the keeper painted the door green"),
    ("The sea was grey.", f"A new preface.\n\n{TEXT}", "The sea was grey"),
    ("“I will not sell the boat.”", TEXT.replace("“", '"').replace("”", '"'), "I will not sell the boat"),
    ("In autumn the keeper painted", TEXT.replace("autumn", "AUTUMN").replace("keeper", "keeper\n"),
     "In AUTUMN the keeper\n painted"),
    ("keeper painted the door green, and the miller", TEXT.replace("green", "red"),
     "keeper painted the door red, and the miller"),
    ("painted the door blue", "Something else altogether stands in this book.", None),
]  # fmt: skip


@pytest.mark.parametrize(("quote", "edition", "expected"), EDITIONS)
def test_words_are_found_again_in_another_edition(quote, edition, expected):
    start, end = span(quote)
    found = Edition(edition).find(
        Quote(quote, TEXT[start - 30 : start], TEXT[end : end + 30], start / len(TEXT))
    )
    assert (found and edition[slice(*found)]) == expected


def test_of_equal_words_those_with_the_same_words_around_are_found():
    second = TEXT.rindex("The sea was grey.")
    words = "The sea was grey."
    longer = "Preface. " * 40 + TEXT
    found = Edition(longer).find(Quote(words, TEXT[second - 60 : second], TEXT[second + len(words) :], 0.0))
    assert found == (longer.rindex(words), longer.rindex(words) + len(words) - 1)


def test_a_deleted_book_takes_its_marks_along_unless_they_are_to_stay(shelf, tmp_path):
    one, text = book(shelf, tmp_path), document()
    shelf.marks.add(one, text, *span("miller"))
    shelf.remove(one, keep_marks=True)
    (waiting,) = shelf.marks.all()
    assert (waiting.document, waiting.title) == (None, "The Keeper")
    (tmp_path / "again.txt").write_text(TEXT)
    assert shelf.add(tmp_path / "again.txt")[0].id == one
    shelf.store(one, text)
    shelf.marks.settle(one, text)
    assert shelf.marks.all() == [replace(waiting, document=one)]
    shelf.remove(one)
    assert shelf.marks.all() == []


class FewBooks:
    """As much of a library as replacing an edition takes."""

    def __init__(self, shelf):
        self.shelf = shelf

    def document(self, identifier):
        return self.shelf.document(identifier)

    def remove(self, identifier):
        return self.shelf.remove(identifier)


def test_a_newer_edition_takes_marks_place_and_tags_over(shelf, tmp_path):
    newer = f"A preface that is new.\n\n{TEXT.replace('green', 'red')}"
    old, new = book(shelf, tmp_path), book(shelf, tmp_path, newer)
    shelf.marks.add(old, document(), *span("painted the door green,"))
    shelf.of("ann").marks.add(old, document(), *span("Nobody came"), kind="bookmark")
    shelf.marks.add(old, document(), *span("The Keeper"), note="title", kind="note")
    shelf.read_to(old, TEXT.index("She said"))
    shelf.tag(old, "sea, Winter reading, sea")
    with pytest.raises(BadInput, match="same file"):
        editions.replace(FewBooks(shelf), old, old)
    found, _ = editions.replace(FewBooks(shelf), old, new)
    assert found == 3
    assert [mark.quote for mark in shelf.marks.of(new)] == ["The Keeper", "painted the door red,"]
    (bookmark,) = shelf.of("ann").marks.of(new)
    assert bookmark.start == bookmark.end == newer.index("Nobody came")
    entry = shelf.get(new)
    assert newer[entry.position :].startswith("She said")
    assert entry.tags == ("sea", "Winter reading")
    assert [one.id for one in shelf.entries()] == [new]


def test_a_newer_edition_takes_talks_over_with_what_they_cite(shelf, tmp_path):
    newer = f"A preface that is new.\n\n{TEXT.replace('green', 'red')}"
    old, new = book(shelf, tmp_path), book(shelf, tmp_path, newer)

    def cited(words, one=old):
        start, end = span(words)
        place = str(document().place(start, end))
        return {"document": one, "text": words, "start": start, "end": end, "place": place, "score": 0.5}

    hers = shelf.of("ann").talks
    talk, library = hers.create(old), shelf.talks.create(None)
    hers.append(talk.id, "user", "Which colour?")
    looked = {"looked": [cited("Nobody came")]}
    green = [cited("painted the door green,")]
    hers.append(talk.id, "assistant", "Green.", citations=green, settings=looked, trace=b"old")
    other = cited("The Keeper", "0" * 16)
    shelf.talks.append(library.id, "assistant", "He did.", citations=[other, cited("She said")], trace=b"old")
    editions.replace(FewBooks(shelf), old, new)
    (moved,) = hers.about(new)
    answer = hers.messages(moved.id)[1]
    (first,), (seen,) = answer.citations, answer.settings["looked"]
    assert moved.id == talk.id and first["document"] == seen["document"] == new
    assert first["text"] == newer[first["start"] : first["end"]] == "painted the door red,"
    assert first["place"] == str(shelf.document(new).place(first["start"], first["end"]))
    assert newer[seen["start"] : seen["end"]] == "Nobody came"
    assert hers.traced(talk.id) == [] and shelf.talks.traced(library.id) == [0]
    kept, found = shelf.talks.messages(library.id)[0].citations
    assert kept == other and newer[found["start"] : found["end"]] == "She said"


def test_what_a_talk_cites_and_the_newer_edition_has_not_keeps_its_words(shelf, tmp_path):
    old, new = book(shelf, tmp_path), book(shelf, tmp_path, "Another story of other people.")
    start, end = span("painted the door green")
    cited = {"document": old, "text": "painted the door green", "start": start, "end": end, "place": "page 1"}
    talk = shelf.talks.create(old)
    shelf.talks.append(talk.id, "assistant", "Green.", citations=[cited])
    editions.replace(FewBooks(shelf), old, new)
    (kept,) = shelf.talks.messages(talk.id)[0].citations
    assert kept["text"] == cited["text"] and kept["place"] == "page 1 of the older edition"
    assert 0 <= kept["start"] == kept["end"] <= len(shelf.document(new).text)


def test_what_is_not_in_the_newer_edition_is_kept_as_lost(shelf, tmp_path):
    old, new = book(shelf, tmp_path), book(shelf, tmp_path, "Another story of other people.")
    shelf.marks.add(old, document(), *span("painted the door green"))
    assert editions.replace(FewBooks(shelf), old, new)[0] == 0
    (mark,) = shelf.marks.of(new)
    assert (mark.lost, mark.quote) == (True, "painted the door green")


# export and import


def test_json_comes_back_as_it_went(shelf, tmp_path):
    one = book(shelf, tmp_path)
    shelf.marks.add(one, document(), *span("sell the boat"), kind="note", note="a ☂ note\nof two lines")
    shelf.marks.add(one, document(), *span("Nobody came"), kind="bookmark")
    before = shelf.marks.all()
    content = export.as_json(before).encode()
    for mark in before:
        shelf.marks.delete(mark.id)
    assert shelf.marks.take(export.from_json(content), {one: document()}) == (2, 0)
    assert shelf.marks.all() == before
    assert shelf.marks.take(export.from_json(content), {one: document()}) == (0, 2)
    assert shelf.of("ann").marks.take(export.from_json(content), {one: document()}) == (2, 0)
    assert [mark.quote for mark in shelf.of("ann").marks.all()] == [mark.quote for mark in before]
    assert shelf.marks.all() == before


def test_markdown_shows_words_notes_and_places_and_no_markup_of_a_book():
    mark = Mark("ab12cd34ef56", "note", 3, 9, "<b>bold</b> [x](http://evil)", place="page 3", title="# T",
                author="A", colour="green", note="<script>")  # fmt: skip
    text = export.markdown([mark, replace(mark, lost=True)], "http://127.0.0.1:7860/")
    shown = MarkdownIt("commonmark", {"html": True}).render(text)
    assert "<b>" not in shown and "<script>" not in shown and 'href="http://evil' not in shown
    assert "page 3" in shown and "not found in this edition" in shown
    assert 'href="http://127.0.0.1:7860/#book=ab12cd34ef56&amp;at=3"' in shown


GOOD = Mark("ab12cd34ef56", "highlight", 3, 9, "words").record()
HOSTILE = [
    (b"\xff\xfe", "no JSON"),
    (b"[" * 100_000, "no JSON"),
    (b"[]", "no notes of this program"),
    (json.dumps({"format": export.FORMAT, "version": 9, "marks": []}).encode(), "another version"),
    (json.dumps({"format": export.FORMAT, "version": 1, "marks": {}}).encode(), "no list"),
    *[
        (json.dumps({"format": export.FORMAT, "version": 1, "marks": [GOOD, one]}).encode(), says)
        for one, says in [
            (7, "note 2 of the file: it is no mark"),
            ({"book": "ab12cd34ef56"}, "it has no kind"),
            (GOOD | {"book": "../../etc"}, "its book cannot be"),
            (GOOD | {"start": -1}, "its start cannot be"),
            (GOOD | {"start": 5, "end": 4}, "its end stands before"),
            (GOOD | {"start": True}, "its start cannot be"),
            (GOOD | {"share": float("nan")}, "its share cannot be"),
            (GOOD | {"quote": ["x"]}, "its quote cannot be"),
            (GOOD | {"colour": "url(x)"}, "a mark is one of"),
        ]
    ],
]


@pytest.mark.parametrize(("content", "says"), HOSTILE, ids=[says for _, says in HOSTILE])
def test_a_hostile_file_of_notes_is_refused_in_one_line(content, says):
    with pytest.raises(BadInput, match=says) as error:
        export.from_json(content)
    assert "\n" not in str(error.value)

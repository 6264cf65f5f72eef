"""Every advice of the desk and of the demonstrations is followed to its end, by readers with a tiny model.

A row is what is refused, words of the line, and what its advice makes of it; no book is lost by it.
"""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from app.desk.desk import Desk
from app.desk.scope import scope
from app.desk.state import View
from app.desk.visit import Visit
from app.html.demonstrations_html import words_of
from engine.assistant import Assistant
from engine.bank.bank import MemoryBank
from engine.demonstrations.demonstrations import Demonstrations
from engine.demonstrations.importing import Row
from engine.demonstrations.store import DemonstrationLibrary
from engine.demonstrations.task import Task
from engine.errors import Failure
from engine.library import Library
from engine.paths import Paths
from engine.shelf.accounts import Limits
from engine.shelf.jobs import Job
from ingest.errors import BadInput
from ingest.parse import parse
from ingest.tables import pasted_table, read_table

SAID = "The lamp of the café burned all night, and the grey cat slept beside it."
NEWER = f"{SAID} In the morning the boat came in."
TASK = Task("{} is {}", {"good": "good", "bad": "bad"})
LABELS = ("good", "bad")
QUESTION = "How many chapters are there?"


class Readers:
    """A desk for the accounts ann and ben, and what they do there; `limits` bounds both."""

    def __init__(self, folder: Path, model: Path) -> None:
        self.folder, self.limits = folder, Limits()
        library = Library(Paths(folder / "home"), parse, model=str(model))
        accounts = SimpleNamespace(limits=lambda owner: self.limits)
        self.desk = Desk(Assistant(library), accounts=accounts)
        self.ann, self.ben = Visit(self.desk, "ann"), Visit(self.desk, "ben")
        self.demos = Demonstrations(library, read_table)
        self.file = folder / "lamp.txt"
        self.file.write_text(SAID, encoding="cp1252")
        self.id = self.add("lamp.txt", SAID)

    @property
    def library(self) -> Library:
        """Its books, as nobody had opened them before."""
        made = self.desk.assistant.library
        for opened in (made._documents, made._passages, made._banks):
            opened.clear()
        return made

    def add(self, name: str, text: str, visit: Visit | None = None, **how: str) -> str:
        """Put a text on the shelf of ann, or of that visit, and encode it; its id."""
        visit = visit or self.ann
        (self.folder / name).write_text(text, encoding="cp1252")
        entry = visit.add(self.folder / name, **how)
        for job in self.desk.shelf.jobs.all(entry.id, unfinished=True):
            self.desk.shelf.jobs.run(job.id, self.desk.assistant.library.work)
        return entry.id

    def remove(self, identifier: str, **how: bool) -> None:
        """Delete a book of ann."""
        self.ann.remove(identifier, **how)

    def bound(self, **limits: int) -> None:
        """Give the accounts less than they have."""
        self.limits = dataclasses.replace(Limits(), **limits)

    def opened(self, **view: object) -> View:
        """The view of a reader who opened the book."""
        return dataclasses.replace(self.ann.reading.open(self.id), **view)

    def asked(self, view: View, question: str = QUESTION) -> str:
        """Ask in that view, and wait for the answer; the talk as it is written out then."""
        view = self.ann.talking.ask(view, question)
        speech = self.desk.speaker.current(view.talk)
        assert speech.end.wait(60) and not speech.error
        return self.ann.talking.exported(view).read_text()

    def made(self, name: str, *labels: str) -> DemonstrationLibrary:
        """A library of one text for each of these labels."""
        made = [one for one in self.demos.store.libraries() if one.name == name]
        made = made or [self.demos.store.create(name, TASK, rows(*labels))]
        return made[0]

    def encoded(self, name: str, *labels: str) -> str:
        """The id of such a library, encoded."""
        return self.demos.encode(self.made(name, *labels).id).id

    def labelled(self, identifier: str) -> bool:
        """Label a text by what is in that library."""
        self.demos.encode(identifier)
        return self.demos.classify(identifier, "a lovely film").label in LABELS

    def reads(self, identifier: str = "", text: str = SAID) -> bool:
        """Tell whether a book, or that of ann, is on the shelf with its text."""
        return self.library.document(identifier or self.id).text == text


def rows(*labels: str) -> list[Row]:
    return [Row(0, f"a {label} film, seen on day {number}", label) for number, label in enumerate(labels)]


@pytest.fixture
def readers(tmp_path, tiny_folder):
    made = Readers(tmp_path, tiny_folder)
    yield made
    made.desk.speaker.stop_all()


def of_a_removed_book(at: Readers) -> None:
    view = View(at.add("gone.txt", "Another lamp."))
    at.remove(view.document)
    scope(at.ann.reading, view)


def read_so_far(at: Readers) -> str:
    return at.asked(at.ann.reading.read_to(at.opened(bound="read")), "Where did the grey cat sleep?")


def after_a_book_less(at: Readers) -> bool:
    for entry in at.desk.shelf.entries():
        if entry.id != at.id:
            at.remove(entry.id)
    return at.reads(at.add("newer.txt", NEWER), NEWER) and at.reads()


def one_book_more(at: Readers) -> None:
    at.add("other.txt", "Another lamp.")
    at.bound(books=2)
    at.add("newer.txt", NEWER)


def a_big_book_more(at: Readers) -> None:
    at.add("big.txt", "An entirely other lamp. " * 30)
    at.bound(megabytes=1)
    at.desk.shelf.update(at.desk.shelf.find("big").id, bank_bytes=990_000)
    at.add("newer.txt", NEWER + " " * 20_000)


def mended_at_the_limit(at: Readers) -> bool:
    """A book that is on the shelf may be added again by whom the shelf is full."""
    at.bound(books=1)
    at.ann.shelf.source(at.id).write_text("other words")
    at.add("lamp.txt", SAID)
    at.desk.shelf.check_source(at.id)
    return at.reads()


def replace_a_shared_edition(at: Readers) -> None:
    at.add("lamp.txt", SAID, at.ben)
    at.ann.shelf.marks.add(at.id, at.library.document(at.id), 4, 8)
    at.ann.replace(at.id, at.add("newer.txt", NEWER))


def left_instead(at: Readers) -> bool:
    """The older edition is left; what ann marked in it is there, and ben keeps the book."""
    assert "Leave, keep notes" in at.ann.cards() and "Leave, keep notes" not in at.ben.cards()
    at.remove(at.id, keep_marks=True)
    kept = [one.quote for one in at.ann.shelf.marks.of(at.id)]
    return kept == ["lamp"] and list(at.desk.shelf.get(at.id).holders) == ["ben"] and at.reads()


def read_otherwise(at: Readers) -> None:
    at.ann.shelf.marks.add(at.id, at.library.document(at.id), 4, 8)
    at.add("lamp.txt", SAID, encoding="cp1251")


def removed_and_read_otherwise(at: Readers) -> bool:
    at.remove(at.id, keep_marks=True)
    again = at.add("lamp.txt", SAID, encoding="cp1251")
    kept = [one.quote for one in at.ann.shelf.marks.of(again)]
    return kept == ["lamp"] and at.reads(again, SAID.replace("é", "й"))


def paused_meanwhile(at: Readers) -> None:
    def pause(job: Job) -> None:
        at.desk.shelf.jobs.pause(job.id)

    (at.folder / "newer.txt").write_text(NEWER)
    at.library.add(at.folder / "newer.txt", progress=pause)


def of_another_version(at: Readers) -> None:
    """As a text lies there that was parsed before its sum was kept."""
    path = at.desk.shelf.paths.parsed(at.id)
    record = json.loads(path.read_text()) | {"version": 0}
    path.write_text(json.dumps(record))
    with at.desk.shelf.connections.writing() as db:
        db.execute("UPDATE documents SET text_sum = ''")
    at.desk.shelf.document(at.id)


def half_a_record(at: Readers) -> None:
    with at.desk.shelf.connections.writing() as db:
        db.execute("UPDATE documents SET text_sum = ''")
    at.desk.shelf.paths.parsed(at.id).write_text('{"version": 5')
    at.desk.shelf.document(at.id)


def added_again(at: Readers) -> bool:
    assert at.library
    at.add("lamp.txt", SAID)
    return at.desk.shelf.document(at.id).text == SAID and at.reads()


def without_a_memory(at: Readers) -> None:
    (at.folder / "newer.txt").write_text(NEWER)
    at.entry = at.ann.add(at.folder / "newer.txt")
    MemoryBank.open(at.desk.shelf.paths.bank(at.entry.id))


def with_a_memory(at: Readers) -> bool:
    return MemoryBank.open(at.desk.shelf.paths.bank(at.add("newer.txt", NEWER))).tokens > 0


def all_held_out(at: Readers) -> None:
    library = at.encoded("Films", *LABELS * 2)
    at.demos.store.move(library, "held-out", [one.id for one in at.demos.store.examples(library)])
    at.labelled(library)


def taken_back(at: Readers) -> bool:
    library = at.made("Films").id
    at.demos.store.split(library, 0)
    return at.labelled(library)


def examples_added(at: Readers) -> bool:
    library = at.made("Films").id
    at.demos.store.add(library, [Row(0, "one more film", "good"), Row(0, "a film again", "bad")])
    return at.labelled(library)


def measured_on_few(at: Readers) -> None:
    at.demos.evaluate(at.encoded("Films", *LABELS))


def measured_on_more(at: Readers) -> bool:
    library = at.made("Films").id
    at.demos.store.add(library, [Row(0, f"{label} {n}", label) for label in LABELS for n in range(4)])
    at.demos.encode(library)
    return at.demos.evaluate(library).examples == 2


def of_two_names(at: Readers) -> None:
    at.made("Films of spring", *LABELS)
    at.made("Films of autumn", *LABELS)
    at.demos.find("films of")


def without_an_example(at: Readers) -> None:
    at.demos.store.balance(at.made("Films", "good", "good").id)


def with_an_example(at: Readers) -> bool:
    library = at.made("Films").id
    at.demos.store.add(library, [Row(0, "a clumsy film", "bad")])
    return at.demos.store.balance(library) == 1


def in_two_encodings(at: Readers) -> None:
    (at.folder / "films.csv").write_bytes("text,label\nДобрый фильм,да\nСкучный фильм,нет\n".encode("cp1251"))
    at.library_of_file = at.demos.find(str(at.folder / "films.csv"), encoding="cp1251").id
    at.demos.find(str(at.folder / "films.csv"), encoding="cp866")


def under_another_name(at: Readers) -> bool:
    (at.folder / "films.csv").rename(at.folder / "movies.csv")
    made = at.demos.find(str(at.folder / "movies.csv"), encoding="cp866")
    return made.id != at.library_of_file and at.demos.store.get(at.library_of_file).size == made.size == 2


def deleted_first(at: Readers) -> bool:
    at.demos.store.remove(at.library_of_file)
    return at.demos.find(str(at.folder / "films.csv"), encoding="cp866").size == 2


def table(*lines: str, columns: str = "text,label") -> object:
    return pasted_table("\n".join((columns, *lines)))


MANY = table(*(f"{n},film {n},{LABELS[n % 2]}" for n in range(101)), columns="day,text,label")
Deed = Callable[[Readers], object]
ADVISED: dict[str, tuple[Deed, str, Deed]] = {
    "a book that was removed": (
        of_a_removed_book, "not on the shelf any more; open another one",
        lambda at: QUESTION in at.asked(at.opened()),
    ),
    "nothing read yet": (
        lambda at: at.asked(at.opened(bound="read")), "read on, or press “I have read to here”",
        lambda at: "grey cat" in read_so_far(at),
    ),
    "no talk": (
        lambda at: at.ann.talking.exported(at.opened(talk="")), "no talk to export yet; ask something",
        lambda at: QUESTION in at.asked(at.opened()),
    ),
    "too many tokens": (
        lambda at: at.bound(tokens=8) or at.ann.check_tokens(9), "tokens at a time: ask for fewer",
        lambda at: at.ann.check_tokens(8) is None,
    ),
    "a book too many": (one_book_more, "up to 2 books on the shelf: delete one first", after_a_book_less),
    "too many bytes": (a_big_book_more, "MB on the shelf; yours has .*: delete a book", after_a_book_less),
    "a full shelf that is mended": (one_book_more, "books on the shelf: delete one", mended_at_the_limit),
    "an edition of two accounts": (replace_a_shared_edition, "leave it instead, and your", left_instead),
    "a text read otherwise": (
        read_otherwise, r"remove it there first \(its talks go with it, notes", removed_and_read_otherwise,
    ),
    "an addition paused elsewhere": (
        paused_meanwhile, "from elsewhere; add it again to go on",
        lambda at: at.reads(at.library.add(at.folder / "newer.txt").id, NEWER),
    ),
    "a text of another version": (of_another_version, "written by another version.*: add", added_again),
    "a torn text": (half_a_record, "this document record is damaged.*: add", added_again),
    "a book without a memory": (without_a_memory, "no memory bank in .*: add the document", with_a_memory),
    "nothing to go on with": (
        lambda at: list(at.desk.assistant.continue_(None, prompt=" ")), "name a document or give a prompt",
        lambda at: list(at.desk.assistant.continue_(None, prompt="The lamp", tokens=2)),
    ),
    "a label without its word": (
        lambda at: words_of("good: fine", LABELS), "write a line “label = word” for each",
        lambda at: words_of("good = fine", LABELS) == {"good": "fine", "bad": "bad"},
    ),
    "no example in memory": (all_held_out, "add some, or take them back", taken_back),
    "no example in memory, some added": (all_held_out, "no example in memory: add some", examples_added),
    "few examples to measure by": (measured_on_few, "too few .*: add more of each label", measured_on_more),
    "a name of two libraries": (
        of_two_names, "may be .*: give the whole name",
        lambda at: at.demos.find("films of spring").name == "Films of spring",
    ),
    "a label of nothing": (without_an_example, "add one before balancing", with_an_example),
    "a column of many values": (
        lambda at: at.demos.preview(MANY, "text", "day"), "choose the column that holds the label",
        lambda at: len(at.demos.preview(MANY, "text", "label").rows) == 101,
    ),
    "a column of one value": (
        lambda at: at.demos.preview(table("a,good", "b,good")), "choose another column or add rows",
        lambda at: len(at.demos.preview(table("a,good", "b,good", "c,bad")).rows) == 3,
    ),
    "an encoding of no file": (
        lambda at: at.made("Films", *LABELS) and at.demos.find("films", encoding="cp1252"),
        "encoding is of a file of examples; leave it out", lambda at: at.demos.find("films").name == "Films",
    ),
    "a file in two encodings": (in_two_encodings, "give the file another name", under_another_name),
    "a file in two encodings, deleted": (in_two_encodings, "delete it on the page", deleted_first),
}  # fmt: skip


@pytest.mark.parametrize(("wrong", "words", "followed"), ADVISED.values(), ids=ADVISED)
def test_it_goes_on_and_no_book_is_lost_where_the_advice_is_followed(readers, wrong, words, followed):
    with pytest.raises((BadInput, Failure), match=words) as refusal:
        wrong(readers)
    assert "\n" not in str(refusal.value)
    assert followed(readers) is not False
    if followed is not removed_and_read_otherwise:
        assert readers.reads()

"""Two accounts over plain HTTP: what is everybody's to read, and what only its owner may change.

Then the same shelf served for reading only, where nobody may change anything.
"""

from collections.abc import Iterator
from types import SimpleNamespace

import gradio as gr
import pytest

from app.desk.demonstrations_desk import DemonstrationsDesk
from app.desk.desk import Desk
from app.desk.libraries import Looked
from app.desk.visit import Visit
from app.tabs.demonstrations_tab import DemonstrationsTab
from engine.demonstrations.settings import Settings
from engine.demonstrations.store import DemonstrationLibrary
from engine.paths import Paths
from engine.shelf.shelf import Shelf
from ingest.errors import BadInput
from ingest.tables import pasted_table
from tests.app.browser import until
from tests.app.callers import ANN, ROWS, Caller, Refused, given
from tests.app.conftest import Served, book, serving

ACTIONS = ("pause", "cancel", "resume")


def a_book(number: int) -> str:
    return book(chapters=2, paragraphs=6).replace("Amber Bay", f"Bay {number}")


@pytest.fixture(scope="module")
def hers(ann) -> str:
    """A book that Ann has added."""
    return ann.add("hers.md", a_book(1))


def test_a_book_is_everybodys_to_read_and_to_ask(ben, hers):
    assert [one["id"] for one in ben("shelf")] == [hers]
    assert "Marigold" in ben("read", hers, 0, 500)["text"]
    assert ben("search", hers, "Heron15", 5) and ben("search", "", "Heron15", 5)
    assert ben("ask", hers, "How many chapters are there?", "", "")["answer"]
    assert ben("continue", hers, "chapter 2", "", 4, True)["tokens"] > 0
    assert ben("job", hers)["state"] == "done"


def test_only_who_added_a_book_may_change_it(guarded, ann, ben, hers):
    job = ann("job", hers)["id"]
    assert ben("job", hers)["id"] == 0
    before = ann("shelf")
    steering = [("control_job", [job, action]) for action in ACTIONS]
    for name, data in [("rename", [hers, "Mine now"]), ("remove", [hers]), ("remove", ["Bay 1"]), *steering]:
        with pytest.raises(Refused, match="added by another account"):
            ben(name, *data)
    assert ann("shelf") == before
    assert ann("rename", hers, "The Bay of Ann")["title"] == "The Bay of Ann"
    with pytest.raises(Refused, match="is done"):
        ann("control_job", job, "resume")
    cards = [Visit(guarded.desk, name).cards() for name in ("ben", "ann")]
    assert ["Delete" in shown for shown in cards] == [False, True]
    assert all("Open" in shown for shown in cards)


def test_the_same_file_again_is_a_place_of_ones_own(guarded, ann, ben):
    shared = ann.add("shared.md", a_book(4))
    assert ben.add("again.md", a_book(4)) == shared
    with pytest.raises(Refused, match="added by another account"):
        ben("rename", shared, "Mine now")
    offers = {name: "Leave" in Visit(guarded.desk, name).cards() for name in ("ben", "carol")}
    assert offers == {"ben": True, "carol": False}
    # who added it first leaves: it stays for the other one, who steers it from then on
    assert ann("remove", shared)["freed_bytes"] == 0
    with pytest.raises(Refused, match="added by another account"):
        ann("remove", shared)
    assert ben("rename", shared, "Ours")["title"] == "Ours"
    assert ben("remove", shared)["freed_bytes"] > 0


def test_an_unfinished_job_is_its_owners(guarded, ann, ben):
    guarded.desk.reader.stop()
    guarded.desk.runner.stop()
    (path,) = ann.http.post("gradio_api/upload", files={"files": ("two.md", a_book(2).encode())}).json()
    made = ann("add", given(path), "", "", "")["id"]
    job = ann("job", made)
    assert job["state"] == "queued"
    for action in ACTIONS:
        with pytest.raises(Refused, match="added by another account"):
            ben("control_job", job["id"], action)
    assert ben("job", made) == job | {"id": 0, "message": ""}
    # the same file of another account neither goes on with hers nor tells of it
    assert ann("control_job", job["id"], "pause")["state"] == "paused"
    (path,) = ben.http.post("gradio_api/upload", files={"files": ("my.md", a_book(2).encode())}).json()
    assert ben("add", given(path), "a password", "latin-1", "")["id"] == made
    kept = guarded.desk.shelf.jobs.get(job["id"])
    assert (kept.state, kept.options.get("encoding")) == ("paused", None)
    assert made not in guarded.desk.assistant.library.intake.passwords
    assert ben("remove", made)["freed_bytes"] == 0
    assert ann("control_job", job["id"], "cancel")["state"] == "cancelled"
    assert ann("remove", made)["freed_bytes"] > 0
    guarded.desk.runner.start()
    guarded.desk.reader.start()


def test_what_was_added_without_an_account_is_everybodys(guarded, ben, tmp_path):
    path = tmp_path / "house.md"
    path.write_text(a_book(3), encoding="utf-8")
    made = guarded.desk.assistant.library.add(path).id
    assert ben("rename", made, "Of the house")["title"] == "Of the house"
    assert ben("remove", made)["freed_bytes"] > 0


def test_a_file_that_is_labelled_is_its_owners(guarded, ann, ben):
    demonstrations = guarded.desk.demonstrations
    preview = demonstrations.preview(pasted_table(ROWS))
    task = preview.task("{} It was {}.", {word: word for word in preview.words}, "")
    library = demonstrations.create("Films", preview, task)
    guarded.desk.runner.stop()
    run, job = demonstrations.of("ann").start_run(library.id, pasted_table("text\nsome film"))
    for action in ACTIONS:
        with pytest.raises(Refused, match="there is no job"):
            ben("control_job", job.id, action)
    assert demonstrations.job_of(run).state == "queued"
    assert ann("control_job", job.id, "pause")["state"] == "paused"
    with pytest.raises(Refused, match="the action is"):
        ann("control_job", job.id, "delete")
    assert [one["name"] for one in ben("libraries")] == ["Films"]
    demonstrations.remove(library.id)
    guarded.desk.runner.start()


# demonstration libraries


def demos(desk: Desk, name: str) -> DemonstrationsDesk:
    """The libraries as that account may use them."""
    return DemonstrationsDesk(Visit(desk, name))


def made(mine: DemonstrationsDesk, name: str) -> DemonstrationLibrary:
    """A library as the page makes it."""
    draft = mine.libraries.draft(ROWS, pasted_table(ROWS), "")
    return mine.make(draft, name, "{} It was {}.", "", "", False)[0]


@pytest.fixture(scope="module")
def films(guarded) -> DemonstrationLibrary:
    """A library of Ann's, encoded, with a part held out."""
    mine = demos(guarded.desk, "ann")
    library = made(mine, "Films of Ann")
    mine.split(library.id, 0.5)
    until(lambda: not mine.is_busy())
    return mine.store.get(library.id)


def changes(mine: DemonstrationsDesk, library: DemonstrationLibrary) -> dict:
    """All that changes a library, as {name: call of a reader}."""
    rows = "text,label\nsome other film,good\nsome third film,bad"
    draft = mine.libraries.draft(rows, pasted_table(rows), library.id)
    first, second, *_ = (one.id for one in mine.store.examples(library.id))
    looked, editing = Looked(library.id), Looked(library.id, editing=first)
    (job, *_) = mine.demos.jobs.all(library.id)
    return {
        "rename": lambda: mine.rename(library.id, "Mine now"),
        "set_task": lambda: mine.set_task(library.id, "{} is {}", "", ""),
        "extend": lambda: mine.make(draft, "", "", "", "", False),
        "add": lambda: mine.save_example(looked, "a new film", "good"),
        "edit": lambda: mine.save_example(editing, "an old film", "good"),
        "discard": lambda: mine.discard(looked, second),
        "balance": lambda: mine.balance(library.id),
        "split": lambda: mine.split(library.id, 0),
        "encode": lambda: mine.encode(library.id),
        **{action: lambda action=action: mine.act(action, job.id) for action in ACTIONS},
        "remove": lambda: mine.remove(library.id),
    }


def test_a_library_is_everybodys_to_use(guarded, ben, films):
    his = demos(guarded.desk, "ben")
    assert {"id": films.id, "changeable": False}.items() <= ben("libraries")[0].items()
    assert ben("classify", "Films of Ann", "a good film 9")["label"] in ("good", "bad")
    measured = his.measure(films.id, Settings(shots=2), 0)
    until(lambda: measured.ended)
    assert measured.found.examples == 4
    run = his.start_run(films.id, pasted_table("text\na bad film 9"), None, Settings(shots=2))
    until(lambda: his.run(films.id, run.id).done == 1)
    assert len(his.libraries.export(films.id, ".csv").read_text().splitlines()) == 9


def test_a_taken_name_says_to_add_only_to_who_may(guarded, films):
    with pytest.raises(BadInput, match="already: choose another name$"):
        made(demos(guarded.desk, "ben"), films.name)
    with pytest.raises(BadInput, match="already: choose another name, or add to it$"):
        made(demos(guarded.desk, "ann"), films.name)


def test_only_who_made_a_library_may_change_it(guarded, films):
    ann, ben = (demos(guarded.desk, name) for name in ("ann", "ben"))
    before = ann.facts_of(ann.store.get(films.id))
    assert films.owner == "ann"
    for name, change in changes(ben, films).items():
        with pytest.raises(BadInput, match="“Films of Ann” was made by another account, which alone can"):
            change()
            pytest.fail(f"ben may {name}")
    assert ann.facts_of(ann.store.get(films.id)) == before
    with pytest.raises(BadInput, match="is done"):
        ann.act("resume", ann.demos.jobs.all(films.id)[0].id)
    for mine in (ann, ben):
        assert mine.may_change(films) == (mine is ann)
        assert [one.is_fixed for one in mine.facts() if one.library == films] == [mine is ben]


@pytest.mark.parametrize(("owner", "reader"), [("ann", "ann"), ("ann", ""), ("", "ben")])
def test_a_library_of_ones_own_or_of_no_account_may_be_changed(guarded, owner, reader):
    guarded.desk.runner.stop()
    library = made(demos(guarded.desk, owner), f"Of {owner or 'the house'}")
    for change in changes(demos(guarded.desk, reader), library).values():
        change()
    assert guarded.desk.libraries.library(Looked(library.id)) is None
    guarded.desk.runner.start()


def test_the_encoding_of_a_library_is_its_makers(guarded, ann, ben):
    guarded.desk.runner.stop()
    mine = demos(guarded.desk, "ann")
    library = made(mine, "Unfinished")
    (job,) = mine.demos.jobs.all(library.id)
    for action in ACTIONS:
        with pytest.raises(Refused, match="was made by another account"):
            ben("control_job", job.id, action)
    assert mine.demos.jobs.get(job.id) == job
    assert ann("control_job", job.id, "pause")["state"] == "paused"
    assert ann("control_job", job.id, "resume")["state"] == "queued"
    assert ann("control_job", job.id, "cancel")["state"] == "cancelled"
    mine.remove(library.id)
    guarded.desk.runner.start()


def test_a_library_that_comes_along_is_of_who_takes_it(guarded):
    guarded.desk.runner.stop()
    ann, ben = (demos(guarded.desk, name) for name in ("ann", "ben"))
    offered = ben.ready()[0]
    library = ben.install(offered.path.name)
    assert ben.store.get(library.id).owner == "ben"
    for refused in (lambda: ann.install(offered.path.name), lambda: ann.remove(library.id)):
        with pytest.raises(BadInput, match="another account"):
            refused()
    ben.remove(library.id)
    guarded.desk.runner.start()


def test_the_page_hands_on_who_asks_and_hides_what_is_refused(guarded, films):
    with gr.Blocks():
        tab = DemonstrationsTab(guarded.desk, None)
    looked, ask = Looked(films.id), SimpleNamespace(username="ben")
    (job, *_) = tab.desk.demonstrations.jobs.all(films.id)
    first = tab.desk.libraries.store.examples(films.id)[0].id
    draft = tab.desk.libraries.draft(ROWS, pasted_table(ROWS), films.id)

    def clicked(**values: object) -> SimpleNamespace:
        return SimpleNamespace(_data=values)

    cards = [clicked(action=action, library=films.id, answer="Mine", job=job.id)
             for action in ("encode", "rename", "remove", *ACTIONS)]  # fmt: skip
    for refused in (
        *(lambda click=click: tab.on_card(looked, click, ask) for click in cards),
        lambda: tab.importing.on_make(looked, draft, "", "", "", "", False, None, ask),
        lambda: tab.task.on_save(looked, "{} is {}", "", "", ask),
        lambda: tab.examples.on_save(looked, "new", "good", ask),
        lambda: tab.examples.on_example(looked, clicked(action="discard", example=first), ask),
        lambda: tab.examples.on_balance(looked, ask),
        lambda: tab.measure.on_split(looked, 20, ask),
        lambda: tab.measure.on_back(looked, ask),
    ):
        with pytest.raises(gr.Error, match="another account"):
            refused()
    for user, may_change in (("ann", True), ("ben", False)):
        shown = tab.scene(looked, SimpleNamespace(username=user))
        changing = (tab.examples.added, tab.examples.changes, tab.measure.holding, tab.task.save)
        assert [shown[one].visible for one in changing] == [may_change] * 4
        assert shown[tab.task.template].interactive == may_change
        offers = {"Delete:": tab.cards, "Rename:": tab.cards, "Remove:": tab.examples.shown}
        assert [words in shown[pane] for words, pane in offers.items()] == [may_change] * 3
        assert "Use" in shown[tab.cards] or "In use" in shown[tab.cards]
        assert (films.id in [value for _, value in shown[tab.importing.into].choices]) == may_change


def test_no_answer_of_one_account_is_another_ones(guarded, ann, hers):
    mine, other = Visit(guarded.desk, "ann"), Visit(guarded.desk, "ben")
    asked = mine.talking.ask(mine.reading.open(hers), "How many chapters are there?")
    until(lambda: guarded.desk.speaker.current(asked.talk).ended)
    assert "chapters" in mine.talking.conversation(asked)
    kept = asked.kept()
    assert mine.restored(kept).talk == asked.talk and other.restored(kept).talk == ""
    his = other.talking
    for refused in (lambda: his.conversation(asked), lambda: his.exported(asked),
                    lambda: his.again(asked), lambda: his.editing(asked, 0)):  # fmt: skip
        with pytest.raises(BadInput, match="there is no such talk"):
            refused()


def test_who_has_signed_in_gets_no_file_of_the_data_folder(guarded, ann, hers):
    files = [path for path in guarded.home.rglob("*") if path.is_file()]
    assert {"shelf.db", "document.json"} <= {path.name for path in files}
    for path in files:
        for address in (f"gradio_api/file={path}", f"file={path}", f"gradio_api/file/{path}"):
            assert ann.http.get(address).status_code in (403, 404), address


@pytest.fixture(scope="module")
def closed(tmp_path_factory, tiny_folder, upload_folder) -> Iterator[tuple[Served, str, int]]:
    """A shelf with one book and a paused job, served for reading only."""
    from engine.library import Library
    from ingest.parse import parse

    home, source = tmp_path_factory.mktemp("closed"), tmp_path_factory.mktemp("books") / "one.md"
    source.write_text(a_book(1), encoding="utf-8")
    library = Library(Paths(home), parse, model=str(tiny_folder))
    entry = library.add(source)
    source.write_text(a_book(2), encoding="utf-8")
    waiting, _ = library.shelf.add(source, "two.md")
    job = library.shelf.jobs.pause(library.enqueue(waiting.id).id).id
    library.shelf.close()
    with serving(home, tiny_folder, [ANN], read_only=True) as page:
        yield page, entry.id, job


def test_a_page_for_reading_only_refuses_every_change(closed, upload_folder):
    served, document, job = closed
    caller = Caller(served.url, ANN)
    before = caller("shelf")
    uploaded = caller.http.post("gradio_api/upload", files={"files": ("new.txt", b"A new book. " * 20)})
    assert uploaded.status_code == 403
    here = upload_folder / ("a1" * 32) / "new.txt"
    here.parent.mkdir()
    here.write_text("A new book. " * 20, encoding="utf-8")
    changes = [("control_job", [job, action]) for action in ACTIONS]
    changes += [("add", [given(str(here)), "", "", ""]), ("rename", [document, "x"]), ("remove", [document])]
    for name, data in changes:
        with pytest.raises(Refused, match="read-only"):
            caller(name, *data)
    assert caller("shelf") == before and len(before) == 2
    assert Shelf(Paths(served.home)).jobs.get(job).state == "paused"
    assert caller("ask", document, "How many chapters are there?", "", "")["answer"]
    assert not here.exists()


def test_a_page_for_reading_only_has_no_button_that_changes(closed):
    served, _, _ = closed
    shown = Visit(served.desk, "ann").cards()
    assert "Open" in shown and not any(word in shown for word in ("Delete", "Rename", "Go on", "Cancel"))

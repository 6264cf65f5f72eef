"""Demonstration libraries of a running page: the HTTP interface, and who may see and change what."""

import time

import pytest

from app.desk.demonstrations_desk import DemonstrationsDesk
from app.desk.desk import Desk
from app.desk.libraries import Looked
from app.desk.visit import Visit
from engine.demonstrations.settings import Settings
from ingest.errors import BadInput
from ingest.tables import pasted_table

gradio_client = pytest.importorskip("gradio_client")

WORDS = {"good": ("lovely", "splendid", "charming"), "bad": ("dreary", "tedious", "clumsy")}
QUICK = Settings(shots=4)


def rows(count: int = 12) -> str:
    lines = [f"a {WORDS[label][n % 3]} film number {n},{label}" for n in range(count) for label in WORDS]
    return "text,label\n" + "\n".join(lines)


def until(what, seconds: float = 240.0):
    end = time.monotonic() + seconds
    while not (value := what()):
        assert time.monotonic() < end, f"it did not happen in {seconds} s"
        time.sleep(0.1)
    return value


@pytest.fixture(scope="module")
def desk(served) -> DemonstrationsDesk:
    return DemonstrationsDesk(served.visit)


@pytest.fixture(scope="module")
def films(desk):
    """A library made as the tab makes it, encoded by the page's own runner."""
    table = pasted_table(rows())
    draft = desk.libraries.draft(rows(), table, "")
    made, count = desk.make(draft, "Films", draft.preview.template, "good = fine", "", False)
    assert count == 24 and made.task.words == {"good": "fine", "bad": "bad"}
    until(lambda: desk.facts_of(desk.store.get(made.id)).state == "ready")
    return made


@pytest.fixture(scope="module")
def client(served):
    return gradio_client.Client(served.url, verbose=False, httpx_kwargs={"timeout": 120})


def test_libraries_are_listed_and_classify_one_text(client, films):
    (one,) = client.predict(api_name="/libraries")
    assert (
        one["id"] == films.id
        and one["labels"] == ["good", "bad"]
        and one["state"] == "ready"
        and one["changeable"]
    )
    assert one["examples"] == 24 and one["bank_bytes"] > 0
    found = client.predict("films", "a lovely film indeed", api_name="/classify")
    assert set(found["probabilities"]) == {"good", "bad"} and found["label"] in found["probabilities"]
    assert sum(found["probabilities"].values()) == pytest.approx(1, abs=1e-3)
    assert found["memory_examples"] == 24
    assert all(one["text"] and one["label"] in WORDS for one in found["read"])


def test_errors_of_the_interface_are_one_line_that_helps(client, films):
    for given, words in (
        (("nothing like it", "x"), "no demonstration library"),
        (("films", " "), "is empty"),
    ):
        with pytest.raises(gradio_client.exceptions.AppError, match=words):
            client.predict(*given, api_name="/classify")


def test_nothing_is_half_imported(desk, films):
    pasted = rows() + "\na new film,good\n,bad\nanother new film,ugly"
    draft = desk.libraries.draft(pasted, pasted_table(pasted), films.id)
    with pytest.raises(BadInput, match="nothing was imported"):
        desk.make(draft, "", "", "", "", False)
    assert desk.store.get(films.id).size == 24
    with pytest.raises(BadInput, match="choose a file"):
        desk.make(None, "", "", "", "", False)


def test_what_is_added_is_encoded_alone_and_what_is_edited_is_new(desk, films):
    desk.save_example(Looked(films.id), "a film that was added", "good")
    until(lambda: desk.facts_of(desk.store.get(films.id)).state == "ready")
    (added,) = desk.store.examples(films.id, containing="that was added")
    desk.save_example(Looked(films.id, editing=added.id), "a film that was edited", "bad")
    (edited,) = desk.store.examples(films.id, containing="that was edited")
    assert (edited.label, desk.store.get(films.id).size) == ("bad", 25)
    desk.discard(Looked(films.id), edited.id)
    until(lambda: not desk.is_busy())
    assert desk.facts_of(desk.store.get(films.id)).state == "ready"
    with pytest.raises(BadInput, match="choose the label"):
        desk.save_example(Looked(films.id), "a text", None)


def test_files_and_measurements_are_their_owners(desk, films):
    table = pasted_table("text\n" + "\n".join(f"a lovely film {n}" for n in range(5)))
    ann, ben = (DemonstrationsDesk(Visit(desk.desk, name)) for name in ("ann", "ben"))
    run = ann.start_run(films.id, table, None, QUICK)
    until(lambda: ann.run(films.id, run.id).done == 5)
    assert [one.id for one, _, _ in ann.runs(films.id)] == [run.id]
    assert ben.runs(films.id) == []
    with pytest.raises(BadInput, match="no such file"):
        ben.run(films.id, run.id)
    again = ben.start_run(films.id, table, None, QUICK)
    assert again.id != run.id

    assert desk.split(films.id, 0.25) == 6
    made = ann.measure(films.id, QUICK, 4)
    until(lambda: made.ended)
    assert made.speech.error == "" and made.found.examples == 4
    assert ann.measurement(films.id) is made and ben.measurement(films.id) is None
    desk.split(films.id, 0)
    made = ann.measure(films.id, QUICK, 4)  # with nothing held out a fifth is, for this measurement alone
    until(lambda: made.ended)
    assert made.speech.error == "" and 0 < made.found.examples <= 4
    assert desk.store.get(films.id).counts == films.counts


def test_a_page_for_reading_only_changes_nothing(desk, films):
    reader = DemonstrationsDesk(Visit(Desk(desk.desk.assistant, read_only=True), ""))
    looked, (example, *_) = Looked(films.id), desk.store.examples(films.id)
    draft = reader.libraries.draft(rows(2), pasted_table(rows(2)), "")
    table = pasted_table("text\nnew one")
    before = desk.store.get(films.id)
    for change in (
        lambda: reader.make(draft, "Other", "{} is {}", "", "", False),
        lambda: reader.encode(films.id), lambda: reader.rename(films.id, "x"),
        lambda: reader.remove(films.id),
        lambda: reader.set_task(films.id, "{} is {}", "", ""), lambda: reader.install("x"),
        lambda: reader.save_example(looked, "new", "good"), lambda: reader.discard(looked, example.id),
        lambda: reader.balance(films.id), lambda: reader.split(films.id, 0.5),
        lambda: reader.start_run(films.id, table, None, QUICK),
    ):  # fmt: skip
        with pytest.raises(BadInput, match="--read-only"):
            change()
    assert desk.store.get(films.id) == before and reader.ready() == []
    trial = reader.try_text("reader", films.id, "a lovely film", QUICK)
    until(lambda: trial.ended)
    assert trial.found.label in WORDS


def test_the_encoding_of_a_library_is_controlled_and_no_other_job(desk, films):
    run = desk.start_run(films.id, pasted_table("text\nsome text"), None, QUICK)
    with pytest.raises(BadInput, match="not the encoding"):
        desk.act("cancel", desk.demos.job_of(run).id)


def test_another_template_is_encoded_anew_and_another_description_is_not(desk, films):
    until(lambda: not desk.is_busy())
    assert desk.set_task(films.id, films.task.template, "good = fine", "About films") is False
    assert desk.set_task(films.id, "Film: {} Verdict: {}", "good = fine", "About films") is True
    until(lambda: not desk.is_busy())
    trial = desk.try_text("template", films.id, "a lovely film", QUICK)
    until(lambda: trial.ended)
    assert trial.speech.error == "" and trial.found.memory_examples == 24


def test_a_removed_library_leaves_nothing(desk, films, served):
    until(lambda: not desk.is_busy())
    name, freed = desk.remove(films.id)
    assert name == "Films" and freed > 10_000
    assert desk.facts() == [] and desk.libraries.library(Looked(films.id)) is None
    assert not (served.home / "demonstrations" / films.id).exists()

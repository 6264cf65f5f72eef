"""Writing on without a browser: where it goes on from, and under which book and words it is kept."""

from dataclasses import replace
from types import SimpleNamespace

import gradio as gr
import pytest

from app.desk.reading_desk import ReadingDesk
from app.desk.state import View
from app.tabs.continue_tab import ContinueTab
from app.tabs.frame import Frame
from app.tabs.read_tab import ReadTab
from engine.answering.answer import Answer, AnswerEvent

ASKS = SimpleNamespace(username="", session_hash="one window")


@pytest.fixture
def tab(told, monkeypatch):
    """The tab; what it asks of the engine is in `asked`."""
    asked = []

    def continued(words, *, at=None, prompt=None, **more):
        asked.append((words, at, prompt))
        yield AnswerEvent(answer=Answer("and so on"))

    monkeypatch.setattr(told.desk.assistant, "continue_", continued)
    with gr.Blocks():
        frame = Frame(gr.State(View()), gr.BrowserState({}), gr.Tabs())
        made, read = ContinueTab(told.desk, frame), ReadTab(told.desk, frame)
        made.wire(read)
    made.asked_for = asked
    return made


def written(tab: ContinueTab, view: View, place: str = "read", prompt: str = ""):
    """What can be kept after “Write on”."""
    *_, last = tab.on_go(view, place, prompt, 0.8, 20, ASKS)
    return last[tab.written]


@pytest.mark.parametrize("place", ["read", "cursor"])
def test_words_of_ones_own_need_no_place_in_the_book(tab, told, place):
    view = told.visit.reading.open(told.books[0])
    told.desk.shelf.read_to(view.document, 0)
    made = written(tab, view, place, "It was a dark night, and")
    # and memory holds what was read, which is nothing
    assert tab.asked_for == 2 * [(view.document, "char 0", "It was a dark night, and")]
    assert made.asked == "Go on from these words: It was a dark night, and"
    with pytest.raises(gr.Error, match="you have not read anything yet|choose a paragraph first"):
        written(tab, view, place)


def test_what_is_kept_is_kept_under_its_own_book_with_its_place(tab, told):
    one, two = told.books
    view = told.visit.reading.open(one)
    paragraph = told.desk.books.document(one).paragraphs[5]
    made = written(tab, replace(view, cursor=paragraph[0]), "cursor")
    assert tab.asked_for[0] == (one, f"char {paragraph[1]}", None)
    shown = tab.on_keep(told.visit.reading.open(two), made, ASKS)
    assert shown[tab.read.talks].choices == [("A new talk", "")]
    (talk,) = told.desk.shelf.talks.about(one)
    assert told.desk.shelf.talks.about(two) == []
    question, answer = told.said(view.with_talk(talk.id))
    place = told.desk.books.document(one).place(*paragraph)
    assert (question, answer) == (f"Go on after {place}.", "and so on") and "char" not in question
    again = tab.on_keep(view, shown[tab.written], ASKS)
    listed = again[tab.read.talks].choices
    assert [title for title, _ in listed] == ["A new talk", f"Go on after {place}."], "kept once"
    said = told.visit.talking.conversation(view.with_talk(talk.id))
    assert 'data-action="retry"' not in said and 'data-action="edit"' not in said
    made.speeches[0].end.clear()
    with pytest.raises(gr.Error, match="still being written"):
        tab.on_keep(view, made, ASKS)
    made.speeches[0].end.set()


def test_what_was_not_kept_is_there_after_a_refresh_for_its_own_reader(tab, told):
    written(tab, told.visit.reading.open(told.books[0]), "end")
    *_, again = tab.restored(ASKS)
    assert "and so on" in again[tab.with_memory] and "and so on" in again[tab.without]
    tab.on_keep(View(), again[tab.written], ASKS)
    assert len(told.desk.shelf.talks.about(told.books[0])) == 1
    other = SimpleNamespace(username="ben", session_hash="another window")
    assert list(tab.restored(other)) == [{tab.written: None}]


def test_of_a_removed_book_nothing_is_shown_again(tab, told, monkeypatch):
    written(tab, told.visit.reading.open(told.books[0]), "end")
    monkeypatch.setattr(ReadingDesk, "entry", lambda self, view: None)
    assert list(tab.restored(ASKS)) == [{tab.written: None}]


def test_there_is_nothing_to_keep_before_something_was_written(tab):
    with pytest.raises(gr.Error, match="nothing to keep"):
        tab.on_keep(View(), None, ASKS)

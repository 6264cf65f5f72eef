"""The reading tab's events without a browser: which answer is followed, what belongs to which book."""

import json
import threading
from collections.abc import Iterator
from types import SimpleNamespace

import gradio as gr
import pytest

from app.desk.state import View
from app.tabs.frame import Frame
from app.tabs.read_tab import ReadTab
from tests.app.browser import until

ASKS = SimpleNamespace(username="", session_hash="one window")


@pytest.fixture
def tab(told) -> Iterator[ReadTab]:
    with gr.Blocks():
        yield ReadTab(told.desk, Frame(gr.State(View()), gr.BrowserState({}), gr.Tabs()))


def clicked(**values: object) -> SimpleNamespace:
    return SimpleNamespace(_data=values)


def begin(tab: ReadTab, view: View, question: str) -> tuple[View, list[str], threading.Thread]:
    """Ask as the page does: the view, what its pane shows from then on, and the thread that shows it."""
    view = tab.on_ask(view, question, ASKS)[tab.frame.view]
    return view, *follow(tab, view)


def put(shown: dict, tab: ReadTab) -> list[str] | None:
    """What goes out of the question's field and into it; None where it stays as it is."""
    return json.loads(shown[tab.put]) if shown[tab.put] else None


def follow(tab: ReadTab, view: View) -> tuple[list[str], threading.Thread]:
    shown: list[str] = []
    thread = threading.Thread(target=lambda: shown.extend(tab.follow(view, ASKS)), daemon=True)
    thread.start()
    return shown, thread


def gone(thread: threading.Thread) -> bool:
    thread.join(10)
    return not thread.is_alive()


def test_an_answer_is_followed_no_longer_than_its_talk_is_looked_at(tab, told):
    """ALPHA in one talk, then BETA in a new one, then back to ALPHA, and into the next book."""
    opened = told.visit.reading.open(told.books[0]).with_talk("")
    alpha, shown, first = begin(tab, opened, "ALPHA?")
    until(lambda: tab._following)
    fresh = tab.on_fresh(alpha, ASKS)
    assert "ALPHA" not in fresh[tab.history] + fresh[tab.live]
    beta, _, second = begin(tab, fresh[tab.frame.view], "BETA?")
    assert gone(first) and second.is_alive()
    returned = tab.on_choose(beta, alpha.talk, ASKS)
    assert "ALPHA?" in returned[tab.live] and "ALPHA?" not in returned[tab.history]
    again, third = follow(tab, alpha)
    assert gone(second) and third.is_alive()
    scene = tab.scene(told.visit.reading.open(told.books[1], alpha), told.visit)
    assert "ALPHA" not in scene[tab.history] + scene[tab.live]
    _, fourth = follow(tab, scene[tab.frame.view])
    assert gone(third) and gone(fourth) and tab._following == {}
    told.ended(beta)
    # stopped or not, it was answered to its end, where it was asked
    assert told.said(alpha) == ["ALPHA?", "ALPHA? one two three"]
    assert "BETA" not in "".join(shown + again)
    over = tab.followed(beta, "", ASKS)
    assert "BETA? one two three" in over[tab.history] and over[tab.live] == ""


def test_what_follows_an_answer_is_never_left_out_because_another_is_followed():
    with gr.Blocks() as page:
        desk = SimpleNamespace(speaker=None, read_only=False)
        tab = ReadTab(desk, Frame(gr.State(View()), gr.BrowserState({}), gr.Tabs()))
        tab.wire()
    modes = {one.trigger_mode for one in page.fns.values() if one.fn in (tab.follow, tab.followed)}
    assert modes == {"multiple"}


def test_a_question_that_never_began_goes_back_into_an_empty_field(tab, told):
    opened = told.visit.reading.open(told.books[0]).with_talk("")
    first = tab.on_ask(opened, "FIRST?", ASKS)[tab.frame.view]
    waiting = tab.on_ask(opened, "SECOND?", ASKS)[tab.frame.view]
    tab.on_stop(waiting, ASKS)
    told.ended(waiting)
    assert put(tab.followed(waiting, "typed meanwhile", ASKS), tab) is None
    # what was never drawn holds nothing at all
    shown = tab.followed(waiting, None, ASKS)
    assert put(shown, tab) == ["", "SECOND?"] and "before it began" in shown[tab.live]
    assert put(tab.followed(waiting, "", ASKS), tab) is None
    told.ended(first)


def test_an_edit_is_marked_and_can_be_left(tab, told):
    view = tab.on_ask(told.visit.reading.open(told.books[0]).with_talk(""), "FIRST?", ASKS)[tab.frame.view]
    told.ended(view)
    taken = tab.on_talk(view, "", clicked(action="edit", position="0"), ASKS)
    assert taken[tab.question] == "FIRST?" and "place of question 1" in taken[tab.edited]
    left = tab.on_talk(taken[tab.frame.view], "", clicked(action="leave"), ASKS)
    assert (left[tab.question], left[tab.edited], left[tab.frame.view]) == ("", "", view)


def test_what_was_being_typed_waits_for_an_edit_to_end(tab, told):
    """Words of a question taken up belong to its talk; those typed before come back."""
    view = tab.on_ask(told.visit.reading.open(told.books[0]).with_talk(""), "FIRST?", ASKS)[tab.frame.view]
    told.ended(view)
    taken = tab.on_talk(view, "half a thou", clicked(action="edit", position="0"), ASKS)
    taken = tab.on_talk(taken[tab.frame.view], "FIRST?", clicked(action="edit", position="0"), ASKS)
    assert taken[tab.question] == "FIRST?"
    taken = taken[tab.frame.view]
    into_another = told.visit.reading.open(told.books[1], taken)
    for shown in (
        tab.on_talk(taken, "FIRST, or not?", clicked(action="leave"), ASKS),
        tab.on_fresh(taken, ASKS),
        tab.on_choose(taken, "", ASKS),
        tab.scene(into_another, told.visit, taken),
    ):
        assert shown[tab.question] == "half a thou"
    shown = tab.on_ask(taken, "FIRST, or not?", ASKS)
    assert put(shown, tab) == ["FIRST, or not?", "half a thou"]
    told.ended(shown[tab.frame.view])
    assert told.said(shown[tab.frame.view])[0] == "FIRST, or not?"
    assert tab.question not in tab.on_fresh(view, ASKS), "what is typed for a new question stays"
    back = tab.on_talk(shown[tab.frame.view], "more", clicked(action="undo"), ASKS)
    assert back[tab.question] == "FIRST, or not?\nmore"


def test_a_second_enter_is_no_empty_question(tab, told):
    opened = told.visit.reading.open(told.books[0]).with_talk("")
    view = tab.on_ask(opened, "FIRST?", ASKS)[tab.frame.view]
    assert tab.on_ask(view, "", ASKS) == {tab.frame.view: view, tab.put: ""}
    told.ended(view)
    with pytest.raises(gr.Error, match="the question is empty"):
        tab.on_ask(view, "", ASKS)


def test_a_talk_deleted_in_another_window_is_left_without_a_word(tab, told):
    view = tab.on_ask(told.visit.reading.open(told.books[0]).with_talk(""), "FIRST?", ASKS)[tab.frame.view]
    told.ended(view)
    told.desk.shelf.talks.delete(view.talk)
    for shown in (
        tab.followed(view, "", ASKS),
        tab.on_bound(view, "chapter", ASKS),
        tab.scene(view, told.visit),
    ):
        assert "Ask this book anything." in shown[tab.history] and shown[tab.live] == ""
    assert list(tab.follow(view, ASKS)) == [""]
    assert tab.on_ask(view, "SECOND?", ASKS)[tab.frame.view].talk not in ("", view.talk)
    for action in ("retry", "undo", "edit", "without"):
        with pytest.raises(gr.Error, match="no such talk"):
            tab.on_talk(view, "", clicked(action=action, position="0", kind="passages"), ASKS)


def test_words_found_and_the_title_are_those_of_the_book_in_view(tab, told):
    one, two = told.books
    shown = tab.scene(told.visit.reading.open(two), told.visit)
    assert (shown[tab.query], shown[tab.hits]) == ("", "")
    hit = {"action": "hit", "document": two, "from": "40", "to": "46"}
    view = told.visit.reading.open(one)
    for led in (tab.on_leaf(view, clicked(**hit), ASKS), tab.on_talk(view, "", clicked(**hit), ASKS)):
        assert "Bay 2" in led[tab.title] and led[tab.frame.view].document == two
        assert (led[tab.query], led[tab.hits]) == ("", "") and tab.contents in led
    back = tab.move(led[tab.frame.view], "back", {}, told.visit)
    assert "Bay 1" in back[tab.title] and back[tab.frame.view].back is None
    # in the same book they stay
    assert tab.query not in tab.on_leaf(view, clicked(**hit | {"document": one}), ASKS)
    assert tab.on_leaf(view, clicked(action="nothing of ours"), ASKS)[tab.frame.view] == view

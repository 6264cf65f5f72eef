"""Talks and views without a page: questions put otherwise, stopped, or asked in talks that are gone."""

from dataclasses import replace

import pytest

from app.desk.state import Line, View
from ingest.errors import BadInput

QUESTIONS = ("ALPHA?", "BETA?", "GAMMA?")


def asked(told, view: View, *questions: str) -> View:
    """The view after that talk."""
    for question in questions:
        view = told.visit.talking.ask(view, question)
        told.ended(view)
    return view


def a_talk(told) -> View:
    """The first book, and three questions about it."""
    return asked(told, told.visit.reading.open(told.books[0]).with_talk(""), *QUESTIONS)


def answered(*questions: str) -> list[str]:
    """All that is said where those questions were asked."""
    return [said for question in questions for said in (question, f"{question} one two three")]


def test_a_question_taken_up_for_other_words_says_what_it_replaces_and_can_be_left_alone(told):
    talking, view = told.visit.talking, a_talk(told)
    taken, words = talking.editing(view, 2)
    assert words == "BETA?"
    shown = talking.edited(taken)
    assert "the place of question 2 and what follows" in shown and 'data-action="leave"' in shown
    assert talking.edited(view) == "" and talking.edited(replace(view, editing=1)) == ""
    with pytest.raises(BadInput, match="no such question"):
        talking.editing(view, 3)
    view = talking.ask(taken, "DELTA?")
    told.ended(view)
    assert view.editing is None and told.said(view) == answered("ALPHA?", "DELTA?")


def test_asking_the_last_again_or_taking_it_back_forgets_a_question_taken_up(told):
    """They cut the talk where the question stood that was to be put otherwise."""
    talking, view = told.visit.talking, a_talk(told)
    taken, _ = talking.editing(view, 0)
    view = talking.again(taken)
    told.ended(view)
    assert view.editing is None and told.said(view) == answered(*QUESTIONS)
    view, words = talking.undone(talking.editing(view, 0)[0], "")
    assert (view.editing, words) == (None, "GAMMA?")
    assert told.said(view) == answered("ALPHA?", "BETA?")


def test_why_an_answer_failed_is_not_told_any_more_once_its_question_was_taken_back(told, monkeypatch):
    def failing(*_, **__):
        raise BadInput("the lamp went out")

    view = a_talk(told)
    monkeypatch.setattr(told.desk.assistant, "ask", failing)
    view = asked(told, view, "DELTA?")
    assert "the lamp went out" in told.visit.talking.live(view)
    view, words = told.visit.talking.undone(view, "")
    assert told.visit.talking.live(view) == ""


@pytest.mark.parametrize(("question", "stays", "back"), [("", QUESTIONS[:2], ""), ("DELTA?", (), "DELTA?")])
def test_a_question_stopped_while_it_waits_costs_the_talk_nothing(told, question, stays, back):
    """The last question asked again, or the first one put otherwise, behind another reader's."""
    desk, talking, view = told.desk, told.visit.talking, a_talk(told)
    told.gate.clear()
    before = talking.ask(view.with_talk(""), "OTHER?")
    if question:
        talking.ask(talking.editing(view, 0)[0], question)
    else:
        talking.again(view)
    shown = talking.conversation(view)
    assert [one for one in QUESTIONS if f"{one} one two three" in shown] == list(stays)
    assert "waiting: 1 answer before this one" in talking.live(view)
    assert told.said(view) == answered(*QUESTIONS)
    with pytest.raises(BadInput, match="an answer is on its way"):
        talking.undone(view, "")
    desk.speaker.stop(view.talk)
    told.ended(view)
    told.ended(before)
    assert told.said(view) == answered(*QUESTIONS)
    assert "before it began" in talking.live(view)
    # what stands in the talk need not be typed again
    assert [talking.given_back(view), talking.given_back(view)] == [back, ""]


def test_an_answer_is_not_given_up_for_one_that_the_memory_cannot_give(told, monkeypatch):
    view = a_talk(told)

    def broken(_):
        raise BadInput("its memory cannot be used")

    monkeypatch.setattr(told.desk.assistant.library, "bank", broken)
    told.ended(told.visit.talking.again(view))
    assert told.said(view) == answered(*QUESTIONS)
    assert "its memory cannot be used" in told.visit.talking.live(view)


def test_a_talk_deleted_in_another_window_leaves_a_new_one(told):
    talking, view = told.visit.talking, a_talk(told)
    told.desk.shelf.talks.delete(view.talk)
    taken = replace(view, editing=0, answer=1)
    assert talking.present(taken) == view.with_talk("")
    asked_on = asked(told, taken, "DELTA?")
    assert asked_on.talk != view.talk and told.said(asked_on) == answered("DELTA?")
    assert talking.delete(view).talk == ""


def test_a_talk_about_all_books_is_there_after_a_refresh_without_an_open_book(told):
    view = asked(told, View(bound="shelf"), "ALPHA?")
    for kept in (view.kept(), view.kept() | {"document": "gone", "at": 7}):
        restored = told.visit.restored(kept)
        assert restored == View(talk=view.talk, bound="shelf")
        assert "ALPHA?" in told.visit.talking.conversation(restored)
    about_a_book = a_talk(told)
    assert told.visit.restored(about_a_book.kept()).talk == about_a_book.talk
    assert told.visit.restored(about_a_book.kept() | {"document": "gone"}) == View()


def test_the_way_back_leads_into_the_book_one_was_in(told):
    visit, (one, two) = told.visit, told.books
    view = replace(
        visit.reading.open(one),
        line=Line(300),
        bound="shelf",
        talk=asked(told, View(bound="shelf"), "A?").talk,
    )
    led = visit.reading.jumped(visit.reading.jumped(view, two, 100, 120, "cited"), two, 40, 50, "found")
    assert (led.document, led.at, led.cited, led.found) == (two, 40, None, ((40, 50),))
    back = visit.reading.returned(led)
    assert (
        back == replace(view, back=None, led=back.led)
        and back.led > led.led
        and visit.reading.returned(back) == back
    )
    nowhere = visit.reading.jumped(View(bound="shelf"), two, 100, 120, "cited")
    assert nowhere.back is None and nowhere.bound == "shelf"
    # a talk about one book is not another book's
    asked_two = asked(told, visit.reading.open(two), "B?")
    other = visit.reading.returned(replace(asked_two, back=(one, 300)))
    assert (other.document, other.at) == (one, 300) and other.talk != asked_two.talk


def test_a_second_question_waits_and_both_are_shown_and_kept(told):
    desk, talking, view = told.desk, told.visit.talking, a_talk(told)
    told.gate.clear()
    view = talking.ask(view, "FIRST?")
    assert talking.ask(view, "SECOND?").talk == view.talk
    live = talking.live(view)
    assert live.index("FIRST?") < live.index("SECOND?") and "waiting: 1 answer before this one" in live
    assert "FIRST?" not in talking.conversation(view)
    told.gate.set()
    for one in desk.speaker.chain(view.talk):
        assert one.end.wait(30)
    assert told.said(view) == answered(*QUESTIONS, "FIRST?", "SECOND?")
    assert talking.live(view) == ""


def test_a_passage_stands_under_an_answer_with_its_sentence_marked(told):
    visit, book = told.visit, told.books[0]
    text = visit.desk.books.document(book).text
    start = text.index("The lamp number")
    end = text.index(",", start)
    view = visit.reading.open(book).with_talk(visit.shelf.talks.create(book).id)
    cited = {
        "document": book,
        "text": text[start:end],
        "start": start,
        "end": end,
        "place": "p",
        "score": 1.0,
    }
    visit.shelf.talks.append(
        view.talk, "assistant", "It burned.", citations=[cited, cited | {"text": "other"}]
    )
    shown = visit.talking.conversation(view)
    assert f'<mark class="cited">{text[start:end]}</mark>' in shown and "keeper Marigold wrote line" in shown
    # where the text is another one now, what was cited stands alone
    assert '<mark class="cited">other</mark>' in shown


def test_a_new_book_opens_where_its_body_begins_and_the_title_page_is_one_click_away(told):
    visit, (one, _) = told.visit, told.books
    document = visit.desk.books.document(one)
    begun = document.chapters[1].start
    front = replace(document.chapters[0], kind="front")
    told.desk.assistant.library._documents[one] = (
        visit.shelf.get(one).created, replace(document, chapters=[front, *document.chapters[1:]])
    )  # fmt: skip
    assert document.body_start == 0  # a book that has no front matter begins at its beginning
    try:
        view = visit.reading.open(one)
        assert (view.at, visit.reading.way_back(view)) == (begun, "To the title page")
        assert f'data-read="{begun}"' in visit.reading.leaf_html(view)
        assert visit.restored({"document": one}).at == begun
        title = visit.reading.returned(view)
        assert (title.at, title.back, visit.reading.way_back(title)) == (
            0,
            (one, begun),
            "Back to where I was",
        )
        assert 'data-read="0"' in visit.reading.leaf_html(title)
        visit.reading.scrolled(title, 7, 0)
        assert visit.reading.open(one).at == 7
    finally:
        told.desk.assistant.library._documents.pop(one)
        visit.reading.scrolled(visit.reading.open(one), 0, 0)


def test_scrolling_undoes_nothing_that_happens_meanwhile(told):
    visit, (one, two) = told.visit, told.books
    view = visit.reading.open(one)
    meanwhile = visit.talking.bounded(view, "read")
    visit.reading.scrolled(view, 40, 0)
    assert (meanwhile.at, meanwhile.bound) == (40, "read")
    away = visit.reading.jumped(view, two, 7, 9, "cited")
    assert (view.at, away.at, away.back) == (40, 7, (one, 40))
    assert visit.reading.returned(away).at == 40


def test_a_book_opens_before_who_is_who_in_it_is_known(told, tmp_path):
    """What is offered to ask is then about its chapters; the page looks again until there is more."""
    part = "Ukridge was a tall man who kept chickens by the sea. “Well,” said Ukridge. Ukridge laughed. "
    path = tmp_path / "chickens.md"
    path.write_text("".join(f"# Chapter {number}\n\n{part * 20}\n\n" for number in (1, 2)), encoding="utf-8")
    desk, talking = told.desk, told.visit.talking
    entry = desk.assistant.library.add(path)
    view = told.visit.reading.open(entry.id).with_talk("")
    desk.shelf.paths.cast(entry.id).unlink()
    shown = talking.conversation(view)
    assert "How many chapters are there?" in shown and "Who is" not in shown
    assert talking.awaited(view) == ("cast",)
    desk.books.cast(entry.id)
    assert "Who is Ukridge?" in talking.conversation(view) and talking.awaited(view) == ()
    told.visit.remove(entry.id)

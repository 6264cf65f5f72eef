"""The queue of answers: their order, what is stopped, and what fails."""

import time
from threading import Event
from types import SimpleNamespace

import pytest

from app.desk.speaking import Speaker, waiting_words
from engine import heap
from engine.answering.answer import Answer, AnswerEvent
from ingest.errors import BadInput


def test_one_that_is_stopped_while_it_waits_ends_at_once_and_keeps_nobody_waiting():
    speaker, gate, begun = Speaker(), Event(), []

    def words(name: str):
        def start(stop):
            begun.append(name)
            assert gate.wait(10)
            yield AnswerEvent(name)

        return start

    first, second, third = (speaker.say(name, "q", words(name)) for name in ("one", "two", "three"))
    assert speaker.stop("two") and second.ended and "before it began" in second.error
    assert speaker.before(third) == 1 and not speaker.stop("two")
    gate.set()
    assert [one.text for one in speaker.follow(third)][-1] == "three"
    assert first.text == "one" and begun == ["one", "three"]


def test_what_an_answer_took_is_given_back_when_none_waits(monkeypatch):
    given, gate = Event(), Event()
    speaker = Speaker()
    monkeypatch.setattr("app.desk.speaking.heap.give_back", given.set)
    first, second = (speaker.say(name, "q", events("word", gate=gate)) for name in ("one", "two"))
    assert not given.is_set()
    gate.set()
    assert given.wait(10) and first.ended and second.ended


def test_giving_back_harms_nothing_where_there_is_nothing():
    assert heap.give_back() in (True, False) and heap.give_back() in (True, False)


def events(*words, gate: Event | None = None):
    def start(stop):
        for word in words:
            if gate is not None:
                assert gate.wait(10)
            if stop.is_set():
                break
            yield AnswerEvent(word)
        yield AnswerEvent(answer=Answer("".join(words), stopped=stop.is_set()))

    return start


def test_answers_are_spoken_one_at_a_time_in_order():
    speaker, gate = Speaker(), Event()
    first = speaker.say("one", "q", events("a", "b", gate=gate))
    second = speaker.say("two", "q", events("c"))
    third = speaker.say("three", "q", events("d"))
    assert [speaker.before(one) for one in (second, third)] == [1, 2]
    assert waiting_words(third, 2) == "waiting: 2 answers before this one"
    with pytest.raises(BadInput, match="already"):
        speaker.say("one", "q", events("x"))
    gate.set()
    assert [one.text for one in speaker.follow(third)][-1] == "d"
    assert first.ended and second.ended and first.answer.text == "ab"


def test_what_was_begun_just_now_presses_and_what_takes_long_does_not(monkeypatch):
    speaker, gate = Speaker(), Event()
    assert not speaker.is_pressed()
    speech = speaker.say("one", "q", events("a", gate=gate))
    while not speech.began:
        time.sleep(0.01)
    assert speaker.is_pressed()
    monkeypatch.setattr("app.desk.speaking.PRESSED_SECONDS", 0.0)
    assert not speaker.is_pressed()
    gate.set()
    assert speech.end.wait(10)


def test_stopping_reaches_the_engine_and_one_that_waits_never_begins():
    speaker, gate = Speaker(), Event()
    first = speaker.say("one", "q", events("a", "b", "c", gate=gate))
    second = speaker.say("two", "q", events("d"))
    while not first.began:
        time.sleep(0.01)
    assert speaker.stop("one") and speaker.stop("two") and not speaker.stop("nobody")
    gate.set()
    list(speaker.follow(first))
    assert first.answer.stopped and first.pieces == [""] and second.answer is None and second.error


def test_an_error_of_the_engine_is_kept_and_the_next_gets_its_turn():
    def broken(stop):
        raise BadInput("no such chapter; name another")
        yield

    speaker = Speaker()
    speech = speaker.say("one", "q", broken)
    list(speaker.follow(speech))
    assert speech.error == "no such chapter; name another"
    again = speaker.say("one", "q", events("fine"))
    assert [one.text for one in speaker.follow(again)][-1] == "fine"


def test_an_answer_to_nobody_says_who_waits():
    assert waiting_words(SimpleNamespace(began=True, pieces=[]), 0) == "reading the memory …"


def test_a_second_question_of_a_talk_waits_behind_the_first_and_is_stopped_with_it():
    speaker, gate = Speaker(), Event()
    first = speaker.say("talk", "one?", events("a", "b", gate=gate))
    second = speaker.say("talk", "two?", events("c"), behind=True)
    assert speaker.current("talk") is first and speaker.chain("talk") == [first, second]
    with pytest.raises(BadInput, match="on its way"):
        speaker.say("talk", "three?", events("x"))
    gate.set()
    assert [one.text for one in speaker.follow(second)][-1] == "c" and first.text == "ab"
    assert speaker.current("talk") is second and not speaker.is_busy("talk")
    alone = speaker.say("talk", "four?", events("d"), behind=True)
    assert speaker.chain("talk") == [alone]
    list(speaker.follow(alone))
    gate.clear()
    held = speaker.say("talk", "five?", events("e", "f", gate=gate))
    behind = speaker.say("talk", "six?", events("g"), behind=True)
    assert speaker.stop("talk") and behind.error == "stopped before it began"
    gate.set()
    list(speaker.follow(held))
    assert not speaker.is_busy("talk") and not behind.began

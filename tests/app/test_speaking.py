"""Speaking: what is stopped before its turn."""

from threading import Event

from app.speaking import Speaker
from engine.answering.answer import AnswerEvent


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

"""Speaking: one generation at a time, in the order asked, each going on when the browser that asked is gone.

A page refresh kills the request that shows an answer, not the answer: a Speech runs in the speaker's own
thread and collects what comes; whoever looks (again) follows it from there. Stopping sets the engine's event.
"""

import queue
import threading
import time
from collections.abc import Callable, Iterator
from copy import copy
from dataclasses import dataclass, field

from engine import heap
from engine.answering.answer import Answer, AnswerEvent
from engine.errors import Failure
from ingest.errors import BadInput

LOOK_SECONDS = 0.05
# A showing takes some 35 ms, server and browser, from what generates on two cores: about a tenth.
SHOW_SECONDS = 0.4
KEPT = 64
PRESSED_SECONDS = 10.0  # of an answer in which whatever else is computed waits for it

Start = Callable[[threading.Event], Iterator[AnswerEvent]]


@dataclass
class Speech:
    """One answer under way. `key` says whose and where it is: a talk's id, or a session's.

    heading: what it is, where it is no answer to a question just asked. at: where in its talk the question
    will stand, in the place of what stands there now. owner: the account that asked. since: when it
    began, by a clock that only goes on.
    """

    key: str
    question: str
    start: Start
    heading: str = ""
    at: int | None = None
    owner: str = ""
    stop: threading.Event = field(default_factory=threading.Event)
    end: threading.Event = field(default_factory=threading.Event)
    began: bool = False
    since: float = 0.0
    pieces: list[str] = field(default_factory=list)
    answer: Answer | None = None
    error: str = ""

    @property
    def ended(self) -> bool:
        """Tell whether nothing more will come."""
        return self.end.is_set()

    @property
    def text(self) -> str:
        """Return what was said so far; the finished answer where there is one."""
        return self.answer.text if self.answer is not None else "".join(self.pieces).lstrip()

    def run(self) -> None:
        """Speak to the end, or until stopped."""
        try:
            for event in self.start(self.stop):
                self.pieces.append(event.text)
                self.answer = event.answer or self.answer
        except (BadInput, Failure) as error:
            self.error = str(error)
        except Exception as error:  # whatever it is, the next one in the queue must get its turn
            self.error = f"{type(error).__name__}: {error}"
        finally:
            self.end.set()

    def give_up(self) -> None:
        """End without having begun."""
        self.error = "stopped before it began"
        self.end.set()


class Speaker:
    """The one voice of the page, as one reader (`owner`) may use it: a queue and its thread."""

    owner = ""

    def __init__(self) -> None:
        self._most: Callable[[], int | None] = lambda: None
        self._queue: queue.Queue[Speech] = queue.Queue()
        self._waiting: list[Speech] = []
        self._known: dict[str, list[Speech]] = {}
        self._lock = threading.Lock()
        threading.Thread(target=self._loop, name="speaker", daemon=True).start()

    def of(self, owner: str, most: Callable[[], int | None]) -> "Speaker":
        """Return the same voice for another reader. most: how many answers may wait; None is any number."""
        theirs = copy(self)
        theirs.owner, theirs._most = owner, most
        return theirs

    def say(
        self,
        key: str,
        question: str,
        start: Start,
        heading: str = "",
        at: int | None = None,
        behind: bool = False,
    ) -> Speech:
        """Queue an answer: one at a time for each key, or `behind` what is under way; so many of a reader.

        Raises BadInput where it is one too many.
        """
        with self._lock:
            if not behind:
                self.free(key)
            most = self._most()
            if most is not None and sum(one.owner == self.owner for one in self._waiting) >= most:
                raise BadInput(f"{most} answers of yours are under way or wait: wait for one, or stop it")
            speech = Speech(key, question, start, heading, at, self.owner)
            self._known[key] = [*(self.chain(key) if self.is_busy(key) else []), speech]
            self._waiting.append(speech)
            for old in [name for name in self._known if not self.is_busy(name)][: len(self._known) - KEPT]:
                del self._known[old]
        self._queue.put(speech)
        return speech

    def free(self, key: str) -> None:
        """Raise BadInput while a speech of that key is under way."""
        if self.is_busy(key):
            raise BadInput("an answer is on its way here already; wait for it or stop it")

    def is_busy(self, key: str) -> bool:
        """Tell whether a speech of that key is under way or waits."""
        return any(not one.ended for one in self.chain(key))

    def is_engaged(self) -> bool:
        """Tell whether anything is said or waits to be."""
        return bool(self._waiting)

    def is_pressed(self) -> bool:
        """Tell whether somebody waits for what was begun just now; nothing waits for a long measurement."""
        now = time.monotonic()
        return any(one.began and now - one.since < PRESSED_SECONDS for one in list(self._waiting))

    def chain(self, key: str) -> list[Speech]:
        """Return the newest speech of that key, after those that it had to wait for."""
        return self._known.get(key, [])

    def current(self, key: str) -> Speech | None:
        """Return the speech of that key that is under way or comes next; the newest where all have ended."""
        chain = self.chain(key)
        return next((one for one in chain if not one.ended), chain[-1] if chain else None)

    def forget(self, key: str) -> None:
        """Let go of what has ended under that key, and of why."""
        with self._lock:
            if not self.is_busy(key):
                self._known.pop(key, None)

    def stop(self, key: str) -> bool:
        """End that speech within a token, at once where it waits, with all behind it; was there one?"""
        speeches = [one for one in self.chain(key) if not one.ended]
        for speech in speeches:
            speech.stop.set()
        with self._lock:
            for speech in speeches:
                if not speech.began:
                    self._give_up(speech)
        return bool(speeches)

    def stop_all(self) -> None:
        """End whatever is said or waits to be."""
        for speech in [one for chain in list(self._known.values()) for one in chain]:
            speech.stop.set()

    def before(self, speech: Speech) -> int:
        """Count how many have to be spoken before this one begins."""
        with self._lock:
            return self._waiting.index(speech) if speech in self._waiting else 0

    def follow(self, speech: Speech, gone: Callable[[], bool] = lambda: False) -> Iterator[Speech]:
        """Yield the speech when it has grown, not too often, until it has ended; the last time after its end.

        Where `gone` says that nobody looks any more, that is the end of it.
        """
        seen: tuple[int, int] | None = None
        while not speech.ended:
            if gone():
                return
            now = (len(speech.pieces), -1 if speech.began else self.before(speech))
            has_grown, seen = now != seen, now
            if has_grown:
                yield speech
            speech.end.wait(SHOW_SECONDS if has_grown else LOOK_SECONDS)
        yield speech

    def _loop(self) -> None:
        while True:
            speech = self._queue.get()
            if not self._begins(speech):
                continue
            try:
                speech.run()
            finally:
                with self._lock:
                    self._waiting.remove(speech)
            if not self._waiting:  # an answer takes up to 200 MB for a moment
                heap.give_back()

    def _begins(self, speech: Speech) -> bool:
        """Tell whether it takes its turn: not where it was stopped while it waited."""
        with self._lock:
            if speech.stop.is_set():
                self._give_up(speech)
            else:
                speech.began, speech.since = True, time.monotonic()
        return speech.began

    def _give_up(self, speech: Speech) -> None:
        if not speech.ended:
            speech.give_up()
            self._waiting.remove(speech)


def waiting_words(speech: Speech, before: int) -> str:
    """Say what a speech is doing, for people."""
    if not speech.began and before:
        return f"waiting: {before} {'answer' if before == 1 else 'answers'} before this one"
    if not speech.pieces:
        return "reading the memory …"
    count = len(speech.text.split())
    return f"{count} {'word' if count == 1 else 'words'} so far"

"""Counter: where the page does errands for the commands of its own account, with the model it has loaded.

Whoever can write in the data folder is the account itself: such an errand sees what a command sees, all books
and no reader's talks, whatever accounts the page asks of its visitors.
"""

import contextlib
import queue
import secrets
import socket
import threading
from collections.abc import Iterator
from functools import partial

from app.desk import wire
from app.desk.desk import Desk
from app.desk.errands import ERRANDS, SPOKEN
from engine.answering.answer import AnswerEvent
from engine.locks import FileLock
from ingest.errors import BadInput

AT_ONCE = 4  # errands; who comes beyond them does without
LOOK_SECONDS = 0.5


class Counter:
    """The page's end of the wire; one page of a data folder has it. settings: of its model, see `wire`."""

    def __init__(self, desk: Desk, settings: dict) -> None:
        self.desk, self._settings = desk, settings
        self._paths = desk.shelf.paths
        self._key = secrets.token_hex(32)
        self._lock = FileLock(self._paths.locks / "page.lock")
        self._listener: socket.socket | None = None

    def open(self) -> None:
        """Begin, unless another page does it or nothing can be written there: then commands do without."""
        with contextlib.suppress(OSError):
            if not self._lock.acquire(0):
                return
            self._listener, address = wire.listening(self._paths.socket)
            wire.leave_card(self._paths.card, wire.Card(address, self._key, wire.program(), self._settings))
            for _ in range(AT_ONCE):
                threading.Thread(
                    target=self._work, args=[self._listener], name="counter", daemon=True
                ).start()

    def close(self) -> None:
        """End, and take card and socket away."""
        if self._listener is not None:
            for path in (self._paths.card, self._paths.socket):
                with contextlib.suppress(OSError):
                    path.unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # wakes those who wait in it
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None
        self._lock.release()

    def _work(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                if listener.fileno() < 0 or self._listener is None:
                    return
                continue
            with contextlib.closing(wire.Line(connection)) as line, contextlib.suppress(wire.Lost):
                self._serve(line)

    def _serve(self, line: wire.Line) -> None:
        name, given = wire.received(line, self._key)
        messages = self._begun(name, given, line)
        line.say({"taken": messages is not None})
        for message in messages or ():
            line.say(message)

    def _begun(self, name: str, given: dict, line: wire.Line) -> Iterator[dict] | None:
        """Return what an errand says; None where the command had better do it itself.

        A document that is not on the shelf may be a file beside the command, and not beside the page.
        """
        if name not in ERRANDS or (name in SPOKEN and self.desk.speaker.is_engaged()):
            return None
        try:
            if given.get("document") is not None:
                given = given | {"document": self.desk.shelf.find(str(given["document"])).id}
        except BadInput:
            return None
        if name in SPOKEN:
            return self._spoken(name, given, line)
        return wire.reported(partial(ERRANDS[name], self.desk.assistant.library, None, **given))

    def _spoken(self, name: str, given: dict, line: wire.Line) -> Iterator[dict]:
        """Have it said as the page's own answers are; where the command hangs up, it ends within a token."""
        said: queue.SimpleQueue[dict] = queue.SimpleQueue()
        key = f"command-{secrets.token_hex(8)}"
        speaker = self.desk.speaker

        def start(stop: threading.Event) -> Iterator[AnswerEvent]:
            for message in wire.reported(partial(SPOKEN[name], self.desk.assistant, stop, **given)):
                said.put(message)
                yield AnswerEvent(str(message.get("text", "")))

        def listen() -> None:
            with contextlib.suppress(wire.Lost):
                while True:
                    line.hear()
            speaker.stop(key)

        speech = speaker.say(key, str(given.get("question") or ""), start)
        threading.Thread(target=listen, daemon=True).start()
        try:
            while not (speech.ended and said.empty()):
                with contextlib.suppress(queue.Empty):
                    yield said.get(timeout=LOOK_SECONDS)
        finally:
            speaker.stop(key)
            speaker.forget(key)

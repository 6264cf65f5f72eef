"""Wire: how a command reaches the page that runs on the same data folder, and nothing else does.

The page leaves a card in the data folder, which its own account alone can read: where it listens, a key, and
what it runs. It listens at a socket file of that account, or where there are none (Windows, or a path too
long) at a port of this machine. Both sides prove that they know the key before anything is said: neither
another account, nor a program that took the port of a killed page, hears a question.

One JSON object a line. Standard library only: a command that is done by the page loads nothing else.
"""

import contextlib
import hashlib
import hmac
import json
import os
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.arguments import DEVICE_VARIABLE, PRECISION_VARIABLE
from engine.errors import Failure
from engine.paths import PROJECT, SIDENETS, Paths
from ingest.errors import BadInput

PATIENCE = 3.0  # seconds for the other side's next line, until an errand is taken
MOST = 1 << 26  # bytes of a line: a long book is read as one
LONGEST_PATH = 100  # bytes of a socket file's path, which some systems hold to 104
PAGE, COMMAND = "page", "command"
END = {"end": True}


class Lost(Exception):
    """The other side is gone."""


@dataclass(frozen=True)
class Card:
    """What a page leaves: its address (path or port), its key, its program and the model it was told of."""

    address: str | int
    key: str
    program: str
    settings: dict[str, Any]


def settings(model: str | None = None, sidenet: str | None = None, threads: int | None = None) -> dict:
    """Name the model that a process works with as another process would, wherever each was started."""
    named = {"model": model, "sidenet": sidenet}
    found: dict[str, Any] = {
        name: os.path.abspath(words) if words and os.path.exists(words) else words or None
        for name, words in named.items()
    }
    for variable in (DEVICE_VARIABLE, PRECISION_VARIABLE):
        found[variable] = os.environ.get(variable) or None
    return found | {"threads": threads}


def program() -> str:
    """Return a sum of this program's files and interpreter: two processes of one sum answer alike."""
    found = [sys.version, sys.prefix]
    tops = (*(PROJECT / name for name in ("app", "engine", "ingest")), SIDENETS, Paths.default().sidenets)
    for top in tops:
        for folder, folders, names in os.walk(top):
            folders[:] = sorted(name for name in folders if name != "__pycache__")
            for name in sorted(names):
                known = os.stat(os.path.join(folder, name))
                found.append(f"{folder}/{name} {known.st_size} {known.st_mtime_ns}")
    return hashlib.sha256("\n".join(found).encode(errors="replace")).hexdigest()


class Line:
    """A connection, as one JSON object a line."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection, self._heard = connection, connection.makefile("rb")

    def say(self, message: dict) -> None:
        """Send one object. Raises Lost."""
        try:
            self.connection.sendall(json.dumps(message).encode() + b"\n")
        except OSError as error:
            raise Lost from error

    def hear(self) -> dict:
        """Return the next object. Raises Lost."""
        try:
            heard = self._heard.readline(MOST)
            message = json.loads(heard) if heard.endswith(b"\n") else None
        except (OSError, ValueError) as error:
            raise Lost from error
        if not isinstance(message, dict):
            raise Lost
        return message

    def close(self) -> None:
        """End it, for both sides."""
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)
        self._heard.close()
        self.connection.close()


# the command's side


def _answers_alike(theirs: dict, ours: dict) -> bool:
    """Tell whether a page's model says what ours would; how many threads it has matters to who names some."""
    threads = theirs.get("threads") if ours["threads"] is None else ours["threads"]
    return theirs == ours | {"threads": threads}


def call(paths: Paths, named: dict, errand: str, given: dict) -> Iterator[dict] | None:
    """Have an errand done by the page of the data folder; None where none runs that would do it as we would.

    named: the model, see `settings`. What comes is what the errand yields; Lost ends it where the page ended.
    Raises BadInput and Failure as the errand does.
    """
    card = _card(paths.card)
    if card is None or not _answers_alike(card.settings, named) or card.program != program():
        return None
    line = None
    try:
        line = Line(_connected(card.address))
        nonce = os.urandom(32).hex()
        line.say({"nonce": nonce})
        answered = line.hear()
        if _same(answered.get("proof"), _proof(card.key, PAGE, nonce)):
            proof = _proof(card.key, COMMAND, str(answered.get("nonce")))
            line.say({"proof": proof, "errand": errand, "given": given})
            if line.hear().get("taken") is True:
                line.connection.settimeout(None)
                return _replies(line)
    except (Lost, OSError):
        pass
    if line is not None:
        line.close()
    return None


def _replies(line: Line) -> Iterator[dict]:
    with contextlib.closing(line):
        while (message := line.hear()) != END:
            if "error" in message:
                raise (BadInput if message.get("input") else Failure)(str(message["error"]))
            yield message


def _card(path: Path) -> Card | None:
    """Read a page's card; None where there is none, or another account could have written it."""
    try:
        with path.open("rb") as file:
            known = os.fstat(file.fileno())
            if os.name != "nt" and (known.st_uid != os.getuid() or known.st_mode & 0o077):
                return None
            return Card(**json.loads(file.read(1 << 20)))
    except (OSError, ValueError, TypeError):
        return None


def _connected(address: str | int) -> socket.socket:
    is_path = isinstance(address, str)
    made = socket.socket(socket.AF_UNIX if is_path else socket.AF_INET, socket.SOCK_STREAM)
    where: Any = address if is_path else ("127.0.0.1", address)
    try:
        made.settimeout(PATIENCE)
        made.connect(where)
    except OSError:
        made.close()
        raise
    return made


# the page's side


def listening(path: Path) -> tuple[socket.socket, str | int]:
    """Listen at a socket file for this account, else at a free port of this machine; return its address.

    What a killed page left there goes. Raises OSError.
    """
    if hasattr(socket, "AF_UNIX") and len(os.fsencode(path)) <= LONGEST_PATH:
        path.unlink(missing_ok=True)
        made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        made.bind(str(path))
        path.chmod(0o600)
        address: str | int = str(path)
    else:
        made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        made.bind(("127.0.0.1", 0))
        address = made.getsockname()[1]
    made.listen(8)
    return made, address


def leave_card(path: Path, card: Card) -> None:
    """Write a page's card, for this account alone. Raises OSError."""
    beside = path.with_suffix(".new")
    beside.unlink(missing_ok=True)
    with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        json.dump(vars(card), file)
    os.replace(beside, path)


def received(line: Line, key: str) -> tuple[str, dict]:
    """Return the name of an errand and what it is given, of a caller who knows the key. Raises Lost."""
    line.connection.settimeout(PATIENCE)
    nonce = os.urandom(32).hex()
    line.say({"proof": _proof(key, PAGE, str(line.hear().get("nonce"))), "nonce": nonce})
    asked = line.hear()
    if not _same(asked.get("proof"), _proof(key, COMMAND, nonce)) or not isinstance(asked.get("given"), dict):
        raise Lost
    line.connection.settimeout(None)
    return str(asked.get("errand")), asked["given"]


def reported(errand: Callable[[], Iterator[dict]]) -> Iterator[dict]:
    """Yield what an errand does, and at last that it ended, or what it raised."""
    try:
        yield from errand()
        yield END
    except (BadInput, Failure) as error:
        yield {"error": str(error), "input": isinstance(error, BadInput)}
    except Exception as error:  # whatever it is, the one who waits is told
        yield {"error": f"{type(error).__name__}: {error}", "input": False}


def _proof(key: str, side: str, nonce: str) -> str:
    return hmac.new(key.encode(), f"{side} {nonce}".encode(), "sha256").hexdigest()


def _same(given: object, wanted: str) -> bool:
    return isinstance(given, str) and hmac.compare_digest(given.encode(), wanted.encode())

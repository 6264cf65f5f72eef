"""Accounts: who may sign in to the page, in one file of the data folder that only its user can read.

Passwords are kept as scrypt makes them and tokens as their SHA-256: who reads the file can use neither.
A page that is open sees with the next request what a command has changed.
"""

import base64
import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from engine.errors import Failure
from engine.locks import FileLock
from engine.shelf.titles import one_line
from engine.whole import write_whole
from ingest.errors import BadInput

LEAST_PASSWORD = 8
LONGEST_NAME, LONGEST_PASSWORD = 64, 1024
COST, BLOCK, LANES = 1 << 15, 8, 1  # of scrypt: 32 MB and a tenth of a second for each attempt
SCRYPT_BYTES = 64 << 20
FORMAT = 1


@dataclass(frozen=True)
class Limits:
    """What one account may ask of the page."""

    books: int = 500
    megabytes: int = 5000
    uploads: int = 4
    tokens: int = 1000
    questions: int = 4


@dataclass(frozen=True)
class Account:
    """One reader. password: what scrypt made of it; tokens: by their label, the SHA-256 of each."""

    name: str
    password: str
    tokens: Mapping[str, str] = field(default_factory=dict)
    limits: Limits = Limits()


def hashed(password: str) -> str:
    """Make what is kept of a password. Raises BadInput for one that is too short or too long."""
    if not LEAST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise BadInput(f"a password has {LEAST_PASSWORD} to {LONGEST_PASSWORD} characters")
    salt = secrets.token_bytes(16)
    return "$".join(["scrypt", str(COST), _text(salt), _text(_scrypt(password, salt, COST))])


def matches(password: str, kept: str) -> bool:
    """Tell whether a password is the one that was kept; takes as long either way."""
    _, cost, salt, digest = kept.split("$")
    return hmac.compare_digest(
        _scrypt(password[:LONGEST_PASSWORD], base64.b64decode(salt), int(cost)), base64.b64decode(digest)
    )


def checked_name(name: str) -> str:
    """Return the name of an account. Raises BadInput for one that could be taken for something else."""
    if not name or name != one_line(name) or len(name) > LONGEST_NAME or set(name) & set(":@\"'<>"):
        raise BadInput(f"an account's name is a line of up to {LONGEST_NAME} letters without : @ and quotes")
    return name


class Accounts:
    """The accounts of one data folder, and those that were named for this one start of the page."""

    def __init__(self, path: Path, locks: Path, named: Mapping[str, Account] | None = None) -> None:
        self.path, self._locks = path, locks
        self._named = dict(named or {})
        self._read: tuple[tuple[int, ...], dict[str, Account]] = (), {}

    def all(self) -> dict[str, Account]:
        """Return the accounts by name. Raises Failure where their file is damaged: nobody signs in then."""
        return self._kept() | self._named

    def get(self, name: str) -> Account:
        """Return an account. Raises BadInput where there is no such account in the data folder."""
        try:
            return self._kept()[name]
        except KeyError:
            raise BadInput(f"there is no account {one_line(name, 40)}: see account list") from None

    def limits(self, name: str) -> Limits | None:
        """Return what an account may ask; None where there are no accounts ('')."""
        return getattr(self.all().get(name), "limits", Limits()) if name else None

    def of_token(self, token: str) -> str:
        """Return the name of the account that a token was given to, '' where there is none."""
        digest = _digest(token)
        return next(
            (one.name for one in self.all().values() if digest in one.tokens.values()),
            "",
        )

    # changes, by commands

    def add(self, name: str, password: str) -> None:
        """Add an account. Raises BadInput where there is one of that name."""
        made = Account(checked_name(name), hashed(password))
        with self._changing() as kept:
            if name in kept:
                raise BadInput(f"there is an account {name} already: account password changes its password")
            kept[name] = made

    def set_password(self, name: str, password: str) -> None:
        """Give an account another password: all its sessions end."""
        self._set(name, password=hashed(password))

    def limit(self, name: str, **limits: int) -> Limits:
        """Change some of an account's limits; returns all of them."""
        self._set(name, limits=replace(self.get(name).limits, **limits))
        return self.get(name).limits

    def grant(self, name: str, label: str) -> str:
        """Make a token for a program that calls the page for this account; only its hash is kept."""
        token, label = secrets.token_urlsafe(32), one_line(label, LONGEST_NAME)
        if label in self.get(name).tokens:
            raise BadInput(f"{name} has a token {label} already: account revoke takes it back")
        self._set(name, tokens={**self.get(name).tokens, label: _digest(token)})
        return token

    def revoke(self, name: str, label: str) -> None:
        """Take a token back. Raises BadInput where there is none of that label."""
        kept = dict(self.get(name).tokens)
        if kept.pop(label, None) is None:
            raise BadInput(f"{name} has no token {one_line(label, 40)}: see account list")
        self._set(name, tokens=kept)

    def remove(self, name: str) -> None:
        """Remove an account; its books stay on the shelf."""
        self.get(name)
        with self._changing() as kept:
            kept.pop(name, None)

    # inside

    def _set(self, name: str, **values: Any) -> None:
        self.get(name)
        with self._changing() as kept:
            kept[name] = replace(kept[name], **values)

    @contextmanager
    def _changing(self) -> Iterator[dict[str, Account]]:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(self._locks / "accounts.lock"):
                kept = dict(self._kept())
                yield kept
                rows = [asdict(one) for one in kept.values()]
                write_whole(self.path, json.dumps({"format": FORMAT, "accounts": rows}, indent=1))
                self.path.chmod(0o600)
        except OSError as error:
            raise Failure(f"{self.path} cannot be written: {error.strerror or error}") from error

    def _kept(self) -> dict[str, Account]:
        """Read the file, where it is another than the one read last."""
        try:
            stat = os.stat(self.path)
            mark = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
            if self._read[0] != mark:
                self._read = mark, _accounts(self.path.read_text(encoding="utf-8"))
            return self._read[1]
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise Failure(
                f"{self.path} is damaged ({error}): move it away and add the accounts again; no book is lost"
            ) from error


def _accounts(text: str) -> dict[str, Account]:
    content = json.loads(text)
    if content["format"] != FORMAT:
        raise ValueError("it was made by another version of the program")
    names = {one.name for one in fields(Limits)}
    found = {}
    for row in content["accounts"]:
        known = {name: int(value) for name, value in row["limits"].items() if name in names}
        kind, *parts = row["password"].split("$")
        if kind != "scrypt" or len(parts) != 3:
            raise ValueError("a password is not as it was kept")
        found[row["name"]] = Account(row["name"], row["password"], dict(row["tokens"]), Limits(**known))
    return found


def _scrypt(password: str, salt: bytes, cost: int) -> bytes:
    letters = password.encode("utf-8", "surrogatepass")
    return hashlib.scrypt(letters, salt=salt, n=cost, r=BLOCK, p=LANES, maxmem=SCRYPT_BYTES)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()

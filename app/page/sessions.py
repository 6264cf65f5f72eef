"""Sessions: who has signed in, for how long, and how often somebody may try.

They live in memory: a start of the program ends them all. A session ends by itself, with its account, and
with the password that it was opened with.
"""

import hashlib
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from engine.shelf.accounts import Accounts, hashed, matches

IDLE_SECONDS = 24 * 3600.0
LONGEST_SECONDS = 14 * 24 * 3600.0
MOST_SESSIONS = 50  # of one account; the oldest goes
# failed attempts before somebody has to wait: others may sit behind the same address
FREE_ATTEMPTS = {"account": 5, "address": 20}
LONGEST_WAIT = 900.0
REMEMBERED = 10_000

Clock = Callable[[], float]


@dataclass
class Session:
    """One browser that has signed in."""

    account: str
    password: str
    opened: float
    seen: float


class Throttle:
    """Failed attempts of each account and each address; the wait doubles with every further one."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._failed: dict[tuple[str, str], tuple[int, float]] = {}

    def wait(self, account: str, address: str) -> float:
        """Return how many seconds have to pass before the next attempt."""
        return max(self._wait(key) for key in _keys(account, address))

    def failed(self, account: str, address: str) -> None:
        """Count an attempt, which is a failed one until `succeeded` says otherwise."""
        now = self._clock()
        for key in _keys(account, address):
            count, last = self._failed.pop(key, (0, now))
            self._failed[key] = (count + 1 if now - last < LONGEST_WAIT else 1), now
        while len(self._failed) > REMEMBERED:
            del self._failed[next(iter(self._failed))]

    def succeeded(self, account: str, address: str) -> None:
        """Forget the failed attempts of an account, and count this one not against the address."""
        by_account, by_address = _keys(account, address)
        self._failed.pop(by_account, None)
        count, last = self._failed.get(by_address, (0, 0.0))
        if count:
            self._failed[by_address] = count - 1, last

    def _wait(self, key: tuple[str, str]) -> float:
        count, last = self._failed.get(key, (0, 0.0))
        over = count - FREE_ATTEMPTS[key[0]]
        return 0.0 if over < 0 else max(0.0, last + min(2.0**over, LONGEST_WAIT) - self._clock())


class Sessions:
    """The sessions of one page."""

    def __init__(self, accounts: Accounts, clock: Clock = time.monotonic) -> None:
        self.accounts = accounts
        self.throttle = Throttle(clock)
        self._clock = clock
        self._open: dict[str, Session] = {}
        self._lock = threading.Lock()
        self._one_attempt = threading.Lock()  # each takes 32 MB and a tenth of a second
        self._nobodys = hashed(secrets.token_urlsafe(16))

    def sign_in(self, name: str, password: str, address: str) -> str | float:
        """Return the secret of a new session; '' for a wrong password, seconds to wait after too many."""
        with self._one_attempt:
            if wait := self.throttle.wait(name, address):
                return wait
            self.throttle.failed(name, address)
            account = self.accounts.all().get(name)
            # an unknown name takes as long as a wrong password
            if not matches(password, account.password if account else self._nobodys) or account is None:
                return ""
            self.throttle.succeeded(name, address)
        secret, now = secrets.token_urlsafe(32), self._clock()
        with self._lock:
            mine = [one for one, session in self._open.items() if session.account == name]
            for old in mine[: max(0, len(mine) + 1 - MOST_SESSIONS)]:
                del self._open[old]
            self._open[_key(secret)] = Session(name, account.password, now, now)
        return secret

    def account_of(self, secret: str) -> str:
        """Return the account of a session that is open, '' for any other secret."""
        now, key = self._clock(), _key(secret)
        with self._lock:
            session = self._open.get(key)
            if session is None:
                return ""
            account = self.accounts.all().get(session.account)
            is_over = now - session.seen > IDLE_SECONDS or now - session.opened > LONGEST_SECONDS
            if is_over or account is None or account.password != session.password:
                del self._open[key]
                return ""
            session.seen = now
            return session.account

    def sign_out(self, secret: str) -> None:
        """End a session."""
        with self._lock:
            self._open.pop(_key(secret), None)


def _keys(account: str, address: str) -> tuple[tuple[str, str], tuple[str, str]]:
    return ("account", account), ("address", address)


def _key(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()

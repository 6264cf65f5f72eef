"""Signing in: sessions that end, attempts that have to wait, origins that are refused. No page is served."""

import pytest
from starlette.datastructures import Headers

from app.page.origin import is_foreign
from app.page.sessions import IDLE_SECONDS, LONGEST_SECONDS, LONGEST_WAIT, MOST_SESSIONS, Sessions, Throttle
from engine.paths import Paths
from engine.shelf import accounts as engine_accounts
from engine.shelf.accounts import Accounts

HOME, AWAY = "10.0.0.1", "10.0.0.2"


class Clock:
    """Time as a test wants it."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sessions(tmp_path, monkeypatch, clock) -> Sessions:
    monkeypatch.setattr(engine_accounts, "COST", 2)
    paths = Paths(tmp_path)
    accounts = Accounts(paths.accounts, paths.locks)
    for name in ("ann", "ben"):
        accounts.add(name, f"{name} has a secret")
    return Sessions(accounts, clock)


def signed_in(sessions: Sessions, name: str = "ann") -> str:
    secret = sessions.sign_in(name, f"{name} has a secret", HOME)
    assert isinstance(secret, str) and len(secret) > 30
    return secret


def test_a_session_is_of_who_signed_in(sessions):
    ann, ben = signed_in(sessions), signed_in(sessions, "ben")
    assert (sessions.account_of(ann), sessions.account_of(ben)) == ("ann", "ben")
    assert sessions.account_of("") == sessions.account_of(ann[:-1]) == ""
    for name, password in [("ann", "ben has a secret"), ("carol", "carol has a secret"), ("", "")]:
        assert sessions.sign_in(name, password, HOME) == ""


def test_a_session_ends(sessions, clock):
    idle, busy, left = signed_in(sessions), signed_in(sessions), signed_in(sessions)
    sessions.sign_out(left)
    assert sessions.account_of(left) == ""
    for _ in range(int(LONGEST_SECONDS / IDLE_SECONDS * 2)):
        clock.now += IDLE_SECONDS / 2
        assert sessions.account_of(busy) == "ann"
    clock.now += 1
    assert sessions.account_of(busy) == sessions.account_of(idle) == ""


@pytest.mark.parametrize("change", ["password", "remove"])
def test_a_session_ends_with_its_password_and_its_account(sessions, change):
    ann, ben = signed_in(sessions), signed_in(sessions, "ben")
    if change == "password":
        sessions.accounts.set_password("ann", "another secret")
    else:
        sessions.accounts.remove("ann")
    assert (sessions.account_of(ann), sessions.account_of(ben)) == ("", "ben")


def test_an_account_has_so_many_sessions(sessions):
    secrets = [signed_in(sessions) for _ in range(MOST_SESSIONS + 1)]
    assert [sessions.account_of(one) for one in secrets[:2]] == ["", "ann"]


def test_wrong_passwords_have_to_wait_longer_and_longer(sessions, clock):
    said = [sessions.sign_in("ann", "a guess", HOME) for _ in range(6)]
    assert said[:5] == [""] * 5 and said[5] == 1.0
    # of that account from anywhere, and even with the right password; not of another
    assert sessions.sign_in("ann", "ann has a secret", AWAY) == 1.0
    assert sessions.account_of(signed_in(sessions, "ben")) == "ben"
    clock.now += 1
    assert sessions.sign_in("ann", "a guess", HOME) == ""
    assert sessions.sign_in("ann", "a guess", HOME) == 2.0
    clock.now += 2
    assert sessions.account_of(signed_in(sessions)) == "ann"
    assert sessions.sign_in("ann", "a guess", HOME) == ""


def test_an_address_that_tries_many_names_has_to_wait(sessions):
    said = [sessions.sign_in(f"name{number}", "a guess", HOME) for number in range(21)]
    assert said[:20] == [""] * 20 and said[20] == 1.0
    assert sessions.sign_in("ben", "ben has a secret", HOME) == 1.0
    assert isinstance(sessions.sign_in("ben", "ben has a secret", AWAY), str)


def test_nobody_waits_for_ever(clock):
    throttle = Throttle(clock)
    for _ in range(100):
        throttle.failed("ann", HOME)
    assert throttle.wait("ann", HOME) == LONGEST_WAIT
    clock.now += LONGEST_WAIT
    assert throttle.wait("ann", HOME) == 0.0


ORIGINS = [
    # the page's own, by any of its names
    ({"host": "127.0.0.1:7860", "origin": "http://127.0.0.1:7860"}, False),
    ({"host": "reader.example", "origin": "https://reader.example"}, False),
    ({"host": "reader.example:443", "origin": "https://Reader.example"}, False),
    (
        {"host": "10.0.0.9:7860", "x-forwarded-host": "reader.example", "origin": "https://reader.example"},
        False,
    ),
    ({"host": "[::1]:7860", "origin": "http://[::1]:7860"}, False),
    # none: a program, or what was typed
    ({"host": "127.0.0.1:7860"}, False),
    ({"host": "reader.example", "sec-fetch-site": "none", "sec-fetch-mode": "navigate"}, False),
    ({"host": "reader.example", "sec-fetch-site": "same-origin", "sec-fetch-mode": "cors"}, False),
    ({"host": "reader.example", "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}, False),
    # another page
    ({"host": "127.0.0.1:7860", "origin": "http://evil.example"}, True),
    ({"host": "127.0.0.1:7860", "origin": "http://127.0.0.1:8000"}, True),
    ({"host": "127.0.0.1:7860", "origin": "http://localhost:7860"}, True),
    ({"host": "127.0.0.1:7860", "origin": "null"}, True),
    ({"host": "127.0.0.1:7860", "origin": ""}, True),
    ({"host": "127.0.0.1:7860", "origin": "http://127.0.0.1:x"}, True),
    ({"host": "reader.example", "origin": "https://reader.example.evil.example"}, True),
    (
        {"host": "reader.example", "origin": "https://evil.example", "x-forwarded-host": "reader.example"},
        True,
    ),
    ({"host": "reader.example", "origin": "file://reader.example"}, True),
    ({"host": "", "origin": "http://"}, True),
    ({"host": "127.0.0.1:7860", "sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}, True),
    ({"host": "127.0.0.1:7860", "sec-fetch-site": "same-site", "sec-fetch-mode": "cors"}, True),
]


@pytest.mark.parametrize(("headers", "foreign"), ORIGINS)
def test_what_another_page_sends_is_seen(headers, foreign):
    assert is_foreign(Headers(headers)) == foreign

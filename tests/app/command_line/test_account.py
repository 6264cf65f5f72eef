"""`account`: what it prints, and that a password comes from a file, the environment or a terminal alone."""

import io
import json
import sys

import pytest

from app.command_line import account, commands
from engine.shelf import accounts as engine_accounts
from engine.shelf.accounts import Accounts, matches


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setattr(engine_accounts, "COST", 2)
    monkeypatch.setenv("LONGMEM_HOME", str(tmp_path))
    monkeypatch.setenv(account.ENVIRONMENT, "battery-staple")
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    return tmp_path


def run(*words: str) -> int:
    return commands.main(["account", *words])


def test_an_account_from_first_to_last(home, capsys):
    assert run("add", "ann") == 0
    file = home / "password"
    file.write_text("correct-horse\nsomething else\n")
    assert run("password", "ann", "--password-file", str(file)) == 0
    kept = Accounts(home / "accounts.json", home / "locks")
    assert matches("correct-horse", kept.get("ann").password)
    capsys.readouterr()
    assert run("token", "ann", "script", "--json") == 0
    assert kept.of_token(json.loads(capsys.readouterr().out)["token"]) == "ann"
    assert run("limit", "ann", "--books", "3", "--json") == 0
    assert json.loads(capsys.readouterr().out)["limits"]["books"] == 3
    assert run("list", "--json") == 0
    (shown,) = json.loads(capsys.readouterr().out)["accounts"]
    assert (shown["name"], shown["tokens"], shown["limits"]["books"]) == ("ann", ["script"], 3)
    assert run("list") == run("revoke", "ann", "script") == run("remove", "ann") == 0
    assert kept.all() == {}


WRONG = [
    (["add", "a:b"], "an account's name"),
    (["remove", "nobody"], "there is no account nobody"),
    (["password", "nobody"], "there is no account nobody"),
    (["add", "ann", "--password-file", "/nowhere"], "cannot be read"),
]


@pytest.mark.parametrize(("words", "says"), WRONG)
def test_what_is_wrong_is_told_in_one_line(words, says, capsys):
    assert run(*words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert says in line


def test_nobody_who_can_be_asked_is_told_what_to_do(monkeypatch, capsys):
    monkeypatch.delenv(account.ENVIRONMENT)
    assert run("add", "ann") == 2
    assert "give --password-file, or set LONGMEM_PASSWORD" in capsys.readouterr().err


def test_a_terminal_is_asked_twice(monkeypatch, capsys):
    monkeypatch.delenv(account.ENVIRONMENT)
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    said = iter(["one password", "another password", "one password", "one password"])
    monkeypatch.setattr(account.getpass, "getpass", lambda prompt: next(said))
    assert run("add", "ann") == 2
    assert "not the same" in capsys.readouterr().err
    assert run("add", "ann") == 0

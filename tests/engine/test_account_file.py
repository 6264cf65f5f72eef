"""The accounts' file, and the accounts that a book is kept for."""

import json
import stat

import pytest

from engine.errors import Failure
from engine.paths import Paths
from engine.shelf import accounts as module
from engine.shelf.accounts import Accounts, Limits, hashed, matches
from engine.shelf.holders import holders, joined, left
from engine.shelf.leaving import leave
from engine.shelf.shelf import Shelf
from ingest.errors import BadInput

SECRET = "correct horse"


@pytest.fixture
def paths(tmp_path, monkeypatch) -> Paths:
    monkeypatch.setattr(module, "COST", 2)
    return Paths(tmp_path / "home")


@pytest.fixture
def accounts(paths) -> Accounts:
    made = Accounts(paths.accounts, paths.locks)
    made.add("ann", SECRET)
    return made


def test_a_password_is_kept_as_scrypt_makes_it(paths, accounts):
    text = paths.accounts.read_text()
    assert SECRET not in text and "scrypt$" in text
    assert stat.S_IMODE(paths.accounts.stat().st_mode) == 0o600
    kept = accounts.get("ann").password
    assert matches(SECRET, kept) and not matches(SECRET + " ", kept) and not matches("", kept)
    assert hashed(SECRET) != kept  # salted


def test_the_cost_of_a_password_is_what_it_was_when_it_was_kept():
    kept = hashed(SECRET)
    assert kept.startswith("scrypt$32768$") and matches(SECRET, kept)


def test_another_program_sees_what_was_changed(paths, accounts):
    other = Accounts(paths.accounts, paths.locks)
    assert list(other.all()) == ["ann"]
    accounts.add("ben", SECRET)
    assert list(other.all()) == ["ann", "ben"]
    accounts.remove("ann")
    assert list(other.all()) == ["ben"]


def test_a_token_is_its_accounts_until_it_is_taken_back(paths, accounts):
    token = accounts.grant("ann", "script")
    assert accounts.of_token(token) == "ann" and token not in paths.accounts.read_text()
    assert accounts.of_token("") == accounts.of_token(token[1:]) == ""
    with pytest.raises(BadInput, match="has a token script already"):
        accounts.grant("ann", "script")
    accounts.revoke("ann", "script")
    assert accounts.of_token(token) == ""


def test_limits_are_set_one_by_one(accounts):
    assert accounts.limit("ann", books=3) == Limits(books=3)
    assert accounts.limit("ann", tokens=50) == Limits(books=3, tokens=50)
    assert accounts.limits("ann").books == 3 and accounts.limits("") is None
    assert accounts.limits("who was removed meanwhile") == Limits()


WRONG = [
    (lambda one: one.add("ann", SECRET), "is an account ann already"),
    (lambda one: one.add("a:b", SECRET), "an account's name"),
    (lambda one: one.add("a\nb", SECRET), "an account's name"),
    (lambda one: one.add("", SECRET), "an account's name"),
    (lambda one: one.add("<b>", SECRET), "an account's name"),
    (lambda one: one.add("ben", "short"), "8 to 1024 characters"),
    (lambda one: one.set_password("ann", "x" * 1025), "8 to 1024 characters"),
    (lambda one: one.set_password("ben", SECRET), "no account ben"),
    (lambda one: one.remove("ben"), "no account ben"),
    (lambda one: one.limit("ben", books=1), "no account ben"),
    (lambda one: one.grant("ben", "x"), "no account ben"),
    (lambda one: one.revoke("ann", "x"), "no token x"),
]


@pytest.mark.parametrize(("change", "says"), WRONG)
def test_what_cannot_be_is_refused_and_changes_nothing(paths, accounts, change, says):
    before = paths.accounts.read_bytes()
    with pytest.raises(BadInput, match=says):
        change(accounts)
    assert paths.accounts.read_bytes() == before


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", "null", '{"format": 2, "accounts": []}', '{"format": 1, "accounts": [{}]}',
             '{"format": 1, "accounts": [{"name": "a", "password": "plain", "tokens": {}, "limits": {}}]}']
)  # fmt: skip
def test_with_a_damaged_file_nobody_signs_in_and_moving_it_away_helps(paths, accounts, text):
    paths.accounts.write_text(text)
    with pytest.raises(Failure, match="move it away and add the accounts again; no book is lost"):
        accounts.all()
    paths.accounts.rename(paths.accounts.with_suffix(".old"))
    accounts.add("ann", SECRET)
    assert list(accounts.all()) == ["ann"]


def test_who_holds_a_book():
    house, hers = {"dtype": "int8"}, {"owner": "ann", "dtype": "int8"}
    assert (holders(house), holders(hers)) == ([], ["ann"])
    assert joined(house, "ben") == house and joined(hers, "") == hers and joined(hers, "ann") == hers
    both = joined(hers, "ben")
    assert joined(both, "ben") == both and holders(joined(both, "eve")) == ["ann", "ben", "eve"]
    assert left(both, "ben") == hers
    assert left(both, "ann") == {"owner": "ben", "dtype": "int8"}


def test_who_leaves_a_book_takes_own_talks_and_place_alone(paths, tmp_path):
    shelf, file = Shelf(paths), tmp_path / "book.txt"
    file.write_text("A book of two readers.")
    entry, new = shelf.of("ann").add(file)
    same, again = shelf.of("ben").add(file, "other name.txt")
    assert (new, again, same.id, same.holders) == (True, False, entry.id, ["ann", "ben"])
    for owner in ("ann", "ben"):
        theirs = shelf.of(owner)
        theirs.read_to(entry.id, 5)
        theirs.talks.append(theirs.talks.create(entry.id).id, "user", f"by {owner}")
    leave(shelf.of("ann"), entry.id)
    assert shelf.get(entry.id).holders == ["ben"]
    assert [shelf.of(owner).get(entry.id).position for owner in ("ann", "ben")] == [0, 5]
    assert [len(shelf.of(owner).talks.about(entry.id)) for owner in ("ann", "ben")] == [0, 1]
    note = json.loads((paths.document(entry.id) / "entry.json").read_text())
    assert json.loads(note["settings"]) == {"owner": "ben"}

"""The soak's own bookkeeping, over a stand-in for the program that loses requests, or books."""

import hashlib
import random
from collections import Counter

import httpx
import pytest

from app.command_line import bench_soak, soak_ledger
from app.command_line.soak_ledger import Ledger
from app.command_line.soaked import Refused
from engine.paths import Paths


class Program:
    """Keeps books as folders; every third request is cut off, half of those after they were done."""

    def __init__(self, home, loses: str = "") -> None:
        self.documents, self.loses, self.asked, self.texts = Paths(home).documents, loses, 0, {}
        self.documents.mkdir(parents=True)

    def look(self) -> None:
        """Nothing is measured here."""

    def upload(self, name: str, data: bytes) -> str:
        return data.decode()

    def call(self, name: str, *data):
        self.asked += 1
        if self.asked % 6 == 0:
            raise httpx.ReadError("killed")
        result = getattr(self, name)(*data)
        if self.asked % 6 == 3:
            raise httpx.ReadError("killed")
        return result

    def add(self, text: str, *_) -> dict:
        identifier = hashlib.sha256(text.encode()).hexdigest()[:12]
        (self.documents / identifier).mkdir(exist_ok=True)
        self.texts[identifier] = text
        return {"id": identifier}

    def remove(self, identifier: str) -> None:
        if not (self.documents / identifier).exists():
            raise Refused(f'no document "{identifier}" on the shelf')
        if self.loses != "removal":
            (self.documents / identifier).rmdir()

    def ask(self, identifier: str, *_) -> dict:
        if identifier not in self.texts:
            raise Refused("no document")
        return {"answer": "Pepper"}

    def job(self, identifier: str) -> dict:
        return {"id": 1, "state": "done", "message": ""}

    def read(self, identifier: str, *_) -> dict:
        return {"text": "torn" if self.loses == "text" else self.texts[identifier].replace("# ", "")}


def soaked(tmp_path, monkeypatch, loses: str = "") -> tuple[Ledger, dict[str, int]]:
    monkeypatch.setattr(soak_ledger, "WAIT_SECONDS", 0)
    program = Program(tmp_path, loses)
    ledger = Ledger(random.Random(1), {"ask": 30, "add": 20, "remove": 6})
    ledger.visit(program)
    program.asked = 0
    program.call = lambda name, *data: getattr(program, name)(*data)
    ledger.finish(program)
    return ledger, ledger.wrong(tmp_path)


def test_what_holds_is_counted(tmp_path, monkeypatch):
    ledger, wrong = soaked(tmp_path, monkeypatch)
    assert ledger.counted()["books added"] == 20 and ledger.counted()["books removed"] == 6
    assert ledger.counted()["requests cut off and sent again"] > 5
    assert not any(wrong.values()), (wrong, ledger.errors)


@pytest.mark.parametrize(
    ("loses", "named"), [("removal", "removed books still there"), ("text", "refusals and wrong texts")]
)
def test_what_does_not_hold_is_seen(tmp_path, monkeypatch, loses, named):
    assert soaked(tmp_path, monkeypatch, loses)[1][named] > 0


def test_a_lost_book_and_one_of_nobody_are_seen(tmp_path, monkeypatch):
    ledger, _ = soaked(tmp_path, monkeypatch)
    lost = sorted(ledger.books)[0]
    (Paths(tmp_path).documents / ".incoming-0123").mkdir()  # goes when it is old
    (Paths(tmp_path).documents / lost).rename(Paths(tmp_path).documents / "0123456789ab")
    wrong = ledger.wrong(tmp_path)
    assert (wrong["books lost"], wrong["folders of nobody"]) == (1, 1)


FULL = "the shelf cannot be changed (the disk is full: make room, for instance remove a book)"


@pytest.mark.parametrize("is_full", [True, False])
def test_only_a_full_disk_may_refuse_a_book(tmp_path, monkeypatch, is_full):
    monkeypatch.setattr(soak_ledger, "WAIT_SECONDS", 0)
    program, refused = Program(tmp_path), []

    def add(text: str, *_) -> dict:
        ledger.fill(False, False)
        if len(refused) < 3:
            ledger.fill(is_full, is_full)
            refused.append(text)
            raise Refused(FULL)
        return Program.add(program, text)

    program.add = add
    ledger = Ledger(random.Random(1), {"add": 5})
    ledger.visit(program)
    assert (ledger.done["refused"], len(ledger.errors)) == ((3, 0) if is_full else (0, 3))


def test_visitors_go_on_until_every_strike_has_come_and_a_round_goes_on_where_the_last_ended(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(soak_ledger, "WAIT_SECONDS", 0)
    program = Program(tmp_path)
    program.look = lambda: setattr(ledger, "ended", ledger.done.total() > 40)
    ledger = Ledger(random.Random(1), {"ask": 2, "add": 2, "remove": 1}, Counter({"kill": 1}))
    ledger.visit(program)
    assert ledger.done["add"] > 2 and not ledger.is_done, "the kill is still to come"
    ledger.write(tmp_path / "soak.json")
    again = Ledger.read(tmp_path / "soak.json", random.Random(2))
    assert (again.books, again.done, again.strikes) == (ledger.books, ledger.done, ledger.strikes)
    bench_soak.again(again, type("Stopped", (), {"kill": lambda _: None, "start": lambda _: None})())
    assert again.is_done and again.counted()["SIGKILLs"] == 1

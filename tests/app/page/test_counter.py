"""Commands that are done by the page of their data folder, and those that do without it."""

import contextlib
import json
import socket
import threading
from pathlib import Path

import pytest

from app.command_line import commands
from app.desk import wire
from app.desk.desk import Desk
from app.page.counter import Counter
from engine.assistant import Assistant
from engine.library import Library
from engine.paths import Paths
from ingest.apart import parse
from tests.app.browser import until
from tests.app.conftest import book


@pytest.fixture(scope="module")
def desk(tmp_path_factory, tiny_folder):
    """A desk over one book and a tiny random model."""
    home = tmp_path_factory.mktemp("home")
    (home / "lighthouse.md").write_text(book(2, 4))
    desk = Desk(Assistant(Library(Paths(home / "data"), parse, model=str(tiny_folder))))
    desk.assistant.library.add(home / "lighthouse.md")
    return desk


@pytest.fixture
def named(desk, tiny_folder, monkeypatch) -> dict:
    """The model as the commands of a test name it; their data folder is the desk's."""
    monkeypatch.setenv("LONGMEM_HOME", str(desk.shelf.paths.home))
    monkeypatch.setenv("LONGMEM_MODEL", str(tiny_folder))
    monkeypatch.setattr(commands, "stay_local", lambda model: None)
    return wire.settings(str(tiny_folder))


@contextlib.contextmanager
def counter(desk, named):
    made = Counter(desk, named)
    made.open()
    try:
        yield made
    finally:
        made.close()


def never(arguments):
    raise AssertionError("the model was to be loaded in the command's own process")


ASKED = [
    ["ask", "amber", "What did Marigold write?", "--max-tokens", "6"],
    ["ask", "amber", "How many chapters are there?", "--json"],
    ["ask", "--all", "Who is Marigold?", "--max-tokens", "6"],
    ["continue", "amber", "--at", "chapter 2", "--tokens", "5", "--seed", "3", "--temperature", "0.8"],
    ["search", "amber", "gulls", "--json"],
    ["read", "amber", "--at", "chapter 2"],
    ["read", "amber", "--html"],
    ["shelf"],
    ["ask", "amber", "Who?", "--until", "chapter 99"],
    ["ask", "amber", "Who?", "--temperature", "9"],
]
RATES = ("seconds_to_first_token", "tokens_per_second")


def said(argv, capsys) -> tuple:
    code = commands.main(argv)
    out, err = capsys.readouterr()
    if "--json" in argv:
        out = {name: value for name, value in json.loads(out).items() if name not in RATES}
    return code, out, err if code else ""


@pytest.mark.parametrize("at_port", [False, True], ids=["socket", "port"])
@pytest.mark.parametrize("argv", ASKED, ids=" ".join)
def test_a_command_says_the_same_whoever_does_it(argv, at_port, desk, named, capsys, monkeypatch):
    monkeypatch.setattr(commands, "assistant", lambda arguments: desk.assistant)
    alone = said(argv, capsys)
    monkeypatch.setattr(commands, "assistant", never)
    monkeypatch.setattr(commands, "texts", never)
    monkeypatch.setattr("app.command_line.reading.texts", never)
    if at_port:
        monkeypatch.setattr(wire, "LONGEST_PATH", 0)
    with counter(desk, named):
        until(lambda: not desk.speaker.is_engaged(), every=0.02)  # the answer before this one
        assert said(argv, capsys) == alone
    assert alone[0] == (2 if "99" in argv[-1] or argv[-1] == "9" else 0)


def test_nobody_else_can_read_the_card_or_reach_the_socket(desk, named):
    paths = desk.shelf.paths
    with counter(desk, named):
        assert {place.stat().st_mode & 0o777 for place in (paths.card, paths.socket)} == {0o600}
        paths.card.chmod(0o640)  # another account might have written such a one
        assert wire.call(paths, named, "shelf", {}) is None
    assert not paths.card.exists() and not paths.socket.exists()


def is_done(desk, named, **given) -> bool:
    replies = wire.call(desk.shelf.paths, named, "ask", {
        "document": "amber", "question": "Who is it?", "until": None, "within": None, "sampling": {}, **given,
    })  # fmt: skip
    return replies is not None and "answer" in list(replies)[-1]


def test_what_the_page_would_do_otherwise_is_done_without_it(desk, named, monkeypatch, tmp_path):
    assert not is_done(desk, named)
    with counter(desk, named):
        assert is_done(desk, named)
        assert not is_done(desk, named | {"model": "another"})
        assert not is_done(desk, named | {"threads": 7})
        assert not is_done(desk, named, document="a-file-beside-the-command.md")
        with monkeypatch.context() as patched:
            patched.setattr(wire, "program", lambda: "a newer one")
            assert not is_done(desk, named)
        with monkeypatch.context() as patched:
            patched.setattr(desk.speaker, "is_engaged", lambda: True)
            assert not is_done(desk, named)
        assert wire.call(Paths(tmp_path), named, "shelf", {}) is None
    with counter(desk, named | {"threads": 7}):
        assert is_done(desk, named)  # it names none


def test_a_killed_page_is_no_error_and_the_next_takes_its_place(desk, named):
    paths = desk.shelf.paths
    listener, address = wire.listening(paths.socket)
    wire.leave_card(paths.card, wire.Card(address, "k", wire.program(), named))
    listener.close()
    assert paths.socket.exists() and not is_done(desk, named)
    with counter(desk, named):
        with counter(desk, named):  # a second page of the folder leaves the first one's alone
            pass
        assert is_done(desk, named)


def test_who_does_not_know_the_key_hears_nothing(desk, named, monkeypatch):
    """A stranger at the port of a killed page gets no question, and one at the page's port no answer."""
    monkeypatch.setattr(wire, "LONGEST_PATH", 0)
    paths, heard = desk.shelf.paths, []
    listener, address = wire.listening(paths.socket)
    wire.leave_card(paths.card, wire.Card(address, "k", wire.program(), named))

    def stranger():
        with contextlib.closing(wire.Line(listener.accept()[0])) as line, contextlib.suppress(wire.Lost):
            heard.append(line.hear())
            line.say({"proof": "none", "nonce": "x"})
            heard.append(line.hear())

    thread = threading.Thread(target=stranger)
    thread.start()
    assert not is_done(desk, named)
    thread.join()
    listener.close()
    assert [list(one) for one in heard] == [["nonce"]]

    with counter(desk, named):
        card = json.loads(Path(paths.card).read_text())
        line = wire.Line(socket.create_connection(("127.0.0.1", card["address"])))
        line.say({"nonce": "x"})
        line.hear()
        line.say({"proof": "guessed", "errand": "shelf", "given": {}})
        with pytest.raises(wire.Lost):
            line.hear()
        line.close()
        assert is_done(desk, named)


def test_hanging_up_ends_the_answer(desk, named):
    given = {"document": "amber", "at": None, "prompt": None, "tokens": 10**6, "memory": True, "sampling": {}}
    with counter(desk, named):
        replies = wire.call(desk.shelf.paths, named, "continue", given)
        assert "text" in next(replies) and desk.speaker.is_engaged()
        replies.close()
        until(lambda: not desk.speaker.is_engaged(), every=0.02)
        assert is_done(desk, named)


def test_a_page_that_ends_amid_an_answer_is_told_of_and_before_it_costs_nothing(
    desk, named, monkeypatch, capsys
):
    def lost(*words):
        yield from ({"text": one} for one in words)
        raise wire.Lost

    monkeypatch.setattr(commands, "assistant", lambda arguments: desk.assistant)
    for words, code in (((), 0), (("half",), 1)):
        monkeypatch.setattr(wire, "call", lambda *_, words=words: lost(*words))
        assert commands.main(["ask", "amber", "Who?", "--max-tokens", "3"]) == code
    assert "ask again" in capsys.readouterr().err

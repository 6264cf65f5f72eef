"""The daily reading of the shelf: when it is due, what it mends and tells. The engine is a stand-in."""

import os
import time
from types import SimpleNamespace

import pytest

from app.desk import watch as module
from app.desk.watch import DAY, Watch
from app.html import shelf_html
from engine.errors import Failure
from engine.locks import FileLock
from engine.upkeep import Fault


@pytest.fixture
def looked(tmp_path, monkeypatch):
    """A watch over faults that a test puts in, and how often its runner was woken."""
    woken, found = [], []
    (tmp_path / "locks").mkdir()
    library = SimpleNamespace(paths=SimpleNamespace(locks=tmp_path / "locks"))

    def faults(library, rest):
        for one in found:
            rest()
            yield one

    monkeypatch.setattr(module, "faults", faults)
    monkeypatch.setattr(module, "REST_SECONDS", 0)
    return SimpleNamespace(watch=Watch(library, lambda: woken.append(1)), found=found, woken=woken)


def refuse() -> str:
    raise Failure("a job works on it")


def test_what_can_be_mended_is_and_the_rest_is_told(looked):
    looked.found += [Fault("Emma", "its memory is damaged", lambda: "it is made anew"),
                     Fault("<Jane>", "damaged"), Fault("Clara", "its text is", refuse)]  # fmt: skip
    looked.watch.look()
    assert looked.woken == [1]
    assert [one.title for one in looked.watch.found] == ["<Jane>"]
    assert looked.watch.is_due()  # again soon, for what is being worked on
    told = shelf_html.damaged([(one.title, one.what) for one in looked.watch.found])
    assert "Add its file again" in told and "<Jane>" not in told
    looked.found.clear()
    looked.watch.look()
    assert looked.watch.found == [] and not looked.watch.is_due()


def test_it_is_due_once_a_day(looked):
    assert looked.watch.is_due()
    looked.watch.look()
    assert not looked.watch.is_due()
    past = time.time() - DAY - 1
    os.utime(looked.watch._mark, (past, past))
    assert looked.watch.is_due()


def test_one_program_reads_and_a_stop_ends_it(looked):
    looked.found.append(Fault("Emma", "damaged"))
    with FileLock(looked.watch._mark.with_name("verifying.lock")):
        looked.watch.look()
    assert looked.watch.is_due() and not looked.watch.found
    looked.watch.stop()
    with pytest.raises(module._Stopped):
        looked.watch.look()
    assert looked.watch.is_due()

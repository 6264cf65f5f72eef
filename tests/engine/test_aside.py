"""Work aside: in another process where one is kept, here where none is; what is raised and ended is told."""

import os
import signal

import pytest

from engine import aside
from engine.errors import Failure
from ingest.errors import BadInput


def process_of(_: str) -> int:
    """Return the process in which this is done."""
    return os.getpid()


def refuse(words: str) -> None:
    """Refuse what it is given."""
    raise BadInput(words)


def end(_: str) -> None:
    """End the process in which this is done."""
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.fixture
def kept():
    """Keep a process aside meanwhile."""
    aside.keep()
    yield
    aside.close()


def test_without_a_page_work_is_done_here():
    assert aside.done(process_of, "text") == os.getpid()


def test_with_a_page_it_is_done_elsewhere_and_what_is_raised_comes_back(kept):
    assert aside.done(process_of, "text") != os.getpid()
    with pytest.raises(BadInput, match="no words"):
        aside.done(refuse, "no words")
    assert aside.done(process_of, "text") != os.getpid()


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no such signal here")
def test_a_process_that_is_ended_costs_one_piece_of_work(kept):
    with pytest.raises(Failure, match="when memory is short: try again"):
        aside.done(end, "text")
    assert aside.done(process_of, "text") != os.getpid()

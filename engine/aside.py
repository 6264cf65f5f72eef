"""Aside: work on a text in a process of its own, so that a page answers meanwhile.

Most of that work is Python, which one thread of a process does at a time: a page whose own thread read
through millions of letters would answer seconds later. Without a page the work is done here and now.
"""

import signal
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import ParamSpec, TypeVar

from engine.errors import Failure
from engine.executors.processes import end_with_parent
from engine.heap import give_back

PROCESSES = 2  # a page reads one book and fills the memory of another
Given = ParamSpec("Given")
Done = TypeVar("Done")


def keep() -> None:
    """Have a process started and waiting from now on; another comes when both are wanted."""
    global _pool
    _pool = ProcessPoolExecutor(PROCESSES, get_context("spawn"), _begin)
    _pool.submit(give_back)


def close() -> None:
    """Do work here and now from now on; a process ends with what it works on, or with this one."""
    global _pool
    pool, _pool = _pool, None
    if pool is not None:
        pool.shutdown(wait=False)


def done(work: Callable[Given, Done], *given: Given.args, **named: Given.kwargs) -> Done:
    """Return what some work, a function of a module with what it is given, returns or raises.

    Raises Failure where the process that did it was ended.
    """
    pool = _pool
    if pool is None:
        return work(*given, **named)
    try:
        return pool.submit(_worked, work, given, named).result()
    except BrokenProcessPool as error:
        if pool is _pool:
            keep()
        raise Failure(
            "the system ended what works on the text, as it does when memory is short: try again"
        ) from error


def _begin() -> None:
    """Leave Ctrl-C to the program itself, and import what texts are worked on with."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if (number := getattr(signal, name, None)) is not None:
            signal.signal(number, signal.SIG_IGN)
    end_with_parent()
    from engine.cast import casting  # noqa: F401
    from engine.shelf import fulltext  # noqa: F401


def _worked(work: Callable[..., Done], given: tuple, named: dict) -> Done:
    try:
        return work(*given, **named)
    finally:
        give_back()


_pool: ProcessPoolExecutor | None = None

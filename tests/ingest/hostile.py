"""A reader for `ingest.apart` that does what the text says: no true file is as bad as these for long.

`ingest.child` has its text parser taken out here, in the process that a test has started by `START`.
"""

import os
import re
import signal

from ingest.child import main
from ingest.parsers import text

START = "import sys; sys.path[0] = sys.argv[1]; from tests.ingest import hostile; hostile.begin()"


def loop() -> None:
    """Hold the interpreter for longer than anybody waits."""
    re.fullmatch("(a|a)*", "a" * 100 + "b")


def allocate() -> None:
    """Take more memory from step to step, and touch it."""
    taken = []
    while True:
        taken.append(b"a" * 10_000_000)


def take_all() -> None:
    """Take more memory at once than any machine has."""
    bytearray(1 << 46)


def crash() -> None:
    """End as a fault in a library does."""
    os.kill(os.getpid(), signal.SIGSEGV)


def fail() -> None:
    """Raise what no parser should."""
    raise RecursionError("deep")


def chatter() -> None:
    """Print what must not get into the reply."""
    os.write(1, b"chatter")
    print("chatter")


DEEDS = {one.__name__: one for one in (loop, allocate, take_all, crash, fail, chatter)}


def begin() -> None:
    """Be the child, with a parser that obeys the first word of a text."""
    parse = text.parse

    def obey(source):
        DEEDS.get(source.data.partition(b" ")[0].decode(), lambda: None)()
        return parse(source)

    text.parse = obey
    main()

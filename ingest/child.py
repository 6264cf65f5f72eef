"""child: the process that reads one file for `ingest.apart`, says what it found, and ends.

It asks no more of the machine than it was told, hears no signal that is meant for its parent, and ends with
it, also while a library holds the interpreter: a loop in a pattern lets no other thread run. What a library
prints does not get into the reply.

A request is one line of JSON on standard input, "what" naming one of `_readers`. The reply is a word out of
`DONE`, `REFUSED` and `MEMORY` with its line end, and then JSON: the result, or what is wrong with the file
and where that was seen, or nothing.
"""

import contextlib
import faulthandler
import gc
import json
import os
import select
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from types import ModuleType
from typing import Any, BinaryIO

from ingest.errors import BadInput
from ingest.limits import Limits

try:
    import fcntl
    import resource
except ImportError:  # Windows: the parent's watch and the clock here are what there is
    fcntl = resource = None  # type: ignore[assignment]

DONE, REFUSED, MEMORY = b"done", b"refused", b"memory"
# what the kernel enforces is for one huge piece at once; the parent's watch sees all that grows
MEMORY_BESIDE = 1_000_000_000
DAMAGED = "this file is damaged or built in a way that cannot be read: get another copy or convert it"
NOT_OURS = ("SIGINT", "SIGTERM", "SIGHUP")


def main() -> None:
    """Answer one request; never returns."""
    for name in NOT_OURS:
        if (number := getattr(signal, name, None)) is not None:
            signal.signal(number, signal.SIG_IGN)
    reply = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    readers = _readers()
    if not _is_asked():
        _load_the_rest()
    collect_seldom()
    if line := sys.stdin.buffer.readline():  # nothing: the parent needs no reader any more
        request = json.loads(line)
        _end_with_parent()
        _limit(request.pop("memory"), request.pop("seconds"))
        _answer(reply, readers[request.pop("what")], request)
    os._exit(0)


def collect_seldom() -> None:
    """Look for circles of objects seldom, and among what is read only: a tree of pages has hardly any."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def _readers() -> dict[str, Callable[..., str]]:
    """List what can be asked for."""
    from ingest import parse, tables, unpacking

    return {
        "document": lambda limits, **given: parse.parse(**given, limits=Limits(**limits)).to_json(),
        "page": lambda **given: _facsimile().draw_page(**given),
        "unread": lambda **given: _recognition().unread_pages(**given),
        "recognise": lambda **given: _recognition().recognise_page(**given),
        "books": unpacking.unpack,
        "table": lambda **given: tables.read_table(**given).to_json(),
        "pasted": lambda **given: tables.pasted_table(**given).to_json(),
    }


def _facsimile() -> ModuleType:
    from ingest.pdf import facsimile

    return facsimile


def _recognition() -> ModuleType:
    from ingest.recognition import page

    return page


def _is_asked() -> bool:
    """Tell whether somebody waits for this process already: it is no spare one."""
    return sys.platform != "win32" and bool(select.select([0], [], [], 0)[0])


def _load_the_rest() -> None:
    """Import, while nobody waits, what PDFs are read with: PyMuPDF takes as long as all the rest."""
    from ingest.pdf import document  # noqa: F401

    _facsimile()
    _recognition()


def _answer(reply: BinaryIO, read: Callable[..., str], given: dict[str, Any]) -> None:
    try:
        word, content = DONE, read(**given).encode("utf-8", errors="surrogatepass")
    except MemoryError:
        word, content = MEMORY, b""
    except Exception as error:
        words = str(error) if isinstance(error, BadInput) else DAMAGED
        word, content = REFUSED, json.dumps([words, traceback.format_exc()]).encode()
    reply.write(word + b"\n")
    reply.write(content)
    reply.flush()


def _end_with_parent() -> None:
    """End when the other end of standard input is closed, as it is by a parent that dies in any way."""
    threading.Thread(target=_end_when_closed, daemon=True).start()
    if hasattr(os, "O_ASYNC") and sys.platform == "linux":
        # the kernel says so by SIGIO, which ends a process that does not handle it
        fcntl.fcntl(0, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(0, fcntl.F_SETFL, fcntl.fcntl(0, fcntl.F_GETFL) | os.O_ASYNC)
        if select.select([0], [], [], 0)[0]:  # it was closed before that
            os._exit(1)


def _end_when_closed() -> None:
    with contextlib.suppress(OSError):
        while os.read(0, 1 << 16):
            pass
    os._exit(1)


def clock_of(seconds: float) -> float:
    """Turn processor seconds into the seconds by the clock in which a busy machine has given so many."""
    return 4 * seconds + 10


def _limit(memory: int, seconds: float) -> None:
    """Have the kernel refuse memory, and end what takes too long: the parent, which does so, may be gone."""
    # a thread of its own in C, which needs no interpreter
    faulthandler.dump_traceback_later(clock_of(seconds) + 10, exit=True, file=open(os.devnull, "w"))  # noqa: SIM115
    if resource is None:
        return
    used = resource.getrusage(resource.RUSAGE_SELF)
    whole = int(used.ru_utime + used.ru_stime + seconds) + 10
    with contextlib.suppress(ValueError, OSError):  # where the caller's own limits are lower
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_CPU, (whole, whole))
        resource.setrlimit(resource.RLIMIT_AS, (memory + MEMORY_BESIDE, memory + MEMORY_BESIDE))

"""apart: every file is read in a process of its own: a hostile one can neither hold nor fill this one.

What `ingest.parse` and `ingest.tables` do, under the same names and with the same errors. The process that
reads (`ingest.child`) takes one file and ends; it is held to the memory and the time of `Limits`, and killed
when it passes them. What it gives back is JSON, never an object of its making.
"""

import atexit
import base64
import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial
from io import BufferedReader
from pathlib import Path
from typing import IO, Any, cast

import psutil

from ingest.child import DAMAGED, MEMORY, REFUSED, clock_of
from ingest.cleaning import one_line
from ingest.document import Document
from ingest.errors import BadInput
from ingest.limits import Limits, megabytes
from ingest.recognition.engines import AUTO, choose_engine
from ingest.recognition.sheet import Sheet, keep_sheet, read_sheets
from ingest.tables import PASTED, TABLE_LIMITS, Table

# the folder of this program takes the place of the working folder, where somebody else's modules may lie
START = "import sys; sys.path[0] = sys.argv[1]; from ingest.child import main; main()"
ROOT = Path(__file__).resolve().parent.parent
POLL_SECONDS = 0.02
# tables are read while a page waits for them: a few at once, and no queue that would keep its threads
MOST_TABLES, TABLE_WAIT_SECONDS = 4, 0.3
BLOCK_BYTES = 1 << 20
ADVICE = "give it in parts, or convert it to plain text"
# books are written one by one: the largest and the archive itself are in memory
UNPACKING_LIMITS = Limits(memory_factor=20, seconds=120)
# an engine loads its models for every page
RECOGNITION_LIMITS = Limits(memory_bytes=1_600_000_000, seconds=150)
Waiting = Callable[[], None]


def parse(
    path: str | os.PathLike,
    *,
    name: str | None = None,
    password: str | None = None,
    encoding: str | None = None,
    limits: Limits | None = None,
    pictures: str | os.PathLike | None = None,
    sheets: str | os.PathLike | None = None,
    waiting: Waiting | None = None,
) -> Document:
    """Read any supported file, as `ingest.parse.parse` does.

    `waiting` is called all the while, many times a second, and may raise to give up.
    """
    limits = limits or Limits()
    given = {"path": os.fspath(path), "name": name, "password": password, "encoding": encoding}
    given |= {
        name: None if folder is None else os.fspath(folder)
        for name, folder in (("pictures", pictures), ("sheets", sheets))
    }
    request = {"what": "document", "limits": asdict(limits), **given}
    return Document.from_json(_read(request, name or path, limits, _size(path), waiting))


def unpack(path: str | os.PathLike, folder: Path) -> list[Path]:
    """Lay the books of a ZIP archive of several out below `folder`; none where the file is no such archive.

    Raises BadInput for an archive that cannot be read, or unpacks to too much.
    """
    request = {"what": "books", "path": os.fspath(path), "limits": asdict(Limits()), "folder": str(folder)}
    return [Path(name) for name in json.loads(_read(request, path, UNPACKING_LIMITS, _size(path)))]


def recognise(
    path: str | os.PathLike,
    sheets: str | os.PathLike,
    language: str = AUTO,
    *,
    name: str | None = None,
    password: str | None = None,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """Recognise the text (OCR) of the pages of a PDF that have none; each is kept in the folder `sheets`.

    What is kept there already is not done again. `report(done, total)` is called all the while and may raise
    to give up. A page that an engine cannot read is kept as that. Raises BadInput where there is no engine
    for the language, and for a PDF that does not open.
    """
    engine, language = choose_engine(language)
    about = {"path": os.fspath(path), "name": name, "password": password}
    given = {**about, "limits": asdict(RECOGNITION_LIMITS)}
    pages = json.loads(
        _read({"what": "unread", **given}, name or path, Limits(), _size(path), lambda: report(0, 1))
    )
    kept = read_sheets(Path(sheets))
    todo = [number for number in pages if number not in kept or kept[number].trouble]
    for done, number in enumerate(todo, len(pages) - len(todo)):
        request = {"what": "recognise", "number": number, "engine": engine.NAME, "language": language}
        told = partial(report, done, len(pages))
        try:
            read = _read({**request, **given}, f"page {number + 1}", RECOGNITION_LIMITS, _size(path), told)
            sheet = Sheet.from_json(read)
        except BadInput as error:
            sheet = Sheet(trouble=str(error))
        keep_sheet(Path(sheets), number, sheet)
    report(len(pages), len(pages))


def read_table(path: str | os.PathLike, *, encoding: str | None = None, header: bool | None = None) -> Table:
    """Read the table in a file, as `ingest.tables.read_table` does."""
    request = {"what": "table", "path": os.fspath(path), "encoding": encoding, "header": header}
    with _one_of_few():
        return Table.from_json(_read(request, path, TABLE_LIMITS, _size(path)))


def pasted_table(text: str, *, header: bool | None = None) -> Table:
    """Read the table in pasted text, as `ingest.tables.pasted_table` does."""
    with _one_of_few():
        request = {"what": "pasted", "text": text, "header": header}
        return Table.from_json(_read(request, PASTED, TABLE_LIMITS, len(text)))


def draw_page(
    path: str | os.PathLike, number: int, marked: str = "", sheets: str | os.PathLike | None = None
) -> bytes:
    """Draw a page of a PDF or an album as a PNG, as `ingest.pdf.facsimile.draw_page` does."""
    request = {"what": "page", "path": os.fspath(path), "number": number, "marked": marked}
    request["sheets"] = None if sheets is None else os.fspath(sheets)
    with _one_of_few():
        return base64.b64decode(json.loads(_read(request, path, Limits(), _size(path))))


def keep_spare() -> None:
    """Have a process started and waiting from now on, so that a file is read at once."""
    _children.keep()


def close() -> None:
    """End every process; what they were reading is given up."""
    _children.close()


def _read(
    request: dict[str, Any],
    name: str | os.PathLike,
    limits: Limits,
    size: int,
    waiting: Waiting | None = None,
) -> str:
    child = _children.take()
    try:
        return _Reading(child, one_line(Path(name).name), limits, size).result(request, waiting)
    finally:
        _children.end(child)


class _Reading:
    """One request to one process, watched until it is answered."""

    def __init__(self, child: subprocess.Popen, name: str, limits: Limits, size: int) -> None:
        self._child, self._name = child, name
        self._memory, self._seconds = limits.memory(size), limits.time(size)
        self._reply = bytearray()

    def result(self, request: dict[str, Any], waiting: Waiting | None) -> str:
        """Return the JSON of what was read. Raises BadInput where that cannot be, or passes the limits."""
        line = json.dumps({**request, "memory": self._memory, "seconds": self._seconds}) + "\n"
        hearing = threading.Thread(target=self._hear, args=[line.encode()], daemon=True)
        hearing.start()
        deadline = time.monotonic() + clock_of(self._seconds)
        while hearing.is_alive():
            hearing.join(POLL_SECONDS)
            if waiting is not None:
                waiting()
            memory, seconds = _used_by(self._child)
            if memory > self._memory:
                raise self._heavy()
            if seconds > self._seconds or time.monotonic() > deadline:
                raise self._slow()
        return self._understood(self._child.wait())

    def _hear(self, line: bytes) -> None:
        told, heard = cast(IO[bytes], self._child.stdin), cast(BufferedReader, self._child.stdout)
        # it ended before it was told, or is given up
        with contextlib.suppress(OSError, ValueError):
            told.write(line)
            told.flush()
            while block := heard.read1(BLOCK_BYTES):
                self._reply += block
                if len(self._reply) > self._memory:
                    self._reply = bytearray(MEMORY)
                    self._child.kill()
                    break

    def _understood(self, code: int) -> str:
        """Return the result in the reply of a process that ended with this code."""
        word, _, content = self._reply.partition(b"\n")
        if word == MEMORY:
            raise self._heavy()
        if code == -getattr(signal, "SIGKILL", sys.maxsize):
            raise BadInput(
                f"{self._name}: the system ended what reads it, as it does when memory is short: try again"
            )
        if code != 0:
            raise BadInput(f"{self._name}: {DAMAGED}")
        if word == REFUSED:
            words, seen = json.loads(content)
            raise BadInput(words if words != DAMAGED else f"{self._name}: {DAMAGED}") from _Seen(seen)
        return content.decode("utf-8", errors="surrogatepass")

    def _heavy(self) -> BadInput:
        size = megabytes(self._memory)
        return BadInput(
            f"{self._name}: reading it took more than {size} of memory and was given up: {ADVICE}"
        )

    def _slow(self) -> BadInput:
        return BadInput(
            f"{self._name}: reading it took more than {self._seconds:.0f} s and was given up: {ADVICE}"
        )


class _Seen(Exception):
    """The traceback of the process that read, for who wants to see the cause."""


class _Children:
    """The processes that read, and the spare one."""

    def __init__(self) -> None:
        self._alive: set[subprocess.Popen] = set()
        self._spare: subprocess.Popen | None = None
        self._keeps = False
        self._lock = threading.Lock()

    def keep(self) -> None:
        """Have a spare one from now on."""
        with self._lock:
            self._keeps = True
            self._fill()

    def take(self) -> subprocess.Popen:
        """Take a process that has read nothing yet."""
        with self._lock:
            child, self._spare = self._spare, None
            if child is None:
                return self._started()
            if child.poll() is None:
                return child
            self._alive.discard(child)
            _end(child)
            return self._started()

    def end(self, child: subprocess.Popen) -> None:
        """Kill one that was taken, where it has not ended."""
        with self._lock:
            self._alive.discard(child)
            self._fill()
        _end(child)

    def close(self) -> None:
        """Kill all of them."""
        with self._lock:
            ended, self._alive, self._spare, self._keeps = self._alive, set(), None, False
        for child in ended:
            _end(child)

    def _fill(self) -> None:
        if self._keeps and self._spare is None:
            with contextlib.suppress(BadInput):  # the next file is told
                self._spare = self._started()

    def _started(self) -> subprocess.Popen:
        command = [sys.executable, "-c", START, str(ROOT)]
        try:
            child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        except OSError as error:
            reason = error.strerror or error
            raise BadInput(f"the program that reads files cannot be started ({reason}): try again") from error
        self._alive.add(child)
        return child


def _used_by(child: subprocess.Popen) -> tuple[int, float]:
    """Return a process's bytes of memory and the processor seconds it took; zeros where it has ended."""
    try:
        process = psutil.Process(child.pid)
        times = process.cpu_times()
        return process.memory_info().rss, times.user + times.system
    except psutil.Error:
        return 0, 0.0


def _end(child: subprocess.Popen) -> None:
    child.kill()
    child.wait()
    for pipe in filter(None, (child.stdin, child.stdout)):
        with contextlib.suppress(OSError):
            pipe.close()


@contextlib.contextmanager
def _one_of_few() -> Iterator[None]:
    if not _tables.acquire(timeout=TABLE_WAIT_SECONDS):
        raise BadInput("several tables are being read at this moment: try again soon")
    try:
        yield
    finally:
        _tables.release()


def _size(path: str | os.PathLike) -> int:
    """Return the bytes of a file; 0 where there is none, which the reader will say."""
    try:
        return os.path.getsize(os.path.expanduser(path))
    except (OSError, ValueError):
        return 0


_children = _Children()
_tables = threading.BoundedSemaphore(MOST_TABLES)
atexit.register(close)

"""Every error line that gives advice has a row where it is followed, or stands here with the reason why not.

The lines are found in the program's own text: what `BadInput` and `Failure` are made with.
"""

import ast
import re
from collections.abc import Iterator

import pytest

from engine.paths import PROJECT
from tests import test_advice
from tests.app.command_line import test_advised
from tests.app.desk import test_advised_desk

VERBS = (
    "give|choose|name|try|add|make|delete|run|save|unpack|convert|split|open|close|pause|take|move|install|ask|"
    "write|fetch|upload|check|start|stop|see|wait|type|press|remove|leave|let|read|mark|put|free|repair|use|end|"
    "select|go"
)
ADVICE = re.compile(rf"[:;] (?:first )?(?:{VERBS})\b|\b(?:choose|give|try) (?:another|one)\b")
ERRORS = ("BadInput", "Failure")
SAID = "…"  # stands for what a line says of the case in hand
# words of the lines whose advice is followed, as the tables have them
FOLLOWED = [
    *(row[3] for row in (*test_advice.FILES, *test_advice.TABLES)),
    *(row[2] for row in (*test_advice.PLACES, *test_advice.WARNED)),
    *(row[1] for row in (*test_advice.SHELF.values(), *test_advised.TYPED, *test_advised.DONE.values())),
    *(row[1] for row in test_advised_desk.ADVISED.values()),
]
# parts of the program for those who train, measure and compare models: their runs take hours and whole models
FOR_DEVELOPERS = re.compile(
    r"engine/(training|evaluation|bench|sidenet)/|app/command_line/(bench|small_disk|soak)"
)
UNTRIED = {
    "it passes with time, which a test does not wait for": (
        "the answer ended too early; ask again", "the page that was answering has ended; ask again",
        "wait for it or stop it", "wait for one, or stop it", "wait for its end, or stop it",
        "tables are being read at this moment: try again soon", "as it does when memory is short: try again",
        "files cannot be started (…): try again", "has not been read yet; wait a moment",
        "wait for it, or run",
    ),
    "another program, machine or disk has to be seen to": (
        "run them in the project's own folder", "the backbone is not installed; run", "start without --mcp",
        "the parts of a model are damaged; install … again",
        "the model is kept there in another form; free some space", "free some space and start again",
        "cannot be put into …: see to its rights", "install the program again", "there is no Ray cluster at",
        "the shelf cannot be looked at (…): check the rights", "close the page, then repair it",
        "are in use (…): close them", "this folder cannot be read (…): see to its rights", "close Calibre",
        "check its permissions", "needs the package fastparquet",
    ),
    "nobody sits at the terminal of a test": ("the two are not the same: start again",),
    "a test of its own follows it": (
        "where … MB are free: make room, for instance remove a book",  # tests/engine/test_disk.py
        "are damaged: delete … and they are made again",  # tests/engine/test_bank_derived.py
        "too large for …: choose another memory layer or int8",  # tests/engine/test_bank.py
        "give them as the book has them",  # tests/app/page/test_api.py
    ),
    "only a file of millions of parts has it": (
        "lists more than … files: unpack it, or save it anew",
        "this Kindle book unpacks to more than …: split it",
        "unpacks to more than …: split it into several files",
        "too many files to read (more than …): split it",
    ),
    "text recognition is not everywhere": (
        "choose a sharper copy", "name one of these", "by the command line",
    ),
    "the text is beside the picture of its page": ("cannot be shown: read its text instead",),
}  # fmt: skip


def text_of(node: ast.expr) -> str:
    """What a line says in any case."""
    if isinstance(node, ast.JoinedStr):
        return "".join(text_of(one) for one in node.values)
    if isinstance(node, ast.Constant):
        return str(node.value)
    return SAID


def advising() -> Iterator[tuple[str, str]]:
    """Each line that gives advice, with the file that it stands in."""
    for folder in ("app", "engine", "ingest"):
        for file in sorted((PROJECT / folder).rglob("*.py")):
            name, source = file.relative_to(PROJECT).as_posix(), file.read_text(encoding="utf-8")
            if FOR_DEVELOPERS.match(name) or not any(f"{error}(" in source for error in ERRORS):
                continue
            for node in ast.walk(ast.parse(source)):
                if not isinstance(node, ast.Call) or not node.args:
                    continue
                if getattr(node.func, "id", getattr(node.func, "attr", "")) in ERRORS:
                    line = text_of(node.args[0])
                    if ADVICE.search(line):
                        yield name, line


LINES = list(advising())


def is_followed(line: str) -> bool:
    return any(re.search(words, line) for row in FOLLOWED for words in row.split("|") if len(words) > 6)


def test_advice_is_found():
    assert len(LINES) > 150


@pytest.mark.parametrize(("name", "line"), LINES, ids=[f"{name} {line[:50]}" for name, line in LINES])
def test_advice_is_followed_or_stands_here(name, line):
    untried = [words for group in UNTRIED.values() for words in group]
    assert is_followed(line) or any(words in line for words in untried), f"{name}: {line}"


@pytest.mark.parametrize("words", [words for group in UNTRIED.values() for words in group])
def test_what_stands_here_is_said_and_has_no_row(words):
    said = [line for _, line in LINES if words in line]
    assert said and not all(map(is_followed, said))

"""Every regular expression that reads a stranger's text takes time in step with its length.

Hostile inputs are made from each pattern itself: every part of it, and every run of neighbouring parts, is
repeated, behind what leads there and before what may fail. Growth decides, not seconds: a pattern is steep
where sixteen times the letters take 64 times the work.
"""

import ast
import importlib
import re
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path

import pytest

from tests.conftest import PROJECT

PLACES = (
    *(
        "ingest/**/*.py",
        "engine/answering/*.py",
        "engine/cast/*.py",
        "engine/marks/*.py",
        "engine/shelf/*.py",
    ),
    *("engine/training/questions.py", "app/html/*.py", "app/desk/*.py"),
)
FILES = sorted(
    path
    for place in PLACES
    for path in PROJECT.glob(place)
    if re.search(r"\bre\.[a-z]+\(", path.read_text("utf-8"))
)
# what makes patterns when they are first wanted, or is several
MADE = {"engine.shelf.words": "_patterns", "engine.cast.timeline": "_FORMS"}
SMALL, LARGE = 4_000, 64_000  # letters
ROUNDS = 3  # in each of which a pattern must be steep: a machine that is busy only looks so at times
SLOW = 0.0005  # processor seconds: a pattern that grows with the square needs more for SMALL letters, by far
STEEP = 64  # times the work for sixteen times the letters; in proportion it is 16, with the square 256
PATIENCE = 1  # processor seconds until a single look is taken for endless
METHODS = frozenset(
    ["match", "fullmatch", "search"]
)  # what looks for all places looks for the next one each time
POOL = "ab1A \n\t-–.,:_<>&!*\"'[](){}/#=中é\0"
LONGEST_RUN = 5  # neighbouring parts that are repeated together


@dataclass(frozen=True)
class Found:
    """One pattern of the source, and the methods it is used with."""

    pattern: re.Pattern
    methods: frozenset[str]
    where: str


def patterns_of(path: Path) -> Iterator[Found]:
    """Every pattern that a module hands to `re`; a NameError means that one is made while reading a text."""
    source = path.read_text("utf-8")
    name = ".".join(path.relative_to(PROJECT).with_suffix("").parts).removesuffix(".__init__")
    if name in MADE:
        made = getattr(importlib.import_module(name), MADE[name])
        for pattern in made() if callable(made) else made:
            yield Found(pattern, frozenset(["search"]), f"{name}.{MADE[name]}")
    calls = [
        node
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "re"
        and not (node.func.attr == "findall" and isinstance(node.args[1], ast.Constant))  # a list of our own
    ]
    for call in calls:
        space = vars(importlib.import_module(name))
        try:
            pattern = eval(ast.unparse(call.args[0]), space)
        except NameError:
            if name in MADE:
                continue
            raise
        flags = [item.value for item in call.keywords if item.arg == "flags"]
        if call.func.attr == "compile":
            flags += call.args[1:]
        pattern = re.compile(pattern, eval(ast.unparse(flags[0]), space) if flags else 0)
        yield Found(pattern, methods_of(call, pattern, space, source), f"{name}:{call.lineno}")


def methods_of(call: ast.Call, pattern: re.Pattern, space: dict, source: str) -> frozenset[str]:
    used = frozenset([call.func.attr])
    if call.func.attr == "compile":
        # alike, not the same: what compiled it may have been forgotten by `re` since
        names = [name for name, value in space.items() if value == pattern]
        used = frozenset(use for name in names for use in re.findall(rf"\b{name}\.(\w+)\(", source))
    anchored = used & {"match", "fullmatch"}
    return anchored | (frozenset(["search"]) if used - anchored else frozenset()) or METHODS


class Parts:
    """Texts that repeat the parts of one pattern."""

    def __init__(self, pattern: re.Pattern):
        self.pattern = pattern
        self.tree = re._parser.parse(pattern.pattern, pattern.flags)
        self.characters = POOL + "".join(chr(item) for item in literals(self.tree))

    def hostile(self) -> Iterator[tuple[str, str]]:
        """(what leads there, what is repeated), each pair once."""
        yield from dict.fromkeys(pair for pair in self._runs(self.tree, "") if pair[1])

    def _runs(self, tree, lead: str) -> Iterator[tuple[str, str]]:
        nodes = list(tree)
        samples = [self.samples([node]) for node in nodes]
        firsts = [texts[0] for texts in samples]
        for start, node in enumerate(nodes):
            before = lead + "".join(firsts[:start])
            for end in range(start + 1, min(len(nodes), start + LONGEST_RUN) + 1):
                run = "".join(firsts[start:end])
                yield "", run
                yield before, run
            for text in samples[start][1:]:
                yield "", text
                yield before, text
            for inner in inside(node):
                yield from self._runs(inner, before)
        yield "", "".join(firsts)

    def samples(self, nodes: list) -> list[str]:
        """A few texts that a node matches, "" where there is none."""
        [(operation, argument)] = nodes
        name = str(operation)
        if name == "LITERAL":
            return [chr(argument)]
        if name in ("NOT_LITERAL", "ANY", "IN"):
            one = re._compiler.compile(re._parser.SubPattern(self.tree.state, nodes), self.pattern.flags)
            fits = [c for c in self.characters if one.fullmatch(self._typed(c))]
            return fits[:4] or [""]
        found = ["".join(self.samples([node])[0] for node in inner) for inner in inside(nodes[0])]
        if name.endswith("REPEAT"):
            return [text * max(1, argument[0]) for text in found]
        return found if name in ("BRANCH", "SUBPATTERN", "ATOMIC_GROUP") else [""]

    def text(self, lead: str, run: str, tail: str, size: int) -> str | bytes:
        return self._typed(lead + run * (size // len(run)) + tail)

    def _typed(self, text: str) -> str | bytes:
        return text.encode("latin-1", "replace") if isinstance(self.pattern.pattern, bytes) else text


def inside(node) -> list:
    """The sequences that a node holds."""
    operation, argument = node
    name = str(operation)
    if name == "BRANCH":
        return list(argument[1])
    if name == "SUBPATTERN":
        return [argument[-1]]
    if name.endswith("REPEAT"):
        return [argument[2]]
    if name.startswith("ASSERT"):
        return [argument[1]]
    return [argument] if name == "ATOMIC_GROUP" else []


def repeats(tree) -> bool:
    """Whether any part may stand more than once: without one, each place takes a look of bounded length."""
    return any(
        (str(name).endswith("REPEAT") and argument[1] > 1) or any(map(repeats, inside((name, argument))))
        for name, argument in tree
    )


def literals(tree) -> set[int]:
    found = set()
    for node in tree:
        operation, argument = node
        if str(operation) == "LITERAL":
            found.add(argument)
        elif str(operation) == "IN":
            found |= {value for kind, value in argument if str(kind) == "LITERAL"}
            found |= {end for kind, value in argument if str(kind) == "RANGE" for end in value}
        for inner in inside(node):
            found |= literals(inner)
    return found


def seconds(look: Callable, text: str | bytes, repeats: int = 1) -> float:
    """Processor seconds of one look, the best of a few; "endless" ends at PATIENCE.

    Of this thread alone: those that other tests have left running count into the time of the process.
    """
    best = float("inf")
    for _ in range(repeats):
        begin = time.thread_time()

        def stop(*_: object, begin: float = begin) -> None:
            if time.thread_time() - begin > PATIENCE:
                raise Endless

        signal.signal(signal.SIGVTALRM, stop)
        signal.setitimer(signal.ITIMER_VIRTUAL, PATIENCE, PATIENCE / 4)
        look(text)
        best = min(best, time.thread_time() - begin)
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    return best


def is_steep(look: Callable, make: Callable[[int], str | bytes]) -> bool:
    """Whether the work grows faster than the text. A look that SMALL letters hardly cost cannot."""
    if max(seconds(look, make(30)), seconds(look, make(SMALL))) < SLOW:
        return False
    for _ in range(ROUNDS):
        work = seconds(look, make(SMALL), repeats=5)
        if work < SLOW or seconds(look, make(LARGE)) < STEEP * work:
            return False
    return True


class Endless(Exception):
    pass


@pytest.fixture(autouse=True)
def impatient():
    if not hasattr(signal, "setitimer"):
        pytest.skip("this system has no timer that ends an endless look")
    before = signal.getsignal(signal.SIGVTALRM)
    yield
    signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    signal.signal(signal.SIGVTALRM, before)


def steep_input(found: Found) -> str | None:
    """What makes a pattern slow, in words; None where nothing does."""
    parts = Parts(found.pattern)
    if not repeats(parts.tree):
        return None
    for (lead, run), tail, method in product(parts.hostile(), ("", "\0", "a\n"), sorted(found.methods)):
        try:
            steep = is_steep(getattr(found.pattern, method), partial(parts.text, lead, run, tail))
        except Endless:
            steep = True
        if steep:
            return f"{found.where} {method}: {lead!r} + {run!r} * n + {tail!r}"
    return None


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PROJECT).as_posix())
def test_patterns_are_linear(path):
    steep = [words for found in patterns_of(path) if (words := steep_input(found))]
    assert not steep, "\n".join(steep)


@pytest.mark.parametrize("pattern", [r"^(?:<!--.*?-->\s*)*<html", r"<!D[^>\[]*(?:\[.*?\])?>", r"\s+$"])
def test_steep_patterns_are_found(pattern):
    assert steep_input(Found(re.compile(pattern, re.S), frozenset(["search"]), "here"))


@pytest.mark.parametrize("pattern", [r"[ \t]+", r"a{1,9}b", r"\n *\n\s*"])
def test_linear_patterns_are_not(pattern):
    assert not steep_input(Found(re.compile(pattern), frozenset(["search", "fullmatch"]), "here"))

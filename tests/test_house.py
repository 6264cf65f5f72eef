"""The house rules that a machine can hold: directions of imports, style, words and sizes."""

import ast
import functools
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import SLOW_FILES

PROJECT = Path(__file__).resolve().parent.parent
PACKAGES = ("app", "engine", "ingest")
LONGEST_FILE = 450
TOP_LEVEL = {
    *PACKAGES,
    "assets",
    "tests",
    "pyproject.toml",
    "launch.py",
    "README.md",
    "LICENSE",
    "CHANGELOG.md",
}

PLAIN_DATA = {
    "ingest.document",
    "ingest.editions",
    "ingest.graded",
    "ingest.numerals",
    "ingest.segments",
    "ingest.passages",
    "ingest.position",
    "ingest.errors",
    "ingest.shielded",
}
FORBIDDEN = {
    "ingest": {
        "app",
        "engine",
        "torch",
        "transformers",
        "tokenizers",
        "safetensors",
        "faiss",
        "gradio",
        "gguf",
    },
    "engine": {"app", "gradio", "pymupdf", "fitz", "ebooklib", "docx", "bs4"},
    "app": {"torch", "transformers", "tokenizers", "safetensors", "faiss"},
}


@functools.cache
def imports(source: str, package: str) -> frozenset[str]:
    """Full names of the modules a source imports, wherever in it; `from a import b` gives a and a.b."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            module = ".".join([*above, *([node.module] if node.module else [])])
            found.add(module)
            found.update(f"{module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            found.update(one.value for one in node.args[:1] if isinstance(one, ast.Constant))
    return frozenset(found)


@functools.cache
def dotted(source: str) -> frozenset[str]:
    """Strings of a source that look like modules: what it may import later."""
    strings = {node.value for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Constant)}
    named = re.compile(r"[a-z_]+(\.\w+)+\.?")
    return frozenset(one for one in strings if isinstance(one, str) and named.fullmatch(one))


def wrong_imports(package: str, source: str, inside: str) -> set[str]:
    """Imports that go against app -> engine -> ingest, of a source in the sub-package `inside`."""
    found = imports(source, inside) | dotted(source)
    wrong = {name for name in found if name.partition(".")[0] in FORBIDDEN[package]}
    if package == "engine":
        from_ingest = {name for name in found if name.partition(".")[0] == "ingest" and name != "ingest"}
        wrong |= {name for name in from_ingest if ".".join(name.split(".")[:2]) not in PLAIN_DATA}
    return wrong


SOURCES = [path for package in PACKAGES for path in sorted((PROJECT / package).rglob("*.py"))]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(PROJECT).as_posix())
def test_imports_go_from_app_to_engine_to_ingest(path):
    relative = path.relative_to(PROJECT)
    package = ".".join(relative.parent.parts)
    assert wrong_imports(relative.parts[0], path.read_text(encoding="utf-8"), package) == set()


DIRECTIONS = [
    ("ingest", "from engine.paths import Paths", {"engine.paths", "engine.paths.Paths"}),
    ("ingest", "def f():\n    import torch.nn", {"torch.nn"}),
    ("ingest", "import json\nfrom ingest.errors import BadInput", set()),
    ("engine", "from ingest.document import Document\nfrom ingest import errors", set()),
    ("engine", "from ingest.parse import parse", {"ingest.parse", "ingest.parse.parse"}),
    ("engine", "from ingest import parse", {"ingest.parse"}),
    ("engine", "import app.command_line.commands", {"app.command_line.commands"}),
    ("engine", "from ...app import html", {"app", "app.html"}),
    ("engine", "from ..errors import Failure", set()),
    ("app", "from engine.paths import Paths\nfrom ingest.parse import parse", set()),
    ("app", "import torch", {"torch"}),
    ("app", "from torch import *", {"torch", "torch.*"}),
    ("app", "importlib.import_module('torch')", {"torch"}),
    ("app", "LATER = 'torch.nn'", {"torch.nn"}),
    ("engine", "import_module('app')", {"app"}),
    ("engine", "ROWS = {'parse': 'ingest.parse'}", {"ingest.parse"}),
    ("engine", "import_module(f'app.desk.{name}')", {"app.desk."}),
    ("ingest", "PLACE = 'engine.paths'", {"engine.paths"}),
    ("ingest", "'engine of a train', 'readme.txt'", set()),
]


@pytest.mark.parametrize(("package", "source", "wrong"), DIRECTIONS)
def test_a_wrong_import_would_be_seen(package, source, wrong):
    assert wrong_imports(package, source, f"{package}.inner") == wrong


# room of the app -> the rooms that it may import from
ROOMS = {
    "command_line": {"page", "desk", "html"},
    "page": {"tabs", "desk", "html"},
    "tabs": {"desk", "html"},
    "desk": {"html"},
    "html": set(),
}
WITH_GRADIO = {"page", "tabs"}
MODULES = {
    ".".join(path.relative_to(PROJECT).with_suffix("").parts): path
    for path in SOURCES
    if path.name != "__init__.py"
}
APP = {name: path for name, path in MODULES.items() if name.startswith("app.")}


def named_modules(source: str, package: str) -> set[str]:
    """The project's modules that a source imports, or a whole package of them, or names in a string."""
    names = imports(source, package) | dotted(source)
    whole = {name.rstrip("*") for name in names if name.endswith((".*", "."))}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            whole.update(f"{alias.name}." for alias in node.names)
    return {name for name in MODULES if name in names or name.startswith(tuple(whole))}


def circles(arrows: dict[str, set[str]]) -> list[list[str]]:
    """Ways along the arrows that come back to where they began: one for each circle that is met."""
    found, done = [], set()

    def walk(name: str, way: list[str]) -> None:
        if name in way:
            found.append([*way[way.index(name) :], name])
        elif name not in done:
            for target in sorted(arrows.get(name, ())):
                walk(target, [*way, name])
            done.add(name)

    for name in arrows:
        walk(name, [])
    return found


def test_every_file_of_the_app_is_in_a_room():
    assert {name.split(".")[1] for name in APP} == ROOMS.keys()
    assert {name for name in APP if name.count(".") != 2} == set()


@pytest.mark.parametrize("module", APP)
def test_a_room_imports_from_the_rooms_below_it_only(module):
    room, source = module.split(".")[1], APP[module].read_text(encoding="utf-8")
    names = named_modules(source, f"app.{room}") & APP.keys()
    assert {name for name in names if name.split(".")[1] not in {room} | ROOMS[room]} == set()
    gradio = "gradio" in {name.partition(".")[0] for name in imports(source, f"app.{room}")}
    assert room in WITH_GRADIO or not gradio


OUTSIDE = {"open", "read_text", "read_bytes", "write_text", "iterdir", "glob", "stat", "exists", "is_file",
           "time", "monotonic", "perf_counter", "now", "today", "sleep", "getenv", "random"}  # fmt: skip
CLOCKS = {("app.html.shelf_html", "time")}  # where it is not told what time it is


def outside(source: str) -> set[str]:
    """Calls of a source that may look at a file, the clock or chance, by the last word of their names."""
    calls = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call))
    return {ast.unparse(call.func).rpartition(".")[2] for call in calls} & OUTSIDE


def test_what_writes_html_looks_at_nothing_else():
    sources = {name: path for name, path in APP.items() if name.startswith("app.html.")}
    found = {(name, call) for name, path in sources.items() for call in outside(path.read_text("utf-8"))}
    assert found == CLOCKS
    assert outside("(ASSETS / 'a.css').read_text(); time.time(); words.title(); open('a')") == {
        "read_text", "time", "open"
    }  # fmt: skip


@pytest.mark.parametrize("package", PACKAGES)
def test_no_modules_import_each_other_in_a_circle(package):
    """Wherever in a module it is imported: at its top, in a function, or for types only."""
    ours = {name: path for name, path in MODULES.items() if name.startswith(f"{package}.")}
    texts = {name: path.read_text(encoding="utf-8") for name, path in ours.items()}
    arrows = {name: named_modules(text, name.rpartition(".")[0]) for name, text in texts.items()}
    assert circles(arrows) == []


def test_a_circle_would_be_seen():
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"b"}}) == [["a", "b", "c", "a"]]
    assert circles({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []
    assert named_modules("def f():\n    from app.html import markup", "app.desk") == {"app.html.markup"}
    assert named_modules("PAGE = 'app.page.page'", "app.html") == {"app.page.page"}
    desk = {name for name in APP if name.startswith("app.desk.")}
    for whole in ("from app.desk import *", "import app.desk", "import_module(f'app.desk.{name}')"):
        assert named_modules(whole, "app.html") == desk
    assert named_modules("import app.desk.desk", "app.html") == {"app.desk.desk"}


@pytest.mark.parametrize("package", [*PACKAGES, *(f"app/{room}" for room in ROOMS)])
def test_packages_import_nothing_of_their_own_accord(package):
    assert imports((PROJECT / package / "__init__.py").read_text(encoding="utf-8"), package) == set()


@pytest.mark.parametrize("arguments", [["check"], ["format", "--check"]], ids=" ".join)
def test_ruff(arguments):
    found = subprocess.run(
        [sys.executable, "-m", "ruff", *arguments, "."], cwd=PROJECT, capture_output=True, text=True
    )
    assert found.returncode == 0, found.stdout + found.stderr


def test_mypy():
    found = subprocess.run([sys.executable, "-m", "mypy"], cwd=PROJECT, capture_output=True, text=True)
    assert found.returncode == 0, found.stdout + found.stderr


def test_no_file_of_the_packages_is_too_long_to_hold_in_the_head():
    lines = {path.relative_to(PROJECT).as_posix(): len(path.read_text().splitlines()) for path in SOURCES}
    assert {name: count for name, count in lines.items() if count > LONGEST_FILE} == {}


FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
# what a docstring of a function may begin with; a verb that is not here yet is one more word
VERBS = """
Act Add Answer Append Apply Ask Average Be Begin Bookmark Bound Break Bring Build Call Cancel Change Check
Choose Cite Classify Clean Clip Close Collect Compare Compile Compute Configure Connect Continue Copy Count
Create Cut Deal Decide Decode Delete Describe Detect Divide Do Draw Drop Empty Encode End Enter Escape
Estimate Fetch Fill Find Finish Fit Fold Forget Freeze Gather Give Go Group Guess Hand Hash Have Hold Import
Insert Install Join Judge Keep Kill Label Lay Lead Learn Leave Let List Listen Load Log Look Make Map Mark
Measure Mend Merge Mix Move Multiply Name Nest Normalise Note Offer Open Order Pack Parse Pause Pick Place
Plant Prepare Print Propose Publish Put Quantise Queue Raise Rank Rate Read Recognise Record Reduce Refuse
Register Remember Remove Rename Renew Repeat Replace Report Resolve Restore Resume Return Round Run Save Say
Scale Score Scroll Search See Send Serve Set Share Show Soak Space Speak Split Stack Standardise Start Stop
Store Sum Take Tell Train Try Turn Unpack Upload Use Wait Warn Weigh Widen Work Wrap Write Yield
"""


def riddles(source: str) -> list[str]:
    """Find functions whose docstring begins with no verb in its base form, each with that word."""
    functions = (node for node in ast.walk(ast.parse(source)) if isinstance(node, FUNCTIONS))
    told = [(node.name, re.split(r"\W", ast.get_docstring(node) or "Tell")[0]) for node in functions]
    return [f"{name}: {word}" for name, word in told if word not in VERBS.split()]


def test_docstrings_of_functions_begin_with_a_verb():
    names = {path.relative_to(PROJECT).as_posix(): path for path in [*SOURCES, PROJECT / "launch.py"]}
    found = {name: riddles(path.read_text(encoding="utf-8")) for name, path in names.items()}
    assert {name: ones for name, ones in found.items() if ones} == {}


def test_a_riddle_would_be_seen():
    source = """
def a(): "Area of what is wide."
def b(): "Return the width."
def _c(): "What is inside."
def no_words(): pass
class D:
    "Width and height."
    @property
    def e(self): "Tokens a row holds."
    def f(self): "Whether it is wide."
    async def g(self): "Measure, and print a table."
    def h(self): "(width, height) of it."
    def __init__(self): "Adds a row."
    def _i(self):
        def j(): "Raises BadInput."
"""
    found = sorted(one.partition(":")[0] for one in riddles(source))
    assert found == ["__init__", "_c", "a", "e", "f", "h", "j"]


def tracked_files() -> list[Path]:
    """The files under version control, or all but the ignored folders where there is no git."""
    if shutil.which("git") and (PROJECT / ".git").exists():
        listing = subprocess.run(
            ["git", "ls-files", "-z"], cwd=PROJECT, capture_output=True, text=True, check=True
        )
        return [PROJECT / name for name in listing.stdout.split("\0") if name and (PROJECT / name).is_file()]
    ignored = {".venv", "__pycache__"}
    return [path for path in PROJECT.rglob("*") if path.is_file() and not ignored & set(path.parts)]


def test_the_top_level_holds_what_belongs_there():
    names = {path.relative_to(PROJECT).parts[0] for path in tracked_files()}
    assert {name for name in names if not name.startswith(".")} <= TOP_LEVEL


# written in pieces, so that this file does not find itself
STRANGERS = re.compile("|".join(["py" + r"pi\.org", "python" + "hosted", r"--(extra-)?index" + "-url",
                                 "anaconda" + r"\.org", "download" + r"\.pytorch", r"(?<![\w.])/ro" + r"ot/",
                                 r"(?<![\w.])/wo" + r"rk/"]))  # fmt: skip


def test_no_tracked_file_names_a_registry_or_a_path_of_some_machine():
    found = {}
    for path in tracked_files():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        if hit := STRANGERS.search(text):
            found[path.relative_to(PROJECT).as_posix()] = hit.group()
    assert found == {}


def test_the_licence_is_the_whole_agpl():
    text = (PROJECT / "LICENSE").read_text(encoding="utf-8")
    assert text.split()[:5] == ["GNU", "AFFERO", "GENERAL", "PUBLIC", "LICENSE"]
    assert len(text.splitlines()) == 661
    assert "13. Remote Network Interaction" in text and "END OF TERMS AND CONDITIONS" in text


def test_files_that_a_quick_run_leaves_out_are_there():
    assert {path.stem for path in (PROJECT / "tests").rglob("test_*.py")} >= SLOW_FILES

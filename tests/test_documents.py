"""What the documents promise: commands are understood, links lead somewhere, the README is short."""

import re
import shlex
import subprocess
import sys
from dataclasses import dataclass

import pytest

from app.command_line import commands
from tests.test_house import PROJECT, tracked_files

README = PROJECT / "README.md"
LONGEST_README = 140


@dataclass(frozen=True)
class Example:
    """A `python launch.py …` line of a document. quick: it is run, not only parsed."""

    argv: tuple[str, ...]
    quick: bool


BLOCK = re.compile(r"(?P<mark><!-- quick -->\s*)?^```(?:console|bash|sh)\n(?P<body>.*?)^```", re.M | re.S)


def examples(document: str) -> list[Example]:
    """Find the command lines of console blocks; `<!-- quick -->` before a block marks it as quick."""
    found = []
    for block in BLOCK.finditer(document):
        for line in block["body"].replace("\\\n", " ").splitlines():
            lexer = shlex.shlex(line.strip().removeprefix("$ "), posix=True, punctuation_chars="|&;<>")
            lexer.whitespace_split = True
            words = list(lexer)
            while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):  # LONGMEM_HOME=… before the command
                words.pop(0)
            if words[:2] not in (["python", "launch.py"], ["python3", "launch.py"]):
                continue
            end = next((at for at, word in enumerate(words) if re.fullmatch(r"[|&;<>]+", word)), len(words))
            found.append(Example(tuple(words[2:end]), block["mark"] is not None))
    return found


def test_examples_are_found_in_a_document():
    document = (
        "<!-- quick -->\n```console\n$ python launch.py doctor   # looks around\nok\n```\n"
        "text `python launch.py no`\n```python\npython launch.py never\n```\n"
        "```bash\nX=1 python launch.py ask 'a book.epub' \\\n    \"who?\" --json | head > out\nls\n```\n"
    )
    assert examples(document) == [
        Example(("doctor",), True),
        Example(("ask", "a book.epub", "who?", "--json"), False),
    ]


def documents() -> dict[str, str]:
    """Read every Markdown file of the project, by its path; not those that tests make books of."""
    files = [path for path in tracked_files() if path.suffix == ".md"]
    names = {path.relative_to(PROJECT).as_posix(): path for path in files}
    return {name: path.read_text(encoding="utf-8") for name, path in names.items() if name[:6] != "tests/"}


def test_every_command_of_the_documents_is_understood(capsys):
    for name, document in documents().items():
        for example in examples(document):
            try:
                commands.parse(list(example.argv))
            except SystemExit as end:
                line = f"{name}: python launch.py {shlex.join(example.argv)}"
                assert end.code == 0, f"{line}: {capsys.readouterr().err}"


def test_the_documents_show_every_command(capsys):
    with pytest.raises(SystemExit):
        commands.parse(["--help"])
    known = set(re.findall(r"^    ([a-z][\w-]*) ", capsys.readouterr().out, re.M))
    shown = {one.argv[0] for text in documents().values() for one in examples(text) if one.argv}
    assert known and known <= shown


def anchor(heading: str) -> str:
    """Make of a heading what a link to it says after the #."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def dead_links(name: str, text: str) -> list[str]:
    """Find the links of a document that lead to no file, or to no heading of one."""
    dead = []
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        path, _, heading = target.partition("#")
        file = (PROJECT / name).parent / path if path else PROJECT / name
        if re.match(r"[a-z]+:", target):
            continue
        lines = file.read_text(encoding="utf-8").splitlines() if heading and file.is_file() else []
        headings = {anchor(line.lstrip("#")) for line in lines if line.startswith("#")}
        if not file.exists() or (heading and heading not in headings):
            dead.append(target)
    return dead


def test_every_link_of_the_documents_leads_somewhere():
    found = {name: dead_links(name, text) for name, text in documents().items()}
    assert {name: dead for name, dead in found.items() if dead} == {}


def test_a_dead_link_would_be_seen():
    text = "[a](README.md) [b](no.md) [c](README.md#two-commands) [d](#no-heading) [e](https://a.example/b)"
    assert dead_links("README.md", text) == ["no.md", "#no-heading"]


def test_the_readme_is_short():
    assert len(README.read_text(encoding="utf-8").splitlines()) <= LONGEST_README


def test_the_quick_commands_of_the_readme_run_over_an_empty_shelf(tmp_path, converted, monkeypatch, capsys):
    """The first in a process of its own, as it is typed; the others here, where the libraries are loaded.

    The model is converted already: `converted` has done for all tests what a first start does.
    """
    first, *others = [one for one in examples(README.read_text(encoding="utf-8")) if one.quick]
    assert others
    monkeypatch.setenv("LONGMEM_HOME", str(tmp_path))
    (tmp_path / "backbones").symlink_to(converted, target_is_directory=True)
    monkeypatch.chdir(PROJECT)
    command = [sys.executable, str(PROJECT / "launch.py"), *first.argv]
    found = subprocess.run(command, capture_output=True, text=True)
    assert found.returncode == 0, f"{shlex.join(command)}: {found.stderr}"
    for example in others:
        code = commands.main(list(example.argv))
        assert code == 0, f"python launch.py {shlex.join(example.argv)}: {capsys.readouterr().err}"

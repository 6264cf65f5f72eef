"""The program as pip installs it: packages, assets and entry point beside each other."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[1]
PARTS = ("app", "engine", "ingest", "assets")


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """The folder that the project was installed into, without the packages it depends on."""
    pytest.importorskip("setuptools")
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("site")
    for name in PARTS:
        shutil.copytree(PROJECT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(PROJECT / name, source)
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index",
               "--no-build-isolation", "--target", str(target), str(source)]  # fmt: skip
    found = subprocess.run(command, capture_output=True, text=True)
    assert found.returncode == 0, found.stderr
    return target


def run(installed: Path, home: Path, *words: str) -> subprocess.CompletedProcess:
    command = "from app.command_line.commands import longmem; raise SystemExit(longmem())"
    return subprocess.run(
        [sys.executable, "-c", command, *words],
        cwd=home,
        env={**os.environ, "PYTHONPATH": str(installed), "LONGMEM_HOME": str(home)},
        capture_output=True,
        text=True,
    )


def files(folder: Path) -> set[Path]:
    found = {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}
    return {path for path in found if path.suffix != ".pyc"}


@pytest.mark.parametrize("part", PARTS)
def test_every_file_is_installed(installed, part):
    assert files(installed / part) == files(PROJECT / part)


def test_the_entry_point_is_there(installed):
    (points,) = installed.glob("longmem_reader-*.dist-info/entry_points.txt")
    assert "longmem = app.command_line.commands:longmem" in points.read_text()


def test_the_installed_program_runs_from_anywhere(installed, tmp_path):
    assert run(installed, tmp_path, "--help").stdout.startswith("usage: longmem ")
    found = run(installed, tmp_path, "shelf", "--json")
    assert (found.returncode, found.stdout) == (0, '{"documents": []}\n'), found.stderr


def test_the_installed_program_has_no_tests(installed, tmp_path):
    found = run(installed, tmp_path, "test")
    assert (found.returncode, found.stderr.count("\n")) == (2, 1)
    assert "own folder" in found.stderr

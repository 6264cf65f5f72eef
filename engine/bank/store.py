"""Store: memory banks and texts that several machines share, in a folder or at any address of `fsspec`.

A bank never changes once it is published, so it is known by what it is made of: text, model, layout. Its
files are copied first and the list of them with their sums last: without that list it is not there. What is
fetched goes into a cache of bounded size, one folder a bank, checked by the sums before it gets its name.
"""

import contextlib
import dataclasses
import hashlib
import json
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from engine.bank.layout import BankIdentity, BankLayout
from engine.bank.manifest import FILE, Manifest
from engine.errors import Failure
from engine.sums import file_hash

LIST = "files.json"
FETCHING = ".fetching-"
GIGABYTE = 1 << 30
CACHE_GIGABYTES = 20.0
SETTING, CACHE_SETTING = "LONGMEM_STORE", "LONGMEM_CACHE_GB"


def fingerprint(identity: BankIdentity, layout: BankLayout) -> str:
    """Name a bank by what it is made of."""
    made_of = json.dumps([dataclasses.asdict(identity), dataclasses.asdict(layout)], sort_keys=True)
    return hashlib.blake2b(made_of.encode(), digest_size=16).hexdigest()


class Store:
    """The banks at one address. cache: a folder here for what is fetched, of at most `most` bytes."""

    def __init__(self, address: str, cache: Path, most: int) -> None:
        self.address, self._cache, self._most = address, cache, most

    @classmethod
    def named(cls, cache: Path) -> "Store | None":
        """Return the store that LONGMEM_STORE names; None where it names none. Raises Failure."""
        address, gigabytes = os.environ.get(SETTING), os.environ.get(CACHE_SETTING) or CACHE_GIGABYTES
        if address and "://" not in address:  # a folder is the same for workers, who work elsewhere
            address = str(Path(address).expanduser().resolve())
        try:
            return cls(address, cache, round(float(gigabytes) * GIGABYTE)) if address else None
        except (ValueError, OverflowError):
            raise Failure(f"{CACHE_SETTING} is a number of gigabytes, not {gigabytes}") from None

    def publish(self, folder: Path) -> None:
        """Copy the published bank of a folder into the store, where it is not there yet. Raises Failure."""
        manifest = Manifest.read(folder)
        if manifest is None or not manifest.published:
            raise Failure(f"the memory bank in {folder} is not whole yet: only whole ones are shared")
        files = [*(spec.file for spec in manifest.layout.arrays), FILE]
        self.put(fingerprint(manifest.identity, manifest.layout), folder, files)

    def put(self, name: str, folder: Path, files: Sequence[str]) -> None:
        """Copy files of a folder into the store as a whole of this name, where there is none yet.

        Each appears under its name at once, so that two machines may copy the same. Raises Failure.
        """
        with self._explained():
            system, root = self._open()
            if self._list(name) is not None:
                return
            place, mark = f"{root}/{name}", secrets.token_hex(4)
            system.makedirs(place, exist_ok=True)
            for file in files:
                system.put_file(str(folder / file), f"{place}/{file}.{mark}")
                system.mv(f"{place}/{file}.{mark}", f"{place}/{file}")
            sums = {file: [(folder / file).stat().st_size, file_hash(folder / file)] for file in files}
            system.pipe_file(f"{place}/{LIST}", json.dumps(sums, indent=1).encode())

    def has(self, name: str) -> bool:
        """Tell whether there is a whole of this name. Raises Failure."""
        with self._explained():
            return self._list(name) is not None

    def get(self, name: str, folder: Path) -> bool:
        """Copy the files of a whole into a folder, checked; says whether there is one. Raises Failure."""
        with self._explained():
            files = self._list(name)
            if files is not None:
                self._copy(name, files, folder)
            return files is not None

    def manifest(self, identity: BankIdentity, layout: BankLayout) -> Manifest | None:
        """Return what a bank in the store or the cache holds, without fetching it; None: no such bank.

        Raises Failure.
        """
        name = fingerprint(identity, layout)
        if (kept := Manifest.read(self._cache / name)) is not None:
            return kept
        with self._explained(), tempfile.TemporaryDirectory() as folder:
            files = self._list(name)
            if files is None or FILE not in files:
                return None
            self._copy(name, {FILE: files[FILE]}, Path(folder))
            return Manifest.read(Path(folder))

    def cached(self, identity: BankIdentity, layout: BankLayout) -> Path | None:
        """Return the folder of a bank in the cache, where it is."""
        folder = self._cache / fingerprint(identity, layout)
        return folder if (folder / FILE).is_file() else None

    def fetched(self, identity: BankIdentity, layout: BankLayout) -> Path | None:
        """Return the folder of a bank in the cache, fetched where it is not there yet; None: no such bank.

        The banks used longest ago make room. Raises Failure where the store cannot be reached, or holds other
        bytes than its list says.
        """
        folder = self.cached(identity, layout)
        if folder is not None:
            os.utime(folder)
            return folder
        name = fingerprint(identity, layout)
        with self._explained():
            files = self._list(name)
            if files is None or FILE not in files:
                return None
            self._make_room(sum(size for size, _ in files.values()))
            self._fetch(name, files)
        return self._cache / name

    # inside

    def _open(self) -> tuple[Any, str]:
        """Return the file system of the address and the path within it."""
        import fsspec  # only where there is a store

        # who reads a list must see what another machine has just written
        return fsspec.core.url_to_fs(self.address, use_listings_cache=False)

    def _list(self, name: str) -> dict[str, tuple[int, str]] | None:
        """Return the files of a whole in the store with their sizes and sums; None where it is not whole."""
        system, root = self._open()
        try:
            listed = json.loads(system.cat_file(f"{root}/{name}/{LIST}"))
            files = {str(file): (int(size), str(known)) for file, (size, known) in listed.items()}
        except (FileNotFoundError, ValueError, TypeError, AttributeError):
            return None
        # a name leads nowhere else, and a size makes no room that is not needed, whoever wrote the list
        is_sound = all(Path(file).name == file != ".." and size >= 0 for file, (size, _) in files.items())
        return files if is_sound else None

    def _fetch(self, name: str, files: dict[str, tuple[int, str]]) -> None:
        """Copy the files of a bank into the cache and check them; the folder gets its name at the end."""
        partial = self._cache / f"{FETCHING}{name}-{secrets.token_hex(4)}"
        partial.mkdir(parents=True)
        try:
            self._copy(name, files, partial)
            with contextlib.suppress(FileExistsError, OSError):  # another process was quicker
                partial.rename(self._cache / name)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        if not (self._cache / name / FILE).is_file():
            raise Failure(f"bank {name} cannot be put into {self._cache}: see to its rights")

    def _copy(self, name: str, files: dict[str, tuple[int, str]], folder: Path) -> None:
        system, root = self._open()
        for file, (size, known) in files.items():
            place = f"{root}/{name}/{file}"
            # before it is fetched: room was made for what the list says
            if system.size(place) in (size, None):  # None: not every system tells
                system.get_file(place, str(folder / file))
                if file_hash(folder / file) == known:
                    continue
            raise Failure(f"{file} of {name} in the store is damaged: delete {name} there")

    def _make_room(self, needed: int) -> None:
        """Delete fetched banks, those used longest ago first, until so much more is within the bound.

        A bank that is open stays readable: its files go once they are closed.
        """
        self._cache.mkdir(parents=True, exist_ok=True)
        kept = [path for path in self._cache.iterdir() if not path.name.startswith(FETCHING)]
        sizes = {path: sum(file.stat().st_size for file in path.iterdir()) for path in kept}
        for path in sorted(kept, key=lambda one: one.stat().st_mtime):
            if sum(sizes.values()) + needed <= self._most:
                break
            shutil.rmtree(path, ignore_errors=True)
            sizes.pop(path)

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn what the file system says into one line; each has errors of its own, of no common kind."""
        try:
            yield
        except Failure:
            raise
        except Exception as error:
            said = str(error) or type(error).__name__
            raise Failure(f"the store {self.address} cannot be used ({said}): see {SETTING}") from error

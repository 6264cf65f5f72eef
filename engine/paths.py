"""Where everything lives: the places inside one data folder, see `engine.datafolder`.

Standard library only, so that set-up can ask before the environment stands.
"""

import contextlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from engine.datafolder import CHOSEN, SHELF, data_folder

PROJECT = Path(__file__).resolve().parent.parent
IS_INSTALLED = not (PROJECT / "launch.py").is_file()  # by pip, without set-up
PROGRAM = "longmem" if IS_INSTALLED else "python launch.py"
ASSETS = PROJECT / "assets"
SIDENETS = ASSETS / "sidenet"
SAMPLES = ASSETS / "samples"
DEMONSTRATIONS = ASSETS / "demonstrations"
CAST = "cast.json"
TEXT = "document.json"
CONVERTING = ".converting-"  # how the folder of a model begins that is being converted


def _close(place: Path) -> None:
    """Take a file or folder, and all below, from everybody but its owner; the uppermost last, so that what
    was cut short goes on. A link is left alone: what it leads to may be shared."""
    mode = place.lstat().st_mode
    if stat.S_ISLNK(mode) or not mode & 0o077:
        return
    if stat.S_ISDIR(mode):
        for inner in place.iterdir():
            _close(inner)
    place.chmod(mode & 0o700)


@dataclass(frozen=True)
class Paths:
    """The data folder and the places inside it. Nothing is created until something is written."""

    home: Path

    @classmethod
    def default(cls) -> "Paths":
        """Return those of the data folder of this process. Raises BadInput, see `engine.datafolder`."""
        return cls(data_folder())

    def keep_private(self) -> None:
        """Let nobody but its user read the data folder: what is there, and what this process will write.

        Whatever else its user keeps in `home` stays as it is, and then `home` as well.
        """
        os.umask(0o077)
        database = [f"{self.database.name}{ending}" for ending in ("", "-wal", "-shm")]
        folders = (
            self.documents,
            self.talks,
            self.demonstrations,
            self.backbones,
            self.sidenets,
            self.adapting,
            self.catalogue,
            self.fetched,
            self.making,
            self.found,
            self.locks,
        )
        files = (self.accounts, self.card, self.settings, self.socket, self.reserve)
        ours = [*(place.name for place in (*folders, *files)), *database, CHOSEN]
        with contextlib.suppress(OSError):  # there is none yet, or nothing can be changed in it
            names = os.listdir(self.home)
            for name in filter(names.__contains__, ours):
                _close(self.home / name)
            if set(names) <= set(ours):
                self.home.chmod(0o700)

    @property
    def database(self) -> Path:
        return self.home / SHELF

    @property
    def documents(self) -> Path:
        return self.home / "documents"

    @property
    def backbones(self) -> Path:
        return self.home / "backbones"

    @property
    def sidenets(self) -> Path:
        """Return the folder of checkpoints that `adapt` made for other backbones, a folder for each."""
        return self.home / "sidenet"

    @property
    def adapting(self) -> Path:
        """Return the folder of what `adapt` has in hand, a folder for each backbone."""
        return self.home / "adapting"

    @property
    def talks(self) -> Path:
        return self.home / "talks"

    @property
    def demonstrations(self) -> Path:
        return self.home / "demonstrations"

    @property
    def catalogue(self) -> Path:
        """Return the folder of what all books are asked by; made of them, and made again where it is lost."""
        return self.home / "catalogue"

    @property
    def fetched(self) -> Path:
        """Return the folder of memory banks that were fetched from a store which several machines share."""
        return self.home / "fetched"

    @property
    def making(self) -> Path:
        """Return the folder of what a worker of a cluster has in hand; it goes to the store when whole."""
        return self.home / "making"

    @property
    def found(self) -> Path:
        """Return the folder of what lay in the data folder and could not be placed."""
        return self.home / "found"

    @property
    def accounts(self) -> Path:
        """Return the file of who may sign in to a page that asks for it (`engine.shelf.accounts`)."""
        return self.home / "accounts.json"

    @property
    def settings(self) -> Path:
        """Return the file of the chosen model, device, precision and threads (`engine.preferences`)."""
        return self.home / "settings.json"

    @property
    def reserve(self) -> Path:
        """Return the file given up on a full disk, to make room for the rows of removals (`engine.room`)."""
        return self.home / "reserve"

    @property
    def locks(self) -> Path:
        return self.home / "locks"

    @property
    def card(self) -> Path:
        """Return the file in which a page says how commands of its own account reach it (`app.desk.wire`)."""
        return self.home / "page.json"

    @property
    def socket(self) -> Path:
        """Return the socket where such a page listens."""
        return self.home / "page.socket"

    def document(self, identifier: str) -> Path:
        """Return the folder of one document: document.json, the source file, bank/."""
        return self.documents / identifier

    def parsed(self, identifier: str) -> Path:
        """Return the file with text and places of one document, as it was parsed."""
        return self.document(identifier) / TEXT

    def pictures(self, identifier: str) -> Path:
        """Return the folder of the pictures of one document, which only its own text shows."""
        return self.document(identifier) / "pictures"

    def sheets(self, identifier: str) -> Path:
        """Return the folder of what was recognised on one document's scanned pages (OCR), a file for each."""
        return self.document(identifier) / "sheets"

    def cast(self, identifier: str) -> Path:
        """Return the file that says who is who in one document."""
        return self.document(identifier) / CAST

    def bank(self, identifier: str) -> Path:
        """Return the folder of the memory bank of one document."""
        return self.document(identifier) / "bank"

    def talk_bank(self, identifier: str) -> Path:
        """Return the folder of the memory bank of what was said earlier in one talk."""
        return self.talks / identifier / "bank"

    def demonstration(self, identifier: str) -> Path:
        """Return the folder of one demonstration library: bank/, states, runs/."""
        return self.demonstrations / identifier

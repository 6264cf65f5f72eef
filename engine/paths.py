"""Where everything lives: one data folder, chosen by LONGMEM_HOME or the platform's custom.

Standard library only, so that set-up can ask before the environment stands.
"""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
ASSETS = PROJECT / "assets"
SIDENETS = ASSETS / "sidenet"
SAMPLES = ASSETS / "samples"
DEMONSTRATIONS = ASSETS / "demonstrations"
CONVERTING = ".converting-"  # how the folder of a model begins that is being converted


def user_data_folder() -> Path:
    """Return the platform's user data folder for this program."""
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local")) / "LongMemReader"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "LongMemReader"
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "longmem-reader"


@dataclass(frozen=True)
class Paths:
    """The data folder and the places inside it. Nothing is created until something is written."""

    home: Path

    @classmethod
    def default(cls) -> "Paths":
        """LONGMEM_HOME, or the platform's user data folder."""
        named = os.environ.get("LONGMEM_HOME")
        return cls(Path(named).expanduser().resolve() if named else user_data_folder())

    @property
    def database(self) -> Path:
        return self.home / "shelf.db"

    @property
    def documents(self) -> Path:
        return self.home / "documents"

    @property
    def backbones(self) -> Path:
        return self.home / "backbones"

    @property
    def talks(self) -> Path:
        return self.home / "talks"

    @property
    def demonstrations(self) -> Path:
        return self.home / "demonstrations"

    @property
    def found(self) -> Path:
        """What lay in the data folder and could not be placed."""
        return self.home / "found"

    @property
    def locks(self) -> Path:
        return self.home / "locks"

    def document(self, identifier: str) -> Path:
        """Folder of one document: document.json, the source file, bank/."""
        return self.documents / identifier

    def parsed(self, identifier: str) -> Path:
        """Return the file with text and places of one document, as it was parsed."""
        return self.document(identifier) / "document.json"

    def bank(self, identifier: str) -> Path:
        """Memory bank of one document."""
        return self.document(identifier) / "bank"

    def talk_bank(self, identifier: str) -> Path:
        """Memory bank of what was said earlier in one talk."""
        return self.talks / identifier / "bank"

    def demonstration(self, identifier: str) -> Path:
        """Folder of one demonstration library: bank/, states, runs/."""
        return self.demonstrations / identifier

"""The manifest: the one file that says how much of a bank counts. Written last, in one step.

It holds nothing that depends on when or how often encoding was interrupted, so that the same text gives the
same bytes.
"""

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path

from engine.bank.layout import BankIdentity, BankLayout, BankMismatch
from engine.durable import publish_file
from engine.errors import Failure
from engine.paths import PROGRAM

FORMAT = 2
FILE = "manifest.json"


class DamagedBank(Failure):
    """A bank is not what was written. `what` names the file and what is wrong with it."""

    def __init__(self, folder: Path, what: str) -> None:
        super().__init__(
            f"the memory bank in {folder} is damaged ({what}): {PROGRAM} doctor --repair makes it anew"
        )
        self.what = what


@dataclass(frozen=True)
class Counts:
    """Complete tokens, chunks and segments of a bank."""

    tokens: int = 0
    chunks: int = 0
    segments: int = 0


@dataclass(frozen=True)
class Manifest:
    """crc32: running checksum of every array. probes: see `engine.bank.probes`, none until published."""

    identity: BankIdentity
    layout: BankLayout
    counts: Counts = Counts()
    crc32: dict[str, int] = field(default_factory=dict)
    published: bool = False
    probes: tuple[dict, ...] = ()

    def size(self, name: str) -> int:
        """Count the bytes of the array `name` that are valid."""
        spec = next(spec for spec in self.layout.arrays if spec.name == name)
        return getattr(self.counts, spec.rows) * spec.row_bytes

    @property
    def nbytes(self) -> int:
        """Return the bytes of all arrays that are valid."""
        return sum(self.size(spec.name) for spec in self.layout.arrays)

    def write(self, folder: Path) -> None:
        """Publish it: replaced as a whole, and on the disk when this returns."""
        publish_file(folder / FILE, self.to_json().encode())

    def to_json(self) -> str:
        """Write one readable JSON object; the bytes of each array stand beside its checksum."""
        return (
            json.dumps(
                {
                    "format": FORMAT,
                    "identity": dataclasses.asdict(self.identity),
                    "layout": dataclasses.asdict(self.layout),
                    "counts": dataclasses.asdict(self.counts),
                    "arrays": {
                        spec.name: {"bytes": self.size(spec.name), "crc32": self.crc32.get(spec.name, 0)}
                        for spec in self.layout.arrays
                    },
                    "published": self.published,
                    "probes": self.probes,
                },
                indent=1,
            )
            + "\n"
        )

    @classmethod
    def read(cls, folder: Path) -> "Manifest | None":
        """Read the manifest of the bank in `folder`; None where there is none.

        Raises
        ------
        BankMismatch
            The bank has another format version.
        Failure
            The file is no manifest, or its counts and sizes contradict each other.
        """
        try:
            text = (folder / FILE).read_text(encoding="utf-8")
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise DamagedBank(folder, f"{FILE} cannot be read") from error
        try:
            values = json.loads(text)
            version = values["format"]
        except (ValueError, KeyError, TypeError) as error:
            raise DamagedBank(folder, f"{FILE} is not readable") from error
        if version != FORMAT:
            raise BankMismatch(
                "format",
                f"this memory bank has format {version}, this version reads {FORMAT}: "
                "add its file again to make it anew, or use the version of LongMem Reader that made it",
            )
        try:
            return cls._from(values)
        except (ValueError, KeyError, TypeError) as error:
            raise DamagedBank(folder, f"{FILE} contradicts itself") from error

    @classmethod
    def _from(cls, values: dict) -> "Manifest":
        manifest = cls(
            BankIdentity(**values["identity"]),
            BankLayout(**values["layout"]),
            Counts(**values["counts"]),
            {name: array["crc32"] for name, array in values["arrays"].items()},
            values["published"],
            tuple(values["probes"]),
        )
        counts = manifest.counts
        if not 0 <= counts.segments <= counts.chunks <= counts.tokens:
            raise ValueError("counts")
        for spec in manifest.layout.arrays:
            if values["arrays"][spec.name]["bytes"] != manifest.size(spec.name):
                raise ValueError(f"size of {spec.name}")
        return manifest

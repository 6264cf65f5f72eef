"""Sheet: what was recognised on one page, and how sure that is; each is kept in a file of its own."""

import json
import os
import re
from dataclasses import astuple, dataclass
from functools import cached_property
from pathlib import Path

_MOST_SURE = 99  # percent; whoever reads a picture is never quite sure
LEAST_SURE = 30  # percent: below it a line is a smudge or the edge of a picture, not words
_NAME = re.compile(r"(\d{1,7})\.json")


@dataclass(frozen=True)
class Row:
    """One recognised line, where it stands on the page (points), and how sure it is (percent)."""

    x0: float
    y0: float
    x1: float
    y1: float
    text: str
    sure: float


@dataclass(frozen=True)
class Sheet:
    """The lines of one page; `trouble` says why there are none where the engine gave up."""

    rows: tuple[Row, ...] = ()
    trouble: str = ""

    @cached_property
    def read(self) -> tuple[Row, ...]:
        """Return the lines that are sure enough to be text."""
        return tuple(row for row in self.rows if row.sure >= LEAST_SURE and row.text.strip())

    @property
    def sure(self) -> int:
        """Return how sure the page is, in percent: the mean over its letters."""
        letters = sum(len(row.text) for row in self.read)
        sure = round(sum(row.sure * len(row.text) for row in self.read) / letters) if letters else 0
        return min(sure, _MOST_SURE)

    def to_json(self) -> str:
        """Write it as one line; `from_json` gives an equal sheet back."""
        return json.dumps({"rows": [astuple(row) for row in self.rows], "trouble": self.trouble})

    @classmethod
    def from_json(cls, line: str) -> "Sheet":
        """Read a sheet back. Raises ValueError, KeyError or TypeError for something else."""
        record = json.loads(line)
        return cls(tuple(Row(*row) for row in record["rows"]), record["trouble"])


def sheet_path(folder: Path, number: int) -> Path:
    """Return where the sheet of page `number`, from 0 on, is kept."""
    return folder / f"{number}.json"


def keep_sheet(folder: Path, number: int, sheet: Sheet) -> None:
    """Write a sheet at once and whole, so that a crash leaves none that is half."""
    folder.mkdir(parents=True, exist_ok=True)
    path = sheet_path(folder, number)
    half = path.with_suffix(".half")
    half.write_text(sheet.to_json(), encoding="utf-8")
    os.replace(half, path)


def read_sheets(folder: Path | None) -> dict[int, Sheet]:
    """Read all sheets of a folder by page, from 0 on; a damaged one is not there."""
    sheets: dict[int, Sheet] = {}
    for path in folder.iterdir() if folder is not None and folder.is_dir() else ():
        if (name := _NAME.fullmatch(path.name)) is not None:
            try:
                sheets[int(name[1])] = Sheet.from_json(path.read_text(encoding="utf-8"))
            except (OSError, ValueError, KeyError, TypeError):
                continue
    return sheets

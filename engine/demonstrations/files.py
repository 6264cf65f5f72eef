"""What goes out of a library: examples, or the labels of a file, as CSV, TSV or JSONL by the name's end.

CSV and TSV are for spreadsheets, which run no cell of them; JSONL holds every text as it is.
"""

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.errors import Failure
from engine.whole import whole
from ingest.errors import BadInput
from ingest.shielded import shielded

SUFFIXES = (".csv", ".tsv", ".jsonl")


def writable(path: Path) -> Path:
    """Return the path itself. Raises BadInput where its end names no format that can be written."""
    if path.suffix.lower() not in SUFFIXES:
        raise BadInput(f"{path.name}: the name must end in {', '.join(SUFFIXES)}")
    return path


def write_rows(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> int:
    """Write rows in one piece; returns how many. Raises BadInput for another format, Failure if it cannot."""
    writable(path)
    count = 0
    try:
        with whole(path) as file, file.open("w", encoding="utf-8", newline="", errors="replace") as handle:
            if path.suffix.lower() == ".jsonl":
                for row in rows:
                    handle.write(json.dumps(dict(row), ensure_ascii=False) + "\n")
                    count += 1
            else:
                delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
                table = csv.writer(handle, delimiter=delimiter)
                table.writerow(map(shielded, columns))
                for row in rows:
                    table.writerow(_cell(row.get(name, "")) for name in columns)
                    count += 1
    except OSError as error:
        raise Failure(f"{path} cannot be written: {error.strerror or error}") from error
    return count


def _cell(value: Any) -> Any:
    return shielded(value) if isinstance(value, str) else value

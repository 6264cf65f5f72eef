"""What goes out of a library: examples, or the labels of a file, as CSV, TSV or JSONL by the name's end."""

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.errors import Failure
from ingest.errors import BadInput

SUFFIXES = (".csv", ".tsv", ".jsonl")


def writable(path: Path) -> Path:
    """Return the path itself. Raises BadInput where its end names no format that can be written."""
    if path.suffix.lower() not in SUFFIXES:
        raise BadInput(f"{path.name}: the name must end in {', '.join(SUFFIXES)}")
    return path


def write_rows(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> int:
    """Write rows in one piece; returns how many. Raises BadInput for another format, Failure if it cannot."""
    writable(path)
    partial, count = path.with_name(path.name + ".partial"), 0
    try:
        with partial.open("w", encoding="utf-8", newline="", errors="replace") as handle:
            if path.suffix.lower() == ".jsonl":
                for row in rows:
                    handle.write(json.dumps(dict(row), ensure_ascii=False) + "\n")
                    count += 1
            else:
                delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
                table = csv.DictWriter(handle, columns, delimiter=delimiter, extrasaction="ignore")
                table.writeheader()
                for row in rows:
                    table.writerow({name: _shielded(row.get(name, "")) for name in columns})
                    count += 1
        partial.replace(path)
    except OSError as error:
        raise Failure(f"{path} cannot be written: {error.strerror or error}") from error
    finally:
        partial.unlink(missing_ok=True)
    return count


def _shielded(value: Any) -> Any:
    """Put an apostrophe before text that a spreadsheet would take for a formula."""
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@") and not _is_number(value):
        return "'" + value
    return value


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True

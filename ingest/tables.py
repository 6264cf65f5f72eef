"""Tables: CSV, TSV, JSONL, Parquet or pasted rows become named columns of text.

What the file is, is seen in its content; the name only helps. A cell is always text ("" where there is none);
each row keeps the number that an editor or a spreadsheet shows for it.
"""

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from ingest.charset import decode
from ingest.errors import BadInput, named
from ingest.limits import Limits
from ingest.shielded import bare
from ingest.source import Source, read_source

DELIMITERS = ",\t;|"
SAMPLE_ROWS = 100
MOST_COLUMNS = 500
TABLE_LIMITS = Limits(file_bytes=100_000_000, characters=100_000_000)
PASTED = "what was pasted"
_SHARED = 10_000  # cells that are kept once, however often they come
_WORKBOOK = b"PK\x03\x04"
_SEPARATOR = re.compile(r"\"?sep=([^\s\w\"]|\t)\"?[ ;,\t]*(?:\r\n|\r|\n)", re.IGNORECASE)
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class Table:
    """rows: one tuple of cells each, as long as `columns`; numbers: where each stands in its file, from 1."""

    name: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers: tuple[int, ...]
    warnings: tuple[str, ...] = ()

    def to_json(self) -> str:
        """Write everything as JSON, row by row; `from_json` gives an equal table back."""
        other = {name: value for name, value in vars(self).items() if name != "rows"}
        rows = (part for row in self.rows for part in (json.dumps(row), ", "))
        return "".join([json.dumps(other)[:-1], ', "rows": [', *list(rows)[:-1], "]}"])

    @classmethod
    def from_json(cls, line: str) -> "Table":
        """Read what `to_json` wrote."""
        record = json.loads(line)
        rows = tuple(map(tuple, record.pop("rows")))
        return cls(record.pop("name"), rows=rows, **{name: tuple(value) for name, value in record.items()})


def read_table(path: Path | str, *, encoding: str | None = None, header: bool | None = None) -> Table:
    """Read the table in a file. encoding: overrides the guess. header: whether row 1 names the columns.

    Raises BadInput for what is no table, an encoding that does not fit, or nothing in it.
    """
    source = read_source(path, encoding=encoding, limits=TABLE_LIMITS)
    with named(source.name):
        if source.data.startswith(b"PAR1"):
            table = _parquet(source.data)
        elif source.data.startswith(_WORKBOOK):
            raise BadInput("this is a workbook or an archive: save the sheet as CSV and give that")
        else:
            table = _decoded(source, header)
        return _filled(table, source.name)


def pasted_table(text: str, *, header: bool | None = None) -> Table:
    """Read the table in pasted text. Raises BadInput as `read_table` does."""
    with named(PASTED):
        return _filled(_text_table(text.replace("\0", ""), header, ""), PASTED)


def _filled(table: Table, name: str) -> Table:
    if not table.rows:
        raise BadInput("there are no rows in it: give one example in each row")
    return replace(table, name=name)


def _decoded(source: Source, header: bool | None) -> Table:
    text, warning = decode(source.data, source.encoding)
    if "\0" in text:
        raise BadInput("this is no text: give a CSV, TSV, JSONL or Parquet file")
    table = _text_table(text, header, source.suffix)
    return replace(table, warnings=(*([warning] if warning else []), *table.warnings))


def _text_table(text: str, header: bool | None, suffix: str) -> Table:
    start = text.lstrip()[:1]
    if start == "{" or (start == "[" and suffix in ("", ".json")):
        return _json_table(text)
    return _delimited(text, header, suffix)


def _json_table(text: str) -> Table:
    """Read one JSON object a line, or one array of objects."""
    _check_marks(text, "{[,")
    objects: list[dict[str, Any]] = []
    numbers: list[int] = []
    for number, words in _json_records(text):
        try:
            record = json.loads(words) if isinstance(words, str) else words
        except (ValueError, RecursionError) as error:
            raise BadInput(
                f"line {number} is not valid JSON ({error}): give one JSON object in each line"
            ) from None
        if not isinstance(record, dict):
            raise BadInput(f'line {number} is no JSON object: write {{"text": "…", "label": "…"}}')
        _check_size(len(objects), 0)
        objects.append(record)
        numbers.append(number)
    columns: dict[str, None] = {}
    for record in objects:
        columns |= dict.fromkeys(map(str, record))
        _check_columns(columns)
    rows = _rows([_cell(record.get(name)) for name in columns] for record in objects)
    return Table("", tuple(columns), rows, tuple(numbers))


def _json_records(text: str) -> Iterator[tuple[int, str | object]]:
    if text.lstrip().startswith("["):
        try:
            yield from enumerate(json.loads(text), 1)
        except (ValueError, RecursionError) as error:
            raise BadInput(f"this is not valid JSON ({error}): give one JSON object in each line") from None
        return
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            yield number, line


def _delimited(text: str, header: bool | None, suffix: str) -> Table:
    first = 1
    text = text.removeprefix("\ufeff")
    told = _SEPARATOR.match(text)  # Excel's own first line
    if told:
        first, text = 2, text[told.end() :]
    delimiter = told[1] if told else "\t" if suffix == ".tsv" else _delimiter(text)
    _check_marks(text, f"{delimiter}\n")
    warnings: tuple[str, ...] = ()
    try:
        numbered = _bounded(_records(text, delimiter, csv.QUOTE_MINIMAL, first))
    except csv.Error:
        numbered = _bounded(_records(text, delimiter, csv.QUOTE_NONE, first))
        warnings = ("a quotation mark is opened and never closed: quotation marks were read as letters",)
    if not numbered:
        return Table("", (), (), ())
    if header is None:
        header = _has_header([cells for _, cells in numbered[:SAMPLE_ROWS]])
    if header:
        names, numbered = numbered[0][1], numbered[1:]
    else:
        names = [f"column {at}" for at in range(1, max(len(cells) for _, cells in numbered) + 1)]
    _check_columns(names)
    columns = _distinct(names)
    ragged = [number for number, cells in numbered if len(cells) > len(columns)]
    if ragged:
        raise BadInput(
            f"row {ragged[0]} has more cells than the {len(columns)} columns: put quotation marks around "
            f"text that holds {'tabs' if delimiter == chr(9) else f'“{delimiter}”'}"
        )
    rows = _rows(cells + [""] * (len(columns) - len(cells)) for _, cells in numbered)
    return Table("", columns, rows, tuple(number for number, _ in numbered), warnings)


def _bounded(numbered: Iterable[tuple[int, list[str]]]) -> list[tuple[int, list[str]]]:
    """List the records that hold something, up to the limits on rows and cells."""
    found: list[tuple[int, list[str]]] = []
    cells = 0
    for number, record in numbered:
        if any(cell.strip() for cell in record):
            cells += len(record)
            _check_size(len(found), cells)
            found.append((number, record))
    return found


def _rows(made: Iterable[Sequence[str]]) -> tuple[tuple[str, ...], ...]:
    """Turn rows into tuples, up to the limits on rows, cells and letters."""
    found: list[tuple[str, ...]] = []
    cells = letters = 0
    for row in made:
        cells += len(row)
        letters += sum(map(len, row))
        _check_size(len(found), cells, letters)
        found.append(tuple(row))
    return tuple(found)


def _check_size(rows: int, cells: int, letters: int = 0) -> None:
    """Raise BadInput for more than a table of demonstrations may hold."""
    limits = TABLE_LIMITS
    for count, most, what in (
        (rows, limits.rows, "rows"),
        (cells, limits.cells, "cells"),
        (letters, limits.characters, "letters"),
    ):
        if count > most:
            raise BadInput(
                f"this table has more than {most:,} {what}: give a part of it, such as its first rows"
            )


def _check_marks(text: str, marks: str) -> None:
    """Raise BadInput where a text has so many marks between cells that reading it takes all the memory.

    Marks inside cells are counted too, so twice as many are let through as cells are.
    """
    if sum(map(text.count, marks)) > 2 * TABLE_LIMITS.cells:
        _check_size(0, TABLE_LIMITS.cells + 1)


def _check_columns(names: Collection[str]) -> None:
    if len(names) > MOST_COLUMNS:
        raise BadInput(f"{len(names):,} columns are too many; {MOST_COLUMNS} is the most: leave some out")


def _records(text: str, delimiter: str, quoting: Literal[0, 3], line: int) -> Iterator[tuple[int, list[str]]]:
    """Yield the cells of every record and the number of its first line; `line` is the first record's."""
    before = line - 1
    csv.field_size_limit(max(csv.field_size_limit(), 1 << 24))
    strict = quoting != csv.QUOTE_NONE
    lines = (match[0] for match in _LINE.finditer(text))
    reader = csv.reader(lines, delimiter=delimiter, quoting=quoting, strict=strict)
    for cells in reader:
        yield line, list(map(bare, cells))
        line = before + reader.line_num + 1


def _delimiter(text: str) -> str:
    """Find the mark that cuts most of the first lines into the same number of cells, more than one."""
    lines = [line for line in text[:200_000].splitlines() if line.strip()][:SAMPLE_ROWS]
    best, most = ",", 0
    for delimiter in DELIMITERS:
        try:
            widths = Counter(len(cells) for cells in csv.reader(lines, delimiter=delimiter))
        except csv.Error:
            continue
        count = max((count for width, count in widths.items() if width > 1), default=0)
        if count > most:
            best, most = delimiter, count
    return best


def _has_header(rows: Sequence[Sequence[str]]) -> bool:
    """Tell whether the first row is a header: none of its cells comes again below it, as a label does."""
    first, rest = rows[0], rows[1:]
    return not any(
        cell.strip() and any(at < len(row) and row[at].strip() == cell.strip() for row in rest)
        for at, cell in enumerate(first)
    )


def _distinct(names: Sequence[str]) -> tuple[str, ...]:
    """Make column names unique: an empty one is numbered, a second "text" becomes "text (2)"."""
    found: list[str] = []
    for at, name in enumerate(names, 1):
        name = " ".join(name.replace("\ufeff", "").split()) or f"column {at}"
        again, wanted = 2, name
        while wanted in found:
            wanted, again = f"{name} ({again})", again + 1
        found.append(wanted)
    return tuple(found)


def _parquet(data: bytes) -> Table:
    try:
        import fastparquet
    except ImportError:
        raise BadInput(
            "Parquet needs the package fastparquet: run python launch.py once to install it, or save the "
            "table as CSV"
        ) from None
    try:
        file = fastparquet.ParquetFile(io.BytesIO(data))
        # a page of one repeated value takes a few bytes, whatever number of rows it stands for
        _check_columns(file.columns)
        _check_size(file.count(), file.count() * len(file.columns))
        frame = file.to_pandas()
    except BadInput:
        raise
    except Exception as error:
        raise BadInput(
            "a Parquet file that is damaged or holds what cannot be read: save it as CSV"
        ) from error
    columns = _distinct([str(name) for name in frame.columns])
    known: dict[str, str] = {}  # a small file of many cells has the same ones again and again
    rows = _rows(
        [
            known.setdefault(cell, cell) if len(known) < _SHARED else known.get(cell, cell)
            for cell in map(_cell, row)
        ]
        for row in frame.itertuples(index=False, name=None)
    )
    return Table("", columns, rows, tuple(range(1, len(rows) + 1)))


def _cell(value: object) -> str:
    """Write a value as text; nothing, or not a number, is empty."""
    if value is None or value != value:
        return ""
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace")
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return _SURROGATE.sub("\ufffd", value) if isinstance(value, str) else str(value)

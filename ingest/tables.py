"""Tables: CSV, TSV, JSONL, Parquet or pasted rows become named columns of text.

What the file is, is seen in its content; the name only helps. A cell is always text ("" where there is none);
each row keeps the number that an editor or a spreadsheet shows for it.
"""

import csv
import io
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ingest.encoding import decode
from ingest.errors import BadInput
from ingest.limits import Limits
from ingest.source import Source, read_source

DELIMITERS = ",\t;|"
SAMPLE_ROWS = 100
MOST_COLUMNS = 500
TABLE_LIMITS = Limits(file_bytes=100_000_000)
PASTED = "what was pasted"
_WORKBOOK = b"PK\x03\x04"


@dataclass(frozen=True)
class Table:
    """rows: one tuple of cells each, as long as `columns`; numbers: where each stands in its file, from 1."""

    name: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers: tuple[int, ...]
    warnings: tuple[str, ...] = ()


def read_table(path: Path | str, *, encoding: str | None = None, header: bool | None = None) -> Table:
    """The table in a file. encoding: overrides the guess. header: whether the first row names the columns.

    Raises BadInput for what is no table, an encoding that does not fit, or nothing in it.
    """
    source = read_source(path, encoding=encoding, limits=TABLE_LIMITS)
    if source.data.startswith(b"PAR1"):
        return _named(_parquet(source), source.name)
    if source.data.startswith(_WORKBOOK):
        raise BadInput(
            f"{source.name}: this is a workbook or an archive: save the sheet as CSV and give that"
        )
    text, warning = decode(source.data, source.encoding)
    if "\0" in text:
        raise BadInput(f"{source.name}: this is no text: give a CSV, TSV, JSONL or Parquet file")
    table = _named(_text_table(text, header, source.suffix), source.name)
    return replace(table, warnings=(*([warning] if warning else []), *table.warnings))


def pasted_table(text: str, *, header: bool | None = None) -> Table:
    """The table in pasted text. Raises BadInput as `read_table` does."""
    return _named(_text_table(text.replace("\0", ""), header, ""), PASTED)


def _named(table: Table, name: str) -> Table:
    if not table.rows:
        raise BadInput(f"{name}: there are no rows in it: give one example in each row")
    if len(table.columns) > MOST_COLUMNS:
        raise BadInput(f"{name}: {len(table.columns)} columns are too many; {MOST_COLUMNS} is the most")
    return replace(table, name=name)


def _text_table(text: str, header: bool | None, suffix: str) -> Table:
    start = text.lstrip()[:1]
    if start == "{" or (start == "[" and suffix in ("", ".json")):
        return _json_table(text)
    return _delimited(text, header, suffix)


def _json_table(text: str) -> Table:
    """One JSON object a line, or one array of objects."""
    objects, numbers = [], []
    for number, words in _json_records(text):
        try:
            record = json.loads(words) if isinstance(words, str) else words
        except ValueError as error:
            raise BadInput(
                f"line {number} is not valid JSON ({error}): give one JSON object in each line"
            ) from None
        if not isinstance(record, dict):
            raise BadInput(f'line {number} is no JSON object: write {{"text": "…", "label": "…"}}')
        objects.append(record)
        numbers.append(number)
    columns = tuple(dict.fromkeys(str(name) for record in objects for name in record))
    rows = tuple(tuple(_cell(record.get(name)) for name in columns) for record in objects)
    return Table("", columns, rows, tuple(numbers))


def _json_records(text: str) -> Iterator[tuple[int, str | object]]:
    if text.lstrip().startswith("["):
        try:
            yield from enumerate(json.loads(text), 1)
        except ValueError as error:
            raise BadInput(f"this is not valid JSON ({error}): give one JSON object in each line") from None
        return
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            yield number, line


def _delimited(text: str, header: bool | None, suffix: str) -> Table:
    delimiter = "\t" if suffix == ".tsv" else _delimiter(text)
    warnings: tuple[str, ...] = ()
    try:
        numbered = list(_records(text, delimiter, csv.QUOTE_MINIMAL))
    except csv.Error:
        numbered = list(_records(text, delimiter, csv.QUOTE_NONE))
        warnings = ("a quotation mark is opened and never closed: quotation marks were read as letters",)
    numbered = [(number, cells) for number, cells in numbered if any(cell.strip() for cell in cells)]
    if not numbered:
        return Table("", (), (), ())
    if header is None:
        header = _has_header([cells for _, cells in numbered[:SAMPLE_ROWS]])
    if header:
        names, numbered = numbered[0][1], numbered[1:]
    else:
        names = [f"column {at}" for at in range(1, max(len(cells) for _, cells in numbered) + 1)]
    columns = _distinct(names)
    ragged = [number for number, cells in numbered if len(cells) > len(columns)]
    if ragged:
        raise BadInput(
            f"row {ragged[0]} has more cells than the {len(columns)} columns: put quotation marks around "
            f"text that holds {'tabs' if delimiter == chr(9) else f'“{delimiter}”'}"
        )
    rows = tuple(tuple(cells) + ("",) * (len(columns) - len(cells)) for _, cells in numbered)
    return Table("", columns, rows, tuple(number for number, _ in numbered), warnings)


def _records(text: str, delimiter: str, quoting: int) -> Iterator[tuple[int, list[str]]]:
    """Cells of every record with the number of its first line."""
    csv.field_size_limit(max(csv.field_size_limit(), 1 << 24))
    strict = quoting != csv.QUOTE_NONE
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, quoting=quoting, strict=strict)
    line = 1
    for cells in reader:
        yield line, cells
        line = reader.line_num + 1


def _delimiter(text: str) -> str:
    """The mark that cuts most of the first lines into the same number of cells, more than one."""
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
    """False where a cell of the first row comes again below it, as a label does."""
    first, rest = rows[0], rows[1:]
    return not any(
        cell.strip() and any(at < len(row) and row[at].strip() == cell.strip() for row in rest)
        for at, cell in enumerate(first)
    )


def _distinct(names: Sequence[str]) -> tuple[str, ...]:
    """Column names, each once: an empty one is numbered, a second "text" becomes "text (2)"."""
    found: list[str] = []
    for at, name in enumerate(names, 1):
        name = " ".join(name.replace("\ufeff", "").split()) or f"column {at}"
        again, wanted = 2, name
        while wanted in found:
            wanted, again = f"{name} ({again})", again + 1
        found.append(wanted)
    return tuple(found)


def _parquet(source: Source) -> Table:
    try:
        import fastparquet
    except ImportError:
        raise BadInput(
            f"{source.name}: Parquet needs the package fastparquet: run python launch.py once to install it, "
            "or save the table as CSV"
        ) from None
    try:
        frame = fastparquet.ParquetFile(io.BytesIO(source.data)).to_pandas()
    except Exception as error:
        raise BadInput(
            f"{source.name}: a Parquet file that is damaged or holds what cannot be read: save it as CSV"
        ) from error
    columns = _distinct([str(name) for name in frame.columns])
    rows = tuple(tuple(_cell(cell) for cell in row) for row in frame.itertuples(index=False, name=None))
    return Table("", columns, rows, tuple(range(1, len(rows) + 1)))


def _cell(value: object) -> str:
    """A value as text; nothing, or not a number, is empty."""
    if value is None or value != value:
        return ""
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace")
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return value if isinstance(value, str) else str(value)

"""Rows of another shelf's database, each looked at before it is taken: it may be damaged, or hostile."""

import json
import sqlite3
from collections.abc import Callable, Iterator
from typing import Any

from engine.marks.mark import COLOURS, KINDS
from engine.shelf.identifiers import SHAPE
from engine.shelf.jobs import STATES as JOB_STATES
from engine.shelf.rebuilding import SOURCE
from engine.shelf.report import WISHED
from engine.shelf.sqlite import sqlite_utils
from engine.shelf.titles import one_line
from engine.shelf.transcript import SPEAKERS

# parents first
TABLES = ("documents", "readings", "marks", "talks", "messages", "traces", "libraries", "examples", "jobs")
DOCUMENT_STATES = ("waiting", "parsing", "encoding", "paused", "ready", "failed")
TYPES: dict[str, type | tuple[type, ...]] = {"TEXT": str, "INTEGER": int, "REAL": (int, float), "BLOB": bytes}
Row = dict[str, Any]


def _is_line(text: str) -> bool:
    return text == one_line(text)


# what becomes a path, a choice or a line on the screen
RULES: dict[tuple[str, str], Callable[[Any], object]] = {
    ("documents", "id"): SHAPE.fullmatch,
    ("documents", "content_hash"): SHAPE.fullmatch,
    ("documents", "source_file"): SOURCE.fullmatch,
    ("documents", "state"): DOCUMENT_STATES.__contains__,
    ("documents", "title"): _is_line,
    ("documents", "author"): _is_line,
    ("documents", "source_name"): _is_line,
    ("marks", "id"): SHAPE.fullmatch,
    ("marks", "book"): SHAPE.fullmatch,
    ("marks", "kind"): KINDS.__contains__,
    ("marks", "colour"): ("", *COLOURS).__contains__,
    ("talks", "id"): SHAPE.fullmatch,
    ("messages", "role"): SPEAKERS.__contains__,
    ("libraries", "id"): SHAPE.fullmatch,
    ("jobs", "state"): JOB_STATES.__contains__,
    ("jobs", "wish"): ("", *WISHED).__contains__,
}
# columns that hold a JSON object or list, besides those whose default says so
JSON_COLUMNS = {("libraries", "words")}


class Columns:
    """The columns of this program's tables, by which rows from elsewhere are judged."""

    def __init__(self, db: sqlite_utils.Database) -> None:
        self._of = {table: db.table(table).columns for table in TABLES}

    def sound(self, table: str, row: Row) -> bool:
        """Say whether every value is what its column and the rest of the program take for granted."""
        return all(
            self._is_sound(table, column, row[column.name])
            for column in self._of[table]
            if column.name in row
        )

    def known(self, table: str, row: Row) -> Row:
        """Return the row without columns that this program has not."""
        names = {column.name for column in self._of[table]}
        return {name: value for name, value in row.items() if name in names}

    @staticmethod
    def _is_sound(table: str, column: Any, value: Any) -> bool:
        if value is None:
            return not column.notnull
        if not isinstance(value, TYPES[column.type]):
            return False
        if (table, column.name) in RULES and not RULES[table, column.name](value):
            return False
        default = column.default_value
        if default in ("'{}'", "'[]'") or (table, column.name) in JSON_COLUMNS:
            return isinstance(value, str) and _is_json(value, list if default == "'[]'" else dict)
        return True


def _is_json(text: str, kind: type) -> bool:
    try:
        return isinstance(json.loads(text), kind)
    except (ValueError, RecursionError):
        return False


def rescued(db: sqlite3.Connection, table: str) -> Iterator[Row]:
    """Yield the rows that a damaged file still gives, from its front and its back up to the damage."""
    seen: set[int] = set()
    for order in ("ASC", "DESC"):
        try:
            cursor = db.execute(f"SELECT rowid, * FROM {table} ORDER BY rowid {order}")
            names = [column[0] for column in cursor.description[1:]]
            for rowid, *values in cursor:
                if rowid in seen:
                    break
                seen.add(rowid)
                yield dict(zip(names, values, strict=True))
        except sqlite3.DatabaseError:  # from here on nothing can be read in this direction
            continue

"""Which column of a table is the text and which the label: by name where it says so, else by content."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from engine.demonstrations.task import MOST_LABELS
from ingest.errors import BadInput

LABEL_NAMES = ("label", "labels", "class", "category", "sentiment", "type", "topic", "target", "intent",
               "polarity", "tag", "gold", "answer", "author", "genre", "kind", "rating", "y")  # fmt: skip
TEXT_NAMES = ("text", "sentence", "review", "content", "body", "question", "message", "comment", "input",
              "document", "description", "title", "utterance", "tweet", "x")  # fmt: skip
SEEN = 2_000  # rows looked at


class Table(Protocol):
    """Rows of a file, as the reader put in by the application gives them (see ingest.tables)."""

    @property
    def name(self) -> str: ...
    @property
    def columns(self) -> tuple[str, ...]: ...
    @property
    def rows(self) -> Sequence[tuple[str, ...]]: ...
    @property
    def numbers(self) -> Sequence[int]: ...
    @property
    def warnings(self) -> tuple[str, ...]: ...


TableReader = Callable[..., Table]


@dataclass(frozen=True)
class Columns:
    """Names of the two columns that an import reads."""

    text: str
    label: str


def guess_columns(table: Table) -> Columns:
    """Guess which column of a table is the text and which the label.

    Raises BadInput when the table has fewer than two columns.
    """
    if len(table.columns) < 2:
        raise BadInput(
            f"{table.name} has only one column: a library needs a text and a label in each row, "
            "separated by commas, tabs or semicolons"
        )
    label = _named(table.columns, LABEL_NAMES) or min(
        table.columns, key=lambda name: _unlike_labels(table, name)
    )
    rest = [name for name in table.columns if name != label]
    return Columns(_named(rest, TEXT_NAMES) or max(rest, key=lambda name: _mean_length(table, name)), label)


def chosen_columns(table: Table, text: str | None, label: str | None) -> Columns:
    """Take the columns that the user named, and guess each that was not.

    Raises BadInput for a column that the table lacks, or one column for both.
    """
    for name in (text, label):
        if name is not None and name not in table.columns:
            raise BadInput(
                f'{table.name} has no column "{name[:60]}": it has {", ".join(table.columns)[:300]}'
            )
    if text is not None and label is not None:
        chosen = Columns(text, label)
    else:
        guessed = guess_columns(table)
        chosen = Columns(text or guessed.text, label or guessed.label)
        if chosen.text == chosen.label:
            rest = [name for name in table.columns if name != chosen.text]
            by_length = max(rest, key=lambda name: _mean_length(table, name))
            chosen = Columns(chosen.text, rest[0]) if text else Columns(by_length, chosen.label)
    if chosen.text == chosen.label:
        raise BadInput("text and label cannot be the same column: choose two")
    return chosen


def _named(columns: Sequence[str], names: Sequence[str]) -> str | None:
    folded = {column.strip().casefold(): column for column in columns}
    return next((folded[name] for name in names if name in folded), None)


def _values(table: Table, name: str) -> list[str]:
    at = table.columns.index(name)
    return [row[at] for row in table.rows[:SEEN]]


def _mean_length(table: Table, name: str) -> float:
    values = _values(table, name)
    return sum(map(len, values)) / max(1, len(values))


def _unlike_labels(table: Table, name: str) -> tuple[bool, float]:
    """Score how unlike labels a column is: small for few short values that come again."""
    distinct = len(set(_values(table, name)))
    return not 2 <= distinct <= MOST_LABELS, distinct + _mean_length(table, name)

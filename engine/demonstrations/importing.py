"""From the rows of a table to examples: every row is checked before anything is kept.

A preview holds the good examples and, row by row, what is wrong with the others. What is imported is either
all rows, or, where the user says so, all good ones; never a part that depends on where an error stood.
"""

import hashlib
import unicodedata
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass

from engine.demonstrations.columns import Table, chosen_columns
from engine.demonstrations.task import MOST_LABELS, Task, guessed_template, guessed_words
from ingest.errors import BadInput

LONGEST_TEXT = 20_000  # characters
MOST_EXAMPLES = 200_000
SHOWN_PROBLEMS = 3
REPLACED = "\ufffd"


@dataclass(frozen=True)
class Row:
    """One good example, with its row number in the file (the header is row 1)."""

    number: int
    text: str
    label: str


@dataclass(frozen=True)
class Problem:
    """What is wrong with one row, in words."""

    row: int
    what: str

    def __str__(self) -> str:
        return f"row {self.row}: {self.what}"


@dataclass(frozen=True)
class Preview:
    """What an import would keep. words: the verbaliser (guessed, or the library's), in order of frequency."""

    name: str
    columns: tuple[str, ...]
    text_column: str
    label_column: str
    rows: tuple[Row, ...]
    problems: tuple[Problem, ...]
    words: dict[str, str]
    template: str
    warnings: tuple[str, ...] = ()

    @property
    def counts(self) -> dict[str, int]:
        """Return the number of examples of each label."""
        found = Counter(row.label for row in self.rows)
        return {label: found[label] for label in self.words}

    @property
    def read_columns(self) -> tuple[str, str]:
        """Return the names of the columns of text and label."""
        return self.text_column, self.label_column

    def task(
        self, template: str | None = None, words: dict[str, str] | None = None, description: str = ""
    ) -> Task:
        """Return the guessed task, changed by what the user said. Raises BadInput where that does not fit."""
        chosen = self.words | (words or {})
        if unknown := set(words or {}) - set(self.words):
            raise BadInput(
                f'no row has the label "{sorted(unknown)[0][:60]}": it has {", ".join(self.words)[:300]}'
            )
        return Task(template or self.template, chosen, description)

    def require_whole(self) -> None:
        """Raise BadInput that names the first problems, when there are any."""
        if self.problems:
            shown = "; ".join(map(str, self.problems[:SHOWN_PROBLEMS]))
            more = len(self.problems) - SHOWN_PROBLEMS
            rest = f"; and {more:,} more" if more > 0 else ""
            raise BadInput(
                f"{self.name}: {shown}{rest}. Mend these rows, or leave them out; nothing was imported"
            )


def clean(text: str) -> str:
    """Return a text as it is stored: NFC, no control characters, blanks and line ends as one space."""
    kept = "".join(c if c.isspace() or unicodedata.category(c) not in ("Cc", "Cs") else "" for c in text)
    return " ".join(unicodedata.normalize("NFC", kept).split())


def digest(text: str) -> str:
    """Hash a text: two texts of equal digest are the same example."""
    return hashlib.blake2b(clean(text).casefold().encode(), digest_size=12).hexdigest()


def preview(
    table: Table,
    text_column: str | None = None,
    label_column: str | None = None,
    task: Task | None = None,
    known: Collection[str] = (),
) -> Preview:
    """Check every row of a table.

    task: that of a library which the rows will join: other labels are unknown. known: digests of its texts.
    Raises BadInput where no row can be judged: too many rows, no such column, one label only or far too many.
    """
    if len(table.rows) > MOST_EXAMPLES:
        raise BadInput(
            f"{table.name} has {len(table.rows):,} rows; a library holds {MOST_EXAMPLES:,} at most"
        )
    columns = chosen_columns(table, text_column, label_column)
    text_at, label_at = table.columns.index(columns.text), table.columns.index(columns.label)
    rows, problems, seen = [], [], dict.fromkeys(known, 0)
    for number, cells in zip(table.numbers, table.rows, strict=True):
        row = Row(number, clean(cells[text_at]), clean(cells[label_at]))
        problem = _problem(row, task, seen)
        if problem:
            problems.append(Problem(number, problem))
        else:
            seen[digest(row.text)] = number
            rows.append(row)
    return Preview(
        table.name,
        table.columns,
        columns.text,
        columns.label,
        tuple(rows),
        tuple(problems),
        _words(rows, task, columns.label),
        task.template if task else guessed_template(columns.text, columns.label),
        table.warnings,
    )


def _problem(row: Row, task: Task | None, seen: dict[str, int]) -> str | None:
    if not row.text:
        return "the text is empty"
    if not row.label:
        return "the label is empty"
    if REPLACED in row.text or REPLACED in row.label:
        return "wrong encoding: some letters could not be read; name the file's encoding"
    if len(row.text) > LONGEST_TEXT:
        return f"the text has {len(row.text):,} characters; {LONGEST_TEXT:,} is the most"
    if task is not None and row.label not in task.words:
        return f'unknown label "{row.label[:60]}"; this library has {", ".join(task.labels)[:200]}'
    first = seen.get(digest(row.text))
    if first is not None:
        return f"duplicate: the same text stands in {f'row {first}' if first else 'the library'}"
    return None


def _words(rows: list[Row], task: Task | None, column: str) -> dict[str, str]:
    if task is not None:
        return dict(task.words)
    labels = [label for label, _ in Counter(row.label for row in rows).most_common()]
    if len(labels) > MOST_LABELS:
        raise BadInput(
            f'the column "{column[:60]}" has {len(labels):,} different values; a library has at '
            f"most {MOST_LABELS} labels: choose the column that holds the label"
        )
    if len(labels) < 2:
        raise BadInput(
            f'the column "{column[:60]}" has {len(labels)} label{"s" * (len(labels) != 1)} in the rows '
            "that can be read; two are needed: choose another column or add rows"
        )
    return guessed_words(labels)

"""Labels that are one label written in several ways: "Refund", "refund " and "REFUND"; of numbers, 1 and 1.0.

Nothing is joined of its own accord: what differs by capitals alone may be meant to.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

from ingest.tables import Table

_NUMBER = re.compile(r"[+-]?\d{1,30}(?:\.\d{1,30})?")


def spelling_groups(counts: Mapping[str, int]) -> tuple[tuple[str, ...], ...]:
    """Group labels that differ by capitals, blanks or the form of their letters and numbers only.

    counts: label -> rows that have it. Each group begins with the label of the most rows; of equal ones, the
    first in `counts`. A label without others like it is in no group.
    """
    labels = [label for label in counts if label.strip()]
    numbers = all(_NUMBER.fullmatch(_plain(label)) for label in labels)
    groups: dict[object, list[str]] = {}
    for label in labels:
        groups.setdefault(Decimal(_plain(label)) if numbers else _plain(label), []).append(label)
    return tuple(
        tuple(sorted(group, key=lambda label: -counts[label])) for group in groups.values() if len(group) > 1
    )


def join_spellings(table: Table, column: str, groups: Iterable[Sequence[str]]) -> Table:
    """Write each label of a group as the first of its group."""
    at = table.columns.index(column)
    first = {label: group[0] for group in groups for label in group}
    rows = tuple((*row[:at], first.get(row[at], row[at]), *row[at + 1 :]) for row in table.rows)
    return replace(table, rows=rows)


def _plain(label: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", label).casefold().split())

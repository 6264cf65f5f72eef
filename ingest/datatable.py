"""Tables of a page: which hold data and which lay out a page, their rows, and how wide their cells are."""

from collections.abc import Iterator

from lxml import etree

from ingest.tree import local_name, plain_text

LAYOUT_CELL = 300  # characters; a table with longer cells lays out a page rather than data


def is_data_table(table) -> bool:
    """Tell a table of data: cells with short texts and no table inside, at least two columns."""
    if next(table.iterdescendants("{*}table"), None) is not None:
        return False
    columns = 0
    for row in rows_of(table):
        cells = [cell for cell in row if local_name(cell) in ("td", "th")]
        columns = max(columns, len(cells))
        if any(len(plain_text(cell)) > LAYOUT_CELL for cell in cells):
            return False
    return columns > 1


def columns_of(cell) -> int:
    """Return how many columns a cell goes over."""
    written = cell.get("colspan") or "1"
    return min(int(written), 100) if written.isdecimal() and len(written) < 5 else 1


def rows_of(table) -> Iterator:
    """Find the rows of a table; what only looks like a row inside of a cell is none."""
    walk = etree.iterwalk(table, events=("start",))
    for _, element in walk:
        if local_name(element) == "tr":
            yield element
            walk.skip_subtree()

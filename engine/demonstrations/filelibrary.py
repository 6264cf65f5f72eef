"""The library of a file of examples: found or imported, and brought up to date where the file has changed."""

from collections.abc import Callable
from pathlib import Path

from engine.demonstrations.columns import Table, TableReader
from engine.demonstrations.importing import digest, preview
from engine.demonstrations.store import DemonstrationLibrary, Store
from engine.shelf.titles import one_line
from ingest.errors import BadInput


def library_of_file(
    store: Store, read_table: TableReader, path: Path, say: Callable[[str], None], encoding: str | None
) -> DemonstrationLibrary:
    """Find or import the library of a file: see `Demonstrations.find`."""
    place = str(path.resolve())
    known = next((one for one in store.libraries() if one.settings.get("file") == place), None)
    table = _read(read_table, path, known, encoding)
    for warning in table.warnings:
        say(f"{one_line(table.name)}: {warning}")
    known = known or _of_that_name(store, table)
    if known is None:
        wanted = one_line(path.stem, 100)
        name = store.distinct_name(wanted)
        previewed = preview(table)
        previewed.require_whole()
        made = store.create(name, previewed.task(), previewed.rows, previewed.name, previewed.read_columns)
        if name != wanted:
            say(f'there is another library "{wanted}": {one_line(path.name)} becomes "{name}"')
        return store.configure(made.id, file=place, encoding=encoding)
    # not against the texts that it has: a known text may have another label now
    previewed = preview(table, known.text_column, known.label_column, known.task)
    previewed.require_whole()
    added, changed = store.merge(known.id, previewed.rows)
    if changed:
        texts = "1 text has" if changed == 1 else f"{changed:,} texts have"
        say(f'"{known.name}": {texts} another label now, {added:,} added')
    if known.settings.get("file") != place:
        store.configure(known.id, file=place, encoding=encoding)
    return store.get(known.id)


def _read(
    read_table: TableReader, path: Path, known: DemonstrationLibrary | None, encoding: str | None
) -> Table:
    """Read the table of a file as it was read when it was imported. Raises BadInput where it would not be."""
    if known is None:
        return read_table(path, encoding=encoding)
    # what was saved as UTF-8 since is not read as before
    before = read_table(path, encoding=None if _is_utf8(path) else known.settings.get("encoding"))
    if encoding is not None and read_table(path, encoding=encoding).rows != before.rows:
        raise BadInput(
            f'"{known.name}" was imported in another encoding: delete it on the page, or give the file '
            "another name, then import it again"
        )
    return before


def _is_utf8(path: Path) -> bool:
    try:
        path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _of_that_name(store: Store, table: Table) -> DemonstrationLibrary | None:
    """Find a library of that file name, of unknown place, that has a text of the file: a name is no proof."""
    for one in store.libraries():
        if one.source_name != one_line(table.name) or "file" in one.settings or not one.belongs_to(""):
            continue
        if {one.text_column, one.label_column} <= set(table.columns):
            at = table.columns.index(one.text_column)
            if not store.digests(one.id).isdisjoint(digest(row[at]) for row in table.rows):
                return one
    return None

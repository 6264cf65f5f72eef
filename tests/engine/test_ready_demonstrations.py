"""The demonstration libraries that come with the program: whole, small, told where they are from."""

from collections import Counter

import pytest

from engine.demonstrations.importing import clean, digest
from engine.demonstrations.ready import ready_libraries
from engine.paths import DEMONSTRATIONS

LIBRARIES = ready_libraries()


def test_three_come_along_and_are_small():
    assert len(LIBRARIES) == 3
    assert sum(path.stat().st_size for path in DEMONSTRATIONS.iterdir()) < 2_000_000


@pytest.mark.parametrize("library", LIBRARIES, ids=lambda one: one.path.stem)
def test_each_can_be_imported_whole(library):
    rows = library.rows()
    counts = Counter(row.label for row in rows)
    assert set(counts) == set(library.task.labels) and min(counts.values()) >= 20
    assert all(clean(row.text) == row.text for row in rows)
    assert len({digest(row.text) for row in rows}) == len(rows)


@pytest.mark.parametrize("library", LIBRARIES, ids=lambda one: one.path.stem)
def test_each_is_named_with_source_and_licence(library):
    readme = (DEMONSTRATIONS / "README.md").read_text(encoding="utf-8")
    assert library.source and library.licence in readme
    assert library.name in readme and f"{len(library.rows()):,}" in readme

"""Drafts of imports: whose they are, and how many are kept."""

import pytest

from app.desk import import_draft
from app.desk.import_draft import Draft, Drafts
from ingest.tables import pasted_table


def draft(text: str = "a fine film,good\na dull film,bad\n") -> Draft:
    return Draft(text, pasted_table(text, header=False))


def test_a_draft_is_found_by_its_mark_and_its_reader_only():
    drafts, mine = Drafts(), draft()
    ann, ben = drafts.of("ann"), drafts.of("ben")
    mark = ann.keep(mine)
    assert drafts.of("ann").find(mark) is mine
    assert ben.find(mark) is None and ann.find("") is None
    ben.drop(mark)
    assert ann.find(mark) is mine
    ann.drop(mark)
    assert ann.find(mark) is None


@pytest.mark.parametrize(("name", "limit"), [("KEPT_DRAFTS", 2), ("KEPT_BYTES", 70)])
def test_old_drafts_make_room_for_new_ones(monkeypatch, name, limit):
    monkeypatch.setattr(import_draft, name, limit)
    drafts = Drafts()
    marks = [drafts.keep(draft()) for _ in range(3)]
    assert [drafts.find(mark) is not None for mark in marks] == [False, True, True]


def test_one_draft_is_kept_however_large(monkeypatch):
    monkeypatch.setattr(import_draft, "KEPT_BYTES", 1)
    drafts = Drafts()
    assert drafts.find(drafts.keep(draft())) is not None

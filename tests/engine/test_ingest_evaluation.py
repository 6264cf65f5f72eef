"""`evaluate ingest`: its scores, and its table over the pages that it makes."""

import argparse
import json

import pytest

from engine.evaluation import ingest as evaluation
from ingest.errors import BadInput
from ingest.graded.pages import PAGES, Specimen, specimens
from ingest.parse import parse
from tests.ingest.build import epub, page


@pytest.mark.parametrize(
    ("text", "truth", "share"),
    [("a b c", "a b c", 1), ("b a", "a b", 0.5), ("", "a", 0), ("A, b. Head c", "a b c", 6 / 7)],
)
def test_order_is_the_share_of_words_that_follow_the_truth(text, truth, share):
    assert evaluation.order(text, truth) == pytest.approx(share)


@pytest.mark.parametrize(
    ("titles", "truth", "value"),
    [(["A"], ["a."], 1), (["A", "B"], ["A"], 2 / 3), (["A", "A"], ["A", "B"], 0.5)],
)
def test_headings_are_counted_once_each(titles, truth, value):
    assert evaluation.f1(titles, truth) == pytest.approx(value)


def test_a_row_needs_its_cells_in_one_line_in_order():
    made = Specimen("table", rows=[("Mill", "3"), ("Oats", "4"), ("Rye", "5")])
    read = evaluation.Reading("| Mill | 3 |\n4 Oats\nRye\n5", None)
    assert evaluation.score(made, "one", read).rows == pytest.approx(1 / 3)


def test_thirty_pages_are_made_with_their_truth():
    made = specimens()
    assert len(made) * PAGES == 30
    assert all(one.headings and set(one.headings) <= set(one.text) for one in made)
    assert [bool(one.rows) for one in made] == [one.name == "tables" for one in made]


def test_the_parser_reads_the_pages_and_a_loss_is_counted(tmp_path, capsys):
    body = "<p>" + "The miller counted his sacks. " * 3 + "</p>"
    (tmp_path / "whole.epub").write_bytes(epub({"a.xhtml": page(f"<body>{body}</body>")}))
    lossy = epub({"a.xhtml": page(f"<body>{body}</body>")}, extra={"OPS/lost.html": page(body * 3).encode()})
    (tmp_path / "lossy.epub").write_bytes(lossy)
    assert evaluation.run(argparse.Namespace(folder=tmp_path, json=True, parse_file=parse)) == 0
    found = json.loads(capsys.readouterr().out)
    ours = [one for one in found["pages"] if one["reader"] == "LongMem Reader"]
    assert len(ours) == 6 and all(one["order"] > 0.97 for one in ours)
    assert [one["rows"] for one in ours if one["rows"] is not None] == [1.0]
    assert found["letters"][0] | {"share": 0} == {
        "suffix": ".epub", "files": 2, "refused": 0, "share": 0, "warned": 0, "silent": ["lossy.epub"]
    }  # fmt: skip


def test_a_folder_that_is_none_is_refused(tmp_path):
    with pytest.raises(BadInput, match="no folder"):
        evaluation.run(argparse.Namespace(folder=tmp_path / "none", json=False, parse_file=parse))

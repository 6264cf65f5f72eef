"""The tour's own bookkeeping and the book that it prints; the tour itself is measured by hand."""

import pymupdf

from app.command_line import bench_tour
from app.command_line.bench_tour import Tour, made


def test_a_table_tells_which_goals_were_missed(monkeypatch):
    times = iter([10.0, 12.5])
    monkeypatch.setattr(bench_tour.time, "perf_counter", lambda: next(times))
    tour = Tour()
    with tour.step("a book is added", 2):
        pass
    tour.told("it is read", 0.05, 0.1)
    tour.told("it is put away", 3)
    added, read, away = tour.table()
    assert added.endswith("2.50 s  goal 2: MISSED") and read.endswith("0.05 s  goal 0.1: met")
    assert away.endswith("3.00 s")


def test_a_book_of_three_hundred_pages_is_printed(tmp_path):
    short = tmp_path / "short.md"
    short.write_text("# A Tale\n\nOnce there was a goose, and then there was none.\n")
    title, path = made(short, tmp_path)
    with pymupdf.open(path) as printed:
        words = printed[299].get_text().split()
        assert (title, len(printed), printed.metadata["title"]) == ("A Tale", 300, bench_tour.PRINTED)
        assert words[-1] == "300" and words[:-1].count("goose,") > 15

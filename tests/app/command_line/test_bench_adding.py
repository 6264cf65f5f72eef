"""`bench adding`: what starting costs is taken off, and the ways are held against the first."""

import argparse
import json
from pathlib import Path
from types import SimpleNamespace

from app.command_line import bench_adding


def test_each_way_is_held_against_the_first(monkeypatch, capsys):
    seen: list[list[str]] = []
    stores: set[Path] = set()

    def added(words: list[str], store: Path) -> tuple[float, int, float]:
        seen.append(words)
        folder, workers = Path(words[0]), 8 if store in stores else int(words[2])
        if folder.name == "books":
            stores.add(store)
        texts = [path.read_text() for path in folder.iterdir()]
        seconds = 2.0 + sum(len(text) > 90 for text in texts) / workers
        return seconds, sum(map(len, texts)), seconds

    monkeypatch.setattr(bench_adding, "added", added)
    parser = argparse.ArgumentParser()
    bench_adding.add_arguments(parser)
    arguments = parser.parse_args(["--books", "4", "--characters", "91", "--json"])
    arguments.parse_file = lambda path: SimpleNamespace(text="x" * 1000)
    assert bench_adding.run(arguments) == 0
    one, two = json.loads(capsys.readouterr().out)["ways"]
    assert (one["way"], two["way"]) == ("workers 1", "workers 2")
    assert (one["seconds_to_begin"], one["seconds"], two["seconds"]) == (2.0, 6.0, 4.0)
    assert (one["times_the_first"], two["times_the_first"]) == (1.0, 2.0)
    assert [way["processor_seconds_a_book_elsewhere"] for way in (one, two)] == [0.125, 0.125]
    assert [len(words) for words in seen] == [5, 5, 3, 3] * 2
    assert all(words[-2:] == ["--threads", "1"] for words in seen)

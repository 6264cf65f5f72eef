"""`classify` on the command line, over a tiny random model and real files."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from app import commands

PROJECT = Path(__file__).resolve().parents[2]
COMMAND = "import sys; from app import commands; sys.exit(commands.main(sys.argv[1:]))"


@pytest.fixture
def home(monkeypatch, tmp_path, tiny_folder) -> Path:
    monkeypatch.setenv("LONGMEM_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("LONGMEM_MODEL", str(tiny_folder))
    monkeypatch.chdir(tmp_path)
    words = {"good": ("lovely", "splendid", "charming"), "bad": ("dreary", "tedious", "clumsy")}
    rows = [(f"a {words[label][n % 3]} film, number {n}", label) for n in range(12) for label in words]
    (tmp_path / "films.csv").write_text(
        "text,label\n" + "".join(f'"{text}",{label}\n' for text, label in rows)
    )
    (tmp_path / "new.tsv").write_text(
        "id\ttext\n" + "".join(f"{n}\ta splendid, charming film {n}\n" for n in range(80))
    )
    return tmp_path


def test_a_text_is_classified_and_the_file_encoded_once(home, capsys):
    assert commands.main(["classify", "--demos", "films.csv", "--text", "a lovely film", "--json"]) == 0
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert found["label"] == max(found["probabilities"], key=found["probabilities"].get)
    assert set(found["probabilities"]) == {"good", "bad"}
    assert found["memory_examples"] == 24 and found["read"]
    assert {"text", "label", "weight", "where"} == set(found["read"][0])
    assert "films: encode" in err
    assert (
        commands.main(
            ["classify", "--demos", "FILMS", "--text", "a lovely film", "--no-memory", "--shots", "4"]
        )
        == 0
    )
    out, err = capsys.readouterr()
    assert "█" in out and "(vote)" in out and "encode" not in err


def test_a_file_is_classified_row_by_row(home, capsys):
    assert (
        commands.main(
            ["classify", "--demos", "films.csv", "--input", "new.tsv", "--output", "out.csv", "--json"]
        )
        == 0
    )
    found = json.loads(capsys.readouterr().out)
    assert found["rows"] == 80 and sum(found["labels"].values()) == 80
    header, first, *rest = (home / "out.csv").read_text().splitlines()
    assert header == "row,text,label,p(good),p(bad),read 1,read 2,read 3"
    assert first.startswith('2,"a splendid, charming film 0",') and len(rest) == 79
    assert commands.main(["classify", "--demos", "films", "--input", "new.tsv", "--output", "out.jsonl"]) == 0
    assert "80 rows to out.jsonl: " in capsys.readouterr().out


def test_a_corrected_file_is_said_to_have_changed(home, capsys):
    argv = ["classify", "--demos", "films.csv", "--text", "a lovely film"]
    assert commands.main(argv) == 0
    assert "another label" not in capsys.readouterr().err
    path = home / "films.csv"
    path.write_text(path.read_text().replace('number 3",good', 'number 3",bad'))
    assert commands.main(argv) == 0
    assert '"films": 1 text has another label now, 0 added' in capsys.readouterr().err


SLOW = """
import sys, time
from engine.demonstrations.classifier import Classifier
classify = Classifier.classify
def slow(self, texts):
    found = classify(self, texts)
    print("batch", flush=True)
    time.sleep(1)
    return found
Classifier.classify = slow
"""


@pytest.mark.skipif(os.name == "nt", reason="kills by a signal")
def test_a_killed_file_run_goes_on(home, capsys):
    argv = ["classify", "--demos", "films.csv", "--input", "new.tsv", "--output", "out.csv"]
    child = subprocess.Popen(
        [sys.executable, "-c", SLOW + COMMAND, *argv],
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert [child.stdout.readline() for _ in range(2)] == ["batch\n"] * 2
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert not (home / "out.csv").exists()
    assert commands.main(argv) == 0
    out, err = capsys.readouterr()
    assert "32 of 80 rows were done before" in err and "80 rows to out.csv" in out
    assert len((home / "out.csv").read_text().splitlines()) == 81


REFUSED = [
    (["--demos", "films.csv", "--text", " "], "the text is empty"),
    (["--demos", "none.csv", "--text", "x"], "none.csv: there is no such file"),
    (
        ["--demos", "nothing", "--text", "x"],
        'no demonstration library "nothing": there is "Messages to a library desk"',
    ),
    (["--demos", "films.csv", "--input", "new.tsv"], "--input needs --output"),
    (["--demos", "films.csv", "--text", "x", "--output", "o.csv"], "--output belongs to --input"),
    (["--demos", "films.csv", "--text", "x", "--column", "text"], "--column belongs to --input"),
    (["--demos", "films.csv", "--text", "x", "--encoding", "utf-8"], "--encoding belongs to --input"),
    (["--demos", "films.csv", "--input", "new.tsv", "--output", "o.xlsx"], "must end in .csv, .tsv, .jsonl"),
    (["--demos", "films.csv", "--input", "new.tsv", "--output", "no/o.csv"], "there is no folder"),
    (["--demos", "films.csv", "--input", "gone.csv", "--output", "o.csv"], "there is no file gone.csv"),
    (["--demos", "films.csv", "--input", "new.tsv", "--output", "o.csv", "--column", "words"], "no column"),
    (["--demos", "films.csv", "--text", "x", "--shots", "999"], "0 to 200 demonstrations"),
]


@pytest.mark.parametrize(("argv", "says"), REFUSED, ids=lambda part: part if isinstance(part, str) else "")
def test_what_cannot_be_classified_is_one_line(home, capsys, argv, says):
    assert commands.main(["classify", *argv]) == 2
    out, err = capsys.readouterr()
    line = err.splitlines()[-1]
    assert out == "" and says in line and "Traceback" not in err
    assert not list(home.glob("o.*"))


def test_rows_that_are_wrong_are_named_and_nothing_is_kept(home, capsys):
    (home / "broken.csv").write_text("text,label\nfine,good\n,bad\nfine,good\nawful,bad\n")
    assert commands.main(["classify", "--demos", "broken.csv", "--text", "x"]) == 2
    err = capsys.readouterr().err
    assert "row 3: the text is empty; row 4: duplicate" in err and "nothing was imported" in err
    assert commands.main(["classify", "--demos", "broken", "--text", "x"]) == 2

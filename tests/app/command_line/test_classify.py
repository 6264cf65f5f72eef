"""`classify` on the command line, over a tiny random model and real files."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from app.command_line import commands
from engine.demonstrations import demonstrations
from engine.demonstrations.classifier import Classifier
from engine.paths import Paths
from engine.shelf.shelf import Shelf

PROJECT = Path(__file__).resolve().parents[3]
COMMAND = "import sys; from app.command_line import commands; sys.exit(commands.main(sys.argv[1:]))"


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


FILE = ["classify", "--demos", "films.csv", "--input", "new.tsv", "--output", "out.csv"]


@pytest.mark.parametrize(("wish", "state"), [("pause", "paused"), ("cancel", "cancelled")])
def test_a_file_that_is_stopped_from_elsewhere_is_no_result_and_goes_on(
    home, capsys, monkeypatch, wish, state
):
    """What another program stops is neither written nor deleted, and the exit code tells it."""
    jobs, classify = Shelf(Paths.default()).jobs, Classifier.classify

    def stopped(self, texts):
        (job,) = [one for one in jobs.all(unfinished=True) if one.kind.startswith("classify:")]
        getattr(jobs, wish)(job.id)
        time.sleep(0.3)  # a worker looks for wishes four times a second
        return classify(self, texts)

    monkeypatch.setattr(Classifier, "classify", stopped)
    assert commands.main([*FILE, "--json"]) == 1
    out, err = capsys.readouterr()
    said = f"new.tsv was {state} from elsewhere, 32 of 80 rows done and nothing written: "
    assert (out, err.splitlines()[-1]) == ("", said + "the same command goes on")
    assert not (home / "out.csv").exists()
    monkeypatch.setattr(Classifier, "classify", classify)
    assert commands.main(FILE) == 0
    out, err = capsys.readouterr()
    assert "32 of 80 rows were done before" in err and "80 rows to out.csv" in out


def test_an_encoding_that_is_stopped_from_elsewhere_is_said_to_be(home, capsys, monkeypatch):
    jobs, encode = Shelf(Paths.default()).jobs, demonstrations.encode_examples

    def stopped(*given):
        (job,) = jobs.all(unfinished=True)
        jobs.pause(job.id)
        time.sleep(0.3)
        return encode(*given)

    monkeypatch.setattr(demonstrations, "encode_examples", stopped)
    assert commands.main(FILE) == 1
    said = 'the encoding of "films" was stopped from elsewhere: the same command goes on'
    assert capsys.readouterr().err.splitlines()[-1] == said
    assert [job.state for job in jobs.all()] == ["paused"]


def test_the_file_that_is_read_is_not_written_over(home, capsys):
    (home / "link.csv").symlink_to(home / "films.csv")
    (home / "new.csv").write_text("text\nA fine film.\n")
    (home / "twin.csv").symlink_to(home / "new.csv")
    for read, output, option in (("new.csv", "./new.csv", "--input"), ("new.csv", "twin.csv", "--input"),
                                 ("twin.csv", "new.csv", "--input"), ("new.csv", "films.csv", "--demos"),
                                 ("new.csv", "link.csv", "--demos")):  # fmt: skip
        argv = ["classify", "--demos", "films.csv", "--input", read, "--output", output]
        assert commands.main(argv) == 2
        assert f"is the file of {option} itself: give another name\n" in capsys.readouterr().err
    assert (home / "new.csv").read_text() == "text\nA fine film.\n"


def test_a_file_that_is_not_there_is_noticed_before_anything_is_imported(home, capsys):
    assert (
        commands.main(["classify", "--demos", "films.csv", "--input", "gone.csv", "--output", "o.csv"]) == 2
    )
    assert not (home / "home").exists()


WRONG = "the encoding was guessed as"


def test_each_table_may_name_its_encoding_and_a_guess_is_said(home, capsys):
    cyrillic = "текст,ярлык\n" + "".join(f"Фильм {n},{'да' if n % 2 else 'нет'}\n" for n in range(8))
    (home / "demos.csv").write_bytes(cyrillic.encode("cp1251"))
    (home / "texts.csv").write_bytes("текст\nНовый фильм\n".encode("cp866"))
    argv = ["classify", "--demos", "demos.csv", "--input", "texts.csv", "--output", "out.jsonl"]
    named = [*argv, "--demos-encoding", "cp1251", "--encoding", "cp866"]
    assert commands.main(named) == 0
    assert WRONG not in capsys.readouterr().err
    found = json.loads((home / "out.jsonl").read_text(encoding="utf-8"))
    assert found["text"] == "Новый фильм" and found["label"] in ("да", "нет")
    # once imported, a file is read as it was then
    assert commands.main(["classify", "--demos", "demos.csv", "--text", "фильм"]) == 0
    assert WRONG not in capsys.readouterr().err
    assert commands.main([*named[:-3], "cp866", "--encoding", "cp866"]) == 2
    assert '"demos" was imported in another encoding: delete it' in capsys.readouterr().err
    (home / "guessed.csv").write_bytes("text,label\nCafé one,a\nCafé two,b\n".encode("latin-1"))
    argv = ["classify", "--demos", "guessed.csv", "--input", "guessed.csv", "--output", "out.jsonl"]
    assert commands.main(argv) == 0
    lines = [line for line in capsys.readouterr().err.splitlines() if WRONG in line]
    assert [line.rpartition("(")[2] for line in lines] == ["--encoding)", "--demos-encoding)"]
    assert all(line.startswith("guessed.csv: ") for line in lines)


REFUSED = [
    (["--demos", "films.csv", "--text", " "], "the text is empty"),
    (["--demos", "none.csv", "--text", "x"], "none.csv: there is no such file"),
    (["--demos", "~nosuchuser/x.csv", "--text", "x"], "~nosuchuser/x.csv: there is no such file"),
    (["--demos", "a" * 300, "--text", "x"], "no demonstration library"),
    (["--demos", "films.csv", "--input", "~nosuchuser/x", "--output", "o.csv"], "there is no file"),
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

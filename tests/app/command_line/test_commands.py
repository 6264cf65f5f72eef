"""The command line over a fake assistant: what it understands, what it prints where, how it ends."""

import argparse
import contextlib
import io
import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from app.command_line import arguments, commands, opening, printing, run_tests
from app.html import wording
from engine.answering.answer import Citation
from engine.arguments import DEVICE_VARIABLE, PRECISION_VARIABLE
from engine.errors import Failure
from ingest.errors import BadInput

PROJECT = Path(__file__).resolve().parents[3]
ENTRY = SimpleNamespace(
    id="ab12cd34",
    title="Emma\x1b[31m",
    author="Jane Austen",
    tokens=200123,
    bank_bytes=98765432,
    state="ready",
    warnings=["1 of 3 pages\x1b[2J have text"],
)
CITATION = Citation("50f5", "Emma\nWoodhouse", 10, 24, "Chapter I, paragraph 1", 0.8)
ANSWER = SimpleNamespace(
    answered=True,
    span="handsome",
    confidence=0.9,
    text="She is handsome.",
    citations=[CITATION],
    looked=[],
    tokens=4,
    seconds_to_first_token=0.51,
    tokens_per_second=20.0,
    memory_tokens=200123,
)


class FakeAssistant:
    """Answers at once and remembers how it was asked."""

    def __init__(self):
        self.calls = []
        self.shelf = SimpleNamespace(entries=lambda: [ENTRY])
        self.library = self
        self.keeper = SimpleNamespace(gathering=contextlib.nullcontext)

    def add(self, path, *, password=None, encoding=None, ocr=None, dtype=None, progress=None):
        self.calls.append(("add", path.name, password, encoding))
        if path.name == "broken.pdf":
            raise BadInput("broken.pdf is no PDF; give a whole file")
        if path.name == "full.pdf":
            raise Failure("the disk is full; make room")
        progress(SimpleNamespace(stage="encode", percentage=50.0, seconds_left=12.0))
        return ENTRY

    def ask(self, document, question, *, until=None, within=None, sampling=None, stop=None):
        self.calls.append(("ask", document, question, until, within, sampling))
        print("a library that talks")
        yield SimpleNamespace(text="She is ", answer=None)
        yield SimpleNamespace(text="hand\x1b]0;some.", answer=None)
        yield SimpleNamespace(text="", answer=ANSWER)

    def continue_(self, document, *, at=None, prompt=None, tokens=200, memory=True, sampling=None, stop=None):
        self.calls.append(("continue", document, at, prompt, tokens, memory, sampling))
        yield SimpleNamespace(text="And so on.", answer=ANSWER)

    def remove(self, words, keep_marks=False):
        self.calls.append(("remove", words))
        if words == "nothing":
            raise BadInput("no document 'nothing'; see: python launch.py shelf")
        return 98765432


@pytest.fixture
def fake(monkeypatch, tmp_path) -> FakeAssistant:
    made = FakeAssistant()
    monkeypatch.setenv("LONGMEM_HOME", str(tmp_path))  # where no page runs
    monkeypatch.setattr(commands, "assistant", lambda arguments: made)
    monkeypatch.setattr(commands, "texts", lambda arguments: made)
    monkeypatch.setattr(commands, "stay_local", lambda model: None)
    return made


PARSED = [
    (["add", "a.epub", "b.pdf"], {"command": "add", "files": ["a.epub", "b.pdf"], "json": False}),
    (["add", "a.pdf", "--password", "x"], {"password": "x", "encoding": None}),
    (["shelf", "--json"], {"command": "shelf", "json": True}),
    (["ask", "Emma", "who?", "--until", "45%"], {"document": "Emma", "question": "who?", "until": "45%"}),
    (["ask", "who?", "--all", "--until", "read"], {"document": None, "question": "who?", "until": "read"}),
    (["ask", "Emma", "who?", "--within", "Chapter I", "--json"], {"within": "Chapter I", "json": True}),
    (["ask", "Emma", "who?", "--seed", "3", "--max-tokens", "9"], {"seed": 3, "max_tokens": 9}),
    (
        ["continue", "Emma", "--at", "page 3", "--tokens", "5"],
        {"at": "page 3", "tokens": 5, "no_memory": False},
    ),
    (
        ["continue", "--prompt", "Once", "--no-memory"],
        {"document": None, "prompt": "Once", "no_memory": True},
    ),
    (["continue", "Emma", "--prompt", "Once"], {"document": "Emma", "prompt": "Once"}),
    (["remove", "Emma"], {"document": "Emma", "debug": False}),
    (["--debug", "remove", "Emma"], {"debug": True}),
    (["remove", "Emma", "--debug"], {"debug": True}),
    (["test", "-k", "bank", "-x"], {"command": "test", "pytest": ["-k", "bank", "-x"]}),
    (["doctor", "--json"], {"command": "doctor", "json": True}),
    ([], {"command": None}),
]


@pytest.mark.parametrize(("argv", "expected"), PARSED)
def test_a_command_line_is_understood(argv, expected):
    found = vars(commands.parse(argv))
    assert {name: found[name] for name in expected} == expected


REFUSED = [
    (["nonsense"], "nonsense"),
    (["ask"], "QUESTION"),
    (["ask", "Emma", "who?", "--all"], "or --all and QUESTION"),
    (["ask", "Emma", "who?", "--device", "tpu"], "there is no device 'tpu'; choose auto, cpu, cuda"),
    (["ask", "Emma", "who?", "--precision", "float8"], "invalid choice: 'float8'"),
    (["--device", "cpu", "ask", "Emma", "who?"], "--device stands after ask"),
    (["--device", "cpu", "shelf"], "--device belongs to the page; leave it out"),
    (["ask", "Emma"], "QUESTION"),
    (["ask", "Emma", "who?", "--max-tokens", "0"], "whole number from 1"),
    (["ask", "Emma", "who?", "--temperature", "hot"], "hot"),
    (["shelf", "--js"], "--js"),
    (["continue"], "document or --prompt"),
    (["continue", "--prompt", "x", "--at", "page 3"], "not allowed with"),
    (["continue", "Emma", "--tokens", "-1"], "--tokens"),
    (["remove"], "DOC"),
    (["add"], "FILE"),
    (["--read-only", "shelf"], "--read-only belongs to the page; leave it out"),
    (["--threads", "2", "ask", "Emma", "who?"], "--threads stands after ask"),
    (["--threads", "2", "classify", "--demos", "x", "--text", "y"], "--threads stands after classify"),
    (["--threads", "1", "shelf"], "--threads belongs to the page; leave it out"),
    (["classify", "--demos", "x", "--text", "y", "--threads", "-2"], "'-2' is not a whole number from 1"),
    (["classify", "--demos", "x", "--text", "y", "--threads", "0"], "'0' is not a whole number from 1"),
    (["classify", "--demos", "x", "--text", "y", "--seed", "9" * 20], "is not a whole number from 0 to"),
    (["continue", "Emma", "--seed", "9" * 20], "is not a whole number from 0 to"),
    (["--port", "99999"], "is not a whole number from 1 to 65,535"),
    (["bench", "page", "--rounds", "0"], "whole number from 1"),
    (["bench", "page", "--threads", "0"], "whole number from 1"),
    (["bench", "encode", "--rounds", "0"], "whole number from 1"),
    (["bench", "generation", "--sizes", "100", "0"], "whole number from 1"),
    (["bench", "retrieval", "--chunks", "0"], "whole number from 1"),
    (["bench", "bank", "--tokens", "0"], "whole number from 1"),
    (["ask", "Emma", "who?", "--until", ""], "--until: it is empty"),
    (["ask", "Emma", "who?", "--within", " "], "--within: it is empty"),
    (["add", "novel.epub", ""], "FILE: it is empty; name a file or a folder"),
    (["backup", ""], "it is empty; name a file or a folder"),
    (["export", "--output", " "], "--output: it is empty; name a file or a folder"),
    (["evaluate", "readers", "--questions", "q.jsonl", "--books", ""], "--books: it is empty"),
    (["ask", "Emma", "who \udcff?"], "bytes that are no text"),
    (["continue", "--prompt", "b\udcff"], "bytes that are no text"),
]


@pytest.mark.parametrize(("argv", "says"), REFUSED)
def test_a_wrong_command_line_gets_one_line_and_exit_code_2(argv, says, capsys):
    with pytest.raises(SystemExit) as end:
        commands.parse(argv)
    out, err = capsys.readouterr()
    assert end.value.code == 2
    assert out == ""
    assert says in err and err.count("\n") == 1
    assert "--help" in err


def test_help_names_every_command(capsys):
    with pytest.raises(SystemExit) as end:
        commands.parse(["--help"])
    assert end.value.code == 0
    out = capsys.readouterr().out
    for name in ("add", "shelf", "ask", "continue", "remove", "test", "doctor", *commands.DELEGATES):
        assert re.search(rf"\n    {name}\s", out), name


def test_every_option_of_the_page_is_refused_before_a_command_and_its_values_have_a_name(capsys):
    assert {"host", "read_only", "page_model", "page_threads"} <= set(arguments.PAGE_OPTIONS)
    assert arguments.model_options(commands.parse(["--model", "m", "--threads", "2"]), arguments.PAGE) == {
        "model": "m",
        "sidenet": None,
        "threads": 2,
    }
    with pytest.raises(SystemExit):
        commands.parse(["--help"])
    assert "PAGE_" not in capsys.readouterr().out


def test_the_model_of_the_environment_is_taken_where_none_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("LONGMEM_HOME", str(tmp_path))
    monkeypatch.setenv("LONGMEM_MODEL", "some/model")
    for argv, prefix, model in (
        (["shelf"], "", "some/model"),
        (["ask", "a", "b", "--model", "another"], "", "another"),
        ([], arguments.PAGE, "some/model"),
        (["--model", "another"], arguments.PAGE, "another"),
    ):
        assert commands.assistant(commands.parse(argv), prefix).library.model.name == model


MODELLESS = {"bench retrieval", "bench bank", "bench start", "bench page", "bench soak", "bench probe"}
MODELLESS |= {
    "add-reranker",
    "make-questions",
    "train-crossreader",
    "bench adding",
    "bench fuzz",
    "bench kills",
    "bench tour",
    "evaluate ingest",
} | {f"account {word}" for word in ("add", "limit", "list", "password", "remove", "revoke", "token")}


def leaves(parser, name):
    """Every command below a parser, with its name."""
    below = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    if not below:
        yield name, parser
    for word, command in [pair for action in below for pair in action.choices.items()]:
        yield from leaves(command, f"{name} {word}".strip())


@pytest.mark.parametrize("delegate", commands.DELEGATES)
def test_every_command_that_loads_a_model_takes_a_device(delegate):
    found = dict(leaves(commands.build_parser(delegate), ""))
    ours = {name for name in found if name.split()[0] == delegate} | {"add", "ask", "continue", "doctor"}
    assert len(ours) >= 5
    without = {name for name in ours - MODELLESS if "--device" not in found[name]._option_string_actions}
    assert not without
    precise = {name for name in ours - MODELLESS if "--precision" not in found[name]._option_string_actions}
    assert precise <= {"train"}, precise


@pytest.mark.parametrize("argv", [["ask", "Emma", "who?"], ["bench", "encode"], ["doctor"], []])
def test_device_and_precision_hold_for_every_model_of_the_process(argv, monkeypatch):
    for name in (DEVICE_VARIABLE, PRECISION_VARIABLE):
        monkeypatch.setenv(name, "")  # put back what it was, whatever is set
    opening.choose_device(commands.parse([*argv, "--device", "cpu", "--precision", "bfloat16"]))
    assert (os.environ[DEVICE_VARIABLE], os.environ[PRECISION_VARIABLE]) == ("cpu", "bfloat16")


def test_threads_that_wait_sleep_soon_and_pytorch_is_not_yet_loaded_then():
    names = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")
    code = (
        "import os, sys; from app.command_line import commands\n"
        "said = lambda argv: print(*map(os.environ.get, names), 'torch' in sys.modules) or exit()\n"
        f"names = {names}\n"
        "commands.parse = said\n"
        "commands.longmem()"
    )
    environment = {name: value for name, value in os.environ.items() if name not in names}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, cwd=PROJECT
    )
    assert done.stdout.split() == ["PASSIVE", opening.SPINS, "False"], done.stderr


def test_ask_prints_the_answer_its_places_and_nothing_that_steers_a_terminal(fake, capsys):
    assert commands.main(["ask", "Emma", "how?"]) == 0
    out, err = capsys.readouterr()
    assert "She is hand]0;some.\n[1] Chapter I, paragraph 1: “Emma Woodhouse”\n" in out
    assert "\x1b" not in out
    assert "4 tokens" in err and "200,123 tokens of memory" in err


def test_ask_names_the_places_looked_at_where_none_is_sure(fake, capsys, monkeypatch):
    unsure = SimpleNamespace(**{**vars(ANSWER), "citations": [], "looked": [CITATION]})
    monkeypatch.setattr(fake, "ask", lambda *_, **__: iter([SimpleNamespace(text="", answer=unsure)]))
    assert commands.main(["ask", "Emma", "how?"]) == 0
    assert "\nclosest Chapter I, paragraph 1: “Emma Woodhouse”\n" in capsys.readouterr().out
    long = "It rained. " * 40 + "Then came Mr.\nKnightley. " + "It rained. " * 40
    first = long.index("Mr.")
    unsure.looked = [replace(CITATION, text=long, words=(first, first + 13))]
    assert commands.main(["ask", "Emma", "who?"]) == 0
    (told,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("closest")]
    assert "Then came Mr. Knightley." in told and told.endswith("…” – perhaps “Mr. Knightley”")
    assert "“… " in told and len(told) < 300


def test_ask_as_json_is_exactly_one_object_whatever_a_library_prints(fake, capsys):
    assert commands.main(["ask", "Emma", "how?", "--json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out) == {
        "answer": "She is handsome.",
        "answered": True,
        "span": "handsome",
        "confidence": 0.9,
        "citations": [
            {
                "document": "50f5",
                "text": "Emma\nWoodhouse",
                "start": 10,
                "end": 24,
                "place": "Chapter I, paragraph 1",
                "score": 0.8,
            }
        ],
        "looked_at": [],
        "tokens": 4,
        "seconds_to_first_token": 0.51,
        "tokens_per_second": 20.0,
        "memory_tokens": 200123,
    }
    assert out.count("\n") == 1
    assert "a library that talks" in err


def test_what_the_user_names_reaches_the_assistant(fake):
    commands.main(
        ["ask", "Emma", "how?", "--until", "page 3", "--within", "I", "--top-p", "0.5", "--seed", "7"]
    )
    name, document, question, until, within, sampling = fake.calls[0]
    assert (name, document, question, until, within) == ("ask", "Emma", "how?", "page 3", "I")
    assert (sampling.top_p, sampling.seed) == (0.5, 7)
    commands.main(["continue", "Emma", "--at", "45%", "--tokens", "9", "--no-memory", "--temperature", "0"])
    *told, sampling = fake.calls[1]
    assert told == ["continue", "Emma", "45%", None, 9, False]
    assert sampling.temperature == 0


def test_settings_out_of_range_are_bad_input(fake, capsys):
    assert commands.main(["ask", "Emma", "how?", "--top-p", "2"]) == 2
    assert capsys.readouterr().err.startswith("top-p must")


def test_add_tries_every_file_and_keeps_the_exit_code(fake, capsys):
    assert commands.main(["add", "broken.pdf", "good.epub", "--json"]) == 2
    out, err = capsys.readouterr()
    (added,) = json.loads(out)["documents"]
    assert added["id"] == "ab12cd34" and added["tokens"] == 200123
    assert added["bank_bytes"] == 98765432 and added["seconds"] >= 0
    assert "broken.pdf is no PDF; give a whole file\n" in err
    assert "good.epub: encode 50 %, about 12 s left\n" in err
    assert commands.main(["add", "full.pdf"]) == 1


def test_add_and_shelf_print_a_line_per_document(fake, capsys):
    assert commands.main(["add", "good.epub"]) == 0
    added = capsys.readouterr().out
    assert added.startswith("ab12cd34  Emma[31m: 200,123 tokens, 98.8 MB of memory, ")
    assert added.splitlines()[1:] == ["  note: 1 of 3 pages[2J have text"]
    assert commands.main(["shelf"]) == 0
    header, row = capsys.readouterr().out.splitlines()
    assert header.split() == ["id", "title", "author", "tokens", "memory", "state"]
    assert row.split() == ["ab12cd34", "Emma[31m", "Jane", "Austen", "200,123", "98.8", "MB", "ready"]
    assert commands.main(["shelf", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["documents"][0]["title"] == "Emma\x1b[31m"


def test_remove_says_what_was_freed(fake, capsys):
    assert commands.main(["remove", "Emma", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"removed": "Emma", "freed_bytes": 98765432}


ENDINGS = [
    (BadInput("give another file"), 2, "give another file\n"),
    (Failure("make room\non the disk"), 1, "make room on the disk\n"),
    (KeyboardInterrupt(), 130, "interrupted\n"),
    (ZeroDivisionError("by zero"), 1, "ZeroDivisionError: by zero"),
]


@pytest.mark.parametrize(("error", "code", "says"), ENDINGS)
def test_every_error_is_one_line_with_its_exit_code(fake, monkeypatch, capsys, error, code, says):
    def fail(words, keep_marks=False):
        raise error

    monkeypatch.setattr(fake, "remove", fail)
    assert commands.main(["remove", "Emma"]) == code
    out, err = capsys.readouterr()
    assert out == "" and err.startswith(says) and err.count("\n") == 1
    assert commands.main(["remove", "Emma", "--debug"]) == code
    err = capsys.readouterr().err
    assert "Traceback" in err and says.strip() in err


def test_a_model_of_the_hub_opens_the_network_and_nothing_else_does(monkeypatch, tmp_path):
    def offline_after(model):
        monkeypatch.setattr(os, "environ", {})
        commands.stay_local(model)
        assert os.environ["GRADIO_ANALYTICS_ENABLED"] == "False"
        assert os.environ["HF_HUB_DISABLE_TELEMETRY"] == "1"
        return os.environ.get("HF_HUB_OFFLINE") == "1" and os.environ.get("TRANSFORMERS_OFFLINE") == "1"

    assert offline_after(None)
    assert offline_after(str(tmp_path))
    assert offline_after("models/some.gguf")
    assert not offline_after("someone/some-model")


MODELS = [
    (["ask", "a", "b"], None, None),
    (["ask", "a", "b", "--model", "x/y"], None, "x/y"),
    (["train", "--model=x/y"], "z", "x/y"),
    (["ask", "a", "b"], "z", "z"),
    (["ask", "a", "b"], "", None),
]


@pytest.mark.parametrize(("argv", "environment", "model"), MODELS)
def test_the_model_is_known_before_anything_is_imported(monkeypatch, argv, environment, model):
    monkeypatch.delenv("LONGMEM_MODEL", raising=False)
    if environment is not None:
        monkeypatch.setenv("LONGMEM_MODEL", environment)
    assert commands.named_model(argv) == model


def test_a_delegate_is_one_line_of_the_registry(monkeypatch, tmp_path, capsys):
    (tmp_path / "a_delegate.py").write_text(
        "def add_arguments(parser):\n    parser.add_argument('--deep', action='store_true')\n"
        "def run(arguments):\n    print('deep' if arguments.deep else 'flat')\n    return 5\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(commands.DELEGATES, "dig", commands.Delegate("a_delegate", "dig a hole"))
    monkeypatch.setitem(commands.DELEGATES, "fly", commands.Delegate("no_such_module", "never imported"))
    assert commands.main(["dig", "--deep"]) == 5
    assert capsys.readouterr().out == "deep\n"
    assert commands.parse(["fly", "--any", "thing"], installed=False).command == "fly"


def test_every_command_has_help(capsys):
    for name in ("add", "shelf", "ask", "continue", "remove", "test", "doctor", *commands.DELEGATES):
        with pytest.raises(SystemExit) as end:
            commands.parse([name, "--help"])
        assert end.value.code == 0
        assert f"launch.py {name}" in capsys.readouterr().out


PYTEST_ARGUMENTS = [
    ([], run_tests.WORKERS),
    (["-x", "-q", "--color=yes"], [*run_tests.WORKERS, "-x", "-q", "--color=yes"]),
    (["-k", "bank"], ["-k", "bank"]),
    (["--cov"], [*run_tests.WORKERS, "--cov"]),
    (["-n", "0"], [*run_tests.WORKERS, "-n", "0"]),
    (["--quick", "-x"], ["-m", "not slow", *run_tests.WORKERS, "-x"]),
    (["near.py", "--quick"], ["-m", "not slow", "{here}/near.py"]),
    (["-m", "slow", "-q"], ["-m", "slow", "-q"]),
    (["--deselect=tests/x.py"], ["--deselect=tests/x.py"]),
    (["tests/app"], ["tests/app"]),
    (["near.py::test_x"], ["{here}/near.py::test_x"]),
    (["-k", "near.py"], ["-k", "near.py"]),
    (["-p", "no:cacheprovider"], [*run_tests.WORKERS, "-p", "no:cacheprovider"]),
]


@pytest.mark.parametrize(("words", "expected"), PYTEST_ARGUMENTS)
def test_pytest_gets_its_arguments(words, expected, tmp_path):
    (tmp_path / "near.py").touch()
    here = str(tmp_path.resolve())
    assert run_tests.pytest_arguments(words, tmp_path) == [word.replace("{here}", here) for word in expected]


def test_the_test_command_runs_pytest_from_anywhere(tmp_path):
    (tmp_path / "test_one.py").write_text("import app\ndef test_fails():\n    assert False\n")
    script = "import sys; from app.command_line import commands; sys.exit(commands.main(sys.argv[1:]))"
    found = subprocess.run(
        [sys.executable, "-c", script, "test", "test_one.py", "-q", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
    )
    assert found.returncode == 1
    assert "1 failed" in found.stdout


def test_what_needs_no_model_starts_without_its_libraries(tmp_path):
    script = (
        "import sys; from app.command_line import commands\n"
        "codes = [commands.main(argv) for argv in (['shelf'], ['search', 'x'], ['read', 'nothing'])]\n"
        "print(codes, {'torch', 'transformers', 'gradio', 'faiss', 'pymupdf'} & sys.modules.keys())"
    )
    found = subprocess.run(
        [sys.executable, "-c", script],
        cwd=PROJECT,
        env={**os.environ, "LONGMEM_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert found.stdout == "[0, 0, 2] set()\n", found.stderr


def test_a_closed_pipe_is_no_traceback(tmp_path):
    script = (
        "import sys; from app.command_line import commands\n"
        "commands.list_shelf = lambda arguments: print('x' * 10**6) or 0\n"
        "sys.exit(commands.main(['shelf']))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script], cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    process.stdout.read(10)
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait() == 1


def test_json_is_escaped_where_the_stream_cannot_print_it():
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding="ascii")
    printing.print_json({"place": "Über"}, out)
    assert raw.getvalue() == b'{"place": "\\u00dcber"}\n'


def test_progress_in_a_log_is_a_line_per_ten_percent():
    out = io.StringIO()
    progress = printing.Progress("Emma", out)
    for done in range(101):
        progress(SimpleNamespace(stage="encode", percentage=float(done), seconds_left=None))
    progress.close()
    assert out.getvalue().splitlines() == [f"Emma: encode {done} %" for done in range(0, 101, 10)]


def test_progress_on_a_terminal_is_redrawn_in_place():
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    out = Terminal()
    progress = printing.Progress("Emma", out)
    for stage in ("parse", "encode"):
        progress(SimpleNamespace(stage=stage, percentage=1.0, seconds_left=None))
    progress.close()
    assert out.getvalue() == "\r\x1b[KEmma: parse 1 %\r\x1b[KEmma: encode 1 %\n"


SIZES = [(0, "0 bytes"), (999, "999 bytes"), (1000, "1.0 kB"), (98_765_432, "98.8 MB"), (3 * 10**9, "3.0 GB")]


@pytest.mark.parametrize(("count", "words"), SIZES)
def test_sizes_are_for_people(count, words):
    assert wording.size(count) == words


def test_out_of_a_delegate_stays_the_folder_it_was_given(tmp_path, monkeypatch):
    """`--out` belongs to evaluate and train; the command line's own stream has another name."""
    from engine.evaluation import perplexity

    seen = []
    monkeypatch.setattr(perplexity, "run", lambda arguments: seen.append(arguments) or 0)
    words = ["evaluate", "perplexity", "--books", str(tmp_path), "--out", str(tmp_path / "out")]
    assert commands.main(words) == 0
    assert seen[0].out == tmp_path / "out"
    assert callable(seen[0].parse_file)


def test_options_of_the_page():
    parsed = commands.parse(["--host", "0.0.0.0", "--port", "8000", "--auth", "a:b", "--read-only"])
    assert parsed.function is commands.open_page
    assert (parsed.host, parsed.port, parsed.auth, parsed.read_only) == ("0.0.0.0", 8000, ["a:b"], True)
    assert commands.parse(["--model", "m.gguf"]).page_model == "m.gguf"
    assert commands.parse(["ask", "d", "q", "--model", "m"]).model == "m"


@pytest.mark.parametrize("argv", [["--port", "8000", "shelf"], ["--model", "m", "ask", "d", "q"]])
def test_options_of_the_page_before_a_command_are_refused(argv, capsys):
    with pytest.raises(SystemExit) as end:
        commands.parse(argv)
    assert end.value.code == 2
    assert "belongs to the page" in capsys.readouterr().err


def test_a_backup_is_written_and_restored(tmp_path, monkeypatch, capsys):
    kept = str(tmp_path / "kept.zip")
    monkeypatch.setenv("LONGMEM_HOME", str(tmp_path / "home"))
    assert commands.main(["backup", kept, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["books"] == 0
    assert commands.main(["backup", kept]) == 2
    assert "already: name another" in capsys.readouterr().err
    assert commands.main(["restore", kept]) == 0
    assert capsys.readouterr().out == "restored 0 books, 0 talks, 0 libraries of examples\n"
    Path(kept).write_bytes(b"PK\x03\x04")
    assert commands.main(["restore", kept]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "is no whole backup" in said

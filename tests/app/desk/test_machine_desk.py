"""What the page may choose for the next start, where, and what goes before it."""

import argparse
import signal
import sys
import threading
from types import SimpleNamespace

import gradio as gr
import pytest
import torch

from app.command_line import opening
from app.desk import adapting
from app.desk.machine_desk import MachineDesk
from app.tabs.adapt_form import AdaptForm
from app.tabs.machine_form import MachineForm, known_html
from app.tabs.settings_tab import fetching_html
from engine.backbone.known import KNOWN
from engine.datafolder import CHOSEN, user_data_folder
from engine.model import Model
from engine.paths import Paths
from engine.training import adapt
from ingest.errors import BadInput
from tests.app.browser import until


def desk(home, *given, **more) -> SimpleNamespace:
    """A desk; given: name and threads of its model, as on the command line."""
    library = SimpleNamespace(model=Model(Paths(home), *given[:1], threads=given[1] if given[1:] else None))
    values = {"shelf": SimpleNamespace(paths=Paths(home)), "read_only": False, "accounts": None,
              "assistant": SimpleNamespace(library=library), "endings": []}  # fmt: skip
    return SimpleNamespace(**values | more)


@pytest.fixture(autouse=True)
def nothing_named(monkeypatch):
    for name in ("MODEL", "DEVICE", "PRECISION", "THREADS"):
        # set first, so that what a test leaves there goes with it
        monkeypatch.setenv(f"LONGMEM_{name}", "x")
        monkeypatch.delenv(f"LONGMEM_{name}")


def test_what_the_form_keeps_the_next_start_takes(tmp_path, monkeypatch, capsys):
    with gr.Blocks():
        form = MachineForm(desk(tmp_path))
    assert "next start" in form.on_save("auto", "cpu", "bfloat16", "2", "")
    assert "anew" not in form.on_save("auto", "cpu", "bfloat16", " 3 ", "")
    assert "anew" in form.on_save(KNOWN[0].name, "cpu", "bfloat16", "3", "")
    shown = form.on_open()
    assert (shown[form.threads], shown[form.model]) == ("3", KNOWN[0].name)
    monkeypatch.setenv("LONGMEM_HOME", str(tmp_path))
    opening.choose_kept(["evaluate", "qa"])
    assert opening.named_model([]) is None
    opening.choose_kept(["ask", "emma", "Who?"])
    assert opening.named_model([]) == KNOWN[0].name
    assert MachineDesk(desk(tmp_path)).overruled == []
    monkeypatch.setenv("LONGMEM_DEVICE", "auto")
    assert MachineDesk(desk(tmp_path)).overruled == ["device"]
    threads = torch.get_num_threads()
    try:
        assert MachineDesk(desk(tmp_path, KNOWN[0].name, 3)).overruled == ["device"]
        assert MachineDesk(desk(tmp_path, "folder", 1)).overruled == ["model", "device", "threads"]
    finally:
        torch.set_num_threads(threads)
    Paths(tmp_path).settings.write_text("{")
    opening.choose_kept([])
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("going on without what was chosen in the settings: ")


def test_a_model_that_is_being_fetched_tells_how_far_it_is(tmp_path, monkeypatch):
    name = KNOWN[0].name
    blobs = tmp_path / "hub" / f"models--{name.replace('/', '--')}" / "blobs"
    blobs.mkdir(parents=True)
    (blobs / "weights.incomplete").write_bytes(bytes(5000))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    come = threading.Event()

    class Coming:
        named, is_loaded = {"model": name, "threads": ""}, False  # noqa: RUF012

        @property
        def backbone(self) -> None:
            come.wait(60)
            raise BadInput("it cannot be fetched")

    far = desk(tmp_path)
    far.assistant.library.model = Coming()
    machine = MachineDesk(far)
    assert machine.fetching() == machine.fetching() == (5000, KNOWN[0].size)
    assert "5.0 kB of 723.7 MB" in fetching_html(5000, KNOWN[0].size)
    come.set()
    until(lambda: machine.fetching() is None)
    assert MachineDesk(desk(tmp_path)).fetching() is None, "the one that comes along"


WRONG = {"device": "cuda:99", "precision": "int2", "threads": "none", "model": "nowhere"}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_not_there_is_refused(tmp_path, name):
    with pytest.raises(BadInput):
        MachineDesk(desk(tmp_path)).choose({name: WRONG[name]}, "")
    assert not Paths(tmp_path).settings.exists()


@pytest.mark.parametrize("more", [{"read_only": True}, {"accounts": object()}])
def test_a_page_of_several_readers_chooses_nothing(tmp_path, more):
    with pytest.raises(BadInput, match="by the command line alone"):
        MachineDesk(desk(tmp_path, **more)).choose({"threads": "1"}, "")


def test_known_models_are_told_with_what_they_take(tmp_path):
    shown = known_html(MachineDesk(desk(tmp_path)))
    assert all(one.name in shown for one in KNOWN) and "988.1 MB" in shown
    assert all(one.memory("int4") < one.memory("float16") < one.memory("float32") for one in KNOWN)
    assert KNOWN[0].least_seconds("float16", 361_821_120 * 2) == pytest.approx(130)


@pytest.mark.parametrize("of", [{"accounts": object()}, {"read_only": True}])
def test_a_page_that_may_not_choose_teaches_nothing_and_stops_nothing(tmp_path, monkeypatch, of):
    """Whoever is let in can call the events of a form that is not shown."""
    here, done = desk(tmp_path, **of), []
    for name in ("begin", "stop"):
        monkeypatch.setattr(adapting.Adapting, name, lambda *_, name=name: done.append(name))
    with gr.Blocks():
        form = AdaptForm(here, MachineDesk(here))
    for call in (lambda: form.on_begin(1.0), form.on_stop):
        with pytest.raises(gr.Error, match="by the command line alone"):
            call()
    assert done == []


class TestAdapting:
    """A program that says a line and waits, or ends, in the place of `adapt`."""

    @pytest.fixture
    def work(self, tmp_path, monkeypatch):
        from engine.shelf.shelf import Shelf

        shelf = Shelf(Paths(tmp_path))
        here = desk(tmp_path, "some/model", shelf=shelf)
        here.assistant.library.model.take(backbone=object(), checkpoint=None)
        yield adapting.Adapting(here)
        shelf.close()

    def says(self, monkeypatch, line: str, seconds: int = 0) -> None:
        code = f"import sys, time; print({line!r}, *sys.argv[1:], flush=True); time.sleep({seconds})"
        monkeypatch.setattr(adapting, "PROGRAM", [sys.executable, "-c", code])

    def test_it_is_begun_stopped_taken_up_with_the_same_books_and_done(self, work, monkeypatch):
        with gr.Blocks():
            form = AdaptForm(work.desk, MachineDesk(work.desk))
        form.adapting = work
        shown = form.shown()
        assert shown[form.pane].visible and shown[form.begin].visible and not shown[form.stop].visible
        assert "adapt --model" in shown[form.said]
        self.says(monkeypatch, "2 of 9, the search map;", seconds=60)
        form.on_begin(2.5)
        until(work.said)
        assert work.said().startswith("2 of 9") and "--hours 2.5" in work.said()
        assert "--model some/model" in work.said() and len(list(work.books.iterdir())) == 3
        shown = form.shown()
        assert shown[form.stop].visible and shown[form.timer].active and "the search map" in shown[form.said]
        (end,) = work.desk.endings
        end()  # the form's own has nothing under way
        form.on_stop()
        again = adapting.Adapting(work.desk)  # the page was started anew
        assert not work.is_running and again.is_begun and "the search map" in again.said()
        form.adapting = again
        assert form.shown()[form.begin].value == "Go on"
        self.says(monkeypatch, "done")
        form.on_begin(9.0)
        until(lambda: again.is_done)
        assert "--hours 2.5" in again.said() and "Start the program again" in form.shown()[form.said]
        assert not again.is_begun and not again.books.exists()

    def test_the_command_is_ended_in_order_where_ctrl_c_is_ignored(self, work, monkeypatch):
        """As of a page that a shell began in the background."""
        told = work.log.with_name("told")
        code = (
            "import pathlib, signal, sys, time\n"
            "from engine.ending import end_like_ctrl_c\n"
            "end_like_ctrl_c()\n"
            "try:\n    print('at work', flush=True); time.sleep(60)\n"
            f"except KeyboardInterrupt: pathlib.Path({str(told)!r}).write_text('in order')"
        )
        monkeypatch.setattr(adapting, "PROGRAM", [sys.executable, "-c", code])
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            work.begin(1.0)
        finally:
            signal.signal(signal.SIGINT, before)
        until(work.said)
        work.stop()
        assert told.read_text() == "in order" and not work.is_running

    def test_the_command_heeds_what_the_page_sends(self, monkeypatch):
        number, before = signal.SIGTERM, signal.getsignal(signal.SIGTERM)
        signal.signal(number, signal.SIG_DFL)
        try:
            with pytest.raises(BadInput, match="above 0"):
                adapt.run(argparse.Namespace(hours=0.0))
            assert signal.getsignal(number) is signal.default_int_handler
        finally:
            signal.signal(number, before)

    @pytest.mark.parametrize("hours", [0.0, 1000.0])
    def test_hours_that_are_none_begin_nothing(self, work, hours):
        with pytest.raises(BadInput, match="hours"):
            work.begin(hours)
        assert not work.books.parent.exists()

    def test_a_model_that_has_learned_is_not_taught(self, work):
        work.desk.assistant.library.model.take(checkpoint=work.books)
        with gr.Blocks():
            form = AdaptForm(work.desk, MachineDesk(work.desk))
        assert not form.shown()[form.pane].visible

    def test_the_command_takes_what_it_is_given(self):
        parser = argparse.ArgumentParser()
        adapt.add_arguments(parser)
        assert parser.parse_args(["--model", "m", "--books", "b", "--hours", "2.5"]).hours == 2.5


@pytest.fixture
def usual(tmp_path, monkeypatch):
    """The data folder of a start that names none."""
    for name in ("XDG_DATA_HOME", "LOCALAPPDATA", "HOME"):
        monkeypatch.setenv(name, str(tmp_path / "platform"))
    monkeypatch.delenv("LONGMEM_HOME", raising=False)
    return Paths.default().home


def test_another_data_folder_is_chosen_for_the_next_start(tmp_path, monkeypatch, usual):
    with gr.Blocks():
        form = MachineForm(desk(usual))
    chosen = ("auto", "auto", "auto", "")
    assert "From then on" not in form.on_save(*chosen, "")
    told = form.on_save(*chosen, str(tmp_path / "disk" / "books"))
    assert "backup FILE" in told and "goes before" not in told
    assert Paths.default().home == tmp_path / "disk" / "books"
    assert form.on_open()[form.folder] == str(tmp_path / "disk" / "books")
    assert "From then on" not in form.on_save(*chosen, str(tmp_path / "disk" / "books"))
    monkeypatch.setenv("LONGMEM_HOME", str(tmp_path / "named"))
    assert Paths.default().home == tmp_path / "named"
    assert "LONGMEM_HOME" in form.on_save(*chosen, str(tmp_path / "other"))
    monkeypatch.delenv("LONGMEM_HOME")
    (tmp_path / "other").rmdir()
    with pytest.raises(BadInput, match="is not there: attach its disk, or delete"):
        Paths.default()
    form.on_save(*chosen, "")
    assert Paths.default().home == usual
    for folder, words in (
        ("books", "whole path"),
        (str(usual / "x"), "inside"),
        (str(tmp_path), "other things"),
    ):
        with pytest.raises(gr.Error, match=words):
            form.on_save(*chosen, folder)
    assert Paths.default().home == usual


def test_settings_are_kept_all_or_none(tmp_path, usual):
    machine = MachineDesk(desk(usual))
    machine.choose({"threads": "2"}, "")
    with pytest.raises(BadInput, match="whole path"):
        machine.choose({"threads": "3"}, "books")
    with pytest.raises(BadInput, match="precision"):
        machine.choose({"precision": "int2"}, str(tmp_path / "disk"))
    assert not (tmp_path / "disk").exists()
    (user_data_folder() / CHOSEN).mkdir(parents=True)  # where the choice would be written
    for folder in (str(tmp_path / "disk"), str(user_data_folder())):
        with pytest.raises(BadInput, match="cannot be the data folder"):
            machine.choose({"threads": "3"}, folder)
    assert machine.chosen() == {"threads": "2"}
    assert Paths.default().home == usual

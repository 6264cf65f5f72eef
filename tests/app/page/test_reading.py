"""The page while a hostile file is read: it answers, obeys and ends."""

import gradio as gr
import pytest
from gradio import route_utils

from app.command_line import classify, commands, opening
from app.desk import desk, import_draft
from app.desk.desk import Desk
from app.page import page as page_module
from engine.assistant import Assistant
from engine.demonstrations.demonstrations import Demonstrations
from engine.library import Library
from engine.paths import Paths
from ingest import apart
from tests.app.browser import get, until
from tests.app.conftest import serving
from tests.ingest import hostile


@pytest.fixture
def page(tmp_path, tiny_folder, upload_folder, monkeypatch):
    """A page whose files are read by who does what they say."""
    monkeypatch.setattr(apart, "START", hostile.START)
    with serving(tmp_path / "home", tiny_folder) as served:
        yield served
    assert not apart._children._alive


def test_a_page_answers_and_obeys_while_a_file_holds_its_reader(page, tmp_path):
    desk, visit, jobs = page.desk, page.visit, page.desk.shelf.jobs
    for deed in ("loop", "quiet"):
        (tmp_path / f"{deed}.txt").write_text(f"{deed} text of a book.\n\n" * 9)
    book = visit.add(tmp_path / "loop.txt")
    (job,) = jobs.all(book.id)

    def is_read() -> bool:
        return jobs.get(job.id).state == "running" and bool(apart._children._alive)

    until(is_read)
    assert get(page.url).status_code == 200
    assert "reading the file" in visit.cards()
    visit.act("pause", job.id)
    until(lambda: jobs.get(job.id).state == "paused" and not apart._children._alive)

    other = visit.add(tmp_path / "quiet.txt")
    until(lambda: desk.shelf.get(other.id).state == "ready")

    visit.act("resume", job.id)
    until(is_read)
    assert desk.stop(30), "it ends while the file is being read"
    assert jobs.get(job.id).state == "queued" and not apart._children._alive
    jobs.cancel(job.id)


def test_a_page_is_there_before_a_job_is_taken_up(tmp_path, monkeypatch):
    done = []

    class Served:
        mcp_error, local_url = None, "http://here"

        def close(self, verbose: bool) -> None:
            done.append("closed")

    def began(_: Desk) -> None:
        done.append("jobs")
        raise KeyboardInterrupt

    monkeypatch.setattr(page_module, "serve", lambda *_, **__: done.append("served") or Served())
    monkeypatch.setattr(Desk, "start", began)
    monkeypatch.setattr(page_module, "end_like_ctrl_c", lambda: None)
    monkeypatch.setattr(page_module, "leave", lambda: done.append("left"))
    monkeypatch.setenv("GRADIO_TEMP_DIR", "")
    assistant = Assistant(Library(Paths(tmp_path), apart.parse))
    arguments = commands.parse([])
    arguments.settings = {}
    assert page_module.run(arguments, lambda: assistant) == 0
    assert done == ["served", "jobs", "closed", "left"]


def test_the_program_reads_nothing_in_its_own_process(tmp_path, monkeypatch):
    monkeypatch.setenv("LONGMEM_HOME", str(tmp_path))
    monkeypatch.setattr("os.umask", lambda mask: 0)  # the tests that follow have their own
    arguments = commands.parse(["classify", "--demos", "d.csv", "--text", "t"])
    library = opening.assistant(commands.parse(["shelf"])).library
    assert library.intake._parse is apart.parse
    given: list[Demonstrations] = [classify.demonstrations(arguments)]
    assert given[0].read_table is desk.read_table is import_draft.read_table is apart.read_table
    assert import_draft.pasted_table is apart.pasted_table


def test_a_visitor_costs_no_description_of_the_whole_page():
    with gr.Blocks() as blocks:
        box = gr.Textbox("A ferry came.")
    session = route_utils.SessionState(blocks)
    assert session.config_values == {} and session[box._id] is box

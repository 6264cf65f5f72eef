"""The page's HTTP interface through gradio_client: what a program can do without a browser."""

import os
import re
import time
from pathlib import Path

import httpx
import pytest
from PIL import Image

from app.desk import uploads
from tests.app.browser import get

gradio_client = pytest.importorskip("gradio_client")

PUBLIC = {"/add", "/shelf", "/job", "/control_job", "/ask", "/continue", "/search", "/read", "/remove",
          "/rename", "/libraries", "/classify", "/who", "/story", "/terms", "/dates", "/notes", "/add_note",
          "/delete_note"}  # fmt: skip


QUESTION = "What is told of the boat called Heron15?"


@pytest.fixture(scope="module")
def client(served):
    return gradio_client.Client(served.url, verbose=False)


def added(client, path: Path, seconds: float = 120) -> str:
    """Add a file and wait until it is ready; returns its id."""
    identifier = client.predict(gradio_client.handle_file(str(path)), "", "", api_name="/add")["id"]
    job = ended(client, identifier, seconds)
    assert job["state"] == "done", job
    return identifier


def ended(client, identifier: str, seconds: float = 120) -> dict:
    """Wait for the job of a document; returns what is told of it."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        job = client.predict(identifier, api_name="/job")
        if job["state"] not in ("queued", "running"):
            return job
        time.sleep(0.1)
    raise AssertionError(f"not ready: {job}")


def test_every_public_event_has_a_name_and_says_what_it_does(client):
    named = client.view_api(return_format="dict", print_info=False)["named_endpoints"]
    assert set(named) == PUBLIC
    assert all(len(one["description"]) >= 30 for one in named.values())


def test_add_ask_search_continue_read_remove(client, novel, served):
    identifier = added(client, novel)
    assert added(client, novel) == identifier
    assert [one["id"] for one in client.predict(api_name="/shelf")] == [identifier]

    hits = client.predict(identifier, "Heron35", 5, api_name="/search")
    assert len(hits) == 1 and "Heron35" in hits[0]["text"]
    assert "paragraph 5" in hits[0]["place"]
    read = client.predict(identifier, hits[0]["start"], 40, api_name="/read")
    assert read["text"] == hits[0]["text"][:40]

    start = f"char {hits[0]['start']}"
    with pytest.raises(gradio_client.exceptions.AppError, match="give them as the book has them"):
        client.predict(identifier, start, "Heron 35", "a bird", "blue", api_name="/add_note")
    made = client.predict(identifier, start, "Heron35", "a bird", "blue", api_name="/add_note")
    assert (made["quote"], made["colour"], made["kind"]) == ("Heron35", "blue", "note")
    assert client.predict("", "bird", api_name="/notes")[0]["id"] == made["id"]
    client.predict(made["id"], api_name="/delete_note")
    assert client.predict(identifier, "", api_name="/notes") == []

    steps = list(client.submit(identifier, QUESTION, "", "", api_name="/ask"))
    assert steps[-1]["tokens"] > 0 and steps[-1]["memory_tokens"] > 1000
    assert {"answer", "citations", "seconds_to_first_token", "tokens_per_second"} <= set(steps[-1])
    bounded = list(client.submit(identifier, QUESTION, "chapter 1", "", api_name="/ask"))
    assert 0 < bounded[-1]["memory_tokens"] < steps[-1]["memory_tokens"] / 2

    told = list(client.submit(identifier, "How many chapters are there?", "", "", api_name="/ask"))[-1]
    assert told["tokens"] == 0 and "4" in told["answer"]

    written = list(client.submit(identifier, "chapter 2", "", 12, True, api_name="/continue"))[-1]
    plain = list(client.submit(identifier, "chapter 2", "", 12, False, api_name="/continue"))[-1]
    assert 0 < written["tokens"] <= 12 and written["memory_tokens"] > 0 and plain["memory_tokens"] == 0

    renamed = client.predict(identifier, "A lamp", api_name="/rename")
    assert renamed["title"] == "A lamp"
    removed = client.predict("A lamp", api_name="/remove")
    assert removed["freed_bytes"] > 100_000
    assert client.predict(api_name="/shelf") == []
    assert not list((served.home / "documents").glob("*"))


def test_a_photographed_page_is_read_where_it_is_asked_for(client, tmp_path):
    path = tmp_path / "page.png"
    Image.new("L", (300, 200), 255).save(path)
    photo = gradio_client.handle_file(str(path))
    identifier = client.predict(photo, api_name="/add")["id"]
    assert "a PNG picture" in ended(client, identifier)["message"]
    client.predict(identifier, api_name="/remove")
    identifier = client.predict(photo, ocr="klingon", api_name="/add")["id"]
    # what can be read, and how, is different on every machine: none reads this
    assert re.search("“klingon”|is not installed here", ended(client, identifier)["message"])
    client.predict(identifier, api_name="/remove")


def test_no_uploaded_copy_stays(client, novel, served):
    added(client, novel)
    left = [path for path in Path(os.environ["GRADIO_TEMP_DIR"]).rglob("*") if path.is_file()]
    assert [path.name for path in left] == [uploads.LOCK]


def test_errors_are_one_line_that_helps(client):
    with pytest.raises(gradio_client.exceptions.AppError) as error:
        client.predict("nothing like it", "query", 5, api_name="/search")
    assert "no document" in str(error.value)


def test_a_file_of_this_machine_cannot_be_named_as_an_upload(client, served, tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("a secret of this machine " * 20)
    before = client.predict(api_name="/shelf")
    # as sent by hand: the client library would upload the file first
    stolen = {"path": str(secret), "meta": {"_type": "gradio.FileData"}}
    called = httpx.post(f"{served.url}gradio_api/call/add", json={"data": [stolen, "", "", ""]})
    if called.status_code == 200:
        address = f"{served.url}gradio_api/call/add/{called.json()['event_id']}"
        assert "event: error" in get(address).text
    assert client.predict(api_name="/shelf") == before
    assert secret.exists()


def test_no_file_is_fetched_from_elsewhere(served):
    """Gradio would take an address in place of an upload."""
    address = "http://192.0.2.7/book.txt"
    given = {"path": address, "url": address, "meta": {"_type": "gradio.FileData"}}
    begun = httpx.post(f"{served.url}gradio_api/call/add", json={"data": [given, "", "", ""]})
    told = begun.text
    if begun.status_code == 200:
        told = get(f"{served.url}gradio_api/call/add/{begun.json()['event_id']}").text
        assert "event: error" in told
    assert "fetches nothing from the network" in told


def test_the_data_folder_is_not_served(client, served):
    for path in (served.home / "shelf.db", *served.home.glob("documents/*/document.json")):
        answer = get(f"{served.url}gradio_api/file={path}")
        assert answer.status_code in (403, 404), path
    assert list(served.home.glob("documents/*/document.json"))

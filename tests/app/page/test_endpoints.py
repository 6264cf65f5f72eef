"""Every endpoint that the interface lists, by two accounts on one's things; and who may call it at all."""

from dataclasses import dataclass

import httpx
import pytest

from engine.shelf.accounts import Limits
from ingest.tables import pasted_table
from tests.app.browser import get, until
from tests.app.callers import ANN, ROWS, Caller, Refused, given
from tests.app.conftest import book

gradio_client = pytest.importorskip("gradio_client")


@dataclass
class Hers:
    """What Ann has on the shelf."""

    book: str
    job: int
    library: str


@pytest.fixture(scope="module")
def hers(guarded, ann) -> Hers:
    made = ann.add("hers.md", book(chapters=2, paragraphs=4))
    demonstrations = guarded.desk.demonstrations
    preview = demonstrations.preview(pasted_table(ROWS))
    task = preview.task("{} It was {}.", {word: word for word in preview.words}, "")
    library = demonstrations.of("ann").create("Films", preview, task)
    demonstrations.enqueue(library.id)
    guarded.desk.runner.wake()
    until(lambda: demonstrations.jobs.latest(library.id).state == "done")
    return Hers(made, ann("job", made)["id"], library.id)


REFUSED = Refused

# endpoint -> what the other account sends, and what it gets: a refusal, or what everybody may see
ROWS_OF = {
    "add": (lambda ben, hers: [given("/etc/passwd"), "", "", ""], REFUSED),
    "shelf": (lambda ben, hers: [], lambda said, hers: [one["id"] for one in said] == [hers.book]),
    "job": (lambda ben, hers: [hers.book], lambda said, hers: (said["id"], said["message"]) == (0, "")),
    "control_job": (lambda ben, hers: [hers.job, "cancel"], REFUSED),
    "ask": (lambda ben, hers: [hers.book, "How many chapters are there?", "", ""],
            lambda said, hers: said["answer"]),
    "continue": (lambda ben, hers: [hers.book, "", "", 2, True], lambda said, hers: said["tokens"] > 0),
    "search": (lambda ben, hers: [hers.book, "Heron13", 3], lambda said, hers: len(said) == 1),
    "read": (lambda ben, hers: [hers.book, 0, 50], lambda said, hers: len(said["text"]) == 50),
    "who": (lambda ben, hers: [hers.book, ""], lambda said, hers: said == []),  # as far as ben has read
    "story": (lambda ben, hers: [hers.book, ""], lambda said, hers: isinstance(said, list)),
    "terms": (lambda ben, hers: [hers.book, "end"], lambda said, hers: isinstance(said, list)),
    "dates": (lambda ben, hers: [hers.book, "end"], lambda said, hers: isinstance(said, list)),
    "notes": (lambda ben, hers: ["", ""], lambda said, hers: said == []),
    # a note is one's own, also in the book of another
    "add_note": (lambda ben, hers: [hers.book, "45%", "", "here", ""],
                 lambda said, hers: (said["kind"], said["note"]) == ("bookmark", "here")),
    "delete_note": (lambda ben, hers: ["0" * 12], REFUSED),
    "remove": (lambda ben, hers: [hers.book], REFUSED),
    "rename": (lambda ben, hers: [hers.book, "Mine now"], REFUSED),
    "libraries": (lambda ben, hers: [], lambda said, hers: not said[0]["changeable"]),
    "classify": (lambda ben, hers: [hers.library, "a good film"], lambda said, hers: said["label"]),
}  # fmt: skip


def test_every_endpoint_has_a_row(ben):
    listed = ben.http.get("gradio_api/info").json()["named_endpoints"]
    assert {name.removeprefix("/") for name in listed} == ROWS_OF.keys()


def test_every_parameter_has_a_type_and_a_description(ben):
    listed = ben.http.get("gradio_api/info").json()["named_endpoints"]
    lacking = [
        (name, one["parameter_name"])
        for name, endpoint in listed.items()
        for one in endpoint["parameters"]
        if len(one["python_type"]["description"]) < 8
        or one["python_type"]["type"] in ("", "Any")
        or not set(one["type"]) & {"type", "enum", "oneOf", "anyOf", "title"}
    ]
    assert lacking == [] and all(endpoint["description"] for endpoint in listed.values())
    assert sum(len(endpoint["parameters"]) for endpoint in listed.values()) > 25


@pytest.mark.parametrize("name", ROWS_OF)
def test_another_account_reads_and_changes_nothing(ann, ben, hers, name):
    data, expected = ROWS_OF[name]
    before = ann("shelf"), ann("job", hers.book), ann("libraries")
    if expected is REFUSED:
        with pytest.raises(Refused):
            ben(name, *data(ben, hers))
    else:
        assert expected(ben(name, *data(ben, hers)), hers)
    assert (ann("shelf"), ann("job", hers.book), ann("libraries")) == before


@pytest.mark.parametrize("name", ROWS_OF)
def test_who_has_not_signed_in_calls_nothing(guarded, hers, name):
    for headers in ({}, {"Authorization": "Bearer " + "x" * 43}, {"Cookie": "longmem-1=x"}):
        answer = httpx.post(f"{guarded.url}gradio_api/call/{name}", json={"data": []}, headers=headers)
        assert answer.status_code == 401, (name, headers)


FOREIGN = ({"Origin": "http://evil.example"}, {"Origin": "null"}, {"Origin": "http://localhost:1"},
           {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors"})  # fmt: skip


@pytest.mark.parametrize("headers", FOREIGN)
def test_another_site_can_neither_call_nor_upload_with_a_readers_cookie(guarded, ben, hers, headers):
    cookies = dict(ben.http.cookies)
    for host in ({}, {"Host": "reader.example"}):
        for path in ("gradio_api/call/shelf", "gradio_api/queue/join", "gradio_api/upload", "login"):
            answer = httpx.post(
                guarded.url + path, json={"data": []}, headers=headers | host, cookies=cookies
            )
            assert answer.status_code == 403, path
            assert "access-control-allow-origin" not in answer.headers
    asked = {**headers, "Access-Control-Request-Method": "POST"}
    answer = httpx.options(f"{guarded.url}gradio_api/call/shelf", headers=asked)
    assert answer.status_code == 403 and "access-control-allow-origin" not in answer.headers


def test_a_change_needs_the_pages_origin_or_a_token(guarded, ben):
    cookies, address = dict(ben.http.cookies), f"{guarded.url}gradio_api/call/shelf"
    assert httpx.post(address, json={"data": []}, cookies=cookies).status_code == 403
    # nothing of the page can be read by another in any way
    answer = get(f"{guarded.url}config", cookies=cookies)
    assert answer.status_code == 200 and "access-control-allow-origin" not in answer.headers
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"


def test_a_cookie_is_for_this_page_alone(guarded):
    data = {"username": "ann", "password": ANN[1]}
    for proxy, is_secure in (({}, False), ({"X-Forwarded-Proto": "https"}, True)):
        answer = httpx.post(f"{guarded.url}login", data=data, headers=proxy)
        (cookie,) = answer.headers.get_list("set-cookie")
        assert {"HttpOnly", "SameSite=lax"} <= set(cookie.split("; ")) and cookie.startswith("longmem-")
        assert ("Secure" in cookie) == is_secure


def test_who_signs_out_has_to_sign_in_again(guarded):
    caller = Caller(guarded.url, ANN)
    kept = dict(caller.http.cookies)
    assert caller.http.get("logout", headers={"Sec-Fetch-Site": "cross-site"}).status_code in (303, 403)
    caller.http.cookies.update(kept)
    assert caller.http.get("config").status_code == 200
    caller.http.get("logout")
    caller.http.cookies.update(kept)
    assert caller.http.get("config").status_code == 401
    assert "<form" in caller.http.get("").text


def test_a_program_calls_with_a_token(guarded, hers):
    accounts = guarded.desk.accounts
    accounts.add("eve", "battery-staple")
    token = accounts.grant("eve", "script")
    client = gradio_client.Client(guarded.url, headers={"Authorization": f"Bearer {token}"}, verbose=False)
    assert [one["id"] for one in client.predict(api_name="/shelf")] == [hers.book]
    accounts.revoke("eve", "script")
    answer = httpx.post(
        f"{guarded.url}gradio_api/call/shelf", json={"data": []}, headers={"Authorization": f"Bearer {token}"}
    )
    assert answer.status_code == 401


def test_an_account_has_limits(guarded, ann, ben, hers, monkeypatch):
    limits = {"ben": Limits(books=1, megabytes=1, uploads=0, tokens=8, questions=0)}
    monkeypatch.setattr(guarded.desk.accounts, "limits", limits.get)
    assert ben.http.post("gradio_api/upload", files={"files": ("one.md", b"x")}).status_code == 429
    assert ann.http.post("gradio_api/upload", files={"files": ("one.md", b"x")}).status_code == 200
    with pytest.raises(Refused, match="up to 8 tokens at a time"):
        ben("continue", hers.book, "", "", 9, True)
    with pytest.raises(Refused, match="0 answers of yours are under way"):
        ben("ask", hers.book, "How many chapters are there?", "", "")
    limits["ben"] = Limits(megabytes=1)
    (path,) = ben.http.post("gradio_api/upload", files={"files": ("big.md", b"word " * 300_000)}).json()
    with pytest.raises(Refused, match="up to 1 MB on the shelf"):
        ben("add", given(path), "", "", "")
    limits["ben"] = Limits(books=0)
    (path,) = ben.http.post("gradio_api/upload", files={"files": ("small.md", b"a small book")}).json()
    with pytest.raises(Refused, match="up to 0 books on the shelf"):
        ben("add", given(path), "", "", "")


def test_the_same_file_of_two_accounts_lies_in_two_places(ann, ben):
    file = {"files": ("same.md", b"the same words of both")}
    paths = [one.http.post("gradio_api/upload", files=file).json()[0] for one in (ann, ben, ann)]
    assert len(set(paths)) == 3


GRADIOS = ("gradio_api/runs", "gradio_api/run-history/buckets", "gradio_api/proxy=http://127.0.0.1:1/",
           "gradio_api/deep_link?session_hash=x", "gradio_api/vibe-code", "monitoring", "gradio_api/token",
           "gradio_api/stream/x/x/0/playlist.m3u8", "gradio_api/dev/reload")  # fmt: skip


@pytest.mark.parametrize("path", GRADIOS)
def test_what_gradio_offers_beside_a_page_is_not_there(ann, path):
    assert ann.http.get(path).status_code == 404

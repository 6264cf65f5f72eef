"""Who may reach the page, without a browser: names a request may use, and what --mcp needs."""

import asyncio
import importlib.util

import pytest

from app import access
from engine.errors import Failure
from ingest.errors import BadInput


@pytest.mark.parametrize(
    ("host", "named"),
    [
        (b"127.0.0.1:7860", "127.0.0.1"),
        (b"127.0.0.1", "127.0.0.1"),
        (b"localhost:7860", "localhost"),
        (b"[::1]:7860", "::1"),
        (b"[::1]", "::1"),
        (b"evil.example:80", "evil.example"),
        (b"", ""),
    ],
)
def test_the_name_a_page_is_called_by(host, named):
    assert access.named_host([(b"accept", b"*/*"), (b"host", host)]) == named


def answered(
    host: bytes | None,
    kind: str = "http",
    guard: type = access.OwnNames,
    path: str = "/",
    method: str = "GET",
) -> int:
    """The status a request with that Host header gets from a server behind the guard."""
    sent = []

    async def page(scope, receive, send):
        await send({"type": "http.response.start", "status": 200})

    async def send(message):
        sent.append(message)

    headers = [] if host is None else [(b"host", host)]
    scope = {"type": kind, "headers": headers, "path": path, "method": method}
    asyncio.run(guard(page)(scope, None, send))
    return sent[0]["status"]


@pytest.mark.parametrize("host", [b"127.0.0.1:7860", b"localhost:1", b"[::1]:7860", b"127.8.8.8"])
def test_this_machine_by_its_own_names(host):
    assert answered(host) == 200


@pytest.mark.parametrize(
    "host", [b"evil.example", b"127.0.0.1.evil.example:7860", b"192.168.0.2:7860", b"0.0.0.0:7860", b"", None]
)
def test_any_other_name_is_refused(host):
    assert answered(host) == answered(host, "websocket") == 403


def test_the_guard_is_for_pages_without_accounts():
    assert access.guard([("ann", "correct-horse")]) == {}
    (middleware,) = access.guard([])["middleware"]
    assert middleware.cls is access.OwnNames


def test_a_page_for_reading_only_takes_no_uploads():
    (middleware,) = access.guard([("ann", "correct-horse")], read_only=True)["middleware"]
    assert middleware.cls is access.NoUploads
    assert len(access.guard([], read_only=True)["middleware"]) == 2
    for path, method, status in [("/gradio_api/upload", "POST", 403), ("/gradio_api/upload/", "POST", 403),
                                 ("/upload", "POST", 403), ("/gradio_api/upload_progress", "GET", 200),
                                 ("/gradio_api/call/ask", "POST", 200), ("/", "GET", 200)]:  # fmt: skip
        assert answered(b"127.0.0.1", "http", access.NoUploads, path, method) == status, path


def test_tools_that_gradio_could_not_start_are_told_in_one_line():
    access.started_mcp(None)
    with pytest.raises(Failure, match="could not be started .Error launching.*start without --mcp"):
        access.started_mcp("Error launching MCP server: no such thing")


def test_mcp_without_its_packages_is_refused_in_one_line(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(BadInput, match=r'pip install "gradio\[mcp\]==6.0"'):
        access.check_mcp("6.0", [])
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    access.check_mcp("6.0", [])


def test_mcp_behind_a_password_is_refused():
    with pytest.raises(BadInput, match="no accounts: leave out --auth"):
        access.check_mcp("6.0", [("ann", "correct-horse")])

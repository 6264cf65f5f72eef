"""Who may reach the page, without a browser: names a request may use, and what --mcp needs."""

import asyncio
import importlib.util
import os
import socket

import pytest

from app.command_line import commands
from app.page import access
from engine.errors import Failure
from engine.paths import Paths
from ingest.errors import BadInput
from tests.app.browser import get
from tests.app.conftest import serving


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


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"# nobody\n", "it names no account: write user:password"),
        (b"", "it names no account"),
        ("Zo\xeb:geheim123\n".encode("latin-1"), "save the file as UTF-8"),
    ],
)
def test_a_file_without_a_readable_account_opens_no_page(tmp_path, content, says):
    listing = tmp_path / "accounts"
    listing.write_bytes(content)
    with pytest.raises(BadInput, match=says):
        access.accounts([f"@{listing}"])


def test_the_mark_that_an_editor_puts_before_the_first_account_is_none_of_it(tmp_path):
    listing = tmp_path / "accounts"
    listing.write_text("ann:secret words\n", encoding="utf-8-sig")
    assert access.accounts([f"@{listing}"]) == [("ann", "secret words")]


def test_a_home_that_is_nobodys_is_said_to_be():
    with pytest.raises(BadInput, match="no such user"):
        access.accounts(["@~nosuchuser/accounts"])


@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::1", "no-such-host.invalid", "a..b"])
@pytest.mark.parametrize("port", [None, 7985])
def test_an_address_of_another_machine_is_what_is_wrong_and_not_the_port(host, port):
    with pytest.raises(BadInput, match=r"no address of this machine: give another --host$"):
        access.free_port(host, port)


def test_an_address_of_ipv6_has_brackets_in_a_browser_only():
    assert access.bare("[::1]") == access.bare("::1") == "::1"
    assert access.in_url("::1") == "[::1]"
    assert access.bare("127.0.0.1") == access.in_url("127.0.0.1") == "127.0.0.1"


def test_a_page_on_ipv6_is_served(tmp_path, tiny_folder, upload_folder):
    try:
        access.free_port("::1", None)
    except BadInput:
        pytest.skip("this machine has no IPv6")
    with serving(tmp_path, tiny_folder, host="::1") as page:
        assert page.url.startswith("http://[::1]:")
        assert get(page.url).status_code == 200


def test_a_port_that_gradio_would_find_taken_is_not_offered():
    """Whatever the address is, Gradio tries the port on 127.0.0.1 first."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(BadInput, match="give another --port"):
            access.free_port("127.0.0.2", taken.getsockname()[1])


def test_the_check_of_names_is_for_pages_without_accounts():
    assert [one.cls for one in access.guard(True)] == [access.OnlyOurs]
    assert [one.cls for one in access.guard(False)] == [access.OwnNames, access.OnlyOurs]


def test_a_page_for_reading_only_takes_no_uploads():
    assert access.guard(True, read_only=True)[-1].cls is access.NoUploads
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
        access.check_mcp("6.0", False)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    access.check_mcp("6.0", False)


def test_mcp_behind_a_password_is_refused():
    with pytest.raises(BadInput, match="knows no accounts"):
        access.check_mcp("6.0", True)


HOSTS = [("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), ("localhost", True), ("0.0.0.0", False),
         ("192.168.1.5", False), ("reader.example", False), ("", False)]  # fmt: skip


@pytest.mark.parametrize(("host", "loopback"), HOSTS)
def test_only_loopback_goes_without_a_password(host, loopback):
    assert access.is_loopback(host) == loopback
    if loopback:
        access.check(host, False)
        return
    with pytest.raises(BadInput, match="account add"):
        access.check(host, False)
    access.check(host, True)


def test_accounts_of_one_start(tmp_path, monkeypatch):
    monkeypatch.setenv(access.ENVIRONMENT, "bob:battery-staple\n")
    paths = Paths(tmp_path)
    found = access.opened(paths, ["ann:correct-horse"])
    assert sorted(found.all()) == ["ann", "bob"] and not paths.accounts.exists()
    with pytest.raises(BadInput, match="8 characters"):
        access.opened(paths, ["ann:short"])


def test_accounts_from_words_and_files(tmp_path):
    listing = tmp_path / "accounts"
    listing.write_text("# readers\nbob:a:b\n\neve:pass word\n")
    assert access.accounts(["ann:x", f"@{listing}"]) == [("ann", "x"), ("bob", "a:b"), ("eve", "pass word")]
    for wrong in ("ann", ":x", "ann:", "@/nowhere"):
        with pytest.raises(BadInput):
            access.accounts([wrong])


def test_a_port_in_use_is_refused_and_another_found():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(BadInput, match="--port"):
            access.free_port("127.0.0.1", port)
    assert access.free_port("127.0.0.1", None) >= access.FIRST_PORT


def test_a_page_for_others_without_a_password_does_not_start(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("LONGMEM_HOME", str(tmp_path))
    assert commands.main(["--host", "0.0.0.0"]) == 2
    said = capsys.readouterr()
    line = "0.0.0.0 can be reached from other machines: first run python launch.py account add NAME"
    assert (said.out, said.err.splitlines()) == ("", [line])


def test_a_page_starts_on_a_busy_machine_and_behind_a_proxy(
    tmp_path, tiny_folder, upload_folder, monkeypatch
):
    """Gradio asks for the page that it has just opened, and would give up after three seconds."""
    monkeypatch.setattr("gradio.networking.url_ok", lambda url: False)
    for name in ("HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "elsewhere.example")
    with serving(tmp_path / "home", tiny_folder) as served:
        assert get(served.url).status_code == 200
        assert os.environ["NO_PROXY"].startswith("elsewhere.example,")

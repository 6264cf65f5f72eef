"""Access: from where the page may be reached. Loopback by default; any other address only with accounts.

Without accounts the loopback address is all the protection there is, and a web site can have its own name
point to it (DNS rebinding): its scripts would then ask as if the page were theirs. So a page without accounts
answers only those who call this machine by one of its own names.
"""

import errno
import importlib.util
import ipaddress
import os
import socket
from pathlib import Path
from typing import Any

from starlette.middleware import Middleware

from engine.errors import Failure
from engine.paths import PROGRAM, Paths
from engine.shelf.accounts import LEAST_PASSWORD, Account, Accounts, checked_name, hashed
from ingest.errors import BadInput

# accounts for one start, where a service gives its secrets so: user:password in a line for each
ENVIRONMENT = "LONGMEM_AUTH"
FIRST_PORT, PORTS = 7860, 40
# what binding says of a port; all else it says of the address. On Windows EACCES is a port held by another
TAKEN = (errno.EADDRINUSE, errno.EACCES, errno.EPERM)
NOT_OURS = ("component_server", "custom_component/", "deep_link", "dev/", "monitoring", "process_recording",
            "profiling/", "proxy=", "run-history", "runs", "stream/", "token", "undo-vibe",
            "vibe-")  # fmt: skip


def is_loopback(host: str) -> bool:
    """Tell whether only this machine can reach that address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def bare(host: str) -> str:
    """Write an address as sockets want it, without the brackets that an IPv6 one has in a browser."""
    return host[1:-1] if host.startswith("[") and host.endswith("]") else host


def in_url(host: str) -> str:
    """Write an address as a browser, and Gradio, want it."""
    return f"[{host}]" if ":" in host else host


def accounts(words: list[str]) -> list[tuple[str, str]]:
    """Read (user, password) pairs from "user:password" or "@file" with one such line for each. Raises
    BadInput.
    """
    pairs = []
    for word in words:
        for line in _lines(word[1:]) if word.startswith("@") else [word]:
            user, colon, password = line.partition(":")
            if not (user and colon and password):
                raise BadInput("--auth takes user:password, or @FILE with one such line for each account")
            pairs.append((user, password))
    return pairs


def _lines(name: str) -> list[str]:
    """Read the lines of a file that name an account: one at least, as a page without any has no password."""
    try:
        # an editor on Windows may put a mark before the first line
        text = Path(name).expanduser().read_text(encoding="utf-8-sig")
    except OSError as error:
        raise BadInput(f"--auth @{name}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise BadInput(f"--auth @{name}: some letters cannot be read: save the file as UTF-8") from error
    except RuntimeError as error:  # of expanduser
        raise BadInput(f"--auth @{name}: there is no such user on this machine") from error
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    if not lines:
        raise BadInput(f"--auth @{name}: it names no account: write user:password in a line for each")
    return lines


def opened(paths: Paths, words: list[str]) -> Accounts:
    """Return the accounts of the data folder, with those named for this start. Raises BadInput, Failure."""
    named = os.environ.get(ENVIRONMENT, "").splitlines()
    pairs = accounts([*filter(None, map(str.strip, named)), *words])
    if any(len(password) < LEAST_PASSWORD for _, password in pairs):
        raise BadInput(f"a password has {LEAST_PASSWORD} characters or more")
    made = {name: Account(checked_name(name), hashed(password)) for name, password in pairs}
    return Accounts(paths.accounts, paths.locks, made)


def check(host: str, has_accounts: bool) -> None:
    """Refuse a page that others could open without a password. Raises BadInput."""
    if not is_loopback(host) and not has_accounts:
        raise BadInput(f"{host} can be reached from other machines: first run {PROGRAM} account add NAME")


def check_mcp(version: str, has_accounts: bool) -> None:
    """Refuse --mcp without what it needs, or with accounts. version: of gradio. Raises BadInput.

    Gradio's tools call the page without the caller's account, so behind a password none of them works.
    """
    if has_accounts:
        raise BadInput("--mcp is for this machine only and knows no accounts: open the page without any")
    if importlib.util.find_spec("mcp") is None:
        raise BadInput(
            "--mcp needs packages that are not installed; with the Python of .venv, run: "
            f'python -m pip install "gradio[mcp]=={version}"'
        )


def started_mcp(fault: str | None) -> None:
    """Refuse to go on without the tools that --mcp asked for. fault: what Gradio kept to itself, or None."""
    if fault:
        raise Failure(f"the tools of --mcp could not be started ({fault}): start without --mcp")


def guard(has_accounts: bool, read_only: bool = False) -> list[Middleware]:
    """Return the checks of every request, outermost first.

    Without accounts, one of the name it is called by; for reading only, a refusal of every upload.
    """
    checks = ([] if has_accounts else [OwnNames]) + [OnlyOurs] + ([NoUploads] if read_only else [])
    return [Middleware(check) for check in checks]


async def refuse(send: Any, words: str, status: int = 403) -> None:
    """Answer a request with a line that says why."""
    headers = [(b"content-type", b"text/plain; charset=utf-8")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": words.encode()})


class OnlyOurs:
    """ASGI middleware: 404 for what Gradio offers beside a page: editing it, fetching, keeping states."""

    def __init__(self, app: Any):
        self.app = app

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        path = scope.get("path", "").lstrip("/").removeprefix("gradio_api/")
        if scope["type"] == "http" and path.startswith(NOT_OURS):
            await refuse(send, "There is no such thing here.", 404)
            return
        await self.app(scope, receive, send)


class NoUploads:
    """ASGI middleware: 403 for uploads, which nothing on a page for reading only would take and delete."""

    def __init__(self, app: Any):
        self.app = app

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "http" and scope["method"] == "POST" and is_upload(scope["path"]):
            await refuse(send, "This page was opened with --read-only: it takes no files.")
            return
        await self.app(scope, receive, send)


def is_upload(path: str) -> bool:
    """Tell whether files are sent to that address."""
    return path.rstrip("/").endswith("/upload")


class OwnNames:
    """ASGI middleware: 403 for a request to any other name than this machine's own loopback names."""

    def __init__(self, app: Any):
        self.app = app

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] in ("http", "websocket") and not is_loopback(named_host(scope["headers"])):
            await refuse(send, "This page is for this machine only: open it as 127.0.0.1 or localhost.")
            return
        await self.app(scope, receive, send)


def named_host(headers: list[tuple[bytes, bytes]]) -> str:
    """Return the name in a request's Host header, without its port; '' where there is none."""
    host = next((value for name, value in headers if name == b"host"), b"").decode("latin-1")
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


def free_port(host: str, wanted: int | None) -> int:
    """Return the port asked for, or the first free one from 7860 on.

    Raises BadInput when there is none, or the address is none of this machine.
    """
    for port in [wanted] if wanted else range(FIRST_PORT, FIRST_PORT + PORTS):
        # Gradio tries the loopback address first, whatever address it is to serve on
        if _is_free(host, port) and _is_free("127.0.0.1", port):
            return port
    raise BadInput(f"port {wanted or FIRST_PORT} of {host} is in use or not ours: give another --port")


def spare_proxies(host: str) -> None:
    """Have this program reach its own page where the machine reaches all others through a proxy."""
    known = [os.environ.get(name, "") for name in ("NO_PROXY", "no_proxy")]
    spared = dict.fromkeys([*",".join(known).split(","), "localhost", "127.0.0.1", "::1", host])
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = ",".join(filter(None, spared))


def _is_free(host: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except (OSError, UnicodeError) as error:  # a name with an empty part is no OSError
        if getattr(error, "errno", None) in TAKEN:
            return False
        raise BadInput(f"{host} is no address of this machine: give another --host") from error
    return True

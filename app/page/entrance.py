"""Entrance: signs readers in and out, and lets nobody pass who has not.

A browser shows the cookie of its session, a program that calls the interface the token of an account. What
changes something is taken from a browser only with the origin it was sent from, which `origin` has compared.
"""

import math
from collections import Counter
from typing import Any
from urllib.parse import parse_qs

import anyio
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response

from app.desk import uploads
from app.html import sign_in_html
from app.page.access import is_loopback, is_upload
from app.page.origin import SAFE_METHODS
from app.page.sessions import LONGEST_SECONDS, Sessions
from engine.errors import Failure
from engine.shelf.accounts import Accounts

ACCOUNT = "longmem.account"  # in the scope of a request
LONGEST_FORM = 8192
# what Gradio asks of itself when it starts
START = "/gradio_api/startup-events"
WRONG = "Incorrect name or password."
NO_ORIGIN = "Changing something needs the page's own Origin, or a token: Authorization: Bearer TOKEN"


def account_of(request: Any) -> str | None:
    """Return who sends a request, None for nobody: what Gradio asks for each."""
    return request.scope.get(ACCOUNT) or None


class Entrance:
    """ASGI middleware over the sessions of a page."""

    def __init__(self, app: Any, sessions: Sessions, title: str):
        self.app, self.sessions, self.title = app, sessions, title
        self.accounts: Accounts = sessions.accounts
        self._uploading: Counter[str] = Counter()

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return
        request = Request(scope, receive)
        try:
            answer = await self._answered(request, scope["path"].rstrip("/"))
        except Failure as error:
            answer = PlainTextResponse(str(error), 503)
        if answer is not None:
            await answer(scope, receive, send)
        elif is_upload(scope["path"]) and request.method == "POST":
            await self._upload(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    async def _answered(self, request: Request, path: str) -> Response | None:
        """Answer what is of signing in and out, or refused; None where the request may pass."""
        if path == "/login" and request.method == "POST":
            return await self._sign_in(request)
        secret = request.cookies.get(_cookie(request), "")
        token = _bearer(request)
        account = self.accounts.of_token(token) if token else self.sessions.account_of(secret)
        request.scope[ACCOUNT] = account
        if path == "/logout":
            return self._sign_out(request, secret)
        if not account:
            if path == START and is_loopback(request.client.host if request.client else ""):
                return None
            is_page = path == "" and request.method in SAFE_METHODS
            return self._form("", 200) if is_page else JSONResponse({"detail": "Not authenticated"}, 401)
        if request.method not in SAFE_METHODS and not token and "origin" not in request.headers:
            return PlainTextResponse(NO_ORIGIN, 403)
        return None

    async def _sign_in(self, request: Request) -> Response:
        is_browser = "text/html" in request.headers.get("accept", "")
        name, password = await _form(request)
        address = request.client.host if request.client else ""
        found = await run_in_threadpool(self.sessions.sign_in, name, password, address)
        if isinstance(found, str) and found:
            made: Response = RedirectResponse("./", 303) if is_browser else JSONResponse({"success": True})
            made.set_cookie(
                _cookie(request), found, max_age=int(LONGEST_SECONDS), httponly=True, samesite="lax",
                secure=_is_secure(request),
            )  # fmt: skip
            return made
        said, status, more = WRONG, 400, {}
        if not isinstance(found, str):
            seconds = math.ceil(found)
            said, status, more = f"Too many attempts. Wait {seconds} s.", 429, {"Retry-After": str(seconds)}
        if is_browser:
            return self._form(said, status, more)
        return JSONResponse({"detail": said}, status, more)

    def _sign_out(self, request: Request, secret: str) -> Response:
        # a link from elsewhere must not end a session
        if request.headers.get("sec-fetch-site", "none") in ("none", "same-origin"):
            self.sessions.sign_out(secret)
        answer = RedirectResponse("./", 303)
        answer.delete_cookie(_cookie(request), httponly=True, samesite="lax", secure=_is_secure(request))
        return answer

    def _form(self, said: str, status: int, headers: dict[str, str] | None = None) -> Response:
        policy = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'"
        more = {"Content-Security-Policy": policy, "Cache-Control": "no-store"} | (headers or {})
        return HTMLResponse(sign_in_html.page(self.title, said), status, more)

    async def _upload(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Take an upload, unless so many of the account are on their way, or too much lies here already."""
        account = scope[ACCOUNT]
        limits = self.accounts.limits(account)
        refused = ""
        if limits and self._uploading[account] >= limits.uploads:
            refused = f"{limits.uploads} files are on their way already: wait for one."
        elif await anyio.to_thread.run_sync(uploads.is_crowded):
            refused = "Too many uploaded files wait to be added: try again in an hour."
        if refused:
            await PlainTextResponse(refused, 429)(scope, receive, send)
            return
        self._uploading[account] += 1
        try:
            await self.app(scope, receive, send)
        finally:
            self._uploading[account] -= 1


async def _form(request: Request) -> tuple[str, str]:
    """Read name and password out of a form; ('', '') where it is none."""
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > LONGEST_FORM:
            return "", ""
    try:
        values = parse_qs(body.decode("utf-8"), max_num_fields=20)
    except ValueError:
        return "", ""
    return values.get("username", [""])[0].strip(), values.get("password", [""])[0]


def _bearer(request: Request) -> str:
    # gradio_client sends it under the second name
    named = (request.headers.get(name, "") for name in ("authorization", "x-hf-authorization"))
    return next((one[len("Bearer ") :].strip() for one in named if one.startswith("Bearer ")), "")


def _cookie(request: Request) -> str:
    """Name the cookie: browsers know no ports, and two pages may be open on one machine."""
    return f"longmem-{(request.scope.get('server') or ('', 0))[1]}"


def _is_secure(request: Request) -> bool:
    proxied = request.headers.get("x-forwarded-proto", "")
    return "https" in (request.scope.get("scheme"), proxied.partition(",")[0].strip())

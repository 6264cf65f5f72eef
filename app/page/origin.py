"""Origin: a page of another address can neither call this one nor read what it says.

A browser names the origin of the page that asks in what it sends, and lets that page read the answer only
where the server agrees. Gradio agrees with everybody once it is not called localhost: this takes its place.
"""

from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse

SAFE_METHODS = {"GET", "HEAD"}
PORTS = {"http": 80, "https": 443}
FOREIGN = "This page can only be used from its own address."
ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class OwnOrigin:
    """ASGI middleware, outside all others: 403 for what another page sends, no header that lets it read."""

    def __init__(self, app: Any, **of_gradio: Any):
        self.app = app

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if is_foreign(headers) or scope.get("method") == "OPTIONS":
            await PlainTextResponse(FOREIGN, 403)(scope, receive, send)
            return

        async def with_headers(message: Any) -> None:
            if message["type"] == "http.response.start":
                message.setdefault("headers", [])
                MutableHeaders(scope=message).update(ALWAYS)
            await send(message)

        await self.app(scope, receive, with_headers)


def is_foreign(headers: Headers) -> bool:
    """Tell whether another page sent this: by its origin, or by what the browser says of it.

    A link from elsewhere that opens the page is none of that: it only shows what its reader would see.
    """
    if (origin := headers.get("origin")) is not None:
        return not is_own(origin, headers)
    site, mode = headers.get("sec-fetch-site", "none"), headers.get("sec-fetch-mode", "")
    return site not in ("none", "same-origin") and mode != "navigate"


def is_own(origin: str, headers: Headers) -> bool:
    """Tell whether an origin is the address that the page is called by, or a proxy says it was called by.

    No page of elsewhere can set the proxy's header: its browser would ask first, and is refused.
    """
    try:
        parts = urlsplit(origin)
        wanted = _bare(parts.netloc, parts.scheme)
        named = [headers.get(name, "") for name in ("host", "x-forwarded-host")]
        return parts.scheme in PORTS and any(one and _bare(one, parts.scheme) == wanted for one in named)
    except ValueError:
        return False


def _bare(netloc: str, scheme: str) -> tuple[str, int]:
    parts = urlsplit(f"//{netloc}")
    return (parts.hostname or "").lower(), parts.port or PORTS.get(scheme, 0)

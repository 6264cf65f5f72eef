"""Packed: the page itself travels compressed. It holds the script of every pane, so it shrinks to a tenth."""

from typing import Any

from starlette.middleware.gzip import GZipMiddleware

LEVEL = 6


class Packed:
    """ASGI middleware: compresses the page alone: answers under way are streams, which come at once."""

    def __init__(self, app: Any):
        self.app = app
        self.packed = GZipMiddleware(app, compresslevel=LEVEL)

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        is_page = scope["type"] == "http" and scope["path"].rstrip("/") == scope.get("root_path", "")
        await (self.packed if is_page else self.app)(scope, receive, send)

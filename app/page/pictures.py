"""Pictures: the page's way to the pictures of a document, out of the document's own store alone.

Who may open the page may see them, which the entrance looks to. A browser takes each for what its name says,
and runs nothing of it, also when it is opened by itself.
"""

import asyncio
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Route

from engine.shelf.shelf import Shelf
from ingest.errors import BadInput
from ingest.pictures import NAME

TYPES = {".png": "image/png", ".jpg": "image/jpeg", ".gif": "image/gif", ".webp": "image/webp",
         ".svg": "image/svg+xml"}  # fmt: skip
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "private, max-age=86400",
}


def route(shelf: Shelf) -> Route:
    """Make the route that serves pictures of the documents of a shelf."""

    async def picture(request: Request) -> Response:
        path = await asyncio.to_thread(_file, shelf, **request.path_params)
        if path is None:
            return PlainTextResponse("There is no such picture.", 404)
        return FileResponse(path, media_type=TYPES[path.suffix], headers=HEADERS)

    return Route("/lm/pictures/{document}/{name}", picture, methods=["GET"])


def _file(shelf: Shelf, document: str, name: str) -> Path | None:
    if not NAME.fullmatch(name):
        return None
    try:
        path = shelf.paths.pictures(shelf.get(document).id) / name
    except BadInput:
        return None
    return path if path.is_file() else None

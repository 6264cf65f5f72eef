"""Pictures: the page's way to the pictures of a document, and the printed pages of a PDF, in its own store.

Who may open the page may see them, which the entrance looks to. A browser takes each for what its name says,
and runs nothing of it, also when it is opened by itself.
"""

import asyncio
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Route

from app.desk.books import Books
from engine.errors import Failure
from engine.shelf.shelf import Shelf
from ingest import apart
from ingest.errors import BadInput
from ingest.pictures import NAME

TYPES = {".png": "image/png", ".jpg": "image/jpeg", ".gif": "image/gif", ".webp": "image/webp",
         ".svg": "image/svg+xml"}  # fmt: skip
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "private, max-age=86400",
}


def routes(books: Books) -> list[Route]:
    """Make the routes that serve pictures and printed pages of the documents of a shelf."""
    shelf = books.library.shelf

    async def picture(request: Request) -> Response:
        path = await asyncio.to_thread(_file, shelf, **request.path_params)
        if path is None:
            return PlainTextResponse("There is no such picture.", 404)
        return FileResponse(path, media_type=TYPES[path.suffix], headers=HEADERS)

    async def cover(request: Request) -> Response:
        path = await asyncio.to_thread(_cover, books, **request.path_params)
        if path is None:
            return PlainTextResponse("It has no cover.", 404, headers=HEADERS)
        return FileResponse(path, media_type=TYPES[path.suffix], headers=HEADERS)

    async def printed(request: Request) -> Response:
        marked = request.query_params.get("marked", "")
        drawn = await asyncio.to_thread(_printed, books, **request.path_params, marked=marked)
        if drawn is None:
            return PlainTextResponse("There is no such page.", 404)
        return Response(drawn, media_type="image/png", headers=HEADERS)

    return [
        Route("/lm/covers/{document}", cover, methods=["GET"]),
        Route("/lm/pictures/{document}/{name}", picture, methods=["GET"]),
        Route("/lm/pages/{document}/{number:int}", printed, methods=["GET"]),
    ]


def _printed(books: Books, document: str, number: int, marked: str) -> bytes | None:
    """Draw a page of a PDF; `marked` is the span of characters to be marked on it ("120-180")."""
    try:
        entry = books.library.shelf.get(document)
        if entry.format != "pdf":
            return None
        first, _, last = marked.partition("-")
        span = slice(int(first), int(last)) if first.isdecimal() and last.isdecimal() else slice(0)
        words = books.document(entry.id).text[span]
        shelf = books.library.shelf
        return apart.draw_page(shelf.source(entry.id), number, words, shelf.paths.sheets(entry.id))
    except (BadInput, Failure):
        return None


def _cover(books: Books, document: str) -> Path | None:
    try:
        shelf = books.library.shelf
        return _file(shelf, document, books.document(shelf.get(document).id).cover)
    except (BadInput, Failure):
        return None


def _file(shelf: Shelf, document: str, name: str) -> Path | None:
    if not NAME.fullmatch(name):
        return None
    try:
        path = shelf.paths.pictures(shelf.get(document).id) / name
    except BadInput:
        return None
    return path if path.is_file() else None

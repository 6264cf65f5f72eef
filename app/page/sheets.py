"""Sheets: the page's way to the leaves of a book that stand around the one in view, as one scrolls."""

import asyncio

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from app.desk.reading_desk import ReadingDesk
from app.desk.state import Line, View
from app.page.entrance import account_of
from app.page.pictures import HEADERS
from engine.errors import Failure
from ingest.errors import BadInput

# marks of the reader are on it, which change
OWN = HEADERS | {"Cache-Control": "no-store"}


def routes(desk: ReadingDesk) -> list[Route]:
    """Make the route that serves leaves of the documents of a shelf."""

    async def sheet(request: Request) -> Response:
        owner = account_of(request) or ""
        made = await asyncio.to_thread(_sheet, desk, **request.path_params, owner=owner)
        if made is None:
            return PlainTextResponse("There is no such leaf.", 404)
        return HTMLResponse(made, headers=OWN)

    return [Route("/lm/leaves/{document}/{number:int}", sheet, methods=["GET"])]


def _sheet(desk: ReadingDesk, document: str, number: int, owner: str) -> str | None:
    try:
        identifier = desk.shelf.of(owner).get(document).id
        starts = desk.starts(identifier)
        return (
            desk.sheet_html(View(identifier, Line(starts[number])), owner) if number < len(starts) else None
        )
    except (BadInput, Failure):
        return None

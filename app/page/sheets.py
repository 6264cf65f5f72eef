"""Sheets: the page's way to the leaves of a book that stand around the one in view, as one scrolls."""

import asyncio

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from app.desk.desk import Desk
from app.desk.state import Line, View
from app.desk.visit import Visit
from app.page.entrance import account_of
from app.page.pictures import HEADERS
from engine.errors import Failure
from ingest.errors import BadInput

# marks of the reader are on it, which change
OWN = HEADERS | {"Cache-Control": "no-store"}


def routes(desk: Desk) -> list[Route]:
    """Make the route that serves leaves of the documents of a shelf."""

    async def sheet(request: Request) -> Response:
        visit = Visit(desk, account_of(request) or "")
        made = await asyncio.to_thread(_sheet, visit, **request.path_params)
        if made is None:
            return PlainTextResponse("There is no such leaf.", 404)
        return HTMLResponse(made, headers=OWN)

    return [Route("/lm/leaves/{document}/{number:int}", sheet, methods=["GET"])]


def _sheet(visit: Visit, document: str, number: int) -> str | None:
    try:
        identifier = visit.shelf.get(document).id
        starts = visit.reading.books.starts(identifier)
        if number >= len(starts):
            return None
        return visit.reading.sheet_html(View(identifier, Line(starts[number])))
    except (BadInput, Failure):
        return None

"""Library frame: what the forms of the demonstration libraries see of the tab that they stand in."""

from typing import Any, Protocol

import gradio as gr

from app.desk.demonstrations_desk import DemonstrationsDesk
from app.desk.desk import Desk
from app.desk.libraries import Looked
from app.tabs.frame import visit_of
from app.tabs.how_form import HowForm


def visited(desk: Desk, request: gr.Request) -> DemonstrationsDesk:
    """Return the demonstration libraries as they are to who sends a request."""
    return DemonstrationsDesk(visit_of(desk, request))


class LibraryFrame(Protocol):
    """The tab: which library is looked at, how it labels, and what fills everything anew."""

    looked: gr.State
    how: HowForm
    download: gr.DownloadButton
    timer: gr.Timer
    outputs: list[Any]

    def scene(self, looked: Looked, request: gr.Request, said: str = "") -> dict: ...

    def busy(self) -> gr.Timer: ...

    def downloaded(self, event: Any) -> None: ...

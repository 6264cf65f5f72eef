"""About pane: who is who, the story so far, terms and dates, as far as the open book was read."""

from collections.abc import Callable

import gradio as gr

from app.desk.desk import Desk
from app.desk.state import View
from app.tabs.frame import PANE, QUICK, Frame, event_values, told, visit_of


class AboutPane:
    """Two buttons, and a pane that `draw` places."""

    def __init__(self, desk: Desk, frame: Frame):
        self.desk, self.frame = desk, frame
        self.who = gr.Button("Who is who", size="sm", min_width=90, scale=0)
        self.story = gr.Button("Story so far", size="sm", min_width=90, scale=0)

    def draw(self) -> None:
        """Place the pane, which takes no room while it is empty."""
        self.pane = gr.HTML(**PANE, elem_id="lm-about")

    def wire(self, lead: Callable[[View, gr.EventData, gr.Request], dict], outputs: list) -> None:
        """Connect the buttons, and what leads into the book.

        lead: what a click on a place does. outputs: what it may change, the pane among them.
        """
        for button, kind in ((self.who, "who"), (self.story, "story")):
            button.click(self._shows(kind), [self.frame.view], [self.pane], **QUICK)

        def clicked(view: View, event: gr.EventData, request: gr.Request) -> dict:
            values = event_values(event)
            if values.get("action") == "close":
                return {self.pane: ""}
            if values.get("action") == "about":
                return {self.pane: self._shown(view, str(values.get("kind")), request)}
            return lead(view, event, request)

        self.pane.click(clicked, [self.frame.view], outputs, **QUICK)

    def _shows(self, kind: str) -> Callable[[View, gr.Request], str]:
        """Make the event that shows one kind of what a book holds."""

        def event(view: View, request: gr.Request) -> str:
            return self._shown(view, kind, request)

        return event

    def _shown(self, view: View, kind: str, request: gr.Request) -> str:
        with told():
            return visit_of(self.desk, request).reading.about_html(view, kind)

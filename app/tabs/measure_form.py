"""Measure form: how good the library in use is; one button, and what there is to choose folded away."""

import gradio as gr

from app.desk.demonstrations_desk import DemonstrationsDesk
from app.desk.desk import Desk
from app.desk.libraries import Looked
from app.desk.speaking import waiting_words
from app.html import label_html
from app.tabs.frame import HIDDEN, PANE, QUICK, told
from app.tabs.how_form import settings_of
from app.tabs.library_frame import LibraryFrame, visited
from engine.demonstrations.store import DemonstrationLibrary

LIMITS = {"at most 50": 50, "at most 200": 200, "at most 1,000": 1000, "all of them": 0}
HINT = "Nothing was measured yet."


class MeasureForm:
    """Components of the form, and what fills them."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        with gr.Row(elem_classes="lm-tools"):
            self.go = gr.Button("How good is it?", variant="primary", size="md", min_width=160, scale=0)
            self.stop = gr.Button("Stop", size="md", min_width=140, scale=0)
        self.shown = gr.HTML(**PANE, elem_id="lm-measured")
        with gr.Accordion("How it is measured", open=False):
            self.limit = gr.Dropdown(
                list(LIMITS.items()), value=200, label="Texts to measure on", min_width=200
            )
            self.held = gr.HTML(apply_default_css=False, padding=False, elem_id="lm-held")
            with gr.Row(visible=not desk.read_only, elem_classes="lm-tools") as self.holding:
                self.share = gr.Slider(5, 50, value=20, step=5, label="Per cent to hold out", min_width=200)
                self.split = gr.Button("Hold out", size="md", min_width=140, scale=0)
                self.back = gr.Button("Take all back", size="md", min_width=140, scale=0)
        self.outputs = [self.holding]

    def wire(self, tab: LibraryFrame) -> None:
        """Connect the form's controls."""
        self.tab = tab
        self.split.click(self.on_split, [tab.looked, self.share], tab.outputs, **QUICK)
        self.back.click(self.on_back, [tab.looked], tab.outputs, **QUICK)
        self.go.click(self.on_go, [tab.looked, self.limit, *tab.how.inputs], [self.shown, tab.timer], **QUICK)
        self.stop.click(self.on_stop, [tab.looked], None, queue=False, **HIDDEN)

    def scene(self, may_change: bool) -> dict:
        """Show whether parts can be held out: a change of the library, on which every measurement rests."""
        return {self.holding: gr.Row(visible=may_change)}

    def held_html(self, library: DemonstrationLibrary | None) -> str:
        """Say how much is held out for good."""
        if library is None:
            return ""
        held, count = library.held("held-out"), library.held("memory")
        words = f"{held:,} examples are held out; {count:,} are in memory. "
        words += ("What is held out is never read when a text is labelled." if held else
                  "A measurement leaves a fifth of them out, and gives them back.")  # fmt: skip
        return label_html.note(words)

    def shown_html(self, library: DemonstrationLibrary | None, mine: DemonstrationsDesk) -> str:
        """Write the newest measurement, or how far it is."""
        made = None if library is None else mine.measurement(library.id)
        if made is None:
            return label_html.note(HINT)
        speech = made.speech
        if made.found is not None:
            return label_html.held_out(made.found)
        if speech.error:
            return label_html.note(speech.error, is_failure=True)
        before = self.desk.speaker.before(speech)
        words = f"{made.done:,} of {made.total:,} texts" if made.done else waiting_words(speech, before)
        return label_html.measuring(made.done, made.total, words)

    def on_split(self, looked: Looked, share: float, request: gr.Request) -> dict:
        """Hold out a share of the examples."""
        with told():
            count = visited(self.desk, request).split(looked.library, float(share) / 100)
        return self.tab.scene(looked, request, f"{count:,} examples are held out now.")

    def on_back(self, looked: Looked, request: gr.Request) -> dict:
        """Take back what was held out."""
        with told():
            visited(self.desk, request).split(looked.library, 0)
        return self.tab.scene(looked, request, "All examples that were held out are back in memory.")

    def on_go(
        self, looked: Looked, limit: int, shots: float, choose: str, memory: bool, vote: bool,
        request: gr.Request,
    ) -> dict:  # fmt: skip
        """Begin to measure."""
        mine = visited(self.desk, request)
        with told():
            mine.measure(looked.library, settings_of(shots, choose, memory, vote), int(limit))
        shown = self.shown_html(self.desk.libraries.library(looked), mine)
        return {self.shown: shown, self.tab.timer: self.tab.busy()}

    def on_stop(self, looked: Looked, request: gr.Request) -> None:
        """End the measurement of this reader."""
        visited(self.desk, request).stop_measuring(looked.library)

"""Demonstrations tab: the demonstration libraries, and work with the one in use.

It is filled when it is chosen and looks at what is under way only while it is shown; a refresh loses nothing,
as encoding, files and measurements go on at the server.
"""

import hashlib
from dataclasses import replace
from typing import Any

import gradio as gr

from app.desk.demonstrations_desk import DemonstrationsDesk
from app.desk.desk import Desk
from app.desk.libraries import Looked
from app.html import demonstrations_html, markup, wording
from app.tabs.examples_form import ExamplesForm
from app.tabs.frame import PANE, QUICK, Frame, event_values, told
from app.tabs.how_form import HowForm
from app.tabs.import_form import ImportForm
from app.tabs.label_form import FileForm, TextForm
from app.tabs.library_frame import visited
from app.tabs.measure_form import MeasureForm
from app.tabs.shelf_tab import BUSY_SECONDS, IDLE_SECONDS
from app.tabs.task_form import TaskForm

# which library the browser looked at
BROWSER_KEY = "longmem-reader-library"
CLICK_DOWNLOAD = "() => { setTimeout(() => document.querySelector('#lm-download')?.click(), 120); }"


class DemonstrationsTab:
    """Components of the tab, and what fills them."""

    NAME = "Classify"

    def __init__(self, desk: Desk, frame: Frame) -> None:
        self.desk, self.frame = desk, frame
        self.looked = gr.State(Looked())
        self.kept = gr.BrowserState({}, storage_key=BROWSER_KEY, secret=BROWSER_KEY)
        self.notice = gr.HTML(elem_id="lm-library-notice", apply_default_css=False, padding=False)
        self.cards = gr.HTML(**PANE, elem_id="lm-libraries")
        with gr.Column(visible=not desk.read_only):
            self.importing = ImportForm(self.desk)
        with gr.Column(visible=False, elem_id="lm-library") as self.work:
            self.heading = gr.HTML(elem_id="lm-library-head", apply_default_css=False, padding=False)
            self.how = HowForm()
            with gr.Tabs():
                with gr.Tab("One text"):
                    self.text = TextForm(self.desk)
                with gr.Tab("A file"):
                    self.file = FileForm(self.desk)
                with gr.Tab("How good it is"):
                    self.measure = MeasureForm(self.desk)
                with gr.Tab("Examples"):
                    self.examples = ExamplesForm(self.desk)
                with gr.Tab("Template"):
                    self.task = TaskForm(self.desk)
        self.download = gr.DownloadButton("Download", visible="hidden", elem_id="lm-download")
        self.timer = gr.Timer(BUSY_SECONDS, active=False)
        self.seen = gr.State({})
        self.outputs = [
            self.looked, self.kept, self.notice, self.cards, self.work, self.heading, self.timer, self.seen,
            self.importing.into, self.file.runs, self.measure.held, self.measure.shown,
            *self.measure.outputs, *self.examples.outputs, *self.task.outputs,
        ]  # fmt: skip

    def wire(self, tab: gr.Tab) -> None:
        """Connect the tab's controls."""
        importing = self.importing
        tab.select(self.on_open, [self.looked, self.kept], self.outputs, **QUICK).then(
            importing.on_return, [importing.draft, importing.kept], importing.restored_outputs, **QUICK
        )
        self.frame.tabs.select(self.on_leave, None, [self.timer], **QUICK)
        self.cards.click(self.on_card, [self.looked], [*self.outputs, self.text.shown], **QUICK)
        panes = [self.cards, self.heading, self.file.runs, self.measure.held, self.measure.shown]
        self.timer.tick(self.on_tick, [self.looked, self.seen, self.timer], [*panes, self.seen, self.timer],
                        **QUICK)  # fmt: skip
        for form in (self.importing, self.text, self.file, self.measure, self.examples, self.task):
            form.wire(self)

    def downloaded(self, event: Any) -> None:
        """Begin the download that an event prepared."""
        event.success(None, js=CLICK_DOWNLOAD, api_visibility="private")

    def busy(self) -> gr.Timer:
        """Look often from now on."""
        return gr.Timer(BUSY_SECONDS, active=True)

    # what is shown

    def scene(self, looked: Looked, request: gr.Request, said: str = "") -> dict:
        """Show everything on the tab; `said` is told above the list."""
        looked, mine = self.desk.libraries.present(looked), visited(self.desk, request)
        library = self.desk.libraries.library(looked)
        may_change = mine.may_change(library)
        panes = self.panes(looked, mine)
        notice = markup.tag("p", said, role="status") if said else ""
        shown = {
            self.looked: replace(looked, filled=looked.in_hand),
            self.kept: looked.kept(),
            self.notice: notice,
            self.work: gr.Column(visible=library is not None),
            self.timer: self.busy(),
            self.seen: {name: _digest(html) for name, (_, html) in panes.items()},
        }
        shown |= dict(panes.values()) | self.importing.scene(mine) | self.measure.scene(may_change)
        return (
            shown | self.examples.scene(looked, library, mine) | self.task.scene(looked, library, may_change)
        )

    def panes(self, looked: Looked, mine: DemonstrationsDesk) -> dict[str, tuple[gr.HTML, str]]:
        """Return {name: (component, what it shows)} of all that changes by itself."""
        library = self.desk.libraries.library(looked)
        facts = mine.facts()
        own = next((one for one in facts if library is not None and one.library.id == library.id), None)
        cards = demonstrations_html.cards(facts, looked.library, self.desk.read_only, mine.ready())
        return {
            "cards": (self.cards, cards),
            "heading": (self.heading, demonstrations_html.heading(own)),
            "runs": (self.file.runs, self.file.runs_html(library, mine)),
            "held": (self.measure.held, self.measure.held_html(library)),
            "measured": (self.measure.shown, self.measure.shown_html(library, mine)),
        }

    # events

    def on_open(self, looked: Looked, kept: dict | None, request: gr.Request) -> dict:
        """Show the tab when it is chosen."""
        if self.desk.libraries.library(looked) is None:
            looked = self.desk.libraries.restored(kept)
        if looked.library:
            visited(self.desk, request).warm(looked.library)
        return self.scene(looked, request)

    def on_leave(self, event: gr.SelectData) -> gr.Timer:
        """Stop the timer while another tab is shown: nobody looks."""
        return gr.Timer(active=event.value == self.NAME)

    def on_card(self, looked: Looked, event: gr.EventData, request: gr.Request) -> dict:
        """Do what a button of one of the libraries says."""
        values, said, mine = event_values(event), "", visited(self.desk, request)
        action, library = values.get("action"), str(values.get("library", ""))
        with told():
            if action == "use":
                looked = Looked(self.desk.libraries.store.get(library).id, filled=looked.filled)
                mine.warm(looked.library)
            elif action == "install":
                made = mine.install(str(values.get("kind")))
                looked, said = (
                    Looked(made.id, filled=looked.filled),
                    f"“{made.name}” was added; its card tells when it is ready.",
                )
            elif action == "encode":
                mine.encode(library)
            elif action == "rename":
                mine.rename(library, str(values.get("answer", "")))
            elif action == "remove":
                name, freed = mine.remove(library)
                said = f"“{name}” was deleted with all its examples; {wording.size(freed)} freed."
            elif action in ("pause", "cancel", "resume"):
                mine.act(action, int(values["job"]))
        shown = self.scene(looked, request, said)
        return shown | ({self.text.shown: self.text.hint()} if action in ("use", "install") else {})

    def on_tick(self, looked: Looked, seen: dict, seconds: float, request: gr.Request) -> dict:
        """Show what changed by itself since it was last looked at."""
        mine = visited(self.desk, request)
        panes = self.panes(looked, mine)
        now = {name: _digest(html) for name, (_, html) in panes.items()}
        shown = {pane: html for name, (pane, html) in panes.items() if seen.get(name) != now[name]}
        wanted = BUSY_SECONDS if mine.is_busy() else IDLE_SECONDS
        if wanted != seconds:
            shown[self.timer] = gr.Timer(wanted)
        return shown | {self.seen: now}


def _digest(html: str) -> str:
    return hashlib.blake2b(html.encode(), digest_size=8).hexdigest()

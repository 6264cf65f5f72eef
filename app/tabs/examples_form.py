"""Examples form: the examples of the library in use."""

from collections.abc import Callable
from dataclasses import replace

import gradio as gr

from app.desk.demonstrations_desk import DemonstrationsDesk
from app.desk.desk import Desk
from app.desk.libraries import PAGE, Looked
from app.html import demonstrations_html
from app.tabs.frame import PANE, QUICK, event_values, told
from app.tabs.library_frame import LibraryFrame, visited
from engine.demonstrations.files import SUFFIXES
from engine.demonstrations.store import DemonstrationLibrary

ANY = ("all of them", "")
FORMATS = [(suffix[1:].upper(), suffix) for suffix in SUFFIXES]


class ExamplesForm:
    """Look for, add, edit and remove examples; balance and export them."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        may_change = not desk.read_only
        with gr.Row():
            self.query = gr.Textbox(label="Search in the texts", max_lines=1, min_width=180)
            self.label = gr.Dropdown([ANY], value="", label="Label", min_width=130)
            parts = [ANY, *((words, part) for part, words in demonstrations_html.PARTS.items())]
            self.part = gr.Dropdown(parts, value="", label="Which are", min_width=130)
        self.shown = gr.HTML(**PANE, elem_id="lm-examples")
        with gr.Row(elem_classes="lm-tools"):
            self.previous = gr.Button("← Back", size="sm", min_width=120, scale=0)
            self.next = gr.Button("More →", size="sm", min_width=120, scale=0)
        with gr.Row(visible=may_change) as self.added:
            self.text = gr.Textbox(
                label="A new example", lines=2, max_lines=8, scale=3, min_width=260, elem_id="lm-example"
            )
            self.given = gr.Dropdown([], label="Its label", scale=1, min_width=140)
        with gr.Row(visible=may_change, elem_classes="lm-tools") as self.changes:
            self.save = gr.Button("Add it", variant="primary", size="md", min_width=140, scale=0)
            self.fresh = gr.Button("Don't edit", size="md", min_width=140, scale=0, visible=False)
            self.balance = gr.Button("Balance the labels", size="md", min_width=190, scale=0)
        with gr.Row(elem_classes="lm-tools"):
            self.format = gr.Dropdown(FORMATS, value=".csv", label="Export as", min_width=140,
                                      scale=0)  # fmt: skip
            self.export = gr.Button("Export all examples", size="md", min_width=200, scale=0)
        self.outputs = [
            self.shown, self.label, self.part, self.query, self.previous, self.next, self.text, self.given,
            self.save, self.fresh, self.added, self.changes,
        ]  # fmt: skip

    def wire(self, tab: LibraryFrame) -> None:
        """Connect the form's controls."""
        self.tab = tab
        found = [tab.looked, *self.outputs]
        gr.on(
            [self.query.change, self.label.input, self.part.input], self.on_filter,
            [tab.looked, self.query, self.label, self.part],
            [tab.looked, self.shown, self.previous, self.next],
            trigger_mode="always_last", **QUICK,
        )  # fmt: skip
        self.previous.click(self.moved(-PAGE), [tab.looked], found, **QUICK)
        self.next.click(self.moved(PAGE), [tab.looked], found, **QUICK)
        self.shown.click(self.on_example, [tab.looked], tab.outputs, **QUICK)
        self.fresh.click(self.on_fresh, [tab.looked], found, **QUICK)
        self.save.click(self.on_save, [tab.looked, self.text, self.given], tab.outputs, **QUICK)
        self.balance.click(self.on_balance, [tab.looked], tab.outputs, **QUICK)
        tab.downloaded(self.export.click(self.on_export, [tab.looked, self.format], [tab.download], **QUICK))

    def scene(self, looked: Looked, library: DemonstrationLibrary | None, mine: DemonstrationsDesk) -> dict:
        """Show everything of the form; what is being typed stays as long as the same example is in hand."""
        if library is None:
            return {self.shown: ""}
        is_edited, may_change = bool(looked.editing), mine.may_change(library)
        shown = self.page(looked, mine)
        if not (looked.query or looked.label or looked.part):
            # otherwise what its reader is typing just now stays
            labels = gr.Dropdown([ANY, *library.task.labels], value="")
            shown |= {self.query: "", self.part: "", self.label: labels}
        if looked.filled != looked.in_hand:
            shown |= self.values(looked, library)
        return shown | {
            self.added: gr.Row(visible=may_change),
            self.changes: gr.Row(visible=may_change),
            self.fresh: gr.Button(visible=is_edited),
            self.save: gr.Button("Save it" if is_edited else "Add it"),
        }

    def values(self, looked: Looked, library: DemonstrationLibrary) -> dict:
        """Return the example in hand, or the empty fields of a new one."""
        example = self.desk.libraries.example(looked)
        label = "The example in hand" if example else "A new example"
        return {
            self.text: gr.Textbox(value=example.text if example else "", label=label),
            self.given: gr.Dropdown(
                choices=list(library.task.labels), value=example.label if example else None
            ),
        }

    def page(self, looked: Looked, mine: DemonstrationsDesk) -> dict:
        """Show one page of examples."""
        found, has_more = self.desk.libraries.examples(looked)
        is_fixed = not mine.may_change(self.desk.libraries.library(looked))
        html = demonstrations_html.examples(found, is_fixed, looked.editing)
        return {
            self.shown: html,
            self.previous: gr.Button(interactive=looked.offset > 0),
            self.next: gr.Button(interactive=has_more),
        }

    def moved(self, steps: int) -> Callable[[Looked, gr.Request], dict]:
        """Make the event of one of the buttons below the examples."""

        def event(looked: Looked, request: gr.Request) -> dict:
            there = replace(looked, offset=max(0, looked.offset + steps))
            return {self.tab.looked: there} | self.page(there, visited(self.desk, request))

        return event

    def on_filter(
        self, looked: Looked, query: str, label: str | None, part: str | None, request: gr.Request
    ) -> dict:
        """Look for other examples."""
        there = replace(looked, query=(query or "").strip(), label=label or "", part=part or "", offset=0)
        return {self.tab.looked: there} | self.page(there, visited(self.desk, request))

    def on_example(self, looked: Looked, event: gr.EventData, request: gr.Request) -> dict:
        """Do what a button of one of the examples says."""
        values, said = event_values(event), ""
        with told():
            example = int(values["example"])
            if values.get("action") == "discard":
                visited(self.desk, request).discard(looked, example)
                said = "The example was removed."
            elif values.get("action") == "edit":
                looked = replace(looked, editing=example)
        return self.tab.scene(looked, request, said)

    def on_fresh(self, looked: Looked, request: gr.Request) -> dict:
        """Empty the fields for a new example."""
        there = self.desk.libraries.present(replace(looked, editing=0))
        shown = self.scene(there, self.desk.libraries.library(there), visited(self.desk, request))
        return {self.tab.looked: replace(there, filled=there.in_hand)} | shown

    def on_save(self, looked: Looked, text: str, label: str | None, request: gr.Request) -> dict:
        """Keep the example in hand."""
        with told():
            visited(self.desk, request).save_example(looked, text or "", label)
        said, there = "It is in the library; only what is new is being encoded.", replace(looked, editing=0)
        return self.tab.scene(there, request, said) | self.values(
            there, self.desk.libraries.store.get(there.library)
        )

    def on_balance(self, looked: Looked, request: gr.Request) -> dict:
        """Lay aside what some labels have beyond the rarest."""
        with told():
            count = visited(self.desk, request).balance(looked.library)
        said = f"{count:,} examples were laid aside: every label has as many in memory now."
        return self.tab.scene(looked, request, said)

    def on_export(self, looked: Looked, suffix: str) -> str:
        """Write a file of all examples."""
        with told():
            return str(self.desk.libraries.export(looked.library, suffix))

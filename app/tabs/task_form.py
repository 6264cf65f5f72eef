"""Task form: how the examples of the library in use are written for the model."""

import gradio as gr

from app.desk.desk import Desk
from app.desk.libraries import Looked
from app.html import demonstrations_html
from app.tabs.frame import QUICK, told
from app.tabs.library_frame import LibraryFrame, visited
from engine.demonstrations.store import DemonstrationLibrary

SAMPLE = "a text of yours"
TEMPLATE = "Template: the first {} is the text, the second the label"
WORDS = "Word for each label: label = word"


class TaskForm:
    """Template, words of the labels, description."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        may_change = not desk.read_only
        with gr.Row():
            self.template = gr.Textbox(label=TEMPLATE, lines=3, interactive=may_change, min_width=260)
            self.words = gr.Textbox(label=WORDS, lines=3, max_lines=12, interactive=may_change, min_width=260)
        self.description = gr.Textbox(label="What it is about", max_lines=2, interactive=may_change)
        self.written = gr.HTML(apply_default_css=False, padding=False, elem_id="lm-task-written")
        self.save = gr.Button("Save", variant="primary", size="md", min_width=90, scale=0, visible=may_change)
        self.outputs = [self.template, self.words, self.description, self.written, self.save]

    def wire(self, tab: LibraryFrame) -> None:
        """Connect the form's controls."""
        self.tab = tab
        given = [tab.looked, self.template, self.words]
        gr.on([self.template.change, self.words.change], self.on_written, given, [self.written],
              trigger_mode="always_last", **QUICK)  # fmt: skip
        self.save.click(self.on_save, [*given, self.description], tab.outputs, **QUICK)

    def scene(self, looked: Looked, library: DemonstrationLibrary | None, may_change: bool) -> dict:
        """Show the task as it is, or as it is being typed."""
        if library is None:
            return {self.written: ""}
        if looked.filled[0] == library.id:
            fields = (self.template, self.words, self.description)
            shown = {one: gr.Textbox(interactive=may_change) for one in fields}
        else:
            values = self.values(library).items()
            shown = {one: gr.Textbox(value=value, interactive=may_change) for one, value in values}
        return shown | {self.save: gr.Button(visible=may_change)}

    def values(self, library: DemonstrationLibrary) -> dict[gr.Textbox, str]:
        """Return what is saved of the task, for each field."""
        task = library.task
        words = demonstrations_html.words_text(task.words)
        return {self.template: task.template, self.words: words, self.description: task.description}

    def on_written(self, looked: Looked, template: str, words: str) -> str:
        """Write an example as the model would read it."""
        library = self.desk.libraries.library(looked)
        if library is None:
            return ""
        first = self.desk.libraries.store.examples(library.id, limit=1)
        text, label = (first[0].text, first[0].label) if first else (SAMPLE, library.task.labels[0])
        return demonstrations_html.written(template or "", words or "", library.task.labels, text, label)

    def on_save(
        self, looked: Looked, template: str, words: str, description: str, request: gr.Request
    ) -> dict:
        """Save what was typed."""
        with told():
            anew = visited(self.desk, request).set_task(
                looked.library, template or "", words or "", description or ""
            )
        said = "Saved; the examples are being encoded anew." if anew else "Saved."
        return self.tab.scene(looked, request, said) | self.values(
            self.desk.libraries.store.get(looked.library)
        )

"""Notes tab: all highlights, notes and bookmarks of a reader, searched, exported and taken in again."""

from pathlib import Path

import gradio as gr

from app.desk.desk import Desk
from app.desk.state import View
from app.html import markup
from app.tabs.frame import PANE, QUICK, SAVE, Frame, event_values, told, visit_of
from app.tabs.read_tab import LEADS, ReadTab

FORMS = [("Markdown", "markdown"), ("To bring back (JSON)", "json"), ("EPUB", "epub")]


class MarksTab:
    """Components of the tab, and what fills them."""

    def __init__(self, desk: Desk, frame: Frame):
        self.desk, self.frame = desk, frame
        with gr.Row(elem_classes="lm-tools"):
            self.query = gr.Textbox(
                label="Search your notes", placeholder="Words of a book or a note", max_lines=1, scale=3,
                elem_id="lm-note-search",
            )  # fmt: skip
            self.one = gr.Checkbox(label="Of the open book only", scale=1, min_width=180)
        # what is listed can be exported; what was exported can be taken in at any time
        with gr.Row(elem_classes="lm-tools", elem_id="lm-exporting"):
            self.form = gr.Radio(
                FORMS, value="markdown", label="Form of the export", elem_classes="lm-bounds", min_width=260
            )
            self.export = gr.Button("Export", size="sm", min_width=90, scale=0)
            self.upload = gr.UploadButton(
                "Bring notes back", size="sm", file_types=[".json"], min_width=130, scale=0,
                elem_id="lm-importing", visible=not desk.read_only,
            )  # fmt: skip
        self.file = gr.File(label="Your notes", visible=False, interactive=False)
        self.notice = gr.HTML(elem_id="lm-notes-notice", apply_default_css=False, padding=False)
        self.list = gr.HTML(**PANE, elem_id="lm-notes")

    def wire(self, tab: gr.Tab, read: ReadTab) -> None:
        """Connect the tab's controls; what is opened is shown on the reading tab."""
        self.read, frame = read, self.frame
        chosen = [frame.view, self.query, self.one]
        typed = {**QUICK, "trigger_mode": "always_last"}
        gr.on(
            [tab.select, self.query.change, self.one.change],
            self.on_list,
            chosen,
            [self.list, self.file],
            **typed,
        )
        scene = read.scene_outputs
        opened = self.list.click(self.on_click, chosen, [self.list, frame.tabs, *scene], **QUICK)
        read.show_answer(opened)
        made = self.export.click(self.on_export, [*chosen, self.form], [self.file], **QUICK)
        made.success(None, [self.file], None, js=SAVE, api_visibility="private")
        self.upload.upload(self.on_import, [self.upload, *chosen], [self.notice, self.list], **QUICK)

    def on_list(self, view: View, query: str, one: bool, request: gr.Request) -> dict:
        """Show the marks that have these words."""
        return {
            self.list: visit_of(self.desk, request).marks.listed(view, query or "", one),
            self.file: gr.File(visible=False),
        }

    def on_click(self, view: View, query: str, one: bool, event: gr.EventData, request: gr.Request) -> dict:
        """Do what was clicked in the list: open a place, change a note, or delete a mark."""
        values, visit = event_values(event), visit_of(self.desk, request)
        action, mark = str(values.get("action", "")), str(values.get("mark", ""))
        shown: dict = {}
        with told():
            if action in LEADS:
                shown = self.read.move(view, action, values, visit) | {
                    self.frame.tabs: gr.Tabs(selected="read")
                }
            elif action == "edit-note":
                visit.marks.changeable()
                visit.shelf.marks.change(mark, str(values.get("answer", "")))
            elif action == "delete-mark":
                visit.marks.changeable()
                visit.shelf.marks.delete(mark)
        if action not in LEADS:
            # the leaf may show what was changed
            shown = {self.read.leaf: visit.reading.leaf_html(view)}
        return shown | {self.list: visit.marks.listed(view, query or "", one)}

    def on_export(self, view: View, query: str, one: bool, form: str, request: gr.Request) -> dict:
        """Write what is listed into a file, to be downloaded."""
        base = str(request.headers.get("origin") or "")
        base = f"{base}/" if base else ""
        with told():
            path = visit_of(self.desk, request).marks.exported(view, form, query or "", one, base)
        return {self.file: gr.File(str(path), visible=True)}

    def on_import(self, path: str, view: View, query: str, one: bool, request: gr.Request) -> dict:
        """Take in notes that were exported."""
        visit = visit_of(self.desk, request)
        with told():
            words = visit.marks.imported(Path(path))
        notice = markup.tag("p", words, role="status")
        return {self.notice: notice, self.list: visit.marks.listed(view, query or "", one)}

"""Shelftab: uploads, and the cards of all documents, looked at anew every second or so."""

from pathlib import Path

import gradio as gr

from app import markup, show, uploads
from app.frame import HIDDEN, PANE, Frame, event_values, owner_of, told
from app.readtab import ReadTab
from app.view import Desk, View
from engine.errors import Failure
from ingest.errors import BadInput

LOOK_SECONDS = 1.5


class ShelfTab:
    """Components of the tab, and what fills them."""

    def __init__(self, desk: Desk, frame: Frame):
        self.desk, self.frame = desk, frame
        self.upload = gr.File(
            label=f"Books (EPUB, PDF, text, Markdown, HTML, Word; {uploads.LIMIT_WORDS} each)",
            file_count="multiple", file_types=uploads.SUFFIXES, height=150, visible=not desk.read_only,
        )  # fmt: skip
        question = "An encrypted PDF, or a text with wrong letters?"
        with gr.Accordion(question, open=False, visible=not desk.read_only), gr.Row():
            self.password = gr.Textbox(label="Password of the next file", type="password", max_lines=1)
            self.encoding = gr.Textbox(label="Encoding of the next text", placeholder="cp1251", max_lines=1)
        self.notice = gr.HTML(elem_id="lm-notice", apply_default_css=False)
        self.cards = gr.HTML(**PANE)
        self.timer = gr.Timer(LOOK_SECONDS)

    def wire(self, read: ReadTab) -> None:
        """Connect the tab's controls; opening a book fills the reading tab."""
        frame, scene = self.frame, read.scene_outputs
        quick = {**HIDDEN, "concurrency_limit": None}
        self.read = read
        self.upload.upload(
            self.on_upload, [self.upload, self.password, self.encoding, frame.view],
            [self.upload, self.password, self.notice, self.cards], **quick,
        )  # fmt: skip
        self.cards.click(
            self.on_card, [frame.view, self.password], [self.notice, self.cards, frame.tabs, *scene], **quick
        )
        self.timer.tick(self.on_tick, [frame.view, self.cards], [self.cards], **quick)

    def on_upload(
        self, files: list[str] | None, password: str, encoding: str, view: View, request: gr.Request
    ) -> dict:
        said = []
        for name in files or []:
            path = Path(name)
            try:
                entry = self.desk.add(uploads.inside(path), password, encoding)
                there = entry.state == "ready"
                said.append(f"“{entry.title}” " + ("is on the shelf already." if there else "was added."))
            except (BadInput, Failure) as error:
                said.append(f"{path.name}: {show.plain(str(error))}")
            finally:
                uploads.discard(path)
        lines = [markup.tag("p", markup.text(line), role="status") for line in said]
        return {self.upload: None, self.password: "", self.notice: "".join(lines),
                self.cards: self.desk.cards(owner_of(request), view.document)}  # fmt: skip

    def on_card(self, view: View, password: str, event: gr.EventData, request: gr.Request) -> dict:
        values, owner = event_values(event), owner_of(request)
        action, document = values.get("action"), str(values.get("document", ""))
        shown: dict = {self.notice: ""}
        with told():
            if action == "open":
                view = self.desk.open(document, owner, view)
                shown |= {self.frame.tabs: gr.Tabs(selected="read")} | self.read.scene(view, request)
            elif action == "sample":
                self.desk.add_sample()
            elif action == "rename":
                self.desk.changeable()
                self.desk.shelf.rename(document, str(values.get("answer", "")))
            elif action == "remove":
                shown |= self.removed(document, view, request)
            elif action in ("pause", "cancel", "resume"):
                self.desk.act(action, int(values["job"]), password)
        return shown | {self.cards: self.desk.cards(owner, view.document)}

    def removed(self, document: str, view: View, request: gr.Request) -> dict:
        """Delete a document and say what that freed."""
        self.desk.changeable()
        title = self.desk.shelf.get(document).title
        freed = self.desk.assistant.remove(document)
        words = f"“{title}” was deleted with its memory and talks; {show.size(freed)} freed."
        shown = {self.notice: markup.tag("p", markup.text(words), role="status")}
        if view.document == document:
            shown |= self.read.scene(View(), request)
        return shown

    def on_tick(self, view: View, before: str | None, request: gr.Request):
        now = self.desk.cards(owner_of(request), view.document)
        return gr.skip() if now == before else now

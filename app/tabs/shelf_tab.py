"""Shelf tab: uploads, and the cards of all documents, looked at anew while something is under way.

The page asks often while a job runs and seldom while none does; what has not changed is not sent again.
"""

import hashlib
from pathlib import Path

import gradio as gr

from app.desk import uploads
from app.desk.desk import Desk
from app.desk.state import View
from app.desk.visit import Visit
from app.html import markup, shelf_html, shelf_tools, wording
from app.tabs.frame import PANE, QUICK, Frame, event_values, told, visit_of
from app.tabs.frame import SCRIPT as PANE_SCRIPT
from app.tabs.read_tab import ReadTab
from engine.errors import Failure
from engine.paths import ASSETS
from ingest.errors import BadInput

SCRIPT = PANE_SCRIPT + (ASSETS / "shelf.js").read_text(encoding="utf-8")
BUSY_SECONDS, IDLE_SECONDS = 1.5, 6.0


class ShelfTab:
    """Components of the tab, and what fills them."""

    def __init__(self, desk: Desk, frame: Frame):
        self.desk, self.frame = desk, frame
        self.upload = gr.File(
            label="Add books", file_count="multiple", file_types=uploads.SUFFIXES, height=72,
            visible=not desk.read_only, elem_id="lm-upload",
        )  # fmt: skip
        words = f"{uploads.WORDS}: up to {uploads.LIMIT_WORDS} each."
        hint = markup.tag("p", words, class_="lm-facts")
        gr.HTML(hint, apply_default_css=False, padding=False, visible=not desk.read_only)
        question = "An encrypted PDF, a scan, or a text with wrong letters?"
        with gr.Accordion(question, open=False, visible=not desk.read_only), gr.Row():
            self.password = gr.Textbox(label="Password of the next file", type="password", max_lines=1)
            self.encoding = gr.Textbox(label="Encoding of the next text", placeholder="cp1251", max_lines=1)
            self.ocr = gr.Textbox(label="Language of the next scan", placeholder="eng", max_lines=1)
        self.notice = gr.HTML(elem_id="lm-notice", apply_default_css=False, padding=False)
        gr.HTML(shelf_tools.row(), apply_default_css=False, padding=False, elem_id="lm-shelf-row")
        self.cards = gr.HTML(**PANE | {"js_on_load": SCRIPT}, elem_id="lm-shelf")
        self.timer = gr.Timer(BUSY_SECONDS)
        self.seen = gr.State("")

    def wire(self, read: ReadTab) -> None:
        """Connect the tab's controls; opening a book fills the reading tab."""
        frame, scene = self.frame, read.scene_outputs
        self.read = read
        uploaded = self.upload.upload(
            self.on_upload, [self.upload, self.password, self.encoding, self.ocr, frame.view],
            [self.upload, self.password, self.encoding, self.ocr, self.notice, self.cards, self.timer,
             frame.tabs, *scene],
            **QUICK,
        )  # fmt: skip
        clicked = self.cards.click(
            self.on_card, [frame.view, self.password, self.encoding, self.ocr],
            [self.password, self.encoding, self.ocr, self.notice, self.cards, self.timer, frame.tabs, *scene],
            **QUICK,
        )  # fmt: skip
        for begun in (uploaded, clicked):
            read.show_answer(begun)
        self.timer.tick(
            self.on_tick, [frame.view, self.seen, self.timer], [self.cards, self.seen, self.timer], **QUICK
        )

    def on_upload(
        self, files: list[str] | None, password: str, encoding: str, ocr: str, view: View, request: gr.Request
    ) -> dict:
        """Put files on the shelf and say what became of them; one that is there already is opened."""
        fresh: list[str] = []
        known: list[str] = []
        wrong: list[str] = []
        there: list[str] = []
        visit = visit_of(self.desk, request)
        on_shelf = {entry.id for entry in visit.shelf.entries()}
        for name in files or []:
            path = Path(name)
            try:
                for book in self.desk.unpacked(uploads.inside(path)):
                    entry = visit.add(book, password, encoding, (ocr or "").strip())
                    uploads.discard(book)
                    there += [entry.id] if entry.is_readable else []
                    (known if entry.id in on_shelf else fresh).append(entry.title or entry.source_name)
            except (BadInput, Failure) as error:
                wrong.append(f"{path.name}: {wording.plain(str(error))}")
            finally:
                uploads.discard(path)
        lines = [shelf_html.added(fresh, known), *(markup.tag("p", one, role="status") for one in wrong)]
        shown = {self.upload: None, self.password: "", self.encoding: "", self.ocr: ""}
        shown[self.notice] = markup.joined(lines)
        if len(files or []) == 1 and there:
            # the same file again opens what is there
            with told():
                view, before = visit.reading.open(there[0], view), view
            shown |= {self.frame.tabs: gr.Tabs(selected="read")} | self.read.scene(view, visit, before)
        return shown | {self.cards: visit.cards(view.document), self.timer: gr.Timer(BUSY_SECONDS)}

    def on_card(
        self, view: View, password: str, encoding: str, ocr: str, event: gr.EventData, request: gr.Request
    ) -> dict:
        """Do what was clicked on a card: open the book, or something about it or its job."""
        values, visit = event_values(event), visit_of(self.desk, request)
        action, document = str(values.get("action", "")), str(values.get("document", ""))
        shown: dict = {self.notice: ""}
        steps = {
            "sample": lambda: visit.add_sample(str(values.get("kind", "epub"))),
            "rename": lambda: visit.rename(document, str(values.get("answer", ""))),
            "tag": lambda: visit.tag(document, str(values.get("answer", ""))),
            "renew": lambda: visit.renew(document),
        } | dict.fromkeys(
            ("pause", "cancel", "resume", "recognise"),
            lambda: visit.act(action, int(values["job"]), password, encoding, (ocr or "").strip()),
        )
        with told():
            if action == "open":
                view, before = visit.reading.open(document, view), view
                shown |= {self.frame.tabs: gr.Tabs(selected="read")} | self.read.scene(view, visit, before)
            elif action == "remove":
                shown |= self.removed(document, view, visit, values.get("keep") == "notes")
            elif action == "replace":
                shown |= self.replaced(str(values.get("older", "")), document, view, visit)
            elif action in steps:
                steps[action]()
        if action in ("resume", "recognise"):
            shown |= {self.password: "", self.encoding: "", self.ocr: ""}
        return shown | {self.cards: visit.cards(view.document), self.timer: gr.Timer(BUSY_SECONDS)}

    def replaced(self, older: str, document: str, view: View, visit: Visit) -> dict:
        """Put a document in the place of an older edition and say what it took over."""
        title, found = visit.replace(older, document)
        words = f"“{title}” took the place of the older edition; {found} notes were found in it."
        shown = {self.notice: markup.tag("p", words, role="status")}
        return shown | (self.read.scene(View(), visit, view) if view.document == older else {})

    def removed(self, document: str, view: View, visit: Visit, keep: bool) -> dict:
        """Delete a document and say what that freed."""
        title, freed = visit.remove(document, keep)
        words = f"“{title}” was deleted with its memory and talks; {wording.size(freed)} freed."
        words += " Your notes on it stay." if keep else ""
        if not freed:
            words = f"“{title}” and your talks about it left your shelf; another account keeps the book."
        shown = {self.notice: markup.tag("p", words, role="status")}
        if view.document == document:
            shown |= self.read.scene(View(), visit, view)
        return shown

    def on_tick(self, view: View, seen: str, seconds: float, request: gr.Request) -> dict:
        """Show the cards where they have changed, and how soon to look again."""
        cards = visit_of(self.desk, request).cards(view.document)
        wanted = BUSY_SECONDS if self.desk.is_busy() else IDLE_SECONDS
        now = hashlib.blake2b(cards.encode(), digest_size=8).hexdigest()
        shown: dict = {self.seen: now}
        if now != seen:
            shown[self.cards] = cards
        if wanted != seconds:
            shown[self.timer] = gr.Timer(wanted)
        return shown

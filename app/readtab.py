"""Readtab: the book and beside it the talk. Events call the desk and show what it gives."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import gradio as gr

from app import leaves, markup
from app.desk import Desk
from app.frame import HIDDEN, PANE, QUICK, Frame, event_values, owner_of, told
from app.memorymap import strip
from app.speaking import Speech
from app.view import BOUNDS, View

CONFIRM_DELETE = "(...a) => { if (!window.confirm('Delete this talk?')) throw new Error('kept'); return a; }"
SAVE = """(text) => {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([text], { type: 'text/markdown' }));
  link.download = 'talk.md';
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}"""


class ReadTab:
    """Components of the tab, and what fills them."""

    def __init__(self, desk: Desk, frame: Frame):
        self.desk, self.frame = desk, frame
        with gr.Row(equal_height=False, elem_id="lm-desk"):
            with gr.Column(scale=3, min_width=330, elem_classes="lm-side"):
                self._reader()
            with gr.Column(scale=2, min_width=330, elem_classes="lm-side"):
                self._talk()
        self.pending = gr.State("")
        self.scene_outputs = [
            frame.view, frame.kept, self.title, self.contents, self.leaf, self.place, self.back, self.talks,
            self.history, self.live, self.bound, self.map,
        ]  # fmt: skip

    def _reader(self) -> None:
        self.title = gr.HTML(elem_id="lm-book", apply_default_css=False, padding=False)
        with gr.Row(elem_classes="lm-find"):
            self.contents = gr.Dropdown(label="Contents", choices=[], scale=3, min_width=180)
            self.query = gr.Textbox(
                label="Search in this book", placeholder="words, or “an exact phrase”", elem_id="lm-search",
                scale=2, min_width=180, max_lines=1,
            )  # fmt: skip
        self.hits = gr.HTML(elem_id="lm-found", **PANE)
        self.map = gr.HTML(elem_id="lm-map", **PANE)
        self.leaf = gr.HTML(**PANE, elem_id="lm-reader")
        self.place = gr.HTML(elem_id="lm-place", apply_default_css=False, padding=False)
        with gr.Row(elem_classes="lm-tools"):
            self.previous = gr.Button("← Back a leaf", size="sm", min_width=110)
            self.next = gr.Button("Next leaf →", size="sm", min_width=110)
            self.read_to = gr.Button("I have read to here", size="sm", min_width=130)
            self.back = gr.Button("Back to where I was", size="sm", min_width=130, visible=False)

    def _talk(self) -> None:
        self.bound = gr.Radio(
            list(BOUNDS.items()), value="book", label="Answers come from", elem_classes="lm-bounds"
        )
        with gr.Row(elem_classes="lm-talks"):
            self.talks = gr.Dropdown(label="Talk", choices=[], scale=3, min_width=110)
            self.fresh = gr.Button("New talk", size="sm", min_width=70, scale=0)
            self.delete = gr.Button("Delete talk", size="sm", min_width=80, scale=0)
        with gr.Column(elem_id="lm-talk"):
            self.history = gr.HTML(**PANE)
            self.live = gr.HTML(**PANE)
        self.question = gr.Textbox(
            label="Your question", placeholder="Who is …? What happens when …?", lines=1, max_lines=6
        )
        with gr.Row(elem_classes="lm-tools"):
            self.ask = gr.Button("Ask", variant="primary", size="md", min_width=90)
            self.stop = gr.Button("Stop", size="md", min_width=90)
            self.export = gr.Button("Export", size="md", min_width=90)
        # a DownloadButton would give what its *last* click made: the browser saves the text itself
        self.exported = gr.Textbox(label="The talk as Markdown", visible="hidden")

    # what is shown

    def scene(self, view: View, request: gr.Request) -> dict:
        """Everything on the tab, for a view."""
        desk, owner = self.desk, owner_of(request)
        entry = desk.entry(view, owner)
        title = markup.tag("h1", markup.text(entry.title)) if entry else ""
        if entry and entry.author:
            title += markup.tag("p", markup.text(entry.author))
        contents = gr.Dropdown(choices=[])
        if entry:
            choices = leaves.contents(desk.document(view.document))
            contents = gr.Dropdown(choices=choices, value=self.chapter(view, owner), visible=bool(choices))
        shown = self.page(view, owner) | self.talk(view, owner)
        return shown | {self.title: title, self.contents: contents}

    def chapter(self, view: View, owner: str) -> int | None:
        """Where the chapter in view begins, as the list of contents knows it."""
        if self.desk.entry(view, owner) is None:
            return None
        document = self.desk.document(view.document)
        chapter = leaves.chapter_around(document, self.desk.leaf(view).start if view.at == 0 else view.at)
        return None if chapter is None else document.chapters[chapter].start

    def page(self, view: View, owner: str) -> dict:
        """The leaf and what tells about it."""
        return {
            self.frame.view: view,
            self.frame.kept: view.kept(),
            self.leaf: self.desk.leaf_html(view, owner),
            self.contents: self.chapter(view, owner),
            self.place: markup.text(self.desk.place_words(view, owner)),
            self.back: gr.Button(visible=view.back is not None),
            self.map: strip(self.desk, view, owner),
        }

    def talk(self, view: View, owner: str) -> dict:
        """The talk with its list."""
        choices = self.desk.talk_choices(view, owner)
        known = view.talk if view.talk in [name for _, name in choices] else None
        return {
            self.frame.view: view,
            self.frame.kept: view.kept(),
            self.talks: gr.Dropdown(choices=choices, value=known),
            self.history: self.desk.conversation(view, owner),
            self.live: "",
            self.bound: view.bound,
            self.map: strip(self.desk, view, owner),
        }

    # events

    def wire(self) -> None:
        """Connect the tab's controls."""
        frame, scene = self.frame, self.scene_outputs
        self.leaf.click(self.on_leaf, [frame.view], scene, **QUICK)
        self.map.click(self.on_map, [frame.view], scene, **QUICK)
        self.hits.click(self.on_leaf, [frame.view], scene, **QUICK)
        for button, action in ((self.previous, "previous"), (self.next, "next"), (self.read_to, "read_to"),
                               (self.back, "back")):  # fmt: skip
            button.click(self.moved(action), [frame.view], scene, **QUICK)
        self.contents.input(self.on_contents, [frame.view, self.contents], scene, **QUICK)
        typed = {**QUICK, "trigger_mode": "always_last"}
        search = [self.query.submit, self.query.change]
        gr.on(search, self.on_search, [frame.view, self.query], [self.hits], **typed)
        self.bound.input(self.on_bound, [frame.view, self.bound], scene, **QUICK)
        self.talks.input(self.on_choose, [frame.view, self.talks], scene, **QUICK)
        self.fresh.click(self.on_fresh, [frame.view], scene, **QUICK)
        self.delete.click(
            self.on_delete, [frame.view], scene,
            js=CONFIRM_DELETE,
            **QUICK,
        )  # fmt: skip
        made = self.export.click(self.on_export, [frame.view], [self.exported], **QUICK)
        made.success(None, [self.exported], None, js=SAVE, api_visibility="private")
        begun = gr.on(
            [self.ask.click, self.question.submit], self.on_ask, [frame.view, self.question],
            [*scene, self.question], **QUICK,
        )  # fmt: skip
        self.show_answer(begun)
        again = self.history.click(self.on_talk, [frame.view], [*scene, self.question], **QUICK)
        self.show_answer(again)
        self.stop.click(self.on_stop, [frame.view], None, queue=False, **HIDDEN)

    def moved(self, action: str):
        """The event of one of the buttons below the leaf."""

        def event(view: View, request: gr.Request) -> dict:
            return self.move(view, action, {}, owner_of(request))

        return event

    def on_leaf(self, view: View, event: gr.EventData, request: gr.Request) -> dict:
        values = event_values(event)
        return self.move(view, str(values.get("action", "")), values, owner_of(request))

    def on_map(self, view: View, event: gr.EventData, request: gr.Request) -> dict:
        owner, values = owner_of(request), event_values(event)
        return self.move(view, str(values.get("action", "")), values, owner) | self.titled(
            view, values, owner
        )

    def move(self, view: View, action: str, values: dict, owner: str) -> dict:
        """Change what is shown of the book."""
        if self.desk.entry(view, owner) is None and action not in ("cite", "hit", "jump"):
            return {self.frame.view: view}
        with told():
            view = self._moved(view, action, values, owner)
        return self.page(view, owner)

    def _moved(self, view: View, action: str, values: dict, owner: str) -> View:
        if action in ("next", "previous"):
            return self.desk.turned(view, 1 if action == "next" else -1, owner)
        if action == "read_to":
            return self.desk.read_to(view, owner)
        if action == "back" and view.back is not None:
            return replace(view, at=view.back, back=None, cited=None, found=(), cursor=None)
        if action == "cursor":
            return replace(view, cursor=int(values["start"]))
        if action == "cite":
            start, end = int(values["start"]), int(values["end"])
            return self.desk.jumped(view, str(values["document"]), start, end, False, owner)
        if action == "jump":
            start = int(values["start"])
            view = self.desk.jumped(
                view, str(values.get("document") or view.document), start, start, True, owner
            )
            return replace(view, found=())
        if action == "hit":
            start, end = int(values["from"]), int(values["to"])
            return self.desk.jumped(view, str(values["document"]), start, end, True, owner)
        return view

    def on_contents(self, view: View, start: int | None, request: gr.Request) -> dict:
        if start is None or not view.document:
            return {self.frame.view: view}
        view = replace(view, at=int(start), cursor=None, cited=None, found=())
        return self.page(view, owner_of(request))

    def on_search(self, view: View, query: str) -> str:
        with told():
            return self.desk.search(view, query)

    def on_bound(self, view: View, bound: str, request: gr.Request) -> dict:
        owner = owner_of(request)
        return self.talk(self.desk.bounded(view, bound, owner), owner)

    def on_choose(self, view: View, talk: str | None, request: gr.Request) -> dict:
        return self.talk(replace(view, talk=talk or "", editing=None, answer=None), owner_of(request))

    def on_fresh(self, view: View, request: gr.Request) -> dict:
        return self.talk(replace(view, talk="", editing=None), owner_of(request))

    def on_delete(self, view: View, request: gr.Request) -> dict:
        owner = owner_of(request)
        with told():
            if view.talk:
                self.desk.speaker.stop(view.talk)
                self.desk.shelf.talks.delete(view.talk, owner)
        return self.talk(replace(view, talk="", editing=None), owner)

    def on_export(self, view: View, request: gr.Request) -> str:
        with told():
            return self.desk.exported(view, owner_of(request))

    def on_ask(self, view: View, question: str, request: gr.Request) -> dict:
        owner = owner_of(request)
        with told():
            view = self.desk.ask(view, question, owner)
        return self.talk(view, owner) | {self.question: ""}

    def on_talk(self, view: View, event: gr.EventData, request: gr.Request) -> dict:
        owner, values = owner_of(request), event_values(event)
        action = values.get("action")
        if action in ("cite", "token"):
            return self.move(view, "cite", values, owner) | self.titled(view, values, owner)
        with told():
            if action == "choose":
                return self.talk(replace(view, answer=int(values["position"])), owner)
            if action == "without" and view.talk:
                reread = values["kind"] == "passages"
                return self.talk(self.desk.without(view, int(values["position"]), reread, owner), owner)
            if action == "retry":
                return self.talk(self.desk.again(view, owner), owner)
            if action == "undo" and view.talk:
                question = self.desk.shelf.talks.undo(view.talk, owner)
                return self.talk(view, owner) | {self.question: question}
            if action == "edit" and view.talk:
                view, question = self.desk.editing(view, int(values["position"]), owner)
                return {self.frame.view: view, self.question: question}
        return {self.frame.view: view}

    def titled(self, view: View, values: dict, owner: str) -> dict:
        """Where a citation leads into another book, its title."""
        entry = self.desk.entry(View(str(values.get("document", ""))), owner)
        if entry is None or entry.id == view.document:
            return {}
        choices = leaves.contents(self.desk.document(entry.id))
        return {self.title: markup.tag("h1", markup.text(entry.title)),
                self.contents: gr.Dropdown(choices=choices, value=None)}  # fmt: skip

    def show_answer(self, begun: Any) -> None:
        """After an event: the answer under way, then the talk with it; also after a refresh."""
        # Gradio makes every output of an event anew at each showing, so that of the answer has one alone.
        going = begun.then(self.follow, [self.frame.view], [self.live], **QUICK)
        going.then(self.followed, [self.frame.view], self.scene_outputs, **QUICK)

    def heard(self, view: View, owner: str) -> Speech | None:
        """The newest answer of the talk in view, where it is this reader's."""
        return self.desk.speaker.current(view.talk) if self.desk.may_hear(view, owner) else None

    def follow(self, view: View, request: gr.Request) -> Iterator[str]:
        """An answer under way until it has ended."""
        speech = self.heard(view, owner_of(request))
        if speech is None or speech.ended:
            yield ""
            return
        for one in self.desk.speaker.follow(speech):
            if not one.ended:
                yield self.desk.live(one)

    def followed(self, view: View, request: gr.Request) -> dict:
        """The talk with the answer that has ended, or why there is none."""
        owner = owner_of(request)
        if (speech := self.heard(view, owner)) is None:
            return {self.live: ""}
        shown = self.talk(view, owner)
        del shown[self.frame.view], shown[self.frame.kept]
        if speech.error:
            words = speech.error
            if view.document and self.desk.assistant.library.fault(view.document):
                words += ". On the shelf, “Encode anew” makes the memory again."
            shown[self.live] = markup.tag("p", markup.text(words), class_="lm-failed", role="alert")
        return shown

    def on_stop(self, view: View, request: gr.Request) -> None:
        if self.desk.may_hear(view, owner_of(request)):
            self.desk.speaker.stop(view.talk)

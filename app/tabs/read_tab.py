"""Read tab: the book and beside it the talk. Events call the desk and show what it gives."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from threading import Lock
from typing import Any

import gradio as gr

from app.desk.desk import Desk
from app.desk.state import BOUNDS, View
from app.desk.visit import Visit
from app.html import contents_html, look_html, markup
from app.tabs.about_pane import AboutPane
from app.tabs.frame import HIDDEN, PANE, QUICK, SAVE, Frame, event_values, told, visit_of
from app.tabs.frame import SCRIPT as PANE_SCRIPT
from app.tabs.mark_bar import MarkBar
from engine.paths import ASSETS
from ingest.errors import BadInput

# the panes' own script, and what moves the book through the window
SCRIPT = PANE_SCRIPT + (ASSETS / "reader.js").read_text(encoding="utf-8")
ALOUD = PANE_SCRIPT + (ASSETS / "aloud.js").read_text(encoding="utf-8")
CONFIRM_DELETE = "(...a) => { if (!window.confirm('Delete this talk?')) throw new Error('kept'); return a; }"
# what leads into a book: where the span stands in the click's values, and how it is marked there
LEADS = {
    "cite": ("start", "end", "cited"), "token": ("start", "end", "cited"), "hit": ("from", "to", "found"),
    "jump": ("start", "start", ""),
}  # fmt: skip
BETTER_SECONDS = 3.0  # from one look at an early answer to the next
# how far the window shows the book
UNDER = "(view, _) => [view, window.lmUnder?.() ?? '']"
# [what was taken out of the question's field, what comes in its place]: what was typed since then stays
PUT = """(put) => {
  const field = document.querySelector('#lm-question textarea');
  if (!put || !field) return;
  const [taken, words] = JSON.parse(put);
  const rest = field.value.startsWith(taken) ? field.value.slice(taken.length) : null;
  if (rest === null || (rest && !taken)) return;
  field.value = [words, rest.trimStart()].filter(Boolean).join('\\n');
  field.dispatchEvent(new Event('input', { bubbles: true }));
}"""


class ReadTab:
    """Components of the tab, and what fills them."""

    def __init__(self, desk: Desk, frame: Frame):
        self.desk, self.frame = desk, frame
        gr.HTML(look_html.panes(), **PANE, elem_id="lm-panes")
        with gr.Row(equal_height=False, elem_id="lm-desk"):
            with gr.Column(scale=3, min_width=330, elem_classes="lm-side"):
                self._reader()
            with gr.Column(scale=2, min_width=330, elem_classes="lm-side"):
                self._talk()
        self.scene_outputs = [
            frame.view, frame.kept, self.title, self.contents, self.query, self.hits, self.leaf, self.place,
            self.back, self.talks, self.history, self.live, self.edited, self.question, self.bound, self.map,
            self.awaited, self.timer, self.about.pane,
        ]  # fmt: skip
        # by session, a mark of the newest `follow`, which the ones before it give way to
        self._following: dict[str | None, object] = {}
        self._changing = Lock()

    def _reader(self) -> None:
        self.title = gr.HTML(elem_id="lm-book", apply_default_css=False, padding=False)
        with gr.Column(elem_id="lm-bench"):
            with gr.Row(elem_classes="lm-find"):
                self.contents = gr.HTML(**PANE, elem_id="lm-contents")
                gr.HTML(look_html.menu(), **PANE, elem_id="lm-look")
                self.about = AboutPane(self.desk, self.frame)
                self.goto = gr.Textbox(
                    label="Go to", placeholder="Go to: page 12",
                    max_lines=1, scale=1, min_width=120, elem_id="lm-goto", container=False, show_label=False,
                )  # fmt: skip
                self.query = gr.Textbox(
                    label="Search in this book", placeholder="Search in this book", elem_id="lm-search",
                    scale=2, min_width=140, max_lines=1, container=False, show_label=False,
                )  # fmt: skip
            self.hits = gr.HTML(elem_id="lm-found", **PANE)
            self.about.draw()
        self.leaf = gr.HTML(**PANE | {"js_on_load": SCRIPT}, elem_id="lm-reader")
        with gr.Row(elem_id="lm-foot", elem_classes="lm-tools"):
            self.place = gr.HTML(elem_id="lm-place", apply_default_css=False, padding=False)
            gr.HTML(look_html.listen(), **PANE | {"js_on_load": ALOUD}, elem_id="lm-listen")
            self.read_to = gr.Button("I have read to here", size="sm", min_width=130)
            self.bookmark = gr.Button("Bookmark", size="sm", min_width=90, visible=not self.desk.read_only)
            self.back = gr.Button("Back to where I was", size="sm", min_width=130, visible=False)
        self.under = gr.Textbox(label="How far the window shows the book", visible="hidden")
        self.bar = MarkBar(self.desk)

    def _talk(self) -> None:
        with gr.Row(elem_classes="lm-talks"):
            self.talks = gr.Dropdown(
                label="Talk", choices=[], scale=3, min_width=110, container=False, show_label=False
            )
            self.fresh = gr.Button("New talk", size="sm", min_width=70, scale=0)
            self.delete = gr.Button("Delete talk", size="sm", min_width=80, scale=0, elem_id="lm-delete")
        self.bound = gr.Radio(
            list(BOUNDS.items()), value="book", label="Answers come from", elem_classes="lm-bounds"
        )
        self.map = gr.HTML(elem_id="lm-map", **PANE)
        with gr.Column(elem_id="lm-talk"):
            self.history = gr.HTML(**PANE, elem_id="lm-history")
            self.live = gr.HTML(**PANE, elem_id="lm-now")
        self.edited = gr.HTML(**PANE, elem_id="lm-edited")
        with gr.Row(elem_classes="lm-tools lm-asking"):
            self.question = gr.Textbox(
                label="Your question", placeholder="Your question", lines=1, max_lines=6,
                elem_id="lm-question", container=False, show_label=False, scale=5, min_width=120,
            )  # fmt: skip
            self.ask = gr.Button("Ask", variant="primary", size="md", min_width=70, scale=0)
            self.stop = gr.Button("Stop", size="md", min_width=70, scale=0, elem_id="lm-stop")
            self.export = gr.Button("Export", size="md", min_width=70, scale=0, elem_id="lm-export")
            self.epub = gr.Button("EPUB", size="md", min_width=60, scale=0, elem_id="lm-export-epub")
        # a DownloadButton would give what its *last* click made: the browser saves it by itself
        self.exported = gr.File(label="The talk", visible="hidden")
        self.put = gr.Textbox(label="What comes into the field", visible="hidden")
        # what the talk will show of itself, see `TalkDesk.awaited`, and when to see whether it can
        self.awaited = gr.State(())
        self.timer = gr.Timer(BETTER_SECONDS, active=False)

    # what is shown

    def scene(self, view: View, visit: Visit, before: View | None = None) -> dict:
        """Show everything on the tab, for a view and the one before it."""
        entry = visit.reading.entry(view)
        title = markup.tag("h1", entry.title) if entry else ""
        if entry and entry.author:
            title += markup.tag("p", entry.author)
        contents = contents_html.drawer(self.desk.books.document(view.document)) if entry else ""
        shown = self.page(view, visit) | self.talk(view, visit)
        # words found belong to the book they were looked for in, as what is told of it does
        shown |= {self.title: title, self.contents: contents, self.query: "", self.hits: ""}
        shown |= {self.about.pane: visit.reading.offered(view)}
        return shown if before is None else shown | self.left(before, view)

    def left(self, before: View, view: View) -> dict:
        """Empty the question's field, where a question that was taken up is left with its talk."""
        is_left = before.editing is not None and (view.editing, view.talk) != (before.editing, before.talk)
        return {self.question: before.draft} if is_left else {}

    def page(self, view: View, visit: Visit) -> dict:
        """Show the leaf and what tells about it."""
        return {
            self.frame.view: view,
            self.frame.kept: view.kept(),
            self.leaf: visit.reading.leaf_html(view),
            self.place: self.placed(view, visit),
            self.back: gr.Button(value=(back := visit.reading.way_back(view)), visible=bool(back)),
            self.map: visit.talking.strip(view),
        }

    def placed(self, view: View, visit: Visit) -> str:
        """Write where the view is; what finds no room is told to who points at it."""
        words = visit.reading.place_words(view)
        return markup.tag("span", words, title=words) if words else ""

    def talk(self, view: View, visit: Visit) -> dict:
        """Show the talk with its list and the answer under way."""
        talking = visit.talking
        view = talking.present(view)
        return self.talk_list(view, visit) | self.said(view, visit) | {
            self.frame.view: view,
            self.frame.kept: view.kept(),
            self.live: talking.live(view),
            self.edited: talking.edited(view),
            self.bound: view.bound,
        }  # fmt: skip

    def said(self, view: View, visit: Visit) -> dict:
        """Show what was said, and whether some of it is to be looked at again."""
        awaited = visit.talking.awaited(view)
        return {
            self.history: visit.talking.conversation(view),
            self.map: visit.talking.strip(view),
            self.awaited: awaited,
            self.timer: gr.Timer(active=bool(awaited)),
        }

    def talk_list(self, view: View, visit: Visit) -> dict:
        """Show the talks to choose from."""
        choices = visit.talking.choices(view)
        known = view.talk if view.talk in [name for _, name in choices] else ""
        if not known:
            choices = [("A new talk", ""), *choices]
        return {self.talks: gr.Dropdown(choices=choices, value=known)}

    # events

    def wire(self) -> None:
        """Connect the tab's controls."""
        frame, scene = self.frame, self.scene_outputs
        self.leaf.click(self.on_leaf, [frame.view], scene, **QUICK)
        self.map.click(self.on_leaf, [frame.view], scene, **QUICK)
        self.hits.click(self.on_leaf, [frame.view], scene, **QUICK)
        self.contents.click(self.on_leaf, [frame.view], scene, **QUICK)
        self.goto.submit(self.on_goto, [frame.view, self.goto], [self.goto, *scene], **QUICK)
        self.bookmark.click(self.on_bookmark, [frame.view], [self.leaf], **QUICK)
        self.bar.wire(frame.view, self.question, self.leaf)
        self.about.wire(self.on_leaf, scene)
        self.leaf.input(
            self.on_scrolled, [frame.view], [self.place], **QUICK | {"trigger_mode": "always_last"}
        )
        self.read_to.click(self.on_read_to, [frame.view, self.under], scene, js=UNDER, **QUICK)
        # back may be into another book and its talk
        self.show_answer(self.back.click(self.on_back, [frame.view], scene, **QUICK))
        typed = {**QUICK, "trigger_mode": "always_last"}
        search = [self.query.submit, self.query.change]
        gr.on(search, self.on_search, [frame.view, self.query], [self.hits], **typed)
        for button, form in ((self.export, "markdown"), (self.epub, "epub")):
            made = button.click(self.exporting(form), [frame.view], [self.exported], **QUICK)
            made.success(None, [self.exported], None, js=SAVE, api_visibility="private")
        asking = gr.on(
            [self.ask.click, self.question.submit], self.on_ask, [frame.view, self.question],
            [*scene, self.put], **QUICK,
        )  # fmt: skip
        asking.success(None, [self.put], None, js=PUT, api_visibility="private")
        talking = [self.history.click, self.edited.click]
        for begun in (
            self.bound.input(self.on_bound, [frame.view, self.bound], scene, **QUICK),
            self.talks.input(self.on_choose, [frame.view, self.talks], scene, **QUICK),
            self.fresh.click(self.on_fresh, [frame.view], scene, **QUICK),
            self.delete.click(self.on_delete, [frame.view], scene, js=CONFIRM_DELETE, **QUICK),
            asking,
            gr.on(talking, self.on_talk, [frame.view, self.question], scene, **QUICK),
        ):
            self.show_answer(begun)
        self.stop.click(self.on_stop, [frame.view], None, queue=False, **HIDDEN)
        bettered = [self.history, self.map, self.awaited, self.timer]
        self.timer.tick(self.on_better, [frame.view, self.awaited], bettered, **QUICK)

    def on_read_to(self, view: View, under: str, request: gr.Request) -> dict:
        """Take what the window shows as read, or the book up to the paragraph that was chosen."""
        return self.move(view, "read_to", {"under": under}, visit_of(self.desk, request))

    def on_back(self, view: View, request: gr.Request) -> dict:
        """Go back to where the reader was led away."""
        return self.move(view, "back", {}, visit_of(self.desk, request))

    def on_leaf(self, view: View, event: gr.EventData, request: gr.Request) -> dict:
        """Do what was clicked in the book, in its strip, or among the words found."""
        values, visit = event_values(event), visit_of(self.desk, request)
        action = str(values.get("action", ""))
        if action in ("everywhere", "here"):
            with told():
                found = visit.reading.search(view, str(values.get("query", "")), action == "everywhere")
            return {self.hits: found}
        return self.move(view, action, values, visit)

    def on_scrolled(self, view: View, event: gr.EventData, request: gr.Request) -> dict:
        """Remember the line at the top of the window; the text and the rest of the view stay as they are."""
        visit, values = visit_of(self.desk, request), event_values(event)
        # a line that was left before the reader was led elsewhere is not where they are now
        is_late = values.get("document") != view.document or values.get("led") != str(view.led)
        if visit.reading.entry(view) is None or is_late:
            return {self.place: gr.skip()}
        with told():
            visit.reading.scrolled(view, int(values["at"]), int(values.get("read") or 0))
        return {self.place: self.placed(view, visit)}

    def move(self, view: View, action: str, values: dict, visit: Visit) -> dict:
        """Change what is shown of the book; all of the tab where that leads into another one."""
        if visit.reading.entry(view) is None and action not in (*LEADS, "address", "back"):
            return {self.frame.view: view}
        with told():
            moved = self._moved(view, action, values, visit)
        return self.page(moved, visit) if moved.document == view.document else self.scene(moved, visit, view)

    def _moved(self, view: View, action: str, values: dict, visit: Visit) -> View:
        """Return the view after an action; as it was where that is none of ours."""
        if action in LEADS:
            first, last, mark = LEADS[action]
            document = str(values.get("document") or view.document)
            return visit.reading.jumped(view, document, int(values[first]), int(values[last]), mark)
        steps = {
            "read_to": lambda: visit.reading.read_to(view, int(values["under"] or 0)),
            "back": lambda: visit.reading.returned(view),
            "address": lambda: replace(
                visit.reading.jumped(view, str(values["document"]), int(values["at"]), 0, ""),
                back=view.back,
            ),
            "cursor": lambda: replace(view, cursor=int(values["start"])),
        }
        return steps[action]() if action in steps else view

    def on_goto(self, view: View, words: str, request: gr.Request) -> dict:
        """Lead to a place that was typed."""
        visit = visit_of(self.desk, request)
        if not words.strip():
            return {self.goto: ""}
        with told():
            view = visit.reading.led(view, words)
        return self.page(view, visit) | {self.goto: ""}

    def on_bookmark(self, view: View, request: gr.Request) -> str:
        """Bookmark the place in view."""
        visit = visit_of(self.desk, request)
        with told():
            if visit.reading.entry(view) is None:
                raise BadInput("open a book first")
            visit.marks.bookmark(view)
        gr.Info("Bookmarked: the tab “Notes” lists it.")
        return visit.reading.leaf_html(view)

    def on_search(self, view: View, query: str, request: gr.Request) -> str:
        """Find where the words typed stand in the book."""
        with told():
            return visit_of(self.desk, request).reading.search(view, query)

    def on_bound(self, view: View, bound: str, request: gr.Request) -> dict:
        """Change what answers may read."""
        visit = visit_of(self.desk, request)
        return self.changed(view, visit.talking.bounded(view, bound), visit)

    def on_choose(self, view: View, talk: str | None, request: gr.Request) -> dict:
        """Show another talk."""
        return self.changed(view, view.with_talk(talk or ""), visit_of(self.desk, request))

    def on_fresh(self, view: View, request: gr.Request) -> dict:
        """Begin a new talk."""
        return self.changed(view, view.with_talk(""), visit_of(self.desk, request))

    def on_delete(self, view: View, request: gr.Request) -> dict:
        """Delete the talk in view."""
        visit = visit_of(self.desk, request)
        with told():
            return self.changed(view, visit.talking.delete(view), visit)

    def changed(self, before: View, view: View, visit: Visit) -> dict:
        """Show another talk."""
        return self.talk(view, visit) | self.left(before, view)

    def exporting(self, form: str) -> Callable[[View, gr.Request], str]:
        """Return what writes the talk into a file."""

        def on_export(view: View, request: gr.Request) -> str:
            with told():
                return str(visit_of(self.desk, request).talking.exported(view, form))

        return on_export

    def on_ask(self, view: View, question: str, request: gr.Request) -> dict:
        """Begin an answer."""
        visit, draft = visit_of(self.desk, request), view.draft
        talking = visit.talking
        if not question.strip() and (speech := talking.heard(view)) and not speech.ended:
            return {self.frame.view: view, self.put: ""}  # pressed twice
        with told():
            view = talking.ask(view, question)
        return self.talk(view, visit) | {self.put: json.dumps([question, draft])}

    def on_talk(self, view: View, typed: str | None, event: gr.EventData, request: gr.Request) -> dict:
        """Do what was clicked in the talk: a citation, or something about a question or an answer."""
        visit, values = visit_of(self.desk, request), event_values(event)
        talking = visit.talking
        action = str(values.get("action", ""))
        if action in LEADS:
            return self.move(view, action, values, visit)
        # what the reader had begun to type before a question was taken up
        draft = (typed or "") if view.editing is None else view.draft
        # each gives the view, and what then stands in the question's field (None: what is there)
        steps = {
            "choose": lambda: (replace(view, answer=int(values["position"])), None),
            "without": lambda: (
                talking.without(view, int(values["position"]), values["kind"] == "passages"), None,
            ),
            "suggest": lambda: (view, str(values["question"])),
            "retry": lambda: (talking.again(view), draft),
            "undo": lambda: talking.undone(view, draft),
            "edit": lambda: talking.editing(replace(view, draft=draft), int(values["position"])),
            "leave": lambda: (replace(view, editing=None, draft=""), draft),
        }  # fmt: skip
        if action not in steps:
            return {self.frame.view: view}
        with told():
            view, words = steps[action]()
        return self.talk(view, visit) | ({} if words is None else {self.question: words})

    def show_answer(self, begun: Any) -> None:
        """Show, after an event that may change the talk, the answer under way, then the talk with it."""
        # "multiple", so that an answer still followed in one talk keeps none in the next from being followed
        often = {**QUICK, "trigger_mode": "multiple"}
        # Gradio makes every output of an event anew at each showing, so that of the answer has one alone.
        going = begun.then(self.follow, [self.frame.view], [self.live], **often)
        seen = [*self.scene_outputs, self.put]
        over = going.then(self.followed, [self.frame.view, self.question], seen, **often)
        over.then(None, [self.put], None, js=PUT, api_visibility="private")

    def follow(self, view: View, request: gr.Request) -> Iterator[str]:
        """Show an answer under way until it has ended, or until this browser looks at another talk."""
        session, mine, talking = request.session_hash, object(), visit_of(self.desk, request).talking
        with self._changing:
            self._following[session] = mine
        try:
            speech = talking.heard(view)
            if speech is None or speech.ended:
                yield talking.live(view)
                return
            # one after the other, where a question waits for the one before it
            while speech is not None and not speech.ended:
                for one in self.desk.speaker.follow(speech, lambda: self._following.get(session) is not mine):
                    if not one.ended:
                        yield talking.live(view)
                if self._following.get(session) is not mine:
                    return
                speech = talking.heard(view)
        finally:
            with self._changing:
                if self._following.get(session) is mine:
                    del self._following[session]

    def followed(self, view: View, typed: str | None, request: gr.Request) -> dict:
        """Show the talk in view with what has ended in it, or why there is none."""
        visit = visit_of(self.desk, request)
        shown = self.talk(view, visit)
        del shown[self.frame.view], shown[self.frame.kept]
        typing = (typed or "").strip()
        back = "" if typing else visit.talking.given_back(view)
        return shown | {self.put: json.dumps(["", back]) if back else ""}

    def on_better(self, view: View, shown: tuple[object, ...], request: gr.Request) -> dict:
        """Have what was answered early answered anew once that can be done; show it, or whom to ask about."""
        visit = visit_of(self.desk, request)
        if visit.talking.awaited(view) != tuple(shown):
            return self.said(view, visit)
        with told():
            visit.talking.better(view)
        return {self.awaited: shown}

    def on_stop(self, view: View, request: gr.Request) -> None:
        """End the answer under way in the talk in view."""
        if visit_of(self.desk, request).talking.may_hear(view):
            self.desk.speaker.stop(view.talk)

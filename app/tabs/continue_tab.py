"""Continue tab: a book, or words of one's own, written on; with memory beside the same without."""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass, replace
from threading import Event

import gradio as gr

from app.desk.desk import Desk
from app.desk.scope import still_there
from app.desk.speaking import Speech, waiting_words
from app.desk.state import View
from app.desk.visit import Visit
from app.html import markup, talk_html
from app.tabs.frame import HIDDEN, PANE, QUICK, Frame, told, visit_of
from app.tabs.read_tab import ReadTab
from engine.answering.answer import AnswerEvent
from engine.sampling import CONTINUING
from ingest.errors import BadInput

PLACES = {"After the paragraph I chose": "cursor", "Where I have read to": "read", "At its end": "end"}
MOODS = {"Always the likeliest word": 0.0, "Careful": 0.5, "Natural": 0.8, "Daring": 1.1}
TOKENS_A_WORD = 4 / 3  # of English, about
NAMES = MEMORY, PLAIN = "memory", "plain"
WITH, WITHOUT = "With the memory of the book", "The same without memory"
NO_PLACE = {
    "read": "you have not read anything yet: choose another place to go on from",
    "cursor": "choose a paragraph first: click on it in the book",
}
HINT = "Choose where to go on, and press “Write on”."
BESIDE = "Here stands the same text as the model goes on without the book."


@dataclass(frozen=True)
class Continuation:
    """What is written on: of which book (None: of words alone), and from where, as a question of a talk.

    speeches: with memory and without it; of words alone without it only. talk: where it is kept.
    """

    document: str | None
    asked: str
    speeches: tuple[Speech, ...]
    talk: str = ""


class ContinueTab:
    """Components of the tab, and what fills them."""

    def __init__(self, desk: Desk, frame: Frame):
        self.desk, self.frame = desk, frame
        with gr.Row(equal_height=True):
            with gr.Column(scale=2, min_width=300):
                self.place = gr.Radio(list(PLACES.items()), value="read", label="Go on in the open book")
                self.prompt = gr.Textbox(
                    label="Or go on from words of your own (the book stays in memory)", lines=2, max_lines=8
                )
            with gr.Column(scale=1, min_width=260):
                self.mood = gr.Dropdown(list(MOODS.items()), value=0.8, label="How the words are chosen")
                self.length = gr.Slider(15, 300, value=90, step=15, label="Length in words")
        with gr.Row(elem_classes="lm-tools"):
            self.go = gr.Button("Write on", variant="primary", size="md", min_width=140, scale=0)
            self.stop = gr.Button("Stop", size="md", min_width=110, scale=0, elem_id="lm-stop-writing")
            self.keep = gr.Button(
                "Keep in the talks", size="md", min_width=170, scale=0, elem_id="lm-keep-written"
            )
        with gr.Row(equal_height=True):
            with gr.Column(min_width=300):
                self.with_memory = gr.HTML(written(WITH, None, HINT), **PANE, elem_id="lm-with")
            with gr.Column(min_width=300):
                self.without = gr.HTML(written(WITHOUT, None, BESIDE), **PANE, elem_id="lm-without")
        self.written = gr.State(None)
        self.outputs = [self.with_memory, self.without, self.written]
        # the last one of each account, for whoever loads the page again before it was kept
        self._last: dict[str, Continuation] = {}

    def wire(self, read: ReadTab) -> None:
        """Connect the tab's controls; what is kept shows among the talks of the reading tab."""
        self.read = read
        given = [self.frame.view, self.place, self.prompt, self.mood, self.length]
        self.go.click(self.on_go, given, self.outputs, **QUICK, trigger_mode="multiple")
        self.stop.click(self.on_stop, None, None, queue=False, **HIDDEN)
        self.keep.click(self.on_keep, [self.frame.view, self.written], [read.talks, self.written], **QUICK)

    def on_go(
        self, view: View, place: str, prompt: str, mood: float, length: int, request: gr.Request
    ) -> Iterator[dict]:
        """Write on, with the memory of the open book and then the same without."""
        visit, tokens = visit_of(self.desk, request), round(length * TOKENS_A_WORD)
        with told():
            still_there(visit.reading, view)
            at = self.at(view, place, prompt, visit)
            document = view.document or None
            if document is None and not prompt.strip():
                raise BadInput("open a book first, or type words to go on from")
            asked = self.asked(document, at, prompt)
            seed = secrets.randbelow(2**31)
            keys = [f"{name} {request.session_hash}" for name in NAMES if document or name == PLAIN]
            speeches = [self.say(visit, key, document, at, prompt, mood, tokens, seed) for key in keys]
        made = self._last[visit.owner] = Continuation(document, asked, tuple(speeches))
        try:
            yield from self.follow(made)
        finally:
            # whoever left does not keep the others waiting
            for speech in speeches:
                self.desk.speaker.stop(speech.key)

    def restored(self, request: gr.Request) -> Iterator[dict]:
        """Show what was written before the page was loaded again, unless its book is gone."""
        visit = visit_of(self.desk, request)
        made = self._last.get(visit.owner)
        if made is not None and (made.document is None or visit.reading.entry(View(made.document))):
            yield from self.follow(made)
        else:
            yield {self.written: None}

    def follow(self, made: Continuation) -> Iterator[dict]:
        """Show both panes whenever something is added to one, until nothing more comes."""
        for speech in made.speeches:
            for _ in self.desk.speaker.follow(speech):
                yield self.shown(made)

    def shown(self, made: Continuation) -> dict:
        """Show both panes as they are now."""
        # all outputs at each showing: Gradio makes those left out anew, which takes longer
        shown = {self.with_memory: written(WITH, None, HINT), self.without: written(WITHOUT, None, BESIDE)}
        panes = {self.without: WITHOUT}
        if made.document:
            panes = {self.with_memory: f"With the memory of “{self.title(made.document)}”"} | panes
        for (pane, label), speech in zip(panes.items(), made.speeches, strict=True):
            note = waiting_words(speech, self.desk.speaker.before(speech))
            shown[pane] = written(label, speech, note)
        return shown | {self.written: made}

    def say(
        self, visit: Visit, key: str, document: str | None, at: int | None, prompt: str, mood: float,
        tokens: int, seed: int,
    ) -> Speech:  # fmt: skip
        """Queue one of the two continuations; both draw with the same seed."""
        sampling = replace(CONTINUING, temperature=float(mood), seed=seed)
        after = None if at is None else f"char {at}"

        def begin(stop: Event) -> Iterator[AnswerEvent]:
            return visit.assistant.continue_(
                document, at=after, prompt=prompt.strip() and prompt or None, tokens=tokens,
                memory=key.startswith(MEMORY), sampling=sampling, stop=stop,
            )  # fmt: skip

        visit.check_tokens(tokens)
        return visit.speaker.say(key, prompt, begin)

    def at(self, view: View, place: str, prompt: str, visit: Visit) -> int | None:
        """Find the character to go on from, None for the end; words of one's own go on from what was read."""
        entry = visit.reading.entry(view)
        if entry is None or place == "end":
            return None
        chosen = entry.position if place == "read" else self.desk.books.paragraph_end(view)
        if not chosen and not prompt.strip():
            raise BadInput(NO_PLACE[place])
        return chosen or entry.position

    def asked(self, document: str | None, at: int | None, prompt: str) -> str:
        """Write what was gone on from as a talk's question: the words, or the place as the book names it."""
        if prompt.strip() or document is None:
            return f"Go on from these words: {prompt.strip()}"
        whole = self.desk.books.document(document)
        return f"Go on after {whole.place(max(0, at - 1))}." if at is not None else "Go on after the end."

    def on_stop(self, request: gr.Request) -> None:
        """End what is being written in this browser."""
        for name in NAMES:
            self.desk.speaker.stop(f"{name} {request.session_hash}")

    def on_keep(self, view: View, written: Continuation | None, request: gr.Request) -> dict:
        """Make a talk of what was written, about the book that it was written from."""
        visit = visit_of(self.desk, request)
        talks = visit.shelf.talks
        with told():
            text = written.speeches[0].text if written is not None else ""
            if written is None or not text.strip():
                raise BadInput("there is nothing to keep yet")
            if not written.speeches[0].ended:
                raise BadInput("it is still being written: wait for its end, or stop it")
            entry = still_there(visit.reading, View(written.document or ""))
            about = f"“{entry.title}”" if entry else "all your books"
            if written.talk not in [talk.id for talk in talks.about(written.document)]:
                talk = talks.create(written.document)
                talks.append(talk.id, "user", written.asked, settings={"written_on": True})
                talks.append(talk.id, "assistant", text)
                kept = replace(written, talk=talk.id)
                if self._last.get(visit.owner) is written:  # another window may have written on since
                    self._last[visit.owner] = kept
                written = kept
        gr.Info(f"It is among the talks about {markup.text(about)} now.")
        return self.read.talk_list(view, visit) | {self.written: written}

    def title(self, document: str) -> str:
        """Return what a book is called; as one says it where it is gone."""
        try:
            return self.desk.shelf.get(document).title
        except BadInput:
            return "a removed book"


def written(label: str, speech: Speech | None, note: str = "") -> str:
    """Write one continuation so far."""
    parts = [markup.tag("h3", label, class_="lm-title")]
    if speech is None:
        parts.append(markup.tag("p", note, class_="lm-empty"))
        return markup.tag("section", *parts)
    caret = "" if speech.ended else markup.tag("span", "▌", class_="lm-caret", aria_hidden="true")
    words = "".join(speech.pieces) if speech.answer is None else speech.answer.text
    parts.append(markup.tag("div", words, caret, class_="lm-said lm-written"))
    if speech.error:
        parts.append(talk_html.failed(speech.error))
    elif speech.answer is not None:
        statistics = speech.answer.statistics
        parts.append(talk_html.footnote(statistics))
        parts.append(markup.tag("div", markup.button("Copy", "copy"), class_="lm-row"))
    else:
        parts.append(markup.tag("p", note, class_="lm-footnote"))
    return markup.tag("section", *parts)

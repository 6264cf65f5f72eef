"""Continuetab: a book, or words of one's own, written on; with memory beside the same without."""

import secrets
from collections.abc import Iterator
from dataclasses import replace
from threading import Event

import gradio as gr

from app import markup, talkview
from app.desk import Desk
from app.frame import HIDDEN, PANE, QUICK, Frame, owner_of, told
from app.speaking import Speech, waiting_words
from app.view import View
from engine.answering.answer import AnswerEvent
from engine.sampling import CONTINUING
from ingest.errors import BadInput

PLACES = {"After the paragraph I chose": "cursor", "Where I have read to": "read", "At its end": "end"}
MOODS = {"Always the likeliest word": 0.0, "Careful": 0.5, "Natural": 0.8, "Daring": 1.1}
WITH, WITHOUT = "With the memory of the book", "The same without memory"
HINT = "Choose where to go on, and press “Write on”."
BESIDE = "Here stands the same text as the model goes on without the book."


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
                self.length = gr.Slider(20, 400, value=120, step=20, label="Length in tokens")
        with gr.Row(elem_classes="lm-tools"):
            self.go = gr.Button("Write on", variant="primary", size="md", min_width=140, scale=0)
            self.stop = gr.Button("Stop", size="md", min_width=110, scale=0)
            self.keep = gr.Button("Keep in the talks", size="md", min_width=170, scale=0)
        with gr.Row(equal_height=True):
            with gr.Column(min_width=300):
                self.with_memory = gr.HTML(written(WITH, None, HINT), **PANE)
            with gr.Column(min_width=300):
                self.without = gr.HTML(written(WITHOUT, None, BESIDE), **PANE)
        self.texts = gr.State(("", ""))

    def wire(self) -> None:
        """Connect the tab's controls."""
        given = [self.frame.view, self.place, self.prompt, self.mood, self.length]
        self.go.click(self.on_go, given, [self.with_memory, self.without, self.texts], **QUICK)
        self.stop.click(self.on_stop, None, None, queue=False, **HIDDEN)
        self.keep.click(self.on_keep, [self.frame.view, self.texts], None, **QUICK)

    def on_go(
        self, view: View, place: str, prompt: str, mood: float, length: int, request: gr.Request
    ) -> Iterator[dict]:
        owner = owner_of(request)
        with told():
            at = self.at(view, place, owner)
            document = view.document or None
            if document is None and not prompt.strip():
                raise BadInput("open a book first, or type words to go on from")
            seed = secrets.randbelow(2**31)
            speeches = [self.say(request, name, document, at, prompt, mood, length, seed, owner)
                        for name in (("memory", "plain") if document else ("plain",))]  # fmt: skip
        panes = [self.with_memory, self.without] if document else [self.without]
        labels = {self.with_memory: WITH, self.without: WITHOUT}
        # all outputs at each showing: Gradio makes those left out anew, which takes longer
        shown = {self.with_memory: written(WITH, None, HINT), self.without: written(WITHOUT, None, BESIDE)}
        try:
            for speech, pane in zip(speeches, panes, strict=True):
                for one in self.desk.speaker.follow(speech):
                    note = waiting_words(one, self.desk.speaker.before(one))
                    shown[pane] = written(labels[pane], one, note)
                    yield shown | {self.texts: (at or "its end", speeches[0].text)}
        finally:
            # whoever left does not keep the others waiting
            for speech in speeches:
                speech.stop.set()

    def say(
        self, request: gr.Request, name: str, document: str | None, at: str | None, prompt: str, mood: float,
        length: int, seed: int, owner: str,
    ) -> Speech:  # fmt: skip
        """Queue one of the two continuations; both draw with the same seed."""
        sampling = replace(CONTINUING, temperature=float(mood), seed=seed)

        def begin(stop: Event) -> Iterator[AnswerEvent]:
            return self.desk.assistant.continue_(
                document, at=at, prompt=prompt.strip() and prompt or None, tokens=int(length),
                memory=name == "memory", sampling=sampling, owner=owner, stop=stop,
            )  # fmt: skip

        return self.desk.speaker.say(f"{name} {request.session_hash}", prompt, begin)

    def at(self, view: View, place: str, owner: str) -> str | None:
        """The place to go on from, in the engine's words; None is the end."""
        entry = self.desk.entry(view, owner)
        if entry is None or place == "end":
            return None
        if place == "read":
            if not entry.position:
                raise BadInput("you have not read anything yet: choose another place to go on from")
            return f"char {entry.position}"
        if view.cursor is None:
            raise BadInput("choose a paragraph first: click on it in the book")
        paragraphs = self.desk.document(view.document).paragraphs
        end = next((end for start, end in paragraphs if start <= view.cursor < end), view.cursor)
        return f"char {end}"

    def on_stop(self, request: gr.Request) -> None:
        for name in ("memory", "plain"):
            self.desk.speaker.stop(f"{name} {request.session_hash}")

    def on_keep(self, view: View, texts: tuple[str, str], request: gr.Request) -> None:
        owner = owner_of(request)
        with told():
            at, text = texts
            if not text.strip():
                raise BadInput("there is nothing to keep yet")
            talks = self.desk.shelf.talks
            talk = talks.create(view.document or None, owner, title="A continuation")
            talks.append(talk.id, "user", f"Continue from {at}.", owner=owner)
            talks.append(talk.id, "assistant", text, owner=owner)
        gr.Info("It is among the talks now.")


def written(label: str, speech: Speech | None, note: str = "") -> str:
    """One continuation so far."""
    parts = [markup.tag("h3", markup.text(label), class_="lm-title")]
    if speech is None:
        parts.append(markup.tag("p", markup.text(note), class_="lm-empty"))
        return markup.tag("section", *parts)
    caret = "" if speech.ended else markup.tag("span", "▌", class_="lm-caret", aria_hidden="true")
    words = "".join(speech.pieces) if speech.answer is None else speech.answer.text
    parts.append(markup.tag("div", markup.text(words), caret, class_="lm-said lm-written"))
    if speech.error:
        parts.append(markup.tag("p", markup.text(speech.error), class_="lm-failed", role="alert"))
    elif speech.answer is not None:
        statistics = speech.answer.statistics
        parts.append(talkview.footnote(statistics))
        parts.append(markup.tag("div", markup.button("Copy", "copy"), class_="lm-row"))
    else:
        parts.append(markup.tag("p", markup.text(note), class_="lm-footnote"))
    return markup.tag("section", *parts)

"""Label forms: label one text, or a whole file, with the library in use."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import gradio as gr

from app.desk import import_draft
from app.desk.demonstrations_desk import DemonstrationsDesk
from app.desk.desk import Desk
from app.desk.import_draft import Draft
from app.desk.libraries import Looked
from app.desk.speaking import waiting_words
from app.html import demonstrations_html, label_html
from app.tabs.frame import HIDDEN, PANE, QUICK, event_values, told
from app.tabs.how_form import settings_of
from app.tabs.import_form import SUFFIXES
from app.tabs.library_frame import LibraryFrame, visited
from engine.demonstrations.store import DemonstrationLibrary

HINT = "Type a text, and press “Label it”."
FIRST = "The first text after a change takes longer: the examples are weighed against each other."


class TextForm:
    """One text."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.text = gr.Textbox(label="A text to label", lines=3, max_lines=10)
        with gr.Row(elem_classes="lm-tools"):
            self.go = gr.Button("Label it", variant="primary", size="md", min_width=140, scale=0)
        self.shown = gr.HTML(label_html.note(HINT), **PANE, elem_id="lm-labelled")

    def wire(self, tab: LibraryFrame) -> None:
        """Connect the form's controls."""
        inputs = [tab.looked, self.text, *tab.how.inputs]
        self.go.click(self.on_go, inputs, [self.shown], **HIDDEN, concurrency_limit=None)

    def hint(self) -> str:
        """Tell what to do, before there is anything to show."""
        return label_html.note(HINT)

    def on_go(
        self, looked: Looked, text: str, shots: float, choose: str, memory: bool, vote: bool,
        request: gr.Request,
    ) -> Iterator[str]:  # fmt: skip
        """Label the text, and tell meanwhile how long it takes."""
        speaker = self.desk.speaker
        with told():
            settings = settings_of(shots, choose, memory, vote)
            text = text or ""
            trial = visited(self.desk, request).try_text(
                f"try {request.session_hash}", looked.library, text, settings
            )
        speech = trial.speech
        try:
            for one in speaker.follow(speech):
                if not one.ended:
                    yield label_html.note(f"{waiting_words(one, speaker.before(one))} {FIRST}")
        finally:
            # whoever left does not keep the others waiting
            speaker.stop(speech.key)
        if speech.error:
            yield label_html.note(speech.error, is_failure=True)
        elif trial.found is not None:
            yield label_html.classification(text, trial.found)


class FileForm:
    """A whole file, as a job of the server."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        may_change = not desk.read_only
        with gr.Row(visible=may_change):
            with gr.Column(min_width=280):
                self.file = gr.File(label="A table of texts: CSV, TSV, JSONL or Parquet", file_types=SUFFIXES,
                                    height=140, elem_id="lm-file")  # fmt: skip
            with gr.Column(min_width=280):
                self.encoding = gr.Textbox(label="Encoding, if letters are wrong", placeholder="cp1251",
                                           max_lines=1)  # fmt: skip
                self.column = gr.Dropdown([], label="Column of the text")
                self.go = gr.Button("Label the file", variant="primary", size="md", interactive=False)
        self.preview = gr.HTML(apply_default_css=False, padding=False, elem_id="lm-file-preview")
        self.runs = gr.HTML(**PANE, elem_id="lm-runs")
        self.draft = gr.State(None)

    def wire(self, tab: LibraryFrame) -> None:
        """Connect the form's controls."""
        self.tab = tab
        chosen = [self.file, self.draft, self.column, self.preview, self.go]
        self.file.upload(self.on_file, [tab.looked, self.file, self.encoding], chosen, **QUICK)
        gr.on(
            [self.encoding.submit, self.encoding.blur], self.on_encoding,
            [tab.looked, self.draft, self.encoding, self.column], chosen, **QUICK,
        )  # fmt: skip
        self.go.click(
            self.on_go, [tab.looked, self.draft, self.column, *tab.how.inputs],
            [*chosen, self.runs, tab.timer], **QUICK,
        )  # fmt: skip
        acted = self.runs.click(self.on_run, [tab.looked], [self.runs, tab.download, tab.timer], **QUICK)
        tab.downloaded(acted)

    def runs_html(self, library: DemonstrationLibrary | None, mine: DemonstrationsDesk) -> str:
        """Write the reader's files with a library."""
        if library is None:
            return ""
        return demonstrations_html.runs(mine.runs(library.id), self.desk.read_only)

    def on_file(self, looked: Looked, name: str | None, encoding: str) -> dict:
        """Look at a file that was just uploaded."""
        if not name:
            return {self.file: None}
        with told():
            self.desk.changeable()
            draft = Draft(*import_draft.uploaded(Path(name), encoding))
            return self.shown(looked, draft)

    def on_encoding(self, looked: Looked, draft: Draft | None, encoding: str, column: str | None) -> dict:
        """Read what is there once more, in another encoding."""
        if draft is None:
            return {self.draft: None}
        with told():
            table = import_draft.table_of(draft.table.name, draft.data, encoding)
            if table == draft.table:
                return {self.draft: draft}
            return self.shown(looked, replace(draft, table=table), column)

    def shown(self, looked: Looked, draft: Draft, column: str | None = None) -> dict:
        """Show a file that may be labelled, and the column of its texts: the one chosen, or a guess."""
        table = draft.table
        if column not in table.columns:
            column = self.desk.demonstrations.text_column(
                self.desk.libraries.store.get(looked.library), table
            )
        return {
            self.file: None,
            self.draft: draft,
            self.column: gr.Dropdown(choices=list(table.columns), value=column),
            self.preview: demonstrations_html.table_preview(table),
            self.go: gr.Button(interactive=True),
        }

    def on_go(
        self, looked: Looked, draft: Draft | None, column: str | None, shots: float, choose: str,
        memory: bool, vote: bool, request: gr.Request,
    ) -> dict:  # fmt: skip
        """Queue the file."""
        mine = visited(self.desk, request)
        with told():
            settings = settings_of(shots, choose, memory, vote)
            mine.start_run(looked.library, draft.table if draft else None, column, settings)
        return {
            self.file: None,
            self.draft: None,
            self.column: gr.Dropdown(choices=[], value=None),
            self.preview: "",
            self.go: gr.Button(interactive=False),
            self.runs: self.runs_html(self.desk.libraries.library(looked), mine),
            self.tab.timer: self.tab.busy(),
        }

    def on_run(self, looked: Looked, event: gr.EventData, request: gr.Request) -> dict:
        """Do what a button of one of the files below says."""
        values, mine = event_values(event), visited(self.desk, request)
        path = None
        with told():
            run, action = mine.run(looked.library, str(values["run"])), values.get("action")
            if action == "download":
                path = str(mine.export_run(run, str(values.get("kind"))))
            elif action in ("pause", "cancel", "resume", "remove"):
                mine.act_on_run(action, run)
        shown = self.runs_html(self.desk.libraries.library(looked), mine)
        return {self.runs: shown, self.tab.download: path, self.tab.timer: self.tab.busy()}

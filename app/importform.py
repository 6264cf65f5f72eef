"""Importform: a file or pasted rows, what an import would keep of them, and the library they become."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import gradio as gr

from app import demonstrationsview, importdraft
from app.demonstrationsdesk import DemonstrationsDesk, Looked
from app.frame import HIDDEN, told
from app.importdraft import HEADERS, Draft

if TYPE_CHECKING:
    from app.demonstrationstab import DemonstrationsTab

SUFFIXES = [".csv", ".tsv", ".txt", ".jsonl", ".json", ".parquet"]
NEW = ("A new library", "")
PLACEHOLDER = "text,label\nA fine film.,good\nTwo hours that I want back.,bad"


class ImportForm:
    """Components of the form, and what fills them."""

    def __init__(self, desk: DemonstrationsDesk) -> None:
        self.desk = desk
        with gr.Accordion("Bring examples", open=False, elem_id="lm-import") as self.fold:
            with gr.Row():
                with gr.Column(min_width=300):
                    self.file = gr.File(
                        label="A table: CSV, TSV, JSONL or Parquet", file_types=SUFFIXES, height=140
                    )
                    with gr.Row():
                        self.encoding = gr.Textbox(
                            label="Encoding, if letters are wrong",
                            placeholder="cp1251",
                            max_lines=1,
                            min_width=150,
                        )
                        self.header = gr.Dropdown(
                            list(HEADERS.items()), value="", label="The first row is", min_width=150
                        )
                with gr.Column(min_width=300):
                    self.pasted = gr.Textbox(
                        label="Or rows, pasted from a spreadsheet",
                        lines=4,
                        max_lines=8,
                        placeholder=PLACEHOLDER,
                    )
                    self.look = gr.Button("Look at these rows", size="sm")
            self.preview = gr.HTML(elem_id="lm-preview", apply_default_css=False, padding=False)
            with gr.Column(visible=False) as self.chosen:
                with gr.Row():
                    self.into = gr.Dropdown([NEW], value="", label="They become", min_width=160)
                    self.text = gr.Dropdown([], label="Column of the text", min_width=160)
                    self.label = gr.Dropdown([], label="Column of the label", min_width=160)
                with gr.Column() as self.task:
                    with gr.Row():
                        self.name = gr.Textbox(label="Name of the library", max_lines=1, min_width=160)
                        self.description = gr.Textbox(
                            label="What it is about (if you like)", max_lines=1, min_width=160
                        )
                    with gr.Row():
                        self.template = gr.Textbox(
                            label="Template: the first {} is the text, the second the label",
                            lines=2,
                            min_width=260,
                        )
                        self.words = gr.Textbox(
                            label="Word for each label: label = word", lines=2, max_lines=8, min_width=260
                        )
                    self.written = gr.HTML(apply_default_css=False, padding=False)
                self.skip = gr.Checkbox(label="Leave out the rows with something wrong", value=False)
                with gr.Row(elem_classes="lm-tools"):
                    self.make = gr.Button(
                        "Import and encode", variant="primary", size="md", min_width=160, scale=0
                    )
                    self.drop = gr.Button("Forget these rows", size="md", min_width=160, scale=0)
        self.draft = gr.State(None)
        self.outputs = [
            self.draft, self.preview, self.chosen, self.text, self.label, self.name, self.template,
            self.words, self.task, self.skip, self.written,
        ]  # fmt: skip

    def wire(self, tab: "DemonstrationsTab") -> None:
        """Connect the form's controls; what is made is looked at in the tab."""
        self.tab = tab
        quick = {**HIDDEN, "concurrency_limit": None}
        how = [self.encoding, self.header, self.into]
        self.file.upload(self.on_file, [self.file, *how], [self.file, *self.outputs], **quick)
        self.look.click(self.on_paste, [self.pasted, *how], self.outputs, **quick)
        gr.on(
            [self.encoding.submit, self.encoding.blur, self.header.input], self.on_otherwise,
            [self.draft, *how], self.outputs, **quick,
        )  # fmt: skip
        gr.on(
            [self.text.input, self.label.input, self.into.input], self.on_columns,
            [self.draft, self.into, self.text, self.label], self.outputs, **quick,
        )  # fmt: skip
        gr.on(
            [self.template.change, self.words.change], self.on_written,
            [self.draft, self.template, self.words], [self.written], trigger_mode="always_last", **quick,
        )  # fmt: skip
        self.drop.click(self.on_drop, None, [self.pasted, *self.outputs], **quick)
        self.make.click(
            self.on_make,
            [tab.looked, self.draft, self.name, self.template, self.words, self.description, self.skip],
            [self.pasted, self.description, self.into, self.fold, *self.outputs, *tab.outputs], **quick,
        )  # fmt: skip

    def scene(self) -> dict:
        """The list of libraries that rows can join."""
        every = [(one.name, one.id) for one in self.desk.store.libraries()]
        return {self.into: gr.Dropdown(choices=[NEW, *every])}

    def shown(self, draft: Draft, is_new: bool = True) -> dict:
        """A draft; where it is new, name and words are suggested."""
        table, found = draft.table, draft.preview
        columns = list(table.columns)
        shown = {
            self.draft: draft,
            self.preview: demonstrationsview.preview(table, found, draft.fault),
            self.chosen: gr.Column(visible=True),
            self.task: gr.Column(visible=not draft.into),
            self.skip: gr.Checkbox(visible=bool(found and found.problems)),
            self.text: gr.Dropdown(choices=columns, value=found.text_column if found else None),
            self.label: gr.Dropdown(choices=columns, value=found.label_column if found else None),
        }
        if found is None:
            if not is_new:
                # the reader's own choice stays, so that it can be changed
                shown |= {self.text: gr.Dropdown(choices=columns), self.label: gr.Dropdown(choices=columns)}
            return shown
        words = demonstrationsview.words_text(found.words)
        if is_new:
            name = "" if isinstance(draft.data, str) else Path(table.name).stem[:100]
            shown |= {self.name: name, self.skip: gr.Checkbox(value=False, visible=bool(found.problems))}
        return shown | {
            self.template: found.template,
            self.words: words,
            self.written: self.written_of(draft, found.template, words),
        }

    def written_of(self, draft: Draft | None, template: str | None, words: str | None) -> str:
        """The first row as the model reads it."""
        if draft is None or draft.preview is None or not draft.preview.rows:
            return ""
        first, labels = draft.preview.rows[0], tuple(draft.preview.words)
        return demonstrationsview.written(template or "", words or "", labels, first.text, first.label)

    def empty(self) -> dict:
        """No rows."""
        return {
            self.draft: None, self.preview: "", self.chosen: gr.Column(visible=False), self.name: "",
            self.template: "", self.words: "", self.written: "", self.skip: False,
        }  # fmt: skip

    def on_file(self, name: str | None, encoding: str, header: str, into: str | None) -> dict:
        if not name:
            return {self.file: None}
        path = Path(name)
        with told():
            self.desk.desk.changeable()
            data, table = importdraft.uploaded(path, encoding, header or "")
            return {self.file: None} | self.shown(self.desk.draft(data, table, into or ""))

    def on_paste(self, text: str, encoding: str, header: str, into: str | None) -> dict:
        with told():
            self.desk.desk.changeable()
            table = importdraft.table_of("", text or "", "", header or "")
            return self.shown(self.desk.draft(text or "", table, into or ""))

    def on_otherwise(self, draft: Draft | None, encoding: str, header: str, into: str | None) -> dict:
        """Read what is there once more, with another encoding or header."""
        if draft is None:
            return {self.draft: None}
        with told():
            table = importdraft.table_of(draft.table.name, draft.data, encoding, header or "")
            if table == draft.table:
                return {self.draft: draft}
            return self.shown(self.desk.draft(draft.data, table, into or ""), is_new=False)

    def on_columns(self, draft: Draft | None, into: str | None, text: str | None, label: str | None) -> dict:
        if draft is None:
            return {self.draft: None}
        with told():
            made = self.desk.draft(draft.data, draft.table, into or "", text, label)
        return self.shown(made, is_new=False)

    def on_written(self, draft: Draft | None, template: str, words: str) -> str:
        return self.written_of(draft, template, words)

    def on_drop(self) -> dict:
        return self.empty() | {self.pasted: ""}

    def on_make(
        self, looked: Looked, draft: Draft | None, name: str, template: str, words: str, description: str,
        skip: bool, request: gr.Request,
    ) -> dict:  # fmt: skip
        with told():
            given = [one or "" for one in (name, template, words, description)]
            library, count = self.desk.make(draft, *given, skip)
        looked = Looked(library.id) if looked.library != library.id else replace(looked, editing=0)
        said = f"{count:,} examples are in “{library.name}” now; they are being encoded."
        reset = {self.pasted: "", self.description: "", self.fold: gr.Accordion(open=False)}
        return (
            self.empty() | reset | self.tab.scene(looked, request, said) | {self.into: gr.Dropdown(value="")}
        )

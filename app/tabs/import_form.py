"""Import form: a file or pasted rows, what an import would keep of them, and the library they become.

A refresh loses nothing of it: what was typed is kept by the browser, the table by the program.
"""

from dataclasses import replace
from pathlib import Path

import gradio as gr

from app.desk import import_draft
from app.desk.demonstrations_desk import DemonstrationsDesk
from app.desk.desk import Desk
from app.desk.import_draft import HEADERS, Draft, Drafts
from app.desk.libraries import Looked
from app.html import demonstrations_html, markup
from app.tabs.frame import QUICK, told, visit_of
from app.tabs.library_frame import LibraryFrame, visited

SUFFIXES = [".csv", ".tsv", ".txt", ".jsonl", ".json", ".parquet"]
NEW = ("A new library", "")
# what the browser keeps of an import that was not made yet
BROWSER_KEY = "longmem-reader-import"
TYPED = ("pasted", "name", "description", "template", "words")
# pasted text of more characters is not kept: browsers give a page some megabytes
KEPT_PASTED = 300_000
GONE = "The table that was chosen here is gone, as the program was started anew. Choose it once more."
PLACEHOLDER = "text,label\nA fine film.,good\nTwo hours that I want back.,bad"


class ImportForm:
    """Components of the form, and what fills them."""

    def __init__(self, desk: Desk) -> None:
        self.desk, self.drafts = desk, Drafts()
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
                self.join = gr.Checkbox(value=False, visible=False)
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
                    self.written = gr.HTML(
                        apply_default_css=False, padding=False, elem_id="lm-import-written"
                    )
                self.skip = gr.Checkbox(label="Leave out the rows with something wrong", value=False)
                with gr.Row(elem_classes="lm-tools"):
                    self.make = gr.Button(
                        "Import and encode", variant="primary", size="md", min_width=160, scale=0
                    )
                    self.drop = gr.Button("Forget these rows", size="md", min_width=160, scale=0)
        self.draft = gr.State(None)
        self.kept = gr.BrowserState({}, storage_key=BROWSER_KEY, secret=BROWSER_KEY)
        # the mark of the draft in hand; what the browser keeps may be older than what it shows
        self.mark = gr.State("")
        self.typed = [getattr(self, name) for name in TYPED]
        self.outputs = [
            self.draft, self.preview, self.chosen, self.text, self.label, self.name, self.template,
            self.words, self.task, self.skip, self.join, self.written, self.kept, self.mark,
        ]  # fmt: skip
        self.restored_outputs = [self.fold, self.pasted, self.description, self.into, *self.outputs]

    def wire(self, tab: LibraryFrame) -> None:
        """Connect the form's controls; what is made is looked at in the tab."""
        self.tab = tab
        how = [self.encoding, self.header, self.into, self.kept]
        self.file.upload(self.on_file, [self.file, *how], [self.file, *self.outputs], **QUICK)
        self.look.click(self.on_paste, [self.pasted, *how], self.outputs, **QUICK)
        gr.on(
            [self.encoding.submit, self.encoding.blur, self.header.input], self.on_otherwise,
            [self.draft, *how], self.outputs, **QUICK,
        )  # fmt: skip
        gr.on(
            [self.text.input, self.label.input, self.into.input, self.join.input], self.on_columns,
            [self.draft, self.into, self.text, self.label, self.join, self.kept], self.outputs, **QUICK,
        )  # fmt: skip
        gr.on(
            [self.template.change, self.words.change], self.on_written,
            [self.draft, self.template, self.words], [self.written], trigger_mode="always_last", **QUICK,
        )  # fmt: skip
        gr.on(
            [one.change for one in self.typed], self.on_typed, [self.mark, *self.typed],
            [self.kept, self.mark], trigger_mode="always_last", **QUICK,
        )  # fmt: skip
        self.drop.click(self.on_drop, [self.kept], [self.pasted, *self.outputs], **QUICK)
        self.make.click(
            self.on_make,
            [tab.looked, self.draft, self.name, self.template, self.words, self.description, self.skip,
             self.kept],
            [self.pasted, self.description, self.into, self.fold, *self.outputs, *tab.outputs], **QUICK,
        )  # fmt: skip

    def drafts_of(self, request: gr.Request) -> Drafts:
        """Return the drafts of who sends a request."""
        return self.drafts.of(visit_of(self.desk, request).owner)

    def scene(self, mine: DemonstrationsDesk) -> dict:
        """Show the list of libraries that rows can join; what was chosen in it stays."""
        return {self.into: gr.Dropdown(choices=self.choices(mine))}

    def choices(self, mine: DemonstrationsDesk) -> list[tuple[str, str]]:
        """List a new library, and those that are the reader's own."""
        every = self.desk.libraries.store.libraries()
        return [NEW, *((one.name, one.id) for one in every if mine.may_change(one))]

    def restored(self, kept: dict | None, draft: Draft | None, drafts: Drafts) -> dict:
        """Show what was in hand before a refresh, as it was left."""
        if draft is not None or not kept:
            return {self.draft: draft}
        found = drafts.find(str(kept.get("draft") or ""))
        typed = {getattr(self, name): str(kept[name]) for name in TYPED if kept.get(name)}
        if found is None:
            lost = bool(kept.get("draft")) and not kept.get("pasted")
            gone = markup.tag("p", GONE, class_="lm-facts", role="status") if lost else ""
            fold = gr.Accordion(open=lost or bool(typed))
            pasted = str(kept.get("pasted") or "")
            return {self.pasted: pasted, self.preview: gone, self.fold: fold, self.kept: {"pasted": pasted}}
        shown = self.shown(found) | {self.kept: kept, self.mark: str(kept["draft"]), self.into: found.into}
        shown[self.fold] = gr.Accordion(open=True)
        if found.preview is None:
            return shown | typed
        template, words = (str(kept.get(name) or "") or shown[getattr(self, name)] for name in TYPED[3:])
        return shown | typed | {self.written: self.written_of(found, template, words)}

    def kept_of(self, draft: Draft, kept: dict | None, drafts: Drafts, is_new: bool = True) -> dict:
        """Return what is to be kept of a draft; a new one brings names of its own."""
        kept = kept or {}
        drafts.drop(str(kept.get("draft") or ""))
        mark = drafts.keep(draft)
        names = ("pasted", "description") if is_new else ("pasted", "description", "name")
        return {self.mark: mark, self.kept: {name: kept.get(name) or "" for name in names} | {"draft": mark}}

    def shown(self, draft: Draft, is_new: bool = True) -> dict:
        """Show a draft; where it is new, name and words are suggested."""
        table, found = draft.table, draft.preview
        columns = list(table.columns)
        shown = {
            self.draft: draft,
            self.preview: demonstrations_html.preview(table, found, draft.fault),
            self.chosen: gr.Column(visible=True),
            self.task: gr.Column(visible=not draft.into),
            self.skip: gr.Checkbox(visible=bool(found and found.problems)),
            self.join: self.offered(draft),
            self.text: gr.Dropdown(choices=columns, value=found.text_column if found else None),
            self.label: gr.Dropdown(choices=columns, value=found.label_column if found else None),
        }
        if found is None:
            if not is_new:
                # the reader's own choice stays, so that it can be changed
                shown |= {self.text: gr.Dropdown(choices=columns), self.label: gr.Dropdown(choices=columns)}
            return shown
        words = demonstrations_html.words_text(found.words)
        if is_new:
            name = "" if isinstance(draft.data, str) else Path(table.name).stem[:100]
            shown |= {self.name: name, self.skip: gr.Checkbox(value=False, visible=bool(found.problems))}
        return shown | {
            self.template: found.template,
            self.words: words,
            self.written: self.written_of(draft, found.template, words),
        }

    def offered(self, draft: Draft) -> gr.Checkbox:
        """Offer to join labels that differ by their spelling only."""
        groups = "; ".join(", ".join(group) for group in draft.spellings)
        label = f"Join what may be one label each: {demonstrations_html.clipped(groups, 300)}"
        return gr.Checkbox(label=label, value=draft.joined, visible=bool(draft.spellings))

    def written_of(self, draft: Draft | None, template: str | None, words: str | None) -> str:
        """Write the first row as the model reads it."""
        if draft is None or draft.preview is None or not draft.preview.rows:
            return ""
        first, labels = draft.preview.rows[0], tuple(draft.preview.words)
        return demonstrations_html.written(template or "", words or "", labels, first.text, first.label)

    def empty(self) -> dict:
        """Empty the form: no file, no rows."""
        return {
            self.draft: None, self.preview: "", self.chosen: gr.Column(visible=False), self.name: "",
            self.template: "", self.words: "", self.written: "", self.skip: False, self.kept: {},
            self.join: gr.Checkbox(value=False, visible=False),
            self.mark: "",
        }  # fmt: skip

    def on_return(self, draft: Draft | None, kept: dict | None, request: gr.Request) -> dict:
        """Show what was in hand before a refresh."""
        return self.restored(kept, draft, self.drafts_of(request))

    def on_file(
        self, name: str | None, encoding: str, header: str, into: str | None, kept: dict | None,
        request: gr.Request,
    ) -> dict:  # fmt: skip
        """Look at a file that was just uploaded."""
        if not name:
            return {self.file: None}
        path = Path(name)
        with told():
            self.desk.changeable()
            data, table = import_draft.uploaded(path, encoding, header or "")
            draft = self.desk.libraries.draft(data, table, into or "")
        kept = (kept or {}) | {"pasted": ""}
        return {self.file: None} | self.shown(draft) | self.kept_of(draft, kept, self.drafts_of(request))

    def on_paste(
        self, text: str, encoding: str, header: str, into: str | None, kept: dict | None, request: gr.Request
    ) -> dict:
        """Look at pasted rows."""
        with told():
            self.desk.changeable()
            table = import_draft.table_of("", text or "", "", header or "")
            draft = self.desk.libraries.draft(text or "", table, into or "")
        kept = (kept or {}) | {"pasted": self.kept_text(text)}
        return self.shown(draft) | self.kept_of(draft, kept, self.drafts_of(request))

    def on_otherwise(
        self, draft: Draft | None, encoding: str, header: str, into: str | None, kept: dict | None,
        request: gr.Request,
    ) -> dict:  # fmt: skip
        """Read what is there once more, with another encoding or header."""
        if draft is None:
            return {self.draft: None}
        with told():
            table = import_draft.table_of(draft.table.name, draft.data, encoding, header or "")
            if table == draft.table:
                return {self.draft: draft}
            made = self.desk.libraries.draft(draft.data, table, into or "")
        return self.changed(made, kept, self.drafts_of(request))

    def on_columns(
        self, draft: Draft | None, into: str | None, text: str | None, label: str | None, join: bool,
        kept: dict | None, request: gr.Request,
    ) -> dict:  # fmt: skip
        """Judge the rows by other columns, for another library, or with spellings of one label joined."""
        if draft is None:
            return {self.draft: None}
        with told():
            made = self.desk.libraries.draft(draft.data, draft.table, into or "", text, label, join)
        return self.changed(made, kept, self.drafts_of(request))

    def changed(self, draft: Draft, kept: dict | None, drafts: Drafts) -> dict:
        """Show the same rows, read otherwise."""
        return self.shown(draft, is_new=False) | self.kept_of(draft, kept, drafts, is_new=False)

    def on_typed(self, mark: str, pasted: str, *typed: str) -> dict:
        """Return what the browser is to keep of what was typed."""
        values = [self.kept_text(pasted), *typed]
        if not mark and not any(values):
            # a page that was just loaded: what it kept is not shown yet
            return {self.mark: mark}
        return {self.kept: {"draft": mark} | dict(zip(TYPED, values, strict=True))}

    def kept_text(self, pasted: str | None) -> str:
        """Return the pasted rows, or "" where they are more than a browser has room for."""
        return (pasted or "") if len(pasted or "") <= KEPT_PASTED else ""

    def on_written(self, draft: Draft | None, template: str, words: str) -> str:
        """Write the first row as the model would read it."""
        return self.written_of(draft, template, words)

    def on_drop(self, kept: dict | None, request: gr.Request) -> dict:
        """Forget the rows in hand."""
        self.drafts_of(request).drop(str((kept or {}).get("draft") or ""))
        return self.empty() | {self.pasted: ""}

    def on_make(
        self, looked: Looked, draft: Draft | None, name: str, template: str, words: str, description: str,
        skip: bool, kept: dict | None, request: gr.Request,
    ) -> dict:  # fmt: skip
        """Keep the rows, and begin to encode them."""
        mine = visited(self.desk, request)
        with told():
            library, count = mine.make(
                draft, name or "", template or "", words or "", description or "", skip
            )
        self.drafts_of(request).drop(str((kept or {}).get("draft") or ""))
        looked = Looked(library.id) if looked.library != library.id else replace(looked, editing=0)
        said = f"{count:,} examples are in “{library.name}” now; they are being encoded."
        reset = {
            self.pasted: "",
            self.description: "",
            self.fold: gr.Accordion(open=False),
            self.into: gr.Dropdown(choices=self.choices(mine), value=""),
        }
        return self.tab.scene(looked, request, said) | self.empty() | reset

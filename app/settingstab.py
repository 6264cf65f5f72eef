"""Settingstab: which model, what lies where, how much room is left; in words."""

import gradio as gr

from app import doctor, markup, show
from app.frame import HIDDEN
from app.view import Desk
from engine.paths import SIDENETS

KEYS = "Keys while reading: → or n next leaf, ← or p back, / search. Click a paragraph to choose it."


class SettingsTab:
    """The tab; it is filled when it is asked for, as the model is loaded for it."""

    def __init__(self, desk: Desk):
        self.desk = desk
        self.look = gr.Button("Look again", size="sm", scale=0, min_width=120)
        self.facts = gr.HTML(markup.tag("p", "Press the button to look.", class_="lm-empty"))
        gr.HTML(
            markup.tag("p", KEYS, class_="lm-facts")
        )  # fmt: skip

    def wire(self, tab: gr.Tab) -> None:
        """Look when the tab is chosen."""
        quick = {**HIDDEN, "concurrency_limit": 2}
        gr.on([self.look.click, tab.select], self.on_look, None, [self.facts], **quick)

    def on_look(self) -> str:
        return facts_html(state(self.desk))


def state(desk: Desk) -> list[tuple[str, str]]:
    """(what, how it is) in the order shown."""
    paths = desk.assistant.library.paths
    rows = [("Data folder", str(paths.home))]
    entries = desk.shelf.entries()
    memory = sum(entry.bank_bytes for entry in entries)
    rows.append(("Books", f"{len(entries)}, {show.size(memory)} of memory on disk"))
    try:
        backbone = desk.assistant.library.backbone
        rows.append(("Model", f"{backbone.name}: {backbone.blocks} blocks, width {backbone.width}"))
    except Exception as error:  # whatever it is, the page says it
        rows.append(("Model", f"cannot be loaded: {error}"))
    checks = (doctor.sidenet(SIDENETS), doctor.disk(paths))
    return rows + [
        (check.name[:1].upper() + check.name[1:], " ".join(filter(None, (check.detail, check.advice))))
        for check in checks
    ]


def facts_html(rows: list[tuple[str, str]]) -> str:
    """The rows as a list of terms."""
    inside = [markup.tag("dt", markup.text(what)) + markup.tag("dd", markup.text(how)) for what, how in rows]
    return markup.tag("dl", *inside, class_="lm-state")

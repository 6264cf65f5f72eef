"""Settings tab: which model, what lies where, how much room is left; in words."""

from pathlib import Path
from typing import TYPE_CHECKING

import gradio as gr

from app.desk import doctor, uploads
from app.desk.desk import Desk
from app.html import look_html, markup, wording
from app.tabs.adapt_form import AdaptForm
from app.tabs.frame import HIDDEN, PANE
from app.tabs.machine_form import MachineForm
from engine.paths import PROGRAM
from engine.sums import folder_bytes

if TYPE_CHECKING:
    from engine.sidenet.sidenet import SideNet

KEYS = (
    "While reading: → or n a window on, ← or p back, / search. Click a paragraph to choose it. In an "
    "answer, arrow keys lead from word to word, and Enter to the place where that was read."
)
PRIVACY = (
    "Nothing leaves this machine: no account, no telemetry, no font or script from elsewhere. The network is "
    "used only where you name a model that has to be fetched, or a store of memories on another machine."
)
ELSEWHERE = (
    "For one start: --model, --device, --precision and --threads, or LONGMEM_MODEL, LONGMEM_DEVICE, "
    "LONGMEM_PRECISION and LONGMEM_THREADS; for the data folder LONGMEM_HOME. They go before what is chosen "
    "here."
)
LOOKING = "Looking …"
FETCHING_SECONDS = 2.0


class SettingsTab:
    """The tab; it is filled when it is asked for, as the model is loaded for it."""

    def __init__(self, desk: Desk):
        self.desk = desk
        gr.HTML(_section("How the text looks", look_html.rows()), **PANE)
        head = _section("Model, room and data", "")
        gr.HTML(head, apply_default_css=False, padding=False)
        words = markup.tag("p", LOOKING, class_="lm-empty")
        self.facts = gr.HTML(words, apply_default_css=False, padding=False, elem_id="lm-facts")
        self.look = gr.Button("Look again", size="sm", scale=0, min_width=120, elem_id="lm-look-again")
        self.timer = gr.Timer(FETCHING_SECONDS, active=False)
        self.machine = MachineForm(desk)
        self.adapt = AdaptForm(desk, self.machine.desk)
        told = [("By the command line", ELSEWHERE), ("Privacy", PRIVACY), ("Keys", KEYS)]
        below = markup.joined(_section(title, markup.tag("p", words)) for title, words in told)
        gr.HTML(below, apply_default_css=False, padding=False)

    def wire(self, tab: gr.Tab) -> None:
        """Look when the tab is chosen."""
        quick = {**HIDDEN, "concurrency_limit": 2}
        looked = [self.look.click, tab.select, self.timer.tick]
        gr.on(looked, self.on_look, None, [self.facts, self.timer, *self.adapt.outputs], **quick)
        self.machine.wire(tab)
        self.adapt.wire()

    def on_look(self) -> dict:
        """Tell how things are, and again while a model is being fetched."""
        coming = self.machine.desk.fetching()
        if coming is None:
            known = facts_html(state(self.desk))  # before the rest: it loads the model
            return {self.facts: known, self.timer: gr.Timer(active=False)} | self.adapt.shown()
        return {self.facts: fetching_html(*coming), self.timer: gr.Timer(active=True)}


def _section(title: str, inside: str) -> str:
    return markup.tag("section", markup.tag("h2", title), inside, class_="lm-setting")


def state(desk: Desk) -> list[tuple[str, str]]:
    """List (what, how it is) in the order shown."""
    library = desk.assistant.library
    paths, entries = library.paths, desk.shelf.entries()
    rows = []
    try:
        backbone, sidenet = library.model.backbone, library.model.sidenet
        rows.append(("Model", backbone.name))
        rows.append(("Memory", memory_words(library.model.checkpoint is not None, sidenet)))
        rows.append(
            ("Runs on", f"{device_words(str(backbone.device))}, {library.model.threads} of its threads")
        )
    except Exception as error:  # whatever it is, the page says it
        advice = f"“{PROGRAM} doctor” says what is missing"
        rows.append(("Model", f"It cannot be loaded: {wording.plain(str(error))} ({advice})."))
    memory = sum(folder_bytes(paths.bank(entry.id)) for entry in entries)
    files = folder_bytes(paths.documents) - memory
    rows.append(
        (
            "Books",
            f"{len(entries)}: {wording.size(memory)} of memory, "
            f"{wording.size(max(0, files))} of files and text",
        )
    )
    rows.append(("Talks and list", wording.size(folder_bytes(paths.talks) + _size(paths.database))))
    rows.append(("Model files", wording.size(folder_bytes(paths.backbones))))
    rows.append(("Disk", _named(doctor.disk(paths))))
    rows.append(("Data folder", _named(doctor.data_folder(paths))))
    rows.append(
        (
            "Uploads",
            f"up to {uploads.LIMIT_WORDS} a file; the uploaded copy is deleted once the shelf has its own",
        )
    )
    faults = [entry.title for entry in entries if library.fault(entry.id)]
    if faults:
        rows.append(("To be encoded anew", ", ".join(faults)))
    return rows


def memory_words(is_adapted: bool, sidenet: "SideNet") -> str:
    """Say whether a model has learned to use its memory; `doctor` tells of checkpoints and layers."""
    if not is_adapted:
        return (
            "this model has not learned to use one yet: it answers over the passages that full text finds; "
            f"“{PROGRAM} adapt --model …” teaches it"
        )
    if not sidenet.reads_memory:
        return "it finds passages by what they mean, and writes on without memory"
    return "it has learned to find passages by what they mean, and to remember whole books"


def device_words(device: str) -> str:
    """Name a torch device for people."""
    return {"cpu": "the processor"}.get(device, f"the graphics card ({device})")


def _named(check: doctor.Check) -> str:
    return " -> ".join(filter(None, (check.detail, check.advice)))


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def fetching_html(there: int, whole: int | None) -> str:
    """Write how far a model is that is being fetched; whole: its bytes, where they are known."""
    of_all = f" of {wording.size(whole)}" if whole else ""
    words = f"The model is being fetched: {wording.size(there)}{of_all}. Books can be read meanwhile."
    bar = markup.tag("progress", value=min(there, whole), max=whole, aria_label="fetched") if whole else ""
    return markup.tag("div", markup.tag("p", words, role="status"), bar, class_="lm-job")


def facts_html(rows: list[tuple[str, str]]) -> str:
    """Write rows as a list of terms."""
    inside = [markup.tag("dt", what) + markup.tag("dd", how) for what, how in rows]
    return markup.tag("dl", *inside, class_="lm-state")

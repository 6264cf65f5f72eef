"""Machine form: model, device, precision, threads and data folder, chosen for the next start and kept."""

import gradio as gr

from app.desk.desk import Desk
from app.desk.machine_desk import MachineDesk
from app.html import markup, wording
from app.tabs.frame import HIDDEN, told
from engine.backbone.known import KNOWN
from engine.datafolder import HOME_VARIABLE
from engine.paths import PROGRAM

COMES_ALONG = ("The one that comes along", "auto")
DEVICE_WORDS = {"auto": "The quickest there is", "cpu": "The processor", "cuda": "The graphics card",
                "mps": "The graphics part of the Mac"}  # fmt: skip
PRECISION_WORDS = {"auto": "Full: nothing is lost", "float32": "32 bits", "bfloat16": "16 bits (bfloat16)",
                   "float16": "16 bits (float16)", "int8": "8 bits", "int4": "4 bits"}  # fmt: skip
KEPT = "Kept. It takes effect at the next start of the program."
ANEW = " Another model makes the memory of every book anew; meanwhile books are read and searched as before."
MOVED = (
    " From then on books are kept in {folder}. Those of today stay where they are; to take them along: "
    f"{PROGRAM} backup FILE now, {PROGRAM} restore FILE after the start."
)
NAMED = f" This start was given its data folder by {HOME_VARIABLE}: that goes before it."
BY_OTHERS = "On this page they are chosen by the command line alone."


class MachineForm:
    """Components of the form, and what fills them."""

    def __init__(self, desk: Desk) -> None:
        self.desk = MachineDesk(desk)
        may_change = self.desk.may_change
        head = markup.tag("section", markup.tag("h2", "For the next start"), class_="lm-setting")
        gr.HTML(head, apply_default_css=False, padding=False)
        self.known = gr.HTML(apply_default_css=False, padding=False, elem_id="lm-known-models")
        with gr.Row(visible=may_change, elem_classes="lm-machine"):
            models = [COMES_ALONG, *((one.name, one.name) for one in KNOWN)]
            self.model = gr.Dropdown(
                models, value="auto", allow_custom_value=True, min_width=340,
                label="Model: one of these, a folder, a GGUF file or a name at Hugging Face",
            )  # fmt: skip
            self.folder = gr.Textbox(
                label="Folder in which books are kept (empty: the usual one)", max_lines=1, min_width=340
            )
        with gr.Row(visible=may_change, elem_classes="lm-machine"):
            self.device = gr.Dropdown(["auto"], value="auto", label="Device", min_width=200)
            self.precision = gr.Dropdown(["auto"], value="auto", label="Exactness of numbers", min_width=200)
            self.threads = gr.Textbox(label="Processor threads (empty: all)", max_lines=1, min_width=200)
        self.inputs = [self.model, self.device, self.precision, self.threads, self.folder]
        with gr.Row(elem_classes="lm-tools", visible=may_change):
            self.save = gr.Button("Keep these", variant="primary", size="md", min_width=120, scale=0)
        words = "" if may_change else markup.tag("p", BY_OTHERS, class_="lm-facts")
        self.said = gr.HTML(words, apply_default_css=False, padding=False, elem_id="lm-machine-said")

    def wire(self, tab: gr.Tab) -> None:
        """Connect the form's controls; it is filled when its tab is chosen."""
        quick = {**HIDDEN, "concurrency_limit": 2}
        tab.select(self.on_open, None, [*self.inputs, self.known], **quick)
        self.save.click(self.on_save, self.inputs, [self.said], **quick)

    def on_open(self) -> dict:
        """Show what can be chosen here, and what is chosen."""
        chosen = self.desk.chosen()
        devices = [(DEVICE_WORDS[one], one) for one in self.desk.devices()]
        precisions = [(PRECISION_WORDS[one], one) for one in self.desk.precisions()]
        with told():
            known = known_html(self.desk)
        return {
            self.model: chosen.get("model", "auto"),
            self.device: gr.Dropdown(choices=devices, value=chosen.get("device", "auto")),
            self.precision: gr.Dropdown(choices=precisions, value=chosen.get("precision", "auto")),
            self.threads: chosen.get("threads", ""),
            self.folder: self.desk.folder,
            self.known: known,
        }

    def on_save(self, model: str, device: str, precision: str, threads: str, folder: str) -> str:
        """Keep what was chosen."""
        values = {"model": model, "device": device, "precision": precision, "threads": threads}
        with told():
            kept = {name: str(words or "") for name, words in values.items()}
            is_other, moved = self.desk.choose(kept, str(folder or ""))
        words = KEPT + (ANEW if is_other else "")
        if moved is not None:
            words += MOVED.format(folder=moved) + (NAMED if self.desk.is_folder_named else "")
        if self.desk.overruled:
            others = " and ".join(self.desk.overruled)
            words += (
                f" This start was given another {others} by an option or a variable: that goes before it."
            )
        return markup.tag("p", markup.text(words), class_="lm-facts", role="status")


def known_html(desk: MachineDesk) -> str:
    """Write what the known models take, as a table."""
    head = ("Model", "To fetch", "Memory", "100 words in")
    rows = [
        (one.name, wording.size(one.size), wording.size(memory), f"at least {seconds:,.0f} s")
        for one, memory, seconds in desk.known()
    ]
    cells = [markup.tag("tr", *(markup.tag("td", markup.text(cell)) for cell in row)) for row in rows]
    top = markup.tag("tr", *(markup.tag("th", cell, scope="col") for cell in head))
    table = markup.tag("table", markup.tag("thead", top), markup.tag("tbody", *cells), class_="lm-known")
    return markup.tag(
        "div", table, class_="lm-table", tabindex="0", role="region", aria_label="models to choose from"
    )

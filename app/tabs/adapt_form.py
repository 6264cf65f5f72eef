"""Adapt form: a model that has not learned to remember is taught it here, with its progress."""

import gradio as gr

from app.desk.adapting import LEAST_HOURS, MOST_HOURS, USUAL_HOURS, Adapting
from app.desk.desk import Desk
from app.desk.machine_desk import MachineDesk
from app.html import markup
from app.tabs.frame import HIDDEN, told
from engine.paths import PROGRAM

BRINGS = (
    "This model has not learned to remember yet. Taught on the books of your shelf (or on the samples, where "
    "there are few), it finds passages by what they mean, remembers whole books, and answers in the book’s "
    "own words. That takes the hours you give it, two or three on an ordinary machine; you can stop it and "
    "go on later. The same by the command line: {command}"
)
DONE = "It is done. Start the program again: the memories of your books are then made anew."
LOOK_SECONDS = 3.0


class AdaptForm:
    """Components of the form, and what fills them; unseen where there is nothing to be taught."""

    def __init__(self, desk: Desk, machine: MachineDesk) -> None:
        self.adapting, self.machine = Adapting(desk), machine
        desk.endings.append(self.adapting.stop)
        with gr.Column(visible=False, elem_id="lm-adapt") as self.pane:
            head = markup.tag("section", markup.tag("h2", "Teach this model"), class_="lm-setting")
            gr.HTML(head, apply_default_css=False, padding=False)
            self.said = gr.HTML(apply_default_css=False, padding=False, elem_id="lm-adapt-said")
            with gr.Row(elem_classes="lm-tools"):
                self.hours = gr.Number(
                    USUAL_HOURS, label="Hours it may take", minimum=LEAST_HOURS, maximum=MOST_HOURS,
                    min_width=140, scale=0,
                )  # fmt: skip
                self.begin = gr.Button("Teach it", variant="primary", size="md", min_width=120, scale=0)
                self.stop = gr.Button("Stop", size="md", min_width=80, scale=0)
        self.timer = gr.Timer(LOOK_SECONDS, active=False)
        self.outputs = [self.pane, self.said, self.hours, self.begin, self.stop, self.timer]

    def wire(self) -> None:
        """Connect the form's controls; it is shown by the tab that holds it."""
        quick = {**HIDDEN, "concurrency_limit": 2}
        self.begin.click(self.on_begin, [self.hours], self.outputs, **quick)
        self.stop.click(self.on_stop, None, self.outputs, **quick)
        self.timer.tick(self.shown, None, self.outputs, **quick)

    def on_begin(self, hours: float | None) -> dict:
        """Begin, or go on."""
        with told():
            self.machine.changeable()
            self.adapting.begin(float(hours or 0))
        return self.shown()

    def on_stop(self) -> dict:
        """End it for now."""
        with told():
            self.machine.changeable()
            self.adapting.stop()
        return self.shown()

    def shown(self) -> dict:
        """Show how far it is, and what can be done."""
        work = self.adapting
        wanted = self.machine.may_change and (work.is_wanted or work.is_running or work.is_done)
        running, begun, done = work.is_running, work.is_begun, work.is_done
        work.finish()
        return {
            self.pane: gr.Column(visible=wanted),
            self.said: said_html(work.said() if running or begun else "", running, done),
            self.hours: gr.Number(visible=not (running or begun or done)),
            self.begin: gr.Button("Go on" if begun else "Teach it", visible=not (running or done)),
            self.stop: gr.Button(visible=running),
            self.timer: gr.Timer(active=running),
        }


def said_html(line: str, is_running: bool, is_done: bool) -> str:
    """Write what it brings, or the last line that it said."""
    if is_done:
        return markup.tag("p", DONE, class_="lm-facts", role="status")
    brings = markup.tag("p", BRINGS.format(command=f"{PROGRAM} adapt --model …"), class_="lm-facts")
    if is_running:
        return markup.tag("p", line or "Begun …", class_="lm-job", role="status")
    return brings + (markup.tag("p", f"Stopped at: {line}", class_="lm-job", role="status") if line else "")

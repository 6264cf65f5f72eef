"""Mark bar: what can be done with words that are selected in the book. It stands beside them."""

import gradio as gr

from app.desk.desk import Desk
from app.desk.state import View
from app.html import marks_html
from app.tabs.frame import QUICK, event_values, told, visit_of
from engine.paths import ASSETS

SCRIPT = (ASSETS / "marks.js").read_text(encoding="utf-8")
# after the server has said at which place the words stand
COPY = """async (text) => {
  if (!text) return;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const field = document.createElement('textarea');
    field.value = text;
    document.body.append(field);
    field.select();
    document.execCommand('copy');
    field.remove();
  }
}"""
KINDS = {"mark": "highlight", "note": "note", "bookmark": "bookmark"}


class MarkBar:
    """The bar, and the events of its buttons."""

    def __init__(self, desk: Desk):
        self.desk = desk
        self.bar = gr.HTML(
            marks_html.bar(), js_on_load=SCRIPT, apply_default_css=False, padding=False, elem_id="lm-bar"
        )
        self.copied = gr.Textbox(label="Words with their place", visible="hidden")

    def wire(self, view: gr.State, question: gr.Textbox, leaf: gr.HTML) -> None:
        """Connect the bar; what it marks shows on the leaf."""

        def clicked(view: View, event: gr.EventData, request: gr.Request) -> dict:
            values, visit = event_values(event), visit_of(self.desk, request)
            action = str(values.get("action", ""))
            result: dict = {self.copied: ""}
            with told():
                if action in KINDS:
                    visit.marks.add(view, KINDS[action], values)
                elif action == "unmark":
                    visit.marks.unmark(view, values)
                elif action == "copy-place":
                    return {self.copied: visit.marks.quoted(view, values)}
                elif action == "ask":
                    return result | {question: visit.marks.asked(view, values)}
            return result | {leaf: visit.reading.leaf_html(view)}

        begun = self.bar.click(clicked, [view], [self.copied, question, leaf], **QUICK)
        begun.success(None, [self.copied], None, js=COPY, api_visibility="private")

"""Frame: what all tabs share: the view, what the browser keeps, the script of our panes, notices."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import gradio as gr

from app.desk.desk import Desk
from app.desk.visit import Visit
from app.html import markup, wording
from engine.errors import Failure
from engine.paths import ASSETS
from ingest.errors import BadInput

SCRIPT = (ASSETS / "page.js").read_text(encoding="utf-8")
PANE: dict[str, Any] = {"js_on_load": SCRIPT, "apply_default_css": False, "padding": False}
HIDDEN: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
QUICK: dict[str, Any] = {**HIDDEN, "concurrency_limit": None}  # waits for no other event
# the browser saves a file that was made for it at once
SAVE = """(file) => {
  const made = [file].flat()[0];
  if (!made?.url) return;
  const link = document.createElement('a');
  link.href = made.url;
  link.download = made.orig_name || '';
  link.click();
}"""


@dataclass
class Frame:
    """Components that belong to no tab."""

    view: gr.State
    kept: gr.BrowserState
    tabs: gr.Tabs


def visit_of(desk: Desk, request: gr.Request) -> Visit:
    """Return the visit of who sends a request, with the account that they have signed in with, if any."""
    return Visit(desk, getattr(request, "username", None) or "")


def event_values(event: gr.EventData) -> dict[str, Any]:
    """Return what a pane's script sent."""
    return event._data if isinstance(event._data, dict) else {}


@contextlib.contextmanager
def told() -> Iterator[None]:
    """Turn what the engine refuses into a notice; the page stays as it is."""
    try:
        yield
    except (BadInput, Failure) as error:
        words = markup.text(wording.plain(str(error)))
        raise gr.Error(words, title="That does not work", print_exception=False) from error
    except (KeyError, TypeError, ValueError) as error:
        # a message that our script would not send
        odd = "The page sent something that does not fit; load it again."
        raise gr.Error(odd, title="That does not work") from error

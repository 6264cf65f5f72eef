"""The page: puts the tabs together and serves them. It shows what the engine does and decides nothing.

Served on 127.0.0.1 unless told otherwise; nothing is loaded from elsewhere, nothing is reported anywhere.
"""

import argparse
import atexit
import contextlib
import os
import secrets
import sys
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
# after every event Gradio would make statistics of all events with pandas, for a page that is not there
os.environ["GRADIO_ANALYTICS_CACHE_FREQUENCY"] = str(10**9)

from app.page.stubless import without_stubs  # noqa: E402

with without_stubs():
    import gradio as gr
from gradio import processing_utils, route_utils, routes, state_holder  # noqa: E402
from starlette.middleware import Middleware  # noqa: E402

from app.desk import uploads  # noqa: E402
from app.desk.desk import Desk  # noqa: E402
from app.desk.state import View  # noqa: E402
from app.html import markup  # noqa: E402
from app.page import access, api, cast_api, demonstrations_api, marks_api, pictures, sheets  # noqa: E402
from app.page.counter import Counter  # noqa: E402
from app.page.entrance import Entrance, account_of  # noqa: E402
from app.page.origin import OwnOrigin  # noqa: E402
from app.page.packed import Packed  # noqa: E402
from app.page.sessions import Sessions  # noqa: E402
from app.tabs.continue_tab import ContinueTab  # noqa: E402
from app.tabs.demonstrations_tab import DemonstrationsTab  # noqa: E402
from app.tabs.frame import QUICK, Frame, visit_of  # noqa: E402
from app.tabs.marks_tab import MarksTab  # noqa: E402
from app.tabs.read_tab import ReadTab  # noqa: E402
from app.tabs.settings_tab import SettingsTab  # noqa: E402
from app.tabs.shelf_tab import ShelfTab  # noqa: E402
from engine import aside, heap  # noqa: E402
from engine.assistant import Assistant  # noqa: E402
from engine.ending import end_like_ctrl_c  # noqa: E402
from engine.paths import ASSETS, Paths  # noqa: E402
from ingest import apart  # noqa: E402

TITLE = "LongMem Reader"
HEADLINE = markup.tag("h1", TITLE) + markup.tag("p", "Long books, read with a memory.")
SIGN_OUT = markup.tag("p", markup.tag("a", "Sign out", href="logout"))
QUEUE = 64
EVENT_SECONDS = 0.02
# for the piece of a job in hand; what does not end in time is taken up again as after a crash
STOP_SECONDS = 5.0
# the browser's copy is no secret: which book and talk it showed
BROWSER_KEY = "longmem-reader-view"
# (light, dark) of what the style sheet does not reach
COLOURS_OF = {
    "body_background_fill": ("#f2efe8", "#151412"),
    "body_text_color": ("#23201b", "#e6e1d6"),
    "block_background_fill": ("#fbf9f4", "#1d1b18"),
    "block_label_text_color": ("#655e52", "#aaa292"),
    "block_title_text_color": ("#655e52", "#aaa292"),
    "block_border_color": ("#d8d2c4", "#3b372f"),
    "input_background_fill": ("#ffffff", "#151412"),
    "link_text_color": ("#7a3b12", "#e3a06f"),
    "button_primary_background_fill": ("#7a3b12", "#e3a06f"),
    "button_primary_background_fill_hover": ("#92481a", "#eeb48b"),
    "button_primary_text_color": ("#ffffff", "#1d1b18"),
    "button_secondary_background_fill": ("#fbf9f4", "#26231f"),
    "button_secondary_background_fill_hover": ("#efe8da", "#332f29"),
    "button_secondary_text_color": ("#23201b", "#e6e1d6"),
    "button_secondary_border_color": ("#d8d2c4", "#3b372f"),
    "color_accent": ("#7a3b12", ""),
    "slider_color": ("#7a3b12", "#e3a06f"),
    "checkbox_background_color_selected": ("#7a3b12", "#e3a06f"),
    "checkbox_border_color_selected": ("#7a3b12", "#e3a06f"),
}
COLOURS = {
    name + ending: colour
    for name, both in COLOURS_OF.items()
    for ending, colour in zip(("", "_dark"), both, strict=True)
    if colour
}
SWITCH_LIGHT = """() => {
  const dark = document.body.classList.toggle('dark');
  localStorage.setItem('longmem-dark', dark ? '1' : '0');
}"""
START = """() => {
  // whoever turns it dark, the reader, the system or we: what is shown as chosen follows
  new MutationObserver(() => window.dispatchEvent(new Event('lm-look')))
    .observe(document.body, { attributeFilter: ['class'] });
  window.dispatchEvent(new Event('lm-look'));
  const kept = localStorage.getItem('longmem-dark');
  if (kept !== null) document.body.classList.toggle('dark', kept === '1');
  document.documentElement.lang = 'en';
  for (const [name, value] of Object.entries(JSON.parse(localStorage.getItem('longmem-look') || '{}'))) {
    document.documentElement.style.setProperty(name, value);
  }
  // Gradio's notes fold by a button that holds the one to close them, which a screen reader cannot tell apart
  const unnest = (one) => ['role', 'tabindex'].forEach((name) => one.removeAttribute(name));
  new MutationObserver(() => document.querySelectorAll('.toast-header[role]').forEach(unnest))
    .observe(document.body, { childList: true, subtree: true });
}"""

# an address that was typed, or kept from another day, counts for more than what was open last
ADDRESS = "(kept) => [Object.assign({}, kept, { address: window.location.hash })]"


async def fetch_nothing(url: str) -> Any:
    """Refuse what Gradio would fetch itself: a file's address in a call would have the server ask elsewhere.

    Words of a book could lead an assistant with our tools to such an address, with what it has read in it.
    """
    raise gr.Error("upload the file or send its data: this program fetches nothing from the network")


class OwnUpload(route_utils.GradioUploadFile):
    """A file on its way here: the same one of two accounts must not lie in one place, which one deletes."""

    def __init__(self, *file: Any, **options: Any) -> None:
        super().__init__(*file, **options)
        self.sha.update(secrets.token_bytes(16))


class OwnSession(state_holder.SessionState):
    """What one visitor sees. Every part of the page would be described anew for each visitor and each call,
    which took a third of a second: for links to a state, which this page has none of."""

    def __init__(self, page: gr.Blocks) -> None:
        super().__init__(SimpleNamespace(default_config=page.default_config, blocks=()))


processing_utils.async_ssrf_protected_get = fetch_nothing
route_utils.GradioUploadFile = OwnUpload
routes.CustomCORSMiddleware = OwnOrigin
state_holder.SessionState = route_utils.SessionState = OwnSession


def theme() -> gr.themes.Base:
    """Make a theme with the fonts of the reader's own machine, so that none is fetched."""
    sans = ["system-ui", "-apple-system", "Segoe UI", "sans-serif"]
    return gr.themes.Base(
        primary_hue="orange", neutral_hue="stone", font=sans, font_mono=["ui-monospace", "monospace"]
    ).set(**COLOURS)


def build(desk: Desk) -> gr.Blocks:
    """Build the whole page over a desk."""
    kept_files = (uploads.KEPT_SECONDS, uploads.KEPT_SECONDS)
    with gr.Blocks(title=TITLE, analytics_enabled=False, delete_cache=kept_files, fill_width=True) as page:
        with gr.Row(elem_classes="lm-top"):
            head = HEADLINE + (SIGN_OUT if desk.accounts else "")
            gr.HTML(head, elem_id="lm-head", apply_default_css=False, padding=False)
            light = gr.Button("Light or dark", size="sm", scale=0, min_width=120)
        view = gr.State(View())
        kept = gr.BrowserState({}, storage_key=BROWSER_KEY, secret=BROWSER_KEY)
        with gr.Tabs(selected="shelf") as tabs:
            frame = Frame(view, kept, tabs)
            with gr.Tab("Shelf", id="shelf"):
                shelf = ShelfTab(desk, frame)
            with gr.Tab("Read", id="read"):
                read = ReadTab(desk, frame)
            with gr.Tab("Notes", id="notes") as marks_tab:
                marks = MarksTab(desk, frame)
            with gr.Tab("Write on", id="continue"):
                written = ContinueTab(desk, frame)
            with gr.Tab(DemonstrationsTab.NAME, id="classify") as classify_tab:
                classify = DemonstrationsTab(desk, frame)
            with gr.Tab("Settings", id="settings") as settings_tab:
                settings = SettingsTab(desk)
        shelf.wire(read)
        read.wire()
        marks.wire(marks_tab, read)
        written.wire(read)
        classify.wire(classify_tab)
        settings.wire(settings_tab)
        light.click(None, js=SWITCH_LIGHT, api_visibility="private")

        def opened(kept_view: dict | None, request: gr.Request) -> dict:
            visit = visit_of(desk, request)
            restored = visit.restored(kept_view)
            shown = {shelf.cards: visit.cards(restored.document)} | read.scene(restored, visit)
            if restored.document or restored.talk:
                shown[tabs] = gr.Tabs(selected="read")
            return shown

        load = page.load(opened, [kept], [shelf.cards, tabs, *read.scene_outputs], js=ADDRESS, **QUICK)
        read.show_answer(load)
        page.load(written.restored, None, written.outputs, **QUICK)
        api.declare(desk)
        cast_api.declare(desk)
        marks_api.declare(desk)
        demonstrations_api.declare(desk)
    page.queue(max_size=QUEUE, default_concurrency_limit=8)
    # Gradio looks for events a thousand times a second, which costs an idle page a sixth of a core
    page._queue.sleep_when_free = EVENT_SECONDS
    page._queue.progress_update_sleep_when_free = 10 * EVENT_SECONDS
    return page


def serve(desk: Desk, host: str, port: int, **options: Any) -> gr.Blocks:
    """Start the server; returns at once, with the page being served."""
    page = build(desk)
    access.spare_proxies(host)
    guard = access.guard(desk.accounts is not None, desk.read_only)
    server = {"middleware": guard, "routes": [*pictures.routes(desk.books), *sheets.routes(desk)]}
    if desk.accounts is not None:
        guard.append(Middleware(Entrance, sessions=Sessions(desk.accounts), title=TITLE))
        options["auth_dependency"] = account_of
    guard.append(Middleware(Packed))
    page.launch(
        server_name=access.in_url(host), server_port=port, share=False,
        prevent_thread_lock=True, quiet=True, allowed_paths=[], blocked_paths=[str(desk.shelf.paths.home)],
        max_file_size=uploads.LIMIT_BYTES, show_error=True, ssr_mode=False,
        enable_monitoring=False, run_history=False, footer_links=["api"], theme=theme(),
        css_paths=[ASSETS / "style.css"], js=START, app_kwargs=server,
        _frontend=False,  # else it asks for its own page and gives up where the machine takes 3 s to write it
        **options,
    )  # fmt: skip
    return page


def run(arguments: argparse.Namespace, opened: Callable[[], Assistant]) -> int:
    """Open the page over the assistant that `opened` gives, and serve it until Ctrl-C.

    Raises BadInput for an address or account that cannot be.
    """
    host = access.bare(arguments.host or "127.0.0.1")
    accounts = access.opened(Paths.default(), arguments.auth or [])
    has_accounts = bool(accounts.all())
    access.check(host, has_accounts)
    if arguments.mcp:
        access.check_mcp(gr.__version__, has_accounts)
    port = access.free_port(host, arguments.port)
    end_like_ctrl_c()
    uploads.sweep()
    folder = uploads.folder()
    atexit.register(uploads.clear, folder)
    desk = Desk(opened(), bool(arguments.read_only), accounts if has_accounts else None)
    counter = Counter(desk, arguments.settings)
    page = None
    try:
        page = serve(desk, host, port, mcp_server=bool(arguments.mcp))
        access.started_mcp(page.mcp_error)
        desk.start()  # only now: what a job does must not keep the page from being there
        desk.look()
        counter.open()
        apart.keep_spare()
        aside.keep()
        heap.settle()
        print(f"{TITLE} is open at {page.local_url}  (Ctrl-C ends it)", file=sys.stderr, flush=True)
        while True:
            time.sleep(1)
    except KeyboardInterrupt:
        print("ending: work in hand goes on at the next start", file=sys.stderr, flush=True)
    finally:
        with contextlib.suppress(KeyboardInterrupt):  # who asks twice waits no longer
            counter.close()
            desk.stop(STOP_SECONDS)
            apart.close()
            aside.close()
            if page is not None:
                page.close(verbose=False)
        uploads.clear(folder)
    leave()
    return 0


def leave() -> None:
    """End this process: everything is closed, and what threads still do is safe on disk or can be done again.

    The interpreter's own end would crash where one of them is deep in the model, or loads it just then.
    """
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):  # a closed terminal
            stream.flush()
    os._exit(0)

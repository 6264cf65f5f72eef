"""Hostile words in every view of the page, every endpoint and every address of ours: characters, no more.

One page with a tiny random model and one browser. What stands in books, file names, titles, authors, tags,
notes, talks and tables wants to run, to ask for something, to style the page or to turn its direction.
"""

import csv
import html
import io
import json
import re
from pathlib import Path

import httpx
import pytest

from app.page import pictures, sheets
from ingest.formats import FORMATS
from ingest.tables import pasted_table
from tests.app.browser import compact, get, to_tab, until, visiting
from tests.app.callers import given
from tests.app.page import test_browser_hostile as hostile
from tests.ingest import build
from tests.ingest.test_formats import fb2, mhtml, mobi, odt, pptx, shape

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

EVIL = (
    '</p></div></template><img src="/lm-beacon" onerror="window.bad=20"><script>window.bad=21</script>'
    "<style>*{display:none}</style>[x](javascript:window.bad=22) <b onclick=window.bad=23 \u202egnp.exe\u202c"
    " <a href='data:text/html,<script>parent.bad=24</script>'> {{window.bad}} ${window.bad}"
)
SHORT = "<img src=x onerror=window.bad=25>"  # where words are cut short
SAID = "The zebra of the north sleeps under the old bridge. " + EVIL
DRAWN = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="40" height="40" onload="window.bad=26">'
    "<script>window.bad=27</script><rect width='40' height='40' onclick='window.bad=28'/>"
    '<image href="http://192.0.2.7/lm-beacon.png" width="9" height="9"/><a href="javascript:window.bad=29">'
    '<text y="20">drawn</text></a>'
    '<foreignObject><iframe src="javascript:parent.bad=30"/></foreignObject></svg>'
)


def table(*rows: tuple[str, str]) -> str:
    stream = io.StringIO()
    csv.writer(stream).writerows([(EVIL, SHORT), *rows])
    return stream.getvalue()


# a label stands in a narrow column, cut off after 24 letters
TABLE = table(
    *(
        (f"{word} {n} {EVIL}", f"{word[0]}<i onload=window.bad=9>")
        for n in range(10)
        for word in ("good", "bad")
    )
)


def words_of(rtf: str) -> str:
    """Write words as rich text has them."""
    plain = re.sub(r"([\\{}])", r"\\\1", rtf)
    return "".join(one if ord(one) < 128 else f"\\u{ord(one)}?" for one in plain)


def paragraph(name: str, words: str = SAID) -> str:
    return hostile.escaped(name, words)


LIVE_XML = hostile.LIVE.replace('"window.bad=12">', '"window.bad=12"/>')
SAVED = f"<html><title>{html.escape(SHORT)}</title><body>{paragraph('p')}{hostile.LIVE}{DRAWN}</body></html>"
AN_EPUB = build.page(
    f"<body>{paragraph('h1', SHORT)}{paragraph('p')}{LIVE_XML}<img src='drawn.svg' alt='Tom'/>{DRAWN}</body>"
)
# by the name of the format, the bytes of a book that wants to run something
BOOKS = {
    "epub": build.epub({"one.xhtml": AN_EPUB}, extra={"OPS/drawn.svg": DRAWN}),
    "html": SAVED.encode(),
    "mhtml": mhtml(SAVED.encode(), "8bit"),
    "mail": f"From: {SHORT} <a@b.example>\nTo: c@b.example\nMessage-ID: <1@b>\nSubject: {SHORT}\n"
            f"MIME-Version: 1.0\nContent-Type: text/html; charset=utf-8\n\n{SAVED}".encode(),
    "markdown": f"# {html.escape(SHORT)}\n\n{html.escape(SAID)}\n\n{hostile.LIVE}\n\n{DRAWN}\n".encode(),
    "text": f"{SHORT}\n\n{SAID}\n\n{hostile.LIVE}\n\n{DRAWN}\n".encode(),
    "pdf": build.storybook(SHORT, SHORT, "note", [(SHORT, [SAID])]),
    "docx": build.docx(f"<w:p><w:r><w:t>{html.escape(SAID)}</w:t></w:r></w:p>"),
    "odt": odt(paragraph("text:p") + LIVE_XML),
    "fb2": fb2("<body><section><title>" + paragraph("p", SHORT) + "</title>" + paragraph("p") + LIVE_XML
               + "</section></body>",
               about=f"{paragraph('book-title', SHORT)}<author>{paragraph('last-name', SHORT)}</author>"),
    "rtf": f"{{\\rtf1\\ansi{{\\info{{\\title {words_of(SHORT)}}}}}\\pard {words_of(SAID)}\\par}}".encode(),
    "pptx": pptx([shape(html.escape(SAID))], [1]),
    "mobi": mobi(f"<html><body>{paragraph('p')}{hostile.LIVE}</body></html>".encode()),
}  # fmt: skip

# views of the page that show what strangers wrote, all of which the tour below has to see doing so
HOSTILE = {
    "lm-notice", "lm-shelf", "lm-book", "lm-contents", "lm-found", "lm-about", "lm-reader", "lm-place",
    "lm-history", "lm-now", "lm-map", "lm-notes", "lm-with", "lm-libraries",
    "lm-library-head", "lm-library-notice", "lm-labelled", "lm-file-preview", "lm-runs", "lm-examples",
    "lm-measured", "lm-task-written", "lm-preview", "lm-import-written",
}  # fmt: skip
# those that only ever show words and numbers of our own; or of the model, written as in lm-with
OWN = {
    "lm-without", "lm-edited", "lm-machine-said",
    "lm-head", "lm-shelf-row", "lm-panes", "lm-look", "lm-listen", "lm-bar", "lm-notes-notice", "lm-held",
    "lm-facts", "lm-known-models", "lm-adapt-said",
}  # fmt: skip

# notes which views ever held such words, and what became more than characters anywhere on the page
WATCH = """() => {
  window.seen = new Set();
  window.wrong = new Set();
  const look = () => {
    for (const view of document.querySelectorAll('[id^=lm-]')) {
      if (!/window\\.bad|parent\\.bad/.test(view.innerHTML)) continue;
      window.seen.add(view.id);
      if (/[\\u202a-\\u202e\\u2066-\\u2069]/.test(view.textContent)) window.wrong.add('turned ' + view.id);
    }
    for (const one of document.querySelectorAll('*')) {
      if (/^(script|style)$/i.test(one.tagName)
          && /(window|parent)\\.bad=|^\\*\\{display/.test(one.textContent))
        window.wrong.add(one.outerHTML.slice(0, 200));
      for (const { name, value } of one.attributes)
        if ((/^(on|style$|srcdoc$)/.test(name) && /\\.bad|display:none\\}/.test(value))
            || (/^(src|href|xlink:href|action|formaction|srcset)$/.test(name)
                && /^(javascript|data:text)|lm-beacon|192\\.0\\.2/.test(value)))
          window.wrong.add(one.outerHTML.slice(0, 200));
    }
  };
  let waits = false;
  new MutationObserver(() => {
    if (waits) return;
    waits = true;
    requestAnimationFrame(() => { waits = false; look(); });
  }).observe(document, { subtree: true, childList: true, attributes: true, characterData: true });
}"""


OPENED = """title => document.querySelector('#lm-book')?.innerText.includes(title)
    && /zebra\\s+of\\s+the\\s+north/.test(document.querySelector('#lm-reader').innerText)"""


@pytest.fixture(scope="module")
def books(served, tmp_path_factory) -> dict[str, str]:
    """The shelf with all of it; ids by format."""
    folder, visit, shelf = tmp_path_factory.mktemp("hostile"), served.visit, served.desk.shelf
    ids = {}
    for number, (name, data) in enumerate(BOOKS.items()):
        suffix = next(one.suffixes[0] for one in FORMATS if name == one.parser.NAME)
        path = folder / f"{number} {SHORT}{suffix}"
        path.write_bytes(data)
        ids[name] = visit.add(path).id
    until(lambda: all(shelf.get(one).state == "ready" for one in ids.values()))
    for name, one in ids.items():
        visit.rename(one, f"{name} {EVIL}")
        shelf.update(one, author=EVIL)
        visit.tag(one, f"{SHORT}, zebra")
        document = served.desk.books.document(one)
        at = document.text.index("zebra")
        visit.shelf.marks.add(one, document, at, at + 40, kind="note", note=EVIL)
        talk = visit.shelf.talks.create(one, title=EVIL)
        visit.shelf.talks.append(talk.id, "user", EVIL)
        cited = {"document": one, "start": at, "end": at + 90, "text": EVIL, "place": EVIL, "score": 1.0}
        visit.shelf.talks.append(talk.id, "assistant", EVIL, citations=[cited])
    return ids


@pytest.fixture(scope="module")
def library(served) -> str:
    preview = served.desk.demonstrations.preview(pasted_table(TABLE), EVIL, SHORT)
    words = dict(zip(preview.words, ("x", "y"), strict=True))
    made = served.visit.demonstrations.create(
        f"Films {EVIL}", preview, preview.task("{} It was {}.", words, EVIL)
    )
    demonstrations = served.desk.demonstrations
    demonstrations.enqueue(made.id)
    served.desk.runner.wake()
    until(lambda: demonstrations.jobs.latest(made.id).state == "done")
    return made.id


def test_every_format_has_a_hostile_book():
    assert {one.parser.NAME for one in FORMATS} == BOOKS.keys()


def test_every_view_has_a_row(served):
    config = get(f"{served.url}config").json()
    filled = {one for event in config["dependencies"] for one in event["outputs"]}
    views = [one for one in config["components"] if one["type"] in ("html", "markdown")]
    names = [
        one["props"].get("elem_id") for one in views if one["id"] in filled or one["props"].get("elem_id")
    ]
    assert sorted(map(str, names)) == sorted(HOSTILE | OWN)


def test_nothing_in_any_view_is_more_than_its_characters(chromium, served, books, library, tmp_path):
    with visiting(chromium, served.url) as page:
        page.set_default_timeout(20_000)
        page.wait_for_selector(".lm-card")
        page.evaluate(WATCH)
        for name in (*books, "epub"):
            to_tab(page, "Shelf")
            page.locator(f".lm-card [data-action=open][data-document='{books[name]}']").first.click()
            page.wait_for_function(OPENED, arg=f"{name} </p>")
            if name not in ("markdown", "pdf"):  # where a sign is one of the format, or a line is broken
                assert compact(EVIL[:90]) in compact(page.locator("#lm-reader").inner_text()), name
        for tour in (of_a_book, of_a_talk, of_notes, of_writing, of_examples, of_settings, of_the_shelf):
            tour(page, tmp_path)
        page.wait_for_timeout(300)
        assert page.evaluate("[...window.wrong]") == []
        assert HOSTILE - set(page.evaluate("[...window.seen]")) == set()


def seen(page, view: str) -> None:
    """Wait until a view has held hostile words."""
    page.wait_for_function("view => window.seen.has(view)", arg=view, timeout=20_000)


def of_a_book(page, folder: Path) -> None:
    page.locator("#lm-contents summary").click()
    page.keyboard.press("Escape")
    page.get_by_label("Search in this book").fill("zebra")
    page.locator(".lm-hit", has_text="zebra").first.click()
    page.get_by_role("button", name="I have read to here").click()
    page.get_by_role("button", name="Story so far").click()
    seen(page, "lm-about")
    place = page.locator("#lm-goto input, #lm-goto textarea")
    place.fill(EVIL)
    place.press("Enter")
    page.locator("[data-testid=toast-body]", has_text="window.bad").first.wait_for()


def of_a_talk(page, folder: Path) -> None:
    seen(page, "lm-history")
    page.locator("#lm-question textarea").fill(EVIL)
    page.get_by_role("button", name="Ask", exact=True).click()
    seen(page, "lm-now")


def of_notes(page, folder: Path) -> None:
    to_tab(page, "Notes")
    seen(page, "lm-notes")


def of_writing(page, folder: Path) -> None:
    to_tab(page, "Write on")
    page.locator("textarea:visible").last.fill(EVIL)
    page.get_by_role("button", name="Write on", exact=True).click()
    seen(page, "lm-with")


def of_examples(page, folder: Path) -> None:
    to_tab(page, "Classify")
    page.locator("#lm-libraries [data-action=use]").first.click()
    page.get_by_label("A text to label").fill(EVIL)
    page.get_by_role("button", name="Label it").click()
    seen(page, "lm-labelled")
    to_tab(page, "A file")
    path = folder / f"new {SHORT}.csv"
    path.write_text(table((EVIL, "good")))
    page.set_input_files("#lm-file input[type=file]", str(path))
    seen(page, "lm-file-preview")
    page.get_by_role("button", name="Label the file").click()
    seen(page, "lm-runs")
    to_tab(page, "How good it is")
    page.get_by_role("button", name="How good is it?").click()
    seen(page, "lm-measured")
    to_tab(page, "Examples")
    seen(page, "lm-examples")
    to_tab(page, "Template")
    seen(page, "lm-task-written")
    page.get_by_text("Bring examples").click()
    page.get_by_label("Or rows, pasted").fill(TABLE)
    page.get_by_role("button", name="Look at these rows").click()
    for view in ("lm-preview", "lm-import-written"):
        seen(page, view)
    page.locator("#lm-libraries [data-action=remove]").first.click()
    seen(page, "lm-library-notice")


def of_settings(page, folder: Path) -> None:
    to_tab(page, "Settings")
    page.wait_for_selector("#lm-facts >> text=/MB|GB/")


def of_the_shelf(page, folder: Path) -> None:
    to_tab(page, "Shelf")
    page.locator(".lm-card", has_text="pptx </p>").locator("[data-action=remove]").first.click()
    seen(page, "lm-notice")


# endpoint -> what is sent, of the ids of a book, its mark and a library
ENDPOINTS = {
    "add": lambda book, mark, library: [
        given(f"/{SHORT}"),
        EVIL,
        EVIL,
        EVIL,
    ],
    "shelf": lambda book, mark, library: [],
    "job": lambda book, mark, library: [book],
    "control_job": lambda book, mark, library: [0, EVIL],
    "ask": lambda book, mark, library: [book, EVIL, "", ""],
    "continue": lambda book, mark, library: [book, "", EVIL, 2, True],
    "search": lambda book, mark, library: [book, "zebra", 3],
    "read": lambda book, mark, library: [book, 0, 900],
    "who": lambda book, mark, library: [book, "end"],
    "story": lambda book, mark, library: [book, "end"],
    "terms": lambda book, mark, library: [book, "end"],
    "dates": lambda book, mark, library: [book, EVIL],
    "notes": lambda book, mark, library: [book, ""],
    "add_note": lambda book, mark, library: [book, "start", "zebra", EVIL, EVIL],
    "delete_note": lambda book, mark, library: [mark],
    "remove": lambda book, mark, library: [EVIL],
    "rename": lambda book, mark, library: [book, EVIL],
    "libraries": lambda book, mark, library: [],
    "classify": lambda book, mark, library: [library, EVIL],
}


def test_every_endpoint_has_a_row(served):
    listed = get(f"{served.url}gradio_api/info").json()["named_endpoints"]
    assert {name.removeprefix("/") for name in listed} == ENDPOINTS.keys()


@pytest.mark.parametrize("name", ENDPOINTS)
def test_an_endpoint_gives_data_that_no_browser_takes_for_a_page(served, books, library, name):
    book = books["text"]
    marks = served.visit.shelf.marks.of(book)
    mark = marks[0].id if marks else ""
    begun = httpx.post(
        f"{served.url}gradio_api/call/{name}",
        json={"data": ENDPOINTS[name](book, mark, library)},
        timeout=240,
    )
    told = get(f"{served.url}gradio_api/call/{name}/{begun.json()['event_id']}")
    assert [one.headers["content-type"].partition(";")[0] for one in (begun, told)] == [
        "application/json",
        "text/event-stream",
    ]
    lines = [line.removeprefix("data: ") for line in told.text.splitlines() if line.startswith("data: ")]
    assert lines and all(json.loads(line) is not ... for line in lines)


# address of ours -> one that is there, of the ids of an EPUB and a PDF and the name of a picture
ADDRESSES = {
    "/lm/covers/{document}": "lm/covers/{epub}",
    "/lm/pictures/{document}/{name}": "lm/pictures/{epub}/{picture}",
    "/lm/pages/{document}/{number:int}": "lm/pages/{pdf}/0?marked=0-<img src=x onerror=window.bad=31>",
    "/lm/leaves/{document}/{number:int}": "lm/leaves/{epub}/0",
}


def test_nothing_runs_at_an_address_of_ours_that_is_opened_by_itself(chromium, served, books):
    routes = {route.path for route in (*pictures.routes(served.desk.books), *sheets.routes(served.desk))}
    assert routes == ADDRESSES.keys()
    shown = served.desk.books.document(books["epub"]).pictures
    names = {"epub": books["epub"], "pdf": books["pdf"], "picture": shown[0].name}
    for address in ADDRESSES.values():
        address = served.url + address.format(**names)
        assert get(address).headers["x-content-type-options"] == "nosniff", address
        with visiting(chromium, address) as page:
            page.mouse.click(20, 20)
            page.wait_for_timeout(100)
            assert page.locator("script").count() == 0, address

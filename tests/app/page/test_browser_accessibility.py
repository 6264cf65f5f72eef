"""What people need who see little or use no mouse: axe-core finds nothing serious, names, the order of Tab.

With LONGMEM_SCREENSHOTS set to a folder, each view is drawn there in light, dark and on a phone.
"""

from pathlib import Path

import pytest

from tests.app.browser import (
    DESKTOP,
    GLIDE,
    PHONE,
    SIDEWAYS,
    answers,
    ask,
    drawn,
    fresh_talk,
    shade,
    to_tab,
    visiting,
)

TABS = {
    "shelf": "Shelf",
    "read": "Read",
    "notes": "Notes",
    "write": "Write on",
    "classify": "Classify",
    "settings": "Settings",
}
PARTS = {"file": "A file", "measure": "How good it is", "examples": "Examples", "template": "Template"}
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
ROWS = "note,mood\n" + "".join(f"a {word} evening,good\na {other} evening,bad\n" for word, other in (
    ("lovely", "dreary"), ("splendid", "tedious"), ("charming", "clumsy"), ("merry", "dismal")))  # fmt: skip


@pytest.fixture(scope="module")
def furnished_view(chromium, program):
    """A browser that has opened the book, asked, and followed a citation; with a library of examples."""
    with visiting(chromium, program.url) as page:
        page.wait_for_selector(".lm-card")
        fresh_talk(page)
        ask(page, "What is the title of chapter 2?")
        answers(page).last.locator(".lm-chip").first.click()
        page.wait_for_selector(".lm-leaf mark.cited")
        page.get_by_label("Search in this book").fill("compass")
        page.wait_for_selector(".lm-hit")
        to_tab(page, "Classify")
        page.get_by_text("Bring examples").click()
        pasted(page, ROWS, "8 rows, all good")
        page.get_by_label("Name of the library").fill("Evenings")
        page.get_by_role("button", name="Import and encode").click()
        page.wait_for_selector("#lm-libraries .lm-card[data-state=ready]")
        page.get_by_text("Bring examples").click()
        pasted(page, ROWS + ",good\n", "8 good and 1 with something wrong")
        yield page


def pasted(page, rows: str, judged: str) -> None:
    """Rows that are looked at before they are imported."""
    page.get_by_label("Or rows, pasted").fill(rows)
    page.get_by_role("button", name="Look at these rows").click()
    page.locator("#lm-preview").get_by_text(judged).wait_for()


def at_view(page, view: str) -> None:
    if view in TABS:
        to_tab(page, TABS[view])
    else:
        to_tab(page, PARTS[view])
    if view == "settings":
        page.wait_for_selector("#lm-facts dt")
    page.wait_for_timeout(150)


def serious(page, rules: list[str]) -> list[str]:
    """What axe-core finds serious or critical: rule, element, why."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-core is not installed")
    options = {"runOnly": rules, "resultTypes": ["violations"]}
    found = axe.Axe().run(page, options=options).response["violations"]
    return [
        f"{one['id']} ({one['impact']}): {' '.join(map(str, node['target']))}: {node['html'][:160]}: "
        + "; ".join(check["message"] for check in node["any"] + node["all"] + node["none"])
        for one in found
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
        # of the marks on a line the nearest to a click is meant: the line is what a finger has to meet
        if not (one["id"] == "target-size" and 'class="lm-dot"' in node["html"])
    ]


# dark is other colours, nothing else
@pytest.mark.parametrize(("theme", "size", "rules"), [
    ("light", DESKTOP, RULES), ("dark", DESKTOP, ["color-contrast"]), ("light", PHONE, RULES),
], ids=["light", "dark", "phone"])  # fmt: skip
def test_nothing_serious_in_any_view(furnished_view, request, theme, size, rules):
    page, found, look = furnished_view, {}, request.node.callspec.id
    page.set_viewport_size(size)
    shade(page, theme)
    page.wait_for_timeout(GLIDE)
    try:
        # the parts of a tab come before it is left
        for view in ("shelf", "read", "notes", "write", "classify", *PARTS, "settings"):
            at_view(page, view)
            assert page.evaluate(SIDEWAYS) <= 0, view
            found[view] = serious(page, rules)
            drawn(page, f"{view}-{look}", whole=view != "read")
    finally:
        page.set_viewport_size(DESKTOP)
        shade(page, "light")
    assert {view: faults for view, faults in found.items() if faults} == {}


SEA = (
    "Captain Brand sailed from Norton in 1798 with the morning tide and thirty barrels of salted herring. "
    "A galiot is a small ship with one mast. "
)
SELECTED = """() => {
  const range = document.createRange();
  range.selectNodeContents(document.querySelector('.lm-leaf p[data-start]'));
  getSelection().removeAllRanges();
  getSelection().addRange(range);
}"""


def printed(folder: Path) -> Path:
    """A PDF of two pages, long enough to have been begun."""
    import pymupdf

    path = folder / "voyages.pdf"
    with pymupdf.open() as pdf:
        for _ in range(2):
            pdf.new_page().insert_textbox((50, 50, 540, 780), SEA * 14, fontsize=10)
        pdf.save(path)
    return path


def added(page, path: Path, state: str) -> None:
    to_tab(page, "Shelf")
    page.set_input_files("#lm-upload input[type=file]", str(path))
    page.wait_for_selector(f".lm-card[data-state={state}] >> text={path.stem}")


def refused(page, folder: Path) -> None:
    (folder / "nothing.txt").write_bytes(b"")
    added(page, folder / "nothing.txt", "failed")


def opened(page, folder: Path) -> None:
    added(page, printed(folder), "ready")
    page.locator(".lm-card", has_text="voyages").locator("[data-action=open]").first.click()
    page.wait_for_selector(".lm-leaf >> text=Captain")
    page.get_by_label("Go to", exact=True).fill("100%")
    page.keyboard.press("Enter")
    page.wait_for_selector("#lm-place >> text=100 %")
    page.get_by_role("button", name="I have read to here").click()
    page.wait_for_selector("#lm-place >> text=read 100 %")


def clicked(name: str, shown: str):
    """A state that a button leads to."""

    def reach(page, folder: Path) -> None:
        page.get_by_role("button", name=name, exact=True).first.click()
        page.wait_for_selector(shown)

    return reach


def searched(page, folder: Path) -> None:
    page.locator(".lm-about-head").get_by_role("button", name="Close").click()
    page.get_by_label("Search in this book").fill("galiot")
    page.wait_for_selector(".lm-hit")


def misled(page, folder: Path) -> None:
    page.get_by_label("Go to", exact=True).fill("page 999")
    page.keyboard.press("Enter")
    page.wait_for_selector(".toast-body >> text=there is no page 999")


def unfolded(page, folder: Path) -> None:
    page.keyboard.press("Escape")
    page.get_by_label("How the text looks").click()
    page.wait_for_selector("#lm-look >> text=Line height")


def selected(page, folder: Path) -> None:
    page.get_by_label("How the text looks").click()
    page.evaluate(SELECTED)
    page.wait_for_selector("#lm-bar.lm-on")


# in the order in which a reader comes to them
STATES = {
    "empty shelf": lambda page, folder: page.wait_for_selector("text=Your shelf is empty"),
    "a file that is refused": refused,
    "a printed book": opened,
    "who is who": clicked("Who is who", ".lm-about strong >> text=Captain Brand"),
    "story so far": clicked("Story so far", ".lm-about[aria-label='Story so far'] li"),
    "terms": clicked("Terms", ".lm-about strong >> text=galiot"),
    "dates": clicked("Dates", ".lm-about strong >> text=1798"),
    "search hits": searched,
    "an error line": misled,
    "a printed page": clicked("page 2", ".lm-print:popover-open img"),
    "how the text looks": unfolded,
    "words selected": selected,
}
NARROW = {"width": 375, "height": 780}


def test_nothing_serious_in_any_pane_nor_in_what_went_wrong(chromium, served, tmp_path):
    found = {}
    with visiting(chromium, served.url) as page:
        for name, reach in STATES.items():
            reach(page, tmp_path)
            for theme, size, rules in (
                ("light", DESKTOP, RULES), ("dark", DESKTOP, ["color-contrast"]), ("light", NARROW, RULES),
            ):  # fmt: skip
                page.set_viewport_size(size)
                shade(page, theme)
                page.wait_for_timeout(GLIDE)
                assert page.evaluate(SIDEWAYS) <= 0, name
                found[f"{name}, {theme}, {size['width']}"] = serious(page, rules)
                drawn(page, f"{name}-{theme}-{size['width']}", whole=False)
            page.set_viewport_size(DESKTOP)
    assert {view: faults for view, faults in found.items() if faults} == {}


STOP = """() => {
  const one = document.activeElement;
  const named = one.getAttribute('aria-label') || one.innerText || one.title
    || (one.labels && one.labels.length && one.labels[0].innerText) || '';
  return one === document.body ? null : {
    name: named.trim().slice(0, 40), tag: one.tagName, tabindex: one.tabIndex,
    shown: one.checkVisibility({ checkOpacity: false, checkVisibilityCSS: true }),
  };
}"""


def stops(page, most: int = 120) -> list[dict]:
    """Where Tab leads, from the top of the page round to its end."""
    page.locator(".lm-top button").focus()
    found = [page.evaluate(STOP)]
    for _ in range(most):
        page.keyboard.press("Tab")
        stop = page.evaluate(STOP)
        if stop is None or stop == found[0]:
            break
        found.append(stop)
    return found


def test_tab_leads_through_the_reading_room_in_a_sensible_order(furnished_view):
    at_view(furnished_view, "read")
    found = stops(furnished_view)
    names = [stop["name"] for stop in found]
    assert [stop for stop in found if not stop["name"] or not stop["shown"] or stop["tabindex"] > 0] == []
    wanted = ["Light or dark", "Shelf", "Contents", "Who is who", "Search in this book"]
    wanted += ["I have read to here", "Your question", "Ask", "Export"]
    assert [name for name in names if name in wanted] == wanted, names
    # the strip and the answer's words are one stop each, not hundreds
    assert len(found) < 60, names


def test_a_book_is_opened_and_asked_without_a_mouse(chromium, program):
    with visiting(chromium, program.url) as page:
        page.wait_for_selector(".lm-card")
        to_tab(page, "Shelf")
        page.locator("[data-action=open]").first.focus()
        page.keyboard.press("Enter")
        page.wait_for_selector(".lm-leaf")
        page.get_by_label("Your question").focus()
        page.keyboard.type("How many chapters are there?")
        page.keyboard.press("Enter")
        page.wait_for_selector("#lm-talk >> text=read off the table of contents")

"""The tab of demonstration libraries in a real browser, with a tiny random model: its labels mean nothing."""

import threading
from pathlib import Path

import pytest

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

from tests.app.browser import (  # noqa: E402
    DESKTOP,
    PHONE,
    SIDEWAYS,
    drawn,
    shade,
    to_tab,
    until,
    visiting,
)

BAD = "<img src=x onerror=window.bad=1>"
GOOD = ("lovely", "splendid", "charming")
DULL = ("dreary", "tedious", "clumsy")
PASTED = (
    "comment,mood\n"
    + "".join(f"a {GOOD[n % 3]} evening number {n},{BAD}\n" for n in range(12))
    + "".join(f"a {DULL[n % 3]} evening number {n},sad\n" for n in range(12))
    + "<script>window.bad=2</script> ${window.bad=3} {{window.bad}},sad\n"
    + ",sad\na lovely evening number 0,sad\n"
)
SHOTS = {"light": (DESKTOP, "light"), "dark": (DESKTOP, "dark"), "phone": (PHONE, "light")}


def card(page, name: str):
    return page.locator("#lm-libraries .lm-card", has_text=name).first


def refreshed(page, name: str, preview, seconds: int) -> bool:
    """Type a name, load the page anew after so many seconds; whether the name is there again."""
    box = page.get_by_label("Name of the library")
    box.fill(name)
    page.wait_for_timeout(1000 * seconds)
    page.reload()
    to_tab(page, "Classify")
    preview.get_by_text("25 good and 2 with something wrong").wait_for()
    page.wait_for_timeout(500 * seconds)
    return box.input_value() == name


def import_pasted(page, name: str) -> None:
    page.get_by_text("Bring examples").click()
    page.get_by_label("Or rows, pasted").fill(PASTED)
    page.get_by_role("button", name="Look at these rows").click()
    preview = page.locator("#lm-preview")
    preview.get_by_text("25 good and 2 with something wrong").wait_for()
    for words in ("row 27: the text is empty", "row 28: duplicate: the same text stands in row 2", BAD):
        sync_api.expect(preview).to_contain_text(words)
    # what is in hand is not lost by a refresh: neither the rows nor what was typed (some moment before)
    assert any(refreshed(page, name, preview, seconds) for seconds in (1, 2, 4, 8, 16, 32))
    sync_api.expect(page.get_by_label("Or rows, pasted")).to_have_value(PASTED)
    page.get_by_role("button", name="Import and encode").click()
    page.get_by_text("nothing was imported").wait_for()
    assert card(page, name).count() == 0
    page.get_by_label("Leave out the rows with something wrong").check()
    page.get_by_role("button", name="Import and encode").click()
    card(page, name).wait_for()


def shoot(page, name: str) -> None:
    """The tab in light, dark and on a phone, which needs no sideways scrolling."""
    for kind, (size, theme) in SHOTS.items():
        page.set_viewport_size(size)
        shade(page, theme)
        until(lambda: page.evaluate(SIDEWAYS) <= 0)
        drawn(page, f"{name}-{kind}")
    shade(page, "light")
    page.set_viewport_size(DESKTOP)


def test_a_library_from_pasted_rows_to_a_measurement(chromium, served, tmp_path):
    expect = sync_api.expect
    slow, work = threading.Event(), served.desk.runner._work

    def held(job, report):
        report("encode", 1, 10)
        while not slow.wait(0.05):
            report("encode", 3, 10)
        work(job, report)

    served.desk.runner._work = held
    try:
        with visiting(chromium, served.url) as page:
            to_tab(page, "Classify")
            page.get_by_text("Teach by example").wait_for()
            import_pasted(page, f"Evenings {BAD}")
            page.wait_for_selector("text=3 of 10 examples")
            # encoding goes on at the server while the page is loaded anew
            page.reload()
            to_tab(page, "Classify")
            page.wait_for_selector("text=3 of 10 examples")
            shoot(page, "encoding")
            page.click("#lm-libraries [data-action=pause]")
            page.wait_for_selector("#lm-libraries >> text=paused at")
            page.click("#lm-libraries [data-action=resume]")
            slow.set()
            page.wait_for_selector("#lm-libraries .lm-card[data-state=ready]")
            one_text(page)
            measured(page)
            a_file(page, tmp_path)
            examples(page)
            nameless = page.evaluate(
                """() => [...document.querySelectorAll('button, input:not([type=file]), textarea, select')]
                .filter(one => one.offsetParent !== null)
                .filter(one => !(one.textContent.trim() || one.getAttribute('aria-label') || one.title
                                 || (one.labels && one.labels.length)))
                .map(one => one.outerHTML.slice(0, 200))"""
            )
            assert nameless == []
            card(page, "Evenings").locator("[data-action=remove]").click()
            page.get_by_text("was deleted with all its examples").wait_for()
            expect(page.locator("#lm-libraries .lm-card")).to_have_count(0)
            assert served.desk.demonstrations.store.libraries() == []
    finally:
        slow.set()
        served.desk.runner._work = work


def one_text(page) -> None:
    page.get_by_label("A text to label").fill(f"a lovely evening {BAD}")
    page.get_by_role("button", name="Label it").click()
    labelled = page.locator("#lm-labelled")
    sync_api.expect(labelled.locator(".lm-labels li")).to_have_count(2)
    for words in ("25 examples in memory", "Nearest in memory", BAD):
        sync_api.expect(labelled).to_contain_text(words)
    shoot(page, "text")


def measured(page) -> None:
    to_tab(page, "How good it is")
    page.get_by_role("button", name="How good is it?").click()
    # what was measured replaces the last word about progress, which may still come after the table
    page.wait_for_selector("#lm-measured >> text=of 5 held-out texts")
    page.locator("#lm-measured .lm-confusion").wait_for()
    page.reload()
    to_tab(page, "Classify")
    to_tab(page, "How good it is")
    page.locator("#lm-measured .lm-confusion").wait_for()
    page.get_by_role("button", name="How it is measured").click()
    page.get_by_text("A measurement leaves a fifth of them out").wait_for()
    shoot(page, "measured")


def a_file(page, tmp_path) -> None:
    to_tab(page, "A file")
    path = tmp_path / "new evenings.csv"
    path.write_text("id,comment\n" + "".join(f"{n},a charming evening {n} {BAD}\n" for n in range(40)))
    page.set_input_files("#lm-file input[type=file]", str(path))
    page.get_by_text("new evenings.csv: 40 rows").wait_for()
    page.get_by_role("button", name="Label the file").click()
    page.wait_for_selector("#lm-runs .lm-card[data-state=done] >> text=40 of 40 texts labelled")
    with page.expect_download() as begun:
        page.get_by_role("button", name="Download CSV: new evenings.csv").click()
    lines = Path(begun.value.path()).read_text(encoding="utf-8").splitlines()
    assert begun.value.suggested_filename == "new-evenings-labelled.csv"
    assert len(lines) == 41 and lines[0].startswith("row,text,label,p(")
    page.locator("#lm-runs summary").click()
    shoot(page, "file")


def examples(page) -> None:
    expect, shown = sync_api.expect, page.locator("#lm-examples")
    to_tab(page, "Examples")
    page.get_by_label("A new example").fill("a grey evening of its own")
    page.get_by_label("Its label").click()
    page.get_by_role("option", name="sad").click()
    expect(page.get_by_label("Its label")).to_have_value("sad")
    expect(page.get_by_label("A new example")).to_have_value("a grey evening of its own")
    page.get_by_role("button", name="Add it").click()
    page.get_by_text("only what is new is being encoded").wait_for()
    expect(page.get_by_label("A new example")).to_have_value("")
    page.get_by_label("Search in the texts").fill("of its own")
    expect(shown.locator("li")).to_have_count(1)
    shown.locator("[data-action=edit]").click()
    page.get_by_label("The example in hand").fill("a grey evening of our own")
    page.get_by_role("button", name="Save it").click()
    page.get_by_label("A new example").wait_for()
    page.get_by_label("Search in the texts").fill("of our own")
    expect(shown.locator("li")).to_have_count(1)
    shoot(page, "examples")
    shown.locator("[data-action=discard]").click()
    page.get_by_text("The example was removed.").wait_for()
    expect(shown.locator("li")).to_have_count(0)
    with page.expect_download() as begun:
        page.get_by_role("button", name="Export all examples").click()
    assert len(Path(begun.value.path()).read_text(encoding="utf-8").splitlines()) == 26
    to_tab(page, "Template")
    page.get_by_label("Template:").last.fill("An evening: {}")
    page.get_by_text("two places").last.wait_for()
    page.wait_for_selector("#lm-libraries .lm-card[data-state=ready]")

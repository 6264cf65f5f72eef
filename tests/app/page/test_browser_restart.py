"""From an empty shelf to a novel that is interrupted in every way: refresh, pause, kill -9, deletion."""

import re
from collections.abc import Iterator

import pytest

from tests.app.browser import (
    PROJECT,
    Program,
    becomes,
    card_of,
    missing,
    open_book,
    remove,
    running,
    to_tab,
    until,
    upload,
    visiting,
)

NOVEL = PROJECT / "assets" / "samples" / "love-among-the-chickens.epub"
TITLE = "Love Among the Chickens"


@pytest.fixture
def unfurnished(furnished, tmp_path) -> Iterator[Program]:
    """The program as it is after its first set-up: a model, and nothing on the shelf."""
    if reason := missing():
        pytest.skip(reason)
    home = tmp_path / "home"
    home.mkdir()
    (home / "backbones").symlink_to(furnished / "backbones", target_is_directory=True)
    with running(home) as program:
        yield program


def percent(page) -> float:
    """How far the card says the novel is; -1 while it says nothing."""
    found = re.search(r"(\d+) %", "".join(card_of(page, TITLE).locator(".lm-job").all_inner_texts()))
    return float(found[1]) if found else -1.0


def past(page, least: float) -> float:
    """Wait until the memory is filled to more than `least` percent; how far it is then."""
    page.wait_for_selector("text=filling the memory")
    # a list, as none at all is true of 0 %
    (now,) = until(lambda: [now for now in [percent(page)] if now > least])
    return now


def press(page, action: str) -> None:
    card_of(page, TITLE).locator(f"[data-action={action}]").click()


def kept(program: Program) -> list[str]:
    """Files with anything in them: of documents in the data folder, of uploads in the temporary one."""
    folders = (program.home / "documents", program.uploads)
    found = [one for folder in folders for one in folder.rglob("*") if one.is_file()]
    return [str(one) for one in found if one.stat().st_size and one.name != ".lock"]


def test_a_first_start_and_a_novel_that_goes_on_by_itself_wherever_it_was_interrupted(chromium, unfurnished):
    program = unfurnished
    with visiting(chromium, program.url) as page:
        page.get_by_text("Your shelf is empty").wait_for()
        page.get_by_role("button", name="A sample novel").click()
        past(page, -1)
        assert re.search(r"[\d.]+ (bytes|kB|MB) freed", remove(page, TITLE))
        page.get_by_text("Your shelf is empty").wait_for()

        upload(page, NOVEL, TITLE, ready=False)
        first = past(page, 0)
        until(
            lambda: "filling the memory" in (words := card_of(page, TITLE).inner_text()) and "left" in words
        )
        page.reload()
        assert past(page, 0) >= first
        press(page, "pause")
        page.wait_for_selector("text=paused at")
        paused = percent(page)
        page.reload()
        page.wait_for_selector("text=paused at")
        becomes(lambda: percent(page), paused)
        press(page, "resume")
        reached = past(page, paused)

        # it can be read and asked meanwhile
        open_book(page, TITLE)
        page.get_by_label("Your question").fill("Who keeps the hens?")
        page.get_by_role("button", name="Ask", exact=True).click()
        page.locator("#lm-talk .lm-assistant:not(.lm-live)").wait_for()
        until(lambda: not any(str(program.uploads) in one for one in kept(program)))

    program.kill()
    program.start()

    with visiting(chromium, program.url) as page:
        again = past(page, -1)
        # a segment in hand is filled again, no more than that
        assert again >= reached - 3
        past(page, again)
        # the same file once more is no second book
        upload(page, NOVEL, TITLE, ready=False)
        page.get_by_text("is on the shelf already").wait_for(state="attached")
        page.locator(".lm-leaf").wait_for()  # it opens, as one that is ready does
        becomes(page.locator(".lm-card").count, 1)
        to_tab(page, "Shelf")
        press(page, "cancel")
        page.wait_for_selector("text=cancelled at")
        assert re.search(r"[\d.]+ (kB|MB) freed", remove(page, TITLE))
        page.get_by_text("Your shelf is empty").wait_for()
    assert kept(program) == []
    until(lambda: program.load(1.5) < 0.3)

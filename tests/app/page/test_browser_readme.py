"""The pictures that the README shows: a book, a question about it, and the sentence an answer came from.

They are drawn anew, with the true model, by

    LONGMEM_SCREENSHOTS=assets/screenshots python launch.py test tests/app/page/test_browser_readme.py
"""

import os
import re
from pathlib import Path

import pytest
from PIL import Image

from engine.paths import PROJECT, SAMPLES
from tests.app.browser import DESKTOP, PHONE, ask, copied, drawn, open_book, running, shade, upload, visiting

BOOK, TITLE = SAMPLES / "three-stories-by-o-henry.pdf", "Three Stories"
QUESTION, ANSWER = "Where did Bob and Jimmy Wells dine twenty years ago?", "Big Joe"
MOST_BYTES = 200_000


def in_few_colours(path: Path) -> None:
    """Write a picture anew in 256 colours."""
    with Image.open(path) as picture:
        few = picture.convert("RGB").quantize(256, dither=Image.Dither.NONE)
    few.save(path, optimize=True)


def test_the_pictures_are_there_and_light():
    shown = re.findall(r"\((assets/screenshots/[^)]+)\)", (PROJECT / "README.md").read_text(encoding="utf-8"))
    drawn_there = sorted((PROJECT / "assets" / "screenshots").glob("*.png"))
    assert shown and {PROJECT / one for one in shown} <= set(drawn_there)
    assert [one.name for one in drawn_there if one.stat().st_size > MOST_BYTES] == []


@pytest.mark.skipif("LONGMEM_SCREENSHOTS" not in os.environ, reason="LONGMEM_SCREENSHOTS names no folder")
def test_an_answer_beside_its_sentence_is_drawn(chromium, furnished, tmp_path):
    home = copied(furnished, tmp_path / "home")
    with running(home) as program, visiting(chromium, program.url) as page:
        page.wait_for_selector(".lm-card")
        upload(page, BOOK, TITLE)
        open_book(page, TITLE)
        answer = ask(page, QUESTION)
        assert ANSWER in answer.inner_text()
        answer.locator(".lm-chip").first.click()
        page.locator(".lm-leaf mark.cited").first.wait_for()
        page.wait_for_timeout(3000)  # what was led to is held at its line no longer
        for name, theme, size in (
            ("read-light", "light", DESKTOP), ("read-dark", "dark", DESKTOP), ("read-phone", "light", PHONE),
        ):  # fmt: skip
            page.set_viewport_size(size)
            shade(page, theme)
            page.locator(".lm-leaf mark.cited").first.wait_for()
            drawn(page, name, whole=False)
            in_few_colours(Path(os.environ["LONGMEM_SCREENSHOTS"]) / f"{name}.png")

"""A page of a PDF as it is printed, and words marked on it."""

import pymupdf
import pytest
from PIL import Image, ImageChops

from ingest import apart
from ingest.errors import BadInput
from ingest.pdf.facsimile import find_words
from ingest.recognition.sheet import Row, Sheet, keep_sheet
from tests.ingest.test_form import FILLER, printed

NAME = "file.pdf"
FIRST = f"<p>So <i>very odd</i> it was, and won-<br>derful.</p>{FILLER}<p>On it goes and does not come to</p>"
PAGES = (FIRST, FILLER)


@pytest.mark.parametrize(("marked", "found"), [
    ("very odd it", ["very", "odd", "it"]),
    ("was, and wonderful", ["was,", "and", "won-", "derful."]),
    ("On it goes and does not come to an end here", ["On", "it", "goes", "and", "does", "not", "come", "to"]),
    ("What is not there", []),
    ("", []),
])  # fmt: skip
def test_words_are_found_by_their_letters(marked, found):
    page = pymupdf.open("pdf", printed(*PAGES))[0]
    words = page.get_text("words")
    named = {pymupdf.Rect(word[:4]).quad: word[4] for word in words}
    assert [named[quad] for quad in find_words(words, marked)] == found


def yellow(png: bytes, path) -> int:
    path.write_bytes(png)
    with Image.open(path) as picture:
        assert 600 < picture.width <= 1_400
        return sum(count for count, (r, g, b) in picture.convert("RGB").getcolors(1 << 24) if r > 200 > b < g)


def test_a_page_is_drawn_in_a_process_of_its_own(tmp_path):
    path = tmp_path / NAME
    path.write_bytes(printed(*PAGES))
    assert yellow(apart.draw_page(path, 0), tmp_path / "a.png") == 0
    assert yellow(apart.draw_page(path, 0, "very odd"), tmp_path / "b.png") > 100


@pytest.mark.parametrize(("data", "number"), [(printed(*PAGES), 2), (printed(*PAGES), -1), (b"%PDF-1.4", 0),
                                              (b"no PDF", 0)])  # fmt: skip
def test_what_cannot_be_drawn_is_refused(tmp_path, data, number):
    path = tmp_path / NAME
    path.write_bytes(data)
    with pytest.raises(BadInput):
        apart.draw_page(path, number)


def test_recognised_words_are_marked_where_they_stand_on_the_picture(tmp_path):
    path = tmp_path / "photo.png"
    Image.new("RGB", (1_000, 800), "white").save(path)
    keep_sheet(tmp_path, 0, Sheet((Row(75, 300, 675, 330, "So very odd it was", 90.0),)))
    (tmp_path / "marked.png").write_bytes(apart.draw_page(path, 0, "odd it", tmp_path))
    with Image.open(tmp_path / "marked.png") as picture:
        x0, y0, x1, y1 = ImageChops.invert(picture.convert("RGB").getchannel("B")).getbbox()
        shown = picture.width / 750  # points of the picture for one of the page
    letter = 600 / len("So very odd it was")
    assert x0 / shown == pytest.approx(75 + 8 * letter, abs=12)
    assert x1 / shown == pytest.approx(75 + 14 * letter, abs=12)
    assert 290 < y0 / shown < y1 / shown < 340

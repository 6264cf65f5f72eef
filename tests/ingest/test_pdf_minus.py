"""Minus signs of fonts that do not name them, drawn here by a font of our own."""

import pymupdf
import pytest

from ingest.pdf.leaf import read_leaf

NAME = "a.pdf"


def nameless(drawn: str, wide: int = 600) -> bytes:
    """A PDF in which a sign of a font without names stands before a number; `drawn` are its lines."""
    content = "BT /T 12 Tf 60 700 Td (\\001) Tj /H 12 Tf (0.9393 is what was measured here.) Tj ET"
    sign = f"{wide} 0 0 -200 {wide} 800 d1 {drawn}"
    parts = [
        "<</Type/Catalog/Pages 2 0 R>>", "<</Type/Pages/Kids[3 0 R]/Count 1>>",
        "<</Type/Page/Parent 2 0 R/MediaBox[0 0 400 800]/Contents 4 0 R"
        "/Resources<</Font<</T 5 0 R/H 6 0 R>>>>>>",
        f"<</Length {len(content)}>>stream\n{content}\nendstream",
        "<</Type/Font/Subtype/Type3/FontBBox[0 -200 600 800]/FontMatrix[.001 0 0 .001 0 0]/FirstChar 1"
        f"/LastChar 1/Widths[{wide}]/Encoding<</Type/Encoding/Differences[1/a1]>>/CharProcs<</a1 7 0 R>>"
        "/Resources<<>>>>",
        "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
        f"<</Length {len(sign)}>>stream\n{sign}\nendstream",
    ]  # fmt: skip
    body = "".join(f"{number} 0 obj\n{part}\nendobj\n" for number, part in enumerate(parts, 1))
    return f"%PDF-1.7\n{body}trailer<</Root 1 0 R>>\n".encode()


@pytest.mark.parametrize(
    ("drawn", "begins"),
    [
        ("60 230 480 50 re f", "\u22120.9393 is"),
        ("60 230 480 50 re f 60 100 480 50 re f", "\ufffd0.9393 is"),  # two bars are no minus sign
        ("260 -100 50 700 re f", "\ufffd0.9393 is"),
        ("60 -150 480 50 re f", "\ufffd0.9393 is"),  # a rule below the letters
    ],
    ids=["minus", "equals", "upright", "low"],
)
def test_a_minus_sign_that_its_font_does_not_name_is_known_by_its_ink(read, drawn, begins):
    document = read(nameless(drawn))
    assert document.text.startswith(begins)
    assert any("could not be read" in one for one in document.warnings) == ("\ufffd" in begins)


def test_a_sign_without_width_is_no_minus_sign(read):
    assert "0.9393 is" in read(nameless("60 230 480 50 re f", wide=0)).text


def test_a_sign_as_large_as_a_page_is_not_drawn(read, monkeypatch):
    whole = pymupdf.Page.get_pixmap
    monkeypatch.setattr(pymupdf.Page, "get_pixmap", lambda page, clip=None, **how: clip or whole(page, **how))
    assert "\ufffd" in read(nameless("60 230 480 50 re f").replace(b"/T 12 Tf", b"/T 200 Tf")).text


def test_letters_that_cannot_be_named_one_by_one_are_read_together(monkeypatch):
    page = pymupdf.open("pdf", nameless("60 230 480 50 re f"))[0]
    whole = pymupdf.Page.get_text

    def get_text(page, option, **options):
        if option == "rawdict":
            raise SystemError("chr() arg not in range")
        return whole(page, option, **options)

    monkeypatch.setattr(pymupdf.Page, "get_text", get_text)
    assert "0.9393 is" in read_leaf(page).lines[0].text

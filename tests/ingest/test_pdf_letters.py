"""Letters of PDFs that fonts name badly, set apart from their accents or without the blanks between words."""

import unicodedata

import pytest

from ingest.pdf.columns import turned_order
from tests.ingest.build import printed

NAME = "a.pdf"


def letters(content: str, names: dict[int, str], widths: dict[int, int] | None = None) -> bytes:
    """Make a PDF of a content stream whose font /F gives these codes these letters (as hexadecimal)."""
    pairs = "".join(f"<{code:02x}> <{name}>\n" for code, name in names.items())
    table = (
        "begincmap\n1 begincodespacerange <00> <ff> endcodespacerange\n"
        f"{len(names)} beginbfchar\n{pairs}endbfchar\nendcmap"
    )
    wide = " ".join(str((widths or {}).get(code, 500)) for code in range(256))
    parts = [
        "<</Type/Catalog/Pages 2 0 R>>", "<</Type/Pages/Kids[3 0 R]/Count 1>>",
        "<</Type/Page/Parent 2 0 R/MediaBox[0 0 400 800]/Contents 4 0 R/Resources<</Font<</F 5 0 R>>>>>>",
        f"<</Length {len(content)}>>stream\n{content}\nendstream",
        f"<</Type/Font/Subtype/Type1/BaseFont/Times-Roman/ToUnicode 6 0 R/FirstChar 0/LastChar 255"
        f"/Widths[{wide}]>>",
        f"<</Length {len(table)}>>stream\n{table}\nendstream",
    ]  # fmt: skip
    body = "".join(f"{number} 0 obj\n{part}\nendobj\n" for number, part in enumerate(parts, 1))
    return f"%PDF-1.7\n{body}trailer<</Root 1 0 R>>\n".encode()


def test_turned_lines_of_which_none_is_left_have_no_order():
    assert turned_order([]) == []


# places in thousandths of the size: each letter is 500 wide
@pytest.mark.parametrize(
    ("shown", "begins"),
    [
        ("[(preparaci)(\\001)500(on de)]", "preparación de"),
        ("[(preparaci)(o)500(\\001)(n de)]", "preparación de"),  # the accent behind its letter
        ("[(Mar)(\\001)500(\\002a)]", "María"),  # a letter without a dot
        ("[(stosowan)-250(\\003)500(a teoria)]", "stosowaną teoria"),  # white before a narrow accent
        ("[(the key )(\\001)(o is)]", "the key ´o is"),
        ("[(it)(\\001)(s syntax)]", "it´s syntax"),
        ("[(the accent )(\\001)( alone)]", "the accent ´ alone"),
        ("[(\\001)500(\\004)]", "´美"),
    ],
    ids=["before", "behind", "dotless", "ogonek", "beside", "apostrophe", "alone", "Chinese"],
)
def test_an_accent_and_the_letter_that_it_is_printed_on_are_one(read, shown, begins):
    content = f"BT /F 12 Tf 20 700 Td {shown} TJ ET"
    data = letters(content, {1: "00b4", 2: "0131", 3: "02db", 4: "7f8e"}, {1: 500, 3: 300})
    assert read(data).text.startswith(begins)


@pytest.mark.parametrize(
    ("shown", "begins"),
    [
        ("[(\\001\\002)-120(\\003\\001)]", "사용법사"),
        ("[(\\001\\002)-250(\\003\\001)]", "사용 법사"),  # MuPDF sees no blank in so little white
        ("[(\\001)150(\\002)150(\\003)-80(\\001)150(\\002)]", "사용법 사용"),  # boxes wider than letters
        ("[(\\001)-250(\\002.)-250(\\003)]", "사 용. 법"),
        ("[(\\004)-250(\\005)-250(\\004)]", "中日中"),  # between these there are no blanks
    ],
    ids=["tight", "blank", "wide", "stop", "Chinese"],
)
def test_words_of_korean_have_the_blanks_that_the_page_shows(read, shown, begins):
    names = {1: "c0ac", 2: "c6a9", 3: "bc95", 4: "4e2d", 5: "65e5"}
    assert read(letters(f"BT /F 12 Tf 20 700 Td {shown} TJ ET", names)).text.startswith(begins)


@pytest.mark.parametrize("ligature", ["fef7", "fef9", "fefb", "fefc"])
def test_the_two_letters_of_an_arabic_ligature_come_in_their_order(read, ligature):
    shown = "(\\004\\003\\002\\001)"  # from left to right, as a page has them
    names = {1: "0627", 2: ligature, 3: "0634", 4: "062a"}
    both = unicodedata.normalize("NFKC", chr(int(ligature, 16)))
    text = read(letters(f"BT /F 12 Tf 20 700 Td {shown} Tj ET", names)).text
    assert text == f"ا{both}شت"


def test_latin_ligatures_are_letters(read):
    names = {1: "fb01", 2: "fb04"}
    assert read(letters("BT /F 12 Tf 20 700 Td (\\001ne a\\002uent) Tj ET", names)).text == "fine affluent"


def test_cyrillic_whose_fonts_give_western_letters_is_set_right(read):
    russian = (
        "предисловие к этой книге о том как корабль пришёл домой из тумана и кошка ждала его у маяка на скале"
    )
    western = russian.encode("cp1251").decode("latin-1")
    lines = [western[at : at + 35] for at in range(0, len(western), 35)]
    document = read(printed([[(40, 40 + 12 * row, line) for row, line in enumerate(lines)]]), NAME)
    assert "корабль пришёл домой" in document.text.replace("\n", "")
    assert any("stand for Cyrillic (cp1251)" in warning for warning in document.warnings)

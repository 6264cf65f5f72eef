"""Letters of PDFs that fonts name badly, set apart from their accents or without the blanks between words."""

import pytest

from ingest.pdf.columns import turned_order

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
        ("[(stosowan)-200(\\003)500(a teoria)]", "stosowaną teoria"),  # white before a narrow accent
        ("[(the key )(\\001)(o is)]", "the key ´o is"),
        ("[(it)(\\001)(s syntax)]", "it´s syntax"),
        ("[(the accent )(\\001)( alone)]", "the accent ´ alone"),
    ],
    ids=["before", "behind", "dotless", "ogonek", "beside", "apostrophe", "alone"],
)
def test_an_accent_and_the_letter_that_it_is_printed_on_are_one(read, shown, begins):
    content = f"BT /F 12 Tf 20 700 Td {shown} TJ ET"
    data = letters(content, {1: "00b4", 2: "0131", 3: "02db"}, {1: 500, 3: 300})
    assert read(data).text.startswith(begins)

"""Letters of PDFs that fonts name badly, set apart from their accents or without the blanks between words."""

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

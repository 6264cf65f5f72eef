"""What a plain reading has and the document has not is told of, whatever the format; small things are not."""

import pytest

from tests.ingest.build import Piece, epub, page, typeset
from tests.ingest.test_formats import fb2, mhtml, odt

STORY = "<p>The ferry crossed the river twice a day, and the keeper rang the bell at noon.</p>" * 4
MENU = "<nav>" + "<a href='#'>Timetables, tickets and lost property</a>" * 4 + "</nav>"
HIDDEN = "<p style='display:none'>" + "Nobody is to see these words of the printer. " * 3 + "</p>"
LICENCE = (
    "*** START OF THE PROJECT GUTENBERG EBOOK A FERRY ***\n{}\n*** END OF THE PROJECT GUTENBERG EBOOK ***\n{}"
)
FERRY = "The ferry crossed the river twice a day. " * 3
TALE = f"<section><title><p>One</p></title><p>{FERRY}</p></section>"
UNUSED = (
    "<body name='notes'><section id='n1'><title><p>Notes of the printer, of the binder, of the keeper</p>"
    "</title></section></body>"
)


def leaves(head: str) -> bytes:
    return typeset([[Piece(60, 40, head), Piece(60, 200, f"The ferry of day {n} came.")] for n in range(9)])


def web(body: str) -> str:
    return page(f"<body>{body}</body>")


def saved(body: str) -> bytes:
    return mhtml(web(body).encode(), "8bit")


# name of the file -> what loses many letters, what loses few or none
CASES = {
    "page.html": (web(MENU + STORY), web(STORY)),
    "book.epub": (epub({"a": web(HIDDEN + STORY)}), epub({"a": web(STORY)})),
    "leaves.pdf": (leaves("The Ferry, a Story of the River"), leaves("")),
    "page.md": (HIDDEN + "\n\nA ferry came.", "A ferry came and *went*."),
    "page.mht": (saved(MENU + STORY), saved(STORY)),
    "book.fb2": (fb2(f"<body>{TALE}</body>{UNUSED}"), fb2(f"<body>{TALE}</body>")),
    "book.odt": (
        odt(f"<text:p>{FERRY}<office:annotation>{FERRY}</office:annotation></text:p>"),
        odt(f"<text:p>{FERRY}</text:p>"),
    ),
    "book.rtf": (
        rb"{\rtf1 A ferry came.{\deleted %s}\par}" % (FERRY * 2).encode(),
        rb"{\rtf1 A ferry came.\par}",
    ),
    "book.txt": (LICENCE.format("A ferry came.\n", "Licence. " * 30), "A ferry came.\n\nIt went.\n"),
}


@pytest.mark.parametrize("name", CASES)
def test_letters_that_are_left_out_are_told_of(read, name):
    lossy, whole = CASES[name]
    warnings = " ".join(read(lossy, name).warnings)
    assert "letters in the file were left out: " in warnings
    assert read(whole, name).warnings == ()

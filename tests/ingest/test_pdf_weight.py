"""PDFs that unpack to far more than pages: they are not unpacked; pages that draw much are read as ever."""

import zlib

import pymupdf
import pytest

from ingest.errors import BadInput
from tests.ingest.build import Piece, typeset

NAME = "book.pdf"
WORDS = b"BT /F 10 Tf 50 700 Td (The lamp of the northern lighthouse.) Tj ET\n"
PAINTED = b"0 0 9 9 re f "
FONT = b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica%s>>"
FORM = b"/Type/XObject/Subtype/Form/BBox[0 0 600 800]/Resources<</Font<</F 4 0 R>>%s>>"
MASK = b"/Group<</S/Transparency>>" + FORM
TILE = b"/Type/Pattern/PatternType 1/PaintType 1/TilingType 1/BBox[0 0 9 9]/XStep %s/YStep 9/Resources<<%%s>>"
DRAWS_FORM, DRAWS_TILE, IS_MASKED = (
    *(b"/XObject<</X %d 0 R>>", b"/Pattern<</P %d 0 R>>"),
    b"/ExtGState<</G<</SMask<</S/Luminosity/G %d 0 R>>>>>>",
)


def stream(data: bytes, about: bytes = b"") -> bytes:
    packed = zlib.compress(data, 9)
    head = b"<<%s/Filter/FlateDecode/Length %d>>\nstream\n" % (about, len(packed))
    return head + packed + b"\nendstream"


def pdf(
    content: bytes, resources: bytes = b"", page: bytes = b"", others: dict[int, bytes] | None = None
) -> bytes:
    """A PDF of a page and other objects from 10 on; its font is number 4, what it draws number 5."""
    objects = {
        1: b"<</Type/Catalog/Pages 2 0 R>>",
        2: b"<</Type/Pages/Count 1/Kids[3 0 R]/Resources<</Font<</F 4 0 R>>%s>>>>" % resources,
        3: b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]%s>>" % (page or b"/Contents 5 0 R"),
        4: FONT % b"",
        5: stream(content),
    } | (others or {})
    written = b"".join(b"%d 0 obj\n%s\nendobj\n" % named for named in objects.items())
    return b"%PDF-1.7\n" + written + b"trailer\n<</Root 1 0 R>>\n%%EOF"


def chain(draw: bytes, about: bytes, names: bytes, times: int = 10, last: bytes = WORDS) -> dict[int, bytes]:
    """Six streams, each of which draws the next one several times."""
    inner = {10 + at: stream(draw * times, about % (names % (11 + at))) for at in range(6)}
    return inner | {16: stream(last, about % b"")}


LONG_NAMES = b"begincmap 1 beginbfchar <61> <%s> endbfchar endcmap" % (b"0041" * 200)
PICTURE = b"BI /W 30000 /H 30000 /BPC 1 /CS /G /F /Fl ID " + zlib.compress(bytes(3750 * 30000), 9) + b" EI"
TWICE = zlib.compress(zlib.compress(WORDS * 400_000, 9), 9)
HEAVY = {
    "forms in forms": pdf(b"/X Do", DRAWS_FORM % 10, others=chain(b"/X Do ", FORM, DRAWS_FORM)),
    "forms without end": pdf(
        b"/X Do",
        DRAWS_FORM % 10,
        others={10 + at: stream(b"/X Do", FORM % (DRAWS_FORM % (11 + at))) for at in range(2_000)},
    ),
    "patterns in patterns": pdf(
        b"/Pattern cs /P scn " + PAINTED,
        DRAWS_TILE % 10,
        others=chain(b"/Pattern cs /P scn " + PAINTED, TILE % b"9", DRAWS_TILE),
    ),
    "masks in masks": pdf(
        b"/G gs " + PAINTED, IS_MASKED % 10, others=chain(b"/G gs " + PAINTED, MASK, IS_MASKED)
    ),
    "the look of a remark": pdf(
        WORDS,
        page=b"/Contents 5 0 R/Annots[20 0 R]",
        others={20: b"<</Type/Annot/Subtype/Stamp/Rect[50 690 90 710]/AP<</N 10 0 R>>>>"}
        | chain(b"/X Do ", FORM, DRAWS_FORM),
    ),
    "one stream again and again": pdf(WORDS * 20, page=b"/Contents[%s]" % (b"5 0 R " * 20_000)),
    "what is packed twice": pdf(
        b"", others={5: b"<</Filter[/Fl/Fl]/Length %d>>\nstream\n%s\nendstream" % (len(TWICE), TWICE)}
    ),
    "letters": pdf(b"BT /F 10 Tf " + b"(aaaaaaaaa ) Tj " * 60_000 + b"ET"),
    "letters of letters": pdf(
        b"BT /F 10 Tf 9 9 Td " + b"(aaaaaaaaa ) Tj " * 4_000 + b"ET",
        others={4: FONT % b"/ToUnicode 10 0 R", 10: stream(LONG_NAMES)},
    ),
    "a picture among words": pdf(WORDS + PICTURE),
}
ONE_PAGE = "the pages of this PDF unpack to far more than pages: print it to a new PDF"


@pytest.mark.parametrize("data", HEAVY.values(), ids=HEAVY)
def test_a_page_that_unpacks_to_far_more_is_left_out(read, data):
    with pytest.raises(BadInput, match=ONE_PAGE):
        read(data)


def test_such_a_page_among_others_is_named(read):
    book = pymupdf.open("pdf", typeset([[Piece(40, 60, f"A line of page {number}.")] for number in range(3)]))
    heavy = pymupdf.open("pdf", HEAVY["forms in forms"])
    book.insert_pdf(heavy, start_at=1)
    document = read(book.tobytes())
    assert "A line of page 2." in document.text
    assert any("page 2 of the PDF unpacks to far more than a page" in one for one in document.warnings)


REMARK = b"<</Type/Annot/Subtype/%s/Rect[50 690 90 710]%s>>"
REMARKS = {  # that look like nothing, otherwise in each state, like what is no stream, like what is not there
    "a caret": REMARK % (b"Caret", b""),
    "a box to tick": REMARK % (b"Widget/FT/Btn/T(a)", b"/AP<</N<</On 16 0 R/Off 16 0 R>>>>/AS/On"),
    "no stream": REMARK % (b"Stamp", b"/AP<</N 4 0 R>>"),
    "no object": REMARK % (b"Stamp", b"/AP<</N 999999 0 R>>"),
}
LIGHT = {
    name: pdf(WORDS, page=b"/Contents 5 0 R/Annots[20 0 R]", others={20: one} | chain(b"", FORM, b"%d"))
    for name, one in REMARKS.items()
} | {
    "a form drawn often": pdf(
        WORDS + b"/X Do " * 500, DRAWS_FORM % 10, others={10: stream(b"n " * 99, FORM % b"")}
    ),
    "a pattern": pdf(
        WORDS + b"/Pattern cs /P scn " + PAINTED * 500, DRAWS_TILE % 16, others=chain(b"", TILE % b"9", b"%d")
    ),
    "a mask": pdf(WORDS + b"q /G gs " + PAINTED * 500 + b"Q", IS_MASKED % 16, others=chain(b"", MASK, b"%d")),
    "a form that draws itself": pdf(
        WORDS + b"/X Do", DRAWS_FORM % 10, others={10: stream(b"/X Do", FORM % (DRAWS_FORM % 10))}
    ),
}


@pytest.mark.parametrize("data", LIGHT.values(), ids=LIGHT)
def test_a_page_that_draws_much_is_read(read, data):
    assert read(data).text.startswith("The lamp of the northern lighthouse.")


@pytest.mark.parametrize("step", [b"0.001", b"9"], ids=["fine", "usual"])
def test_a_page_without_letters_is_only_drawn_where_that_is_soon_done(read, step):
    drawn = pdf(
        b"/Pattern cs /P scn 0 0 600 800 re f",
        DRAWS_TILE % 10,
        others={10: stream(b"0 0 5 5 re f", TILE % step % b"")},
    )
    with pytest.raises(BadInput, match="what it shows is drawn"):
        read(drawn)


@pytest.mark.parametrize("said", [b"/Size 6000000", b"/Size 9/Index[0 9 5999999 1]"])
def test_a_table_that_promises_too_many_objects_is_not_made_room_for(read, said):
    with pytest.raises(BadInput, match=r"too many parts \(6,000,000; the limit is 2,000,000\): split"):
        read(pdf(WORDS, others={9: stream(bytes(99), b"/Type/XRef/W[1 1 1]" + said)}))


def test_the_size_of_what_is_attached_is_no_number_of_objects(read):
    attached = stream(b"A letter.", b"/Type/EmbeddedFile/Params<</Size 6000000>>")
    table = stream(bytes(99), b"/Type/XRef/W[1 1 1]/Size 9")
    assert read(pdf(WORDS, others={8: attached, 9: table, 10: attached})).text.startswith("The lamp")

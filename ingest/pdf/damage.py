"""Damage: what MuPDF says of a page that it reads as well as it can; pages that show more than they tell."""

import contextlib
import re
from itertools import islice

import pymupdf

from ingest.pdf.leaf import Leaf
from ingest.pdf.trouble import TROUBLE

FEW_LETTERS = 100  # of a page that is worth a second look

# what costs text; fonts, colours, links and checksums do not
_HARM = re.compile(
    r"zlib error: (?!incorrect data check)|read error|premature end|unknown filter|cannot load content"
    r"|not a stream|cannot draw text|invalid character in (?:hex )?string|cannot find XObject"
    r"|loading embedded font|find any cmaps|corrupt|truncated|in lzw|ascii85|runlength"
    r"|syntax error: (?!ICC|image|colou?r)",
    re.IGNORECASE,
)
_LOST_PAGE = re.compile(r"non-page object|cannot load object|cannot find object", re.IGNORECASE)
_OUTSIDE = 4  # times as many letters as inside
_MOST_FIELDS, _BEGINNING = 300, 10  # of a page that are looked at; letters that a cut one shows
_TEXT_FIELD = 7  # PDF_WIDGET_TYPE_TEXT
_SIDE = 360  # pixels of the longer side of the picture that is looked at
_INKED = bytes(grey < 200 for grey in range(256))  # 1 where a pixel is darker than paper
_FULL_OF_EDGES = 2000  # from paper to ink


def has_lost_pages(book: pymupdf.Document) -> bool:
    """Load the list of pages, and tell whether entries of it lead nowhere: such pages come out empty."""
    with contextlib.suppress(*TROUBLE):
        book.load_page(0)
    return bool(_LOST_PAGE.search(pymupdf.TOOLS.mupdf_warnings(reset=1)))


def is_damaged(leaf: Leaf, gaps: bool) -> bool:
    """Tell whether MuPDF met damage, since it was asked last, that may have cost text of this page.

    `gaps` says that the list of pages has some.
    """
    said = pymupdf.TOOLS.mupdf_warnings(reset=1)
    return bool(_HARM.search(said) or (not leaf.lines and (gaps or _LOST_PAGE.search(said))))


def has_text_outside(page: pymupdf.Page, leaf: Leaf) -> bool:
    """Tell whether far more letters stand outside of the page than on it."""
    flags = pymupdf.TEXTFLAGS_TEXT & ~pymupdf.TEXT_MEDIABOX_CLIP
    # asked for the text in a rectangle, the library goes through every letter by itself
    everything = page.get_textpage(clip=pymupdf.INFINITE_RECT(), flags=flags).extractText()
    outside = sum(map(str.isalnum, everything)) - leaf.letters - leaf.left_out
    return outside >= FEW_LETTERS and outside > _OUTSIDE * leaf.letters


def has_cut_fields(page: pymupdf.Page, leaf: Leaf) -> bool:
    """Tell whether a field of a form holds more words than its box has room to show."""
    if not page.parent.is_form_pdf:
        return False
    shown = _letters(leaf.plain)
    fields = islice(page.widgets(types=[_TEXT_FIELD]), _MOST_FIELDS)
    held = (_letters(str(field.field_value or "")) for field in fields)
    # what a field hides altogether (a password) is no text
    return any(words[:_BEGINNING] in shown and words not in shown for words in held)


def _letters(words: str) -> str:
    return "".join(filter(str.isalnum, words))


def ink(page: pymupdf.Page) -> str:
    """Say what a page looks like: "" (one colour), "some", or "full" (as many edges as a page of text)."""
    scale = _SIDE / max(page.rect.width, page.rect.height, 1)
    picture = page.get_pixmap(matrix=pymupdf.Matrix(scale, scale), colorspace=pymupdf.csGRAY, alpha=False)
    grey = picture.samples
    if len(set(grey)) <= 1:
        return ""
    edges = grey.translate(_INKED).count(b"\0\1")
    return "full" if edges >= _FULL_OF_EDGES else "some"

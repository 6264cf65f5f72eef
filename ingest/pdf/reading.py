"""Reading the pages of a PDF one by one, and saying what of them could not be read."""

from collections import defaultdict

import pymupdf

from ingest.errors import BadInput
from ingest.limits import Limits, check_letters
from ingest.manuscript import Manuscript, count_letters
from ingest.pdf.book import load_page
from ingest.pdf.damage import (
    FEW_LETTERS,
    has_cut_fields,
    has_lost_pages,
    has_text_outside,
    ink,
    is_damaged,
)
from ingest.pdf.leaf import Leaf, read_leaf
from ingest.pdf.line import UNREAD
from ingest.pdf.objects import check_objects
from ingest.pdf.recognised import Recognition
from ingest.pdf.trouble import TROUBLE
from ingest.pdf.weight import Scales
from ingest.recognition.sheet import Sheet

_LEAST_LETTERS = 15  # a page with fewer shows a number or a stamp, not text
_SCANNED_SHARE = 0.1
_PART_SCANNED_SHARE = 0.2
_UNREAD_SHARE = 0.3
_NAMED = 8  # pages in a warning

# what is wrong with pages -> what is said of one, of several; in the order of the warnings
_WORDS = {
    "gone": (
        "is damaged and was left out: get another copy",
        "are damaged and were left out: get another copy",
    ),
    "damaged": (
        "is damaged; part of its text may be missing: get another copy",
        "are damaged; part of their text may be missing: get another copy",
    ),
    "heavy": (
        "unpacks to far more than a page and was left out: print it to a new PDF",
        "unpack to far more than pages and were left out: print them to a new PDF",
    ),
    "outside": (
        "has text outside of what it shows, which was left out",
        "have text outside of what they show, which was left out",
    ),
    "cut": (
        "has a form whose boxes show only the beginning of their words: print it anew with larger ones",
        "have forms whose boxes show only the beginning of their words: print them anew with larger ones",
    ),
    "drawn": (
        "shows far more than its letters say: text recognition (OCR) can read what is drawn (add --ocr)",
        "show far more than their letters say: text recognition (OCR) can read what is drawn (add --ocr)",
    ),
    "turned": (
        "has a line that is printed sideways or aslant, which was left out",
        "have lines that are printed sideways or aslant, which were left out",
    ),
}


def read_leaves(
    book: pymupdf.Document, limits: Limits, manuscript: Manuscript, sheets: dict[int, Sheet] | None = None
) -> list[Leaf]:
    """Read every page's lines; `sheets` are those that were recognised, by page from 0 on.

    Raises BadInput above `limits`, for scans, blank pages, unnamed letters.
    """
    leaves: list[Leaf] = []
    faults: dict[str, list[int]] = defaultdict(list)
    size = 0
    count = _count_pages(book, limits)
    gaps = has_lost_pages(book)
    recognition = Recognition(sheets or {})
    scales = Scales(book, len(book.stream or b""))
    for number in range(count):
        leaf, found = _read_page(book, number, gaps, scales)
        if (recognised := recognition.leaf(number, leaf.height)) is not None:
            leaf, found = recognised, ["recognised"]
        leaves.append(leaf)
        for fault in found:
            faults[fault].append(number + 1)
        size += sum(len(line.text) for line in leaf.every_line)
        check_letters(size, limits)
    _refuse_unread(leaves)
    _refuse_scans(leaves, faults, manuscript)
    for fault, (one, several) in _WORDS.items():
        if pages := faults[fault]:
            manuscript.warn(f"{_name(pages)} of the PDF {several if len(pages) > 1 else one}")
    _drop_unread(leaves, manuscript)
    recognition.warn(manuscript)
    return leaves


def find_unread(book: pymupdf.Document, limits: Limits) -> list[int]:
    """List the pages, from 0 on, that show something of which no letters, or none with a name, tell."""
    gaps = has_lost_pages(book)
    scales = Scales(book, len(book.stream or b""))
    count = _count_pages(book, limits)
    pages = ((number, *_read_page(book, number, gaps, scales)) for number in range(count))
    return [
        number
        for number, leaf, faults in pages
        if not {"pictured", "inked", "drawn"}.isdisjoint(faults) or _is_unread([leaf])
    ]


def _count_pages(book: pymupdf.Document, limits: Limits) -> int:
    check_objects(book.xref_length(), limits)
    pages = book.page_count
    if pages > limits.pages:
        raise BadInput(
            f"the PDF has too many pages ({pages:,}; the limit is {limits.pages:,}): split the file"
        )
    return pages


def _read_page(book: pymupdf.Document, number: int, gaps: bool, scales: Scales) -> tuple[Leaf, list[str]]:
    """Return (lines, what is wrong with the page)."""
    pymupdf.TOOLS.mupdf_warnings(reset=1)  # what was said before is about another page
    try:
        page = load_page(book, number)
        heavy, costly = scales.weigh(page)
        if heavy:
            return Leaf(), ["heavy"]
        leaf = read_leaf(page)
        cut = has_cut_fields(page, leaf)
    except TROUBLE:
        return Leaf(), ["gone"]
    faults = ["damaged"] * is_damaged(leaf, gaps) + ["turned"] * bool(leaf.left_out) + ["cut"] * cut
    if leaf.letters >= FEW_LETTERS or count_letters(leaf.plain) >= FEW_LETTERS:
        return leaf, faults  # what is printed many times over on one spot is drawn as often, too
    try:
        pictured = bool(page.get_images())
        if has_text_outside(page, leaf):
            faults.append("outside")
        shown = "" if pictured else "some" if costly else ink(page)
    except TROUBLE:
        return leaf, faults  # what cannot be looked at is not told of
    if shown == "full":
        faults.append("drawn")
    if leaf.letters < _LEAST_LETTERS:
        faults.append("pictured" if pictured else "inked" if shown else "blank")
    return leaf, faults


def _name(pages: list[int]) -> str:
    """Name pages: "page 3", "pages 3, 4 and 9", "pages 1, 2, 3 … and 12 more"."""
    if len(pages) == 1:
        return f"page {pages[0]}"
    if len(pages) > _NAMED:
        shown = ", ".join(map(str, pages[: _NAMED - 1]))
        return f"pages {shown} and {len(pages) - _NAMED + 1:,} more"
    return f"pages {', '.join(map(str, pages[:-1]))} and {pages[-1]}"


def _refuse_scans(leaves: list[Leaf], faults: dict[str, list[int]], manuscript: Manuscript) -> None:
    with_text = sum(leaf.letters >= _LEAST_LETTERS for leaf in leaves)
    counted = (
        f"{with_text} of {len(leaves)} pages have text" if len(leaves) > 1 else "its one page has no text"
    )
    silent = not any(leaf.letters for leaf in leaves)
    pictured = len(faults["pictured"])
    if silent and not pictured:
        _refuse_empty(faults)
    if silent or (pictured and with_text <= _SCANNED_SHARE * len(leaves)):
        raise BadInput(f"the PDF looks scanned: {counted}; let text recognition (OCR) read it (--ocr)")
    if pictured > _PART_SCANNED_SHARE * len(leaves):
        manuscript.warn(
            f"the PDF looks scanned in part: {counted}; remove it and add it with text recognition (OCR) for "
            "the others (add --ocr)"
        )


def _refuse_empty(faults: dict[str, list[int]]) -> None:
    if faults["recognised"]:
        raise BadInput("text recognition (OCR) found no words here: choose a sharper copy")
    if faults["damaged"] or faults["gone"]:
        raise BadInput("there is no text in this PDF, its pages are damaged: get another copy")
    if faults["heavy"]:
        raise BadInput("the pages of this PDF unpack to far more than pages: print it to a new PDF")
    if faults["inked"]:
        raise BadInput(
            "there is no text in this PDF, what it shows is drawn: let text recognition (OCR) read it (--ocr)"
        )
    raise BadInput("there is no text in this PDF, its pages are blank: choose another copy")


def _refuse_unread(leaves: list[Leaf]) -> None:
    if _is_unread(leaves):
        raise BadInput(
            "the fonts of this PDF do not say which letters they show: let text recognition (OCR) read it "
            "(--ocr)"
        )


def _is_unread(leaves: list[Leaf]) -> bool:
    total = sum(len(line.text) for leaf in leaves for line in leaf.every_line)
    unread = sum(line.text.count(UNREAD) for leaf in leaves for line in leaf.every_line)
    return unread > _UNREAD_SHARE * total


def _drop_unread(leaves: list[Leaf], manuscript: Manuscript) -> None:
    """Leave out lines in which no word can be read."""
    unread = sum(line.text.count(UNREAD) for leaf in leaves for line in leaf.every_line)
    if not unread:
        return
    letters = "1 letter" if unread == 1 else f"{unread:,} letters"
    manuscript.warn(
        f"{letters} of the PDF could not be read, for its fonts do not name them: "
        "text recognition (OCR) can (add --ocr)"
    )
    for leaf in leaves:
        leaf.lines = [line for line in leaf.lines if not line.is_unread]
        leaf.turned = [[line for line in lines if not line.is_unread] for lines in leaf.turned]

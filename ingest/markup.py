"""Markup: (X)HTML to blocks of plain text. EPUB, HTML and Markdown all come through here.

Scripts, styles and controls are skipped with all they hold. The walk is iterative: depth does no harm.
"""

import re
from dataclasses import dataclass, field
from itertools import islice

from lxml import etree

from ingest.cleaning import clean, flow, layout, one_line
from ingest.datatable import columns_of, is_data_table, rows_of
from ingest.drawn import drawn_pictures, drawn_text
from ingest.form import Block
from ingest.formulas import Formulas
from ingest.frames import fill_frames
from ingest.initials import floating_initial, joined, pictured_initial
from ingest.limits import Limits, check_letters, check_paragraphs
from ingest.printed import MARK, letter_offsets, mark_pages, page_label, without_marks
from ingest.shaping import Shaping, forms_of
from ingest.stylesheet import Classes, mark_styled
from ingest.tree import (
    BLOCKS,
    PAGE_BREAKS,
    SKIP,
    choose_cases,
    is_controls,
    is_hidden,
    is_permalink,
    local_name,
    plain_text,
    raised_sign,
    semantic_types,
)

_EMPTY_LINE = re.compile(r"\n[ ]*\n\s*")
_SPACE = re.compile(r"[ \t\r\n\f]+")

_GUTENBERG = frozenset(["pg-header", "pg-footer", "pg-machine-header"])  # its boilerplate in EPUB and HTML
_PAGE_FURNITURE = frozenset(["nav", "footer", "aside"])  # of web pages, not of books
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_NOTE_TYPES = frozenset(["footnote", "doc-footnote"])  # endnotes have a place of their own in the book
_BACK_LINKS = frozenset(["backlink", "doc-backlink", "page-list", "referrer"])
_INSTEAD = frozenset(["object", "noscript"])  # what they hold is shown where nothing else can be
_EXCUSE = 300  # letters; a page made by scripts says no more than that
_MARK_PARTS = 12  # elements in a reference to a note
_LETTERED = frozenset(["span", "div", "p", "b", "big", "strong", "em", "i", "font"])
_INLINE_DRAWING = 20  # letters
_NOTE_MARK = re.compile(r"\[?\(?(?:\d{1,4}|[*†‡§]{1,3}|[a-z])\)?\]?")


@dataclass
class Book:
    """What the pages of one book share: `labels` are printed pages by the id where each begins."""

    limits: Limits = Limits()
    formulas: Formulas = field(default_factory=Formulas)
    labels: dict[str, str] = field(default_factory=dict)
    waiting: list[str] = field(default_factory=list)  # pages that begin with the next block
    pictures: list[tuple[int, str, str]] = field(default_factory=list)  # that stand before the next block
    classes: Classes = Classes()  # of its style sheets


def blocks(root, web_page: bool = False, book: Book | None = None) -> list[Block]:
    """Read the text of a tree as blocks in reading order; `web_page` leaves menus, forms and footers out.

    What only stands in for something else (an object, scripts) is read where there is nothing else. Raises
    BadInput for more letters than the book's limits allow.
    """
    book = book or Book()
    choose_cases(root)
    fill_frames(root, book.limits)
    book.formulas.look_at(root)
    mark_styled(root, book.classes)
    mark_pages(root)
    before = list(book.pictures)
    found = _Walk(web_page, book).run(root)
    if found:
        return found
    book.pictures = before
    found = _Walk(web_page, book, _INSTEAD).run(root)
    text = " ".join(block.text for block in found).casefold()
    return [] if "javascript" in text and len(text) < _EXCUSE else found


class _Walk:
    """One pass over a tree: text gathers until a block element opens or closes."""

    def __init__(self, web_page: bool, book: Book, read: frozenset[str] = frozenset()):
        self.web_page = web_page
        self.book = book
        self.skip = (SKIP | _PAGE_FURNITURE if web_page else SKIP) - read - {"svg"}
        self.letters = 0
        self.initial = ""  # a first letter that waits for its word
        self.real = False  # whether it is text by itself, and no picture
        self.labels: list[str] = []  # of the page marks in what is gathered
        self.found: list[Block] = []
        self.gathered: list[str] = []
        self.current = Block("")
        self.prefix = ""
        self.preformatted = 0
        self.level = 0
        self.group = 0
        self.group_level = 6
        self.group_parts: list[str] = []
        self.lists: list[int | None] = []  # number of the last item; None for bullets
        self.notes: list[tuple[object, str]] = []
        self.shaping = Shaping()

    def run(self, root) -> list[Block]:
        walk = etree.iterwalk(root, events=("start", "end", "comment", "pi"))
        skipped = None
        for event, element in walk:
            if event == "start":
                if self._skips(element):
                    walk.skip_subtree()
                    skipped = element
                    continue
                if self._opens(element):
                    walk.skip_subtree()
                    skipped = element
                    continue
                self._text(element.text)
            elif event == "end":
                if element is skipped:
                    skipped = None
                else:
                    self._closes(element)
                if element is not root:
                    self._text(element.tail)
            elif element is not root:
                self._text(element.tail)
        self._flush()
        self._lone_initial()
        self._last_pictures()
        return self.found

    def _skips(self, element) -> bool:
        name = local_name(element)
        types = semantic_types(element)
        if name == "aside" and types & _NOTE_TYPES:
            return False
        if name in self.skip or is_hidden(element) or element.get("id") in _GUTENBERG:
            return True
        if name == "form" and self.web_page and is_controls(element):
            return True
        if types & PAGE_BREAKS:
            self._page(page_label(element) or self.book.labels.get(element.get("id") or "", ""))
        elif not types & _BACK_LINKS and not is_permalink(element):
            return False
        self._anchor(element)
        return True

    def _opens(self, element) -> bool:
        """Begin an element; True when all of it has been written and its inside is to be skipped."""
        name = local_name(element)
        if name == "br":
            self.gathered.append("\n")
            self._anchor(element)
            return False
        if name == "a" and self._note_reference(element):
            return True
        if name == "math":
            self._anchor(element)
            self._text(self.book.formulas.text(element))
            return True
        if name == "svg":
            self._drawing(element)
            return True
        if name in ("img", "image"):
            self._picture(element)
        linked = name == "sup" and element.find(".//{*}a[@href]") is not None
        sign = None if linked else raised_sign(element, self.gathered)
        if sign is not None:
            self._anchor(element)
            self._text(sign)
            return True
        if name in BLOCKS:
            self._flush()
        self._anchor(element)
        if self.book.labels.get(element.get("id") or ""):
            self._page(self.book.labels[element.get("id")])
        letter = floating_initial(element) if name in _LETTERED else ""
        if letter and self._begins():
            self.initial, self.real = letter, True
            return True
        if name == "table" and is_data_table(element):
            self._table(element)
            return True
        if name in _HEADINGS:
            self._lone_initial()
            self.level = _HEADINGS[name]
        elif name == "hgroup":
            self.group += 1
        elif name == "pre":
            self.preformatted += 1
        elif name in ("ol", "ul", "menu", "dir"):
            self.lists.append(_list_start(element) if name == "ol" else None)
        elif name == "li":
            self._item(element)
        if semantic_types(element) & _NOTE_TYPES and element.get("id"):
            self.notes.append((element, element.get("id")))
        depth = len(self.lists) if name == "li" else 0
        self.shaping.begin(element, len(self.gathered), forms_of(element), depth)
        if name == "a" and element.get("href"):
            self.shaping.begin(element, len(self.gathered), ["link"], target=element.get("href"))
        return False

    def _closes(self, element) -> None:
        name = local_name(element)
        if name in BLOCKS:
            self._flush()
        self.shaping.end(element, len(self.gathered))
        if name in _HEADINGS:
            self.level = 0
        elif name == "hgroup":
            self.group -= 1
            self._flush_group()
        elif name == "pre":
            self.preformatted = max(0, self.preformatted - 1)
        elif name in ("ol", "ul", "menu", "dir") and self.lists:
            self.lists.pop()
        elif name == "li":
            self.prefix = ""
        if self.notes and self.notes[-1][0] is element:
            self.notes.pop()

    def _item(self, element) -> None:
        if not self.lists:
            return
        if self.lists[-1] is None:
            self.prefix = "• "
            return
        value = element.get("value", "")
        self.lists[-1] = int(value) if value.isdigit() and len(value) < 7 else self.lists[-1] + 1
        self.prefix = f"{self.lists[-1]}. "

    def _note_reference(self, element) -> bool:
        """Write a reference to a note as "[1]", so that it cannot be taken for part of a word."""
        href = element.get("href", "")
        declared = semantic_types(element) & {"noteref", "doc-noteref"}
        if "#" not in href or (
            not declared and len(list(islice(element.iter(), _MARK_PARTS))) == _MARK_PARTS
        ):
            return False
        mark = one_line("".join(element.itertext()))
        picture = None if mark else element.find(".//{*}img")
        if picture is not None:
            mark = one_line(picture.get("alt") or "")
            mark = mark if _NOTE_MARK.fullmatch(mark) or not declared else "note"
        parent = element.getparent()
        raised = element.find(".//{*}sup") is not None or (parent is not None and local_name(parent) == "sup")
        if not (declared or ((raised or picture is not None) and _NOTE_MARK.fullmatch(mark))):
            return False
        self._anchor(element)
        mark = mark.strip("[]()") or "note"
        self.current.refs.append((href.rpartition("#")[2], mark))
        self.shaping.begin(element, len(self.gathered), ["reference"], target=href)
        self._text(f"[{mark}]")
        self.shaping.end(element, len(self.gathered))
        return True

    def _anchor(self, element) -> None:
        if not element.attrib:
            return
        for name in ("id", "name"):
            value = element.get(name)
            if value:
                self.current.anchors.append(value)

    def _page(self, label: str) -> None:
        """Begin a printed page here."""
        if label:
            self.labels.append(label)
            self.gathered.append(MARK)

    def _picture(self, element) -> None:
        told = self.book.formulas.pictured(element)
        letter = "" if told else pictured_initial(element.get("alt") or "")
        parent = element.getparent()
        if letter and self._begins() and (parent is None or local_name(parent) != "figure"):
            self.initial, self.real = letter, False
        else:
            address = next(
                (element.get(name) for name in element.attrib if name.endswith(("src", "href"))), ""
            )
            self.shaping.picture(address, "" if told else element.get("alt") or "", len(self.gathered))
            self._text(told)

    def _last_pictures(self) -> None:
        """Leave pictures behind the last block with it, or for the first one of what comes next."""
        waiting = self.shaping.waiting()
        if self.found:
            end = len(self.found[-1].text)
            self.found[-1].pictures += [(end, address, words) for _, address, words in waiting]
        else:
            self.book.pictures += waiting

    def _drawing(self, element) -> None:
        words = drawn_text(element)
        self._anchor(element)
        for address, shown in drawn_pictures(element):
            self.shaping.picture(address, shown, len(self.gathered))
        if pictured_initial(words) and self._begins():
            self.initial, self.real = words, True
        elif words and not self._begins() and len(words) < _INLINE_DRAWING and "\n" not in words:
            self._text(f" {words} ")
        elif words:
            self._flush()
            self._count(words)
            self.gathered.append(words)
            self._flush()

    def _begins(self) -> bool:
        """Tell whether nothing but blanks was gathered since the last block."""
        return not self.initial and not any(part.strip(MARK + " \n") for part in self.gathered)

    def _count(self, text: str) -> None:
        self.letters += len(text)
        check_letters(self.letters, self.book.limits)

    def _text(self, text: str | None) -> None:
        if not text:
            return
        text = clean(text if self.preformatted else _SPACE.sub(" ", text))
        if self.initial and text.strip():
            whole = joined(self.initial, text)
            text = whole or (f"{self.initial} {text.lstrip()}" if self.real else text)
            self.initial = ""
        self._count(text)
        self.gathered.append(text)

    def _lone_initial(self) -> None:
        if self.initial and self.real:
            self.found.append(Block(self.initial))
        self.initial = ""

    def _table(self, table) -> None:
        """Write a table: a line for each row, its cells apart; empty cells are kept beside the text."""
        began = len(self.gathered)
        caption = table.find("{*}caption")
        self.shaping.begin(table, began, ["table"])
        if caption is not None:
            self._line(plain_text(caption), began)
        for row in rows_of(table):
            for item in row.iter():
                if semantic_types(item) & PAGE_BREAKS and page_label(item):
                    self.labels.append(page_label(item))
                    self._line(MARK, began)
            self._row([cell for cell in row if local_name(cell) in ("td", "th")], row, began)
        self.shaping.end(table, len(self.gathered))
        self.current.anchors += [item.get("id") for item in table.iterdescendants() if item.get("id")]
        self._count("".join(self.gathered[began:]))
        self._flush()

    def _line(self, words: str, began: int) -> None:
        """Begin a line of the table whose first piece of text is number `began`."""
        self.gathered += [words] if len(self.gathered) == began else ["\n", words]

    def _row(self, cells: list, row, began: int) -> None:
        texts = [plain_text(cell) for cell in cells]
        if not any(texts):
            return
        self._line("", began)
        self.shaping.begin(row, len(self.gathered), ["row"])
        apart = ""
        for cell, text in zip(cells, texts, strict=True):
            if text:
                self.gathered.append(apart)
                apart = " | "
            kind = "header" if local_name(cell) == "th" else "cell"
            self.shaping.begin(cell, len(self.gathered), [kind], columns_of(cell))
            self.gathered.append(text)
            self.shaping.end(cell, len(self.gathered))
        self.shaping.end(row, len(self.gathered))

    def _flush(self) -> None:
        pieces, self.gathered = self.gathered, []
        text = "".join(pieces)
        if text.strip(" \n\t"):
            self.shaping.gathered(pieces)
            if not self.preformatted and "\n" in text:
                # an empty line inside a block is made of line breaks and means a new paragraph
                *before, text = _EMPTY_LINE.split(text.strip())
                for part in before:
                    self._emit(part)
            self._emit(text)
        self.shaping.over()

    def _emit(self, text: str) -> None:
        if not text.strip(MARK + " \n\t"):
            count = text.count(MARK)  # anchors and pages wait for the next block
            self.book.waiting += self.labels[:count]
            del self.labels[:count]
            return
        block, self.current = self.current, Block("")
        if self.group and not self.preformatted:
            text, counts = without_marks(text)
            self.book.waiting += self.labels[: len(counts)]
            del self.labels[: len(counts)]
            self.group_parts.append(" ".join(text.split()))
            self.group_level = min(self.group_level, self.level or 6)
            self.shaping.shape(Block(text), len("".join(text.split())), 0)
            self.current.anchors = block.anchors
            return
        block.level = self.level
        block.keep_layout = self.preformatted > 0
        text, counts = without_marks(text)
        text = layout(text) if block.keep_layout else self.prefix + flow(text)
        block.text = text.replace("\n", " ") if self.level else text
        block.note = self.notes[-1][1] if self.notes else None
        lead = 0 if block.keep_layout else len("".join(self.prefix.split()))
        self._shape(block, lead)
        self._begin_pages(block, letter_offsets(block.text, [count and count + lead for count in counts]))
        self.prefix = ""
        self.found.append(block)
        check_paragraphs(len(self.found), self.book.limits)

    def _shape(self, block: Block, lead: int) -> None:
        """Give a block its form, and the pictures that waited for it."""
        block.pictures, self.book.pictures = self.book.pictures, []
        self.shaping.shape(block, len("".join(block.text.split())) - lead, lead)

    def _begin_pages(self, block: Block, offsets: list[int]) -> None:
        """Give a block the pages that begin in it; one behind its end begins with the next."""
        labels, self.labels = self.labels[: len(offsets)], self.labels[len(offsets) :]
        block.breaks = [(0, label) for label in self.book.waiting]
        inside = [pair for pair in zip(offsets, labels, strict=True) if pair[0] < len(block.text)]
        block.breaks += inside
        self.book.waiting = labels[len(inside) :]

    def _flush_group(self) -> None:
        if self.group_parts:
            block, self.current = self.current, Block("")
            block.text = ": ".join(part.rstrip(":") for part in self.group_parts)
            block.level = self.group_level
            self._begin_pages(block, [])
            self.found.append(block)
        self.group_parts, self.group_level = [], 6


def _list_start(element) -> int:
    start = element.get("start", "1")
    return int(start) - 1 if start.isdigit() and len(start) < 7 else 0

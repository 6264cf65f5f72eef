"""Markup: (X)HTML to blocks of plain text. EPUB, HTML and Markdown all come through here.

Scripts, styles and controls are skipped with all they hold. The walk is iterative: depth does no harm.
"""

import re
from dataclasses import dataclass, field

from lxml import etree

from ingest.cleaning import clean
from ingest.headings import is_number_only
from ingest.tree import BLOCKS, SKIP, is_hidden, local_name, plain_text, semantic_types

_EMPTY_LINE = re.compile(r"\n[ ]*\n\s*")
_SPACE = re.compile(r"[ \t\r\n\f]+")

_GUTENBERG = frozenset(["pg-header", "pg-footer", "pg-machine-header"])  # its boilerplate in EPUB and HTML
_PAGE_FURNITURE = frozenset(["nav", "footer", "aside"])  # of web pages, not of books
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_NOTE_TYPES = frozenset(["footnote", "doc-footnote"])  # endnotes have a place of their own in the book
_NOTE_MARK = re.compile(r"\[?\(?(?:\d{1,4}|[*†‡§]{1,3}|[a-z])\)?\]?")
_CONTROLS = frozenset(["button", "input", "select", "textarea"])
_FORM_LETTERS = 200  # more of them are not labels
LAYOUT_CELL = 300  # characters; a table with longer cells lays out a page rather than data


@dataclass
class Block:
    """One paragraph, heading (`level` 1 to 6), table, code block or note, as plain text.

    `anchors` are the ids that stood in it or right before it; `refs` the (id, mark) of notes it refers to;
    `note` the id of the footnote it belongs to.
    """

    text: str
    level: int = 0
    keep_layout: bool = False
    anchors: list[str] = field(default_factory=list)
    refs: list[tuple[str, str]] = field(default_factory=list)
    note: str | None = None


def blocks(root, web_page: bool = False) -> list[Block]:
    """The text of a tree as blocks in reading order; `web_page` leaves menus, forms and footers out."""
    return _Walk(web_page).run(root)


class _Walk:
    """One pass over a tree: text gathers until a block element opens or closes."""

    def __init__(self, web_page: bool):
        self.web_page = web_page
        self.skip = SKIP | _PAGE_FURNITURE if web_page else SKIP
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
        return self.found

    def _skips(self, element) -> bool:
        name = local_name(element)
        types = semantic_types(element)
        if name == "aside" and types & _NOTE_TYPES:
            return False
        if name in self.skip or is_hidden(element) or element.get("id") in _GUTENBERG:
            return True
        if name == "form" and self.web_page and _is_controls(element):
            return True
        if types & {"pagebreak", "doc-pagebreak", "backlink", "doc-backlink", "page-list", "referrer"}:
            self._anchor(element)
            return True
        return False

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
            self.gathered.append(element.get("alttext") or plain_text(element))
            return True
        if name in BLOCKS:
            self._flush()
        self._anchor(element)
        if name == "table" and _is_data_table(element):
            self._table(element)
            return True
        if name in _HEADINGS:
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
        return False

    def _closes(self, element) -> None:
        name = local_name(element)
        if name in BLOCKS:
            self._flush()
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
        mark = plain_text(element)
        declared = semantic_types(element) & {"noteref", "doc-noteref"}
        parent = element.getparent()
        raised = element.find(".//{*}sup") is not None or (parent is not None and local_name(parent) == "sup")
        if "#" not in href or not (declared or (raised and _NOTE_MARK.fullmatch(mark))):
            return False
        self._anchor(element)
        mark = mark.strip("[]()")
        self.current.refs.append((href.rpartition("#")[2], mark))
        self.gathered.append(f"[{mark}]")
        return True

    def _anchor(self, element) -> None:
        for name in ("id", "name"):
            value = element.get(name)
            if value:
                self.current.anchors.append(value)

    def _text(self, text: str | None) -> None:
        if not text:
            return
        self.gathered.append(text if self.preformatted else _SPACE.sub(" ", text))

    def _table(self, table) -> None:
        rows = []
        for row in table.iter("{*}tr"):
            cells = [plain_text(cell) for cell in row if local_name(cell) in ("td", "th")]
            if any(cells):
                rows.append(" | ".join(cell for cell in cells if cell))
        caption = table.find("{*}caption")
        if caption is not None:
            rows.insert(0, plain_text(caption))
        self.current.anchors += [item.get("id") for item in table.iterdescendants() if item.get("id")]
        self.gathered.append("\n".join(rows))
        self._flush()

    def _flush(self) -> None:
        if not self.gathered:
            return
        text = clean("".join(self.gathered))
        self.gathered = []
        if not self.preformatted and "\n" in text:
            # an empty line inside a block is made of line breaks and means a new paragraph
            *before, text = _EMPTY_LINE.split(text.strip())
            for part in before:
                self._emit(part)
        self._emit(text)

    def _emit(self, text: str) -> None:
        if not text.strip():
            return  # anchors wait for the next block
        block, self.current = self.current, Block("")
        if self.group and not self.preformatted:
            self.group_parts.append(" ".join(text.split()))
            self.group_level = min(self.group_level, self.level or 6)
            self.current.anchors = block.anchors
            return
        block.level = self.level
        block.keep_layout = self.preformatted > 0
        block.text = text.strip("\n") if block.keep_layout else self.prefix + text.strip()
        block.note = self.notes[-1][1] if self.notes else None
        if self.level:
            block.text = " ".join(block.text.split())
        self.prefix = ""
        self.found.append(block)

    def _flush_group(self) -> None:
        if self.group_parts:
            block, self.current = self.current, Block("")
            block.text = ": ".join(part.rstrip(":") for part in self.group_parts)
            block.level = self.group_level
            self.found.append(block)
        self.group_parts, self.group_level = [], 6


def _is_controls(form) -> bool:
    """Whether a form is made of its controls and their labels; one around a whole page is not."""
    text = plain_text(form)
    return (
        len(text) <= _FORM_LETTERS
        and form.find(".//{*}p") is None
        and any(
            local_name(item) in _CONTROLS and item.get("type") != "hidden" for item in form.iterdescendants()
        )
    )


def _list_start(element) -> int:
    start = element.get("start", "1")
    return int(start) - 1 if start.isdigit() and len(start) < 7 else 0


def _is_data_table(table) -> bool:
    """Cells with short texts and no table inside, at least two columns."""
    if next(table.iterdescendants("{*}table"), None) is not None:
        return False
    columns = 0
    for row in table.iter("{*}tr"):
        cells = [cell for cell in row if local_name(cell) in ("td", "th")]
        columns = max(columns, len(cells))
        if any(len(plain_text(cell)) > LAYOUT_CELL for cell in cells):
            return False
    return columns > 1


def merge_headings(found: list[Block]) -> list[Block]:
    """Put a heading that is only a number together with the heading below it: "Chapter I" + "The Start"."""
    merged: list[Block] = []
    for block in found:
        above = merged[-1] if merged else None
        if above and above.level and block.level and not block.anchors and is_number_only(above.text):
            above.text = f"{above.text}{' ' if above.text[-1] in '.:' else ': '}{block.text}"
            above.refs += block.refs
        else:
            merged.append(block)
    return merged

"""Markup: (X)HTML to blocks of plain text. EPUB, HTML and Markdown all come through here.

Nothing is fetched and nothing is run: the DOCTYPE is cut off before parsing, so no document can define an
entity; scripts, styles and forms are skipped with all they hold. The walk is iterative: depth does no harm.
"""

import html.entities
import re
from dataclasses import dataclass, field

from lxml import etree

from ingest.cleaning import clean
from ingest.headings import is_number_only

_DOCTYPE = re.compile(r"<!DOCTYPE[^>\[]*(?:\[.*?\]\s*)?>", re.IGNORECASE | re.DOTALL)
_DECLARATION = re.compile(r"^\s*<\?xml[^>]*\?>")
_ENTITY = re.compile(r"&([A-Za-z][A-Za-z0-9]*);")
_XML_ENTITIES = frozenset(["amp", "lt", "gt", "quot", "apos"])
_XML_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")
_EMPTY_LINE = re.compile(r"\n[ ]*\n\s*")
_SPACE = re.compile(r"[ \t\r\n\f]+")

_SKIP = frozenset(
    [
        "script",
        "style",
        "head",
        "template",
        "noscript",
        "iframe",
        "object",
        "embed",
        "applet",
        "svg",
        "canvas",
    ]
    + ["audio", "video", "map", "rt", "rp", "button", "select", "textarea", "input", "datalist", "dialog"]
)
_GUTENBERG = frozenset(["pg-header", "pg-footer", "pg-machine-header"])  # its boilerplate in EPUB and HTML
_PAGE_FURNITURE = frozenset(["nav", "footer", "aside", "form"])  # of web pages, not of books
_BLOCKS = frozenset(
    ["address", "article", "aside", "blockquote", "body", "caption", "center", "dd", "details", "dir", "div"]
    + ["dl", "dt", "fieldset", "figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6"]
    + ["header", "hgroup", "hr", "html", "legend", "li", "main", "menu", "nav", "ol", "p", "pre", "section"]
    + ["summary", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "ul", "title"]
)
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_NOTE_TYPES = frozenset(["footnote", "doc-footnote"])  # endnotes have a place of their own in the book
_NO_TYPES: frozenset[str] = frozenset()
_NOTE_MARK = re.compile(r"\[?\(?(?:\d{1,4}|[*†‡§]{1,3}|[a-z])\)?\]?")
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


def parse_markup(text: str, strict: bool = False) -> etree._Element | None:
    """The tree of an HTML or XHTML document; None when there is no element in it.

    With `strict`, None also when it is not well-formed XML (used for package files, where guessing is worse).
    """
    text = _DOCTYPE.sub("", text, count=1)
    text = _DECLARATION.sub("", text.lstrip("\ufeff"), count=1)
    text = _XML_FORBIDDEN.sub("", text)
    options = {"no_network": True, "huge_tree": True, "remove_blank_text": False}
    xml = etree.XMLParser(resolve_entities=False, load_dtd=False, encoding="utf-8", **options)
    try:
        return etree.fromstring(_ENTITY.sub(_named_entity, text).encode(), xml)
    except etree.XMLSyntaxError:
        if strict:
            return None
    try:
        return etree.fromstring(text.encode(), etree.HTMLParser(encoding="utf-8", **options))
    except (etree.XMLSyntaxError, ValueError):
        return None


def _named_entity(match: re.Match) -> str:
    if match[1] in _XML_ENTITIES:
        return match[0]
    return html.entities.html5.get(match[1] + ";", "")


def local_name(element) -> str:
    """Tag without its namespace, in lower case; "" for comments and instructions."""
    tag = element.tag
    return tag.rpartition("}")[2].lower() if isinstance(tag, str) else ""


def semantic_types(element) -> set[str] | frozenset[str]:
    """The words of `epub:type` and `role`."""
    if not element.attrib:
        return _NO_TYPES
    found = element.get("role", "").split()
    for name, value in element.attrib.items():
        if name == "epub:type" or name.endswith("}type") and "ops" in name:
            found += value.split()
    return set(found)


def plain_text(element) -> str:
    """All text below an element on one line, without what is never shown."""
    parts = []
    walk = etree.iterwalk(element, events=("start", "end", "comment", "pi"))
    for event, item in walk:
        if event == "start":
            if local_name(item) in _SKIP or _is_hidden(item):
                walk.skip_subtree()
                continue
            if local_name(item) in _BLOCKS or local_name(item) == "br":
                parts.append(" ")
            parts.append(item.text or "")
        elif item is not element:
            parts.append(item.tail or "")
    return " ".join(clean("".join(parts)).split())


def blocks(root, web_page: bool = False) -> list[Block]:
    """The text of a tree as blocks in reading order; `web_page` leaves menus, forms and footers out."""
    return _Walk(web_page).run(root)


def _is_hidden(element) -> bool:
    if not element.attrib:
        return False
    if element.get("hidden") is not None:
        return True
    style = element.get("style")
    return (
        bool(style)
        and re.search(r"display\s*:\s*none|visibility\s*:\s*hidden", style, re.IGNORECASE) is not None
    )


class _Walk:
    """One pass over a tree: text gathers until a block element opens or closes."""

    def __init__(self, web_page: bool):
        self.skip = _SKIP | _PAGE_FURNITURE if web_page else _SKIP
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
        if name in self.skip or _is_hidden(element) or element.get("id") in _GUTENBERG:
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
        if name in _BLOCKS:
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
        if name in _BLOCKS:
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

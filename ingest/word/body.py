"""The text of a Word document as blocks: paragraphs with their numbers, tables, boxes, notes.

Deleted text stays out, inserted text in. What hangs on a paragraph (text boxes, drawn words, notes) follows
it, each once: of alternatives for old and new programs the first that has words is read, and a note that is
referred to again is not written again.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from typing import Any

from ingest.cleaning import clean, flow, layout
from ingest.datatable import LAYOUT_CELL
from ingest.errors import BadInput
from ingest.form import Block, Piece
from ingest.limits import Limits, check_letters, check_nesting, check_paragraphs
from ingest.raised import raised_behind
from ingest.shaping import Shaping
from ingest.symbols import symbol
from ingest.tree import local_name
from ingest.word.formulas import formula
from ingest.word.numbering import BULLET, Numbering
from ingest.word.styles import Styles
from ingest.xmlparts import value

_SKIP = frozenset(
    [
        "del",
        "movefrom",
        "deltext",
        "delinstrtext",
        "instrtext",
        "ppr",
        "rpr",
        "tblpr",
        "tblgrid",
        "trpr",
        "tcpr",
    ]
    + ["sdtpr", "sdtendpr", "sectpr", "rt", "rubypr", "ctrlpr", "binarydata", "fallback"]
)
_DELETED = frozenset(["del", "movefrom", "celldel"])
_DEEPEST_ALTERNATIVES = 20
_NOTE_KINDS = ("footnote", "endnote")
_RUN_FORMS = {"b": "bold", "i": "italic", "smallcaps": "smallcaps"}
_RUN_STYLES = {"emphasis": "italic", "intenseemphasis": "italic", "strong": "bold"}
_QUOTES = frozenset(["quote", "intensequote", "blocktext", "zitat"])
_OFF = ("0", "false", "none", "off")
_BREAKS_ON = ("page", "column")
_PARTS = {"relids": "dm", "chart": "id"}  # drawn words in parts of their own -> the attribute that names them


class _End:
    """Stands behind the content of an element that sets how its letters look."""

    def __init__(self, element) -> None:
        self.element = element


class Body:
    """Reads parts of one document. `part`: the tree of a part by its relationship id; `chunk`: the blocks of
    one in another format. Raises BadInput above the limits on letters and nesting."""

    def __init__(
        self,
        styles: Styles,
        numbering: Numbering,
        notes: dict[tuple[str, str], object],
        limits: Limits,
        part: Callable[[str], object],
        chunk: Callable[[str], list[Block]],
    ):
        self.styles = styles
        self.numbering = numbering
        self.notes = notes
        self.limits = limits
        self.part = part
        self.chunk = chunk
        self._marks: dict[tuple[str, str], int] = {}
        self._hanging: list[tuple[str, object]] = []  # what goes before its first paragraph, and the element
        self._notes_read = 0
        self._carried = ""  # text of a paragraph whose end was deleted
        self._shaping = Shaping()
        self._anchors: list[str] = []  # bookmarks that wait for their paragraph
        self._pictures: list[tuple[int, str, str]] = []  # that wait for the next one
        self._depth = 0
        self._letters = self._written = 0

    def blocks(self, container) -> list[Block]:
        """Read the blocks of an element that holds paragraphs and tables, wrapped in whatever."""
        self._depth += 1
        check_nesting("tables or boxes", self._depth, self.limits)
        found: list[Block] = []
        for is_code, elements in groupby(_content(container), self._is_code):
            read = self._code if is_code else self._texts
            found += read(elements)
        if self._carried:
            found += self._counted([Block(self._carried)])
            self._carried = ""
        self._depth -= 1
        if not self._depth and found:
            end = len(found[-1].text)
            found[-1].pictures += [(end, address, words) for _, address, words in self._pictures]
        return found

    def _texts(self, elements: Iterable) -> list[Block]:
        """Read paragraphs, tables and what else holds words."""
        found: list[Block] = []
        for element in elements:
            name = local_name(element)
            if name == "p":
                found += self._paragraph(element)
            elif name == "tbl":
                found += self._table(element)
            elif name in _PARTS:
                root = self.part(value(element, _PARTS[name]))
                found += [] if root is None else self.blocks(root)
            elif name == "altchunk":
                found += self._counted(self.chunk(value(element, "id")))
        return found

    def _is_code(self, element) -> bool:
        return (
            local_name(element) == "p" and not self._carried and self.styles.is_code(element.find("{*}pPr"))
        )

    def _code(self, paragraphs: Iterable) -> list[Block]:
        """Make one block of lines of code that stand one under another, with their indentation."""
        parts: list[str] = []
        for element in paragraphs:
            self._parts_of(element, parts).append("\n")
        block = Block(layout("".join(parts)), keep_layout=True)
        if block.text:
            self._shape(block, parts, "")
            block.form.append(Piece("code", 0, len(block.text)))
        return self._counted([block] if block.text else []) + self._hung()

    def _counted(self, found: list[Block]) -> list[Block]:
        self._letters += sum(len(block.text) for block in found)
        self._written += len(found)
        check_letters(self._letters, self.limits)
        check_paragraphs(self._written, self.limits)
        return found

    def _paragraph(self, element) -> list[Block]:
        properties = element.find("{*}pPr")
        parts = self._parts_of(element)
        carried, self._carried = self._carried, ""
        text = carried + "".join(parts).strip()
        if properties is not None and _is_deleted(properties.find("{*}rPr")):
            self._carried = text and text + " "
            self._shaping.over()  # a box that hangs here has pieces of its own
            return self._hung()
        level = self.styles.level(properties)
        label = self.numbering.label(properties)
        found = []
        if text:
            label = "" if level and label.startswith(BULLET) else label
            text = label + text
            block = Block(" ".join(text.split()) if level else flow(text), level)
            self._shape(block, parts, label + carried)
            block.form += self._of_paragraph(block, properties, label)
            found.append(block)
        else:
            self._pictures += self._shaping.waiting()
            self._shaping.over()
        return self._counted(found) + self._hung()

    def _shape(self, block: Block, parts: list[str], before: str) -> None:
        """Give a block the form of its parts; `before` are words that stand in front of them."""
        self._shaping.gathered([clean(part) for part in parts])
        letters, lead = (len("".join(clean(words).split())) for words in ("".join(parts), before))
        self._shaping.shape(block, letters, lead)
        self._shaping.over()
        block.pictures = [*self._pictures, *block.pictures]
        block.anchors, self._anchors, self._pictures = self._anchors, [], []

    def _of_paragraph(self, block: Block, properties, label: str) -> list[Piece]:
        style = None if properties is None else properties.find("{*}pStyle")
        kinds = ["quote"] if style is not None and value(style).lower() in _QUOTES else []
        kinds += ["item"] if label and not block.level else []
        return [Piece(kind, 0, len(block.text), kind == "item") for kind in kinds]

    def _hung(self) -> list[Block]:
        """Return the blocks of boxes and notes that were met since the last paragraph."""
        found: list[Block] = []
        waiting, self._hanging = self._hanging, []
        for mark, element in waiting:
            inside = self.blocks(element)
            if inside and mark:
                inside[0].put_before(mark)
                inside[0].anchors.append(f"note {mark.strip()}")
                self._notes_read += 1
                for block in inside:
                    block.form.append(Piece("note", 0, len(block.text), key=-self._notes_read))
            found += inside
        return found

    def _parts_of(self, element, before: list[str] | None = None) -> list[str]:
        """Gather the text of a paragraph: runs, tabs, line ends and note marks; boxes are put aside.

        `before` are the parts of other paragraphs, behind which it is put.
        """
        parts: list[str] = [] if before is None else before
        stack = list(reversed(element))
        while stack:
            item = stack.pop()
            if isinstance(item, _End):
                self._shaping.end(item.element, len(parts))
                continue
            name = local_name(item)
            if name in _SKIP:
                continue
            if name == "t":
                parts.append(item.text or "")
            elif name in ("tab", "ptab"):
                parts.append("\t")
            elif name in ("br", "cr"):
                parts.append(" " if value(item, "type") in _BREAKS_ON else "\n")
            elif name == "omath":
                parts.append(formula(item))
            elif name == "textpath":  # words drawn along a line (WordArt of old programs)
                parts.append(f"\n{value(item, 'string')}\n")
            elif name == "nobreakhyphen":
                parts.append("-")
            elif name == "sym":
                parts.append(symbol(value(item, "font"), value(item, "char")))
            elif name == "r" and _is_set(item.find("{*}rPr/{*}vanish")):
                continue
            elif name in ("footnotereference", "endnotereference"):
                mark = self._mark(name.removesuffix("reference"), value(item, "id"))
                self._shaping.begin(item, len(parts), ["reference"] if mark else [], target=f"#note {mark}")
                parts.append(mark)
                self._shaping.end(item, len(parts))
            elif name == "r" and _is_raised(item, self.styles):
                parts.append(raised_behind(parts, raw_text(item), _text_behind(item)))
            elif name == "alternatecontent":
                stack += _alternative(item)
            elif name in ("txbxcontent", "txbody"):
                self._hanging.append(("", item))
            elif name in _PARTS:
                self._drawn(value(item, _PARTS[name]))
            else:
                if name == "bookmarkstart":
                    self._anchors.append(value(item, "name"))
                elif name == "drawing":
                    self._picture(item, len(parts))
                if kinds := _forms_of(item, name):
                    self._shaping.begin(item, len(parts), kinds, target=f"#{value(item, 'anchor')}")
                    stack.append(_End(item))
                stack += reversed(item)
        return parts

    def _picture(self, drawing, at: int) -> None:
        picture, told = drawing.find(".//{*}blip"), drawing.find(".//{*}docPr")
        if picture is not None:
            words = "" if told is None else value(told, "descr")
            self._shaping.picture(value(picture, "embed"), words, at)

    def _drawn(self, relation: str) -> None:
        root = self.part(relation)
        if root is not None:
            self._hanging.append(("", root))

    def _mark(self, kind: str, identity: str) -> str:
        key = kind, identity
        if key not in self.notes:
            return ""
        if key not in self._marks:
            self._marks[key] = len(self._marks) + 1
            self._hanging.append((f"[{self._marks[key]}] ", self.notes[key]))
        return f"[{self._marks[key]}]"

    def _table(self, table) -> list[Block]:
        """Read rows as lines; a table of one column, or with long cells, lays out paragraphs."""
        rows = [list(_within(row, "tc")) for row in _within(table, "tr")]
        nested = next(table.iterdescendants("{*}tbl"), None) is not None
        long = not nested and any(len(raw_text(cell)) > LAYOUT_CELL for row in rows for cell in row)
        if nested or long or max(map(len, rows), default=0) < 2:
            return [block for row in rows for cell in row for block in self.blocks(cell)]
        block = Block("")
        begun = table_of([[self._cell(cell) for cell in row] for row in rows], block)
        if begun:
            block.anchors, self._anchors = self._anchors, []
        return self._counted([block] if begun else []) + self._hung()

    def _cell(self, cell) -> str:
        """Join the paragraphs of a cell on one line."""
        words = []
        for element in _content(cell):
            if local_name(element) == "p":
                label = self.numbering.label(element.find("{*}pPr"))
                text = " ".join("".join(self._parts_of(element)).split())
                self._pictures += self._shaping.waiting()
                self._shaping.over()
                words.append(label + text if text else "")
        return " ".join(filter(None, words))


def table_of(rows: list[list[str]], block: Block) -> bool:
    """Write rows of cells into a block, a line for each, with their form; tell whether there was text."""
    pieces: list[Piece] = []
    for cells in rows:
        if not any(cells):
            continue
        block.text += "\n" if block.text else ""
        start, apart = len(block.text), ""
        found = []
        for cell in map(flow, cells):
            block.text += apart if cell else ""
            apart = " | " if cell else apart
            found.append(Piece("cell", len(block.text), len(block.text) + len(cell), 1))
            block.text += cell
        pieces += [Piece("row", start, len(block.text)), *found]
    block.form += [Piece("table", 0, len(block.text)), *pieces] if block.text else []
    return bool(block.text)


def _forms_of(item, name: str) -> list[str]:
    """List the kinds of form that a run or a link gives to its letters."""
    if name == "hyperlink":
        return ["link"] if value(item, "anchor") else []
    properties = item.find("{*}rPr") if name == "r" else None
    found = []
    for one in () if properties is None else properties:
        kind = _RUN_FORMS.get(local_name(one), "")
        if local_name(one) == "rstyle":
            kind = _RUN_STYLES.get(value(one).lower(), "")
        if kind and _is_set(one):
            found.append(kind)
    return found


def _is_set(switch) -> bool:
    return switch is not None and value(switch) not in _OFF


def _is_raised(run, styles: Styles) -> bool:
    """Tell whether a run is raised letters and nothing else, such as a reference to a note."""
    properties = run.find("{*}rPr")
    if properties is None or not all(local_name(item) in ("rpr", "t") for item in run):
        return False
    height = value(properties, "baseline")  # of a slide, in thousandths of a percent
    return height[:1].isdigit() and height.strip("0%") != "" or styles.is_raised(properties)


def _text_behind(run) -> str:
    behind = next(run.itersiblings("{*}r"), None)
    return "" if behind is None else raw_text(behind)


def raw_text(element) -> str:
    """Return all letters below an element, whatever they belong to."""
    return "".join(part.text or "" for part in element.iter("{*}t"))


def read_notes(roots: dict[str, Any]) -> dict[tuple[str, str], object]:
    """Map (kind, id) to the elements of notes with text; `roots`: kind -> tree or None."""
    found: dict[tuple[str, str], object] = {}
    for kind in _NOTE_KINDS:
        root = roots.get(kind)
        for note in () if root is None else root.iter(f"{{*}}{kind}"):
            if not value(note, "type") and raw_text(note).strip():
                found[kind, value(note, "id")] = note
    return found


def _content(container) -> Iterator:
    """Yield paragraphs, tables and chunks of a container, in order, out of their wrappers."""
    stack = list(reversed(container))
    while stack:
        item = stack.pop()
        name = local_name(item)
        if name in ("p", "tbl", "altchunk") or name in _PARTS:
            yield item
        elif name == "alternatecontent":
            stack += _alternative(item)
        elif name not in _SKIP:
            stack += reversed(item)


def _within(container, name: str) -> Iterator:
    """Yield rows of a table or cells of a row, out of their wrappers; deleted ones left out."""
    stack = list(reversed(container))
    while stack:
        item = stack.pop()
        found = local_name(item)
        if found == name:
            if not (_is_deleted(item.find("{*}trPr")) or _is_deleted(item.find("{*}tcPr"))):
                yield item
        elif found not in _SKIP:
            stack += reversed(item)


def _is_deleted(properties) -> bool:
    """Tell whether properties (of a row, a cell, a paragraph's end, or None) say that it was deleted."""
    return properties is not None and any(local_name(item) in _DELETED for item in properties)


def _alternative(element) -> list:
    """Choose the first alternative with words, for new or old programs, looking before reading.

    Raises BadInput where they stand in one another endlessly.
    """
    if sum(1 for _ in element.iterancestors("{*}AlternateContent")) > _DEEPEST_ALTERNATIVES:
        raise BadInput(
            f"drawings stand in one another more than {_DEEPEST_ALTERNATIVES} deep: save it as text or PDF"
        )
    choices = [child for child in element if local_name(child) in ("choice", "fallback")]
    chosen = next((child for child in choices if has_words(child)), None)
    return [] if chosen is None else list(reversed(chosen))


def has_words(element) -> bool:
    """Tell whether text, or drawn words of another part, stand below an element."""
    return any(
        (part.text or "").strip() or local_name(part) in _PARTS or value(part, "string")
        for part in element.iter("{*}t", "{*}relIds", "{*}chart", "{*}textpath")
    )

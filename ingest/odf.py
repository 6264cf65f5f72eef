"""The text of an OpenDocument file as blocks: headings, lists with their numbers, tables, notes, boxes."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from lxml import etree

from ingest.counting import letter_numeral, roman_numeral
from ingest.datatable import LAYOUT_CELL
from ingest.form import Block
from ingest.limits import Limits, check_letters, check_nesting, check_paragraphs
from ingest.raised import raised_behind
from ingest.tree import local_name
from ingest.xmlparts import value

BULLET = "•"
LEVELS = 10
_FORMS: dict[str, Callable[[int], str]] = {
    "1": str,
    "a": letter_numeral,
    "A": lambda number: letter_numeral(number).upper(),
    "i": roman_numeral,
    "I": lambda number: roman_numeral(number).upper(),
}
_DEEPEST_HEADING = 6
_RAISED = re.compile(r"super|[1-9]")
_MOST_SPACES = 40
_LONGEST_MARK = 30  # characters before and after a number
_SKIP = frozenset(
    [
        "tracked-changes",
        "annotation",
        "annotation-end",
        "forms",
        "sequence-decls",
        "user-field-decls",
        "ruby-text",
    ]
    + [
        "variable-decls",
        "note-citation",
        "number",
        "image",
        "object",
        "object-ole",
        "plugin",
        "script",
        "table-column",
    ]
    + ["table-columns", "index-title-template", "table-of-content-source", "alphabetical-index-source"]
)
_BOXES = frozenset(
    ["text-box", "custom-shape", "rect", "ellipse", "circle", "polygon", "path", "caption", "line"]
)


@dataclass(frozen=True)
class Level:
    """One level of a list; `form` is "" where nothing is counted, `shown` the levels that a number names."""

    form: str = ""
    before: str = ""
    after: str = ""
    start: int = 1
    shown: int = 1
    is_bullet: bool = False


_BULLETS = dict.fromkeys(range(LEVELS), Level(is_bullet=True))  # where no style says otherwise


class Counter:
    """The numbers of one list."""

    def __init__(self, levels: dict[int, Level]):
        self.levels = levels
        self.counts: list[int | None] = [None] * LEVELS

    def label(self, depth: int, start: str = "") -> str:
        """Write the mark before the next item of a depth (from 0), with a space behind it; "" for none."""
        level = self.levels.get(depth, Level())
        if level.is_bullet:
            return f"{BULLET} "
        if not level.form:
            return ""
        before = self.counts[depth]
        self.counts[depth] = _whole(start, level.start if before is None else before + 1)
        self.counts[depth + 1 :] = [None] * (LEVELS - depth - 1)
        numbers = []
        for at in range(max(0, depth + 1 - level.shown), depth + 1):
            above = self.levels.get(at, Level())
            count = self.counts[at]
            if above.form:
                numbers.append(_FORMS.get(above.form, str)(above.start if count is None else count))
        return f"{level.before}{'.'.join(numbers)}{level.after}".strip() + " "


def read_lists(roots: Sequence) -> dict[str, dict[int, Level]]:
    """List style -> its levels (depth from 0); the numbers of headings stand under ""."""
    found: dict[str, dict[int, Level]] = {}
    for root in roots:
        for style in root.iter("{*}list-style", "{*}outline-style"):
            name = "" if local_name(style) == "outline-style" else value(style, "name")
            found[name] = dict(map(_read_level, (item for item in style if value(item, "level"))))
    return found


def _read_level(item) -> tuple[int, Level]:
    return _whole(value(item, "level"), 1) - 1, Level(
        form=value(item, "num-format"),
        before=value(item, "num-prefix")[:_LONGEST_MARK],
        after=value(item, "num-suffix")[:_LONGEST_MARK],
        start=_whole(value(item, "start-value"), 1),
        shown=_whole(value(item, "display-levels"), 1),
        is_bullet=local_name(item).endswith(("bullet", "image")),
    )


def read_titles(roots: Sequence) -> frozenset[str]:
    """List the names of the paragraph styles that are "Title" or made from it."""
    parents = {
        value(style, "name"): value(style, "parent-style-name")
        for root in roots
        for style in root.iter("{*}style")
    }
    return frozenset(["Title", *(name for name, parent in parents.items() if parent == "Title")])


def read_raised(roots: Sequence) -> frozenset[str]:
    """List the names of the styles whose letters stand above the line."""
    return frozenset(
        value(style, "name")
        for root in roots
        for style in root.iter("{*}style")
        if _RAISED.match(value(style.find("{*}text-properties"), "text-position"))
    )


class Text:
    """Reads one document. `formula`: what an object (draw:object) says, "" for a picture.

    Raises BadInput above the limits on letters and nesting.
    """

    def __init__(
        self,
        titles: frozenset[str],
        high: frozenset[str],
        lists: dict[str, dict[int, Level]],
        limits: Limits,
        formula: Callable[[etree._Element], str],
    ):
        self.titles = titles
        self.high = high
        self.limits = limits
        self.formula = formula
        self.lists = lists
        self._counters: dict[str, Counter] = {}
        self._headings = Counter(lists.get("", {}))
        self._hanging: list[tuple[str, object]] = []
        self._notes = 0
        self._depth = 0
        self._letters = self._paragraphs = 0
        self._in_row = False  # what hangs on cells follows their table

    def blocks(self, container) -> list[Block]:
        """Read the blocks of an element that holds paragraphs, lists and tables, wrapped in whatever."""
        self._depth += 1
        check_nesting("tables or boxes", self._depth, self.limits)
        found: list[Block] = []
        for element in _content(container):
            name = local_name(element)
            if name == "h":
                found += self._heading(element)
            elif name == "p":
                level = 1 if value(element, "style-name") in self.titles else 0
                found += self._written(self._words(element), level)
            elif name == "list":
                found += self._list(element, "", 0)
            elif name == "table":
                found += self._table(element)
            else:
                found += self.blocks(element)
        self._depth -= 1
        return found

    def _written(self, text: str, level: int = 0) -> list[Block]:
        """Read a paragraph, and what hangs on it."""
        self._letters += len(text)
        self._paragraphs += 1
        check_letters(self._letters, self.limits)
        check_paragraphs(self._paragraphs, self.limits)
        found = [Block(text, level)] if text else []
        if self._in_row:
            return found
        waiting, self._hanging = self._hanging, []
        for mark, element in waiting:
            inside = self.blocks(element)
            if inside:
                inside[0].text = mark + inside[0].text
            found += inside
        return found

    def _heading(self, element) -> list[Block]:
        outline = max(1, _whole(value(element, "outline-level"), 1))
        text = " ".join(self._words(element).split())
        if text and value(element, "is-list-header") != "true":
            label = self._headings.label(min(outline, LEVELS) - 1, value(element, "start-value"))
            number = element.find("{*}number")  # as the program that wrote it showed it
            shown = "" if number is None else " ".join("".join(number.itertext()).split())
            text = (shown and f"{shown} " if not label or label.startswith(BULLET) else label) + text
        return self._written(text, min(outline + 1, _DEEPEST_HEADING))

    def _list(self, element, style: str, depth: int) -> list[Block]:
        """Read a list; one in a list goes on in the style of the outer one, a level deeper."""
        check_nesting("lists", depth + 1, self.limits)
        style = value(element, "style-name") or style
        goes_on = (
            depth > 0 or value(element, "continue-numbering") == "true" or value(element, "continue-list")
        )
        if style not in self._counters or not goes_on:
            self._counters[style] = Counter(self.lists.get(style, _BULLETS))
        found: list[Block] = []
        for item in element:
            if local_name(item) not in ("list-item", "list-header"):
                continue
            label = ""
            if local_name(item) == "list-item" and next(iter(item), None) is not None:
                at = min(depth, LEVELS - 1)
                holds = any(local_name(child) in ("p", "h") for child in item)
                label = self._counters[style].label(at, value(item, "start-value")) if holds else ""
            for child in item:
                if local_name(child) == "list":
                    found += self._list(child, style, depth + 1)
                    continue
                inside = self._one(child)
                if inside and label:
                    if not (inside[0].level and label.startswith(BULLET)):
                        inside[0].text = label + inside[0].text
                    label = ""
                found += inside
        return found

    def _one(self, element) -> list[Block]:
        name = local_name(element)
        if name == "h":
            outline = max(1, _whole(value(element, "outline-level"), 1))
            text = " ".join(self._words(element).split())
            return self._written(text, min(outline + 1, _DEEPEST_HEADING))
        return self._written(self._words(element)) if name == "p" else self.blocks([element])

    def _words(self, element) -> str:
        """Read the words of a paragraph; notes leave their mark, boxes are put aside."""
        parts: list[str] = []
        stack: list = [element]
        while stack:
            item = stack.pop()
            if isinstance(item, str):
                parts.append(item)
                continue
            name = _name(item)
            if item is not element and item.tail:
                stack.append(item.tail.replace("\n", " "))
            if name == "s":
                parts.append(" " * min(_whole(value(item, "c"), 1), _MOST_SPACES))
            elif name == "tab":
                parts.append(" ")
            elif name == "line-break":
                parts.append("\n")
            elif name == "note":
                parts.append(self._note(item))
            elif name == "span" and not len(item) and value(item, "style-name") in self.high:
                parts.append(raised_behind(parts, item.text or "", item.tail or ""))
            elif name == "object":
                parts.append(self.formula(item))
            elif name in _BOXES:
                self._hanging.append(("", item))
            elif name and name not in _SKIP:
                stack += reversed(item)
                stack.append((item.text or "").replace("\n", " "))
        return "".join(parts).strip()

    def _note(self, element) -> str:
        body = element.find("{*}note-body")
        if body is None:
            return ""
        self._notes += 1
        self._hanging.append((f"[{self._notes}] ", body))
        return f"[{self._notes}]"

    def _table(self, table) -> list[Block]:
        """Read rows as lines; a table of one column, or with long cells, lays out paragraphs."""
        rows = [list(_within(row, "table-cell")) for row in _within(table, "table-row")]
        nested = next(table.iterdescendants("{*}table"), None) is not None
        long = not nested and any(len("".join(cell.itertext())) > LAYOUT_CELL for row in rows for cell in row)
        if nested or long or max(map(len, rows), default=0) < 2:
            return [block for row in rows for cell in row for block in self.blocks(cell)]
        self._in_row = True
        lines = [" | ".join(filter(None, map(self._cell, row))) for row in rows]
        self._in_row = False
        return self._written("\n".join(filter(None, lines)))

    def _cell(self, cell) -> str:
        return " ".join(" ".join(block.text.split()) for block in self.blocks(cell))


def _name(element) -> str:
    """Return the local name; "" for comments, and for titles of pictures, which are named like fields."""
    return "" if "svg-compatible" in str(element.tag) else local_name(element)


def _content(container) -> Iterator:
    """Yield what a container holds, out of its wrappers."""
    stack = list(reversed(container))
    while stack:
        item = stack.pop()
        name = _name(item)
        if name in ("h", "p", "list", "table") or name in _BOXES:
            yield item
        elif name and name not in _SKIP:
            stack += reversed(item)


def _within(container, name: str) -> Iterator:
    """Yield rows or cells, out of the groups they stand in."""
    stack = list(reversed(container))
    while stack:
        item = stack.pop()
        found = local_name(item)
        if found == name:
            yield item
        elif found in ("table-rows", "table-header-rows", "table-row-group"):
            stack += reversed(item)


def _whole(words: str, otherwise: int) -> int:
    return int(words) if words.isascii() and words.isdigit() and len(words) < 7 else otherwise

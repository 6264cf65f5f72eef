"""Automatic numbers of a Word document, counted as Word counts them: "2.2", "(iv)", "Article III".

Lists that share a definition share its counters; a list may set its own start. A number of a higher level
starts the lower ones again, unless the definition says otherwise.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from ingest.counting import chinese_numeral, letter_numeral, ordinal_numeral, roman_numeral
from ingest.word.styles import Styles
from ingest.xmlparts import value

LEVELS = 9
BULLET = "•"
_LONGEST_LABEL = 60  # characters of a pattern; a file must not make pages of its numbers
_HOLE = re.compile(r"%([1-9])")
_FORMS: dict[str, Callable[[int], str]] = {
    "decimalZero": lambda number: f"{number:02}",
    "lowerRoman": roman_numeral,
    "upperRoman": lambda number: roman_numeral(number).upper(),
    "lowerLetter": letter_numeral,
    "upperLetter": lambda number: letter_numeral(number).upper(),
    "ordinal": ordinal_numeral,
    "chineseCounting": chinese_numeral,
    "chineseCountingThousand": chinese_numeral,
    "japaneseCounting": chinese_numeral,
    "taiwaneseCountingThousand": chinese_numeral,
    "ideographDigital": chinese_numeral,
    "none": lambda number: "",
}


@dataclass(frozen=True)
class Level:
    """One level of a list. `restart`: the level (from 1) whose use starts this one again; None: any above."""

    form: str = "decimal"
    pattern: str = ""
    start: int = 1
    restart: int | None = None
    legal: bool = False
    glued: bool = False
    style: str = ""


class Numbering:
    """Counts the numbered paragraphs of one document in the order in which `label` is asked."""

    def __init__(self, root, styles: Styles):
        self.styles = styles
        self._definitions: dict[str, dict[int, Level]] = {}
        self._links: dict[str, str] = {}
        self._lists: dict[str, tuple[str, dict[int, Level]]] = {}
        self._restarts: dict[str, set[int]] = {}
        self._counts: dict[str, list[int | None]] = {}
        for element in () if root is None else root.iter("{*}abstractNum"):
            identity = value(element, "abstractNumId")
            self._definitions[identity] = _read_levels(element)
            self._links[identity] = value(element.find("{*}numStyleLink"))
        lists = [] if root is None else list(root.iter("{*}num"))
        for element in sorted(lists, key=self._is_linked):  # the list of a style may stand behind its users
            self._read_list(element)

    def _is_linked(self, element) -> bool:
        return bool(self._links.get(value(element.find("{*}abstractNumId"))))

    def _read_list(self, element) -> None:
        """Resolve one list: its definition, perhaps through a numbering style, and what it overrides."""
        identity = value(element, "numId")
        definition = value(element.find("{*}abstractNumId"))
        linked = self._lists.get(self.styles.list_style(self._links.get(definition, "")))
        if linked is not None:
            definition = linked[0]
        levels = dict(self._definitions.get(definition, {}))
        restarts = set()
        for override in element.iter("{*}lvlOverride"):
            depth = _whole(value(override, "ilvl"), 0)
            levels |= _read_levels(override)
            start = override.find("{*}startOverride")
            if start is not None:
                levels[depth] = replace(levels.get(depth, Level()), start=_whole(value(start), 1))
                restarts.add(depth)
        self._lists[identity] = definition, levels
        self._restarts[identity] = restarts

    def label(self, properties) -> str:
        """Write the number before a paragraph with these properties, with a space behind; "" for none."""
        number, depth, style = self.styles.number(properties)
        if not number or number == "0":
            return ""
        definition, levels = self._lists.get(number, ("", {}))
        if not levels:
            return f"{BULLET} "
        at = _depth(levels, depth, style)
        counts = self._count(number, definition, levels, at)
        level = levels.get(at, Level("bullet"))
        if level.form == "bullet":
            return f"{BULLET} "
        label = _HOLE.sub(lambda hole: _write(levels, counts, int(hole[1]) - 1, level.legal), level.pattern)
        label = label.strip()
        return label and label + ("" if level.glued else " ")

    def _count(self, number: str, definition: str, levels: dict[int, Level], at: int) -> list[int | None]:
        counts = self._counts.setdefault(definition, [None] * LEVELS)
        for again in self._restarts.pop(number, ()):
            counts[min(again, LEVELS - 1)] = None
        for deeper in range(at + 1, LEVELS):
            restart = levels.get(deeper, Level()).restart
            if restart is None or at < restart:
                counts[deeper] = None
        before = counts[at]
        counts[at] = levels.get(at, Level()).start if before is None else before + 1
        return counts


def _read_levels(element) -> dict[int, Level]:
    levels = {}
    for item in element.iterchildren("{*}lvl"):
        depth = _whole(value(item, "ilvl"), 0)
        if depth < LEVELS:
            levels[depth] = _read_level(item)
    return levels


def _read_level(item) -> Level:
    form = item.find("{*}numFmt")
    restart = item.find("{*}lvlRestart")
    legal = item.find("{*}isLgl")
    return Level(
        form=value(form) or "decimal",
        pattern=value(item.find("{*}lvlText"))[:_LONGEST_LABEL],
        start=_whole(value(item.find("{*}start")), 1),
        restart=None if restart is None else _whole(value(restart), 0),
        legal=legal is not None and value(legal) not in ("0", "false"),
        glued=value(item.find("{*}suff")) == "nothing",
        style=value(item.find("{*}pStyle")),
    )


def _depth(levels: dict[int, Level], depth: str, style: str) -> int:
    """Return the level of a paragraph: the one bound to its style, else the one that is named."""
    bound = next((at for at, level in levels.items() if style and level.style == style), None)
    return min(_whole(depth, 0), LEVELS - 1) if bound is None else bound


def _write(levels: dict[int, Level], counts: list[int | None], at: int, legal: bool) -> str:
    """Write one number of a label; a level that was not used yet is written as its start."""
    level = levels.get(at, Level())
    counted = counts[at]
    number = level.start if counted is None else counted
    return str(number) if legal else _FORMS.get(level.form, str)(number)


def _whole(words: str, otherwise: int) -> int:
    return int(words) if words.isascii() and words.isdigit() and len(words) < 7 else otherwise

"""Rich text (RTF): a walk over its words and groups that writes paragraphs, tables and notes down as blocks.

Letters come as bytes in the code page of their font, or as Unicode with a stand-in for old programs behind.
Text of a group that is no text of the book (fonts, pictures, running heads, what an unknown program left) is
passed over.
"""

import codecs
import re
from dataclasses import dataclass, field, replace

from ingest.datatable import LAYOUT_CELL
from ingest.errors import BadInput
from ingest.form import Block
from ingest.limits import Limits, check_letters
from ingest.raised import raised_behind
from ingest.symbols import PRIVATE, symbol
from ingest.word.styles import TITLE_LEVEL, named_level

BULLET = "•"
_TOKEN = re.compile(
    rb"\\([A-Za-z]{1,32})(-?\d{1,9})? ?|\\'([0-9A-Fa-f]{2})|\\([^A-Za-z])|([{}])"
    rb"|([^\\{}\r\n]{1,65536})|[\r\n]|\\"
)
_DEEPEST = 1_000  # groups in groups
_DEEPEST_LEVEL = 6
_CHARSETS = {
    77: "mac_roman", 128: "cp932", 129: "cp949", 134: "gb18030", 136: "cp950", 161: "cp1253", 162: "cp1254",
    163: "cp1258", 177: "cp1255", 178: "cp1256", 186: "cp1257", 204: "cp1251", 222: "cp874", 238: "cp1250",
    254: "cp437",
}  # fmt: skip
_MACHINES = {b"mac": "mac_roman", b"pc": "cp437", b"pca": "cp850"}
_SIGNS = {
    b"emdash": "—", b"endash": "–", b"lquote": "‘", b"rquote": "’", b"ldblquote": "“", b"rdblquote": "”",
    b"bullet": BULLET, b"tab": " ", b"emspace": " ", b"enspace": " ", b"qmspace": " ", b"page": " ",
    b"column": " ", b"line": "\n", b"lbr": "\n", b"nestcell": " ", b"nestrow": "\n",
}  # fmt: skip
_SYMBOLS = {b"~": " ", b"_": "-", b"-": "", b"{": "{", b"}": "}", b"\\": "\\", b"\t": " "}
_PASSED = frozenset(
    [
        b"colortbl",
        b"pict",
        b"objdata",
        b"shprslt",
        b"header",
        b"headerl",
        b"headerr",
        b"headerf",
        b"footer",
        b"footerl",
    ]
    + [
        b"footerr",
        b"footerf",
        b"fldinst",
        b"tc",
        b"tcn",
        b"xe",
        b"sn",
        b"sv",
        b"pntxta",
        b"pntxtb",
        b"template",
    ]
    + [b"annotation", b"atnid", b"atnauthor", b"bkmkstart", b"bkmkend", b"nonshppict", b"falt", b"panose"]
    + [b"nesttableprops", b"nonesttables", b"private", b"ftnsep", b"ftnsepc", b"aftnsep", b"aftnsepc"]
)
_INNER = frozenset(
    [b"shpinst", b"shptxt", b"ud", b"pntext", b"listtext", b"do"]
)  # read, though marked as ignorable
_PART = {b"fonttbl": "fonts", b"stylesheet": "styles", b"info": "info"}
_ABOUT = {b"title": "title", b"author": "author"}


class _High(str):
    """Letters above the line."""


@dataclass
class _Sink:
    """Where paragraphs go: the book, a note or a box. `mark` goes before its first block."""

    mark: str = ""
    found: list[Block] = field(default_factory=list)
    hanging: list[Block] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    cell: list[str] = field(default_factory=list)
    row: list[list[str]] = field(default_factory=list)
    rows: list[list[list[str]]] = field(default_factory=list)


@dataclass(frozen=True)
class _Group:
    """What holds inside a pair of braces. `part`: "" for text, "-" for what is passed over."""

    part: str = ""
    outer: str = ""  # the part that an alternative in Unicode belongs to
    codec: str = ""
    font: str = ""  # Symbol, or "" for one of letters
    stand_ins: int = 1
    deleted: bool = False
    hidden: bool = False
    is_label: bool = False
    is_high: bool = False
    style: int | None = None  # of the paragraph, as all below
    outline: int | None = None
    in_table: bool = False


class Reader:
    """One pass over a file; `about`: title and author. Raises BadInput above a limit."""

    def __init__(self, data: bytes, limits: Limits):
        self.limits = limits
        self.about = {"title": "", "author": ""}
        self._codec = "cp1252"
        self._fonts: dict[int, str] = {}
        self._symbols: set[int] = set()  # fonts whose letters stand at places of their own
        self._font = 0
        self._styles: dict[int, int] = {}
        self._name: list[str] = []  # of a style
        self._group = _Group()
        self._groups: list[tuple[_Group, _Sink]] = []
        self._sink = _Sink()
        self._bytes = bytearray()
        self._skip = 0  # stand-ins that are still to come
        self._notes = 0
        self._letters = 0
        self._plain: list[str] = []
        self._ignorable = False
        self._run(data)

    @property
    def plain(self) -> str:
        """Return all words in the order of the file, with those that were deleted or hidden."""
        return "".join(self._plain)

    def blocks(self) -> list[Block]:
        """Return all text of the file."""
        return self._sink.found

    def _run(self, data: bytes) -> None:
        at = 0
        while match := _TOKEN.match(data, at):
            at = match.end()
            word, number, code, symbol, brace, text = match.groups()
            if word is not None:
                at += self._word(word.lower(), None if number is None else int(number))
            elif code is not None:
                self._letter(bytes([int(code, 16)]))
            elif symbol is not None:
                self._symbol(symbol)
            elif brace == b"{":
                self._open()
            elif brace == b"}":
                self._close()
            elif text is not None:
                self._letter(text)
        while self._groups:
            self._close()
        self._end_paragraph()
        self._end_table()

    def _letter(self, written: bytes) -> None:
        if self._skip:
            dropped = min(self._skip, len(written))
            self._skip -= dropped
            written = written[dropped:]
        if self._group.part != "-":
            self._bytes += written

    def _sign(self, letters: str) -> None:
        """Add letters that are no bytes."""
        self._flush()
        if self._skip and letters:
            self._skip -= 1
        else:
            self._write(letters)

    def _flush(self) -> None:
        if self._bytes:
            text = self._bytes.decode(self._group.codec or self._codec, errors="replace")
            if font := self._group.font:
                text = "".join(symbol(font, f"{place:x}") for place in self._bytes)
            self._bytes.clear()
            self._write(text)

    def _write(self, text: str) -> None:
        group = self._group
        if group.part == "":
            self._plain.append(text)
        if group.part == "" and not (group.deleted or group.hidden):
            self._letters += len(text)
            check_letters(self._letters, self.limits)
            text = _label(text) if group.is_label else text
            self._sink.words.append(_High(text) if group.is_high else text)
        elif group.part in self.about:
            self.about[group.part] += text
        elif group.part == "styles":
            self._name.append(text)
        elif group.part == "fonts" and text.strip(" ;").casefold() == "symbol":
            self._symbols.add(self._font)

    def _open(self) -> None:
        self._flush()
        self._skip, self._ignorable = 0, False
        if len(self._groups) >= _DEEPEST:
            raise BadInput(f"groups stand in one another more than {_DEEPEST:,} deep: save it as text or PDF")
        self._groups.append((self._group, self._sink))
        self._name = []

    def _close(self) -> None:
        self._flush()
        self._skip, self._ignorable = 0, False
        if not self._groups:
            return
        if self._group.part == "styles":
            self._end_style()
        inner, (group, sink) = self._sink, self._groups.pop()
        if inner is not sink:
            self._end_paragraph()
            self._end_table()
            self._sink = sink
            if inner.found:
                inner.found[0].text = inner.mark + inner.found[0].text
            sink.hanging += inner.found
        self._group = group

    def _word(self, word: bytes, number: int | None) -> int:
        """Act on a control word; returns how many bytes behind it are to be passed over."""
        if word == b"bin":
            return max(0, number or 0)
        ignorable, self._ignorable = self._ignorable, False
        if word == b"u" and number is not None:
            self._flush()
            place = number & 0xFFFF
            known = symbol(self._group.font, f"{place:x}") if place - PRIVATE in range(256) else ""
            self._write(known or chr(place))
            self._skip = self._group.stand_ins
        elif word in _SIGNS:
            self._sign(_SIGNS[word])
        else:
            self._skip = 0
            self._act(word, number, ignorable)
        return 0

    def _act(self, word: bytes, number: int | None, ignorable: bool) -> None:
        if self._is_destination(word, ignorable):
            pass
        elif word in (b"par", b"sect"):
            self._flush()
            self._end_paragraph()
        elif word in (b"cell", b"row"):
            self._flush()
            self._end_cell(word == b"row")
        else:
            self._property(word, number)

    def _symbol(self, symbol: bytes) -> None:
        if symbol == b"*":
            self._ignorable = True
        elif symbol in b"\r\n":
            self._flush()
            self._end_paragraph()
        else:
            self._sign(_SYMBOLS.get(symbol, ""))

    def _is_destination(self, word: bytes, ignorable: bool) -> bool:
        """Tell whether the word says what its group is, other than text; if so, that holds from here."""
        part = self._group.part
        if word == b"upr":
            self._turn(part="-", outer=part)
        elif word == b"ud":
            self._turn(part=self._group.outer)
        elif word in _PASSED or (ignorable and word not in _INNER):
            self._turn(part="-")
        elif word in _PART:
            self._turn(part=_PART[word])
        elif word in _ABOUT and part == "info":
            self._turn(part=_ABOUT[word])
        elif part == "info":
            return False
        elif word in (b"listtext", b"pntext"):
            self._turn(is_label=True)
        elif word in (b"footnote", b"shptxt", b"dptxbxtext") and part == "":
            self._aside(word == b"footnote")
        else:
            return False
        return True

    def _aside(self, is_note: bool) -> None:
        self._turn(style=None, outline=None, in_table=False, is_high=False)
        mark = ""
        if is_note:
            self._notes += 1
            self._write(f"[{self._notes}]")
            mark = f"[{self._notes}] "
        self._sink = _Sink(mark)

    def _turn(self, **changes) -> None:
        self._flush()
        self._group = replace(self._group, **changes)

    def _property(self, word: bytes, number: int | None) -> None:
        if word == b"f":
            self._flush()
            self._font = number or 0
            font = "symbol" if self._font in self._symbols else ""
            self._turn(codec=self._fonts.get(self._font, ""), font=font)
        elif word == b"fcharset" and self._group.part == "fonts":
            self._fonts[self._font] = _CHARSETS.get(number or 0, "")
        elif word == b"plain":
            self._turn(codec="", font="", deleted=False, hidden=False, is_high=False)
        elif word == b"uc":
            self._turn(stand_ins=max(0, number or 0))
        elif word == b"deleted":
            self._turn(deleted=number != 0)
        elif word == b"v":
            self._turn(hidden=number != 0)
        elif word in (b"super", b"nosupersub", b"sub", b"up", b"dn"):
            # "up" alone means six half points
            self._turn(is_high=word in (b"super", b"up") and number != 0)
        elif word == b"ansicpg":
            self._codec = _code_page(number or 0) or self._codec
        elif word in _MACHINES:
            self._codec = _MACHINES[word]
        elif word == b"pard":
            self._turn(style=None, outline=None, in_table=False)
        elif word in (b"intbl", b"itap"):
            self._turn(in_table=number != 0)
        elif word == b"s":
            self._turn(style=number)
        elif word == b"outlinelevel" and number is not None:
            self._turn(outline=number)

    def _end_style(self) -> None:
        group = self._group
        if group.style is not None:
            level = named_level("".join(self._name).partition(";")[0])
            self._styles[group.style] = _outline_level(group.outline) if level is None else level
        self._name = []

    def _end_paragraph(self) -> None:
        sink = self._sink
        text = _joined(sink.words)
        sink.words = []
        if self._group.in_table:
            if text:
                sink.cell.append(text)
            return
        self._end_table()
        if text:
            level = 0 if self._group.style is None else self._styles.get(self._group.style, 0)
            if self._group.outline is not None:
                level = _outline_level(self._group.outline)
            sink.found.append(Block(" ".join(text.split()) if level else text, level))
        sink.found += sink.hanging
        sink.hanging = []

    def _end_cell(self, is_row: bool) -> None:
        sink = self._sink
        text = _joined(sink.words)
        sink.words = []
        if text:
            sink.cell.append(text)
        if sink.cell or not is_row:
            sink.row.append(sink.cell)
            sink.cell = []
        if is_row and sink.row:
            sink.rows.append(sink.row)
            sink.row = []

    def _end_table(self) -> None:
        """Turn rows into lines; a table of one column, or with long cells, lays out paragraphs."""
        sink = self._sink
        if sink.row or sink.cell:
            self._end_cell(is_row=True)
        rows, sink.rows = sink.rows, []
        if not rows:
            return
        long = any(sum(map(len, cell)) > LAYOUT_CELL for row in rows for cell in row)
        if long or max(map(len, rows)) < 2:
            sink.found += [Block(text) for row in rows for cell in row for text in cell]
        else:
            lines = (" | ".join(" ".join(" ".join(cell).split()) for cell in row if cell) for row in rows)
            text = "\n".join(filter(None, lines))
            sink.found += [Block(text)] if text else []
        sink.found += sink.hanging
        sink.hanging = []


def _joined(words: list[str]) -> str:
    """Put words together; halves of a letter beyond the first plane become one."""
    done: list[str] = []
    for word, behind in zip(words, [*words[1:], ""], strict=False):
        done.append(raised_behind(done, word, behind) if isinstance(word, _High) else word)
    text = "".join(done).strip(" ").strip()
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _label(text: str) -> str:
    """Read the mark of a list item as it was written; a sign of some symbol font is a bullet."""
    mark = text.strip()
    return text.replace(mark, BULLET) if len(mark) == 1 and not mark.isalnum() else text


def _outline_level(outline: int | None) -> int:
    if outline is None or not 0 <= outline < 9:
        return 0
    return min(TITLE_LEVEL + 1 + outline, _DEEPEST_LEVEL)


def _code_page(number: int) -> str:
    """Name the codec of a Windows code page; "" for one that Python lacks."""
    name = "utf-8" if number == 65001 else f"cp{number}"
    try:
        codecs.lookup(name)
    except LookupError:
        return ""
    return name

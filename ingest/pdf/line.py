"""Line: what one printed line of a PDF page says and where it stands (points, y grows downwards)."""

import re
from collections import Counter
from dataclasses import dataclass
from itertools import groupby

from ingest.cleaning import clean, typeset
from ingest.initials import is_initial, joined
from ingest.pdf.pieces import UPRIGHT, is_raised, without_gaps
from ingest.raised import raised

SOFT_HYPHEN = "\u00ad"  # at the end of a line it says that the word goes on
UNREAD = "\ufffd"  # a sign that the font does not name

LEADERS = re.compile(r"(?:\s?[.·…_]){6,}\s*")  # from a title to its page number in a table of contents
# the dots may have no letters: then a number must close the line
_UNREAD_LEADERS = re.compile(
    rf"(?<!{UNREAD})(?<!{UNREAD} )(?: ?{UNREAD}){{6,}}\s*(?=(?:\d{{1,4}}|[ivxlc]{{1,7}})$)"
)
_READ_WORD = re.compile(r"[^\W\d_]{3}")
_INITIAL = 1.5  # of the letters behind it, at least, has a large first one
_MONO = 1 << 3
_TYPEWRITER = re.compile(r"Mono(?!type)|Courier|Typewriter|Consol|^(?:CM|EC|LA|SF|VN)[A-Z]{0,3}TT\d")
_RECOGNISED = "GlyphLessFont"  # of the letters that recognition puts behind a picture, of whatever kind
_CODE = 0.8  # of the letters of a line of code
_ITALIC = 1 << 1
_BOLD = 1 << 4


@dataclass
class Line:
    """Text in one direction on one baseline; `cells` > 1 when it is a row of separate pieces.

    `aside` is what stands beside the text (a running head) and does not interrupt it. `apart` are the letters
    of a large first one that is a word itself ("A", "“I") and may be the beginning of the word behind it.
    """

    x0: float
    y0: float
    x1: float
    y1: float
    text: str
    size: float
    bold: bool = False
    mono: bool = False
    cells: int = 1
    aside: bool = False
    apart: int = 0
    letters: str = ""  # as it was read, without blanks and the hyphen at its end
    forms: tuple[tuple[str, int, int], ...] = ()  # kind and range of these letters, where not all are plain

    @property
    def height(self) -> float:
        return self.y1 - self.y0

    @property
    def is_unread(self) -> bool:
        """Tell whether the font names too few of the letters for a single word."""
        unread = self.text.count(UNREAD)
        return unread > len(self.text) / 2 and not _READ_WORD.search(self.text)


def overlap(one: Line, other: Line) -> float:
    """Return the share of the lower height in which two lines stand beside each other."""
    shared = min(one.y1, other.y1) - max(one.y0, other.y0)
    return shared / max(0.1, min(one.height, other.height))


def read_line(line: dict) -> Line | None:
    """Read one entry of MuPDF's dictionary of a page as a Line; None where it is blank."""
    spans = [span for span in line["spans"] if span["text"]]
    if not spans:
        return None
    largest = _main(spans)
    spans = without_gaps(spans, largest) if line["dir"][0] > UPRIGHT else spans
    raw = _with_initial(spans, largest, _together(spans, largest, upright=line["dir"][0] > UPRIGHT))
    text = re.sub(r"[ \n]+", " ", typeset(clean(raw))).strip()
    if text and raw.rstrip().endswith(SOFT_HYPHEN):
        text += SOFT_HYPHEN
    leaders = LEADERS.search(text) or _UNREAD_LEADERS.search(text)
    if leaders and any(map(str.isalnum, text[: leaders.start()])):
        text = _UNREAD_LEADERS.sub(" … ", LEADERS.sub(" … ", text)).strip()
    if not text:
        return None
    x0, y0, x1, y1 = line["bbox"]
    if line["dir"][0] > UPRIGHT and largest["size"] < max(span["size"] for span in spans):
        _, y0, _, y1 = largest["bbox"]  # the line is as high as most of its letters, not as its initial
    return Line(
        x0, y0, x1, y1, text, largest["size"],
        bold=bool(largest["flags"] & _BOLD), mono=_is_mono(spans), cells=2 if leaders else 1,
        letters=letters_of(text), forms=_forms(spans, text), apart=_apart(spans, largest, text),
    )  # fmt: skip


def _main(spans: list[dict]) -> dict:
    """Return the longest span in letters of the size that most have."""
    sizes: Counter[int] = Counter()
    for span in spans:
        sizes[round(4 * span["size"])] += len(span["text"].strip())
    size = sizes.most_common(1)[0][0]
    return max(
        (span for span in spans if round(4 * span["size"]) == size),
        key=lambda span: len(span["text"].strip()),
    )


def _is_mono(spans: list[dict]) -> bool:
    """Tell a line of code from prose that names a command or an address, however long that is."""
    of_code, letters = 0, 0
    worded = any(any(map(str.isalpha, span["text"])) for span in spans)
    for span in spans:
        # numbers of lines and pages beside code are in other letters
        size = sum(letter.isalpha() or not worded and not letter.isspace() for letter in span["text"])
        letters += size
        if "://" not in span["text"] and _is_typewriter(span):
            of_code += size
    return of_code > _CODE * letters


def _is_typewriter(span: dict) -> bool:
    name = span.get("font", "")
    return bool(span["flags"] & _MONO and name != _RECOGNISED or _TYPEWRITER.search(name))


def letters_of(text: str) -> str:
    """Return the letters of a line as its paragraph has them: without blanks, and the hyphen at its end."""
    return "".join(typeset(clean(text)).split()).rstrip(f"-\u2010{SOFT_HYPHEN}")


def _with_initial(spans: list[dict], main: dict, text: str) -> str:
    """Put a large first letter before the rest of its word: the white beside it is none between words."""
    letter = _initial(spans, main)
    return (joined(letter, text.lstrip()[len(letter) :]) if letter else None) or text


def _initial(spans: list[dict], main: dict) -> str:
    """Return the first letter of a line where it is far larger than what follows; else ""."""
    letter = spans[0]["text"].strip()
    return letter if spans[0]["size"] >= _INITIAL * main["size"] and is_initial(letter) else ""


def _apart(spans: list[dict], main: dict, text: str) -> int:
    """Count the letters of a large first one that a blank parts from small letters."""
    first, _, rest = text.partition(" ")
    large = len(typeset(clean(_initial(spans, main))))
    return large if large and large == len(first) and rest[:1].islower() else 0


def _forms(spans: list[dict], text: str) -> tuple[tuple[str, int, int], ...]:
    """Find which letters of a line are italic or bold; none where its letters were changed together."""
    found: list[tuple[str, int, int]] = []
    at, end = 0, len(letters_of(text))
    for span in spans:
        size = len("".join(typeset(clean(span["text"])).split()))
        for flag, kind in ((_ITALIC, "italic"), (_BOLD, "bold")):
            if size and span["flags"] & flag:
                joined = next((one for one in found if one[0] == kind and one[2] == at), None)
                if joined:
                    found.remove(joined)
                found.append((kind, joined[1] if joined else at, min(at + size, end)))
        at += size
    return tuple(found) if at == len("".join(text.replace(SOFT_HYPHEN, "").split())) else ()


def _together(spans: list[dict], main: dict, upright: bool) -> str:
    """Join the text of the spans of a line; pieces of one raised sign are taken as one."""
    runs = groupby(spans, lambda span: is_raised(span, main, upright))
    pieces = [(high, "".join(span["text"] for span in run)) for high, run in runs]
    text = ""
    for (high, piece), (_, after) in zip(pieces, [*pieces[1:], (False, "")], strict=True):
        text += raised(text, piece, after) + piece[len(piece.rstrip()) :] if high else piece
    return text

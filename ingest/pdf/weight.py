"""Weight: how much a page unpacks to, told before the library unpacks it: some kilobytes may stand for hours.

What a page draws is counted as often as it is drawn: forms in forms, patterns and masks by what is painted
with them, and the looks of its remarks.
"""

import re
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field

import pymupdf

from ingest.pdf.trouble import TROUBLE

# bytes and letters of all pages: so many, and these more for each byte of the file
_MOST_BYTES, _BYTES_EACH = 10_000_000, 200
_MOST_LETTERS, _LETTERS_EACH = 400_000, 10  # tables and logs pack well
_DEEPEST = 100  # drawings in one another
_MOST_PIXELS = 20_000_000  # of a picture that stands among what a page draws
_MUCH_TEXT = 20_000  # letters of a page whose fonts are looked at
_LONG_NAME = 8  # letters that one may stand for: "ffi" has three
_MOST_MESH = 1_000_000  # bytes of a shading
_LEAST_STEP = 0.1  # points from one tile of a pattern to the next
_CALLED = re.compile(rb"/([^\s/<>\[\]()%{}]{1,120})\s{1,20}(Do|gs|scn|SCN|sh)(?![^\s/\[(<%])")
# what changes how is painted, and what paints
_STEP = re.compile(
    rb"(?:/([^\s/<>\[\]()%{}]{1,120})\s{1,20})?"
    rb"(?<![^\s)\]>])(q|Q|gs|scn|SCN|[rR][gG]|[gGkK]|sc|SC|cs|CS|f\*?|F|[bB]\*?|[sS]|T[jJ]|Do|sh)(?![^\s/\[(<%])"
)
_COLOURS = frozenset([b"rg", b"RG", b"g", b"G", b"k", b"K", b"sc", b"SC", b"cs", b"CS", b"scn", b"SCN"])
_PICTURE = re.compile(rb"\bBI\s([^\0]{0,300}?)\sID\b")
_SIDE = re.compile(rb"/(?:W|Width|H|Height)\s{1,9}(\d{1,9})")
_TARGET = re.compile(rb"<([0-9A-Fa-f\s]{16,})")
_OCTAL = re.compile(rb"\\[0-7]{3}")
_CODED = re.compile(rb"#([0-9A-Fa-f]{2})")
_REFERENCE = re.compile(r"(\d{1,9}) \d{1,9} R")
_LINK = 1  # PyMuPDF's number for remarks that are links, which draw nothing
_LISTS = {b"Do": "XObject/{}", b"gs": "ExtGState/{}/SMask/G", b"sh": "Shading/{}"}
_ABOVE = [f"{'Parent/' * steps}Resources" for steps in range(8)]  # where a page says what its names mean


@dataclass
class _Drawing:
    """What a stream weighs by itself, how often it draws which others, and whether its picture is costly."""

    size: int = 0
    letters: int = 0
    drawn: Counter[int] = field(default_factory=Counter)
    costly: bool = False


class Scales:
    """Weigh the pages of one book, whose file has `size` bytes."""

    def __init__(self, book: pymupdf.Document, size: int) -> None:
        self._book = book
        self._bytes = _MOST_BYTES + _BYTES_EACH * size
        self._letters = _MOST_LETTERS + _LETTERS_EACH * size
        self._known: dict[tuple[int, int], _Drawing] = {}
        self._names: dict[int, int] = {}  # by font

    def weigh(self, page: pymupdf.Page) -> tuple[bool, bool]:
        """Tell whether a page is too heavy to be read, or else to be drawn; what is not weighed is neither.

        What is read counts for the pages behind it.
        """
        with suppress(*TROUBLE):
            return self._weighed(page)
        return False, False

    def _weighed(self, page: pymupdf.Page) -> tuple[bool, bool]:
        whole: dict[int, tuple[int, int, bool]] = {}
        size = letters = 0
        costly = False
        drawn = Counter(page.get_contents())
        drawn.update(self._looks(page))
        for xref, times in drawn.items():
            found = self._whole(xref, page.xref, whole)
            size, letters = size + times * found[0], letters + times * found[1]
            costly = costly or found[2]
        if letters > _MUCH_TEXT:
            letters *= max((self._longest_name(font[0]) for font in page.get_fonts()), default=1)
        if size > self._bytes or letters > self._letters:
            return True, True
        self._bytes -= size
        self._letters -= letters
        return False, costly

    def _longest_name(self, font: int) -> int:
        """Return how many letters one of a font stands for at most; 1 for what is usual."""
        if font not in self._names:
            self._names[font] = 1
            with suppress(*TROUBLE):
                data, _ = self._unpacked(self._reference(font, "ToUnicode"))
                most = max(map(len, _TARGET.findall(data)), default=0) // 4
                self._names[font] = most if most > _LONG_NAME else 1
        return self._names[font]

    def _looks(self, page: pymupdf.Page) -> Counter[int]:
        """Count the streams that remarks and fields of forms look like."""
        looks: Counter[int] = Counter()
        remarks = Counter(xref for xref, kind, _ in page.annot_xrefs() if kind != _LINK)
        for xref, times in remarks.items():
            looks[self._reference(xref, "AP/N")] += times
        looks.pop(0, None)  # one that looks like nothing, or otherwise in each of its states
        return looks

    def _reference(self, xref: int, path: str) -> int:
        """Return the number of the object that a value is; 0 for what is none."""
        kind, words = self._book.xref_get_key(xref, path)
        found = _REFERENCE.fullmatch(words) if kind == "xref" else None
        return int(found[1]) if found else 0

    def _whole(
        self, xref: int, page: int, known: dict[int, tuple[int, int, bool]], depth: int = 0
    ) -> tuple[int, int, bool]:
        """Return (bytes, letters, whether it is costly) of a stream and all it draws, but for itself."""
        if depth > _DEEPEST:
            return self._bytes + 1, 0, True
        if xref not in known:
            known[xref] = 0, 0, False
            own = self._drawing(xref, page)
            size, letters, costly = own.size, own.letters, own.costly
            for other, times in own.drawn.items():
                found = self._whole(other, page, known, depth + 1)
                size, letters = size + times * found[0], letters + times * found[1]
                costly = costly or found[2]
            known[xref] = size, letters, costly
        return known[xref]

    def _drawing(self, xref: int, page: int) -> _Drawing:
        """Weigh one stream, whose names mean what it says itself, or what the page says."""
        own = self._book.xref_get_key(xref, "Resources")[0] != "null"
        key = xref, 0 if own else page
        if key not in self._known:
            made = _Drawing()
            with suppress(*TROUBLE):  # what is no stream draws nothing
                data, made.size = self._unpacked(xref)
                made.letters = _letters(data)
                pixels = _pixels(data)
                made.costly = pixels > _MOST_PIXELS
                made.size += pixels // 10
                calls = _CALLED.findall(data)
                if calls:
                    self._add_calls(made, data, calls, xref if own else page)
            self._known[key] = made
        return self._known[key]

    def _add_calls(self, made: _Drawing, data: bytes, calls: list[tuple[bytes, bytes]], owner: int) -> None:
        meant = {call: self._meant(owner, *call) for call in set(calls)}
        forms = {name: xref for (name, how), xref in meant.items() if how == b"Do" and xref}
        masks = {name: xref for (name, how), xref in meant.items() if how == b"gs" and xref}
        tiles = {name: xref for (name, how), xref in meant.items() if how in (b"scn", b"SCN") and xref}
        meshes = [xref for (_, how), xref in meant.items() if how == b"sh" and xref]
        made.costly = (
            made.costly or any(map(self._is_fine, tiles.values())) or any(map(self._is_mesh, meshes))
        )
        if masks or tiles:
            made.drawn = _painted(data, forms, masks, tiles)
        elif forms:
            made.drawn = Counter(forms[name] for name, _ in calls if name in forms)

    def _meant(self, owner: int, name: bytes, how: bytes) -> int:
        """Return the number of the stream that a name means; 0 for a picture, and where there is none."""
        word = _CODED.sub(lambda found: bytes([int(found[1], 16)]), name).decode("utf-8", "replace")
        path = _LISTS.get(how, "Pattern/{}").format(word)
        xref = next((found for above in _ABOVE if (found := self._reference(owner, f"{above}/{path}"))), 0)
        if how == b"Do" and xref and self._book.xref_get_key(xref, "Subtype")[1] == "/Image":
            return 0
        return xref

    def _is_fine(self, pattern: int) -> bool:
        """Tell a pattern whose tiles are too many for one page, or one that is a mesh."""
        mesh = self._reference(pattern, "Shading")
        if mesh:
            return self._is_mesh(mesh)
        steps = [self._book.xref_get_key(pattern, name)[1] for name in ("XStep", "YStep")]
        with suppress(ValueError):
            return any(abs(float(step)) < _LEAST_STEP for step in steps)
        return False

    def _is_mesh(self, shading: int) -> bool:
        with suppress(*TROUBLE):
            return self._unpacked(shading)[1] > _MOST_MESH
        return False

    def _unpacked(self, xref: int) -> tuple[bytes, int]:
        """Return what a stream unpacks to, and its size; nothing where that is more than pages may have."""
        mupdf = pymupdf.mupdf
        stream = mupdf.pdf_open_stream_number(mupdf.pdf_document_from_fz_document(self._book.this), xref)
        size = mupdf.fz_skip(stream, self._bytes + 1)
        return self._book.xref_stream(xref) or b"" if size <= self._bytes else b"", size


def _painted(
    data: bytes, forms: dict[bytes, int], masks: dict[bytes, int], tiles: dict[bytes, int]
) -> Counter[int]:
    """Count what is drawn: a form where it is called, a mask and a pattern with all that is painted."""
    drawn: Counter[int] = Counter()
    mask = tile = 0
    states: list[tuple[int, int]] = []
    for name, step in _STEP.findall(data):
        if step == b"q":
            states.append((mask, tile))
        elif step == b"Q":
            mask, tile = states.pop() if states else (0, 0)
        elif step == b"gs":
            mask = masks.get(name, 0)
        elif step in _COLOURS:
            tile = tiles.get(name, 0) or (tile if step.isupper() else 0)
        else:
            drawn.update([mask, tile, forms.get(name, 0) if step == b"Do" else 0])
    drawn.pop(0, None)
    return drawn


def _letters(data: bytes) -> int:
    """Count the letters of what is printed, at least; one may be written as "\\344", or as four figures."""
    words = _inside(data, b"(", b")") - 3 * len(_OCTAL.findall(data))
    return max(0, words) + _inside(data, b"<", b">") // 2


def _inside(data: bytes, begin: bytes, end: bytes) -> int:
    return sum(len(part) - at - 1 for part in data.split(end) if (at := part.find(begin)) >= 0)


def _pixels(data: bytes) -> int:
    """Count the points of the largest picture that stands among what is drawn."""
    most = 0
    for about in _PICTURE.findall(data) if b"BI" in data else ():
        sides = [int(side) for side in _SIDE.findall(about)]
        most = max(most, sides[0] * sides[1] if len(sides) == 2 else 0)
    return most

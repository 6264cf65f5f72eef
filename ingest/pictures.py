"""Pictures of a document: looked at before they are kept, and named by their content.

What a picture says of itself counts for nothing: its type is that of its bytes, and one that would fill the
memory of who looks at it is left out. Of a drawing (SVG) the shapes are kept, with the pictures that it holds
itself and its plainest style rules; what could run, or fetch anything, is not.
"""

import base64
import binascii
import hashlib
import io
import re
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from urllib.parse import unquote_to_bytes

from lxml import etree

from ingest.errors import BadInput
from ingest.tree import local_name, parse_markup

NAME = re.compile(r"[0-9a-f]{24}\.(?:png|jpg|gif|webp|svg)")
LARGEST = 10_000_000  # bytes of one
MOST_BYTES = 150_000_000  # of all of a document
MOST = 3_000
_MOST_POINTS = 60_000_000
_KINDS = {"PNG": "png", "JPEG": "jpg", "GIF": "gif", "WEBP": "webp"}
_DATA = re.compile(r"data:image/[\w.+-]{1,20}(;base64)?,", re.IGNORECASE)
_SVG = "http://www.w3.org/2000/svg"
_SHAPES = frozenset(
    ["svg", "g", "path", "rect", "circle", "ellipse", "line", "polyline", "polygon", "text", "tspan"]
    + ["defs", "symbol", "use", "lineargradient", "radialgradient", "stop", "clippath", "mask"]
)
_VALUES = frozenset(
    ["id", "x", "y", "x1", "y1", "x2", "y2", "cx", "cy", "r", "rx", "ry", "fx", "fy", "dx", "dy"]
    + ["d", "points", "width", "height", "viewbox", "transform", "fill", "stroke", "opacity", "offset"]
    + ["gradientunits", "gradienttransform", "spreadmethod", "preserveaspectratio", "clippathunits"]
    + ["fill-rule", "clip-rule", "clip-path", "mask", "fill-opacity", "stroke-opacity", "stop-color"]
    + ["stop-opacity", "stroke-width", "stroke-linecap", "stroke-linejoin", "stroke-miterlimit"]
    + ["stroke-dasharray", "stroke-dashoffset", "font-size", "font-family", "font-style", "font-weight"]
    + ["text-anchor", "letter-spacing", "style", "version", "rotate", "maskunits"]
)
# few rules to an element, short ones, so many letters in all: one rule may be named a million times
_CLASSES, _LONGEST_RULE, _STYLES = 8, 500, 200_000
_PLAIN = re.compile(r"\.?[\w-]+")  # one element or one class
# a value may name a part of the same drawing, and no other place
_ELSEWHERE = re.compile(r"url\s*\((?!\s*['\"]?#)|@import|expression|javascript:|[\\<]", re.IGNORECASE)
Find = Callable[[str, str], bytes | None]


def embedded(part: str, address: str) -> bytes | None:
    """Return the bytes that an address holds itself ("data:image/…"); None for every other one."""
    match = _DATA.match(address[:60])
    if match is None or len(address) > 2 * LARGEST:
        return None
    with suppress(binascii.Error, ValueError):
        rest = address[match.end() :]
        return base64.b64decode(rest) if match[1] else unquote_to_bytes(rest)
    return None


class Gallery:
    """The pictures of one document. `find` gives the bytes of one by the part that shows it and its address;
    without a folder nothing is written, and the names are the same."""

    def __init__(self, folder: Path | None = None, find: Find = embedded) -> None:
        self.folder = folder
        self.find = find
        self._names: dict[tuple[str, str], str] = {}
        self._kept: set[str] = set()
        self._bytes = 0

    def keep(self, part: str, address: str) -> str:
        """Keep a picture; returns its name, "" where it cannot be shown."""
        if (part, address) not in self._names:
            self._names[part, address] = self._kept_as(self._found(part, address))
        return self._names[part, address]

    def _found(self, part: str, address: str) -> bytes | None:
        try:
            return embedded(part, address) or self.find(part, address)
        except BadInput:  # a limit that the text has not met costs the picture, not the book
            return None

    def _kept_as(self, data: bytes | None) -> str:
        if not data or len(data) > LARGEST or len(self._kept) >= MOST:
            return ""
        checked = checked_picture(data)
        if checked is None:
            return ""
        kind, data = checked
        name = f"{hashlib.sha256(data).hexdigest()[:24]}.{kind}"
        if name not in self._kept:
            self._bytes += len(data)
            if self._bytes > MOST_BYTES:
                return ""
            if not self._write(name, data):
                return ""
            self._kept.add(name)
        return name

    def _write(self, name: str, data: bytes) -> bool:
        if self.folder is None:
            return True
        try:
            self.folder.mkdir(exist_ok=True)
            (self.folder / name).write_bytes(data)
        except OSError:  # a full disk, or a document that was removed meanwhile
            return False
        return True


def checked_picture(data: bytes) -> tuple[str, bytes] | None:
    """Return (ending, bytes) of a picture that may be shown; None for everything else."""
    from PIL import Image  # which most books do not need

    Image.MAX_IMAGE_PIXELS = _MOST_POINTS
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with Image.open(io.BytesIO(data), formats=list(_KINDS)) as picture:
                return (_KINDS[picture.format or ""], data) if all(picture.size) else None
    except Exception:  # whatever a library says of bytes that are no picture, or too large a one
        return _drawing(data)


def _drawing(data: bytes) -> tuple[str, bytes] | None:
    """Return the shapes of a drawing, and nothing that is no shape."""
    try:
        text = data.decode("utf-8-sig")
        root = parse_markup(text, strict=True) if "<svg" in text else None
    except (UnicodeDecodeError, BadInput):
        return None
    if root is None or local_name(root) != "svg":
        return None
    return "svg", etree.tostring(_shapes(root), encoding="utf-8")


def _shapes(root) -> etree._Element:
    """Copy a drawing as far as it is made of known elements and harmless values."""
    made = etree.Element(f"{{{_SVG}}}svg", nsmap={None: _SVG})
    rules, left = _rules(root), _STYLES
    stack = [(root, made)]
    while stack:
        source, copy = stack.pop()
        classes = source.get("class", "").split(maxsplit=_CLASSES)[:_CLASSES]
        names = local_name(source), *(f".{one}" for one in classes)
        look = ";".join(rules[name] for name in names if name in rules)
        if 0 < len(look) <= left:
            copy.set("style", look)
            left -= len(look)
        for name, value in source.attrib.items():
            plain = name.rpartition("}")[2]
            local = plain == "href" and local_name(source) == "use" and value.startswith("#")
            if (plain.lower() in _VALUES or local) and not _ELSEWHERE.search(value):
                copy.set(plain, f"{copy.get('style', '')};{value}" if plain == "style" else value)
        copy.text = source.text
        for child in source:
            if local_name(child) == "image":
                _held(child, copy)
            elif local_name(child) in _SHAPES and local_name(child) != "svg":
                inner = etree.SubElement(copy, f"{{{_SVG}}}{child.tag.rpartition('}')[2]}")
                inner.tail = child.tail
                stack.append((child, inner))
    return made


def _rules(root: etree._Element) -> dict[str, str]:
    """Return what the style sheets within a drawing say of one element ("path") or one class (".box")."""
    sheets = " ".join(one.text or "" for one in root.iter("{*}style"))
    rules = [rule.partition("{") for rule in sheets.split("}")]
    return {
        name: said.strip()
        for names, brace, said in rules
        for name in map(str.strip, names.split(","))
        if brace and len(said) <= _LONGEST_RULE and _PLAIN.fullmatch(name) and not _ELSEWHERE.search(said)
    }


def _held(source: etree._Element, into: etree._Element) -> None:
    """Copy a picture that a drawing holds itself; one that lies elsewhere is left out."""
    address = next((value for name, value in source.attrib.items() if name.rpartition("}")[2] == "href"), "")
    data = embedded("", address.strip())
    checked = checked_picture(data) if data else None
    if checked is None or checked[0] not in _KINDS.values():
        return
    held = base64.b64encode(checked[1]).decode()
    copy = etree.SubElement(into, f"{{{_SVG}}}image")
    for name, value in source.attrib.items():
        if name.lower() in _VALUES and not _ELSEWHERE.search(value):
            copy.set(name, value)
    copy.set("href", f"data:image/{'jpeg' if checked[0] == 'jpg' else checked[0]};base64,{held}")

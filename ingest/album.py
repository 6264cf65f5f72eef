"""Album: a file of pictures of pages alone (a comic, a photo of a page), which only recognition reads."""

import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from ingest.archive import Archive
from ingest.errors import BadInput
from ingest.source import Source

if TYPE_CHECKING:
    from PIL import Image

# (offset, bytes, what Pillow calls the kind)
_PICTURES = (
    (0, b"\x89PNG", "PNG"), (0, b"\xff\xd8\xff", "JPEG"), (0, b"GIF8", "GIF"), (0, b"II*\0", "TIFF"),
    (0, b"MM\0*", "TIFF"), (8, b"WEBP", "WEBP"), (4, b"ftypavif", "AVIF"), (4, b"ftypavis", "AVIF"),
    (6, b"\0\0\0\0", "BMP"),
)  # fmt: skip
_KINDS = sorted({kind for _, _, kind in _PICTURES})
_BEGINNINGS = {"WEBP": b"RIFF", "BMP": b"BM"}  # of kinds whose mark stands elsewhere
COMIC = "comic"
SUFFIXES = (".jpg", ".jpeg", ".png", ".gif", ".webp", ".bmp", ".tif", ".tiff", ".avif")
_LEAF = re.compile(rf"(?:{'|'.join(map(re.escape, SUFFIXES))})$", re.IGNORECASE)
_BESIDE = re.compile(
    r"(?:^|/)(?:__MACOSX/|\.|desktop\.ini$|Thumbs\.db$)|(?:^|/)ComicInfo\.xml$|/$", re.IGNORECASE
)
_ORIENTATION, _LYING = 0x0112, (5, 6, 7, 8)  # how a camera was held: its values for a quarter turn
POINTS = 0.75  # of a page, for each of the picture
_PAPER = (595.0, 842.0)
_MOST_POINTS = 12_000_000


@dataclass(frozen=True)
class Album:
    """`kind` is what Pillow calls a picture, or COMIC for an archive of pictures; `names` are those in it, in
    the order of their numbers."""

    source: Source
    kind: str
    names: tuple[str, ...] = ()

    def sizes(self) -> list[tuple[float, float]]:
        """Return width and height of each page in points; of a picture that does not open, those of paper."""
        return [self._size(number) for number in range(self._count())]

    def picture(self, number: int) -> "Image.Image":
        """Return what page `number`, from 0 on, shows: upright, in three colours, smaller where it is huge.

        Raises BadInput where there is none.
        """
        from PIL import ImageOps
        from PIL.Image import new as new_picture

        with self._opened(number) as picture:
            share = (_MOST_POINTS / max(1, picture.width * picture.height)) ** 0.5
            if share < 1:
                picture.thumbnail((round(picture.width * share), round(picture.height * share)))
            upright = ImageOps.exif_transpose(picture)
            if upright.has_transparency_data:  # what lets through shows paper
                drawn = upright.convert("RGBA")
                upright = new_picture("RGBA", drawn.size, "white")
                upright.alpha_composite(drawn)
            return upright.convert("RGB")

    def _count(self) -> int:
        if self.kind == "TIFF":  # in others, several pictures are one that moves
            with self._opened(0) as picture:
                return min(getattr(picture, "n_frames", 1), self.source.limits.pages)
        return len(self.names) or 1

    def _size(self, number: int) -> tuple[float, float]:
        try:
            with self._opened(number) as picture:
                width, height = (max(1, side) * POINTS for side in picture.size)
                lies = picture.getexif().get(_ORIENTATION) in _LYING
                return (height, width) if lies else (width, height)
        except BadInput:
            return _PAPER

    @contextmanager
    def _opened(self, number: int) -> Iterator["Image.Image"]:
        """Open a picture without reading its points. Raises BadInput for whatever is wrong in it."""
        from PIL import Image

        data = (self._archive.read(self.names[number]) or b"") if self.names else self.source.data
        try:
            with (
                warnings.catch_warnings(action="ignore"),
                Image.open(io.BytesIO(data), formats=_KINDS) as picture,
            ):
                if self.kind == "TIFF":
                    picture.seek(number)
                yield picture
        except MemoryError:
            raise
        except Exception as error:  # a picture that breaks the library is a damaged one
            raise BadInput("this picture is damaged or of an unknown kind: get another copy") from error

    @cached_property
    def _archive(self) -> Archive:
        # pictures are read one by one, so that all of them together may be large
        limits = replace(self.source.limits, unpacked_bytes=2 * self.source.limits.file_bytes)
        return Archive(self.source.data, limits, "comic (CBZ)")


def find_album(source: Source) -> Album | None:
    """Return the pictures that a file is made of; None for every other file."""
    for offset, mark, kind in _PICTURES:
        begins = source.data.startswith(_BEGINNINGS.get(kind, b""))
        if begins and source.data[offset : offset + len(mark)] == mark:
            return Album(source, kind)
    names = [name for name in source.entries if not _BESIDE.search(name)]
    if names and all(map(_LEAF.search, names)):
        return Album(source, COMIC, tuple(sorted(names, key=_numbered)))
    return None


def _numbered(name: str) -> list[tuple[int, str]]:
    pieces = re.split(r"(\d{1,18})", name.casefold())
    return [(int(piece), "") if piece.isdecimal() else (0, piece) for piece in pieces]

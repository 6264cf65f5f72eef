"""Album: a file of pictures of pages alone (a comic, a photo of a page), which only recognition reads."""

import re

from ingest.source import Source

# how a picture begins -> what MuPDF calls its kind
_PICTURES = (
    (b"\x89PNG", "png"), (b"\xff\xd8\xff", "jpeg"), (b"GIF8", "gif"), (b"II*\0", "tiff"), (b"MM\0*", "tiff"),
)  # fmt: skip
_COMIC = "cbz"
_LEAF = re.compile(r"\.(?:jpe?g|png|gif|bmp|tiff?)$", re.IGNORECASE)
_BESIDE = re.compile(
    r"(?:^|/)(?:__MACOSX/|\.|desktop\.ini$|Thumbs\.db$)|(?:^|/)ComicInfo\.xml$|/$", re.IGNORECASE
)


def album_kind(source: Source) -> str:
    """Return the kind of an album for MuPDF; "" for every other file."""
    for mark, kind in _PICTURES:
        if source.data.startswith(mark):
            return kind
    names = [name for name in source.entries if not _BESIDE.search(name)]
    return _COMIC if names and all(map(_LEAF.search, names)) else ""

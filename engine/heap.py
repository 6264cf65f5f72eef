"""The heap: what was freed goes back to the system, and so do mapped pages that nobody looks at now.

The C library would keep the one for later. Weights and banks lie on the disk anyway; who wants them again
reads them from there.
"""

import ctypes
import gc
import re
import sys
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

READ_IN_PLACE = (".safetensors", ".bin")  # weights, banks
# MADV_PAGEOUT. MADV_DONTNEED empties whatever lies there: where another thread lets go of a mapping meanwhile
# and gets memory of its own in its place, that is lost, and the process with it
_PAGE_OUT = 21
_TRIM_THRESHOLD, _MMAP_MAX = -1, -4  # of mallopt
_MOST_KEPT = 2**31 - 1  # bytes
_REGION = re.compile(r"([0-9a-f]+)-([0-9a-f]+) .* (/.*)")


@cache
def _library() -> Any:
    """Return the C library, where it is glibc; None elsewhere."""
    if not sys.platform.startswith("linux"):
        return None
    library = ctypes.CDLL(None)
    return library if hasattr(library, "malloc_trim") else None


def give_back() -> bool:
    """Give back what was freed, and what only lies in files; tell whether anything was freed."""
    library = _library()
    if library is None:
        return False
    with suppress(OSError):  # a system that does not tell what it has mapped
        for start, size in _mapped(Path("/proc/self/maps").read_text()):
            library.madvise(ctypes.c_void_p(start), ctypes.c_size_t(size), _PAGE_OUT)
    return bool(library.malloc_trim(0))


def settle() -> None:
    """Count all that is there as there for good: modules that were imported, a model that was loaded.

    Python looks through the millions of their objects ever anew for what nobody holds any more, half a second
    each time, in which no thread of a page answers.
    """
    gc.freeze()


def keep() -> None:
    """Keep what is freed from now on for later.

    A step of training frees and takes gigabytes; to have each page anew from the system took three tenths of
    a step's time.
    """
    if (library := _library()) is not None:
        library.mallopt(_MMAP_MAX, 0)
        library.mallopt(_TRIM_THRESHOLD, _MOST_KEPT)


def _mapped(regions: str) -> Iterator[tuple[int, int]]:
    """Yield (address, bytes) of the files that are read where they lie."""
    for line in regions.splitlines():
        found = _REGION.fullmatch(line)
        if found is not None and found[3].endswith(READ_IN_PLACE):
            start, end = int(found[1], 16), int(found[2], 16)
            yield start, end - start

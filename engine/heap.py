"""The heap: what was freed goes back to the system, and so do mapped pages that nobody looks at now.

The C library would keep the one for later. Weights and banks lie on the disk anyway; who wants them again has
them back at once, out of the system's own memory of files.
"""

import ctypes
import re
import sys
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

READ_IN_PLACE = (".safetensors", ".bin")  # weights, banks
_DONT_NEED = 4  # MADV_DONTNEED
_TRIM_THRESHOLD, _MMAP_MAX = -1, -4  # of mallopt
_MOST_KEPT = 2**31 - 1  # bytes
_REGION = re.compile(r"([0-9a-f]+)-([0-9a-f]+) .* (/.*)")
_OWN = ("Anonymous", "Swap")  # pages that no longer are the file's


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
        for start, size in _unchanged(Path("/proc/self/smaps").read_text()):
            library.madvise(ctypes.c_void_p(start), ctypes.c_size_t(size), _DONT_NEED)
    return bool(library.malloc_trim(0))


def keep() -> None:
    """Keep what is freed from now on for later.

    A step of training frees and takes gigabytes; to have each page anew from the system took three tenths of
    a step's time.
    """
    if (library := _library()) is not None:
        library.mallopt(_MMAP_MAX, 0)
        library.mallopt(_TRIM_THRESHOLD, _MOST_KEPT)


def _unchanged(regions: str) -> Iterator[tuple[int, int]]:
    """Yield (address, bytes) of the files that are read where they lie and were never written to."""
    place: tuple[int, int] | None = None
    for line in regions.splitlines():
        name, _, value = line.partition(":")
        if name in _OWN and place and value.split()[0] != "0":
            place = None
        elif name == "VmFlags" and place:
            yield place
        elif (found := _REGION.fullmatch(line)) is not None:
            start, end = int(found[1], 16), int(found[2], 16)
            place = (start, end - start) if found[3].endswith(READ_IN_PLACE) else None

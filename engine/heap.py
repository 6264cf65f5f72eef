"""The heap: what was freed goes back to the system, which the C library would otherwise keep for later."""

import ctypes
import sys
from functools import cache
from typing import Any


@cache
def _library() -> Any:
    """Return the C library, where it is glibc; None elsewhere."""
    if not sys.platform.startswith("linux"):
        return None
    library = ctypes.CDLL(None)
    return library if hasattr(library, "malloc_trim") else None


def give_back() -> bool:
    """Give back what was freed; tell whether there was any."""
    library = _library()
    return library is not None and bool(library.malloc_trim(0))

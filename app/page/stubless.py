"""Gradio without stubs: while it is imported, it would parse its own sources and write them anew for editors.

That is more than a second of every start, and two starts at once would write the same files.
"""

import inspect
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_stubs() -> Iterator[None]:
    """Let no class of Gradio have a file meanwhile: it writes no stubs for what has none."""
    file_of = inspect.getfile

    def file_of_others(thing: object) -> str:
        if isinstance(thing, type) and thing.__module__.startswith("gradio."):
            raise OSError(f"{thing.__name__} is taken for one without a file")
        return file_of(thing)  # type: ignore[arg-type]

    inspect.getfile = file_of_others  # type: ignore[assignment]
    try:
        yield
    finally:
        inspect.getfile = file_of

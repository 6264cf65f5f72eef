"""The one error that tells a person what to do: its message is a single clear line."""

from collections.abc import Iterator
from contextlib import contextmanager


class BadInput(ValueError):
    """Something the user gave cannot be used; the message says what to do instead (exit code 2)."""


@contextmanager
def named(name: str) -> Iterator[None]:
    """Put the name of a file before what is wrong with it."""
    try:
        yield
    except BadInput as error:
        raise BadInput(f"{name}: {error}") from error

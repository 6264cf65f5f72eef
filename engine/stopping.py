"""Stopping: a computation ends between two modules of its networks once an event is set.

Reading passages takes seconds, and a larger model reads them in one piece. Asking at every module keeps what
computes free of all this.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, get_ident

from torch.nn.modules.module import register_module_forward_pre_hook


class GivenUp(Exception):
    """A computation was given up, as nobody waits for it."""


@contextmanager
def stopped_by(stop: Event) -> Iterator[None]:
    """Raise `GivenUp` in this thread at the next module that is run after `stop` was set, or at once."""
    thread = get_ident()

    def look(*_: object) -> None:
        # the hook is asked in every thread: others compute something else
        if stop.is_set() and get_ident() == thread:
            raise GivenUp

    look()
    hook = register_module_forward_pre_hook(look)
    try:
        yield
    finally:
        hook.remove()

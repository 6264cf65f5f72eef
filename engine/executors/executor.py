"""Executor: does the same work on many things, whatever becomes of one of them; this process is one."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from engine.errors import Failure

Thing = TypeVar("Thing")
Done = TypeVar("Done")
MOST_DEATHS = 2
DIED = "the program that worked on it ended in the middle: see that there is memory"


class Died(Failure):
    """A worker's process ended in the middle of its work, more than once."""


@dataclass(frozen=True)
class Executor(ABC, Generic[Thing, Done]):
    """Workers that do `work`. prepare: called first in each, with `prepared` (all of it picklable)."""

    work: Callable[[Thing], Done]
    prepare: Callable[..., None]
    prepared: tuple

    @abstractmethod
    def each(self, things: Iterable[Thing]) -> Iterator[tuple[Thing, Done | Exception]]:
        """Yield every thing with what became of it, in the order in which they are done."""


class Here(Executor[Thing, Done]):
    """This process, one thing after the other."""

    def each(self, things: Iterable[Thing]) -> Iterator[tuple[Thing, Done | Exception]]:
        """Yield every thing with what became of it, in their order."""
        self.prepare(*self.prepared)
        for thing in things:
            try:
                yield thing, self.work(thing)
            except Exception as error:
                yield thing, error

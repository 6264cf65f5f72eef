"""Workers: the same work on many things, in this process or in several, whatever becomes of one of them.

A process that dies takes its thing with it and breaks the pool, so the pool is made anew and what was not
done is given out again; a thing that was in hand at `MOST_DEATHS` deaths is reported and left. What a worker
has finished for itself (a segment of a bank) is not done again.
"""

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from engine.errors import Failure

Thing = TypeVar("Thing")
Done = TypeVar("Done")
MOST_DEATHS = 2


class Died(Failure):
    """A worker's process ended in the middle of its work, more than once."""


@dataclass(frozen=True)
class Workers(Generic[Thing, Done]):
    """So many processes that do `work`. prepare: called first in each, with `prepared` (all picklable)."""

    number: int
    work: Callable[[Thing], Done]
    prepare: Callable[..., None]
    prepared: tuple = field(default=())

    def each(self, things: Sequence[Thing]) -> Iterator[tuple[Thing, Done | Exception]]:
        """Yield every thing with what became of it, in the order in which they are done."""
        left, deaths = dict(enumerate(things)), dict.fromkeys(range(len(things)), 0)
        while left:
            # what was in hand when a process died, one after another: so it is known under which it dies
            suspects = {one: left[one] for one in left if deaths[one]}
            for number, done in self._round(suspects or left, 1 if suspects else self.number):
                if isinstance(done, BrokenProcessPool):
                    deaths[number] += 1
                    if deaths[number] < MOST_DEATHS:
                        continue
                    done = Died("the program that worked on it ended in the middle: see that there is memory")
                yield left.pop(number), done

    def _round(self, left: dict[int, Thing], number: int) -> Iterator[tuple[int, Done | Exception]]:
        """Give out what is left; ends where the pool breaks, after the things that it broke under."""
        context = multiprocessing.get_context("spawn")
        pool = ProcessPoolExecutor(number, context, initializer=self.prepare, initargs=self.prepared)
        try:
            # no more at a time than there are workers: what breaks was in hand then
            waiting = list(left.items())
            running: dict[Future, int] = {}
            while waiting or running:
                in_hand = [*running.values(), *(which for which, _ in waiting[:1])]
                try:
                    while waiting and len(running) < number:
                        running[pool.submit(self.work, waiting[0][1])] = waiting[0][0]
                        waiting.pop(0)
                    in_hand = list(running.values())
                    done = next(as_completed(running))
                    outcome = _outcome(done)
                except BrokenProcessPool as error:
                    yield from ((which, error) for which in in_hand)
                    return
                yield running.pop(done), outcome
        finally:
            pool.shutdown(cancel_futures=True)


def _outcome(future: Future) -> Any:
    """Return what a worker returned or raised. Raises BrokenProcessPool."""
    error = future.exception()
    if error is None:
        return future.result()
    if isinstance(error, BrokenProcessPool) or not isinstance(error, Exception):
        raise error
    return error

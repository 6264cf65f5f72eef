"""Processes: several processes of this machine.

A process that dies takes its thing with it and breaks the pool, so the pool is made anew and what was not
done is given out again, what was in hand one after another; a thing by itself under which processes die
`MOST_DEATHS` times is reported and left. What a worker has finished for itself (a segment of a bank) is not
done again. Workers end with the process that started them, in whatever way that ends.
"""

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Any

from engine.executors.executor import DIED, MOST_DEATHS, Died, Done, Executor, Thing


@dataclass(frozen=True)
class Processes(Executor[Thing, Done]):
    """So many processes."""

    number: int

    def each(self, things: Iterable[Thing]) -> Iterator[tuple[Thing, Done | Exception]]:
        """Yield every thing with what became of it, in the order in which they are done."""
        left = dict(enumerate(things))
        deaths: dict[int, int] = {}
        while left:
            # what was in hand when a process died, one after another: so it is known under which it dies
            suspects = {one: left[one] for one in left if one in deaths}
            workers = 1 if suspects else self.number
            for number, done in self._round(suspects or left, workers):
                if isinstance(done, BrokenProcessPool):
                    # of several in hand most did nothing
                    deaths[number] = deaths.get(number, 0) + (workers == 1)
                    if deaths[number] < MOST_DEATHS:
                        continue
                    done = Died(DIED)
                yield left.pop(number), done

    def _round(self, left: dict[int, Thing], number: int) -> Iterator[tuple[int, Done | Exception]]:
        """Give out what is left; ends where the pool breaks, after the things that it broke under."""
        context = multiprocessing.get_context("spawn")
        given = (self.prepare, self.prepared)
        pool = ProcessPoolExecutor(number, context, initializer=_prepared, initargs=given)
        try:
            # no more at a time than there are workers: what breaks was in hand then
            waiting = list(left.items())
            running: dict[Future, int] = {}
            while waiting or running:
                try:
                    while waiting and len(running) < number:
                        running[pool.submit(self.work, waiting[0][1])] = waiting[0][0]
                        waiting.pop(0)
                    done = next(as_completed(running))
                    outcome = _outcome(done)
                except BrokenProcessPool as error:
                    # a pool that breaks before it is given anything breaks under what it would be given
                    in_hand = list(running.values()) or [waiting[0][0]]
                    yield from ((which, error) for which in in_hand)
                    return
                yield running.pop(done), outcome
        finally:
            pool.shutdown(cancel_futures=True)


def _prepared(prepare: Callable[..., None], given: tuple) -> None:
    end_with_parent()
    prepare(*given)


def end_with_parent() -> None:
    """End with the parent: the pipe on which a worker waits for work stays open when that is killed."""
    threading.Thread(target=_end_after_parent, daemon=True).start()


def _end_after_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _outcome(future: Future) -> Any:
    """Return what a worker returned or raised. Raises BrokenProcessPool."""
    error = future.exception()
    if error is None:
        return future.result()
    if isinstance(error, BrokenProcessPool) or not isinstance(error, Exception):
        raise error
    return error

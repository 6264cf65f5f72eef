"""How many processor threads take a product: all that may, or fewer while others keep the cores busy.

Beside a busy core every small product waits for the thread that has none: one thread is then up to five times
as quick as two. Which is so is measured while the model works.
"""

import time

import torch
import torch.nn.functional as F

FEW = 256  # tokens; products of more take as long by all threads as by one, at worst
EVERY = 5.0  # seconds for which a choice holds
PROBE_ROWS, PROBE, PROBE_SECONDS = 16, 768, 0.03  # of the product that is timed, and for how long


class Crew:
    """The threads of a model on a CPU, at most so many."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._quickest, self._until = self.most, 0.0

    def gather(self, tokens: int) -> None:
        """Let this thread's products over so many tokens be taken by as many threads as are quickest now."""
        wanted = self._now() if tokens <= FEW else self.most
        if torch.get_num_threads() != wanted:
            torch.set_num_threads(wanted)

    def _now(self) -> int:
        if self.most > 1 and time.monotonic() > self._until:
            self._quickest = max(halves(self.most), key=pace)
            self._until = time.monotonic() + EVERY
        return self._quickest


def halves(most: int) -> list[int]:
    """Return `most`, half of it, and so on down to 1."""
    return [most >> shift for shift in range(most.bit_length())]


def pace(threads: int) -> float:
    """Measure products of few rows a second by so many threads, once they are at it; they stay chosen."""
    torch.set_num_threads(threads)
    rows, matrix = torch.ones(PROBE_ROWS, PROBE), torch.ones(PROBE, PROBE)
    done, counted, began = 0, 0, time.perf_counter()
    while (spent := time.perf_counter() - began) < PROBE_SECONDS:
        F.linear(rows, matrix)
        done += 1
        counted += spent > PROBE_SECONDS / 2  # it takes a while until each thread has a core of its own
    return counted / (spent - PROBE_SECONDS / 2)

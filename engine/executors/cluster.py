"""Cluster: the machines of a Ray cluster, of which any may go or come while work is done.

Ray gives what a worker or a machine had in hand to another one when it dies; a thing under which workers die
`MOST_DEATHS` times is reported and left. No more things travel than there are processors to work on them.
Nothing is told to anybody: no usage statistics, no dashboard.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from engine.errors import Failure
from engine.executors.executor import DIED, MOST_DEATHS, Died, Done, Executor, Thing
from ingest.errors import BadInput

LOCAL = "local"
OBJECT_STORE_BYTES = 500_000_000  # of a cluster that is started here
WAIT_SECONDS = 5.0
_ready: list = []  # in a worker: that it is prepared


@dataclass(frozen=True)
class Cluster(Executor[Thing, Done]):
    """The cluster at `address` ("local": one of this machine alone, for as long as the work takes).

    pack: makes of a thing what travels to a worker and is worked on. processors: that one thing takes.
    """

    address: str
    pack: Callable[[Thing], Any]
    processors: int = 1

    def each(self, things: Iterable[Thing]) -> Iterator[tuple[Thing, Done | Exception]]:
        """Yield every thing with what became of it. Raises BadInput without Ray, or without a cluster."""
        ray = self._joined()
        try:
            task = ray.remote(num_cpus=self.processors, max_retries=MOST_DEATHS - 1)(_task)
            given = ray.put((self.work, self.prepare, self.prepared))
            waiting = iter(things)
            running: dict[Any, Thing] = {}
            while True:
                room = max(1, int(ray.cluster_resources().get("CPU", 0)) // self.processors) + 1
                for thing in islice(waiting, max(0, room - len(running))):
                    running[task.remote(given, self.pack(thing))] = thing
                if not running:
                    return
                done, _ = ray.wait(list(running), timeout=WAIT_SECONDS)
                for reference in done:
                    yield running.pop(reference), _outcome(ray, reference)
        finally:
            ray.shutdown()

    def _joined(self) -> Any:
        """Return Ray, connected. Raises BadInput."""
        os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # read when Ray is imported
        try:
            import ray
        except ImportError:
            raise BadInput('a cluster needs Ray: pip install "longmem-reader[cluster]"') from None
        started: dict[str, Any] = {"include_dashboard": False, "object_store_memory": OBJECT_STORE_BYTES}
        try:
            ray.init(
                self.address,
                log_to_driver=False,
                logging_level="ERROR",
                **(started if self.address == LOCAL else {}),
            )
        except (ConnectionError, RuntimeError, ValueError) as error:
            said = (str(error).splitlines() or [type(error).__name__])[0]
            raise BadInput(f"there is no Ray cluster at {self.address} ({said}): see `ray start`") from error
        return ray


def _task(given: tuple[Callable, Callable, tuple], packed: Any) -> Any:
    work, prepare, prepared = given
    if not _ready:
        prepare(*prepared)
        _ready.append(True)
    return work(packed)


def _outcome(ray: Any, reference: Any) -> Any:
    """Return what a worker returned or raised."""
    try:
        return ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        cause = error.cause
        return cause if isinstance(cause, Exception) else Failure(str(error).splitlines()[-1])
    except ray.exceptions.RayError as error:
        died = Died(DIED)
        died.__cause__ = error
        return died

"""Several processes at one run: rows are split over them, gradients summed, so that they do as one would.

Every process deals all rows and draws all random numbers, and computes only its own rows: a run of several
processes takes the steps of a run of one. Written for `accelerate launch`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as distributed
from torch import nn

from engine.backbone.placement import chosen_device


@dataclass(frozen=True)
class Team:
    """This process's number among `size`."""

    rank: int = 0
    size: int = 1

    @classmethod
    def here(cls) -> "Team":
        """Return the processes that `accelerate launch` started, or this one alone."""
        from accelerate import PartialState

        state = PartialState(cpu=chosen_device().type != "cuda")
        return cls(state.process_index, state.num_processes)

    @property
    def leads(self) -> bool:
        """Tell whether this process writes files and shows progress."""
        return self.rank == 0

    @property
    def device(self) -> str:
        """Return the device of this process."""
        here = chosen_device()
        if here.type != "cuda":
            return "cpu"
        return f"cuda:{self.rank % torch.cuda.device_count()}" if self.size > 1 else str(here)

    def rows(self, count: int) -> list[int]:
        """Return the rows of the batch that this process computes: rank 1 of 2 has [1, 3] of 4."""
        return list(range(self.rank, count, self.size))

    def sum_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace every gradient by its sum over the processes; one without counts as zero."""
        if self.size == 1:
            return
        parameters = list(parameters)
        parts = [p.grad if p.grad is not None else torch.zeros_like(p) for p in parameters]
        flat = torch.cat([part.flatten() for part in parts])
        distributed.all_reduce(flat)
        for parameter, part in zip(parameters, flat.split([p.numel() for p in parameters]), strict=True):
            parameter.grad = part.view_as(parameter).clone()

    def gather(self, value: Any) -> list[Any]:
        """Gather the value of every process, in their order."""
        if self.size == 1:
            return [value]
        found: list[Any] = [None] * self.size
        distributed.all_gather_object(found, value)
        return found

    def interleave(self, value: list[Any]) -> list[Any]:
        """Join lists over each process's rows to one list over all rows."""
        parts = self.gather(value)
        return [parts[row % self.size][row // self.size] for row in range(sum(map(len, parts)))]

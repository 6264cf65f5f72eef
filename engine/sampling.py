"""Choosing the next token: plain functions on one row of logits."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ingest.errors import BadInput


@dataclass(frozen=True)
class Sampling:
    """How tokens are chosen; temperature 0 takes the likeliest, seed None draws anew each time."""

    max_tokens: int = 200
    temperature: float = 0.0
    top_p: float = 0.95
    repetition_penalty: float = 1.0
    seed: int | None = None

    def __post_init__(self) -> None:
        if self.max_tokens < 1:
            raise BadInput("the number of tokens must be 1 or more")
        if not 0 <= self.temperature <= 5:
            raise BadInput("temperature must lie between 0 and 5")
        if not 0 < self.top_p <= 1:
            raise BadInput("top-p must lie above 0 and not above 1")
        if not 0.5 <= self.repetition_penalty <= 3:
            raise BadInput("repetition penalty must lie between 0.5 and 3")

    def generator(self) -> torch.Generator:
        """Make a random source on the CPU, seeded if a seed was given."""
        generator = torch.Generator()
        if self.seed is None:
            generator.seed()
        else:
            generator.manual_seed(self.seed)
        return generator


ANSWERING = Sampling(max_tokens=160, repetition_penalty=1.1)
CONTINUING = Sampling(max_tokens=200, temperature=0.8, top_p=0.92, repetition_penalty=1.1)


def penalise(logits: Tensor, recent: Sequence[int], penalty: float) -> Tensor:
    """Divide positive and multiply negative logits of recent tokens: penalty 2 makes 3 to 1.5, −3 to −6."""
    if penalty == 1.0 or not recent:
        return logits
    seen = torch.tensor(sorted(set(recent)))
    values = logits[seen]
    logits = logits.clone()
    logits[seen] = torch.where(values > 0, values / penalty, values * penalty)
    return logits


def nucleus(probabilities: Tensor, top_p: float) -> Tensor:
    """Keep the likeliest tokens until they hold top_p: (.5, .3, .15, .05) at .75 keeps the first two."""
    if top_p >= 1.0:
        return probabilities
    ordered, order = probabilities.sort(descending=True)
    before = ordered.cumsum(-1) - ordered
    kept = torch.zeros_like(probabilities)
    kept[order] = torch.where(before < top_p, ordered, torch.zeros_like(ordered))
    return kept / kept.sum()


def choose(logits: Tensor, recent: Sequence[int], sampling: Sampling, generator: torch.Generator) -> int:
    """Choose the next token id from logits (vocabulary,)."""
    logits = penalise(logits.float().cpu(), recent, sampling.repetition_penalty)
    if sampling.temperature == 0:
        return int(logits.argmax())
    probabilities = nucleus((logits / sampling.temperature).softmax(-1), sampling.top_p)
    return int(torch.multinomial(probabilities, 1, generator=generator))

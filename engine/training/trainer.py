"""One optimiser step at a time: retrieve, predict, learn, then append to the bank.

Gradients reach the model in training only: the backbone's states and the bank are constants. The loss is
taken at a random share of the positions, and no logits of the backbone are computed but those the KL term
compares with. One loop for every method and control: with the same settings and seed they see the same
segments and score the same positions.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from engine.backbone.backbone import Backbone
from engine.sidenet.sidenet import MemoryReader
from engine.training.activations import Frozen
from engine.training.learners import learner_for, optimiser, trained
from engine.training.ring import Ring
from engine.training.rowreaders import together
from engine.training.rows import Rows
from engine.training.settings import TrainingSettings
from engine.training.team import Team

ALONE = Team()


@dataclass(frozen=True)
class Report:
    """What one step did. Losses in nats; gate and null_mass are means over heads of the memory layers."""

    step: int
    loss: float
    kl: float | None
    gate: float
    null_mass: float
    memory_tokens: float
    gradient: float
    rate: float
    tokens: int
    seconds: float


class Trainer:
    """The state of one run: model, optimiser, rows and rings, random numbers."""

    def __init__(
        self,
        model: nn.Module,
        backbone: Backbone,
        rows: Rows,
        settings: TrainingSettings,
        chats: Sequence[Frozen] = (),
        team: Team = ALONE,
    ) -> None:
        self.model, self.backbone, self.rows, self.settings, self.chats = (
            model, backbone, rows, settings, list(chats),
        )  # fmt: skip
        self.team, self.own = team, team.rows(settings.rows)
        self.learner = learner_for(model)
        self.learner.open(settings)
        self.optimiser = optimiser(model, settings)
        self.parameters = [p for group in self.optimiser.param_groups for p in group["params"]]
        self.ring: Ring | None = None
        if settings.capacity:
            self.ring = Ring(model.config, len(self.own), settings.capacity, backbone.device)
        self.random = torch.Generator().manual_seed(settings.seed)
        self.done = 0

    def step(self) -> Report:
        """Take one optimiser step over every row."""
        began, settings = time.monotonic(), self.settings
        factor = settings.factor(self.done)
        for group in self.optimiser.param_groups:
            group["lr"] = group["base_rate"] * factor
        parts = settings.rows * settings.accumulate
        mine: list[Done] = []
        for _ in range(settings.accumulate):
            drawn = self._draw()
            self._store([one for one in drawn if one.copied])
            for at in range(0, len(drawn), settings.batch):
                mine += self._learn(drawn[at : at + settings.batch], 1 / parts)
            self._store([one for one in drawn if not one.copied])
        kl = self._kl() if self.chats and settings.kl_weight and self.done % settings.kl_every == 0 else None
        self.team.sum_gradients(self.parameters)
        gradient = nn.utils.clip_grad_norm_(self.parameters, settings.clip).item()
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        gates = [memory.openness().mean().item() for memory in self.learner.memories(settings)]
        done = [one for part in self.team.gather(mine) for one in part]
        self.done += 1
        return Report(
            self.done, _mean([one.loss for one in done]), kl, _mean(gates),
            _mean([mass for one in done for mass in one.null]), _mean([one.held for one in done]), gradient,
            settings.rate * factor, parts * settings.segment, time.monotonic() - began,
        )  # fmt: skip

    def _draw(self) -> list["Drawn"]:
        """Draw the next segments of this process's rows; a row of another costs its random draws only."""
        drawn = []
        for row, step in enumerate(self.rows.next(self.own)):
            # Drawn with and without a bank, so that a control scores the same positions.
            forgotten = bool(torch.rand((), generator=self.random) < self.settings.forget)
            order = torch.randperm(self.settings.segment - 1, generator=self.random)
            copied = self._happens(self.settings.copying(self.done))
            foreign = self._happens(self.settings.foreign)
            if step.frozen is not None:
                chosen = positions(order, step.frozen.scored, self.settings.loss_share)
                place = row // self.team.size
                if step.fresh and self.ring is not None:
                    self.ring.clear(place)
                frozen = self._placed(step.frozen)
                drawn.append(Drawn(place, frozen, step.fresh, forgotten, chosen, copied, foreign))
        return drawn

    def _happens(self, share: float) -> bool:
        """Draw whether something happens; what never does costs no draw, so that older runs go on alike."""
        return bool(share and torch.rand((), generator=self.random) < share)

    def _learn(self, drawn: list["Drawn"], weight: float) -> list["Done"]:
        """Learn from the segments of some rows at once."""
        reader, held = self._memory(drawn)
        # Where no branch looks at the local window, only the positions that are scored have to be read.
        pointwise = self.model.pointwise
        with self._precision():
            output = self.model(hidden_of(drawn, scored_alone=pointwise), reader)
            scored = [
                normed[: len(one.chosen)] if pointwise else normed[one.chosen]
                for one, normed in zip(drawn, output.normed, strict=True)
            ]
            logits = self.backbone.head(torch.cat(scored).to(self.backbone.dtype))
        parts = logits.float().split([len(one.chosen) for one in drawn])
        if output.words is not None:
            parts = tuple(part + words for part, words in zip(parts, output.words, strict=True))
        losses = torch.stack(
            [F.cross_entropy(part, one.targets) for one, part in zip(drawn, parts, strict=True)]
        )
        (losses.sum() * weight).backward()
        null: list[list[float]] = [[] for _ in drawn]
        for row, one in enumerate(drawn):
            if reader is not None and not one.forgotten:
                read = len(one.chosen) if pointwise else None  # what follows is filling
                null[row] = [trace.mass[row, :read, :, -1].mean().item() for trace in output.traces]
        return [Done(*done) for done in zip(losses.tolist(), null, held, strict=True)]

    def _memory(self, drawn: list["Drawn"]) -> tuple[MemoryReader | None, list[int]]:
        """Return what the rows read, each its own bank, and how many tokens these hold."""
        if self.ring is None:
            return None, [0] * len(drawn)
        readers = [
            None if one.forgotten
            else self.ring.reader(
                one.place, self.settings.reading, self.model.search, beside=self._beside(one)
            )
            for one in drawn
        ]  # fmt: skip
        return together(readers), [self.ring.tokens(one.place) for one in drawn]

    def _beside(self, one: "Drawn") -> int | None:
        """Name the row whose book stands beside a row's own, where one does and there is another."""
        return (one.place + 1) % len(self.own) if one.foreign and len(self.own) > 1 else None

    def _store(self, drawn: list["Drawn"]) -> None:
        if self.ring is None:
            return
        block = self.model.config.search_block
        for one in drawn:
            entering = one.frozen.hidden.get(block) if block is not None else None
            with self._precision():
                self.ring.append(one.place, one.frozen.ids, *self.learner.store(one.frozen), entering)

    def _kl(self) -> float:
        """Return KL(backbone ‖ model) on one chat prompt; the leading process adds its gradient.

        Half of them are read beside the first row's book, so that a question that is not about a book is not
        answered with its prose.
        """
        pick = int(torch.randint(len(self.chats), (), generator=self.random))
        beside = torch.rand((), generator=self.random) < 0.5
        if not self.team.leads:
            return 0.0
        reader = None
        if self.ring is not None and beside:
            reader = self.ring.reader(0, self.settings.reading, self.model.search)
        with self._precision():
            chat = self._placed(self.chats[pick])
            divergence = chat_divergence(self.model, self.backbone, chat, reader).mean()
        # Taken rarely, it pulls less in all, and less hard at once than if it made up for the steps between.
        (divergence * self.settings.kl_weight * math.sqrt(self.settings.kl_every)).backward()
        return divergence.item()

    def _precision(self) -> torch.autocast:
        """Take products in bf16 where the backbone or the caller does; weights in training stay fp32."""
        kind = self.backbone.device.type
        half = self.backbone.dtype == torch.bfloat16 or torch.is_autocast_enabled(kind)
        kept = torch.is_autocast_cache_enabled()
        return torch.autocast(kind, torch.bfloat16, enabled=half, cache_enabled=kept)

    def _placed(self, frozen: Frozen) -> Frozen:
        device, dtype = self.backbone.device, self.backbone.dtype

        def placed(group: dict[int, Tensor]) -> dict[int, Tensor]:
            return {block: value.to(device, dtype) for block, value in group.items()}

        ids, hidden = frozen.ids.to(device), placed(frozen.hidden)
        return Frozen(ids, hidden, placed(frozen.keys), placed(frozen.values), frozen.scored)

    def state(self) -> dict:
        """Return all that a resumed run needs to go on with identical losses, by any number of processes."""
        return {
            "done": self.done,
            "trained": {name: p.detach().clone() for name, p in trained(self.model)},
            "optimiser": self.optimiser.state_dict(),
            "rows": self.rows.state(),
            "ring": None if self.ring is None else joined(self.ring.state(), self.team),
            "random": self.random.get_state(),
        }

    def restore(self, state: dict) -> None:
        """Go back to a state made by `state()` under the same settings."""
        self.done = state["done"]
        self.model.load_state_dict(state["trained"], strict=False)
        self.optimiser.load_state_dict(state["optimiser"])
        self.rows.restore(state["rows"])
        if self.ring is not None:
            self.ring.restore(rows_of(state["ring"], self.own))
        self.random.set_state(state["random"])


def positions(order: Tensor, scored: Tensor | None, share: float) -> Tensor:
    """Choose where the loss is taken: all that a lesson asks for or, where it asks for nothing, a share.

    order: a permutation of the positions that have a next token; scored: (time,) or None.
    """
    if scored is not None:
        asked = order[scored[order + 1]]
        if len(asked):
            return asked
    return order[: max(1, round(share * len(order)))]


@dataclass(frozen=True)
class Drawn:
    """A row's next segment. place: its number in the ring. chosen: positions whose next token is scored.
    forgotten: read without memory; copied: with itself in it; foreign: with another row's book in it."""

    place: int
    frozen: Frozen
    fresh: bool
    forgotten: bool
    chosen: Tensor
    copied: bool = False
    foreign: bool = False

    @property
    def targets(self) -> Tensor:
        """Return the tokens that are scored."""
        return self.frozen.ids[self.chosen + 1]


def hidden_of(drawn: list[Drawn], scored_alone: bool) -> dict[int, Tensor]:
    """Return `{j: H_j}` (rows, time, width), of whole segments or the chosen positions, then zeros."""
    return {
        j: pad_sequence(
            [one.frozen.hidden[j][one.chosen] if scored_alone else one.frozen.hidden[j] for one in drawn],
            batch_first=True,
        )
        for j in drawn[0].frozen.hidden
    }


@dataclass(frozen=True)
class Done:
    """One segment: loss in nats, null mass of each memory layer that read, tokens its bank held."""

    loss: float
    null: list[float]
    held: int


def joined(ring: dict, team: Team) -> dict:
    """Join the ring states of all processes as one, its rows in the order of the batch."""
    return _each_list(ring, team.interleave)


def rows_of(ring: dict, rows: list[int]) -> dict:
    """Return the part of a ring's state that holds these rows."""
    return _each_list(ring, lambda values: [values[row] for row in rows])


def _each_list(value: Any, change: Callable[[list], list]) -> Any:
    if isinstance(value, dict):
        return {key: _each_list(part, change) for key, part in value.items()}
    return change(value) if isinstance(value, list) else value


def chat_distributions(
    model: nn.Module, backbone: Backbone, chat: Frozen, memory: MemoryReader | None = None
) -> tuple[Tensor, Tensor]:
    """Return log-probabilities (time, vocabulary) of model and backbone after every token of a chat.

    A talk does not go on with the book's text, so that the book's own words are not told in it.
    """
    hidden = {j: state[None] for j, state in chat.hidden.items()}
    ours = backbone.head(model(hidden, memory).normed[0].to(backbone.dtype)).float().log_softmax(-1)
    with torch.no_grad():
        theirs = backbone.logits(hidden[backbone.blocks][0]).float().log_softmax(-1)
    return ours, theirs


def chat_divergence(
    model: nn.Module, backbone: Backbone, chat: Frozen, memory: MemoryReader | None = None
) -> Tensor:
    """Return KL(backbone ‖ model) in nats, (time,), of the next tokens of a chat beside a memory."""
    ours, theirs = chat_distributions(model, backbone, chat, memory)
    return F.kl_div(ours, theirs, log_target=True, reduction="none").sum(-1)


def _mean(numbers: list[float]) -> float:
    return sum(numbers) / len(numbers) if numbers else 0.0

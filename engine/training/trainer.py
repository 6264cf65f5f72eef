"""One optimiser step at a time: retrieve, predict, learn, then append to the bank.

Gradients reach the SideNet only: the backbone's states and the bank are constants. The loss is taken at a
random share of the positions, and no logits of the backbone are computed but those the KL term compares with.
"""

import math
import time
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.backbone.backbone import Backbone
from engine.sidenet.sidenet import SideNet
from engine.training.activations import Frozen
from engine.training.ring import Ring
from engine.training.rows import Rows
from engine.training.settings import TrainingSettings


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


def open_layers(sidenet: SideNet, first: int, memory: bool, parts: str = "all") -> None:
    """Let the side layers from `first` on and the last norm learn; without memory the memory parts stay."""
    sidenet.requires_grad_(False)
    sidenet.norm.requires_grad_(True)
    for layer in sidenet.layers[first:]:
        if parts == "all":
            layer.requires_grad_(True)
        elif layer.memory is not None:
            for part in (layer.attention_norm, layer.query, layer.output, layer.memory):
                part.requires_grad_(True)
            layer.attention_scale.requires_grad_(True)
            layer.memory.gate.requires_grad_(False)
        if layer.memory is not None and not memory:
            layer.memory.requires_grad_(False)
    sidenet.train()
    if parts == "memory":
        for layer in sidenet.layers:
            layer.transforms = False  # the MLP's scale is zero and stays so


def optimiser(sidenet: SideNet, settings: TrainingSettings) -> torch.optim.AdamW:
    """AdamW with rates of their own for branch scales and memory parts, which do not decay."""
    groups: dict[str, list[nn.Parameter]] = {"scales": [], "memory": [], "matrices": [], "norms": []}
    for name, parameter in sidenet.named_parameters():
        if not parameter.requires_grad:
            continue
        kind = "matrices" if parameter.dim() > 1 else "norms"
        if name.endswith("_scale"):
            kind = "scales"
        elif ".memory." in name:
            kind = "memory"
        groups[kind].append(parameter)
    rates = {"scales": settings.scale_rate, "memory": settings.memory_rate}
    return torch.optim.AdamW(
        [
            {
                "params": parameters,
                "lr": rates.get(kind, settings.rate),
                "base_rate": rates.get(kind, settings.rate),
                "weight_decay": settings.weight_decay if kind == "matrices" else 0.0,
            }
            for kind, parameters in groups.items()
            if parameters
        ],
        betas=(0.9, 0.98),
    )


class Trainer:
    """The state of one run: SideNet, optimiser, rows and rings, random numbers."""

    def __init__(
        self,
        sidenet: SideNet,
        backbone: Backbone,
        rows: Rows,
        settings: TrainingSettings,
        chats: list[Frozen] = (),
    ) -> None:
        self.sidenet, self.backbone, self.rows, self.settings, self.chats = (
            sidenet, backbone, rows, settings, list(chats),
        )  # fmt: skip
        open_layers(sidenet, settings.first_layer, settings.capacity > 0, settings.parts)
        self.optimiser = optimiser(sidenet, settings)
        self.parameters = [p for group in self.optimiser.param_groups for p in group["params"]]
        self.ring: Ring | None = None
        if settings.capacity:
            self.ring = Ring(sidenet.config, settings.rows, settings.capacity, backbone.device)
        self.random = torch.Generator().manual_seed(settings.seed)
        self.done = 0

    def step(self) -> Report:
        """One optimiser step over every row."""
        began, settings = time.monotonic(), self.settings
        factor = settings.factor(self.done)
        for group in self.optimiser.param_groups:
            group["lr"] = group["base_rate"] * factor
        parts = settings.rows * settings.accumulate
        losses, tokens, gates, nulls, held = [], 0, [], [], []
        for row in [row for _ in range(settings.accumulate) for row in range(settings.rows)]:
            loss, traces, memory_tokens = self._segment(row, 1 / parts)
            losses.append(loss)
            tokens += settings.segment
            held.append(memory_tokens)
            nulls += [trace.mass[..., -1].mean().item() for trace in traces]
        kl = self._kl() if self.chats and settings.kl_weight and self.done % settings.kl_every == 0 else None
        gradient = nn.utils.clip_grad_norm_(self.parameters, settings.clip).item()
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        for layer in self.sidenet.layers[settings.first_layer :]:
            if layer.memory is not None:
                gates.append(layer.memory.gate.sigmoid().mean().item())
        self.done += 1
        return Report(
            self.done, _mean(losses), kl, _mean(gates), _mean(nulls), _mean(held), gradient,
            settings.rate * factor, tokens, time.monotonic() - began,
        )  # fmt: skip

    def _segment(self, row: int, weight: float) -> tuple[float, tuple, int]:
        settings, step = self.settings, self.rows.next(row)
        reader, held = None, 0
        if self.ring is not None:
            if step.fresh:
                self.ring.clear(row)
            held = self.ring.tokens(row)
            if torch.rand((), generator=self.random) >= settings.forget:
                reader = self.ring.reader(row, settings.reading, self.sidenet.search)
        frozen = self._placed(step.frozen)
        output = self.sidenet({j: state[None] for j, state in frozen.hidden.items()}, reader)
        count = max(1, round(settings.loss_share * (len(frozen.ids) - 1)))
        chosen = torch.randperm(len(frozen.ids) - 1, generator=self.random)[:count].to(frozen.ids.device)
        logits = self.backbone.head(output.normed[0, chosen].to(self.backbone.dtype))
        loss = F.cross_entropy(logits.float(), frozen.ids[chosen + 1])
        (loss * weight).backward()
        if self.ring is not None:
            block = self.sidenet.config.search_block
            entering = frozen.hidden.get(block) if block is not None else None
            self.ring.append(row, frozen.keys, frozen.values, entering)
        return loss.item(), output.traces if reader is not None else (), held

    def _kl(self) -> float:
        """KL(backbone ‖ SideNet) on one batch of chat prompts, memory empty; adds its gradient."""
        pick = int(torch.randint(len(self.chats), (), generator=self.random))
        chat = self._placed(self.chats[pick])
        divergence = chat_divergence(self.sidenet, self.backbone, chat).mean()
        # Taken every kl_every steps, so that the pull does not depend on how often it is computed.
        (divergence * self.settings.kl_weight * math.sqrt(self.settings.kl_every)).backward()
        return divergence.item()

    def _placed(self, frozen: Frozen) -> Frozen:
        device, dtype = self.backbone.device, self.backbone.dtype
        groups = (
            {n: x.to(device, dtype) for n, x in g.items()}
            for g in (frozen.hidden, frozen.keys, frozen.values)
        )
        return Frozen(frozen.ids.to(device), *groups)

    def state(self) -> dict:
        """Everything a resumed run needs to go on with identical losses."""
        trained = {n: p.detach().clone() for n, p in self.sidenet.named_parameters() if p.requires_grad}
        return {
            "done": self.done,
            "trained": trained,
            "optimiser": self.optimiser.state_dict(),
            "rows": self.rows.state(),
            "ring": None if self.ring is None else self.ring.state(),
            "random": self.random.get_state(),
        }

    def restore(self, state: dict) -> None:
        """Back to a state made by `state()` under the same settings."""
        self.done = state["done"]
        self.sidenet.load_state_dict(state["trained"], strict=False)
        self.optimiser.load_state_dict(state["optimiser"])
        self.rows.restore(state["rows"])
        if self.ring is not None:
            self.ring.restore(state["ring"])
        self.random.set_state(state["random"])


def chat_divergence(sidenet: SideNet, backbone: Backbone, chat: Frozen) -> Tensor:
    """KL(backbone ‖ SideNet) in nats, (time,): every next-token distribution of a chat without a document."""
    hidden = {j: state[None] for j, state in chat.hidden.items()}
    ours = backbone.head(sidenet(hidden).normed[0].to(backbone.dtype)).float().log_softmax(-1)
    with torch.no_grad():
        theirs = backbone.logits(hidden[backbone.blocks][0]).float().log_softmax(-1)
    return F.kl_div(ours, theirs, log_target=True, reduction="none").sum(-1)


def _mean(numbers: list[float]) -> float:
    return sum(numbers) / len(numbers) if numbers else 0.0

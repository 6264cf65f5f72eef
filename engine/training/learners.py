"""What the one training loop has to know of a model: what learns, what it needs, what it writes to the bank.

Adding a method: one class here and one row in LEARNERS; its name is what `train --method` takes.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor, nn

from engine.backbone.backbone import Backbone
from engine.sidenet.attention import MemoryAttention, SlotAttention
from engine.sidenet.checkpoint import save_sidenet
from engine.sidenet.sidenet import SideNet
from engine.training.activations import Frozen, Wanted
from engine.training.memtrm import MemTRM, save_memtrm
from engine.training.settings import TrainingSettings

Stored = tuple[dict[int, Tensor], dict[int, Tensor]]


class Learner(Protocol):
    """model: called with `{j: H_j}` and a memory reader; has `config` and `search`."""

    model: nn.Module

    def open(self, settings: TrainingSettings) -> None:
        """Let what the settings name learn, nothing else."""

    def wanted(self, settings: TrainingSettings) -> Wanted:
        """Name the frozen activations of a segment in training; `H_n` comes on top where chats pull."""

    def store(self, frozen: Frozen) -> Stored:
        """Compute keys and values of one segment for the bank, {block: (time, kv_heads, head_dim)}."""

    def memories(self, settings: TrainingSettings) -> list[SlotAttention]:
        """List the memory attentions in training, for the log."""

    def save(self, backbone: Backbone, folder: Path) -> None:
        """Write a checkpoint that evaluation takes."""


class SideNetLearner:
    """LongMem: the frozen backbone writes, the SideNet reads."""

    def __init__(self, model: SideNet) -> None:
        self.model = model

    def open(self, settings: TrainingSettings) -> None:
        open_layers(self.model, settings.first_layer, settings.capacity > 0, settings.parts)

    def wanted(self, settings: TrainingSettings) -> Wanted:
        return Wanted.of(self.model.config, trained_states(self.model, settings))

    def store(self, frozen: Frozen) -> Stored:
        return frozen.keys, frozen.values

    def memories(self, settings: TrainingSettings) -> list[SlotAttention]:
        return [
            layer.memory for layer in self.model.layers[settings.first_layer :] if layer.memory is not None
        ]

    def save(self, backbone: Backbone, folder: Path) -> None:
        # In the backbone's precision, so that what never moved compares as equal and is left out.
        model = SideNet(self.model.config, backbone)
        model.load_state_dict(self.model.state_dict())
        save_sidenet(model, backbone, folder)


class MemTRMLearner:
    """The baseline: one model writes and reads."""

    def __init__(self, model: MemTRM) -> None:
        self.model = model

    def open(self, settings: TrainingSettings) -> None:
        self.model.requires_grad_(True).train()
        if not settings.capacity:
            self.model.layers[0].memory.requires_grad_(False)

    def wanted(self, settings: TrainingSettings) -> Wanted:
        return Wanted(self.model.states, ())

    def store(self, frozen: Frozen) -> Stored:
        return self.model.store(frozen.hidden[self.model.block])

    def memories(self, settings: TrainingSettings) -> list[SlotAttention]:
        return [self.model.layers[0].memory]

    def save(self, backbone: Backbone, folder: Path) -> None:
        save_memtrm(self.model, backbone, folder)


LEARNERS: dict[type, type] = {SideNet: SideNetLearner, MemTRM: MemTRMLearner}


def learner_for(model: nn.Module) -> Learner:
    """Return the learner of a model."""
    return LEARNERS[type(model)](model)


def open_layers(sidenet: SideNet, first: int, memory: bool, parts: str = "all") -> None:
    """Let the side layers from `first` on and the last norm learn.

    Without memory, whole layers learn but for their memory parts. The control of parts "memory" opens the
    same parts, reads its null slot alone, and so learns what these parts give without a book.
    """
    sidenet.requires_grad_(False)
    sidenet.norm.requires_grad_(True)
    for layer in sidenet.layers[first:]:
        if parts == "all":
            layer.requires_grad_(True)
            if layer.memory is not None and not memory:
                layer.memory.requires_grad_(False)
        elif layer.memory is not None and layer.carries:  # the block that carries stays the backbone's
            layer.memory.requires_grad_(True)
        elif layer.memory is not None:
            for part in (layer.attention_norm, layer.query, layer.memory):
                part.requires_grad_(True)
            if isinstance(layer.memory, MemoryAttention):  # shares the local branch, which its gate closes
                layer.output.requires_grad_(True)
                layer.attention_scale.requires_grad_(True)
                layer.memory.gate.requires_grad_(False)
    sidenet.train()


def trained_states(sidenet: SideNet, settings: TrainingSettings) -> tuple[int, ...]:
    """Name the `H_j` that the layers in training read, and those that learned something below them."""
    for layer in sidenet.layers:
        layer.note_inert_branches()
    read = [
        layer.index
        for layer in sidenet.layers
        if layer.active
        or (layer.index >= settings.first_layer and (settings.parts == "all" or layer.memory is not None))
    ]
    return (*(j for layer in read for j in sidenet.config.states(layer)), sidenet.config.blocks)


def optimiser(model: nn.Module, settings: TrainingSettings) -> torch.optim.AdamW:
    """Make AdamW with rates of their own for scales, gates and what null slots weigh; matrices decay."""
    groups: dict[str, list[nn.Parameter]] = {"scales": [], "memory": [], "matrices": [], "vectors": []}
    for name, parameter in trained(model):
        is_vector = parameter.dim() == 1 or name.endswith("null_value")  # of which there is one a head
        kind = "vectors" if is_vector else "matrices"
        if name.endswith(("_scale", ".gate")):
            kind = "scales"
        elif ".memory." in name and not name.endswith(("output.weight", "null_value")):
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


def trained(model: nn.Module) -> Iterable[tuple[str, nn.Parameter]]:
    """Yield the names and parameters that learn."""
    return ((name, parameter) for name, parameter in model.named_parameters() if parameter.requires_grad)

"""MemTRM, the baseline: a Memorizing Transformer made of the backbone itself, its upper blocks tuned.

    X_m = H_m,  X_{b+1} = X_b + Attn_b(LN X_b) + MLP_b(LN …)  for b = m … n − 1,  logits = head(LN X_n)

Block m is the kNN memory layer: the same joint attention, gate and null slot as the SideNet's, over keys and
values of block m before any position. One model writes and reads, so a bank goes stale as soon as the weights
move: that is what LongMem's decoupling avoids, and what `evaluate staleness` measures. The blocks below m
stay frozen and are computed once, as for the SideNet.
"""

import copy
import json
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from engine.backbone.backbone import Backbone
from engine.sidenet.config import SideNetConfig
from engine.sidenet.sidenet import LayerTrace, MemoryReader, SideCache, SideLayer, SideOutput
from engine.whole import whole
from ingest.errors import BadInput

CONFIG_FILE, WEIGHTS_FILE = "memtrm.json", "memtrm.safetensors"
GATE_START = -3.0  # sigmoid 0.05: almost the backbone at first, and memory is already felt


def memtrm_config(backbone: Backbone, block: int, **settings: object) -> SideNetConfig:
    """Configure a SideNet with one layer a block and whole branches: the backbone's own stack."""
    settings = {"gate_start": GATE_START, **settings}
    return SideNetConfig.for_backbone(
        backbone, reduction=1, branch_scale="unit", memory_layers=(block,), **settings
    )


class MemTRM(nn.Module):
    """The backbone from its memory block on, with weights of its own; called as a SideNet is."""

    pointwise = False
    search = None  # chunks are found by attention keys, as in the paper

    def __init__(self, config: SideNetConfig, backbone: Backbone) -> None:
        config.require(backbone)
        super().__init__()
        self.config = config
        (self.block,) = config.memory_layers
        self.rotary = backbone.rotary
        self.layers = nn.ModuleList(
            SideLayer(config, backbone, block) for block in range(self.block, config.blocks)
        )
        self.norm = copy.deepcopy(backbone.final_norm).requires_grad_(True)

    @property
    def states(self) -> tuple[int, ...]:
        """Return the `H_j` that `forward` needs."""
        return (self.block,)

    def forward(
        self, hidden: dict[int, Tensor], memory: MemoryReader | None = None, cache: SideCache | None = None
    ) -> SideOutput:
        """Run on `H_m` (batch, time, width) of the frozen blocks below, after what `cache` holds."""
        x = hidden[self.block]
        cos_sin = self.rotary(cache.position if cache is not None else 0, x.shape[1], x.device)
        traces: list[LayerTrace] = []
        for layer in self.layers:
            branches, trace = layer(x, cos_sin, memory, None, cache)
            x = x + branches
            if trace is not None:
                traces.append(trace)
        if cache is not None:
            cache.position += x.shape[1]
        return SideOutput(self.norm(x), tuple(traces))

    @torch.no_grad()
    def store(self, entering: Tensor) -> tuple[dict[int, Tensor], dict[int, Tensor]]:
        """Compute keys and values for the bank by the weights of now, {m: (time, kv_heads, head_dim)} each.

        entering: `H_m` (time, width).
        """
        layer = self.layers[0]
        _, keys, values = layer.project(layer.attention_norm(entering))
        return {self.block: keys}, {self.block: values}


def save_memtrm(model: MemTRM, backbone: Backbone, folder: Path) -> None:
    """Write the configuration and, in bfloat16, how far every tensor has moved from the backbone's."""
    folder.mkdir(parents=True, exist_ok=True)
    start = MemTRM(model.config, backbone).state_dict()
    moved = {
        name: tensor.detach().float().cpu() - start[name].float().cpu()
        for name, tensor in model.state_dict().items()
    }
    with whole(folder / WEIGHTS_FILE) as file:
        save_file({n: delta.bfloat16().contiguous() for n, delta in moved.items() if delta.any()}, file)
        (folder / CONFIG_FILE).write_text(model.config.to_json())


def load_memtrm(folder: Path, backbone: Backbone) -> MemTRM:
    """Load the MemTRM of a run's folder.

    Raises
    ------
    BadInput
        The folder holds none, or one made of another backbone (names the field).
    """
    try:
        config = SideNetConfig.from_json((folder / CONFIG_FILE).read_text())
        moved = load_file(folder / WEIGHTS_FILE)
    except (OSError, json.JSONDecodeError, SafetensorError) as error:
        raise BadInput(
            f"{folder} is no MemTRM checkpoint ({error}); name a run of train --method memtrm"
        ) from error
    model = MemTRM(config, backbone)
    tensors = model.state_dict()
    if unknown := sorted(set(moved) - set(tensors)):
        raise BadInput(f"{folder} holds tensors unknown to its {CONFIG_FILE}: {unknown[0]}")
    for name, delta in moved.items():
        tensors[name].add_(delta.to(tensors[name]))
    return model.to(backbone.device, backbone.dtype).eval()

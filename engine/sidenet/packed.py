"""Trained weights as they are shipped: matrices in int8 with one scale a row, the rest in bfloat16."""

from collections.abc import Mapping

import torch
from torch import Tensor

from engine.bank.quantise import quantise

SCALE = ".scale"


def packed(name: str, value: Tensor) -> dict[str, Tensor]:
    """Return a matrix as int8 with one fp16 scale a row, and any other tensor in bfloat16, by name."""
    if value.dim() < 2:
        return {name: value.bfloat16()}
    numbers, scales = map(torch.from_numpy, quantise(value.float().numpy()))
    return {name: numbers, name + SCALE: scales}


def unpacked(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return float32 tensors of what `packed` gave."""
    found = {}
    for name, value in tensors.items():
        if name.endswith(SCALE):
            continue
        scale = tensors.get(name + SCALE)
        found[name] = value.float() if scale is None else value.float() * scale.float()[:, None]
    return found

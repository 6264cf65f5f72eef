"""Trained weights as they are shipped: matrices in eight or four bits with scales, the rest in bfloat16.

eight: x ≈ s · n,        n = −127 … 127,  a scale for each row
four:  x ≈ s · (n − 8),  n = 0 … 15,      a scale for each 64 numbers of a row, chosen for the least error
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from engine.bank.quantise import quantise

SCALE = ".scale"
GROUP = 64
CLIPPED = (1.0, 0.95, 0.9, 0.85, 0.8, 0.75, 0.7)  # of a group's largest number, what is kept exactly


def packed(name: str, value: Tensor) -> dict[str, Tensor]:
    """Return a matrix as int8 with one fp16 scale a row, and any other tensor in bfloat16, by name."""
    if value.dim() < 2:
        return {name: value.bfloat16()}
    numbers, scales = map(torch.from_numpy, quantise(value.float().numpy()))
    return {name: numbers, name + SCALE: scales}


def packed_in_four(name: str, value: Tensor) -> dict[str, Tensor]:
    """Return a matrix (rows, columns) as uint8 (rows, columns / 2) with fp16 scales (rows, columns / 64).

    A tensor that does not divide so is kept in bfloat16.
    """
    if value.dim() < 2 or value.shape[1] % GROUP:
        return {name: value.bfloat16()}
    grouped = value.detach().float().unflatten(1, (-1, GROUP))
    largest = grouped.gather(-1, grouped.abs().argmax(-1, keepdim=True))
    best, least = torch.ones_like(largest), torch.full_like(largest, float("inf"))
    for kept in CLIPPED:
        scale = (largest * kept / -8).half().float()
        scale = torch.where(scale == 0, 1.0, scale)
        error = (numbers_of(grouped, scale).mul(scale) - grouped).square().sum(-1, keepdim=True)
        best, least = torch.where(error < least, scale, best), torch.minimum(error, least)
    numbers = (numbers_of(grouped, best) + 8).to(torch.uint8).flatten(1)
    return {name: numbers[:, ::2] | numbers[:, 1::2] << 4, name + SCALE: best[..., 0].half()}


def numbers_of(grouped: Tensor, scale: Tensor) -> Tensor:
    """Return the numbers −8 … 7 that come nearest to the values of groups at their scales."""
    return (grouped / scale).round().clamp(-8, 7)


def unpacked(tensors: Mapping[str, Tensor], dtype: torch.dtype = torch.float32) -> dict[str, Tensor]:
    """Return what `packed` or `packed_in_four` was given: matrices in `dtype`, the rest in float32."""
    found = {}
    for name, value in tensors.items():
        if name.endswith(SCALE):
            continue
        scale = tensors.get(name + SCALE)
        if value.dtype == torch.uint8 and scale is not None:
            numbers = torch.stack((value & 15, value >> 4), -1).flatten(1).unflatten(1, (-1, GROUP))
            whole = ((numbers.float() - 8) * scale.float()[..., None]).flatten(1)
        else:
            whole = value.float() if scale is None else value.float() * scale.float()[:, None]
        found[name] = whole.to(dtype) if whole.dim() > 1 else whole
    return found

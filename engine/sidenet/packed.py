"""Trained weights as they are shipped: matrices in eight or four bits with scales, the rest in bfloat16.

eight: x ≈ s · n,        n = −127 … 127,  a scale for each row
four:  x ≈ s · (n − 8),  n = 0 … 15,      a scale for each 64 numbers of a row, chosen for the least error
"""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.quantise import quantise

SCALE = ".scale"
GROUP = 64
CLIPPED = (1.0, 0.95, 0.9, 0.85, 0.8, 0.75, 0.7)  # of a group's largest number, what is kept exactly


def packed(name: str, value: Tensor) -> dict[str, Tensor]:
    """Return a matrix as int8 with one fp16 scale a row, and any other tensor in bfloat16, by name."""
    if value.dim() < 2:
        return {name: value.bfloat16()}
    numbers, scales = map(torch.from_numpy, quantise(value.float().numpy()))
    return {name: numbers, name + SCALE: scales}


def packed_in_four(name: str, value: Tensor, scale: Tensor | None = None) -> dict[str, Tensor]:
    """Return a matrix (rows, columns) as uint8 (rows, columns / 2) with fp16 scales (rows, columns / 64).

    A tensor that does not divide so is kept in bfloat16. scale: the scales, where they are known already.
    """
    if not divides(value):
        return {name: value.bfloat16()}
    scale = scale_in_four(value) if scale is None else scale
    grouped = value.detach().float().unflatten(1, (-1, GROUP))
    numbers = (numbers_of(grouped, scale[..., None]) + 8).to(torch.uint8).flatten(1)
    return {name: numbers[:, ::2] | numbers[:, 1::2] << 4, name + SCALE: scale.half()}


def divides(value: Tensor) -> bool:
    """Tell whether a tensor is a matrix whose rows fall into whole groups."""
    return value.dim() == 2 and value.shape[1] % GROUP == 0


def scale_in_four(value: Tensor) -> Tensor:
    """Return the scales (rows, columns / 64) at which a matrix in four bits has the least error."""
    grouped = value.detach().float().unflatten(1, (-1, GROUP))
    largest = grouped.gather(-1, grouped.abs().argmax(-1, keepdim=True))
    best, least = torch.ones_like(largest), torch.full_like(largest, float("inf"))
    for kept in CLIPPED:
        scale = (largest * kept / -8).half().float()
        scale = torch.where(scale == 0, 1.0, scale)
        error = (numbers_of(grouped, scale).mul(scale) - grouped).square().sum(-1, keepdim=True)
        best, least = torch.where(error < least, scale, best), torch.minimum(error, least)
    return best[..., 0]


def numbers_of(grouped: Tensor, scale: Tensor) -> Tensor:
    """Return the numbers −8 … 7 that come nearest to the values of groups at their scales."""
    return (grouped / scale).round().clamp(-8, 7)


def unpacked(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return what `packed` or `packed_in_four` was given, in float32."""
    found = {}
    for name, value in tensors.items():
        if name.endswith(SCALE):
            continue
        scale = tensors.get(name + SCALE)
        if is_in_four(tensors, name):
            found[name] = InFour(value, tensors[name + SCALE]).matrix()
        else:
            found[name] = value.float() if scale is None else value.float() * scale.float()[:, None]
    return found


def is_in_four(tensors: Mapping[str, Tensor], name: str) -> bool:
    """Tell whether the tensor of that name is a matrix in four bits."""
    return name + SCALE in tensors and tensors[name].dtype == torch.uint8


class InFour(nn.Module):
    """A matrix that stays in four bits, and is unpacked where it is wanted: a seventh of the memory.

    Stands in for `nn.Linear` (bias) and for `nn.Embedding` (rows).
    """

    # the two numbers of each byte, looked up as one of twice the bits: in a quarter of the time of a pair
    pairs = torch.tensor([(byte & 15, byte >> 4) for byte in range(256)], dtype=torch.float32) - 8
    as_one = {
        torch.float32: pairs.view(torch.int64)[:, 0],
        torch.bfloat16: pairs.bfloat16().view(torch.int32)[:, 0],
    }

    def __init__(self, numbers: Tensor, scale: Tensor, bias: Tensor | None = None) -> None:
        super().__init__()
        self.numbers, self.scale, self.bias = numbers, scale, bias

    def matrix(self, rows: Tensor | slice = slice(None)) -> Tensor:
        """Return some rows (…, columns), in bfloat16 where products are taken in it, else in float32."""
        dtype = torch.bfloat16 if torch.is_autocast_enabled("cpu") else torch.float32
        numbers, scale = self.numbers[rows], self.scale[rows].to(dtype)
        found = self.as_one[dtype].index_select(0, numbers.flatten().int())
        whole = found.view(dtype).view(*scale.shape, GROUP)
        return whole.mul_(scale[..., None]).flatten(-2)


class LinearInFour(InFour):
    """A linear map whose matrix is in four bits."""

    def forward(self, x: Tensor) -> Tensor:
        """Return `x Wᵀ + b`."""
        return F.linear(x, self.matrix(), self.bias)


class RowsInFour(InFour):
    """A table of vectors in four bits."""

    def forward(self, ids: Tensor) -> Tensor:
        """Return the vectors of ids (…) as (…, width)."""
        return self.matrix(ids)


def kept_in_four(module: nn.Module, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Put matrices in four bits in the place of the module's own; return all other tensors, unpacked."""
    rest = dict(tensors)
    for name, part in list(module.named_modules()):
        weight, bias = f"{name}.weight", f"{name}.bias"
        if isinstance(part, nn.Linear | nn.Embedding) and is_in_four(tensors, weight):
            numbers, scale = rest.pop(weight), rest.pop(weight + SCALE)
            other: InFour = RowsInFour(numbers, scale)
            if isinstance(part, nn.Linear):
                other = LinearInFour(numbers, scale, rest.pop(bias).float())
            module.set_submodule(name, other)
    return unpacked(rest)

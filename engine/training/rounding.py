"""Rounding to four bits that keeps what a matrix does to its inputs, rather than each of its numbers.

    w_j ← nearest(w_j)
    w_k ← w_k − (w_j − nearest(w_j)) · U_jk / U_jj     for the columns k behind j,   Uᵀ U = (X Xᵀ)⁻¹

It is GPTQ (arXiv 2210.17323). A run that begins with numbers of four bits moves them by a hundredth: taken to
the nearest, all but a few go back to where they were, and what was learned is lost.
"""

from collections.abc import Callable, Mapping, Sequence

import torch
from tokenizers import Encoding
from torch import Tensor, nn

from engine.sidenet.crossreader import CrossReader
from engine.sidenet.packed import GROUP, divides, numbers_of, scale_in_four

DAMPED = 0.01  # of the mean square of an input, added to each
ROWS = 16  # read at a time


@torch.no_grad()
def round_reader(reader: CrossReader, rows: Sequence[Encoding]) -> dict[str, Tensor]:
    """Round the matrices of the layers that learn, in place, layer by layer; return their scales by name.

    rows: questions beside passages, some hundred, on which the matrices are to do what they did.
    """
    scales = {}
    for number, layer in enumerate(reader.layers):
        matrices = {
            name: part
            for name, part in layer.named_children()
            if isinstance(part, nn.Linear) and part.weight.requires_grad and divides(part.weight)
        }
        moments = second_moments(reader, matrices, rows) if matrices else {}
        for name, part in matrices.items():
            scale = scale_in_four(part.weight)
            part.weight.copy_(rounded(part.weight, scale, moments[name]))
            scales[f"layers.{number}.{name}.weight"] = scale
    return scales


def second_moments(
    reader: CrossReader, matrices: Mapping[str, nn.Linear], rows: Sequence[Encoding]
) -> dict[str, Tensor]:
    """Return X Xᵀ (columns, columns) of what enters each matrix while rows are read, a mean over tokens."""
    sums = {name: torch.zeros(part.in_features, part.in_features) for name, part in matrices.items()}

    def adding(name: str) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        def add(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            x = inputs[0].flatten(0, 1).float()
            with torch.autocast("cpu", enabled=False):  # a sum in bfloat16 has no inverse
                sums[name] += x.T @ x / len(x)

        return add

    hooks = [part.register_forward_pre_hook(adding(name)) for name, part in matrices.items()]
    for first in range(0, len(rows), ROWS):
        reader(rows[first : first + ROWS])
    for hook in hooks:
        hook.remove()
    return sums


def rounded(weight: Tensor, scale: Tensor, moments: Tensor) -> Tensor:
    """Return a matrix (rows, columns) with numbers of four bits at its scales (rows, columns / 64)."""
    left = weight.detach().float().clone()
    damped = moments + DAMPED * moments.diagonal().mean() * torch.eye(len(moments))
    lower = torch.linalg.cholesky(damped.double())
    inverse = torch.linalg.cholesky(torch.cholesky_inverse(lower), upper=True).float()
    for first in range(0, weight.shape[1], GROUP):
        inside = slice(first, first + GROUP)
        part, own = left[:, inside], inverse[inside, inside]
        steps = scale[:, first // GROUP]
        errors = torch.empty_like(part)
        for at in range(GROUP):
            nearest = numbers_of(part[:, at], steps) * steps
            errors[:, at] = (part[:, at] - nearest) / own[at, at]
            part[:, at:] -= errors[:, at : at + 1] * own[at, at:]
            part[:, at] = nearest
        left[:, first + GROUP :] -= errors @ inverse[inside, first + GROUP :]
    return left

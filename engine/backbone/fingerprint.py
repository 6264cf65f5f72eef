"""The fingerprint of weights: the same for a model in float32, in bfloat16, and packed."""

import hashlib
from collections.abc import Iterable

import torch
from torch import Tensor

SAMPLED_VALUES = 4096


def sampled_positions(shape: tuple[int, ...]) -> Tensor:
    """Return which numbers of a tensor count: about 4,096 evenly spaced ones."""
    count = 1
    for size in shape:
        count *= size
    return torch.arange(0, count, max(1, count // SAMPLED_VALUES))


def fingerprint_of(samples: Iterable[tuple[str, tuple[int, ...], Tensor]]) -> str:
    """Hash names, shapes and sampled values, in the order given; values are rounded to bfloat16."""
    digest = hashlib.blake2b(digest_size=16)
    for name, shape, values in samples:
        digest.update(f"{name}{tuple(shape)}".encode())
        digest.update(values.to("cpu", torch.bfloat16).view(torch.int16).numpy().tobytes())
    return digest.hexdigest()

"""Grouped-query attention (arXiv 2305.13245): several query heads read the keys and values of one."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

Attend = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]


def grouped_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Tensor,
    attend: Attend = F.scaled_dot_product_attention,
) -> Tensor:
    """Return `softmax(Q Kᵀ / √d + mask) V` (batch, heads, time, dim).

    query: (batch, heads, time, dim). key, value: (batch, kv_heads, keys, dim). mask: bool (time, keys), or
    what is added to the scores (batch, 1, 1, keys). attend: what computes it for heads as many as those of
    keys.

    PyTorch's fast kernels take a mask, or fewer heads of keys, and not both. So the heads that share keys
    stand one behind another, as further rows of one head: no key is copied.
    """
    groups, rows = query.shape[1] // key.shape[1], query.shape[2]
    stacked = query.unflatten(1, (key.shape[1], groups)).flatten(2, 3)
    found = attend(stacked, key, value, mask if mask.dim() > 2 else mask.repeat(groups, 1))
    return found.unflatten(2, (groups, rows)).flatten(1, 2)


def attend_to_few(query: Tensor, key: Tensor, value: Tensor, bias: Tensor) -> Tensor:
    """Return `softmax(Q Kᵀ / √d + bias) V` over some hundred keys, all heads alike (batch, heads, time, dim).

    PyTorch's fused kernel takes half of the time in float32 and three times of it in bfloat16, where a
    processor multiplies that quickly; so there it is written out.
    """
    if query.dtype == torch.float32:
        return F.scaled_dot_product_attention(query, key, value, bias)
    scores = (query @ key.transpose(-1, -2)).float() / query.shape[-1] ** 0.5
    return (scores + bias).softmax(-1).to(value.dtype) @ value

"""Grouped-query attention (arXiv 2305.13245): several query heads read the keys and values of one."""

import torch.nn.functional as F
from torch import Tensor


def grouped_attention(query: Tensor, key: Tensor, value: Tensor, mask: Tensor) -> Tensor:
    """Return `softmax(Q Kᵀ / √d) V` (batch, heads, time, dim) over the keys that a mask lets see.

    query: (batch, heads, time, dim). key, value: (batch, kv_heads, keys, dim). mask: bool, (time, keys) or
    (batch, 1, 1, keys).

    PyTorch's fast kernels take a mask, or fewer heads of keys, and not both. So the heads that share keys
    stand one behind another, as further rows of one head: no key is copied.
    """
    groups, rows = query.shape[1] // key.shape[1], query.shape[2]
    stacked = query.unflatten(1, (key.shape[1], groups)).flatten(2, 3)
    mask = mask if mask.dim() > 2 else mask.repeat(groups, 1)
    found = F.scaled_dot_product_attention(stacked, key, value, mask)
    return found.unflatten(2, (groups, rows)).flatten(1, 2)

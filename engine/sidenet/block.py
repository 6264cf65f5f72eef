"""A block of the backbone, copied to be trained: what continuing layers and reading layers start from."""

import copy

from torch import Tensor, nn

from engine.backbone.backbone import Backbone
from engine.backbone.families import per_head


class CopiedBlock(nn.Module):
    """The norms, projections and MLP of backbone block `block`, free to learn.

    shared: they are the backbone's own, for a layer that has learned nothing and is only read; no part of
    this module, so that nothing done to it reaches the backbone.
    """

    attention_norm: nn.Module
    query: nn.Linear
    key: nn.Linear
    value: nn.Linear
    output: nn.Linear
    query_norm: nn.Module | None
    key_norm: nn.Module | None
    mlp_norm: nn.Module
    mlp: nn.Module

    def __init__(self, backbone: Backbone, block: int, shared: bool = False) -> None:
        super().__init__()
        self.parallel = backbone.parallel
        self.heads, self.kv_heads, self.head_dim = backbone.heads, backbone.kv_heads, backbone.head_dim
        names = ("attention_norm", "mlp_norm", "mlp")
        parts = {name: backbone.block_part(block, name) for name in names} | vars(backbone.projections(block))
        if shared:
            for name, part in parts.items():
                object.__setattr__(self, name, part)  # behind the back of `nn.Module`, which would own it
            return
        for name, part in copy.deepcopy(parts).items():
            setattr(self, name, part)
        for module in self.mlp.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.0  # answering and training compute the same

    def project(self, normed: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return queries, keys and values (batch, time, heads or kv_heads, head_dim), before any position."""
        return (
            per_head(normed, self.query, self.query_norm, self.head_dim),
            per_head(normed, self.key, self.key_norm, self.head_dim),
            per_head(normed, self.value, None, self.head_dim),
        )

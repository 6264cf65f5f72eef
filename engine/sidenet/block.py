"""A block of the backbone, copied to be trained: what continuing layers and reading layers start from."""

import copy

from torch import Tensor, nn

from engine.backbone.backbone import Backbone


class CopiedBlock(nn.Module):
    """The norms, projections and MLP of backbone block `block`, free to learn."""

    def __init__(self, backbone: Backbone, block: int) -> None:
        super().__init__()
        maps = copy.deepcopy(backbone.projections(block))
        self.parallel = backbone.parallel
        self.heads, self.kv_heads, self.head_dim = backbone.heads, backbone.kv_heads, backbone.head_dim
        self.attention_norm = copy.deepcopy(backbone.block_part(block, "attention_norm"))
        self.query, self.key, self.value, self.output = maps.query, maps.key, maps.value, maps.output
        self.query_norm, self.key_norm = maps.query_norm, maps.key_norm
        self.mlp_norm = copy.deepcopy(backbone.block_part(block, "mlp_norm"))
        self.mlp = copy.deepcopy(backbone.block_part(block, "mlp"))
        for module in self.mlp.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.0  # answering and training compute the same

    def project(self, normed: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return queries, keys and values (batch, time, heads or kv_heads, head_dim), before any position."""
        query = self.query(normed).unflatten(-1, (self.heads, self.head_dim))
        key = self.key(normed).unflatten(-1, (self.kv_heads, self.head_dim))
        value = self.value(normed).unflatten(-1, (self.kv_heads, self.head_dim))
        if self.query_norm is not None and self.key_norm is not None:
            query, key = self.query_norm(query), self.key_norm(key)
        return query, key, value

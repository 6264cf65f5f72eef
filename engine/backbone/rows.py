"""Few rows at a time through the blocks of a Llama-like model: how a text is written, token by token.

    x += W_o Attn(rope(W_q n), rope(W_k n), W_v n)        n = norm(x)
    x += W_down (silu(W_gate m) ⊙ W_up m)                 m = norm(x)

What `transformers` computes, without its many calls a block, with q, k, v in one product and gate, up in
another, and on the file's own four bits where it has them. The cache is the one that the whole model filled.
"""

from collections.abc import Callable, Collection, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.backbone.families import part
from engine.backbone.growing import Cache
from engine.backbone.packs import FourBits

MOST_ROWS = 4
MODEL_TYPES = ("llama", "mistral", "qwen2", "qwen3")
STEADY_ROTARY = ("default", "linear", "llama3", "yarn")  # whose angles do not depend on the text's length
# the products of a block, and whose rows each stacks
PRODUCTS = {
    "attend_in": ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
    "attend_out": ("self_attn.o_proj",),
    "mlp_in": ("mlp.gate_proj", "mlp.up_proj"),
    "mlp_out": ("mlp.down_proj",),
}
Product = Callable[[Tensor], Tensor]
Packs = Mapping[str, FourBits]  # named "3.mlp_in"
Turn = tuple[Tensor, Tensor]


def is_plain(config: Any) -> bool:
    """Tell whether a model is built as above."""
    rotary = getattr(config, "rope_parameters", None) or {}
    return (
        config.model_type in MODEL_TYPES
        and config.hidden_act == "silu"
        and rotary.get("rope_type", "default") in STEADY_ROTARY
        and all(kind == "full_attention" for kind in getattr(config, "layer_types", None) or ())
        and not getattr(config, "sliding_window", None)
    )


def product(block: nn.Module, names: tuple[str, ...], packed: FourBits | None) -> Product:
    """Make one product of the linear maps of a block that take the same rows, on four bits where given."""
    maps = [part(block, name) for name in names]
    if packed is not None and maps[0].bias is None:
        return packed.times
    if packed is not None:
        bias = torch.cat([one.bias for one in maps])
        return lambda rows: packed.times(rows) + bias
    if len(maps) == 1:
        return maps[0]
    return lambda rows: torch.cat([one(rows) for one in maps], -1)


class Block:
    """One block: its norms, its products, and what turns with position."""

    def __init__(self, index: int, block: nn.Module, config: Any, packs: Packs) -> None:
        self.index = index
        self.heads, self.kv_heads = config.num_attention_heads, config.num_key_value_heads
        self.attention_norm, self.mlp_norm = block.input_layernorm, block.post_attention_layernorm
        self.query_norm = getattr(block.self_attn, "q_norm", None)
        self.key_norm = getattr(block.self_attn, "k_norm", None)
        self.attend_in, self.attend_out, self.mlp_in, self.mlp_out = (
            product(block, names, packs.get(f"{index}.{name}")) for name, names in PRODUCTS.items()
        )

    def __call__(self, x: Tensor, turn: Turn, mask: Tensor | None, cache: Cache) -> Tensor:
        """Return the raw states (rows, width) that leave the block, for those that enter it."""
        x = x + self.attend_out(self._attend(self.attention_norm(x), turn, mask, cache))
        gate, up = self.mlp_in(self.mlp_norm(x)).chunk(2, -1)
        return x + self.mlp_out(F.silu(gate) * up)

    def _attend(self, normed: Tensor, turn: Turn, mask: Tensor | None, cache: Cache) -> Tensor:
        """Let new rows attend to what the cache holds and to themselves: (rows, heads · head_dim)."""
        rows = len(normed)
        parts = self.attend_in(normed).unflatten(-1, (self.heads + 2 * self.kv_heads, -1)).transpose(0, 1)
        turned, value = parts.split((self.heads + self.kv_heads, self.kv_heads))
        if self.query_norm is not None and self.key_norm is not None:
            query, key = turned.split((self.heads, self.kv_heads))
            turned = torch.cat((self.query_norm(query), self.key_norm(key)))
        cos, sin = turn
        first, second = turned.chunk(2, -1)
        turned = turned * cos + torch.cat((-second, first), -1) * sin
        query, key = turned.split((self.heads, self.kv_heads))
        keys, values = cache.update(key[None], value[None], self.index)
        # the query heads that share keys stand as further rows: nothing is repeated
        grouped = query.reshape(1, self.kv_heads, -1, query.shape[-1])
        found = F.scaled_dot_product_attention(grouped, keys, values, attn_mask=mask)
        return found.view(self.heads, rows, -1).transpose(0, 1).reshape(rows, -1)


class FewRows:
    """The blocks of a model for a handful of tokens behind a text that the cache holds.

    turns: gives cos and sin (1, n, head_dim) of the first n positions.
    """

    def __init__(self, model: nn.Module, packs: Packs, turns: Callable[[int], Turn | None]) -> None:
        base, config = model.base_model, model.config
        self.embed = base.embed_tokens
        self.groups = config.num_attention_heads // config.num_key_value_heads
        self.blocks = [Block(index, block, config, packs) for index, block in enumerate(base.layers)]
        self._turns = turns
        self._table: Turn | None = None

    def __call__(self, ids: Tensor, cache: Cache, wanted: Collection[int]) -> dict[int, Tensor]:
        """Return the wanted `{j: H_j}`, each (1, rows, width), of token ids (1, rows) after the cache."""
        start, rows = cache.get_seq_length(), ids.shape[1]
        turn, mask = self._turn(start, rows), None
        if rows > 1:
            mask = torch.ones(rows, start + rows, dtype=torch.bool, device=ids.device).tril(start)
            mask = mask.repeat(self.groups, 1)
        x, states = self.embed(ids[0]), {}
        for block in self.blocks:
            if block.index in wanted:
                states[block.index] = x[None]
            x = block(x, turn, mask, cache)
        if len(self.blocks) in wanted:
            states[len(self.blocks)] = x[None]
        return states

    def _turn(self, start: int, rows: int) -> Turn:
        """Return cos and sin (rows, head_dim) of the positions from `start` on."""
        end, table = start + rows, self._table
        if table is None or len(table[0]) < end:
            made = self._turns(2 * end)
            assert made is not None  # such a model turns
            self._table = table = made[0][0], made[1][0]
        return table[0][start:end], table[1][start:end]

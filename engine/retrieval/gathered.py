"""Gathered: what chosen chunks of a bank give to memory attention."""

from dataclasses import dataclass

import torch
from torch import Tensor

from engine.bank.bank import KeysOf, MemoryBank
from engine.sidenet.attention import Retrieved
from engine.sidenet.config import SideNetConfig


@dataclass(frozen=True)
class Gathered:
    """Slots of the chunks that each of n tokens chose; without a token they hold zeros.

    keys, values: (n, heads or kv_heads, slots, head_dim). mask: (n, heads or 1, slots). following: the token
    after each slot's, (n, heads, slots), where memory gives these; then there are no values.
    """

    keys: Tensor
    values: Tensor | None
    mask: Tensor
    following: Tensor | None = None

    @classmethod
    def of(
        cls,
        bank: MemoryBank,
        config: SideNetConfig,
        layer: int,
        chunks: Tensor,
        end: int,
        keys_of: KeysOf | None = None,
    ) -> "Gathered":
        """Gather chunks (n, heads or 1, k) of a bank, −1 for none, as a memory layer reads them.

        No follower from token `end` on is looked at.
        """
        block = config.read_block(layer)
        if not config.gives_values(layer):
            spread = chunks.expand(-1, config.heads, -1)
            keys, following, mask = bank.gather_following(block, spread, end, keys_of)
            return cls(keys, None, mask, following)
        until = end if config.values_follow else None
        if chunks.shape[1] > 1:
            return cls(*bank.gather_heads(block, chunks, until))
        keys, values, mask = bank.gather(block, chunks[:, 0], until)
        return cls(keys.transpose(1, 2), values.transpose(1, 2), mask[:, None])

    @classmethod
    def nothing(cls, config: SideNetConfig, layer: int, chunks: Tensor) -> "Gathered":
        """Return what `of` gives for chunks that are all −1."""
        count, heads, k = chunks.shape
        slots, follows = k * config.chunk_size, not config.gives_values(layer)
        own = config.heads if follows or heads > 1 else config.kv_heads
        keys = torch.zeros(count, own, slots, config.head_dim)
        mask = torch.zeros(count, config.heads if follows else heads, slots, dtype=torch.bool)
        return cls(keys, None, mask, mask.long()) if follows else cls(keys, torch.zeros_like(keys), mask)

    def joined(self, other: "Gathered") -> "Gathered":
        """Join two, where no slot holds a token of each."""
        return Gathered(
            self.keys + other.keys,
            None if self.values is None else self.values + other.values,
            self.mask | other.mask,
            None if self.following is None else self.following + other.following,
        )

    def retrieved(self, query: Tensor, chunks: Tensor) -> Retrieved:
        """Return it as memory attention takes it: query (batch, time, heads, head_dim), n = batch · time."""

        def shaped(part: Tensor | None, dtype: torch.dtype | None = None) -> Tensor | None:
            return None if part is None else part.unflatten(0, query.shape[:2]).to(query.device, dtype)

        return Retrieved(
            shaped(self.keys, query.dtype),
            shaped(self.values, query.dtype),
            shaped(self.mask),
            chunks=chunks.unflatten(0, query.shape[:2]),
            following=shaped(self.following),
        )

"""A key/value cache that is written in place: `transformers`' own copies all of it at every token."""

from typing import Any

from torch import Tensor
from transformers.cache_utils import DynamicCache, DynamicLayer

ROOM = 256


class GrowingLayer(DynamicLayer):
    """Keys and values of one block, (batch, kv_heads, time, head_dim), in buffers with room to go on.

    Whoever repeats or branches a cache puts other tensors in: they are copied before more is written.
    """

    keys: Tensor
    values: Tensor
    _buffers: tuple[Tensor, Tensor] | None = None
    _given: tuple[Tensor, Tensor] | None = None

    def update(
        self, key_states: Tensor, value_states: Tensor, *_args: object, **_options: object
    ) -> tuple[Tensor, Tensor]:
        """Append the keys and values of new tokens; returns all that are held now."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        held = self.get_seq_length()
        end = held + key_states.shape[-2]
        given = self._given
        is_ours = given is not None and self.keys is given[0] and self.values is given[1]
        if self._buffers is None or not is_ours or end > self._buffers[0].shape[-2]:
            self._buffers = _grown(key_states, self.keys, end), _grown(value_states, self.values, end)
        for buffer, new in zip(self._buffers, (key_states, value_states), strict=True):
            buffer[..., held:end, :] = new
        self.keys, self.values = (buffer[..., :end, :] for buffer in self._buffers)
        self._given = self.keys, self.values
        return self._given


def _grown(like: Tensor, held: Tensor, end: int) -> Tensor:
    """Make a buffer for `end` positions and half as many to come, and copy what is held."""
    buffer = like.new_empty((*like.shape[:-2], end + max(ROOM, end // 2), like.shape[-1]))
    if held.numel():
        buffer[..., : held.shape[-2], :] = held
    return buffer


def growing_cache(config: Any) -> DynamicCache:
    """Make an empty cache for a model; layers that keep a sliding window only are `transformers`' own."""
    cache = DynamicCache(config=config)
    cache.layers = [GrowingLayer() if type(layer) is DynamicLayer else layer for layer in cache.layers]
    return cache

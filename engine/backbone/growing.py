"""A key/value cache that is written in place: `transformers`' own copies all of it at every token."""

from typing import TYPE_CHECKING, TypeAlias

from torch import Tensor

if TYPE_CHECKING:
    from transformers import DynamicCache

Cache: TypeAlias = "GrowingCache | DynamicCache"
ROOM = 256


class GrowingLayer:
    """Keys and values of one block, (batch, kv_heads, time, head_dim), in buffers with room to go on.

    Whoever repeats or branches a cache puts other tensors in: they are copied before more is written.
    """

    keys: Tensor | None = None
    values: Tensor | None = None
    is_initialized = False
    _buffers: tuple[Tensor, Tensor] | None = None
    _given: tuple[Tensor, Tensor] | None = None

    def update(
        self, key_states: Tensor, value_states: Tensor, *_args: object, **_options: object
    ) -> tuple[Tensor, Tensor]:
        """Append the keys and values of new tokens; returns all that are held now."""
        self.is_initialized = True
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

    def get_seq_length(self) -> int:
        """Return how many tokens are held."""
        return 0 if self.keys is None else self.keys.shape[-2]

    def batch_repeat_interleave(self, repeats: int) -> None:
        """Let every row of the batch stand `repeats` times."""
        if self.keys is not None and self.values is not None:
            self.keys = self.keys.repeat_interleave(repeats, dim=0)
            self.values = self.values.repeat_interleave(repeats, dim=0)


class GrowingCache:
    """A layer for each block of a model that every token of a text is seen by."""

    def __init__(self, blocks: int) -> None:
        self.layers = [GrowingLayer() for _ in range(blocks)]

    def update(self, keys: Tensor, values: Tensor, block: int) -> tuple[Tensor, Tensor]:
        """Append the keys and values of new tokens to one block's; returns all that are held there now."""
        return self.layers[block].update(keys, values)

    def get_seq_length(self) -> int:
        """Return how many tokens are held."""
        return self.layers[0].get_seq_length()

    def batch_repeat_interleave(self, repeats: int) -> None:
        """Let every row of the batch stand `repeats` times."""
        for layer in self.layers:
            layer.batch_repeat_interleave(repeats)


def _grown(like: Tensor, held: Tensor | None, end: int) -> Tensor:
    """Make a buffer for `end` positions and half as many to come, and copy what is held."""
    buffer = like.new_empty((*like.shape[:-2], end + max(ROOM, end // 2), like.shape[-1]))
    if held is not None and held.numel():
        buffer[..., : held.shape[-2], :] = held
    return buffer

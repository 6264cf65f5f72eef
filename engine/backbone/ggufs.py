"""A GGUF file of a Llama-like model: its matrices, each as it is stored.

Four-bit matrices of groups of 32 (Q4_0, Q4_1, Q4_K) are read as codes, which lose nothing; all others are
dequantised, one at a time. `llama.cpp` stores query and key rows of Llama models in another order.
"""

import re
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from gguf import GGMLQuantizationType as Kind
from gguf import GGUFReader, ReaderTensor, dequantize
from torch import Tensor

from engine.backbone.packs import GROUP, Codes
from ingest.errors import BadInput

NAMES = {
    "token_embd": "model.embed_tokens",
    "output_norm": "model.norm",
    "output": "lm_head",
    "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "attn_q_norm": "self_attn.q_norm",
    "attn_k_norm": "self_attn.k_norm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}


FOUR_BITS = frozenset((2, 3, 14, 15))  # Q4_0, Q4_1, Q4_K_S, Q4_K_M, by the numbers of `general.file_type`
EIGHT_BITS = frozenset((7, 8, 9, 16, 17, 18))  # Q8_0, Q5_0, Q5_1, Q5_K_S, Q5_K_M, Q6_K
SCALARS = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}  # kind of a value -> bytes
STRING = 8
LONGEST_STRING = 1 << 20


def few_bits(path: Path) -> str | None:
    """Return the precision, "int4" or "int8", that comes nearest to what a file says of itself; else None.

    Only the facts before the vocabulary are read: the whole takes seconds.
    """
    with path.open("rb") as file:

        def number(size: int) -> int:
            return int.from_bytes(file.read(size), "little")

        if file.read(4) != b"GGUF":
            return None
        file.read(12)  # version, count of tensors
        for _ in range(min(number(8), LONGEST_STRING)):
            key = file.read(min(number(8), LONGEST_STRING))
            kind = number(4)
            if kind not in SCALARS and kind != STRING:
                return None
            value = number(min(number(8), LONGEST_STRING) if kind == STRING else SCALARS[kind])
            if key == b"general.file_type":
                return "int4" if value in FOUR_BITS else "int8" if value in EIGHT_BITS else None
    return None


class GgufFile:
    """The tensors of a file by the names that `transformers` gives them.

    heads, kv_heads: of the model, for the order of rows.
    """

    def __init__(self, path: Path, heads: int, kv_heads: int) -> None:
        try:
            self._reader = GGUFReader(path)
        except (ValueError, IndexError, KeyError) as error:
            raise BadInput(f"{path.name} is no whole GGUF file ({error}); fetch it again") from error
        self._heads = {"self_attn.q_proj": heads, "self_attn.k_proj": kv_heads}

    @cached_property
    def tensors(self) -> dict[str, ReaderTensor]:
        """Return the tensors as they are stored, by their names in `transformers`."""
        named = {}
        for tensor in self._reader.tensors:
            found = re.fullmatch(r"(?:blk\.(\d+)\.)?(\w+)\.(weight|bias)", tensor.name)
            if found and found[2] in NAMES:
                where = f"model.layers.{found[1]}." if found[1] else ""
                named[f"{where}{NAMES[found[2]]}.{found[3]}"] = tensor
        return named

    @cached_property
    def _is_permuted(self) -> bool:
        return self._reader.fields["general.architecture"].contents() == "llama"

    def shape(self, name: str) -> tuple[int, ...]:
        """Return the shape of a tensor, (out, in) for a matrix."""
        return tuple(int(size) for size in reversed(self.tensors[name].shape))

    def dense(self, name: str, rows: Tensor | None = None) -> Tensor:
        """Return a tensor in float32, or some rows of it."""
        tensor = self.tensors[name]
        order = self._order(name, len(tensor.data))
        chosen = order if rows is None else rows if order is None else order[rows]
        data = tensor.data if chosen is None else tensor.data[chosen.numpy()]
        return torch.from_numpy(np.array(dequantize(data, tensor.tensor_type), dtype=np.float32))

    def names(self) -> list[str]:
        """List the tensors."""
        return list(self.tensors)

    def is_fine(self, name: str) -> bool:
        """Tell whether a matrix is stored in five or six bits, where others may have four."""
        return self.tensors[name].tensor_type.name.startswith(("Q5_", "Q6_"))

    def codes(self, name: str) -> Codes | None:
        """Return a matrix as it is where it is stored in groups of four bits, else None."""
        tensor = self.tensors[name]
        if tensor.tensor_type not in _READERS:
            return None
        made = _READERS[tensor.tensor_type](np.array(tensor.data))
        order = self._order(name, len(made.codes))
        return made if order is None else made.reordered(order)

    def _order(self, name: str, rows: int) -> Tensor | None:
        """Return which stored row is which, None where they are in order."""
        heads = next((count for part, count in self._heads.items() if f".{part}." in name), None)
        if heads is None or not self._is_permuted:
            return None
        return torch.arange(rows).view(heads, -1, 2).transpose(1, 2).flatten()


def _halves(data: np.ndarray) -> Tensor:
    """Read bytes (…, 2 n) as n numbers of float16 each, in float32."""
    return torch.from_numpy(np.ascontiguousarray(data).view(np.float16).astype(np.float32))


def _nibbles(data: np.ndarray) -> Tensor:
    """Return the 32 codes of bytes (…, 16): the low halves come first."""
    return torch.from_numpy(np.concatenate((data & 15, data >> 4), axis=-1))


def _q4_0(data: np.ndarray) -> Codes:
    """Read blocks of 32: a step, 16 bytes; `w = step (code − 8)`."""
    blocks = data.reshape(len(data), -1, 18)
    step = _halves(blocks[..., :2])[..., 0]
    return Codes(_nibbles(blocks[..., 2:]).flatten(1), step, -8 * step)


def _q4_1(data: np.ndarray) -> Codes:
    """Read blocks of 32: a step, a base, 16 bytes; `w = step · code + base`."""
    blocks = data.reshape(len(data), -1, 20)
    step, base = _halves(blocks[..., :4]).unbind(-1)
    return Codes(_nibbles(blocks[..., 4:]).flatten(1), step, base)


def _q4_k(data: np.ndarray) -> Codes:
    """Read blocks of 256: two scales, 8 steps and 8 bases of 6 bits in 12 bytes, 128 bytes."""
    blocks = data.reshape(len(data), -1, 144)
    scale, least = _halves(blocks[..., :4]).unbind(-1)
    low, high, rest = (blocks[..., 4 + 4 * i : 8 + 4 * i] for i in range(3))
    steps = np.concatenate((low & 63, (rest & 15) | ((low >> 6) << 4)), axis=-1).astype(np.float32)
    bases = np.concatenate((high & 63, (rest >> 4) | ((high >> 6) << 4)), axis=-1).astype(np.float32)
    pairs = blocks[..., 16:].reshape(*blocks.shape[:2], 4, GROUP)
    codes = torch.from_numpy(np.stack((pairs & 15, pairs >> 4), axis=-2))
    step = (scale[..., None] * torch.from_numpy(steps)).flatten(1)
    base = -(least[..., None] * torch.from_numpy(bases)).flatten(1)
    return Codes(codes.flatten(1), step, base)


_READERS = {Kind.Q4_0: _q4_0, Kind.Q4_1: _q4_1, Kind.Q4_K: _q4_k}

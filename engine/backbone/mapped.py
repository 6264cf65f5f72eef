"""Safetensors files whose tensors can be used where they lie: the kernels want them on 64 bytes."""

import json
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

ALIGNED = 64
ENTRY = 256  # bytes of the header for a tensor, at most: its name, shape and place
NAMES = {
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.uint8: "U8",
    torch.int8: "I8",
}


class MappedFile:
    """A safetensors file in the writing, one tensor after the other: no more than one is held.

    The header stands before the tensors, in room kept for it, padded so that they begin on 64 bytes.
    """

    def __init__(self, file: Path, names: int) -> None:
        self._out = file.open("wb")
        self._header: dict[str, object] = {}
        self._room = -(-names * ENTRY // ALIGNED) * ALIGNED
        self._out.seek(self._room)
        self._uneven: dict[str, Tensor] = {}

    def add(self, name: str, tensor: Tensor) -> None:
        """Write a tensor; one that would leave the next beside 64 bytes waits for the end."""
        if tensor.nbytes % ALIGNED:
            self._uneven[name] = tensor
        else:
            self._write(name, tensor)

    def _write(self, name: str, tensor: Tensor) -> None:
        begin = self._out.tell() - self._room
        offsets = [begin, begin + tensor.nbytes]
        self._header[name] = {
            "dtype": NAMES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": offsets,
        }  # fmt: skip
        tensor.contiguous().view(-1).view(torch.uint8).numpy().tofile(self._out)

    def close(self, facts: dict[str, str] | None = None) -> None:
        """Write what waited, and the header with these facts."""
        for name in sorted(self._uneven):
            self._write(name, self._uneven[name])
        text = json.dumps({"__metadata__": facts or {}} | self._header).encode()
        text += b" " * (self._room - 8 - len(text))
        assert len(text) == self._room - 8, "an entry of the header is longer than was thought"
        self._out.seek(0)
        self._out.write(len(text).to_bytes(8, "little") + text)
        self._out.close()


def save_mapped(tensors: dict[str, Tensor], file: Path) -> None:
    """Write tensors to a safetensors file that can be mapped."""
    made = MappedFile(file, len(tensors))
    for name in sorted(tensors):
        made.add(name, tensors[name])
    made.close()


def load_mapped(file: Path) -> dict[str, Tensor]:
    """Return the tensors of a file, mapped; one that does not lie on 64 bytes is copied."""
    tensors = load_file(file)
    return {name: one.clone() if one.data_ptr() % ALIGNED else one for name, one in tensors.items()}

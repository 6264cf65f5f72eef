"""Safetensors files whose tensors can be used where they lie: the kernels want them on 64 bytes."""

import json
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

ALIGNED = 64
NAMES = {
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.uint8: "U8",
    torch.int8: "I8",
}


def save_mapped(tensors: dict[str, Tensor], file: Path, facts: dict[str, str] | None = None) -> None:
    """Write tensors to a safetensors file, its header padded so that they begin on 64 bytes."""
    order = sorted(tensors, key=lambda name: (tensors[name].nbytes % ALIGNED != 0, name))
    header: dict[str, object] = {"__metadata__": facts or {}}
    end = 0
    for name in order:
        tensor, begin = tensors[name], end
        end += tensor.nbytes
        facts_of = {"dtype": NAMES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [begin, end]}
        header[name] = facts_of
    text = json.dumps(header).encode()
    text += b" " * (-(8 + len(text)) % ALIGNED)
    with file.open("wb") as out:
        out.write(len(text).to_bytes(8, "little") + text)
        for name in order:
            tensors[name].contiguous().view(-1).view(torch.uint8).numpy().tofile(out)


def load_mapped(file: Path) -> dict[str, Tensor]:
    """Return the tensors of a file, mapped; one that does not lie on 64 bytes is copied."""
    tensors = load_file(file)
    return {name: one.clone() if one.data_ptr() % ALIGNED else one for name, one in tensors.items()}

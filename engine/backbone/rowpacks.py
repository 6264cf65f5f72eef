"""The four-bit matrices of a GGUF file, packed once for this processor and kept beside its converted copy."""

import contextlib
import os
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError

from engine.backbone import packs
from engine.backbone.mapped import load_mapped, save_mapped
from engine.backbone.packs import Codes, FourBits
from engine.backbone.rows import PRODUCTS, Packs
from engine.paths import CONVERTING


def row_packs(gguf: Path, folder: Path, config: Any) -> Packs:
    """Return the packed products of a file's blocks, of those that it stores in four bits.

    They are kept in `folder` where that can be written; a processor of another kind packs anew.
    """
    file = folder / f"rows-{packs.layout()}.safetensors"
    try:
        tensors = load_mapped(file)
    except (OSError, SafetensorError):
        tensors = packed(gguf, config)
        scratch = folder / f"{CONVERTING}{os.getpid()}-{file.name}"
        with contextlib.suppress(OSError, SafetensorError):  # no room, or not ours to write: made anew then
            save_mapped(tensors, scratch)
            os.replace(scratch, file)
        scratch.unlink(missing_ok=True)
    names = {name.rpartition(".")[0] for name in tensors}
    return {name: FourBits(tensors[f"{name}.packed"], tensors[f"{name}.scales"]) for name in names}


def packed(gguf: Path, config: Any) -> dict[str, torch.Tensor]:
    """Pack the products of all blocks that are stored in four bits, as "3.mlp_in.packed" and "….scales"."""
    from engine.backbone.ggufs import GgufFile

    file = GgufFile(gguf, config.num_attention_heads, config.num_key_value_heads)
    tensors: dict[str, torch.Tensor] = {}
    for index in range(config.num_hidden_layers):
        for name, parts in PRODUCTS.items():
            found = [f"model.layers.{index}.{part}.weight" for part in parts]
            stored = [file.codes(one) for one in found if one in file.tensors]
            codes = [one for one in stored if one is not None]
            if len(codes) < len(found):
                continue
            matrix = Codes.joined(codes)
            if packs.is_packable(matrix.codes.shape):
                made = FourBits.of(matrix)
                tensors |= {f"{index}.{name}.packed": made.packed, f"{index}.{name}.scales": made.scales}
    return tensors

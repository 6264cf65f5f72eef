"""The four kinds of index, which find the same; the default was chosen by measurement (`bench retrieval`)."""

import warnings
from importlib import import_module

import numpy as np
import torch

from engine.retrieval.index import SearchIndex
from ingest.errors import BadInput

# kind -> module and class; imported when asked for, since faiss brings an OpenMP of its own.
KINDS = {
    "mapped": ("engine.retrieval.mapped", "MappedIndex"),
    "resident": ("engine.retrieval.resident", "ResidentIndex"),
    "rounded": ("engine.retrieval.rounded", "RoundedIndex"),
    "faiss": ("engine.retrieval.flat", "FlatIndex"),
}

# Banks are mapped read-only, and nothing here writes to a key.
warnings.filterwarnings("ignore", message="The given NumPy array is not writable")


def usable_kinds() -> tuple[str, ...]:
    """List the kinds made for this processor: products of bytes may saturate, or crawl, without VNNI."""
    able = torch.cpu.get_capabilities()
    has_vnni = able.get("avx512_vnni") or able.get("avx_vnni")
    return tuple(kind for kind in KINDS if has_vnni or kind != "rounded")


def default_kind() -> str:
    """Choose the fastest kind here."""
    return "rounded" if "rounded" in usable_kinds() else "resident"


def make_index(keys: np.ndarray, kind: str | None = None) -> SearchIndex:
    """Make an index of keys (chunks, kv_heads, dim) or (chunks, dim), fp16 or fp32, mapped or in memory.

    Raises BadInput for an unknown kind.
    """
    kind = kind or default_kind()
    if kind not in KINDS:
        raise BadInput(f"there is no index '{kind}'; choose one of {', '.join(KINDS)}")
    module, name = KINDS[kind]
    return getattr(import_module(module), name)(keys)

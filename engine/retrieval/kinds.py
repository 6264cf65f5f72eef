"""The two kinds of index, which find the same; the default was chosen by measurement (`bench retrieval`)."""

import warnings

import numpy as np
import torch

from engine.retrieval.index import SearchIndex
from engine.retrieval.resident import ResidentIndex
from engine.retrieval.rounded import RoundedIndex
from ingest.errors import BadInput

KINDS: dict[str, type[ResidentIndex] | type[RoundedIndex]] = {
    "resident": ResidentIndex,
    "rounded": RoundedIndex,
}

# Banks are mapped read-only, and nothing here writes to a key.
warnings.filterwarnings("ignore", message="The given NumPy array is not writable")


def usable_kinds() -> tuple[str, ...]:
    """List the kinds made for this processor, the fastest last.

    Products of bytes may saturate, or crawl, without VNNI.
    """
    able = torch.cpu.get_capabilities()
    has_vnni = able.get("avx512_vnni") or able.get("avx_vnni")
    return tuple(kind for kind in KINDS if has_vnni or kind != "rounded")


def make_index(keys: np.ndarray, kind: str | None = None) -> SearchIndex:
    """Make an index of keys (chunks, kv_heads, dim) or (chunks, dim), fp16 or fp32, mapped or in memory.

    kind: the fastest here where none is named. Raises BadInput for an unknown one.
    """
    kind = kind or usable_kinds()[-1]
    if kind not in KINDS:
        raise BadInput(f"there is no index '{kind}'; choose one of {', '.join(KINDS)}")
    return KINDS[kind](keys)

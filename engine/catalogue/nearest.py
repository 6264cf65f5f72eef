"""Nearest: one faiss index on disk over the vectors of all passages, by inner product.

Up to a million vectors every one is compared (16-bit floats); above that, lists around trained centres with
product codes of a quarter byte a dimension. A file is written once under a name of its own and mapped, so a
search loads what it visits; what changes goes into the next file.
"""

import math
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from engine.whole import whole

EXACT_VECTORS = 1_000_000
SPARED = 2  # one list in so many is visited: a question lies far from the passages like it, in no one list
VECTORS_PER_CENTRE = 64  # to train with
CODE_DIMENSIONS = 4  # that one byte stands for


def centres(vectors: int) -> int:
    """Choose the number of lists: about twice the root of the vectors, a power of two."""
    return 2 ** round(math.log2(2 * math.sqrt(vectors)))


def new_index(dim: int, vectors: int, sample: np.ndarray, exact_below: int = EXACT_VECTORS) -> faiss.Index:
    """Make an empty index for so many vectors. sample: (n, dim) float32 of them, to train a large one."""
    if vectors <= exact_below:
        return faiss.index_factory(dim, "IDMap,SQfp16", faiss.METRIC_INNER_PRODUCT)
    lists = min(centres(vectors), max(1, len(sample) // 39))  # fewer and faiss complains
    codes = max(1, dim // CODE_DIMENSIONS)
    # np: not trained for a search by codes alone, which there is none here; that takes 1.4 s a code
    index: Any = faiss.index_factory(dim, f"IVF{lists},PQ{codes}np", faiss.METRIC_INNER_PRODUCT)
    index.cp.niter = 8
    index.cp.max_points_per_centroid = VECTORS_PER_CENTRE
    index.train(sample)
    return index


def is_exact(index: faiss.Index) -> bool:
    """Tell whether every vector is compared."""
    return isinstance(faiss.downcast_index(index), faiss.IndexIDMap)


def write(index: faiss.Index, path: Path) -> None:
    """Write an index in one piece."""
    with whole(path) as file:
        faiss.write_index(index, str(file))


def mapped(path: Path) -> faiss.Index:
    """Open an index without loading it. Raises RuntimeError where it is missing or damaged."""
    return faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)


def loaded(path: Path) -> faiss.Index:
    """Load an index to change it. Raises RuntimeError where it is missing or damaged."""
    return faiss.read_index(str(path))


def remove_others(index: faiss.Index, kept: list[tuple[int, int]]) -> None:
    """Remove all vectors but those with the ids (first, how many)."""
    mask = np.zeros(max((first + count for first, count in kept), default=0), bool)
    for first, count in kept:
        mask[first : first + count] = True
    if mask.sum() < index.ntotal:
        selector = _selector(mask)
        index.remove_ids(faiss.IDSelectorNot(selector))


def search(
    index: faiss.Index, queries: np.ndarray, k: int, allowed: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return scores and ids (queries, k), −1 where too few. allowed: (ids,) bool; None allows all."""
    settings: Any = faiss.SearchParameters()
    if not is_exact(index):
        settings = faiss.SearchParametersIVF()
        settings.nprobe = math.ceil(faiss.extract_index_ivf(index).nlist / SPARED)
    settings.sel = selector = None if allowed is None else _selector(allowed)
    found = index.search(np.ascontiguousarray(queries, np.float32), k, params=settings)
    del selector  # which faiss does not keep
    return found


def _selector(mask: np.ndarray) -> Any:
    """Make a selector of the ids that are marked."""
    make: Any = faiss.IDSelectorBitmap  # which takes the array itself, other than its types say
    return make(np.packbits(mask, bitorder="little"))

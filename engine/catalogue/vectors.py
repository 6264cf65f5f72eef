"""Vectors of passages: the direction of a passage's search keys together, and what a question asks with.

Exact ranking lets every token of a question choose its best chunk of a passage. One vector a passage cannot
say that, but is near to all chunks of its passage; it only proposes books, which are then ranked exactly. All
are of one length: a mean is the longer the fewer chunks it is of, and title pages would be like everything.
"""

from collections.abc import Sequence

import numpy as np

from engine.retrieval.memory import SearchableBank
from engine.retrieval.votes import Ballot, owners
from ingest.passages import Passage

NO_DIMENSIONS = 1  # of the vectors where there is no map


def passage_vectors(source: SearchableBank, passages: Sequence[Passage]) -> np.ndarray:
    """Return vectors (passages, dim) float16 of length 1; zeros for a passage without a chunk of its own."""
    bank, keys = source.bank, source.learned_keys()
    borders = np.array([(one.start, one.end) for one in passages], np.int64).reshape(-1, 2)
    owner = owners(bank.spans[:], bank.chunk_starts[:], borders)
    held = owner >= 0
    sums = np.zeros((len(passages), keys.shape[1]), np.float32)
    np.add.at(sums, owner[held], keys[held].astype(np.float32))
    lengths = np.linalg.norm(sums, axis=1, keepdims=True)
    return (sums / np.where(lengths > 0, lengths, 1)).astype(np.float16)


def book_vectors(source: SearchableBank, passages: Sequence[Passage]) -> np.ndarray:
    """Return the vectors of a book for the catalogue; none of them where there is no search map."""
    if source.search is None:
        return np.zeros((0, NO_DIMENSIONS), np.float16)
    return passage_vectors(source, passages)


def asking_vector(asked: Ballot) -> np.ndarray:
    """Return what a question searches with (1, dim) float32: all its tokens together, by their weights."""
    return (asked.weights @ asked.queries)[None].numpy()
